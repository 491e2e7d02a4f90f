//! What the shell says about itself: help, and options with their values.

use std::fmt::Write;

use oxprof_report::Format;
use oxprof_report::options::{
    FORMATS, FormatKind, FormatRow, OPTIONS, OptionRow, Options, Usage, find_option,
};

const MEMORY: &str = "writing to memory does not fail";

/// Explains the shell, or `topic` if that is not empty; `None` if there is no such thing.
pub(super) fn help(topic: &str) -> Option<String> {
    if topic.is_empty() {
        return Some(everything());
    }
    if let Some(format) = FormatRow::find(topic) {
        return Some(about_format(format));
    }
    match find_option(topic)? {
        (row, Some(choice)) => {
            let text = about(choice.about, choice.details);
            Some(format!(
                "{text}  Set it with: {} (the same as {}={})\n",
                choice.name, row.name, choice.name
            ))
        }
        (row, None) => Some(about_option(row)),
    }
}

fn everything() -> String {
    let mut out = String::from(START);
    out.push_str("\nReports:\n");
    for row in FORMATS {
        line(&mut out, row.name, row.about);
    }
    out.push_str("\nOptions (name=value; a bare name means yes):\n");
    for row in OPTIONS.iter().filter(|row| row.choices().is_empty()) {
        line(&mut out, row.name, row.about);
    }
    for row in OPTIONS.iter().filter(|row| !row.choices().is_empty()) {
        let names: Vec<_> = row.choices().iter().map(|c| c.name).collect();
        line(&mut out, row.name, &format!("{}: {}", row.about, names.join(", ")));
    }
    out.push_str(END);
    out
}

const START: &str = "\
Where to start:
  top                 the heaviest functions themselves
  top -cum            the heaviest functions with all they call
  peek NAME           who calls a function, and what it calls
  list NAME           its source, line by line
  web                 a picture of all of it

Narrow any report by expressions, and send it elsewhere:
  top 20 json -regex  20 functions of samples through `json`, without those through `regex`
  tree > tree.txt     into a file
  traces | less       through a command
  focus=json          for every report from now on; `:` clears all filters

Expressions are regular expressions, in quotes if they contain spaces. Tab completes commands,
options and functions; the arrow keys bring back earlier lines.
";

const END: &str = "
Other commands:
  o, options          options and their values
  help NAME           more about a report or an option
  :                   clear focus, ignore, hide, tagfocus and tagignore
  NAME                show the value of that name; total_NAME and mean_NAME as sum or average
  q, quit, exit, ^D   leave
";

fn about_format(format: &FormatRow) -> String {
    let mut out = about(format.about, &[]);
    writeln!(out, "  Usage: {}", syntax(format)).expect(MEMORY);
    for text in explanation(format) {
        writeln!(out, "    {text}").expect(MEMORY);
    }
    out
}

fn syntax(format: &FormatRow) -> String {
    let name = format.name;
    let rest = match format.usage {
        Usage::Plain => "",
        Usage::Filters { count: true } => " [n] [focus]... [-ignore]... [-cum]",
        Usage::Filters { count: false } => " [focus]... [-ignore]...",
        Usage::Argument { .. } => " function [focus]... [-ignore]...",
        Usage::TagFilters => " [tag]... [-ignore]...",
    };
    format!("{name}{rest} [>file] [| command]")
}

fn explanation(format: &FormatRow) -> Vec<&'static str> {
    let mut lines = Vec::new();
    match format.usage {
        Usage::Plain => {}
        Usage::Filters { count } => {
            if count {
                lines.push("n: at most that many entries");
            }
            lines.push("focus, -ignore: only samples through functions that match, or do not");
            if count {
                lines.push("-cum: sort by the weight of functions with all they call");
            }
        }
        Usage::Argument { address } => {
            lines.push("function: a regular expression for the functions to show");
            if address {
                lines.push("  or an address, as 0x...");
            }
            lines.push("focus, -ignore: only samples through functions that match, or do not");
        }
        Usage::TagFilters => {
            lines.push("tag, -ignore: only samples with tags (key:value) that match, or do not");
        }
    }
    if format.kind == FormatKind::Report(Format::Top) {
        lines.push("Ten entries unless n or nodecount says otherwise.");
    }
    lines
}

fn about_option(row: &OptionRow) -> String {
    let mut out = about(row.about, row.details);
    for choice in row.choices() {
        line(&mut out, choice.name, choice.about);
    }
    let example = match row.choices() {
        [] if row.is_bool() => row.name.to_owned(),
        [] => format!("{}=value", row.name),
        [first, ..] => format!("{}={}", row.name, first.name),
    };
    writeln!(out, "  Set it with: {example}").expect(MEMORY);
    out
}

fn about(first: &str, details: &[&str]) -> String {
    let mut out = format!("{first}.\n");
    for detail in details {
        writeln!(out, "{detail}").expect(MEMORY);
    }
    out
}

fn line(out: &mut String, name: &str, about: &str) {
    writeln!(out, "  {name:<20} {about}").expect(MEMORY);
}

/// Options and their values, in a form that the shell reads back.
pub(super) fn options(options: &Options, sample_types: &[String], shown: &str) -> String {
    let mut out = String::new();
    // Where sources are is a matter of the command line, and not shown, as in the original.
    for row in OPTIONS.iter().filter(|row| row.name != "source_path" && !row.extension) {
        let (value, comment) = match row.name {
            "sample_index" => (shown.to_owned(), choices(sample_types)),
            "nodecount" if options.nodecount == -1 => ("-1".into(), "//: default".into()),
            _ => (row.get(options), choices_of(row)),
        };
        let value = match (value.as_str(), row.choices()) {
            ("", []) => "\"\"",
            ("", _) => "(default)",
            (value, _) => value,
        };
        writeln!(out, "  {:<25} = {value:<20} {comment}", row.name).expect(MEMORY);
    }
    out
}

fn choices_of(row: &OptionRow) -> String {
    let mut names: Vec<_> = row.choices().iter().map(|c| c.name.to_owned()).collect();
    names.sort();
    if names.is_empty() { String::new() } else { choices(&names) }
}

fn choices(names: &[String]) -> String {
    format!("//: [{}]", names.join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_explained() {
        let all = help("").unwrap();
        for name in FORMATS.iter().map(|f| f.name).chain(OPTIONS.iter().map(|o| o.name)) {
            assert!(all.contains(&format!("\n  {name} ")), "{name} is not in the help");
            assert!(help(name).unwrap().contains(name), "{name} has no example");
        }
        assert!(help("lines").unwrap().contains("granularity=lines"));
        assert!(help("nonsense").is_none());
    }

    #[test]
    fn options_are_listed_with_what_they_may_be() {
        let types = ["samples".to_owned(), "cpu".to_owned()];
        let text = options(&Options::default(), &types, "cpu");
        for expected in [
            "  call_tree                 = false                \n",
            "  focus                     = \"\"                   \n",
            "  nodecount                 = -1                   //: default\n",
            "  sample_index              = cpu                  //: [samples | cpu]\n",
            "  sort                      = flat                 //: [cum | flat]\n",
            "  granularity               = (default)            \
             //: [addresses | filefunctions | files | functions | lines]\n",
        ] {
            assert!(text.contains(expected), "{expected:?} is not in\n{text}");
        }
        assert!(!text.contains("source_path"));
    }
}
