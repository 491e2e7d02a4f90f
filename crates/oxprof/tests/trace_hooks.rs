//! What notes a trace must not do: allocate, or change `errno`.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

#[path = "support/counting.rs"]
mod counting;

use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use oxprof::labels::Labels;
use oxprof::{cpu, trace};
use oxprof_trace::{Kind, Options, for_each};

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

static TURN: Mutex<u64> = Mutex::new(0);
static TURNED: Condvar = Condvar::new();
static STOP: AtomicBool = AtomicBool::new(false);
static ROUNDS: AtomicU64 = AtomicU64::new(0);

/// Waits in locks, condition variables and system calls, is woken and wakes; by turns with the others.
fn take_turns(me: u64, pipe: &mut (impl Read + Write)) {
    while !STOP.load(Ordering::Relaxed) {
        let turn = TURN.lock().unwrap();
        let is_mine = |turn: &mut u64| *turn % 2 != me && !STOP.load(Ordering::Relaxed);
        let mut turn =
            TURNED.wait_timeout_while(turn, Duration::from_millis(5), is_mine).unwrap().0;
        *turn += 1;
        drop(turn);
        TURNED.notify_all();
        pipe.write_all(&[1]).unwrap();
        pipe.read_exact(&mut [0]).unwrap();
        thread::sleep(Duration::from_micros(20));
        ROUNDS.fetch_add(1, Ordering::Relaxed);
    }
}

/// Both ends of a pipe.
struct Pipe(std::io::PipeReader, std::io::PipeWriter);

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Pipe {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        self.1.write(buffer)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn hooks_allocate_nothing_and_keep_errno() {
    const LABELS: Labels = Labels::from_static(&[("key", "value")]);
    let capture = trace::start().unwrap();
    let profile = cpu::start(cpu::Options::default().hz(1000)).unwrap();
    let allocated: u64 = thread::scope(|scope| {
        let player = |me| {
            move || {
                let (reader, writer) = std::io::pipe().unwrap();
                let mut pipe = Pipe(reader, writer);
                // The first scope of a thread allocates.
                LABELS.run(|| ());
                let before = counting::calls();
                LABELS.run(|| take_turns(me, &mut pipe));
                let allocated = counting::calls() - before;
                // SAFETY: the address of the calling thread's `errno`, and a call with valid arguments.
                unsafe {
                    *libc::__errno_location() = 77;
                    assert_eq!(libc::poll(std::ptr::null_mut(), 0, 1), 0);
                    assert_eq!(*libc::__errno_location(), 77);
                }
                allocated
            }
        };
        let players = [0, 1].map(|me| scope.spawn(player(me)));
        let start = Instant::now();
        // Over several generations, in which blocks of records come and go.
        while start.elapsed() < Duration::from_millis(2500) || ROUNDS.load(Ordering::Relaxed) < 500
        {
            thread::sleep(Duration::from_millis(10));
        }
        STOP.store(true, Ordering::Relaxed);
        TURNED.notify_all();
        players.map(|player| player.join().unwrap()).iter().sum()
    });
    drop(profile);
    let mut bytes = Vec::new();
    capture.finish(&mut bytes).unwrap();
    assert_eq!(allocated, 0);
    let mut events = 0;
    let strict = Options { strict: true, max_generation: 1 << 30 };
    for_each(&bytes, strict, |event, _| events += u64::from(matches!(event.kind, Kind::Go(_))))
        .unwrap();
    let rounds = ROUNDS.load(Ordering::Relaxed);
    assert!(events >= 4 * rounds, "{events} events of {rounds} rounds");
}
