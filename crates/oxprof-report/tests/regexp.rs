//! Our regular expressions against Go's own, over random expressions made of the pieces that the
//! two syntaxes disagree about.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use oxprof_report::Regexp;

const GO: &str = r#"package main

import ("bufio"; "fmt"; "os"; "regexp"; "strings")

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		parts := strings.Split(in.Text(), "\t")
		re, err := regexp.Compile(parts[0])
		if err != nil {
			fmt.Printf("%s\n", strings.ReplaceAll(err.Error(), "\n", " "))
			continue
		}
		for _, text := range parts[1:] {
			if re.MatchString(text) { fmt.Print("+") } else { fmt.Print("-") }
		}
		fmt.Println()
	}
}
"#;

const PIECES: &[&str] = &[
    "a",
    "b",
    "k",
    "é",
    "<",
    ">",
    "{",
    "}",
    "1",
    ",",
    "-",
    "_",
    " ",
    "::",
    ".",
    "^",
    "$",
    "|",
    "(",
    ")",
    "(?:",
    "(?i)",
    "(?s)",
    "(?U)",
    "(?m:",
    "(?-i)",
    "(?P<n>",
    "(?<n>",
    "(?",
    "*",
    "+",
    "?",
    "*?",
    "{2}",
    "{1,2}",
    "{,3}",
    "{0,}",
    "{2,1}",
    "[",
    "]",
    "[^",
    "[a-",
    "z]",
    "[[:alpha:]]",
    "[:digit:]",
    "[[:^space:]x]",
    "&&",
    "--",
    "~~",
    r"\<",
    r"\>",
    r"\d",
    r"\W",
    r"\s",
    r"\b",
    r"\B",
    r"\A",
    r"\z",
    r"\Z",
    r"\pL",
    r"\p{Greek}",
    r"\P{Lu}",
    r"\pX",
    r"\x41",
    r"\x{3b1}",
    r"\x{",
    r"\101",
    r"\1",
    r"\Q",
    r"\E",
    r"\.",
    r"\\",
    r"\-",
    r"\n",
    r"\q",
    "ſ",
    "K",
];

const TEXTS: &[&str] = &[
    "",
    "a",
    "b",
    "ab",
    "aab",
    "K",
    "é",
    "<a>",
    "a{,3}",
    "std::vec<a>",
    "α",
    "A1_",
    "a-b",
    "a b",
    "ſ",
    "{}",
    "&",
    "[a]",
    "\\",
    "~",
    "a.b*c",
    "1,2",
];

/// A small generator of numbers, the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % limit
    }
}

fn patterns() -> Vec<String> {
    let mut random = Random(42);
    let pattern = |random: &mut Random| -> String {
        (0..1 + random.below(7)).map(|_| PIECES[random.below(PIECES.len())]).collect()
    };
    (0..20_000).map(|_| pattern(&mut random)).collect()
}

fn ours(pattern: &str) -> String {
    match Regexp::new(pattern) {
        Ok(regexp) => {
            TEXTS.iter().map(|text| if regexp.is_match(text) { '+' } else { '-' }).collect()
        }
        Err(e) => e.to_string(),
    }
}

/// Builds the Go side; `None` without Go.
fn build_go() -> Option<PathBuf> {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("go-regexp");
    std::fs::create_dir_all(&directory).unwrap();
    let source = directory.join("main.go");
    std::fs::write(&source, GO).unwrap();
    let program = directory.join("regexp");
    let built = Command::new("go").arg("build").arg("-o").arg(&program).arg(&source).status();
    built.is_ok_and(|status| status.success()).then_some(program)
}

fn go(program: PathBuf, patterns: &[String]) -> Vec<String> {
    let mut input = String::new();
    for pattern in patterns {
        writeln!(input, "{pattern}\t{}", TEXTS.join("\t")).unwrap();
    }
    let mut go =
        Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = go.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()).unwrap());
    let output = go.wait_with_output().unwrap();
    writer.join().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn random_expressions_mean_what_they_mean_in_go() {
    let Some(program) = build_go() else {
        eprintln!("skipped: no Go to compare with");
        return;
    };
    let patterns = patterns();
    let expected = go(program, &patterns);
    assert_eq!(expected.len(), patterns.len());
    let mut accepted = 0;
    let mut different = Vec::new();
    for (pattern, expected) in patterns.iter().zip(&expected) {
        let ours = ours(pattern);
        accepted += usize::from(!ours.starts_with("error"));
        if ours != *expected {
            different.push(format!("{pattern}\n  ours {ours}\n  Go's {expected}"));
        }
    }
    assert!(accepted > 2000, "too few of the expressions are valid to compare: {accepted}");
    assert!(
        different.is_empty(),
        "{} differ:\n{}",
        different.len(),
        different[..different.len().min(20)].join("\n")
    );
}
