use oxprof_profile::*;
use oxprof_report::*;
use std::io::Write;
use std::sync::Arc;
fn main() {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let file = args.pop().unwrap();
    let mut p = decode(&std::fs::read(&file).unwrap()).unwrap();
    if !p.drop_frames.is_empty() {
        let drop = Regexp::new(&format!("^({})$", p.str(p.drop_frames))).unwrap();
        let keep = (!p.keep_frames.is_empty())
            .then(|| Regexp::new(&format!("^({})$", p.str(p.keep_frames))).unwrap());
        p.drop_frames(&|n| drop.is_match(n) && !keep.as_ref().is_some_and(|k| k.is_match(n)));
    }
    if p.mappings.is_empty() {
        p.mappings.push(Mapping { id: 1, ..Default::default() });
        for l in &mut p.locations {
            l.mapping = Some(MappingIdx(0));
        }
    }
    let mut format = None;
    let mut gran = String::new();
    let mut noinlines = false;
    let mut cols = false;
    let mut o = ReportOptions::new(
        Format::Top,
        ValueSelector { index: p.sample_types.len() - 1, mean: false },
        0,
    );
    let d = p.str(p.default_sample_type).to_owned();
    let find = |p: &Profile, n: &str| p.sample_types.iter().position(|t| p.str(t.kind) == n);
    if let Some(i) = find(&p, &d) {
        o.value.index = i;
    }
    let mut nodecount: i64 = -1;
    let mut trim = true;
    for a in args {
        let a = a.trim_start_matches('-');
        let (k, v) = a.split_once('=').unwrap_or((a, "true"));
        match k {
            "symbolize" => {}
            "top" | "text" => format = Some(Format::Top),
            "tree" => format = Some(Format::Tree),
            "dot" => format = Some(Format::Dot),
            "traces" => format = Some(Format::Traces),
            "tags" => format = Some(Format::Tags),
            "raw" => format = Some(Format::Raw),
            "comments" => format = Some(Format::Comments),
            "callgrind" => format = Some(Format::Callgrind),
            "topproto" => format = Some(Format::TopProto),
            "folded" => format = Some(Format::Folded),
            "speedscope" => format = Some(Format::Speedscope),
            "firefox" => format = Some(Format::Firefox),
            "markdown" => format = Some(Format::Markdown),
            "peek" | "list" => {
                format = Some(if k == "peek" { Format::Peek } else { Format::List });
                let re = Regexp::new(v).unwrap();
                o.pattern =
                    Some(Pattern { text: v.into(), matches: Arc::new(move |s| re.is_match(s)) });
            }
            "json" => o.encoding = Encoding::Json,
            "csv" => o.encoding = Encoding::Csv,
            "cum" => o.sort = Sort::Cum,
            "flat" => o.sort = Sort::Flat,
            "nodecount" => nodecount = v.parse().unwrap(),
            "nodefraction" => o.node_fraction = v.parse().unwrap(),
            "edgefraction" => o.edge_fraction = v.parse().unwrap(),
            "unit" => o.unit = v.into(),
            "divide_by" => o.divide_by = v.parse().unwrap(),
            "mean" => o.value.mean = v == "true",
            "call_tree" => o.call_tree = v == "true",
            "drop_negative" => o.drop_negative = v == "true",
            "compact_labels" => o.compact_labels = v == "true",
            "noinlines" => noinlines = true,
            "showcolumns" => cols = true,
            "trim" => trim = v == "true",
            "sample_index" => o.value.index = find(&p, v).unwrap_or_else(|| v.parse().unwrap()),
            "functions" | "lines" | "files" | "filefunctions" | "addresses" => gran = k.into(),
            _ => {
                eprintln!("unknown {a}");
                std::process::exit(9);
            }
        }
    }
    let f = format.unwrap();
    o.format = f;
    if gran.is_empty() {
        gran = "functions".into();
    }
    match f {
        Format::List => {
            gran = "lines".into();
            trim = false;
        }
        Format::Peek => trim = false,
        Format::Raw | Format::Callgrind => {
            gran = "addresses".into();
            trim = false;
        }
        _ => {}
    }
    if !trim {
        o.node_fraction = 0.0;
        o.edge_fraction = 0.0;
        nodecount = 0;
    }
    if nodecount == -1 {
        nodecount = if matches!(f, Format::Top | Format::TopProto) { 0 } else { 80 };
    }
    o.node_count = nodecount.max(0) as usize;
    let (name, fname, line, addr) = match gran.as_str() {
        "functions" => (true, false, false, false),
        "filefunctions" => (true, true, false, false),
        "files" => (false, true, false, false),
        "lines" => (true, true, true, false),
        _ => (true, true, true, true),
    };
    if noinlines {
        for l in &mut p.locations {
            if l.lines.len() > 1 {
                l.lines.start = l.lines.end - 1;
            }
        }
    }
    for fu in &mut p.functions {
        if !name {
            fu.name = StrId::EMPTY;
            fu.system_name = StrId::EMPTY;
        }
        if !fname {
            fu.filename = StrId::EMPTY;
        }
        if !line {
            fu.start_line = 0;
        }
    }
    for l in &mut p.lines {
        if !line {
            l.line = 0;
        }
        if !(line && (cols || addr && !noinlines)) {
            l.column = 0;
        }
    }
    for l in &mut p.locations {
        if !addr {
            l.address = 0;
        }
    }
    o.total = o.value.total(&p);
    let mut units = std::collections::BTreeMap::new();
    for s in p.samples.iter() {
        for l in s.labels {
            if let LabelValue::Num { unit, .. } = l.value {
                let k = p.str(l.key);
                if !unit.is_empty() {
                    units.entry(k.to_owned()).or_insert(p.str(unit).to_owned());
                }
            }
        }
    }
    for s in p.samples.iter() {
        for l in s.labels {
            if let LabelValue::Num { .. } = l.value {
                let k = p.str(l.key);
                units.entry(k.to_owned()).or_insert_with(|| match k {
                    "alignment" | "request" => "bytes".into(),
                    _ => k.to_owned(),
                });
            }
        }
    }
    o.label_units = units;
    o.working_dir = std::env::current_dir().unwrap().display().to_string();
    let mut out = std::io::BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    let read = |path: &str| std::fs::read(path);
    if let Err(e) = Report::new(&p, &o).render(&read, &mut out) {
        out.flush().unwrap();
        eprintln!("pprof: {e}");
        std::process::exit(2);
    }
    out.flush().unwrap();
}
