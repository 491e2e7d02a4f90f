//! One page's conversation in the DevTools protocol: commands with their answers, and events between them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::socket::Socket;

#[derive(Debug)]
pub(crate) struct Session {
    socket: Socket,
    /// Names the page in each message; empty until there is one.
    id: String,
    commands: u64,
    /// Whether the page has been loaded since this was last made false.
    pub(crate) loaded: bool,
    /// What the page has reported as wrong.
    pub(crate) errors: Vec<String>,
}

impl Session {
    /// Connects to the browser at `address` and opens a page.
    pub(crate) fn open(address: &str) -> Self {
        let socket = Socket::connect(address)
            .unwrap_or_else(|error| panic!("cannot talk to the browser: {error}"));
        let mut session =
            Self { socket, id: String::new(), commands: 0, loaded: false, errors: Vec::new() };
        let page = session.command("Target.createTarget", json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": page["targetId"], "flatten": true });
        let attached = session.command("Target.attachToTarget", attach);
        session.id = attached["sessionId"].as_str().expect("a page has a session").to_owned();
        session
    }

    pub(crate) fn command(&mut self, method: &str, parameters: Value) -> Value {
        self.commands += 1;
        let mut message = json!({ "id": self.commands, "method": method, "params": parameters });
        if !self.id.is_empty() {
            message["sessionId"] = self.id.as_str().into();
        }
        self.socket
            .send(&message.to_string())
            .unwrap_or_else(|error| panic!("{method} cannot be sent: {error}"));
        loop {
            let mut answer = self.receive(method);
            if answer["id"] == self.commands {
                assert!(answer.get("error").is_none(), "{method}: {}", answer["error"]);
                return answer["result"].take();
            }
        }
    }

    pub(crate) fn wait_until_loaded(&mut self, patience: Duration) {
        let start = Instant::now();
        while !self.loaded {
            assert!(start.elapsed() < patience, "the page is not loaded");
            self.receive("loading");
        }
    }

    /// The next message; events leave their trace on the way.
    fn receive(&mut self, waiting_for: &str) -> Value {
        let text = self.socket.receive();
        let text = text.unwrap_or_else(|error| panic!("waiting for {waiting_for}: {error}"));
        let message: Value = serde_json::from_str(&text).expect("the browser sends JSON");
        let parameters = &message["params"];
        match message["method"].as_str() {
            Some("Page.loadEventFired") => self.loaded = true,
            Some("Runtime.exceptionThrown") => {
                self.errors.push(exception(&parameters["exceptionDetails"]));
            }
            Some("Runtime.consoleAPICalled") if parameters["type"] == "error" => {
                self.errors.push(console(&parameters["args"]));
            }
            Some("Log.entryAdded") if parameters["entry"]["level"] == "error" => {
                let entry = &parameters["entry"];
                self.errors.push(format!("{} {}", plain(&entry["text"]), plain(&entry["url"])));
            }
            _ => {}
        }
        message
    }
}

/// What was thrown, with its stack where it has one.
pub(crate) fn exception(details: &Value) -> String {
    let thrown = &details["exception"];
    match thrown["description"].as_str() {
        Some(description) => description.to_owned(),
        None => format!("{} {}", plain(&details["text"]), thrown["value"]),
    }
}

fn console(arguments: &Value) -> String {
    let arguments = arguments.as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |argument: &Value| match argument.get("value") {
        Some(value) => plain(value),
        None => plain(&argument["description"]),
    };
    arguments.iter().map(text).collect::<Vec<_>>().join(" ")
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
