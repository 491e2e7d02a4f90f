//! Pictures and pages in a real browser: what a person does with them.

mod notation;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use notation::profile;
use oxprof_browser::Browser;
use oxprof_profile::Profile;
use oxprof_report::{Format, Report, ReportOptions, ValueSelector};

const CALLS: &str = "
    main;work;hash 3,30000000
    main;work 1,10000000
    main;idle 1,10000000
    main;work;parse;scan 2,20000000
    other;lonely 2,20000000
";

/// A file with what a test looks at, deleted in the end.
struct Page(PathBuf);

impl Drop for Page {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Page {
    fn new(name: &str, content: &[u8]) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("oxprof-{}-{number}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, content).unwrap();
        Self(path)
    }

    fn open(&self) -> Option<Browser> {
        let mut browser = Browser::launch()?;
        browser.navigate(&format!("file://{}", self.0.display()));
        Some(browser)
    }
}

fn options(profile: &Profile, format: Format) -> ReportOptions {
    let value = ValueSelector { index: 1, mean: false };
    ReportOptions::new(format, value, value.total(profile))
}

fn graph() -> Page {
    let profile = profile(CALLS);
    let options = options(&profile, Format::Dot);
    let mut out = Vec::new();
    Report::new(&profile, &options).drawing().picture().write_svg(&mut out).unwrap();
    Page::new("graph.svg", &out)
}

fn flame() -> Page {
    let profile = profile(CALLS);
    let options = options(&profile, Format::FlamePage);
    let mut out = Vec::new();
    let no_files = |_: &str| Err(std::io::ErrorKind::NotFound.into());
    Report::new(&profile, &options).render(&no_files, &mut out).unwrap();
    Page::new("flame.html", &out)
}

/// Functions of the boxes that have a class, by name.
fn boxes(browser: &mut Browser, class: &str) -> String {
    let script = format!(
        "[...document.querySelectorAll('.node.{class}')].map(n => \
         n.querySelector('title').textContent.split(' ')[0]).sort().join(' ')"
    );
    browser.eval(&script).as_str().unwrap().to_owned()
}

/// The middle of a function's box.
fn place(browser: &mut Browser, function: &str) -> (f64, f64) {
    let script = format!(
        "(() => {{ const n = [...document.querySelectorAll('.node')].find(n => \
         n.querySelector('title').textContent.startsWith('{function} ')); \
         const r = n.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; }})()"
    );
    let place = browser.eval(&script);
    (place[0].as_f64().unwrap(), place[1].as_f64().unwrap())
}

fn close(a: (f64, f64), b: (f64, f64)) -> bool {
    (a.0 - b.0).abs() < 2.0 && (a.1 - b.1).abs() < 2.0
}

#[test]
fn a_graph_is_moved_and_zoomed() {
    let Some(mut browser) = graph().open() else { return };
    let before = place(&mut browser, "work");
    browser.drag((20.0, 700.0), (120.0, 650.0));
    let dragged = place(&mut browser, "work");
    assert!(close(dragged, (before.0 + 100.0, before.1 - 50.0)), "{before:?} {dragged:?}");
    // What is below the pointer stays there.
    browser.wheel(dragged.0, dragged.1, -100.0);
    browser.wait_for(
        "!document.querySelector('#viewport').getAttribute('transform').endsWith('scale(1)')",
    );
    assert!(close(place(&mut browser, "work"), dragged));
    browser.key("0");
    assert!(close(place(&mut browser, "work"), before));
    browser.key("ArrowLeft");
    assert!(place(&mut browser, "work").0 > before.0 + 10.0);
    assert_eq!(browser.errors(), [""; 0]);
}

#[test]
fn a_graph_is_moved_with_fingers() {
    let Some(mut browser) = graph().open() else { return };
    browser.enable_touch();
    let before = place(&mut browser, "work");
    browser.gesture(&[((200.0, 600.0), (260.0, 640.0))]);
    let moved = place(&mut browser, "work");
    assert!(close(moved, (before.0 + 60.0, before.1 + 40.0)), "{before:?} {moved:?}");
    let width = "document.querySelector('.node').getBoundingClientRect().width";
    let narrow = browser.eval(width).as_f64().unwrap();
    browser.gesture(&[((300.0, 400.0), (200.0, 400.0)), ((400.0, 400.0), (500.0, 400.0))]);
    let wide = browser.eval(width).as_f64().unwrap();
    assert!(wide > 2.0 * narrow && wide < 4.0 * narrow, "{narrow} {wide}");
    assert_eq!(browser.errors(), [""; 0]);
}

#[test]
fn a_graph_shows_callers_and_callees() {
    let Some(mut browser) = graph().open() else { return };
    let click = |browser: &mut Browser, function| {
        let (x, y) = place(browser, function);
        browser.click(x, y);
    };
    click(&mut browser, "work");
    assert_eq!(boxes(&mut browser, "chosen"), "work");
    assert_eq!(boxes(&mut browser, "dim"), "idle lonely other scan");
    click(&mut browser, "work");
    assert_eq!(boxes(&mut browser, "dim"), "idle lonely other");
    click(&mut browser, "lonely");
    assert_eq!(boxes(&mut browser, "dim"), "hash idle main parse scan work");
    browser.key("Escape");
    assert_eq!(boxes(&mut browser, "dim"), "");
    assert_eq!(browser.errors(), [""; 0]);
}

#[test]
fn a_graph_is_searched() {
    let Some(mut browser) = graph().open() else { return };
    browser.key("/");
    browser.type_text("^(hash|scan)");
    assert_eq!(boxes(&mut browser, "found"), "hash scan");
    browser.key("Enter");
    let first = place(&mut browser, "hash");
    assert!(close(first, (640.0, 400.0)), "{first:?}");
    browser.key("Enter");
    assert!(close(place(&mut browser, "scan"), (640.0, 400.0)));
    assert!(
        browser.eval("document.documentElement.textContent").to_string().contains("2 of 2 found")
    );
    browser.key("Escape");
    assert_eq!(boxes(&mut browser, "found"), "");
    // An expression that is none is taken as text.
    browser.key("/");
    browser.type_text("(ha");
    assert_eq!(boxes(&mut browser, "found"), "");
    assert_eq!(browser.errors(), [""; 0]);
}

fn text(browser: &mut Browser, selector: &str) -> String {
    let text = browser.eval(&format!("document.querySelector('{selector}').textContent"));
    text.as_str().unwrap().to_owned()
}

/// Row `row` of the flame graph, at this share of its width.
fn row(browser: &mut Browser, row: u32, share: f64) -> (f64, f64) {
    let chart = browser.eval(
        "(() => { const r = canvas.getBoundingClientRect(); return [r.x, r.y, r.width]; })()",
    );
    let number = |i: usize| chart[i].as_f64().unwrap();
    (number(0) + number(2) * share, number(1) + 19.0 * f64::from(row) + 9.0)
}

#[test]
fn a_flame_graph_is_zoomed_and_reset() {
    let Some(mut browser) = flame().open() else { return };
    assert_eq!(text(&mut browser, "#details"), "all: 90ms (100.00%)");
    let (x, y) = row(&mut browser, 1, 0.1);
    browser.move_to(x, y);
    assert_eq!(text(&mut browser, "#tip"), "main\n70ms (77.78%)");
    browser.click(x, y);
    assert_eq!(text(&mut browser, "#details"), "main: 70ms (77.78%)");
    // It now spans the whole width, and so does what called it.
    for at in [0, 1] {
        let (x, y) = row(&mut browser, at, 0.98);
        browser.move_to(x, y);
        let expected = ["all", "main"][at as usize];
        assert!(text(&mut browser, "#tip").starts_with(expected));
    }
    let (x, y) = browser.middle("#reset");
    browser.click(x, y);
    assert_eq!(text(&mut browser, "#details"), "all: 90ms (100.00%)");
    let (x, y) = row(&mut browser, 1, 0.98);
    browser.move_to(x, y);
    assert!(text(&mut browser, "#tip").starts_with("other"));
    assert_eq!(browser.errors(), [""; 0]);
}

#[test]
fn a_flame_graph_is_followed_with_keys() {
    let Some(mut browser) = flame().open() else { return };
    for (key, expected) in [
        ("ArrowDown", "main: "),
        ("ArrowRight", "other: "),
        ("ArrowDown", "lonely: 20ms (22.22%), itself 20ms (22.22%)"),
        ("ArrowUp", "other: "),
        ("Enter", "other: "),
        ("Escape", "all: "),
    ] {
        browser.key(key);
        let details = text(&mut browser, "#details");
        assert!(details.starts_with(expected), "{key}: {details}");
    }
    assert_eq!(browser.errors(), [""; 0]);
}

#[test]
fn a_flame_graph_is_searched_in_light_and_dark() {
    let Some(mut browser) = flame().open() else { return };
    browser.key("/");
    browser.type_text("scan|^work");
    assert_eq!(text(&mut browser, "#found"), "2 names, 66.67%");
    let pixel = |browser: &mut Browser| {
        browser
            .eval("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))");
        browser.eval("[...canvas.getContext('2d').getImageData(300, 19 * 2 + 3, 1, 1).data].join()")
    };
    // What is found is violet.
    assert_eq!(pixel(&mut browser), "218,137,245,255");
    browser.key("Escape");
    assert_eq!(text(&mut browser, "#found"), "");
    browser.key("t");
    assert_eq!(browser.eval("document.documentElement.dataset.theme"), "dark");
    assert_ne!(pixel(&mut browser), "218,137,245,255");
    browser.prefer("prefers-color-scheme", "dark");
    assert_eq!(browser.errors(), [""; 0]);
}
