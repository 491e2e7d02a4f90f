//! The page in a browser.

use oxprof_browser::Browser;

use crate::support::{Page, many, profile, stacks};

pub(crate) const VIEWS: [&str; 8] =
    ["overview", "flamegraph", "graph", "top", "peek", "source", "disasm", "tags"];

/// What is there once a view shows something.
pub(crate) fn shown(view: &str) -> &'static str {
    match view {
        "overview" => "document.querySelectorAll('.findings li').length > 1",
        "flamegraph" => "document.querySelector('.tools .dim') && colors() > 3",
        "graph" => "document.querySelectorAll('.picture .node').length > 3",
        "top" => "document.querySelectorAll('.table tbody tr').length > 3",
        "source" => "document.querySelectorAll('.lines .hot').length > 2",
        "disasm" => "document.querySelector('#notes .error')",
        _ => "document.querySelectorAll('.card').length > 0",
    }
}

/// Helpers of the tests, in the page.
const HELPERS: &str = "
window.colors = () => {
  const canvas = document.querySelector('canvas'), seen = new Set();
  if (!canvas || !canvas.width) return 0;
  const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, Math.min(canvas.height, 200)).data;
  for (let i = 0; i < data.length; i += 4 * 7) seen.add(data[i] << 16 | data[i + 1] << 8 | data[i + 2]);
  return seen.size;
};
window.param = name => new URLSearchParams(location.search).get(name);
window.said = () => text('#status');
window.text = selector => document.querySelector(selector)?.textContent || '';
window.box = selector => document.querySelector(selector).getBoundingClientRect();
";

pub(crate) fn open(browser: &mut Browser, page: &Page, path: &str) {
    browser.navigate(&page.url(path));
    browser.eval(HELPERS);
}

#[track_caller]
fn no_errors(browser: &mut Browser) {
    assert_eq!(browser.errors(), Vec::<String>::new());
}

/// Header, view and status lie below each other, fill the window, and nothing sticks out.
#[track_caller]
pub(crate) fn check_layout(browser: &mut Browser, view: &str) {
    let faults = browser.eval(
        "(() => {
          const faults = [], parts = ['#bar', '#view', '#status'].map(s => box(s));
          if (document.documentElement.scrollWidth > innerWidth) faults.push('too wide');
          if (Math.abs(parts[2].bottom - innerHeight) > 1) faults.push('status is not at the bottom');
          parts.slice(1).forEach((p, i) => { if (p.top < parts[i].bottom - 1) faults.push(`part ${i} overlaps`); });
          if (parts[1].height < innerHeight / 3) faults.push('view is small');
          for (const e of document.querySelectorAll('#bar button, #bar a, #bar input, #bar select')) {
            const r = e.getBoundingClientRect();
            if (r.height && r.height < 18) faults.push(`${e.textContent} is low`);
          }
          const shown = [...document.querySelectorAll('.first > *')].filter(e => e.offsetWidth);
          shown.forEach((a, i) => shown.slice(i + 1).forEach(b => {
            const [x, y] = [a.getBoundingClientRect(), b.getBoundingClientRect()];
            if (x.right > y.left + 1 && y.right > x.left + 1 && x.bottom > y.top + 1 && y.bottom > x.top + 1) faults.push(`${a.className} overlaps ${b.className}`);
          }));
          return faults.join(', ');
        })()",
    );
    assert_eq!(faults, "", "{view}");
}

/// Nothing but code is wider than the screen.
#[track_caller]
fn check_width(browser: &mut Browser, view: &str) {
    let wide = browser.eval(
        "[...document.querySelectorAll('.tools, .table, .overview, .cards:not(.code)')]
           .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.className).join()",
    );
    assert_eq!(wide, "", "{view}");
}

/// Pictures go to `$OXPROF_SCREENSHOTS`, for people.
pub(crate) fn keep_screenshot(browser: &mut Browser, name: &str) {
    if let Some(directory) = std::env::var_os("OXPROF_SCREENSHOTS") {
        let path = std::path::Path::new(&directory).join(format!("{name}.png"));
        std::fs::write(path, browser.screenshot()).unwrap();
    }
}

#[test]
fn every_view_is_laid_out_on_every_screen() {
    let Some(mut browser) = Browser::launch() else { return };
    let page = Page::of("layout", profile());
    let themes = [
        ("light", "prefers-color-scheme", "light", "rgb(255, 255, 255)"),
        ("dark", "prefers-color-scheme", "dark", "rgb(20, 22, 26)"),
        ("contrast", "prefers-contrast", "more", "rgb(0, 0, 0)"),
    ];
    for (view, (width, height)) in VIEWS.into_iter().flat_map(|v| SIZES.map(|size| (v, size))) {
        browser.resize(width, height);
        let mut inks = Vec::new();
        for (theme, feature, value, expected) in themes {
            browser.prefer(feature, value);
            open(&mut browser, &page, view);
            browser.wait_for(shown(view));
            browser.wait_for("!document.documentElement.classList.contains('busy')");
            check_layout(&mut browser, view);
            check_width(&mut browser, view);
            keep_screenshot(&mut browser, &format!("{view}-{theme}-{width}"));
            inks.push(ink(&mut browser));
            let paper = browser.eval("getComputedStyle(document.body).backgroundColor");
            assert_eq!(paper, expected);
            // A view that has nothing to show says so, and the browser counts that as an error.
            let errors = browser.errors();
            assert!(view == "disasm" || errors.is_empty(), "{view}: {errors:?}");
        }
        for (other, (theme, ..)) in inks[1..].iter().zip(&themes[1..]) {
            assert_same_ink(&inks[0], other, &format!("{view} of {width} pixels, {theme}"));
        }
    }
}

/// A desk and a phone.
const SIZES: [(u32, u32); 2] = [(1280, 800), (390, 844)];

/// What of a screenshot has something on it: one letter for each part, `#` where not all of it has one colour.
fn ink(browser: &mut Browser) -> Vec<String> {
    let png = browser.command("Page.captureScreenshot", serde_json::json!({ "format": "png" }));
    let png = png["data"].as_str().expect("a screenshot has data");
    let rows = browser.eval(&format!(
        "(async () => {{
          const image = new Image();
          image.src = 'data:image/png;base64,{png}';
          await image.decode();
          const canvas = document.createElement('canvas'), columns = 24, rows = 20;
          canvas.width = image.width;
          canvas.height = image.height;
          const pen = canvas.getContext('2d');
          pen.drawImage(image, 0, 0);
          const w = Math.floor(image.width / columns), h = Math.floor(image.height / rows);
          const mark = (x, y) => {{
            const {{ data }} = pen.getImageData(x * w, y * h, w, h);
            for (let i = 4; i < data.length; i++) if (i % 4 < 3 && Math.abs(data[i] - data[i % 4]) > 24) return '#';
            return '.';
          }};
          return Array.from({{ length: rows }}, (_, y) => Array.from({{ length: columns }}, (_, x) => mark(x, y)).join(''));
        }})()"
    ));
    let rows = rows.as_array().expect("a list of rows");
    rows.iter().map(|row| row.as_str().unwrap_or_default().to_owned()).collect()
}

/// Themes change colours, not places: what is painted in one is painted in the other, which may have more lines.
#[track_caller]
fn assert_same_ink(one: &[String], other: &[String], what: &str) {
    let pairs = one.iter().zip(other).flat_map(|(a, b)| a.bytes().zip(b.bytes()));
    let (all, lost) =
        pairs.fold((0, 0), |(all, n), pair| (all + 1, n + usize::from(pair == (b'#', b'.'))));
    assert!(all > 0 && lost * 20 < all, "{what}: {lost} of {all}\n{one:#?}\n{other:#?}");
}

#[test]
fn everything_that_can_be_used_has_a_name_to_be_read_out() {
    let Some(mut browser) = Browser::launch() else { return };
    let page = Page::of("names", profile());
    for view in VIEWS {
        open(&mut browser, &page, view);
        browser.wait_for(shown(view));
        browser.key("g");
        browser.wait_for("document.activeElement.closest('#filters')");
        let tree = browser.command("Accessibility.getFullAXTree", serde_json::json!({}));
        let nodes = tree["nodes"].as_array().expect("a list of nodes");
        let is = |node: &serde_json::Value, roles: &[&str]| {
            node["ignored"] == false && roles.iter().any(|role| node["role"]["value"] == *role)
        };
        let used: Vec<_> = nodes.iter().filter(|n| is(n, &USED)).collect();
        assert!(used.len() > 20, "{view}: {}", used.len());
        let nameless = |n: &&&serde_json::Value| {
            n["name"]["value"].as_str().is_none_or(|name| name.trim().is_empty())
        };
        let nameless: Vec<_> = used.iter().filter(nameless).collect();
        assert!(nameless.is_empty(), "{view}: {nameless:#?}");
    }
    // What is chosen is said.
    open(&mut browser, &page, "flamegraph");
    browser.wait_for(shown("flamegraph"));
    assert_eq!(
        browser.eval("document.querySelector('#status').getAttribute('aria-live')"),
        "polite"
    );
}

/// Roles of what people use.
const USED: [&str; 9] = [
    "application",
    "button",
    "checkbox",
    "combobox",
    "link",
    "menuitem",
    "radio",
    "searchbox",
    "textbox",
];

#[test]
fn names_stacks_and_links_are_copied() {
    let Some(mut browser) = Browser::launch() else { return };
    let page = Page::of("copy", profile());
    open(&mut browser, &page, "flamegraph");
    browser.wait_for(shown("flamegraph"));
    let permissions = ["clipboardReadWrite", "clipboardSanitizedWrite"];
    browser.command("Browser.grantPermissions", serde_json::json!({ "permissions": permissions }));
    for _ in 0..4 {
        browser.key("ArrowDown");
    }
    browser.wait_for("said().startsWith('parse: ')");
    let url = page.url("flamegraph");
    for (key, what, expected) in [
        ("c", "the name", "parse"),
        ("C", "the stack", "main\nserve\nparse"),
        ("l", "the link", &url),
    ] {
        browser.key(key);
        browser.wait_for(&format!("said() === 'Copied {what}.'"));
        assert_eq!(browser.eval("navigator.clipboard.readText()"), expected);
    }
    no_errors(&mut browser);
}

#[test]
fn files_are_dropped_and_those_that_are_no_profiles_named() {
    let Some(mut browser) = Browser::launch() else { return };
    let page = Page::of("drop", profile());
    open(&mut browser, &page, "flamegraph");
    browser.wait_for(shown("flamegraph"));
    browser.eval(
        "window.drop = (...files) => {
           const data = new DataTransfer();
           files.forEach(([name, text]) => data.items.add(new File([text], name)));
           const event = type => new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true });
           document.body.dispatchEvent(event('dragover'));
           window.over = document.documentElement.classList.contains('dropping');
           document.body.dispatchEvent(event('drop'));
         }",
    );
    browser.eval("drop(['notes.txt', '\\u0000\\u0001 no profile'], ['old.folded', 'main;serve;parse 50\\nmain;gone 10\\n'])");
    assert_eq!(browser.eval("window.over"), true);
    browser.wait_for("text('dialog .picks').includes('old.folded 2 samples')");
    browser.wait_for("text('#notes .error').startsWith('notes.txt: ')");
    assert_eq!(browser.eval("document.documentElement.classList.contains('dropping')"), false);
    // The new one, by keys alone.
    browser.eval("document.querySelectorAll('dialog input[name=profile]')[1].focus()");
    browser.key(" ");
    browser.eval("document.querySelector('dialog .primary').focus()");
    browser.key("Enter");
    browser.wait_for("param('profile') === '2' && text('.tools').includes('60 in all')");
    browser.key("u");
    browser.wait_for("param('profile') === null && text('.tools').includes('1 s in all')");
}

#[test]
fn a_flame_graph_is_explored_by_keys() {
    let Some(mut browser) = Browser::launch() else { return };
    let page = Page::of("keys", profile());
    open(&mut browser, &page, "flamegraph");
    browser.wait_for(shown("flamegraph"));
    let press = |browser: &mut Browser, keys: &[&str]| keys.iter().for_each(|k| browser.key(k));
    // all, main, serve, parse.
    press(&mut browser, &["ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown"]);
    browser.wait_for(
        "said().startsWith('parse: 650 ms (65.0%), itself 400 ms (40.0%), 76.5% of serve')",
    );
    press(&mut browser, &["ArrowRight"]);
    browser.wait_for("said().startsWith('render: ')");
    press(&mut browser, &["Enter"]);
    browser.wait_for("param('z') === '650000000.850000000'");
    press(&mut browser, &["Escape"]);
    browser.wait_for("param('z') === null");
    press(&mut browser, &["u"]);
    browser.wait_for("param('z') === '650000000.850000000'");
    press(&mut browser, &["u"]);
    browser.wait_for("param('z') === null");
    press(&mut browser, &["v"]);
    browser.wait_for(
        "document.querySelectorAll('.tools .choice')[1].getAttribute('aria-pressed') === 'true'",
    );
    press(&mut browser, &["r"]);
    browser.wait_for(
        "document.querySelector('.tools .choice').getAttribute('aria-pressed') === 'true'",
    );
    press(&mut browser, &["ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown"]);
    browser.wait_for("said().startsWith('parse: ')");
    press(&mut browser, &["p"]);
    browser.wait_for(
        "param('p') === '^parse$' && document.querySelectorAll('.tools .choice').length === 3",
    );
    press(&mut browser, &["Escape"]);
    browser.wait_for("param('p') === null");
    press(&mut browser, &["?"]);
    browser.wait_for("document.querySelector('dialog[open]')");
    press(&mut browser, &["Escape"]);
    browser.wait_for("!document.querySelector('dialog')");
    for (i, view) in VIEWS.iter().enumerate() {
        press(&mut browser, &[&(i + 1).to_string()]);
        browser.wait_for(&format!("location.pathname === '/ui/{view}'"));
        browser.wait_for(shown(view));
    }
    let errors: Vec<String> = browser.errors();
    assert!(errors.iter().all(|e| e.contains("disasm")), "{errors:?}");
}

#[test]
fn a_page_is_there_before_its_profile() {
    let Some(mut browser) = Browser::launch() else { return };
    let (page, app) = Page::without_profile("early");
    open(&mut browser, &page, "flamegraph");
    browser.wait_for("text('#view .wait').startsWith('Reading the profile')");
    check_layout(&mut browser, "flamegraph");
    // Another view can be chosen meanwhile.
    browser.key("4");
    browser.wait_for("location.pathname === '/ui/top'");
    app.show(oxprof_web::Loaded { profile: profile(), remarks: Vec::new() });
    browser.wait_for(shown("top"));
    browser.key("2");
    browser.wait_for(shown("flamegraph"));
    no_errors(&mut browser);
}

/// Keeps pages from asking for flame graphs of all samples until `release()`.
const HOLD: &str = "
const ask = window.fetch, held = new Promise(done => { window.release = done; });
window.fetch = async (url, how) => {
  const whole = /api.flame/.test(url) && !/draft/.test(url);
  if (whole) await held;
  return ask(url, how);
};
";

#[test]
fn a_first_picture_gives_way_to_the_whole() {
    let Some(mut browser) = Browser::launch() else { return };
    let page = Page::of("first", many());
    let hold = serde_json::json!({ "source": HOLD });
    browser.command("Page.addScriptToEvaluateOnNewDocument", hold);
    let is_draft = |is: bool| {
        format!("document.querySelector('.chart')?.getAttribute('aria-busy') === '{is}'")
    };
    open(&mut browser, &page, "flamegraph");
    browser.wait_for(&is_draft(true));
    browser.wait_for("said().includes('one sample in 4') && text('.tools').includes('counting')");
    // all, main, a.
    for _ in 0..3 {
        browser.key("ArrowDown");
    }
    browser.wait_for("said().startsWith('a: about ') && said().includes('66.7% of main')");
    browser.key("Enter");
    browser.wait_for("param('z') !== null");
    let top = browser.eval("box('canvas').top").as_f64().unwrap();
    browser.move_to(300.0, top + 30.0);
    browser.wait_for("text('.tip').startsWith('mainabout ')");
    browser.key("/");
    browser.type_text("^b$");
    browser.wait_for("text('.search output') === '1 · 77.8%'");
    keep_screenshot(&mut browser, "draft");
    browser.eval("release()");
    browser.wait_for(&is_draft(false));
    // Where `a` is in the whole: behind `b`, and narrower.
    let z = "2293760000000.2949120000000";
    browser.wait_for(&format!("param('z') === '{z}' && param('q') === '^b$'"));
    browser.wait_for("said().startsWith('a: ') && said().includes('22.2% of main')");
    assert_eq!(
        browser.eval("/about|counting/.test(said() + text('.tip') + text('.tools'))"),
        false
    );
    browser.eval("history.back()");
    browser.wait_for("param('z') === null && param('q') === null");
    // An address that leads somewhere leads there, whatever is seen first.
    open(&mut browser, &page, &format!("flamegraph?z={z}"));
    browser.wait_for(&is_draft(true));
    browser.eval("release()");
    browser.wait_for(&is_draft(false));
    assert_eq!(browser.eval("param('z')"), z);
    // Other views do not mind what comes late.
    open(&mut browser, &page, "flamegraph");
    browser.wait_for(&is_draft(true));
    browser.key("4");
    browser.wait_for("document.querySelectorAll('.table tbody tr').length === 3");
    browser.eval("release()");
    browser.wait_for("!document.documentElement.classList.contains('busy')");
    assert_eq!(browser.eval("said()"), "");
    no_errors(&mut browser);
}

#[test]
fn frames_are_chosen_by_mouse_and_touch() {
    let Some(mut browser) = Browser::launch() else { return };
    let page = Page::of("mouse", profile());
    open(&mut browser, &page, "flamegraph");
    browser.wait_for(shown("flamegraph"));
    let top = browser.eval("box('canvas').top").as_f64().unwrap();
    // The third row: serve, and idle to the right of it.
    browser.move_to(100.0, top + 50.0);
    browser.wait_for("text('.tip').startsWith('serve')");
    browser.right_click(100.0, top + 50.0);
    browser.wait_for("document.querySelectorAll('.popup [role=menuitem]').length > 8");
    keep_screenshot(&mut browser, "menu");
    browser.key("i");
    browser.wait_for("param('i') === '^serve$' && text('.chip').includes('ignore')");
    browser.wait_for("text('.tools').includes('150 ms in all')");
    browser.eval("document.querySelector('.chip .remove').click()");
    browser.wait_for("param('i') === null && text('.tools').includes('1 s in all')");
    browser.click(100.0, top + 50.0);
    browser.wait_for("param('z') === '0.850000000'");
    browser.wait_for("!document.documentElement.classList.contains('busy')");
    browser.key("Home");
    browser.wait_for("param('z') === null");
    browser.enable_touch();
    browser.gesture(&[
        ((300.0, top + 60.0), (100.0, top + 60.0)),
        ((500.0, top + 60.0), (900.0, top + 60.0)),
    ]);
    browser.wait_for("param('z') !== null");
    browser.tap(400.0, top + 50.0);
    browser.wait_for("said().startsWith('serve: ')");
    no_errors(&mut browser);
}

#[test]
fn filters_show_their_results_at_once_and_can_be_taken_back() {
    let Some(mut browser) = Browser::launch() else { return };
    let page = Page::of("filters", profile());
    open(&mut browser, &page, "top");
    browser.wait_for(shown("top"));
    browser.key("g");
    browser.wait_for("document.activeElement.closest('#filters')");
    browser.type_text("render");
    browser.wait_for("param('f') === 'render'");
    browser.wait_for("document.querySelectorAll('.table tbody tr').length === 3");
    browser.key("Escape");
    browser.key("u");
    browser
        .wait_for("param('f') === null && document.querySelectorAll('.table tbody tr').length > 5");
    // A mistake is shown, and the rows stay.
    browser.key("g");
    browser.key("g");
    browser.eval("document.querySelector('#filters input').focus()");
    browser.eval("document.querySelector('#filters input').value = ''");
    browser.type_text("(");
    browser.wait_for("text('#notes .error').includes('missing closing')");
    browser.key("Backspace");
    browser.wait_for("!document.querySelector('#notes .error')");
    browser.key("Escape");
    // Other values, other numbers.
    browser.eval("document.querySelector('.first select').value = 'samples'; document.querySelector('.first select').dispatchEvent(new Event('change'))");
    browser.wait_for("param('si') === 'samples' && text('.table td') === '40'");
    // Sorted by name.
    browser.eval("[...document.querySelectorAll('th button')].pop().click()");
    browser.wait_for("text('td.name').startsWith('<img')");
    browser.key("n");
    browser.wait_for("param('si') === 'cpu'");
}

#[test]
fn search_finds_marks_and_counts() {
    let Some(mut browser) = Browser::launch() else { return };
    let page = Page::of("find", profile());
    open(&mut browser, &page, "flamegraph");
    browser.wait_for(shown("flamegraph"));
    browser.key("/");
    browser.type_text("parse|idle");
    browser.wait_for("text('.search output') === '2 · 75.0%'");
    browser.wait_for("document.querySelectorAll('#found button').length === 2");
    keep_screenshot(&mut browser, "search");
    browser.key("ArrowDown");
    browser.key("Enter");
    browser.wait_for("param('p') === '^parse$'");
    no_errors(&mut browser);
}

#[test]
fn names_stay_text() {
    let Some(mut browser) = Browser::launch() else { return };
    let page = Page::of("text", profile());
    for view in VIEWS {
        open(&mut browser, &page, &format!("{view}?f=%3Cimg"));
        browser.wait_for("!document.documentElement.classList.contains('busy')");
        assert_eq!(browser.eval("document.querySelectorAll('img').length"), 0, "{view}");
    }
    open(&mut browser, &page, "top?f=%3Cimg");
    browser.wait_for("text('td.name') === '<img src=x onerror=alert(1)>'");
}

#[test]
fn profiles_are_added_compared_and_configurations_kept() {
    let Some(mut browser) = Browser::launch() else { return };
    let page = Page::of("added", profile());
    open(&mut browser, &page, "flamegraph");
    browser.wait_for(shown("flamegraph"));
    browser.eval(
        "const data = new DataTransfer(); data.setData('text/plain', 'main;serve;parse 50\\nmain;gone 10\\n');
         dispatchEvent(new ClipboardEvent('paste', { clipboardData: data }))",
    );
    browser.wait_for("document.querySelector('dialog .picks')");
    keep_screenshot(&mut browser, "compare");
    browser.eval("document.querySelectorAll('dialog input[name=base]')[1].click()");
    browser.eval("document.querySelector('dialog .primary').click()");
    browser.wait_for("param('base') !== null && document.querySelector('.tools .key')");
    browser.eval("[...document.querySelectorAll('.tools .choice')].find(b => b.textContent === 'Absolute').click()");
    browser.wait_for("param('dm') === 'abs'");
    browser.key("/");
    browser.type_text("^gone");
    browser.key("Enter");
    browser.wait_for("param('p') === '^gone'");
    browser.key("Escape");
    browser.wait_for(
        "param('p') === null && document.querySelectorAll('.tools .choice').length === 4",
    );
    // all, main, serve, idle, gone.
    for key in ["ArrowDown", "ArrowDown", "ArrowDown", "ArrowRight", "ArrowRight"] {
        browser.key(key);
    }
    browser.wait_for("said() === 'gone: gone, 10 → 0 (−10, −16.7% of the base)'");
    browser.key("4");
    browser.wait_for("text('.table th').startsWith('Own before')");
    browser.wait_for("text('.table').includes('gone')");
    keep_screenshot(&mut browser, "top-compared");
    // A configuration by name.
    open(&mut browser, &page, "top?f=parse");
    browser.wait_for("document.querySelectorAll('.chip').length === 1 && document.querySelector('.table tbody tr')");
    browser.eval("[...document.querySelectorAll('.doors .tool')].find(b => b.textContent === 'Config').click()");
    browser.wait_for("document.querySelector('.popup')");
    browser.key("Enter");
    browser.wait_for("document.querySelector('dialog form')");
    browser.type_text("mine");
    browser.key("Enter");
    browser.wait_for("said() === 'Saved mine.'");
    assert!(page.get("/ui/api/about").text().contains(r#""name":"mine""#));
    no_errors(&mut browser);
}

#[test]
fn a_file_that_changes_is_shown_again() {
    let Some(mut browser) = Browser::launch() else { return };
    let page = Page::of("reload", profile());
    open(&mut browser, &page, "top");
    browser.wait_for(shown("top"));
    // The page has learnt how the file is before that changes.
    browser.wait_for(
        "performance.getEntriesByType('resource').some(e => e.name.endsWith('api/stamp') && e.responseEnd)",
    );
    page.touch();
    browser.wait_for("text('.table').includes('reloaded')");
    no_errors(&mut browser);
}

#[test]
fn hostile_names_and_depths_are_shown() {
    let Some(mut browser) = Browser::launch() else { return };
    let long = "x".repeat(1 << 20);
    let names = [
        "</script><script>alert(1)</script>",
        "a\u{0}b\u{1b}[31m\u{202e}evil",
        &long,
        "\u{feff}",
        "  ",
    ];
    let deep: Vec<String> = (0..10_000).map(|i| format!("deep{}", i % 7)).collect();
    let deep: Vec<&str> = deep.iter().map(String::as_str).collect();
    let mut all: Vec<(&[&str], i64, &str)> = vec![(&deep, 10, "<b>")];
    let one: Vec<[&str; 1]> = names.iter().map(|name| [*name]).collect();
    all.extend(one.iter().map(|name| (name.as_slice(), 5, "\"'><script>")));
    let page = Page::of("hostile", stacks(&all));
    for view in VIEWS {
        open(&mut browser, &page, view);
        browser.wait_for(&format!(
            "({}) || document.querySelector('.cards, .overview')?.childElementCount",
            shown(view)
        ));
        let begun = std::time::Instant::now();
        assert_eq!(
            browser.eval("document.querySelectorAll('#view script, #view img').length"),
            0,
            "{view}"
        );
        check_layout(&mut browser, view);
        check_width(&mut browser, view);
        browser.key("ArrowDown");
        browser
            .eval("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))");
        // Generous: unoptimised, and a busy machine. A page that hangs takes longer than any time.
        assert!(
            begun.elapsed() < std::time::Duration::from_secs(30),
            "{view} took {:?}",
            begun.elapsed()
        );
        keep_screenshot(&mut browser, &format!("hostile-{view}"));
    }
    open(&mut browser, &page, "flamegraph");
    browser.wait_for("document.querySelector('.tools .dim')");
    for _ in 0..30 {
        browser.key("PageDown");
    }
    browser.wait_for("colors() > 2");
}
