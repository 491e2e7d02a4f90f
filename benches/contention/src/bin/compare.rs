//! Runs the programs by turns, and prints what each takes of what the one without oxprof takes in the same round.

use std::path::Path;
use std::process::Command;

use oxprof_bench_contention::SCENARIOS;

/// A way to run a scenario: its name, the program, and the arguments after the name of the scenario.
type Way = (&'static str, &'static str, &'static [&'static str]);

const WAYS: [Way; 5] = [
    ("bare", "bare", &[]),
    ("linked, off", "profiled", &["0", "0", "0"]),
    ("off, threads dumped", "profiled", &["0", "0", "1"]),
    ("on, 10 µs and 1 of 100", "profiled", &["10000", "100", "0"]),
    ("on, every wait", "profiled", &["1", "1", "0"]),
];

fn main() {
    let rounds = std::env::var("ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(15);
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let own = std::env::current_exe().expect("a program knows where it is");
    let directory = own.parent().expect("a program is in a directory");
    println!(
        "medians of {rounds} rounds, and quarters: CPU time of an operation, and as a ratio to bare"
    );
    for (scenario, ..) in SCENARIOS {
        if !asked.is_empty() && !asked.iter().any(|part| scenario.contains(part.as_str())) {
            continue;
        }
        println!("{scenario}");
        let all: Vec<[[f64; 2]; WAYS.len()]> =
            (0..rounds).map(|_| WAYS.map(|way| run(directory, scenario, way))).collect();
        for (i, (way, ..)) in WAYS.iter().enumerate() {
            let column = |of: fn(&[[f64; 2]; WAYS.len()], usize) -> f64| {
                quarters(all.iter().map(|round| of(round, i)).collect())
            };
            let [_, cpu, _] = column(|round, i| round[i][0]);
            let [low, ratio, high] = column(|round, i| round[i][0] / round[0][0]);
            let [_, time, _] = column(|round, i| round[i][1] / round[0][1]);
            println!(
                "  {way:24} {cpu:8.1} ns  {ratio:6.3}x CPU ({low:.3} to {high:.3})  {time:6.3}x time"
            );
        }
    }
}

/// Nanoseconds of CPU time and of time that an operation takes.
fn run(directory: &Path, scenario: &str, (_, program, arguments): Way) -> [f64; 2] {
    let output = Command::new(directory.join(program)).arg(scenario).args(arguments).output();
    let output = output.expect("the program runs");
    assert!(output.status.success(), "{program} {scenario}: {output:?}");
    let text = String::from_utf8(output.stdout).expect("numbers");
    let mut numbers = text.split_whitespace().map(|n| n.parse().expect("a number"));
    std::array::from_fn(|_| numbers.next().expect("two numbers"))
}

/// The quarters of these numbers, with the median between them.
fn quarters(mut numbers: Vec<f64>) -> [f64; 3] {
    numbers.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| numbers[(numbers.len() - 1) * quarter / 4])
}
