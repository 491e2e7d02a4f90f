//! The `-symbolize` flag.

/// Where names of functions come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Symbolize {
    /// From binaries on this machine.
    pub local: bool,
    /// From their symbol tables alone.
    pub fast: bool,
    /// From the server that the profile came from.
    pub remote: bool,
    /// Even if the profile has names.
    pub force: bool,
    /// How names are shortened; `None` leaves them as they are.
    pub demangle: Option<Demangle>,
}

/// How much of a mangled name is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Demangle {
    /// Neither parameters nor template arguments.
    Short,
    /// Template arguments, but no parameters.
    Templates,
    /// Everything.
    Full,
}

impl Default for Symbolize {
    fn default() -> Self {
        Self {
            local: true,
            fast: false,
            remote: true,
            force: false,
            demangle: Some(Demangle::Short),
        }
    }
}

impl Symbolize {
    /// What the flag accepts.
    pub(crate) const SYNTAX: &str =
        "[local|fastlocal|remote|none][:force][:demangle=[none|full|templates|default]";

    /// Reads the flag's value.
    ///
    /// # Errors
    /// The first part that is not known.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut mode = Self::default();
        parts(text).try_for_each(|part| mode.apply(&part).then_some(()).ok_or(part))?;
        Ok(mode)
    }

    /// Reads what is known of the flag's value and ignores the rest.
    pub(crate) fn parse_known(text: &str) -> Self {
        let mut mode = Self::default();
        for part in parts(text) {
            mode.apply(&part);
        }
        mode
    }

    /// Whether `part` is known.
    fn apply(&mut self, part: &str) -> bool {
        match part {
            "" => {}
            "none" | "no" => (self.local, self.remote, self.demangle) = (false, false, None),
            "local" => (self.local, self.remote) = (true, false),
            "fastlocal" => (self.local, self.fast, self.remote) = (true, true, false),
            "remote" => (self.local, self.remote) = (false, true),
            "force" => self.force = true,
            _ => return self.apply_demangle(part),
        }
        true
    }

    fn apply_demangle(&mut self, part: &str) -> bool {
        let demangle = match part.strip_prefix("demangle=") {
            Some("none") => None,
            Some("full") => Some(Demangle::Full),
            Some("templates") => Some(Demangle::Templates),
            Some("default") => Some(Demangle::Short),
            _ => return false,
        };
        self.demangle = demangle;
        self.force |= part != "demangle=default";
        true
    }
}

fn parts(text: &str) -> impl Iterator<Item = String> {
    text.split(':').map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up() {
        #[track_caller]
        fn check(text: &str, expected: Symbolize) {
            assert_eq!(Symbolize::parse(text), Ok(expected), "{text}");
        }
        let all = Symbolize::default;
        check("", all());
        check("None", Symbolize { local: false, remote: false, demangle: None, ..all() });
        check("LOCAL", Symbolize { remote: false, ..all() });
        check("fastlocal", Symbolize { fast: true, remote: false, ..all() });
        check("remote:force", Symbolize { local: false, force: true, ..all() });
        check("demangle=full", Symbolize { force: true, demangle: Some(Demangle::Full), ..all() });
        check("demangle=default", all());
    }

    #[test]
    fn the_unknown_part_is_named() {
        assert_eq!(Symbolize::parse("local:foo"), Err("foo".into()));
        assert!(!Symbolize::parse_known("local:foo").remote);
    }
}
