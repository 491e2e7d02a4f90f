//! Completions for the shells that people type commands in, written from the tables of flags.

use std::fmt::Write;

use crate::flags::{Flag, Hinted, Takes};
use crate::program::Program;
use crate::subcommand::SUBCOMMANDS;

/// Completions for `shell`; `None` for a shell that is not known.
pub(crate) fn script(shell: &str, program: Program) -> Option<String> {
    let name = program.name();
    match shell {
        "bash" => Some(bash(name)),
        "zsh" => Some(zsh(name)),
        "fish" => Some(fish(name)),
        _ => None,
    }
}

/// Shells that are known.
pub(crate) const SHELLS: &str = "bash, zsh or fish";

const MEMORY: &str = "writing to memory does not fail";

fn flags() -> impl Iterator<Item = (Flag, Takes)> {
    let mut flags: Vec<_> = Flag::all().map(|flag| (flag, flag.takes())).collect();
    flags.sort_by_key(|(flag, _)| flag.name());
    flags.into_iter()
}

fn bash(name: &str) -> String {
    let mut cases = String::new();
    let mut words = Vec::new();
    for (flag, takes) in flags() {
        let flag = flag.name();
        words.push(if takes == Takes::Switch { format!("-{flag}") } else { format!("-{flag}=") });
        let action = match takes {
            Takes::Text(_, Hinted::Words(list)) => format!("-W '{}'", list.join(" ")),
            Takes::Text(_, Hinted::File) => "-f".to_owned(),
            Takes::Text(_, Hinted::Directory) => "-d".to_owned(),
            _ => continue,
        };
        writeln!(
            cases,
            "    -{flag}|--{flag}) COMPREPLY=($(compgen {action} -- \"$cur\")); return;;"
        )
        .expect(MEMORY);
    }
    let subcommands: Vec<_> = SUBCOMMANDS.iter().map(|s| s.name).collect();
    let (words, subcommands) = (words.join(" "), subcommands.join(" "));
    // Bash makes a word of its own of the equals sign between a flag and its value.
    format!(
        r#"# Completions for {name} in bash: source this file, or put it into bash-completion's directory.
_{name}() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}}
  if [ "$cur" = "=" ]; then
    cur=
  elif [ "$prev" = "=" ]; then
    prev=${{COMP_WORDS[COMP_CWORD-2]}}
  fi
  case $prev in
{cases}  esac
  case $cur in
    -*) COMPREPLY=($(compgen -W '{words}' -- "$cur")); [[ ${{COMPREPLY[0]-}} == *= ]] && compopt -o nospace;;
    *) COMPREPLY=($(compgen -f -W '{subcommands}' -- "$cur"));;
  esac
}}
complete -o filenames -F _{name} {name}
"#
    )
}

fn zsh(name: &str) -> String {
    let mut specs = String::new();
    for (flag, takes) in flags() {
        let about = zsh_text(&flag.about());
        let value = match takes {
            Takes::Switch => String::new(),
            Takes::Int => ":number:".to_owned(),
            Takes::Float => ":fraction:".to_owned(),
            Takes::Text(value, hint) => {
                let action = match hint {
                    Hinted::Words(list) => format!("({})", list.join(" ")),
                    Hinted::File => "_files".to_owned(),
                    Hinted::Directory => "_files -/".to_owned(),
                    Hinted::Nothing => String::new(),
                };
                format!(":{}:{action}", zsh_text(value))
            }
        };
        let equals = if takes == Takes::Switch { "" } else { "=" };
        writeln!(specs, "  '-{}{equals}[{about}]{value}' \\", flag.name()).expect(MEMORY);
    }
    format!(
        "#compdef {name}\n# Completions for {name} in zsh: put this file as _{name} into a directory of \
         $fpath.\n_arguments \\\n{specs}  '*:source:_files'\n"
    )
}

/// Text within a specification in single quotes.
fn zsh_text(text: &str) -> String {
    text.replace('\'', "").replace('[', "\\[").replace(']', "\\]").replace(':', "\\:")
}

fn fish(name: &str) -> String {
    let mut out = format!(
        "# Completions for {name} in fish: put this file into ~/.config/fish/completions.\n"
    );
    for subcommand in SUBCOMMANDS {
        let (word, about) = (subcommand.name, fish_text(subcommand.about));
        writeln!(out, "complete -c {name} -n __fish_use_subcommand -a {word} -d '{about}'")
            .expect(MEMORY);
    }
    for (flag, takes) in flags() {
        let rest = match takes {
            Takes::Switch => String::new(),
            Takes::Text(_, Hinted::Words(list)) => format!(" -x -a '{}'", list.join(" ")),
            Takes::Text(_, Hinted::File) => " -r -F".to_owned(),
            Takes::Text(_, Hinted::Directory) => {
                " -x -a '(__fish_complete_directories)'".to_owned()
            }
            _ => " -x".to_owned(),
        };
        let about = fish_text(&flag.about());
        writeln!(out, "complete -c {name} -o {}{rest} -d '{about}'", flag.name()).expect(MEMORY);
    }
    out
}

/// Text in single quotes.
fn fish_text(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\'', "\\'")
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;

    /// Whether `shell` accepts its script; skipped without that shell.
    #[track_caller]
    fn check(shell: &str) {
        let script = script(shell, Program::Oxprof).unwrap();
        assert!(Flag::all().all(|flag| script.contains(flag.name())));
        let child = Command::new(shell).arg("-n").stdin(Stdio::piped()).spawn();
        let Ok(mut child) = child else {
            eprintln!("skipped: no {shell} to ask");
            return;
        };
        child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success(), "{shell} does not accept\n{script}");
    }

    #[test]
    fn shells_accept_their_scripts() {
        check("bash");
        check("zsh");
        check("fish");
        assert!(script("tcsh", Program::Oxprof).is_none());
    }

    /// What bash suggests for the last of `words`.
    #[track_caller]
    fn check_bash(words: &str, last: usize, expected: &str) {
        let script = script("bash", Program::Oxprof).unwrap();
        let ask = format!(
            "{script}\ncompopt() {{ :; }}\nCOMP_WORDS=({words}); COMP_CWORD={last}; _oxprof; \
             echo ${{COMPREPLY[@]}}"
        );
        let Ok(output) = Command::new("bash").arg("-c").arg(ask).output() else {
            eprintln!("skipped: no bash to ask");
            return;
        };
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), expected);
    }

    #[test]
    fn bash_completes_flags_and_their_values() {
        check_bash("oxprof -nodec", 1, "-nodecount=");
        check_bash("oxprof -symbolize = lo", 3, "local");
        check_bash("oxprof -symbolize =", 2, "none local fastlocal remote force");
        check_bash("oxprof -unit m", 2, "minimum ms");
    }
}
