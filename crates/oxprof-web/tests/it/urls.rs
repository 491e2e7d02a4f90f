//! Every URL and every parameter of the original, one by one.

use oxprof_profile::{
    Builder, Function, FunctionIdx, Label, LabelValue, Line, LocationIdx, Mapping, MappingIdx,
    Profile, Symbol,
};

use crate::support::{Page, profile};

/// A profile in which every parameter changes something: two types, labels, columns, a function with two callers,
/// and one that is inlined.
fn rich() -> Profile {
    let mut builder = Builder::new(&[("samples", "count"), ("cpu", "nanoseconds")]);
    let file = builder.profile.strings.intern("/bin/service");
    let mapping =
        builder.mapping(Mapping { start: 0x1000, limit: 0x9000, file, ..Mapping::default() });
    let route = builder.profile.strings.intern("route");
    let stacks: [(&[&str], i64, &str); 4] = [
        (&["main", "serve", "parse", "shared"], 60, "api"),
        (&["main", "render", "shared"], 25, "web"),
        (&["main", "render"], 12, "web"),
        (&["main", "idle"], 3, "web"),
    ];
    for (names, count, label) in stacks {
        let value = LabelValue::Str(builder.profile.strings.intern(label));
        let stack: Vec<LocationIdx> =
            names.iter().rev().map(|n| place(&mut builder, mapping, n)).collect();
        builder.sample(&[count, count * 10_000_000], &stack, &[Label { key: route, value }]);
    }
    let mut profile = builder.finish();
    inline_into_parse(&mut profile);
    profile
}

fn place(builder: &mut Builder, mapping: MappingIdx, name: &str) -> LocationIdx {
    let file = format!("src/{name}.rs");
    let (name, file) = (name.as_bytes(), file.as_bytes());
    let symbol = Symbol { name, system_name: name, file, line: 5, column: 7 };
    builder.symbol(Some(mapping), 0x1000 + name.len() as u64, &symbol)
}

/// Makes the code of `parse` that of `tiny`, inlined into it.
fn inline_into_parse(profile: &mut Profile) {
    let name = profile.strings.intern("tiny");
    let id = profile.functions.len() as u64 + 1;
    profile.functions.push(Function { id, name, system_name: name, ..Function::default() });
    let tiny = Line { function: FunctionIdx::from_index(id as usize - 1), line: 1, column: 1 };
    let is_parse =
        |line: &Line| profile.str(profile.functions[line.function.index()].name) == "parse";
    let parse = *profile.lines.iter().find(|line| is_parse(line)).expect("there is one");
    let function = parse.function;
    let first = profile.lines.len() as u32;
    profile.lines.extend([tiny, parse]);
    for i in 0..profile.locations.len() {
        let lines = profile.locations[i].lines.clone();
        if profile.lines[lines.start as usize].function == function {
            profile.locations[i].lines = first..first + 2;
        }
    }
}

#[test]
fn every_path_leads_where_it_did() {
    let page = Page::of("paths", profile());
    let html = "text/html; charset=utf-8";
    // What is asked for, the status, where it leads to, and what kind of answer it is.
    for (path, status, to, kind) in [
        ("/", 307, "/ui/", ""),
        ("/?f=main", 307, "/ui/?f=main", ""),
        ("/ui", 307, "/ui/", ""),
        ("/ui/", 301, "flamegraph", ""),
        ("/ui/?f=a%2Bb", 301, "flamegraph?f=a%2Bb", ""),
        ("/ui/flamegraph2?f=a%2Bb", 301, "flamegraph?f=a%2Bb", ""),
        ("/ui/flamegraphold?f=x", 301, "flamegraph?f=x", ""),
        ("/ui/flamegraph", 200, "", html),
        ("/ui/graph", 200, "", html),
        ("/ui/top", 200, "", html),
        ("/ui/peek?f=parse", 200, "", html),
        ("/ui/source?f=parse", 200, "", html),
        ("/ui/disasm?f=parse", 200, "", html),
        ("/ui/download", 200, "", "application/vnd.google.protobuf+gzip"),
        ("/ui/saveconfig?config=a", 200, "", "text/plain; charset=utf-8"),
        ("/ui/deleteconfig?config=a", 200, "", "text/plain; charset=utf-8"),
        ("/ui/deleteconfig?config=a", 400, "", "text/plain; charset=utf-8"),
        ("/ui/nothing", 404, "", "text/plain; charset=utf-8"),
        ("/ui/top/", 404, "", "text/plain; charset=utf-8"),
        // As they were before everything was moved below `/ui`.
        ("/flamegraph?x=%20y", 307, "/ui/flamegraph?x=%20y", ""),
        ("/top?f=main", 307, "/ui/top?f=main", ""),
        ("/download", 307, "/ui/download", ""),
        ("/nothing?f=main", 307, "/ui/?f=main", ""),
    ] {
        let reply = page.get(path);
        assert_eq!((reply.status, reply.header("Location")), (status, to), "{path}");
        assert!(kind.is_empty() || reply.header("Content-Type") == kind, "{path}");
    }
}

/// A parameter with a value, a question that it bears on, and how often a text occurs in the answer without it and
/// with it.
type Effect = (&'static str, &'static str, &'static str, &'static str, usize, usize);

const EFFECTS: [Effect; 34] = [
    ("n", "2", "top", r#"{"name""#, 7, 2),
    ("n", "1", "graph", "class=\"node\"", 7, 1),
    ("nf", "0.5", "graph", "<title>idle", 1, 0),
    ("ef", "0.5", "graph", "class=\"edge\"", 7, 4),
    ("trim", "f", "graph?nf=0.5", "<title>idle", 0, 1),
    ("f", "render", "top", "parse", 1, 0),
    ("i", "render", "flame", "render", 1, 0),
    ("h", "serve", "flame", "serve", 1, 0),
    ("s", "parse|main", "flame", "serve", 1, 0),
    ("sf", "serve", "flame", "main", 1, 0),
    ("prunefrom", "^parse$", "flame?f=serve", "shared", 1, 0),
    ("tf", "api", "flame", "render", 1, 0),
    ("ti", "route=web", "flame", "render", 1, 0),
    ("ts", "nothing", "tags", "\"route\"", 1, 0),
    ("th", "route", "tags", "\"route\"", 1, 0),
    ("si", "samples", "top", r#""unit":"count""#, 0, 1),
    ("si", "0", "flame", r#""unit":"count""#, 0, 1),
    ("sort", "cum", "top", r#""rows":[{"name":"main""#, 0, 1),
    ("g", "lines", "top", "src/render.rs:5", 0, 1),
    ("g", "files", "flame", "src/render.rs", 0, 1),
    ("g", "filefunctions", "peek?f=idle", "idle src/idle.rs:5", 1, 0),
    ("unit", "us", "top", r#""units":[[1000.0,"us"]]"#, 0, 1),
    ("unit", "us", "flame", r#""units":[[1000.0,"us"]]"#, 0, 1),
    ("unit", "us", "graph", "<title>idle (30000us)", 0, 1),
    ("rel", "t", "top?f=render", r#""total":370000000"#, 0, 1),
    ("calltree", "t", "graph", "<title>shared", 1, 2),
    ("compact", "t", "top", "Type: cpu", 1, 0),
    ("intel", "t", "disasm?f=main", "intel", 0, 1),
    ("mean", "t", "top", r#""total":10000000,"#, 0, 1),
    ("norm", "t", "overview?base=2", r#""after":1000000000"#, 1, 0),
    ("dropneg", "t", "top?base=2", "gone", 1, 0),
    ("noinlines", "t", "top", "tiny", 1, 0),
    ("showcolumns", "t", "top?g=lines", "src/render.rs:5:7", 0, 1),
    ("p", "parse", "flame", "idle", 1, 0),
];

#[test]
fn every_parameter_does_what_it_did() {
    let page = Page::of("parameters", rich());
    let old =
        crate::support::stacks(&[(&["main", "serve"], 50, "api"), (&["main", "gone"], 10, "api")]);
    let added = page.ask("POST", "/ui/api/upload?name=old", &[], &oxprof_profile::encode(&old));
    assert_eq!(added.text(), "2");
    let mut wrong = Vec::new();
    for (name, value, question, text, without, with) in EFFECTS {
        let joint = if question.contains('?') { '&' } else { '?' };
        let occurs =
            |query: &str| page.get(&format!("/ui/api/{query}")).text().matches(text).count();
        let found = (occurs(question), occurs(&format!("{question}{joint}{name}={value}")));
        if found != (without, with) {
            wrong.push(format!("{name}={value}: {text} in {question} {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Views that the original has.
const PAGES: [&str; 6] = ["flamegraph", "graph", "top", "peek", "source", "disasm"];

#[test]
fn every_page_takes_every_parameter() {
    let page = Page::of("pages", rich());
    for view in PAGES {
        for (name, value, ..) in EFFECTS {
            let reply = page.get(&format!("/ui/{view}?{name}={value}"));
            assert_eq!(reply.status, 200, "{view}?{name}={value}: {}", reply.text());
        }
        let all: Vec<String> =
            EFFECTS.iter().map(|(name, value, ..)| format!("{name}={value}")).collect();
        let link = format!("/ui/{view}?{}&x=y&f=&n=", all.join("&"));
        assert_eq!(page.get(&link).status, 200, "{link}");
    }
}

#[test]
fn values_that_make_no_sense_are_refused_in_the_words_of_the_command_line() {
    let page = Page::of("refusals", rich());
    let missing = "error parsing regexp: missing closing ): `(`";
    let regexps = [
        ("f", "focus"),
        ("i", "ignore"),
        ("h", "hide"),
        ("s", "show"),
        ("sf", "show_from"),
        ("prunefrom", "prune_from"),
        ("tf", "tagfocus"),
        ("ti", "tagignore"),
        ("ts", "tagshow"),
        ("th", "taghide"),
    ];
    let regexps =
        regexps.map(|(short, name)| (short, "(", format!("parsing {name} regexp: {missing}")));
    let bools = [
        ("trim", "trim"),
        ("rel", "relative_percentages"),
        ("calltree", "call_tree"),
        ("compact", "compact_labels"),
        ("intel", "intel_syntax"),
        ("mean", "mean"),
        ("norm", "normalize"),
        ("dropneg", "drop_negative"),
        ("noinlines", "noinlines"),
        ("showcolumns", "showcolumns"),
    ];
    let illegal = "illegal value \"x\" for bool variable";
    let bools = bools.map(|(short, name)| (short, "x", format!("{name}: {illegal}")));
    let floats = [("nf", "nodefraction"), ("ef", "edgefraction")];
    let no_number = "parsing \"x\": invalid syntax";
    let floats = floats
        .map(|(short, name)| (short, "x", format!("{name}: strconv.ParseFloat: {no_number}")));
    let others = [
        ("n", "x", format!("nodecount: strconv.Atoi: {no_number}")),
        ("si", "x", "sample_index \"x\" must be one of: [samples cpu]".to_owned()),
        ("si", "2", "sample_index 2 is outside the range [0..1]".to_owned()),
        ("g", "x", "granularity: invalid \"granularity\" value \"x\"".to_owned()),
        ("sort", "x", "sort: invalid \"sort\" value \"x\"".to_owned()),
    ];
    for (name, value, expected) in regexps.into_iter().chain(bools).chain(floats).chain(others) {
        for view in PAGES.into_iter().chain(["api/top", "api/flame", "api/graph"]) {
            let reply = page.get(&format!("/ui/{view}?{name}={value}"));
            assert_eq!(
                (reply.status, reply.text().trim_end()),
                (400, &*expected),
                "{view}?{name}={value}"
            );
        }
    }
}

#[test]
fn the_profile_is_downloaded_as_it_was_loaded() {
    let page = Page::of("download", profile());
    let reply = page.get("/ui/download?f=render");
    assert_eq!(reply.header("Content-Disposition"), "attachment; filename=\"profile.pb.gz\"");
    assert_eq!(oxprof_profile::decode(&reply.body).unwrap().samples.len(), 5);
}
