use oxprof_profile::*;
fn main() {
    let a: Vec<usize> = std::env::args().skip(1).take(3).map(|x| x.parse().unwrap()).collect();
    let out = std::env::args().nth(4).unwrap();
    let seed = std::env::args().nth(5).map_or(1u64, |s| s.parse().unwrap());
    let (samples, funcs, depth) = (a[0], a[1], a[2]);
    let mut x = seed.wrapping_mul(0x9E3779B97F4A7C15) | 1;
    let mut rnd = |n: usize| {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        (x >> 11) as usize % n
    };
    let mut p = Profile::default();
    let (s, c, cpu, ns) = (
        p.strings.intern("samples"),
        p.strings.intern("count"),
        p.strings.intern("cpu"),
        p.strings.intern("nanoseconds"),
    );
    p.sample_types = vec![ValueType { kind: s, unit: c }, ValueType { kind: cpu, unit: ns }];
    p.period_type = p.sample_types[1];
    p.period = 10_000_000;
    p.duration_nanos = 30_000_000_000;
    p.time_nanos = 1_700_000_000_000_000_000;
    let f = p.strings.intern("/usr/bin/service");
    p.mappings.push(Mapping {
        id: 1,
        start: 0x400000,
        limit: 0x4000000,
        file: f,
        has_functions: true,
        has_filenames: true,
        has_line_numbers: true,
        ..Default::default()
    });
    for i in 0..funcs {
        let name = p.strings.intern(&format!(
            "example.com/service/pkg{}.(*Server).Process{:05}",
            i % 97,
            i
        ));
        let file = p.strings.intern(&format!("/src/service/pkg{}/file{}.go", i % 97, i % 1000));
        p.functions.push(Function {
            id: i as u64 + 1,
            name,
            system_name: name,
            filename: file,
            start_line: 10,
        });
    }
    for i in 0..funcs * 2 {
        let at = p.lines.len() as u32;
        p.lines.push(Line {
            function: FunctionIdx((i / 2) as u32),
            line: 12 + (i % 2) as i64 * 7,
            column: 0,
        });
        if i % 8 == 0 {
            p.lines.push(Line { function: FunctionIdx(rnd(funcs) as u32), line: 30, column: 0 });
        }
        let end = p.lines.len() as u32;
        p.locations.push(Location {
            id: i as u64 + 1,
            mapping: Some(MappingIdx(0)),
            address: 0x400000 + i as u64 * 16,
            lines: at..end,
            is_folded: false,
        });
    }
    p.samples = Samples::new(2);
    let key = p.strings.intern("handler");
    let vals: Vec<_> = (0..20).map(|i| p.strings.intern(&format!("route{i}"))).collect();
    let nl = p.locations.len();
    let mut stack = Vec::new();
    for _ in 0..samples {
        stack.clear();
        let d = depth / 2 + rnd(depth);
        for k in 0..d {
            // Roots come from few locations, leaves from many.
            let from_root = d - 1 - k;
            let span = (8usize << from_root.min(20)).min(nl);
            let skew = rnd(span).min(rnd(span));
            stack.push(LocationIdx(((skew * 7919 + from_root * 131) % nl) as u32));
        }
        let n = 1 + rnd(4) as i64;
        let l = [Label { key, value: LabelValue::Str(vals[rnd(20)]) }];
        p.samples.push(&[n, n * 10_000_000], &stack, &l[..(rnd(2))]);
    }
    std::fs::write(out, encode_gzip(&p, Compression::Fast)).unwrap();
}
