//! The driver on a page that records what happens to it.

use oxprof_browser::{Browser, CONTROL, SHIFT};

const PAGE: &str = r#"data:text/html,<title>records</title><input id="field" style="width:200px">
<script>
const seen = [];
for (const kind of ["click", "dblclick", "contextmenu", "wheel", "touchend"])
  document.addEventListener(kind, event => seen.push(event.type));
document.addEventListener("keydown", event =>
  seen.push((event.ctrlKey ? "^" : "") + (event.shiftKey ? "+" : "") + event.key));
document.addEventListener("mousemove", event => { if (event.buttons) seen.push("drag"); });
</script>"#;

#[test]
fn drives_a_page() {
    let Some(mut browser) = Browser::launch() else { return };
    browser.navigate(&PAGE.replace('\n', " "));
    assert_eq!(browser.eval("document.title"), "records");
    let (x, y) = browser.middle("#field");
    browser.click(x, y);
    browser.type_text("a/b");
    assert_eq!(browser.eval("field.value"), "a/b");
    browser.key("Backspace");
    assert_eq!(browser.eval("field.value"), "a/");
    browser.key_with(CONTROL | SHIFT, "K");
    browser.double_click(300.0, 300.0);
    browser.right_click(300.0, 300.0);
    browser.wheel(300.0, 300.0, 100.0);
    browser.enable_touch();
    browser.tap(300.0, 300.0);
    browser.wait_for("seen.includes('wheel') && seen.includes('touchend')");
    let seen = browser.eval("seen.join(' ')");
    let seen = seen.as_str().unwrap();
    for expected in ["click a / b Backspace ^+K click click dblclick contextmenu", "touchend"] {
        assert!(seen.contains(expected), "{expected} in {seen}");
    }
    browser.drag((100.0, 200.0), (200.0, 300.0));
    assert!(browser.eval("seen.filter(kind => kind === 'drag').length").as_u64() >= Some(2));
    assert_eq!(browser.errors(), Vec::<String>::new());
}

#[test]
fn reports_errors_and_sizes() {
    let Some(mut browser) = Browser::launch() else { return };
    browser.navigate("data:text/html,<script>console.error('one', 2)</script>");
    browser.eval("setTimeout(() => { throw new Error('three') })");
    browser.eval("new Promise(done => setTimeout(done, 50))");
    let errors = browser.errors();
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert_eq!(errors[0], "one 2");
    assert!(errors[1].starts_with("Error: three"), "{errors:?}");
    browser.resize(400, 300);
    browser.prefer("prefers-color-scheme", "dark");
    assert_eq!(browser.eval("innerWidth"), 400);
    assert_eq!(browser.eval("matchMedia('(prefers-color-scheme: dark)').matches"), true);
    let png = browser.screenshot();
    assert_eq!(&png[1..4], b"PNG");
    assert_eq!(&png[16..24], [0, 0, 1, 144, 0, 0, 1, 44], "400 × 300");
}
