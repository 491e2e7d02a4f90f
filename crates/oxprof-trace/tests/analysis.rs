//! What is computed from traces, compared with the pages of Go's tool.

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use oxprof_trace::mutator::{Curve, GcWork, Utilization};
use oxprof_trace::{Options, Summarizer, Summary, for_each};
use support::go_traces;

const STRICT: Options = Options { strict: true, max_generation: 1 << 30 };

/// Go's tool, serving its pages about a trace.
struct Pages {
    server: Child,
    address: String,
}

impl Pages {
    fn open(file: &Path) -> Self {
        // The tool opens a browser; this one does nothing.
        // `go tool` would run the tool as a child, which could not be ended.
        let tool = Command::new("go").args(["tool", "-n", "trace"]).output().unwrap();
        let tool = String::from_utf8(tool.stdout).unwrap();
        let mut command = Command::new(tool.trim());
        command.args(["-http=127.0.0.1:0"]).arg(file).env("BROWSER", "true");
        let mut server = command.stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(server.stderr.take().unwrap());
        let lines = stderr.lines().map(Result::unwrap);
        let address =
            lines.filter_map(|l| Some(l.split_once("listening on http://")?.1.to_owned())).next();
        Self { server, address: address.unwrap() }
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).unwrap();
        page
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn summary(bytes: &[u8]) -> Summary {
    let mut summarizer = Summarizer::default();
    for_each(bytes, STRICT, |event, tables| summarizer.event(event, tables)).unwrap();
    summarizer.finish()
}

/// Nanoseconds of a duration as Go prints it.
fn nanos(text: &str) -> i64 {
    let units = [("ns", 1.0), ("µs", 1e3), ("ms", 1e6), ("s", 1e9)];
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap();
    let (minutes, rest) =
        text.split_once('m').filter(|(_, rest)| !rest.starts_with('s')).unwrap_or(("0", text));
    let split = split.min(rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap());
    let unit = units.iter().find(|(unit, _)| *unit == &rest[split..]).unwrap().1;
    let seconds = minutes.parse::<f64>().unwrap() * 60e9;
    (seconds + rest[..split].parse::<f64>().unwrap() * unit).round() as i64
}

/// Text of the cells of the table's rows that have a link with `link` in it.
fn rows(page: &str, link: &str) -> Vec<Vec<String>> {
    let cell = |cell: &str| {
        let mut text = String::new();
        let mut depth = 0;
        for c in cell.chars() {
            match c {
                '<' => depth += 1,
                '>' => depth -= 1,
                c if depth == 0 => text.push(c),
                _ => {}
            }
        }
        text.replace("&lt;", "<").replace("&gt;", ">").replace("&#34;", "\"").trim().to_owned()
    };
    let cells = |row: &str| row.split("<td").skip(1).map(|c| cell(&format!("<td{c}"))).collect();
    page.split("<tr>").filter(|row| row.contains(link)).map(cells).collect()
}

fn escaped(text: &str) -> String {
    text.bytes().map(|b| format!("%{b:02x}")).collect()
}

fn check_groups(pages: &Pages, ours: &Summary) {
    let theirs: BTreeMap<_, _> = rows(&pages.get("/goroutines"), "/goroutine?name=")
        .into_iter()
        .map(|row| (row[0].clone(), (row[1].parse::<u64>().unwrap(), nanos(&row[2]))))
        .collect();
    let name = |id| match ours.names.get(id) {
        "" => "(Inactive, no stack trace sampled)".to_owned(),
        name => name.to_owned(),
    };
    let groups = ours.groups();
    let ours: BTreeMap<_, _> =
        groups.iter().map(|g| (name(g.name), (g.count, g.stats.exec))).collect();
    assert_eq!(ours, theirs);
}

/// Every time of every goroutine of a group.
fn check_group(pages: &Pages, ours: &Summary, name: &str) {
    let page = pages.get(&format!("/goroutine?name={}", escaped(name)));
    let page =
        page.split("id=\"breakdown\"").nth(1).unwrap().split("id=\"ranges\"").next().unwrap();
    let heads = page
        .split("<th")
        .skip(1)
        .map(|th| th.split_once("> ").map_or("", |(_, rest)| rest.split("</th>").next().unwrap()));
    let heads: Vec<_> = heads.filter(|head| head.contains("time")).collect();
    let rows = rows(page, "/trace?goid=");
    assert!(!rows.is_empty(), "{name}");
    for row in rows {
        let go = ours.goroutines.iter().find(|go| go.id.to_string() == row[0]).unwrap();
        // Of a goroutine that the trace leaves in a system call without a processor, Go's tool counts the
        // time since it lost that twice: in the call, and waiting for a processor.
        let states = go.stats.states(&ours.names);
        if go.ended.is_none() && go.stats.syscall_block > 0 {
            continue;
        }
        assert_eq!(nanos(&row[1]), go.stats.total, "total of {}", go.id);
        assert_eq!(states.iter().map(|(_, n)| n).sum::<i64>(), go.stats.total);
        for (head, cell) in heads.iter().zip(&row[3..]) {
            let ours = states.iter().find(|(state, _)| state == head).map_or(0, |(_, n)| *n);
            assert_eq!(nanos(cell), ours, "{head} of {} ({name})", go.id);
        }
    }
}

#[test]
fn goroutines_tasks_and_regions() {
    for file in go_traces() {
        let ours = summary(&std::fs::read(file).unwrap());
        let pages = Pages::open(file);
        check_groups(&pages, &ours);
        for group in ours.groups().iter().take(12).filter(|g| !g.name.is_empty()) {
            check_group(&pages, &ours, ours.names.get(group.name));
        }
        let count = |page, link| {
            rows(&pages.get(page), link)
                .into_iter()
                .map(|row| (row[0].clone(), row[1].parse::<usize>().unwrap()))
                .collect::<Vec<_>>()
        };
        let mut tasks = BTreeMap::new();
        ours.tasks
            .iter()
            .for_each(|task| *tasks.entry(ours.names.get(task.name).to_owned()).or_insert(0) += 1);
        assert_eq!(
            count("/usertasks", "href=\"/usertask?type=").into_iter().collect::<BTreeMap<_, _>>(),
            tasks
        );
        let theirs: usize =
            count("/userregions", "href=\"/userregion?type=").iter().map(|(_, n)| n).sum();
        assert_eq!(theirs, ours.regions.len());
    }
}

/// The points of a JSON array of pairs.
fn pairs(json: &str) -> Vec<(i64, f64)> {
    let curve = json.split("\"curve\":[[").nth(1).unwrap().split("]]").next().unwrap();
    let pair = |pair: &str| {
        let (window, value) = pair.split_once(',').unwrap();
        (window.parse::<f64>().unwrap() as i64, value.parse().unwrap())
    };
    curve.split("],[").map(pair).collect()
}

fn curve(bytes: &[u8], work: GcWork) -> Curve {
    let mut utilization = Utilization::new(work);
    for_each(bytes, STRICT, |event, tables| utilization.event(event, tables)).unwrap();
    utilization.finish().unwrap()
}

/// Our minima and Go's, by window.
fn minima(pages: &Pages, bytes: &[u8], flags: &str, work: GcWork) -> Vec<(i64, f64, f64)> {
    let curve = curve(bytes, work);
    let page = pages.get(&format!("/mmu?mode=plot&flags={}", flags.replace('|', "%7c")));
    let both = |(window, theirs)| (window, curve.minimum(window), theirs);
    pairs(&page).into_iter().map(both).collect()
}

/// Background workers are left out: Go's tool counts one that runs a second time twice, and from then on
/// sees no utilisation at all (tests/scripted.rs has them).
#[test]
fn minimum_mutator_utilisation() {
    for file in go_traces() {
        if !file.ends_with("gc.trace") && !file.ends_with("mix.trace") {
            continue;
        }
        let bytes = std::fs::read(file).unwrap();
        let pages = Pages::open(file);
        let work = GcWork { background: false, ..GcWork::default() };
        for (flags, work) in [
            ("stw|assist", work),
            ("stw|assist|sweep", GcWork { sweep: true, ..work }),
            ("perProc|stw|assist", GcWork { per_proc: true, ..work }),
        ] {
            for (window, ours, theirs) in minima(&pages, &bytes, flags, work) {
                assert!((ours - theirs).abs() < 1e-6, "{flags} {window}: {ours}, Go has {theirs}");
            }
        }
    }
}
