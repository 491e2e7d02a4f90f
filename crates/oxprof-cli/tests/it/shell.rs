//! The shell, driven through a pseudo-terminal as a person drives it, and through a pipe.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::support::{OXPROF, PPROF, Place, Ran};

const PATIENCE: Duration = Duration::from_secs(20);
const PROMPT: &str = "(oxprof) ";

/// The shell at a terminal.
struct Session {
    child: Child,
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    /// What the screen showed since the last [`expect`](Self::expect).
    seen: String,
}

impl Session {
    fn start(place: &Place, environment: &[(&str, &str)], profile: &str) -> Self {
        let terminal = nix::pty::openpty(None, None).unwrap();
        let end = || Stdio::from(terminal.slave.try_clone().unwrap());
        let child = place
            .command(OXPROF)
            .env("TERM", "xterm")
            .env("PATH", "/usr/bin:/bin")
            .envs(environment.iter().copied())
            .arg(profile)
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .unwrap();
        drop(terminal.slave);
        let keyboard = File::from(terminal.master);
        let mut output = keyboard.try_clone().unwrap();
        let (show, screen) = mpsc::channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = output.read(&mut buffer) {
                if show.send(buffer[..n].to_vec()).is_err() {
                    break;
                }
            }
        });
        let mut session = Self { child, keyboard, screen, seen: String::new() };
        session.expect(PROMPT);
        session
    }

    fn on_profile(place: &Place) -> Self {
        Self::start(place, &[], "cpu.folded")
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until the screen shows `text`; returns what it showed up to there.
    #[track_caller]
    fn expect(&mut self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.seen.find(text) {
                let rest = self.seen.split_off(at + text.len());
                return std::mem::replace(&mut self.seen, rest);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.screen.recv_timeout(left) {
                Ok(bytes) => self.seen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(RecvTimeoutError::Timeout) => panic!("no {text:?} in {:?}", self.seen),
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("ended without {text:?}: {:?}", self.seen)
                }
            }
        }
    }

    /// Types a line and returns what it led to.
    #[track_caller]
    fn line(&mut self, line: &str) -> String {
        self.press(&format!("{line}\r"));
        // The first prompt to come is the one that the line itself is redrawn behind.
        self.expect("\n");
        self.expect(PROMPT)
    }

    /// Leaves; returns the exit code.
    fn leave(mut self, keys: &str) -> Option<i32> {
        self.press(keys);
        self.child.wait().unwrap().code()
    }
}

#[test]
fn people_are_greeted_and_may_leave() {
    let place = Place::with_profile();
    for keys in ["quit\r", "q\r", "exit\r", "\x04"] {
        assert_eq!(Session::on_profile(&place).leave(keys), Some(0));
    }
}

#[test]
fn reports_show_up() {
    let place = Place::with_profile();
    let mut session = Session::on_profile(&place);
    assert!(session.line("top1").contains("30 75.00% 75.00%         30 75.00%  parse"));
    assert!(
        session.line("o").contains("nodecount                 = -1                   //: default")
    );
    assert!(session.line("help top").contains("Usage: top [n]"));
}

#[test]
fn tab_completes_commands_options_and_functions() {
    let place = Place::with_profile();
    let mut session = Session::on_profile(&place);
    session.press("trac\t");
    session.expect("traces");
    session.press("\x15nodec\t");
    session.expect("nodecount=");
    session.press("\x15peek par\t");
    session.expect("peek parse");
    session.press("\x15top > cpu.f\t");
    session.expect("top > cpu.folded");
    // Several candidates are listed.
    session.press("\x15file\t\t");
    session.expect("filefunctions");
}

#[test]
fn lines_are_remembered_from_session_to_session() {
    let place = Place::with_profile();
    let mut first = Session::on_profile(&place);
    first.line("top 1 main");
    assert_eq!(first.leave("quit\r"), Some(0));
    let mut second = Session::on_profile(&place);
    second.press("\x1b[A\x1b[A");
    second.expect("top 1 main");
}

#[test]
fn errors_are_red_only_where_colours_are_wanted() {
    let place = Place::with_profile();
    let mut plain = Session::start(&place, &[("NO_COLOR", "1")], "cpu.folded");
    let said = plain.line("foo");
    assert!(
        said.contains("unrecognized command: \"foo\"") && !said.contains("\x1b[31m"),
        "{said:?}"
    );
    let mut colored = Session::on_profile(&place);
    let said = colored.line("foo");
    assert!(said.contains("\x1b[31munrecognized command: \"foo\"\x1b[0m"), "{said:?}");
}

#[test]
fn reports_go_into_files_and_commands() {
    let place = Place::with_profile();
    let mut session = Session::on_profile(&place);
    assert!(session.line("top >'a file'").contains("Generating report in a file"));
    let table = place.read("a file");
    assert!(table.contains("parse") && !table.contains('\x1b'), "{table}");
    session.line("top | tr a-z A-Z > upper");
    assert_eq!(place.read("upper"), table.to_uppercase());
    // A command that does not read it all is no failure.
    assert!(!session.line("top | true").contains("pipe"));
}

#[test]
fn an_interrupt_at_the_prompt_drops_the_line() {
    let place = Place::with_profile();
    let mut session = Session::on_profile(&place);
    session.press("nonsense\x03");
    session.expect("Type \"quit\" or press ^D to leave.");
    session.expect(PROMPT);
    assert!(session.line("top1").contains("parse"));
    assert_eq!(session.leave("\x04"), Some(0));
}

#[test]
fn an_interrupt_stops_a_report_and_not_the_shell() {
    let place = Place::new();
    // More text than a pipe holds.
    let stacks = (0..500).map(|i| format!("main;{}{i} 1\n", "f".repeat(1000)));
    place.write("big.folded", stacks.collect::<String>());
    let mut session = Session::start(&place, &[], "big.folded");
    session.press("traces | (touch started; sleep 1; cat >rest)\r");
    let deadline = Instant::now() + PATIENCE;
    while !place.path().join("started").exists() {
        assert!(Instant::now() < deadline, "the command did not start");
        thread::sleep(Duration::from_millis(10));
    }
    let pid = i32::try_from(session.child.id()).unwrap();
    kill(Pid::from_raw(pid), Signal::SIGINT).unwrap();
    session.expect("interrupted");
    session.expect(PROMPT);
    assert!(place.read("rest").len() < 500 * 1000);
    assert_eq!(session.leave("quit\r"), Some(0));
}

/// What the shell makes of lines that are piped in.
fn piped(program: &str, lines: &str) -> Ran {
    let place = Place::with_profile();
    let mut child = place
        .command(program)
        .arg("cpu.folded")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    Ran::from(child.wait_with_output().unwrap())
}

#[test]
fn lines_may_come_from_a_pipe() {
    let ran = piped(PPROF, "top1\nfoo\ntop 1 -cum\n");
    assert_eq!(ran.code, Some(0));
    assert!(!ran.out.contains("(pprof)"), "no prompt where nobody sees it: {}", ran.out);
    assert!(ran.out.contains("parse") && ran.out.contains("main"), "{}", ran.out);
    assert!(ran.err.contains("Entering interactive mode"), "{}", ran.err);
    assert!(ran.err.ends_with("unrecognized command: \"foo\"\n"), "{}", ran.err);
}

#[test]
fn settings_last_but_filters_of_a_report_do_not() {
    let ran = piped(PPROF, "top parse\ntop\nfocus=print\ntop\n:\ntop\n");
    let shown: Vec<_> = ran.out.matches("Showing nodes accounting for 40, 100%").collect();
    assert_eq!(shown.len(), 2, "{}", ran.out);
    assert!(
        ran.out.contains("accounting for 30, 75.00%")
            && ran.out.contains("accounting for 10, 25.00%")
    );
}
