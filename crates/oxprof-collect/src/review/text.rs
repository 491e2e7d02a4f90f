//! A review as text.

use std::io::{self, Write};

use oxprof_profile::units;

use super::{Evidence, Finding, Report, Severity};

/// How a review is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// For a terminal.
    #[default]
    Text,
    /// For a ticket or a pull request.
    Markdown,
    /// For programs.
    Json,
}

/// Writes a review.
///
/// # Errors
/// Those of `out`.
pub fn write(report: &Report, layout: Layout, out: &mut dyn Write) -> io::Result<()> {
    match layout {
        Layout::Text => text(report, out),
        Layout::Markdown => markdown(report, out),
        Layout::Json => {
            serde_json::to_writer_pretty(&mut *out, report)?;
            writeln!(out)
        }
    }
}

fn text(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", summary(report))?;
    for finding in &report.findings {
        let Finding { severity, detector, kind, title, why, evidence, next } = finding;
        writeln!(out, "\n{severity}: {title}  [{kind}, {detector}]\n  {why}")?;
        for line in evidence {
            writeln!(out, "    {:>22}  {}{}", amount(line), line.place, certainty(line))?;
        }
        writeln!(out, "  Next: {next}")?;
    }
    Ok(())
}

fn markdown(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "# Review of profiles\n\n{}", summary(report))?;
    for Finding { severity, detector, kind, title, why, evidence, next } in &report.findings {
        writeln!(out, "\n## {severity}: {}\n\n{why} ({kind}, `{detector}`)\n", escape(title))?;
        writeln!(out, "| value | where |\n|---:|---|")?;
        for line in evidence {
            writeln!(out, "| {} | `{}`{} |", amount(line), code(&line.place), certainty(line))?;
        }
        writeln!(out, "\nNext: {next}")?;
    }
    writeln!(out, "\n| profile | kind | samples | total |\n|---|---|---:|---:|")?;
    for seen in &report.examined {
        let base = if seen.baseline { " (baseline)" } else { "" };
        let total = units::label(seen.total, &seen.unit);
        writeln!(
            out,
            "| {}{base} | {} | {} | {total} |",
            escape(&seen.label),
            seen.kind,
            seen.samples
        )?;
    }
    Ok(())
}

/// How many of each severity.
fn summary(report: &Report) -> String {
    let count = |severity| report.findings.iter().filter(|f| f.severity == severity).count();
    let counts: Vec<_> = Severity::ALL
        .into_iter()
        .rev()
        .filter(|&severity| count(severity) > 0)
        .map(|severity| format!("{} {severity}", count(severity)))
        .collect();
    let profiles = report.examined.iter().filter(|e| !e.baseline).count();
    let found =
        if counts.is_empty() { "nothing to point out".to_owned() } else { counts.join(", ") };
    let plural = if profiles == 1 { "" } else { "s" };
    format!("{profiles} profile{plural} reviewed: {found}.")
}

fn amount(evidence: &Evidence) -> String {
    let Evidence { value, unit, before, .. } = evidence;
    match before {
        Some(before) => format!("{} → {}", in_unit(*before, unit), in_unit(*value, unit)),
        None => in_unit(*value, unit),
    }
}

fn in_unit(value: f64, unit: &str) -> String {
    if unit == "percent" {
        return format!("{value:.1} %");
    }
    match unit.strip_suffix(" per second") {
        Some(unit) => format!("{}/s", units::label(value as i64, unit)),
        None => units::label(value as i64, unit),
    }
}

fn certainty(evidence: &Evidence) -> String {
    match evidence.p {
        Some(p) if p < 0.0001 => "  (p < 0.0001)".to_owned(),
        Some(p) => format!("  (p = {p:.4})"),
        None => String::new(),
    }
}

/// Text that Markdown would take for markup.
fn escape(text: &str) -> String {
    let special = |c: char| matches!(c, '|' | '<' | '>' | '*' | '_' | '`' | '[' | ']' | '#');
    text.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
}

/// Code in a cell of a table.
fn code(text: &str) -> String {
    text.replace('`', "'").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::super::Examined;
    use super::*;

    fn report() -> Report {
        let evidence = vec![
            Evidence {
                before: Some(3.0),
                p: Some(0.01),
                ..Evidence::new("a::<b|c>", 9.5, "percent")
            },
            Evidence::new("d", 2048.0, "bytes per second"),
        ];
        let finding = Finding {
            severity: Severity::Warning,
            detector: "regression",
            kind: "cpu".into(),
            title: "f<T> is slow".into(),
            why: "Why.".into(),
            evidence,
            next: "Do.".into(),
        };
        let examined = Examined {
            label: "cpu.pb.gz".into(),
            kind: "cpu".into(),
            samples: 3,
            total: 1500,
            unit: "milliseconds".into(),
            baseline: false,
        };
        Report { examined: vec![examined], findings: vec![finding] }
    }

    #[track_caller]
    fn check(layout: Layout, expected: &str) {
        let mut out = Vec::new();
        write(&report(), layout, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn texts() {
        check(
            Layout::Text,
            "1 profile reviewed: 1 warning.\n\n\
             warning: f<T> is slow  [cpu, regression]\n  Why.\n\
             \x20            3.0 % → 9.5 %  a::<b|c>  (p = 0.0100)\n\
             \x20                    2kB/s  d\n  Next: Do.\n",
        );
        check(
            Layout::Markdown,
            "# Review of profiles\n\n1 profile reviewed: 1 warning.\n\n\
             ## warning: f\\<T\\> is slow\n\nWhy. (cpu, `regression`)\n\n\
             | value | where |\n|---:|---|\n\
             | 3.0 % → 9.5 % | `a::<b\\|c>`  (p = 0.0100) |\n| 2kB/s | `d` |\n\nNext: Do.\n\n\
             | profile | kind | samples | total |\n|---|---|---:|---:|\n\
             | cpu.pb.gz | cpu | 3 | 1.50s |\n",
        );
    }

    #[test]
    fn json_is_json() {
        let mut out = Vec::new();
        write(&report(), Layout::Json, &mut out).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(value["findings"][0]["severity"], "warning");
        assert_eq!(value["findings"][0]["evidence"][0]["before"], 3.0);
    }
}
