//! A browser for tests of pages: starts Chromium without a window and drives it by its DevTools protocol.
//!
//! ```no_run
//! let Some(mut browser) = oxprof_browser::Browser::launch() else { return };
//! browser.navigate("http://127.0.0.1:8080/");
//! browser.wait_for("document.querySelector('#graph') !== null");
//! browser.click(100.0, 50.0);
//! assert_eq!(browser.eval("document.title"), "oxprof");
//! assert_eq!(browser.errors(), Vec::<String>::new());
//! std::fs::write("page.png", browser.screenshot()).unwrap();
//! ```
//!
//! It is for tests: what goes wrong panics, and says at which step. Only the missing browser is no failure:
//! [`Browser::launch`] then prints that the test is skipped.

#![forbid(unsafe_code)]

mod devtools;
mod input;
mod process;
mod socket;

use std::fmt::Display;
use std::time::{Duration, Instant};

use base64::Engine;
use serde_json::{Value, json};

use devtools::Session;
use process::Process;

pub use input::{ALT, CONTROL, META, Point, SHIFT};

/// How long a page may take for anything a test waits for; the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running browser with one page; it ends when this is dropped.
#[derive(Debug)]
pub struct Browser {
    session: Session,
    // After the session: the connection closes before the process ends.
    _process: Process,
}

impl Browser {
    /// Starts the browser with an empty page of 1280 × 800. `None`, and a line on standard error that says so,
    /// where there is no Chromium: it is looked for in `$OXPROF_CHROMIUM` and under its usual names in `$PATH`.
    #[must_use]
    pub fn launch() -> Option<Self> {
        let Some(program) = process::find() else {
            eprintln!("skipped: no Chromium in $OXPROF_CHROMIUM or $PATH");
            return None;
        };
        let process = Process::start(&program);
        let session = Session::open(&process.address());
        let mut browser = Self { session, _process: process };
        for domain in ["Page", "Runtime", "Log"] {
            browser.command(&format!("{domain}.enable"), json!({}));
        }
        browser.resize(1280, 800);
        Some(browser)
    }

    /// Opens `url` and waits until it is loaded.
    pub fn navigate(&mut self, url: &str) {
        self.session.loaded = false;
        let answer = self.command("Page.navigate", json!({ "url": url }));
        assert!(answer.get("errorText").is_none(), "cannot open {url}: {}", answer["errorText"]);
        self.session.wait_until_loaded(PATIENCE);
    }

    /// The value of an expression of JavaScript; promises are awaited.
    pub fn eval(&mut self, expression: &str) -> Value {
        let parameters =
            json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let mut answer = self.command("Runtime.evaluate", parameters);
        if let Some(thrown) = answer.get("exceptionDetails") {
            panic!("{expression} throws {}", devtools::exception(thrown));
        }
        answer["result"]["value"].take()
    }

    /// Waits until an expression is true.
    pub fn wait_for(&mut self, condition: &str) {
        let start = Instant::now();
        while self.eval(&format!("Boolean({condition})")) != true {
            assert!(
                start.elapsed() < PATIENCE,
                "{condition} is still false; {:?}",
                self.session.errors
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The middle of the first element that a CSS selector finds, as the functions of the mouse take it.
    pub fn middle(&mut self, selector: &str) -> Point {
        let quoted = Value::from(selector);
        let middle = self.eval(&format!(
            "(() => {{ const e = document.querySelector({quoted}); if (!e) return null; \
             const r = e.getBoundingClientRect(); \
             return [r.x + r.width / 2, r.y + r.height / 2]; }})()"
        ));
        assert!(middle.is_array(), "no element is {selector}");
        (number(&middle[0]), number(&middle[1]))
    }

    /// Makes the page as large as a window of this size.
    pub fn resize(&mut self, width: u32, height: u32) {
        let parameters =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.command("Emulation.setDeviceMetricsOverride", parameters);
    }

    /// Sets what media queries ask for, such as `("prefers-color-scheme", "dark")`.
    pub fn prefer(&mut self, feature: &str, value: impl Display) {
        let features = json!([{ "name": feature, "value": value.to_string() }]);
        self.command("Emulation.setEmulatedMedia", json!({ "features": features }));
    }

    /// What one sees, as PNG.
    pub fn screenshot(&mut self) -> Vec<u8> {
        let answer = self.command("Page.captureScreenshot", json!({ "format": "png" }));
        let data = answer["data"].as_str().expect("a screenshot has data");
        base64::engine::general_purpose::STANDARD.decode(data).expect("a screenshot is base64")
    }

    /// Takes the errors that the page has reported since the last call: exceptions, `console.error`, and
    /// what the browser logs as an error, such as a file that cannot be loaded.
    pub fn errors(&mut self) -> Vec<String> {
        // Events come before the answer to a command that is sent later.
        self.eval("0");
        std::mem::take(&mut self.session.errors)
    }

    /// Sends any command of the protocol and returns its result.
    pub fn command(&mut self, method: &str, parameters: Value) -> Value {
        self.session.command(method, parameters)
    }
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is not a number"))
}
