//! Writes what a browser shows: `screenshot URL OUT.png [SCRIPT]...`, each SCRIPT run before.

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Some(out)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: screenshot URL OUT.png [SCRIPT]...");
        std::process::exit(2);
    };
    let Some(mut browser) = oxprof_browser::Browser::launch() else { return };
    browser.navigate(&url);
    for script in arguments {
        browser.eval(&script);
        browser
            .eval("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))");
    }
    std::fs::write(&out, browser.screenshot()).unwrap_or_else(|error| panic!("{out}: {error}"));
    for error in browser.errors() {
        eprintln!("{error}");
    }
}
