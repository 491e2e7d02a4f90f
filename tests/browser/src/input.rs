//! What a person does with keyboard, mouse and fingers.

use serde_json::json;

use crate::Browser;

/// A place on the page: pixels from its top left corner to the right, and down.
pub type Point = (f64, f64);

/// Modifier keys, to be added up.
pub const ALT: u32 = 1;
/// See [`ALT`].
pub const CONTROL: u32 = 2;
/// See [`ALT`].
pub const META: u32 = 4;
/// See [`ALT`].
pub const SHIFT: u32 = 8;

/// Steps of a movement: scripts see it on its way, not only its end.
const STEPS: u32 = 8;

impl Browser {
    /// Presses and releases a key by its DOM name: `a`, `/`, `Enter`, `Escape`, `ArrowDown`.
    pub fn key(&mut self, key: &str) {
        self.key_with(0, key);
    }

    /// Presses and releases a key while modifier keys are held.
    pub fn key_with(&mut self, modifiers: u32, key: &str) {
        let code = key_code(key);
        let mut event = json!({
            "type": "keyDown", "key": key, "code": code_name(key), "modifiers": modifiers,
            "windowsVirtualKeyCode": code, "nativeVirtualKeyCode": code,
        });
        let types = modifiers & (ALT | CONTROL | META) == 0;
        match key {
            "Enter" if types => event["text"] = "\r".into(),
            key if types && key.chars().count() == 1 => event["text"] = key.into(),
            _ => {}
        }
        self.command("Input.dispatchKeyEvent", event.clone());
        event["type"] = "keyUp".into();
        if let Some(event) = event.as_object_mut() {
            event.remove("text");
        }
        self.command("Input.dispatchKeyEvent", event);
    }

    /// Types text, key by key.
    pub fn type_text(&mut self, text: &str) {
        let mut buffer = [0; 4];
        for c in text.chars() {
            self.key(c.encode_utf8(&mut buffer));
        }
    }

    /// Moves the mouse.
    pub fn move_to(&mut self, x: f64, y: f64) {
        self.mouse("mouseMoved", x, y, "none", 0);
    }

    /// Clicks the left button.
    pub fn click(&mut self, x: f64, y: f64) {
        self.click_times(x, y, 1);
    }

    /// Clicks the left button twice.
    pub fn double_click(&mut self, x: f64, y: f64) {
        self.click_times(x, y, 1);
        self.click_times(x, y, 2);
    }

    /// Clicks the right button.
    pub fn right_click(&mut self, x: f64, y: f64) {
        self.move_to(x, y);
        self.mouse("mousePressed", x, y, "right", 1);
        self.mouse("mouseReleased", x, y, "right", 1);
    }

    /// Drags with the left button.
    pub fn drag(&mut self, from: Point, to: Point) {
        self.move_to(from.0, from.1);
        self.mouse("mousePressed", from.0, from.1, "left", 1);
        for (x, y) in path(from, to) {
            self.mouse("mouseMoved", x, y, "left", 0);
        }
        self.mouse("mouseReleased", to.0, to.1, "left", 1);
    }

    /// Turns the wheel by so many pixels: down is positive.
    pub fn wheel(&mut self, x: f64, y: f64, down: f64) {
        let event = json!({ "type": "mouseWheel", "x": x, "y": y, "deltaX": 0, "deltaY": down });
        self.command("Input.dispatchMouseEvent", event);
    }

    /// Makes the page believe that the screen can be touched.
    pub fn enable_touch(&mut self) {
        let parameters = json!({ "enabled": true, "maxTouchPoints": 2 });
        self.command("Emulation.setTouchEmulationEnabled", parameters);
    }

    /// Touches with a finger and lets go.
    pub fn tap(&mut self, x: f64, y: f64) {
        self.gesture(&[((x, y), (x, y))]);
    }

    /// Moves one finger or several together, each from one place to another.
    pub fn gesture(&mut self, fingers: &[(Point, Point)]) {
        let starts: Vec<_> = fingers.iter().map(|(from, _)| *from).collect();
        self.touch("touchStart", &starts);
        let paths: Vec<Vec<_>> =
            fingers.iter().map(|(from, to)| path(*from, *to).collect()).collect();
        for step in 0..STEPS as usize {
            if fingers.iter().any(|(from, to)| from != to) {
                let points: Vec<_> = paths.iter().map(|path| path[step]).collect();
                self.touch("touchMove", &points);
            }
        }
        self.touch("touchEnd", &[]);
    }

    fn click_times(&mut self, x: f64, y: f64, times: u32) {
        self.move_to(x, y);
        self.mouse("mousePressed", x, y, "left", times);
        self.mouse("mouseReleased", x, y, "left", times);
    }

    fn mouse(&mut self, kind: &str, x: f64, y: f64, button: &str, clicks: u32) {
        let held = u32::from(button == "left" && kind != "mouseReleased");
        let event = json!({
            "type": kind, "x": x, "y": y, "button": button, "buttons": held, "clickCount": clicks,
        });
        self.command("Input.dispatchMouseEvent", event);
    }

    fn touch(&mut self, kind: &str, points: &[Point]) {
        let point = |(id, (x, y)): (usize, &Point)| json!({ "x": x, "y": y, "id": id });
        let points: Vec<_> = points.iter().enumerate().map(point).collect();
        self.command("Input.dispatchTouchEvent", json!({ "type": kind, "touchPoints": points }));
    }
}

fn path(from: Point, to: Point) -> impl Iterator<Item = Point> {
    (1..=STEPS).map(move |step| {
        let part = f64::from(step) / f64::from(STEPS);
        (from.0 + (to.0 - from.0) * part, from.1 + (to.1 - from.1) * part)
    })
}

/// The number that old scripts and the browser's own shortcuts know a key by.
fn key_code(key: &str) -> u32 {
    match key {
        "Backspace" => 8,
        "Tab" => 9,
        "Enter" => 13,
        "Escape" => 27,
        " " => 32,
        "PageUp" => 33,
        "PageDown" => 34,
        "End" => 35,
        "Home" => 36,
        "ArrowLeft" => 37,
        "ArrowUp" => 38,
        "ArrowRight" => 39,
        "ArrowDown" => 40,
        "Delete" => 46,
        key => match key.as_bytes() {
            [letter] if letter.is_ascii_alphanumeric() => u32::from(letter.to_ascii_uppercase()),
            _ => 0,
        },
    }
}

/// The key's place on the keyboard, as scripts see it.
fn code_name(key: &str) -> String {
    match key.as_bytes() {
        [letter] if letter.is_ascii_alphabetic() => {
            format!("Key{}", char::from(letter.to_ascii_uppercase()))
        }
        [digit] if digit.is_ascii_digit() => format!("Digit{}", char::from(*digit)),
        b" " => "Space".to_owned(),
        b"/" => "Slash".to_owned(),
        _ => key.to_owned(),
    }
}
