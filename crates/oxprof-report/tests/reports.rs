//! Every report on profiles small enough to be checked by eye. `UPDATE_EXPECT=1 cargo test` rewrites the
//! expectations; what Go's pprof prints decides whether they are right.

mod notation;

use std::io;
use std::sync::Arc;

use expect_test::{Expect, expect};
use notation::{profile, profile_of};
use oxprof_profile::{Profile, decode};
use oxprof_report::{
    Encoding, Format, Pattern, Report, ReportError, ReportOptions, Sort, ValueSelector,
};

const CALLS: &str = "
    main;work;hash 3,30000000
    main;work 1,10000000
    main;idle 1,10000000
    main;work;parse>hash 2,20000000
";

fn options(profile: &Profile, format: Format) -> ReportOptions {
    let value = ValueSelector { index: profile.sample_types.len() - 1, mean: false };
    let mut options = ReportOptions::new(format, value, value.total(profile));
    options.label_units = [("bytes".to_owned(), "bytes".to_owned())].into();
    options
}

fn files(path: &str) -> io::Result<Vec<u8>> {
    match path {
        "/src/a.c" => Ok((1..=20).map(|n| format!("line {n}\n")).collect::<String>().into()),
        _ => Err(io::ErrorKind::NotFound.into()),
    }
}

fn try_render(profile: &Profile, options: &ReportOptions) -> Result<String, ReportError> {
    let mut out = Vec::new();
    Report::new(profile, options).render(&files, &mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

fn check(profile: &Profile, options: &ReportOptions, expected: Expect) {
    expected.assert_eq(&try_render(profile, options).unwrap());
}

fn matching(text: &'static str) -> Option<Pattern> {
    let matches = Arc::new(move |name: &str| name.contains(text));
    Some(Pattern { text: text.to_owned(), matches })
}

#[test]
fn top() {
    let profile = profile(CALLS);
    check(
        &profile,
        &options(&profile, Format::Top),
        expect![[r#"
        File: prog
        Type: cpu
        Showing nodes accounting for 70ms, 100% of 70ms total
              flat  flat%   sum%        cum   cum%
              50ms 71.43% 71.43%       50ms 71.43%  hash (partial-inline)
              10ms 14.29% 85.71%       10ms 14.29%  idle
              10ms 14.29%   100%       60ms 85.71%  work
                 0     0%   100%       70ms   100%  main
                 0     0%   100%       20ms 28.57%  parse
    "#]],
    );
}

#[test]
fn top_by_cumulative_cost() {
    let profile = profile(CALLS);
    let options = ReportOptions { sort: Sort::Cum, ..options(&profile, Format::Top) };
    check(
        &profile,
        &options,
        expect![[r#"
        File: prog
        Type: cpu
        Showing nodes accounting for 70ms, 100% of 70ms total
              flat  flat%   sum%        cum   cum%
                 0     0%     0%       70ms   100%  main
              10ms 14.29% 14.29%       60ms 85.71%  work
              50ms 71.43% 85.71%       50ms 71.43%  hash (partial-inline)
                 0     0% 85.71%       20ms 28.57%  parse
              10ms 14.29%   100%       10ms 14.29%  idle
    "#]],
    );
}

#[test]
fn top_of_few_nodes_says_what_is_missing() {
    let profile = profile(CALLS);
    let options = ReportOptions {
        node_count: 2,
        node_fraction: 0.2,
        compact_labels: true,
        active_filters: vec!["focus=main".to_owned()],
        ..options(&profile, Format::Top)
    };
    check(
        &profile,
        &options,
        expect![[r#"
        Active filters:
           focus=main
        Showing nodes accounting for 60ms, 85.71% of 70ms total
        Dropped 1 node (cum <= 14ms)
        Showing top 2 nodes out of 4
              flat  flat%   sum%        cum   cum%
              50ms 71.43% 71.43%       50ms 71.43%  hash
              10ms 14.29% 85.71%       60ms 85.71%  work
    "#]],
    );
}

#[test]
fn top_divided_and_in_another_unit() {
    let profile = profile(CALLS);
    let options =
        ReportOptions { divide_by: 4.0, unit: "us".to_owned(), ..options(&profile, Format::Top) };
    check(
        &profile,
        &options,
        expect![[r#"
        File: prog
        Type: cpu
        Showing nodes accounting for 17500us, 100% of 17500us total
              flat  flat%   sum%        cum   cum%
           12500us 71.43% 71.43%    12500us 71.43%  hash (partial-inline)
            2500us 14.29% 85.71%     2500us 14.29%  idle
            2500us 14.29%   100%    15000us 85.71%  work
                 0     0%   100%    17500us   100%  main
                 0     0%   100%     5000us 28.57%  parse
    "#]],
    );
}

#[test]
fn means_divide_by_the_first_value() {
    let profile = profile("a;b 2,10000000\na;c 3,90000000");
    let value = ValueSelector { index: 1, mean: true };
    let options =
        ReportOptions { value, total: value.total(&profile), ..options(&profile, Format::Top) };
    check(
        &profile,
        &options,
        expect![[r#"
        File: prog
        Type: mean_cpu
        Showing nodes accounting for 35ms, 175.00% of 20ms total
              flat  flat%   sum%        cum   cum%
              30ms 150.00% 150.00%       30ms 150.00%  c
               5ms 25.00% 175.00%        5ms 25.00%  b
                 0     0% 175.00%       20ms   100%  a
    "#]],
    );
}

#[test]
fn recursion_counts_once() {
    let profile = profile("a;b;a;b;a 1,10");
    check(
        &profile,
        &options(&profile, Format::Tree),
        expect![[r#"
        File: prog
        Type: cpu
        Showing nodes accounting for 10ns, 100% of 10ns total
        ----------------------------------------------------------+-------------
              flat  flat%   sum%        cum   cum%   calls calls% + context 	 	 
        ----------------------------------------------------------+-------------
                                                      10ns   100% |   b
              10ns   100%   100%       10ns   100%                | a
                                                      10ns   100% |   b
        ----------------------------------------------------------+-------------
                                                      10ns   100% |   a
                 0     0%   100%       10ns   100%                | b
                                                      10ns   100% |   a
        ----------------------------------------------------------+-------------
    "#]],
    );
}

#[test]
fn negative_values_can_be_dropped() {
    let profile = profile("a;b 1,10\na;c -3,-30");
    let shown = options(&profile, Format::Top);
    check(
        &profile,
        &shown,
        expect![[r#"
        File: prog
        Type: cpu
        Showing nodes accounting for -20ns, 50.00% of 40ns total
              flat  flat%   sum%        cum   cum%
             -30ns 75.00% 75.00%      -30ns 75.00%  c
              10ns 25.00% 50.00%       10ns 25.00%  b
                 0     0% 50.00%      -20ns 50.00%  a
    "#]],
    );
    check(
        &profile,
        &ReportOptions { drop_negative: true, ..shown },
        expect![[r#"
        File: prog
        Type: cpu
        Showing nodes accounting for 10ns, 25.00% of 40ns total
              flat  flat%   sum%        cum   cum%
              10ns 25.00% 25.00%       10ns 25.00%  b
    "#]],
    );
}

#[test]
fn top_for_programs() {
    let profile = profile("main;a,b 3,30\nmain 1,10");
    let json = ReportOptions { encoding: Encoding::Json, ..options(&profile, Format::Top) };
    check(
        &profile,
        &json,
        expect![[r#"
        {
          "labels": [
            "File: prog",
            "Type: cpu",
            "Showing nodes accounting for 40ns, 100% of 40ns total"
          ],
          "unit": "nanoseconds",
          "total": 40,
          "rows": [
            {
              "name": "a,b",
              "inline": "no",
              "flat": 30,
              "flat_percent": 75.0,
              "sum_percent": 75.0,
              "cum": 30,
              "cum_percent": 75.0
            },
            {
              "name": "main",
              "inline": "no",
              "flat": 10,
              "flat_percent": 25.0,
              "sum_percent": 100.0,
              "cum": 40,
              "cum_percent": 100.0
            }
          ]
        }
    "#]],
    );
    check(
        &profile,
        &ReportOptions { encoding: Encoding::Csv, ..json },
        expect![[r#"
        name,inline,flat,flat_percent,sum_percent,cum,cum_percent,unit
        "a,b",,30,75,75,30,75,nanoseconds
        main,,10,25,100,40,100,nanoseconds
    "#]],
    );
}

#[test]
fn tree() {
    let profile = profile(CALLS);
    check(
        &profile,
        &options(&profile, Format::Tree),
        expect![[r#"
        File: prog
        Type: cpu
        Showing nodes accounting for 70ms, 100% of 70ms total
        ----------------------------------------------------------+-------------
              flat  flat%   sum%        cum   cum%   calls calls% + context 	 	 
        ----------------------------------------------------------+-------------
                                                      30ms 60.00% |   work
                                                      20ms 40.00% |   parse (inline)
              50ms 71.43% 71.43%       50ms 71.43%                | hash
        ----------------------------------------------------------+-------------
                                                      10ms   100% |   main
              10ms 14.29% 85.71%       10ms 14.29%                | idle
        ----------------------------------------------------------+-------------
                                                      60ms   100% |   main
              10ms 14.29%   100%       60ms 85.71%                | work
                                                      30ms 50.00% |   hash
                                                      20ms 33.33% |   parse
        ----------------------------------------------------------+-------------
                 0     0%   100%       70ms   100%                | main
                                                      60ms 85.71% |   work
                                                      10ms 14.29% |   idle
        ----------------------------------------------------------+-------------
                                                      20ms   100% |   work
                 0     0%   100%       20ms 28.57%                | parse
                                                      20ms   100% |   hash (inline)
        ----------------------------------------------------------+-------------
    "#]],
    );
}

#[test]
fn tree_for_programs() {
    let profile = profile("main;work 3,30");
    let json = ReportOptions { encoding: Encoding::Json, ..options(&profile, Format::Tree) };
    check(
        &profile,
        &json,
        expect![[r#"
        {
          "labels": [
            "File: prog",
            "Type: cpu",
            "Showing nodes accounting for 30ns, 100% of 30ns total"
          ],
          "unit": "nanoseconds",
          "total": 30,
          "entries": [
            {
              "name": "work",
              "flat": 30,
              "flat_percent": 100.0,
              "sum_percent": 100.0,
              "cum": 30,
              "cum_percent": 100.0,
              "callers": [
                {
                  "name": "main",
                  "weight": 30,
                  "percent": 100.0,
                  "inline": false
                }
              ],
              "callees": []
            },
            {
              "name": "main",
              "flat": 0,
              "flat_percent": 0.0,
              "sum_percent": 100.0,
              "cum": 30,
              "cum_percent": 100.0,
              "callers": [],
              "callees": [
                {
                  "name": "work",
                  "weight": 30,
                  "percent": 100.0,
                  "inline": false
                }
              ]
            }
          ]
        }
    "#]],
    );
    check(
        &profile,
        &ReportOptions { encoding: Encoding::Csv, ..json },
        expect![[r#"
        name,relation,other,flat,cum,weight,percent,unit
        work,self,,30,30,,100,nanoseconds
        work,caller,main,,,30,100,nanoseconds
        main,self,,0,30,,100,nanoseconds
        main,callee,work,,,30,100,nanoseconds
    "#]],
    );
}

#[test]
fn peek_shows_what_matches() {
    let profile = profile(CALLS);
    let options = ReportOptions { pattern: matching("idle"), ..options(&profile, Format::Peek) };
    check(
        &profile,
        &options,
        expect![[r#"
        File: prog
        Type: cpu
        Showing nodes accounting for 70ms, 100% of 70ms total
        ----------------------------------------------------------+-------------
              flat  flat%   sum%        cum   cum%   calls calls% + context 	 	 
        ----------------------------------------------------------+-------------
                                                      10ms   100% |   main
              10ms 14.29% 14.29%       10ms 14.29%                | idle
        ----------------------------------------------------------+-------------
    "#]],
    );
}

#[test]
fn reports_of_nothing_fail() {
    let profile = profile(CALLS);
    for format in [Format::Peek, Format::List] {
        let options = ReportOptions { pattern: matching("nowhere"), ..options(&profile, format) };
        let error = try_render(&profile, &options).unwrap_err();
        assert_eq!(error.to_string(), "no matches found for regexp: nowhere");
    }
}

#[test]
fn traces() {
    let mut profile = profile(
        "main;work>hash 1,10 b=2 a=1 b=1 bytes:2048\n main;idle@x.c:3 1,20000 size:7\n- 1,1",
    );
    profile.time_nanos = 1_700_000_000_000_000_000;
    profile.duration_nanos = 1_000_000_000;
    check(
        &profile,
        &options(&profile, Format::Traces),
        expect![[r#"
        File: prog
        Type: cpu
        Time: 2023-11-14 22:13:20 UTC
        Duration: 1s, Total samples = 20.01us (0.002%)
        -----------+-------------------------------------------------------
                 a:  1
                 b:  2 1
             bytes:  2kB
              10ns   hash (inline)
                     work
                     main
        -----------+-------------------------------------------------------
              size:  7
              20us   idle x.c:3
                     main
        -----------+-------------------------------------------------------
    "#]],
    );
}

#[test]
fn tags() {
    let profile =
        profile("a 1,10 k=x bytes:1024\na 1,20 k=longer bytes:2048\na 1,30 k=x other=1\na 1,40");
    let text = options(&profile, Format::Tags);
    // Written without indentation of its own, which `expect!` would not tell from that of the report.
    let expected = " bytes: Total 30ns of 100ns (30.00%)
        20ns (20.00%): 2kB
        10ns (10.00%): 1kB

 k: Total 60ns of 100ns (60.00%)
    40ns (40.00%): x
    20ns (20.00%): longer

 other: Total 30ns of 100ns (30.00%)
        30ns (30.00%): 1

";
    assert_eq!(try_render(&profile, &text).unwrap(), expected);
    let json = ReportOptions { encoding: Encoding::Json, ..text.clone() };
    check(
        &profile,
        &json,
        expect![[r#"
        {
          "unit": "nanoseconds",
          "total": 100,
          "keys": [
            {
              "key": "bytes",
              "weight": 30,
              "percent": 30.0,
              "values": [
                {
                  "value": "2kB",
                  "weight": 20,
                  "percent": 20.0
                },
                {
                  "value": "1kB",
                  "weight": 10,
                  "percent": 10.0
                }
              ]
            },
            {
              "key": "k",
              "weight": 60,
              "percent": 60.0,
              "values": [
                {
                  "value": "x",
                  "weight": 40,
                  "percent": 40.0
                },
                {
                  "value": "longer",
                  "weight": 20,
                  "percent": 20.0
                }
              ]
            },
            {
              "key": "other",
              "weight": 30,
              "percent": 30.0,
              "values": [
                {
                  "value": "1",
                  "weight": 30,
                  "percent": 30.0
                }
              ]
            }
          ]
        }
    "#]],
    );
    check(
        &profile,
        &ReportOptions { encoding: Encoding::Csv, ..text },
        expect![[r#"
        key,value,weight,percent,unit
        bytes,2kB,20,20,nanoseconds
        bytes,1kB,10,10,nanoseconds
        k,x,40,40,nanoseconds
        k,longer,20,20,nanoseconds
        other,1,30,30,nanoseconds
    "#]],
    );
}

#[test]
fn list() {
    let profile = profile(
        "main@/src/a.c:3;f@/src/a.c:9 1,10\nmain@/src/a.c:3;f@/src/a.c:11 1,30
         main@/src/a.c:3;f@/gone.c:1 1,5\nf 1,1\nff 1,1",
    );
    let options = ReportOptions { pattern: matching("f"), ..options(&profile, Format::List) };
    check(
        &profile,
        &options,
        expect![[r#"
        Total: 47ns
        ROUTINE ======================== f in /gone.c
               5ns        5ns (flat, cum) 10.64% of Total
         Error: open /gone.c: no such file or directory
        ROUTINE ======================== f in /src/a.c
              40ns       40ns (flat, cum) 85.11% of Total
                 .          .      4:line 4
                 .          .      5:line 5
                 .          .      6:line 6
                 .          .      7:line 7
                 .          .      8:line 8
              10ns       10ns      9:line 9
                 .          .     10:line 10
              30ns       30ns     11:line 11
                 .          .     12:line 12
                 .          .     13:line 13
                 .          .     14:line 14
                 .          .     15:line 15
                 .          .     16:line 16
        No source information for ff
    "#]],
    );
}

#[test]
fn relative_files_are_searched_upwards() {
    let profile = profile("f@src/a.c:2 1,10");
    let options = ReportOptions {
        pattern: matching("f"),
        working_dir: "/src/deep/down".to_owned(),
        trim_path: "src".to_owned(),
        ..options(&profile, Format::List)
    };
    check(
        &profile,
        &options,
        expect![[r#"
        Total: 10ns
        ROUTINE ======================== f in a.c
              10ns       10ns (flat, cum)   100% of Total
                 .          .      1:line 1
              10ns       10ns      2:line 2
                 .          .      3:line 3
                 .          .      4:line 4
                 .          .      5:line 5
                 .          .      6:line 6
                 .          .      7:line 7
    "#]],
    );
}

#[test]
fn callgrind() {
    let profile =
        profile("100!main@a.c:1;110!f@a.c:5 1,10\n100!main@a.c:1;118!f@a.c:7;4000!g@b.c:1 1,20");
    let options = ReportOptions {
        node_fraction: 0.0,
        edge_fraction: 0.0,
        ..options(&profile, Format::Callgrind)
    };
    check(
        &profile,
        &options,
        expect![[r#"
        positions: instr line
        events: cpu(ns)

        ob=(1) /bin/prog
        fl=(1) b.c
        fn=(1) g
        0x4000 1 20

        ob=(1)
        fl=(2) a.c
        fn=(2) f
        0x110 5 10

        ob=(1)
        fl=(2)
        fn=(3) main
        -16 1 0
        cfl=(2)
        cfn=(2)
        calls=0 +8 7
        * * 20
        cfl=(2)
        cfn=(2)
        calls=0 * 5
        * * 10

        ob=(1)
        fl=(2)
        fn=(2)
        +24 7 0
        cfl=(1)
        cfn=(1)
        calls=0 0x4000 1
        * * 20
    "#]],
    );
}

#[test]
fn callgrind_tells_contexts_apart() {
    let profile = profile("main;f;h 1,10\nmain;g;h 1,20");
    let options = ReportOptions {
        call_tree: true,
        node_fraction: 0.0,
        ..options(&profile, Format::Callgrind)
    };
    check(
        &profile,
        &options,
        expect![[r#"
        positions: instr line
        events: cpu(ns)

        ob=(1) /bin/prog
        fl=
        fn=(1) h
        0x0 0 20
        * 0 10

        ob=(1)
        fl=
        fn=(2) f
        * 0 0
        cfl=
        cfn=(3) h [2/2]
        calls=0 * 0
        * * 10

        ob=(1)
        fl=
        fn=(4) g
        * 0 0
        cfl=
        cfn=(5) h [1/2]
        calls=0 * 0
        * * 20

        ob=(1)
        fl=
        fn=(6) main
        * 0 0
        cfl=
        cfn=(4)
        calls=0 * 0
        * * 20
        cfl=
        cfn=(2)
        calls=0 * 0
        * * 10
    "#]],
    );
}

#[test]
fn dot() {
    let profile = profile(CALLS);
    check(
        &profile,
        &options(&profile, Format::Dot),
        expect![[r##"
        digraph "prog" {
        node [style=filled fillcolor="#f8f8f8"]
        subgraph cluster_L { "File: prog" [shape=box fontsize=16 label="File: prog\lType: cpu\lShowing nodes accounting for 70ms, 100% of 70ms total\l\lSee https://git.io/JfYMW for how to read the graph\l" tooltip="prog"] }
        N1 [label="hash\n50ms (71.43%)" id="node1" fontsize=24 shape=box tooltip="hash (50ms)" color="#b21100" fillcolor="#edd7d5"]
        N2 [label="main\n0 of 70ms (100%)" id="node2" fontsize=8 shape=box tooltip="main (70ms)" color="#b20000" fillcolor="#edd5d5"]
        N3 [label="work\n10ms (14.29%)\nof 60ms (85.71%)" id="node3" fontsize=16 shape=box tooltip="work (60ms)" color="#b20800" fillcolor="#edd6d5"]
        N4 [label="idle\n10ms (14.29%)" id="node4" fontsize=16 shape=box tooltip="idle (10ms)" color="#b26b33" fillcolor="#ede3dc"]
        N5 [label="parse\n0 of 20ms (28.57%)" id="node5" fontsize=8 shape=box tooltip="parse (20ms)" color="#b23700" fillcolor="#eddcd5"]
        N2 -> N3 [label=" 60ms" weight=86 penwidth=5 color="#b20800" tooltip="main -> work (60ms)" labeltooltip="main -> work (60ms)"]
        N3 -> N1 [label=" 30ms" weight=43 penwidth=3 color="#b22800" tooltip="work -> hash (30ms)" labeltooltip="work -> hash (30ms)"]
        N5 -> N1 [label=" 20ms\n (inline)" weight=29 penwidth=2 color="#b23700" tooltip="parse -> hash (20ms)" labeltooltip="parse -> hash (20ms)"]
        N3 -> N5 [label=" 20ms" weight=29 penwidth=2 color="#b23700" tooltip="work -> parse (20ms)" labeltooltip="work -> parse (20ms)"]
        N2 -> N4 [label=" 10ms" weight=15 color="#b26b33" tooltip="main -> idle (10ms)" labeltooltip="main -> idle (10ms)"]
        }
    "##]],
    );
}

#[test]
fn dot_with_removed_nodes() {
    let profile = profile("main;thin1;heavy 1,50\nmain;thin2;heavy 1,50\nmain 1,10");
    let options = ReportOptions { node_fraction: 0.6, ..options(&profile, Format::Dot) };
    check(
        &profile,
        &options,
        expect![[r##"
        digraph "prog" {
        node [style=filled fillcolor="#f8f8f8"]
        subgraph cluster_L { "File: prog" [shape=box fontsize=16 label="File: prog\lType: cpu\lShowing nodes accounting for 110ns, 100% of 110ns total\lDropped 2 nodes (cum <= 66ns)\l\lSee https://git.io/JfYMW for how to read the graph\l" tooltip="prog"] }
        N1 [label="heavy\n100ns (90.91%)" id="node1" fontsize=24 shape=box tooltip="heavy (100ns)" color="#b20500" fillcolor="#edd6d5"]
        N2 [label="main\n10ns (9.09%)\nof 110ns (100%)" id="node2" fontsize=14 shape=box tooltip="main (110ns)" color="#b20000" fillcolor="#edd5d5"]
        N2 -> N1 [label=" 100ns" weight=91 penwidth=5 color="#b20500" tooltip="main ... heavy (100ns)" labeltooltip="main ... heavy (100ns)" style="dotted"]
        }
    "##]],
    );
}

#[test]
fn dot_with_labels() {
    let profile = profile_of(
        &[("space", "bytes")],
        "main;f 10 k=1 bytes:16\nmain;f 20 k=2 bytes:32\nmain;f 1 bytes:1\nmain;f 2 bytes:2
         main;f 3 bytes:3\nmain;f 4 bytes:4\nmain;f 5 bytes:1000",
    );
    check(
        &profile,
        &options(&profile, Format::Dot),
        expect![[r##"
        digraph "prog" {
        node [style=filled fillcolor="#f8f8f8"]
        subgraph cluster_L { "File: prog" [shape=box fontsize=16 label="File: prog\lType: space\lShowing nodes accounting for 45B, 100% of 45B total\l\lSee https://git.io/JfYMW for how to read the graph\l" tooltip="prog"] }
        N1 [label="f\n45B (100%)" id="node1" fontsize=24 shape=box tooltip="f (45B)" color="#b20000" fillcolor="#edd5d5"]
        N1_0 [label = "k:2" id="N1_0" fontsize=8 shape=box3d tooltip="20B"]
        N1 -> N1_0 [label=" 20B" weight=100 tooltip="20B" labeltooltip="20B"]
        NN1_0_0 [label = "32B" id="NN1_0_0" fontsize=8 shape=box3d tooltip="20B"]
        N1_0 -> NN1_0_0 [label=" 20B" weight=100 tooltip="20B" labeltooltip="20B"]
        N1_1 [label = "k:1" id="N1_1" fontsize=8 shape=box3d tooltip="10B"]
        N1 -> N1_1 [label=" 10B" weight=100 tooltip="10B" labeltooltip="10B"]
        NN1_1_0 [label = "16B" id="NN1_1_0" fontsize=8 shape=box3d tooltip="10B"]
        N1_1 -> NN1_1_0 [label=" 10B" weight=100 tooltip="10B" labeltooltip="10B"]
        NN1_0 [label = "1000B" id="NN1_0" fontsize=8 shape=box3d tooltip="5B"]
        N1 -> NN1_0 [label=" 5B" weight=100 tooltip="5B" labeltooltip="5B"]
        NN1_1 [label = "4B" id="NN1_1" fontsize=8 shape=box3d tooltip="4B"]
        N1 -> NN1_1 [label=" 4B" weight=100 tooltip="4B" labeltooltip="4B"]
        NN1_2 [label = "1B..2B" id="NN1_2" fontsize=8 shape=box3d tooltip="3B"]
        N1 -> NN1_2 [label=" 3B" weight=100 tooltip="3B" labeltooltip="3B"]
        NN1_3 [label = "3B" id="NN1_3" fontsize=8 shape=box3d tooltip="3B"]
        N1 -> NN1_3 [label=" 3B" weight=100 tooltip="3B" labeltooltip="3B"]
        N2 [label="main\n0 of 45B (100%)" id="node2" fontsize=8 shape=box tooltip="main (45B)" color="#b20000" fillcolor="#edd5d5"]
        N2 -> N1 [label=" 45B" weight=101 penwidth=6 color="#b20000" tooltip="main -> f (45B)" labeltooltip="main -> f (45B)"]
        }
    "##]],
    );
}

#[test]
fn dot_of_calling_contexts() {
    let profile = profile("main;f;h 1,10\nmain;g;h 1,20\nmain;thin;g 1,1");
    let options =
        ReportOptions { call_tree: true, node_fraction: 0.1, ..options(&profile, Format::Dot) };
    check(
        &profile,
        &options,
        expect![[r##"
        digraph "prog" {
        node [style=filled fillcolor="#f8f8f8"]
        subgraph cluster_L { "File: prog" [shape=box fontsize=16 label="File: prog\lType: cpu\lShowing nodes accounting for 30ns, 96.77% of 31ns total\lDropped 2 nodes (cum <= 3ns)\l\lSee https://git.io/JfYMW for how to read the graph\l" tooltip="prog"] }
        N1 [label="main\n0 of 31ns (100%)" id="node1" fontsize=8 shape=box tooltip="main (31ns)" color="#b20000" fillcolor="#edd5d5"]
        N2 [label="h\n20ns (64.52%)" id="node2" fontsize=24 shape=box tooltip="h (20ns)" color="#b21500" fillcolor="#edd8d5"]
        N3 [label="h\n10ns (32.26%)" id="node3" fontsize=20 shape=box tooltip="h (10ns)" color="#b23300" fillcolor="#eddcd5"]
        N4 [label="f\n0 of 10ns (32.26%)" id="node4" fontsize=8 shape=box tooltip="f (10ns)" color="#b23300" fillcolor="#eddcd5"]
        N5 [label="g\n0 of 20ns (64.52%)" id="node5" fontsize=8 shape=box tooltip="g (20ns)" color="#b21500" fillcolor="#edd8d5"]
        N5 -> N2 [label=" 20ns" weight=65 penwidth=4 color="#b21500" tooltip="g -> h (20ns)" labeltooltip="g -> h (20ns)"]
        N1 -> N5 [label=" 20ns" weight=65 penwidth=4 color="#b21500" tooltip="main -> g (20ns)" labeltooltip="main -> g (20ns)"]
        N4 -> N3 [label=" 10ns" weight=33 penwidth=2 color="#b23300" tooltip="f -> h (10ns)" labeltooltip="f -> h (10ns)"]
        N1 -> N4 [label=" 10ns" weight=33 penwidth=2 color="#b23300" tooltip="main -> f (10ns)" labeltooltip="main -> f (10ns)"]
        }
    "##]],
    );
}

#[test]
fn top_as_a_profile() {
    let profile = profile(CALLS);
    let mut out = Vec::new();
    let options = options(&profile, Format::TopProto);
    Report::new(&profile, &options).render(&files, &mut out).unwrap();
    let top = decode(&out).unwrap();
    check(
        &top,
        &ReportOptions::new(Format::Raw, options.value, 0),
        expect![[r#"
            PeriodType:  
            Period: 0
            Samples:
            cum/ms flat/ms
                     50         50: 1 
                     10         10: 2 
                     60         10: 3 
                     70          0: 4 
                     20          0: 5 
            Locations
                 1: 0x0 hash :0:0 s=0()
                 2: 0x0 idle :0:0 s=0()
                 3: 0x0 work :0:0 s=0()
                 4: 0x0 main :0:0 s=0()
                 5: 0x0 parse :0:0 s=0()
            Mappings
        "#]],
    );
}

#[test]
fn values_of_written_profiles_are_divided() {
    let profile = profile("main 2,10");
    let mut out = Vec::new();
    let options = ReportOptions { divide_by: 4.0, ..options(&profile, Format::Proto) };
    Report::new(&profile, &options).render(&files, &mut out).unwrap();
    assert_eq!(decode(&out).unwrap().samples.values(0), [0, 2]);
}

#[test]
fn comments() {
    let mut profile = profile(CALLS);
    profile.comments = ["one", "#two"].map(|c| profile.strings.intern(c)).into();
    check(
        &profile,
        &options(&profile, Format::Comments),
        expect![[r#"
        one
        #two
    "#]],
    );
}

#[test]
fn folded() {
    let profile = profile("main;work>odd;name 1,10\nmain;b 1,5\nmain;work>odd;name 1,1");
    check(
        &profile,
        &options(&profile, Format::Folded),
        expect![[r#"
        main;b 5
        main;work;odd;name 11
    "#]],
    );
}

#[test]
fn speedscope() {
    let profile = profile("main@a.c:1;work@b.c:7 1,10\nmain@a.c:1 1,5");
    check(
        &profile,
        &options(&profile, Format::Speedscope),
        expect![[r#"
        {"$schema":"https://www.speedscope.app/file-format-schema.json","shared":{"frames":[{"name":"work","file":"b.c","line":7},{"name":"main","file":"a.c","line":1}]},"profiles":[{"type":"sampled","name":"cpu","unit":"nanoseconds","startValue":0,"endValue":15,"samples":[[1,0],[1]],"weights":[10,5]}],"name":"prog cpu","activeProfileIndex":0,"exporter":"oxprof 0.1.0"}
    "#]],
    );
}

#[test]
fn firefox() {
    let profile = profile("main@a.c:1;work@b.c:7 1,1500000\nmain@a.c:1 1,500000");
    check(
        &profile,
        &options(&profile, Format::Firefox),
        expect![[r#"
        {"meta":{"categories":[{"color":"grey","name":"Other","subcategories":["Other"]}],"debug":false,"doesNotUseFrameImplementation":true,"extensions":{"baseURL":[],"id":[],"length":0,"name":[]},"interval":1,"markerSchema":[],"preprocessedProfileVersion":47,"processType":0,"product":"prog","sourceCodeIsNotOnSearchfox":true,"stackwalk":1,"startTime":0.0,"symbolicated":true,"usesOnlyOneStackType":true,"version":24},"libs":[],"threads":[{"stringArray":["","work","b.c","main","a.c"],"funcTable":{"length":2,"name":[1,3],"fileName":[2,4],"isJS":[false,false],"relevantForJS":[false,false],"resource":[-1,-1],"lineNumber":[null,null],"columnNumber":[null,null]},"frameTable":{"length":2,"func":[0,1],"line":[7,1],"column":[null,null],"address":[-1,-1],"inlineDepth":[0,0],"category":[0,0],"subcategory":[0,0],"nativeSymbol":[null,null],"innerWindowID":[null,null],"implementation":[null,null]},"stackTable":{"length":2,"prefix":[null,0],"frame":[1,0],"category":[0,0],"subcategory":[0,0]},"samples":{"length":2,"stack":[1,0],"time":[0,1],"weight":[1.5,0.5],"weightType":"tracing-ms"},"isMainThread":true,"markers":{"category":[],"data":[],"endTime":[],"length":0,"name":[],"phase":[],"startTime":[]},"name":"cpu","nativeSymbols":{"address":[],"functionSize":[],"length":0,"libIndex":[],"name":[]},"pausedRanges":[],"pid":"0","processName":"prog","processShutdownTime":null,"processStartupTime":0,"processType":"default","registerTime":0,"resourceTable":{"host":[],"length":0,"lib":[],"name":[],"type":[]},"tid":"0","unregisterTime":null}]}
    "#]],
    );
}

#[test]
fn markdown() {
    let mut profile = profile(CALLS);
    profile.duration_nanos = 1_000_000_000;
    let options = ReportOptions {
        active_filters: vec!["focus=a|b".to_owned()],
        ..options(&profile, Format::Markdown)
    };
    check(
        &profile,
        &options,
        expect![[r#"
        ## prog

        - File: prog
        - Type: cpu
        - Duration: 1s, Total samples = 70ms ( 7.00%)
        - Filter: `focus=a|b`

        ### Where the cost is

        | flat | flat% | cum | cum% | function |
        |--:|--:|--:|--:|:--|
        | 50ms | 71.43% | 50ms | 71.43% | `hash` |
        | 10ms | 14.29% | 10ms | 14.29% | `idle` |
        | 10ms | 14.29% | 60ms | 85.71% | `work` |
        | 0 | 0% | 70ms | 100% | `main` |
        | 0 | 0% | 20ms | 28.57% | `parse` |

        ### What causes it

        | flat | flat% | cum | cum% | function |
        |--:|--:|--:|--:|:--|
        | 0 | 0% | 70ms | 100% | `main` |
        | 10ms | 14.29% | 60ms | 85.71% | `work` |
        | 50ms | 71.43% | 50ms | 71.43% | `hash` |
        | 0 | 0% | 20ms | 28.57% | `parse` |
        | 10ms | 14.29% | 10ms | 14.29% | `idle` |
    "#]],
    );
}
