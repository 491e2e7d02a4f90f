//! The page of a trace, by its URLs and in a browser.

use std::io::{self, Cursor, Read};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use oxprof_browser::Browser;
use oxprof_trace::ThreadId;
use oxprof_trace::wire::EventType as E;
use oxprof_trace::write::{Clock, Events, FrameRef, Generation, header};
use oxprof_web::{TraceSetup, TraceSource};

use crate::page::{check_layout, keep_screenshot};
use crate::support::{Page, Response};

const US: u64 = 1000;
/// Length of a generation.
const SECOND: u64 = 1_000_000 * US;

/// Goroutine 1 works for the task `request` on processor 0 all the time. Goroutine 2 runs on processor 1: in every
/// generation it waits 60 µs for a channel until goroutine 1 wakes it, and then 30 µs for its processor.
fn trace(generations: u64) -> Vec<u8> {
    let mut bytes = header().to_vec();
    (1..=generations).for_each(|number| generation(number, number == generations, &mut bytes));
    bytes
}

fn generation(number: u64, is_last: bool, bytes: &mut Vec<u8>) {
    let start = number * SECOND;
    let mut g = Generation::new(number);
    let frame = |func| FrameRef { func, file: "main.go", line: 9 };
    let main = u64::from(g.stack(&[frame("main.main")]));
    let worker = u64::from(g.stack(&[frame("main.receive"), frame("main.<b>worker</b>")]));
    let [reason, task, region, log] =
        ["chan receive", "request", "parse", "halfway"].map(|text| u64::from(g.string(text)));
    let (mut one, mut two) = (Events::new(), Events::new());
    for (id, stack, events) in [(1, main, &mut one), (2, worker, &mut two)] {
        events.push(start, E::ProcStatus, &[id - 1, 1]);
        events.push(start, E::GoStatusStack, &[id, id, 2, stack]);
    }
    one.push(start + 1, E::ProcsChange, &[2, main]);
    one.push(start + US, E::HeapAlloc, &[number << 20]);
    one.push(start + 5 * US, E::UserTaskBegin, &[number, 0, task, main]);
    one.push(start + 6 * US, E::UserRegionBegin, &[number, region, main]);
    two.push(start + 10 * US, E::GoBlock, &[reason, worker]);
    one.push(start + 50 * US, E::UserLog, &[number, 0, log, main]);
    one.push(start + 56 * US, E::UserRegionEnd, &[number, region, main]);
    one.push(start + 70 * US, E::GoUnblock, &[2, 1, main]);
    two.push(start + 100 * US, E::GoStart, &[2, 2]);
    one.push(start + 105 * US, E::UserTaskEnd, &[number, main]);
    if !is_last {
        one.push(start + SECOND - US, E::HeapAlloc, &[number << 20]);
    }
    g.events(ThreadId(1), &mut one);
    g.events(ThreadId(2), &mut two);
    let clock = Clock {
        frequency: 1_000_000_000,
        ticks: start,
        mono: start,
        wall_seconds: 0,
        wall_nanos: 0,
    };
    g.finish(clock, bytes);
}

struct Bytes(Vec<u8>);

impl TraceSource for Bytes {
    fn open(&self, offset: u64) -> io::Result<Box<dyn Read>> {
        Ok(Box::new(Cursor::new(self.0[offset as usize..].to_vec())))
    }

    fn size(&self) -> u64 {
        self.0.len() as u64
    }
}

/// Bytes that take their time, and how many read them at a time: now, and at most.
struct SlowBytes(Vec<u8>, Arc<(AtomicUsize, AtomicUsize)>);

struct SlowRead(Cursor<Vec<u8>>, Arc<(AtomicUsize, AtomicUsize)>);

impl TraceSource for SlowBytes {
    fn open(&self, offset: u64) -> io::Result<Box<dyn Read>> {
        let now = self.1.0.fetch_add(1, Ordering::SeqCst) + 1;
        self.1.1.fetch_max(now, Ordering::SeqCst);
        let bytes = Cursor::new(self.0[offset as usize..].to_vec());
        Ok(Box::new(SlowRead(bytes, Arc::clone(&self.1))))
    }

    fn size(&self) -> u64 {
        self.0.len() as u64
    }
}

impl Read for SlowRead {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        thread::sleep(Duration::from_millis(200));
        self.0.read(into)
    }
}

impl Drop for SlowRead {
    fn drop(&mut self) {
        self.1.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn page(test: &str, trace: Vec<u8>) -> Page {
    let base = Some(Box::new(Bytes(trace.clone())) as _);
    let source = Box::new(Bytes(trace));
    Page::of_trace(test, TraceSetup { name: "run.trace".to_owned(), source, base })
}

/// The answer, once the trace has been read.
fn settled(page: &Page, path: &str) -> Response {
    loop {
        let reply = page.get(path);
        if reply.status != 202 {
            return reply;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn wait(page: &Page, path: &str) -> Vec<u8> {
    let reply = settled(page, path);
    assert_eq!(reply.status, 200, "{path}: {}", reply.text());
    reply.body
}

/// The JSON of a picture.
fn picture(page: &Page, query: &str) -> serde_json::Value {
    let body = wait(page, &format!("/ui/api/trace/timeline?{query}"));
    let length = u32::from_le_bytes(body[..4].try_into().unwrap()) as usize;
    let head: serde_json::Value = serde_json::from_slice(&body[4..4 + length]).unwrap();
    let number = |name: &str| head[name].as_u64().unwrap() as usize;
    let (lanes, columns) = (head["lanes"].as_array().unwrap().len(), number("columns"));
    let (slices, instants, arrows) = (number("slices"), number("instants"), number("arrows"));
    let cells = if head["exact"] == true { 0 } else { lanes * columns };
    let counters = head["counters"].as_array().unwrap().len() * columns;
    let size = 8 * (2 * slices + instants + 2 * arrows)
        + 4 * (4 * slices + 3 * instants + 5 * arrows + cells + counters);
    assert_eq!(body.len(), 4 + length + size, "{head}");
    head
}

#[test]
fn many_profiles_at_a_time_are_made_a_few_at_a_time() {
    let readers = Arc::default();
    let source = Box::new(SlowBytes(trace(1), Arc::clone(&readers)));
    let setup = TraceSetup { name: "run.trace".to_owned(), source, base: None };
    let page = Arc::new(Page::of_trace("passes", setup));
    let path = |i| format!("/ui/api/trace/pprof?kind=sync&within=f{i}");
    let (answered, answers) = mpsc::channel();
    for path in (0..12).map(path) {
        let (page, answered) = (Arc::clone(&page), answered.clone());
        // Not waited for: if there is no answer, that is to be seen.
        thread::spawn(move || answered.send(page.get(&path).status));
    }
    for _ in 0..12 {
        assert_eq!(answers.recv_timeout(Duration::from_secs(60)), Ok(200));
    }
    let most = readers.1.load(Ordering::SeqCst);
    assert!(most <= 4, "{most} passes at a time");
}

#[test]
fn a_timeline_shows_lanes_and_from_close_every_event() {
    let page = page("timeline", trace(3));
    let all = picture(&page, "by=proc");
    assert_eq!((&all["duration"], &all["total"]), (&(2 * SECOND + 105 * US + 1).into(), &2.into()));
    let close = |by: &str, from: u64| {
        picture(&page, &format!("by={by}&from={}&to={}", from - 20 * US, from + 200 * US))
    };
    for by in ["proc", "thread", "goroutine"] {
        let head = close(by, 2 * SECOND);
        assert_eq!(
            (&head["exact"], &head["arrows"], &head["instants"]),
            (&true.into(), &1.into(), &1.into()),
            "{by}: {head}"
        );
        assert_eq!(head["lanes"][1]["kind"], by);
    }
    let head = close("goroutine", SECOND);
    assert_eq!(head["lanes"][1]["function"], "main.<b>worker</b>");
    // One runs; two runs, waits, can run, runs; in both generations that the interval touches.
    let states: Vec<_> = head["legend"].as_array().unwrap().iter().map(|l| l[0].clone()).collect();
    for state in ["running", "waiting", "runnable"] {
        assert!(states.contains(&state.into()), "{states:?}");
    }
    assert_eq!(picture(&page, "by=goroutine&q=WORKER&from=0&to=100000")["total"], 1);
    assert_eq!(picture(&page, "by=goroutine&q=2")["total"], 1);
    assert_eq!(page.get("/ui/api/trace/timeline?by=x").status, 400);
}

#[test]
fn what_is_no_trace_is_refused_in_words() {
    let page = page("refused", b"this is no trace at all".to_vec());
    let reply = settled(&page, "/ui/api/trace/timeline");
    assert_eq!(reply.status, 400, "{}", reply.text());
}

#[test]
fn a_damaged_trace_shows_what_is_whole() {
    let mut bytes = trace(3);
    bytes.truncate(bytes.len() - 9);
    let head = picture(&page("damaged", bytes), "by=proc");
    assert!(head["problems"].as_u64() > Some(0), "{head}");
    assert!(head["duration"].as_u64() > Some(SECOND), "{head}");
}

/// The JSON of an analysis.
fn value(page: &Page, path: &str) -> serde_json::Value {
    serde_json::from_slice(&wait(page, &format!("/ui/api/trace/{path}"))).unwrap()
}

#[test]
fn analyses_say_what_the_command_line_says() {
    let page = page("analyses", trace(3));
    let groups = value(&page, "goroutines")["groups"].clone();
    let worker = groups.as_array().unwrap().iter().find(|g| g["function"] == "main.<b>worker</b>");
    let times = &worker.unwrap()["times"];
    let blocked = &times["blocked"]["chan receive"];
    assert_eq!((&times["scheduler_wait"], blocked), (&90_000.into(), &180_000.into()));
    let members = value(&page, "goroutine?fn=main.%3Cb%3Eworker%3C/b%3E");
    assert_eq!((&members["count"], &members["goroutines"][0]["id"]), (&1.into(), &2.into()));
    let waits = value(&page, "latency")["waits"].clone();
    assert_eq!(
        (&waits[0]["waits_for"], &waits[0]["times"]["count"]),
        (&"chan receive".into(), &3.into())
    );
    let types = value(&page, "tasks")["types"].clone();
    assert_eq!(
        (&types[0]["name"], &types[0]["times"]["p50"]),
        (&"request".into(), &100_000.into())
    );
    let tasks = value(&page, "task?type=request");
    assert_eq!(
        (&tasks["count"], &tasks["tasks"][0]["events"][2]["text"]),
        (&3.into(), &"halfway".into())
    );
    let types = value(&page, "regions")["types"].clone();
    assert_eq!((&types[0]["name"], &types[0]["times"]["max"]), (&"parse".into(), &50_000.into()));
    let pc = &types[0]["pc"];
    assert_eq!(value(&page, &format!("region?name=parse&pc={pc}"))["count"], 3);
    assert_eq!(value(&page, "mmu")["windows"][0]["minimum"], 1.0);
    assert_eq!(
        value(&page, "diff")["rows"][0]["execution"][0],
        value(&page, "diff")["rows"][0]["execution"][1]
    );
    for missing in
        ["goroutine?fn=x", "task?type=x", "region?name=x", "why?goroutine=77", "pprof?kind=x"]
    {
        assert_eq!(settled(&page, &format!("/ui/api/trace/{missing}")).status, 400, "{missing}");
    }
}

#[test]
fn the_chain_of_a_wait_goes_through_who_woke_it() {
    let page = page("why", trace(3));
    let start = 2 * SECOND - SECOND;
    let query = format!("why?goroutine=2&from={start}&to={}", start + 104 * US);
    let why = value(&page, &query);
    let links: Vec<_> = why["links"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| format!("{} {} {}", l["goroutine"], l["state"].as_str().unwrap(), l["nanos"]))
        .collect();
    assert_eq!(
        links,
        ["1 running 70000", "2 waiting 0", "2 runnable 30000", "2 running 4000"],
        "{why}"
    );
    assert_eq!(value(&page, "why?task=3")["links"][0]["function"], "main.main");
}

#[test]
fn waits_are_profiles_to_look_at_and_to_keep() {
    let page = page("waits", trace(3));
    let profile = page.get("/ui/api/trace/pprof?kind=sync&within=main.%3Cb%3Eworker%3C/b%3E");
    assert!(profile.header("Content-Disposition").starts_with("attachment"));
    let profile = oxprof_profile::decode(&profile.body).unwrap();
    let values: Vec<_> = profile.samples.iter().map(|s| s.values.to_vec()).collect();
    assert_eq!(values, [[3, 180_000]]);
    assert_eq!(page.get("/ui/api/trace/profile?kind=sync").status, 405);
    let id = loop {
        let reply = page.ask("POST", "/ui/api/trace/profile?kind=sync", &[], b"");
        if reply.status == 200 {
            break reply.text();
        }
    };
    let top = page.get(&format!("/ui/api/top?si=delay&profile={id}")).text();
    assert!(top.contains(r#""name":"main.receive","flat":180000"#), "{top}");
    let foreign = page.ask(
        "POST",
        "/ui/api/trace/profile?kind=sync",
        &[("Origin", "http://evil.example")],
        b"",
    );
    assert_eq!(foreign.status, 403);
}

const HELPERS: &str = "window.span = () => Number(param('to')) - Number(param('from'));";

fn open(browser: &mut Browser, page: &Page, path: &str) {
    crate::page::open(browser, page, path);
    browser.eval(HELPERS);
    browser.wait_for("performance.getEntriesByName('oxprof-shown').length");
}

const VIEWS: [&str; 10] = [
    "timeline",
    "timeline?by=goroutine&from=999990000&to=1000110000",
    "goroutines",
    "goroutines?fn=main.main",
    "latency",
    "tasks",
    "tasks?type=request",
    "regions",
    "mmu",
    "compare",
];

#[test]
fn every_view_of_a_trace_is_laid_out_on_every_screen() {
    let Some(mut browser) = Browser::launch() else { return };
    let page = page("layout-trace", trace(2));
    for (theme, width, height) in [("light", 1280, 800), ("dark", 390, 844)] {
        browser.resize(width, height);
        browser.prefer("prefers-color-scheme", theme);
        for (i, view) in VIEWS.iter().enumerate() {
            open(&mut browser, &page, view);
            check_layout(&mut browser, view);
            keep_screenshot(&mut browser, &format!("trace-{i}-{theme}-{width}"));
            assert_eq!(browser.errors(), Vec::<String>::new(), "{view}");
            // Names are text.
            assert_eq!(browser.eval("document.querySelectorAll('#view b b, td b').length"), 0);
        }
    }
}

#[test]
fn from_a_slow_task_to_what_it_waited_for_in_the_timeline() {
    let Some(mut browser) = Browser::launch() else { return };
    let page = page("way", trace(2));
    open(&mut browser, &page, "tasks?type=request");
    browser.eval("[...document.querySelectorAll('.plain')].find(b => b.textContent.startsWith('Why')).click()");
    browser.wait_for("text('dialog').includes('1 main.main')");
    browser.eval("document.querySelector('dialog .button').click()");
    browser
        .wait_for("location.pathname === '/ui/timeline' && text('.tools').includes('every event')");
    browser.eval("history.back()");
    browser.wait_for("text('.cards').includes('region parse ends after 50.0 µs')");
    browser.key("3");
    browser.wait_for("text('.table').includes('chan receive')");
    browser.eval("[...document.querySelectorAll('.choice')][1].click()");
    browser.wait_for("document.querySelector('.popup')");
    browser.key("Enter");
    browser.wait_for(
        "location.pathname === '/ui/flamegraph' && document.querySelector('.tools .dim')",
    );
    assert_eq!(browser.errors(), Vec::<String>::new());
}

#[test]
fn a_timeline_is_explored_by_keys() {
    let Some(mut browser) = Browser::launch() else { return };
    let page = page("keys", trace(2));
    open(&mut browser, &page, "timeline?by=goroutine&from=999990000&to=1000110000");
    browser.wait_for("text('.tools').includes('every event')");
    browser.key("ArrowDown");
    browser.wait_for("said().startsWith('running')");
    browser.key("ArrowDown");
    browser.wait_for("said().includes('2 main.<b>worker</b>')");
    browser.key("ArrowRight");
    browser.wait_for("said().startsWith('waiting (chan receive), 60.0 µs')");
    assert_eq!(browser.eval("document.querySelectorAll('.detail b').length"), 0);
    browser.wait_for("text('.stack').startsWith('main.receive:9')");
    browser.wait_for("text('.detail dl').includes('woken bygoroutine 1')");
    browser.key("ArrowRight");
    browser.wait_for("said().startsWith('runnable, 30.0 µs')");
    browser.key("f");
    browser.wait_for("said().includes('1 main.main')");
    browser.key("ArrowDown");
    browser.key("Enter");
    browser.wait_for("span() < 200000");
    browser.key("Escape");
    browser.wait_for("said() === ''");
    browser.key("Escape");
    browser.wait_for("param('to') === null");
    browser.key("+");
    browser.wait_for("span() > 0");
    browser.key("p");
    browser.wait_for("param('by') === 'proc'");
    assert_eq!(browser.errors(), Vec::<String>::new());
}

#[test]
fn a_timeline_is_explored_by_mouse_and_fingers() {
    let Some(mut browser) = Browser::launch() else { return };
    let page = page("mouse", trace(2));
    open(&mut browser, &page, "timeline");
    let (x, y) = browser.middle(".chart");
    browser.wheel(x, y, -400.0);
    browser.wait_for("span() > 0 && span() < 9e8");
    let before = browser.eval("param('from')");
    browser.drag((x, y), (x - 200.0, y));
    browser.wait_for(&format!("Number(param('from')) > {}", before.as_str().unwrap()));
    let span = browser.eval("span()");
    browser.enable_touch();
    browser.gesture(&[((x - 50.0, y), (x - 200.0, y)), ((x + 50.0, y), (x + 200.0, y))]);
    browser.wait_for(&format!("span() < {span} / 2"));
    assert_eq!(browser.errors(), Vec::<String>::new());
}
