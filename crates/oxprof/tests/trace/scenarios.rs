//! What is known to happen, as traces tell it: who waited for what, and how long; who was woken late, and by whom.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Barrier, Condvar, Mutex, Once, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use oxprof_profile::Profile;
use oxprof_trace::chain::History;
use oxprof_trace::{
    ExecStats, GoId, GoState, Goroutine, Options, Summary, WaitFilter, WaitProfiler, Waiting,
    for_each,
};

use crate::{alone, record, summary};

/// How long somebody is made to wait.
const HELD: Duration = Duration::from_millis(40);

/// By how much a trace may differ from what a thread saw itself, which includes the time until it ran again: on a busy
/// machine that is much of it, so the close look is for a quiet one (`OXPROF_LONG=1`).
fn is_near(traced: i64, seen: Duration) -> bool {
    let margin = if std::env::var_os("OXPROF_LONG").is_some() { seen / 50 } else { seen / 2 };
    Duration::from_nanos(traced.cast_unsigned()).abs_diff(seen) <= margin
}

/// The goroutines of a name.
pub(crate) fn named<'a>(summary: &'a Summary, name: &str) -> Vec<&'a Goroutine> {
    summary.goroutines.iter().filter(|g| summary.names.get(g.name) == name).collect()
}

/// How long a goroutine waited for a reason.
fn blocked(summary: &Summary, stats: &ExecStats, reason: &str) -> i64 {
    let is_it = |(name, _): &&(_, i64)| summary.names.get(*name) == reason;
    stats.blocked.iter().find(is_it).map_or(0, |(_, nanos)| *nanos)
}

/// Later than a thread is that finds its processor free.
const LATE: Duration = Duration::from_millis(1);

/// Tries again where a busy machine was in the way.
fn retry(mut check: impl FnMut() -> Result<(), String>) {
    let _alone = alone();
    let mut tries = Vec::new();
    for _ in 0..15 {
        match check() {
            Ok(()) => return,
            Err(problem) => tries.push(problem),
        }
    }
    panic!("{tries:#?}");
}

fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> thread::JoinHandle<T> {
    thread::Builder::new().name(name.to_owned()).spawn(work).unwrap()
}

fn timed(f: impl FnOnce()) -> Duration {
    let start = Instant::now();
    f();
    start.elapsed()
}

/// What lets somebody go on.
type Release = Box<dyn FnOnce() + Send>;
/// What somebody waits in.
type Wait = Box<dyn FnOnce() + Send>;

/// A way to wait, and what ends it.
fn pair(
    wait: impl FnOnce() + Send + 'static,
    release: impl FnOnce() + Send + 'static,
) -> (Wait, Release) {
    (Box::new(wait), Box::new(release))
}

/// Each reason, and who waits for it. Systems calls have a state of their own.
fn ways_to_wait() -> Vec<(&'static str, (Wait, Release))> {
    vec![
        ("sync", lock()),
        ("sync.(*Cond).Wait", condition()),
        ("chan receive", channel()),
        ("sync (park)", park()),
        ("sync (join)", join()),
        ("sync (once)", once()),
        ("sleep", pair(|| thread::sleep(HELD), || ())),
        ("network", network()),
        ("syscall", system_call()),
    ]
}

fn lock() -> (Wait, Release) {
    let lock: &Mutex<()> = Box::leak(Box::default());
    let (held, is_held) = mpsc::channel();
    let (end, has_ended) = mpsc::channel();
    spawn("holder", move || {
        let guard = lock.lock().unwrap();
        held.send(()).unwrap();
        has_ended.recv().unwrap();
        drop(guard);
    });
    is_held.recv().unwrap();
    pair(|| drop(lock.lock().unwrap()), move || end.send(()).unwrap())
}

fn condition() -> (Wait, Release) {
    let both: &(Mutex<bool>, Condvar) = Box::leak(Box::default());
    let wait = || drop(both.1.wait_while(both.0.lock().unwrap(), |is_done| !*is_done).unwrap());
    pair(wait, || {
        *both.0.lock().unwrap() = true;
        both.1.notify_one();
    })
}

fn channel() -> (Wait, Release) {
    let (sender, receiver) = mpsc::channel();
    pair(move || receiver.recv().unwrap(), move || sender.send(()).unwrap())
}

fn park() -> (Wait, Release) {
    let (tell, who) = mpsc::sync_channel(1);
    let wait = move || {
        tell.send(thread::current()).unwrap();
        thread::park();
    };
    pair(wait, move || who.recv().unwrap().unpark())
}

fn join() -> (Wait, Release) {
    let (sender, receiver) = mpsc::channel::<()>();
    let ends = spawn("ends", move || receiver.recv().unwrap());
    pair(|| ends.join().unwrap(), move || sender.send(()).unwrap())
}

fn once() -> (Wait, Release) {
    let once: &Once = Box::leak(Box::new(Once::new()));
    let (begun, has_begun) = mpsc::channel();
    let (end, has_ended) = mpsc::channel();
    spawn("initialises", move || {
        once.call_once(|| {
            begun.send(()).unwrap();
            has_ended.recv().unwrap();
        });
    });
    has_begun.recv().unwrap();
    pair(|| once.call_once(|| ()), move || end.send(()).unwrap())
}

fn network() -> (Wait, Release) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut far, _) = listener.accept().unwrap();
    pair(move || far.read_exact(&mut [0]).unwrap(), move || near.write_all(&[1]).unwrap())
}

fn system_call() -> (Wait, Release) {
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    pair(move || slow_read(&mut reader), move || writer.write_all(&[1]).unwrap())
}

#[inline(never)]
fn slow_read(reader: &mut impl Read) {
    reader.read_exact(&mut [0]).unwrap();
}

#[test]
fn each_wait_has_its_reason_and_length() {
    retry(|| {
        let ways = ways_to_wait();
        let mut seen = Vec::new();
        let bytes = record(|| {
            for (reason, (wait, release)) in ways {
                let waiter = spawn("waiter", move || timed(wait));
                thread::sleep(HELD);
                release();
                seen.push((reason, waiter.join().unwrap()));
            }
        });
        let summary = summary(&bytes);
        let waiters = named(&summary, "waiter");
        if waiters.len() != seen.len() {
            return Err(format!("{} waiters", waiters.len()));
        }
        for (waiter, &(reason, seen)) in waiters.iter().zip(&seen) {
            let traced = match reason {
                "syscall" => waiter.stats.syscall,
                reason => blocked(&summary, &waiter.stats, reason),
            };
            if !is_near(traced, seen) {
                let states = waiter.stats.states(&summary.names);
                return Err(format!("{reason}: {traced} ns, seen {seen:?}, {states:?}"));
            }
        }
        Ok(())
    });
}

/// As event loops read: what is not there yet is waited for elsewhere. But the same descriptor may wait the next moment.
#[test]
fn calls_that_never_wait_are_no_waits() {
    retry(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut far = listener.accept().unwrap().0;
        let read = |mut near: &TcpStream| near.read(&mut [0]);
        let mut seen = Duration::ZERO;
        let bytes = record(|| {
            near.set_nonblocking(true).unwrap();
            assert!((0..10).all(|_| read(&near).is_err()));
            near.set_nonblocking(false).unwrap();
            let writes = spawn("writes", move || {
                thread::sleep(HELD);
                far.write_all(&[1]).unwrap();
                far
            });
            seen = timed(|| _ = read(&near).unwrap());
            let mut far = writes.join().unwrap();
            far.write_all(&[1]).unwrap();
            read(&near).unwrap();
        });
        let (count, traced) = waits(&bytes, Waiting::Net, "calls_that_never_wait");
        if count == 2 && is_near(traced, seen) {
            return Ok(());
        }
        Err(format!("{count} waits of {traced} ns, seen {seen:?}"))
    });
}

/// Waits of a kind: how many, how long in all, and whether each is in a function.
pub(crate) fn waits(bytes: &[u8], waiting: Waiting, function: &str) -> (i64, i64) {
    let mut profiler = WaitProfiler::new(waiting, WaitFilter::default());
    let strict = Options { strict: true, max_generation: 1 << 30 };
    for_each(bytes, strict, |event, tables| profiler.event(event, tables)).unwrap();
    sums(&profiler.finish(), function)
}

/// Counts and nanoseconds of the samples with a function in their stack.
pub(crate) fn sums(profile: &Profile, function: &str) -> (i64, i64) {
    let name = |f: oxprof_profile::FunctionIdx| profile.str(profile.functions[f.index()].name);
    let samples = profile.samples.iter().filter(|sample| {
        let mut lines = sample.stack.iter().flat_map(|&location| profile.lines_of(location));
        lines.any(|line| name(line.function).contains(function))
    });
    samples.fold((0, 0), |(n, t), s| (n + s.values[0], t + s.values[1]))
}

/// Threads that get a lock from each other, which each holds for a while. Returns how long all waited for it.
pub(crate) fn convoy(threads: u32, held: Duration) -> Duration {
    let (lock, gate): (&Mutex<()>, _) =
        (Box::leak(Box::default()), Box::leak(Box::new(Barrier::new(threads as usize))));
    let gate: &Barrier = gate;
    let in_turn = move || {
        gate.wait();
        takes_the_lock(lock, held)
    };
    let threads: Vec<_> = (0..threads).map(|_| spawn("convoy", in_turn)).collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).sum()
}

#[inline(never)]
fn takes_the_lock(lock: &Mutex<()>, held: Duration) -> Duration {
    let mut guard = None;
    let waited = timed(|| guard = Some(lock.lock().unwrap()));
    thread::sleep(held);
    drop(guard);
    waited
}

#[test]
fn a_lock_convoy_is_seen() {
    retry(|| {
        let mut seen = Duration::ZERO;
        let bytes = record(|| seen = convoy(4, HELD));
        let (count, traced) = waits(&bytes, Waiting::Sync, "takes_the_lock");
        let summary = summary(&bytes);
        let convoy = named(&summary, "convoy");
        let locked: i64 = convoy.iter().map(|g| blocked(&summary, &g.stats, "sync")).sum();
        if count < 3 || !is_near(traced, seen) || locked != traced {
            return Err(format!("{count} waits of {traced} ns, {locked} by thread, seen {seen:?}"));
        }
        // The last one waited for all the others: the chain of its end leads through each.
        let last = convoy.iter().max_by_key(|g| g.ended).ok_or("no threads")?;
        let chain = chain_of(&bytes, last);
        let ids: Vec<GoId> = convoy.iter().map(|g| g.id).collect();
        let through = ids.iter().filter(|&&id| chain.iter().any(|(link, _)| *link == id)).count();
        if through == 4 { Ok(()) } else { Err(format!("{chain:?} of {ids:?}")) }
    });
}

/// What `oxprof trace -why` shows of a goroutine: who was the reason, and in which state.
fn chain_of(bytes: &[u8], goroutine: &Goroutine) -> Vec<(GoId, GoState)> {
    let end = goroutine.ended.unwrap_or(i64::MAX);
    let mut history = History::new(goroutine.created, end);
    let strict = Options { strict: true, max_generation: 1 << 30 };
    for_each(bytes, strict, |event, tables| history.event(event, tables)).unwrap();
    history.chain(goroutine.id).iter().map(|link| (link.goroutine, link.state)).collect()
}

/// A thread that gets a processor only when nobody else wants it is woken by one that does not let go of it.
#[test]
fn a_late_wake_up_is_time_waiting_for_a_processor() {
    retry(|| {
        let (mut least, mut most) = (Duration::ZERO, Duration::ZERO);
        let bytes = record(|| {
            let (send, receive) = mpsc::channel::<Instant>();
            let woken = spawn("woken", move || {
                on_one_processor();
                only_when_idle();
                (receive.recv().unwrap(), Instant::now())
            });
            thread::sleep(HELD);
            let busy = spawn("busy", move || {
                on_one_processor();
                wakes(&send);
                let sent = Instant::now();
                while sent.elapsed() < HELD {}
                sent
            });
            let sent = busy.join().unwrap();
            let (sends, woke) = woken.join().unwrap();
            (least, most) = (woke - sent.min(woke), woke - sends);
        });
        // The stack is of who woke it.
        let (count, traced) = waits(&bytes, Waiting::Sched, "scenarios::wakes");
        // How late is up to the kernel, which may well stop who is busy. The wake-up is somewhere in the sending, which
        // takes a while the first time.
        let within = Duration::from_nanos(traced.cast_unsigned()).clamp(least, most);
        if count == 1 && least >= LATE && is_near(traced, within) {
            return Ok(());
        }
        Err(format!("{least:?} to {most:?} late, {count} waits of {traced} ns"))
    });
}

#[inline(never)]
fn wakes(sender: &mpsc::Sender<Instant>) {
    sender.send(Instant::now()).unwrap();
}

fn on_one_processor() {
    // SAFETY: a valid set; the calling thread is bound to the first processor it may use.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        let size = size_of_val(&set);
        libc::sched_getaffinity(0, size, &raw mut set);
        let first = (0..libc::CPU_SETSIZE as usize).find(|&cpu| libc::CPU_ISSET(cpu, &set));
        libc::CPU_ZERO(&mut set);
        libc::CPU_SET(first.unwrap_or(0), &mut set);
        libc::sched_setaffinity(0, size, &raw const set);
    }
}

fn only_when_idle() {
    // SAFETY: valid parameters, of the calling thread.
    unsafe {
        let parameters: libc::sched_param = std::mem::zeroed();
        libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const parameters);
    }
}

/// A task is woken, but the only thread of its runtime is kept by another.
#[test]
fn a_starved_task_waits_for_a_processor() {
    retry(|| {
        let mut late = Duration::ZERO;
        let bytes = record(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            late = runtime.block_on(async {
                let (send, receive) = tokio::sync::oneshot::channel();
                let starved = oxprof::spawn(starved(receive));
                tokio::task::yield_now().await;
                oxprof::spawn(async move {
                    send.send(Instant::now()).unwrap();
                    thread::sleep(HELD);
                });
                starved.await.unwrap()
            });
        });
        let summary = summary(&bytes);
        let is_starved = |g: &&Goroutine| summary.names.get(g.name).ends_with("::starved");
        let starved = summary.goroutines.iter().find(is_starved).ok_or("no such task")?;
        let channel = blocked(&summary, &starved.stats, "chan receive");
        if late >= HELD && is_near(starved.stats.sched_wait, late) && channel > 0 {
            return Ok(());
        }
        Err(format!("{late:?} late, {:?}", starved.stats.states(&summary.names)))
    });
}

async fn starved(receive: tokio::sync::oneshot::Receiver<Instant>) -> Duration {
    receive.await.unwrap().elapsed()
}

#[test]
fn a_slow_system_call_is_seen() {
    retry(|| {
        let (wait, release) = system_call();
        let mut seen = Duration::ZERO;
        let bytes = record(|| {
            let reader = spawn("reader", move || timed(wait));
            thread::sleep(HELD);
            release();
            seen = reader.join().unwrap();
        });
        let (count, traced) = waits(&bytes, Waiting::Syscall, "slow_read");
        if count == 1 && is_near(traced, seen) {
            return Ok(());
        }
        Err(format!("{count} calls of {traced} ns, seen {seen:?}"))
    });
}
