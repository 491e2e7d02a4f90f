//! The page by the keyboard alone.

use oxprof_browser::{Browser, SHIFT};

use crate::page::{VIEWS, open, shown};
use crate::support::{Page, profile};

/// What has the focus, and whether that can be seen; empty for nothing.
const HELPERS: &str = "
window.label = e => (e.getAttribute('aria-label') || e.textContent.trim() || e.closest('label')?.textContent.trim() || e.tagName).slice(0, 60);
window.here = () => {
  const e = document.activeElement;
  if (!e || e === document.body) return '';
  window.walked ||= new Set();
  walked.add(e);
  const holder = e.classList.contains('unseen') ? e.parentElement : e, box = holder.getBoundingClientRect();
  const style = getComputedStyle(holder);
  const item = e.getAttribute('role') === 'menuitem' && style.backgroundColor !== 'rgba(0, 0, 0, 0)';
  const marked = e.classList.contains('chosen') || item || style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
  const seen = box.width > 0 && box.height > 0 && box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth;
  return `${marked ? '' : '(no mark) '}${seen ? '' : '(out of sight) '}${label(e)}`;
};
window.missed = (root = document) => [...root.querySelectorAll('a[href], button, input, select, [tabindex=\"0\"]')]
  .filter(e => e.getClientRects().length && !e.disabled && !walked.has(e))
  .filter(e => e.type !== 'radio' || ![...walked].some(other => other.name === e.name))
  .map(label).join(', ');
";

/// Presses a key until the focus has been everywhere that it leads to; gives where it was.
fn walk(browser: &mut Browser, back: bool) -> Vec<String> {
    browser.eval("window.walked = new Set()");
    let begun = browser.eval("here()").as_str().unwrap_or_default().to_owned();
    let mut way = vec![begun];
    loop {
        browser.key_with(if back { SHIFT } else { 0 }, "Tab");
        let known = browser.eval("walked.size");
        let name = browser.eval("here()").as_str().unwrap_or_default().to_owned();
        let again = browser.eval("walked.size") == known;
        assert!(way.len() < 400, "no end: {way:?}");
        if !name.is_empty() {
            if again {
                return way;
            }
            way.push(name);
        }
    }
}

/// Goes with Tab to what is called so.
fn go_to(browser: &mut Browser, name: &str) {
    for _ in 0..100 {
        if browser.eval("label(document.activeElement)") == name {
            return;
        }
        browser.key("Tab");
    }
    panic!("Tab does not lead to {name}");
}

fn start(browser: &mut Browser, page: &Page, path: &str) {
    open(browser, page, path);
    browser.eval(HELPERS);
    let view = path.split('?').next().unwrap_or_default();
    browser.wait_for(shown(view));
    browser.wait_for("!document.documentElement.classList.contains('busy')");
}

fn has_focus(name: &str) -> String {
    format!("label(document.activeElement) === '{name}'")
}

#[test]
fn every_control_is_reached_and_seen_to_be() {
    let Some(mut browser) = Browser::launch() else { return };
    let page = Page::of("walk", profile());
    for (width, view) in VIEWS.into_iter().map(|view| (1280, view)).chain([(390, "flamegraph")]) {
        browser.resize(width, 800);
        start(&mut browser, &page, &format!("{view}?i=nothing&h=nothing"));
        browser.key("g");
        browser.wait_for("document.activeElement.closest('#filters')");
        let forth = walk(&mut browser, false);
        assert_eq!(browser.eval("missed()"), "", "{view}: {forth:?}");
        let back = walk(&mut browser, true);
        assert_eq!(browser.eval("missed()"), "", "{view}, backwards: {back:?}");
        let faults: Vec<_> =
            forth.iter().chain(&back).filter(|name| name.starts_with('(')).collect();
        assert!(faults.is_empty(), "{view}: {faults:?}");
        assert!(forth.len() > 40 && forth.len() == back.len(), "{view}: {forth:?} {back:?}");
    }
}

#[test]
fn menus_are_walked_and_left() {
    let Some(mut browser) = Browser::launch() else { return };
    let page = Page::of("menus", profile());
    assert_eq!(page.get("/ui/saveconfig?config=mine&f=parse").status, 200);
    start(&mut browser, &page, "flamegraph");
    let doors = [
        ("Named configurations", " "),
        ("Save this view (e)", "Enter"),
        ("Light, dark, high contrast (t)", "Enter"),
    ];
    for (door, key) in doors {
        go_to(&mut browser, door);
        browser.key(key);
        browser.wait_for("document.activeElement.role === 'menuitem'");
        browser.eval("window.walked = new Set()");
        let items =
            browser.eval("document.querySelectorAll('[role=menuitem]').length").as_u64().unwrap();
        for _ in 0..items {
            let name = browser.eval("here()");
            assert!(!name.as_str().unwrap_or("(").starts_with('('), "{door}: {name}");
            browser.key("ArrowDown");
        }
        assert_eq!(browser.eval("walked.size").as_u64(), Some(items), "{door}");
        browser.wait_for("document.activeElement === document.querySelector('[role=menuitem]')");
        browser.key("End");
        browser.wait_for(
            "document.activeElement === [...document.querySelectorAll('[role=menuitem]')].pop()",
        );
        browser.key("Escape");
        browser.wait_for(&format!("!document.querySelector('.popup') && {}", has_focus(door)));
    }
    // The configuration is deleted by a key, too.
    go_to(&mut browser, "Named configurations");
    browser.key("Enter");
    browser.key("End");
    browser.wait_for(&has_focus("mine"));
    browser.key("Delete");
    browser.wait_for("said() === 'Deleted mine.'");
    // Menus of names open where the name is.
    start(&mut browser, &page, "source");
    go_to(&mut browser, "parse");
    let below = browser.eval("document.activeElement.getBoundingClientRect().bottom");
    browser.key("Enter");
    browser.wait_for("document.querySelector('.popup')");
    assert_eq!(browser.eval("box('.popup').top"), below);
    browser.key("k");
    browser.wait_for("location.pathname === '/ui/peek'");
}

#[test]
fn windows_keep_the_focus_until_they_are_closed() {
    let Some(mut browser) = Browser::launch() else { return };
    let page = Page::of("windows", profile());
    start(&mut browser, &page, "flamegraph");
    for (door, least) in
        [("service", 2), ("Compare with another profile (x)", 5), ("Keys and help (?)", 1)]
    {
        go_to(&mut browser, door);
        browser.key("Enter");
        browser
            .wait_for("document.querySelector('dialog[open]')?.contains(document.activeElement)");
        let way = walk(&mut browser, false);
        assert!(
            way.len() >= least && !way.iter().any(|name| name.starts_with('(')),
            "{door}: {way:?}"
        );
        assert_eq!(browser.eval("missed(document.querySelector('dialog'))"), "", "{door}: {way:?}");
        assert_eq!(
            browser.eval("[...walked].every(e => e.closest('dialog'))"),
            true,
            "{door}: {way:?}"
        );
        browser.key("Escape");
        browser.wait_for(&format!("!document.querySelector('dialog') && {}", has_focus(door)));
    }
}

#[test]
fn the_focus_stays_where_something_was_done() {
    let Some(mut browser) = Browser::launch() else { return };
    let page = Page::of("stays", profile());
    start(&mut browser, &page, "flamegraph?i=nothing&h=nothing");
    // A choice that is drawn anew.
    go_to(&mut browser, "From the leaves");
    browser.key(" ");
    browser.wait_for(
        "param('dir') === 'out' && document.activeElement.getAttribute('aria-pressed') === 'true'",
    );
    // Filters that are taken away, one after the other.
    go_to(&mut browser, "Remove hide");
    browser.key("Enter");
    browser.wait_for("param('h') === null && document.activeElement.closest('#chips')");
    go_to(&mut browser, "Remove ignore");
    browser.key("Enter");
    browser.wait_for("param('i') === null && document.activeElement.closest('#view')");
    // Rows are sorted anew, and walked.
    start(&mut browser, &page, "top");
    go_to(&mut browser, "Function");
    browser.key("Enter");
    browser.wait_for("param('col') === '5'");
    browser.wait_for(&has_focus("Function ▴"));
    browser.key("Escape");
    go_to(&mut browser, "Functions by weight");
    browser.key("ArrowDown");
    browser.key("ArrowDown");
    browser.wait_for("said().endsWith('row 2 of 7')");
    browser.key("m");
    browser.wait_for("document.activeElement.role === 'menuitem'");
    browser.key("Escape");
    browser.wait_for(&has_focus("Functions by weight"));
    browser.key("Enter");
    browser.wait_for("param('p') !== null && location.pathname === '/ui/flamegraph'");
    // What was found is walked, and does not stay in the way.
    browser.key("/");
    browser.type_text("parse");
    browser.wait_for("document.querySelector('#found button')");
    browser.key("ArrowDown");
    browser.wait_for("document.activeElement.closest('#found')");
    browser.key("Escape");
    browser.wait_for("document.activeElement.type === 'search'");
    go_to(&mut browser, "Filters and options (g)");
    assert_eq!(browser.eval("document.querySelector('#found').hidden"), true);
}

#[test]
fn boxes_of_the_graph_are_found_wherever_they_are() {
    let Some(mut browser) = Browser::launch() else { return };
    let page = Page::of("boxes", profile());
    start(&mut browser, &page, "graph");
    for _ in 0..12 {
        browser.key("+");
    }
    let seen = "(() => {
        const [e, f] = [document.activeElement, document.querySelector('.picture')].map(e => e.getBoundingClientRect());
        return e.right > f.left && e.left < f.right && e.bottom > f.top && e.top < f.bottom;
      })()";
    for _ in 0..5 {
        browser.key("Tab");
        assert_eq!(browser.eval("document.activeElement.matches('.node.chosen')"), true);
        assert_eq!(browser.eval(seen), true, "{}", browser.eval("said()"));
        assert_eq!(browser.eval("document.querySelector('.picture').scrollTop"), 0);
    }
    browser.key(" ");
    browser.wait_for("param('p') !== null && location.pathname === '/ui/flamegraph'");
}
