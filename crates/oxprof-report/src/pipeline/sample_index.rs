//! Which value of the samples a report is about.

use std::fmt;

use oxprof_profile::Profile;

/// Why there is no such value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SampleIndexError {
    /// A number beyond the last one.
    Range {
        /// The number.
        index: String,
        /// The last one.
        last: usize,
    },
    /// A name that none has.
    Name {
        /// The name.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
}

impl fmt::Display for SampleIndexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range { index, last } => {
                write!(f, "sample_index {index} is outside the range [0..{last}]")
            }
            Self::Name { name, known } => {
                write!(f, "sample_index {name:?} must be one of: [{}]", known.join(" "))
            }
        }
    }
}

impl std::error::Error for SampleIndexError {}

/// The position of the value that `text` selects: its name, its number, or the default if empty.
///
/// # Errors
/// When there is no such value.
///
/// # Panics
/// When the profile has no values at all.
pub fn sample_index(profile: &Profile, text: &str) -> Result<usize, SampleIndexError> {
    let count = profile.sample_types.len();
    let position = |name: &str| {
        profile.sample_types.iter().position(|t| !name.is_empty() && profile.str(t.kind) == name)
    };
    if text.is_empty() {
        return Ok(position(profile.str(profile.default_sample_type)).unwrap_or(count - 1));
    }
    if let Ok(index) = text.parse::<i64>() {
        let index = usize::try_from(index).ok().filter(|&index| index < count);
        let error = || SampleIndexError::Range { index: text.to_owned(), last: count - 1 };
        return index.ok_or_else(error);
    }
    // Old profiles say `space` and `objects` for what is in use.
    let old = text.strip_prefix("inuse_").unwrap_or(text);
    let named = |t: &oxprof_profile::ValueType| [text, old].contains(&profile.str(t.kind));
    let found = profile.sample_types.iter().position(named);
    found.ok_or_else(|| SampleIndexError::Name {
        name: text.to_owned(),
        known: profile.sample_types.iter().map(|t| profile.str(t.kind).to_owned()).collect(),
    })
}

#[cfg(test)]
mod tests {
    use oxprof_profile::ValueType;

    use super::*;

    fn profile(kinds: &[&str], default: &str) -> Profile {
        let mut p = Profile::default();
        p.sample_types = kinds
            .iter()
            .map(|kind| ValueType { kind: p.strings.intern(kind), ..ValueType::default() })
            .collect();
        p.default_sample_type = p.strings.intern(default);
        p
    }

    #[track_caller]
    fn check(text: &str, expected: Result<usize, &str>) {
        let p = profile(&["samples", "space", "cpu"], "");
        let found = sample_index(&p, text).map_err(|e| e.to_string());
        assert_eq!(found, expected.map_err(str::to_owned));
    }

    #[test]
    fn values_go_by_name_or_number() {
        check("", Ok(2));
        check("samples", Ok(0));
        check("1", Ok(1));
        check("inuse_space", Ok(1));
        check("9", Err("sample_index 9 is outside the range [0..2]"));
        check("-1", Err("sample_index -1 is outside the range [0..2]"));
        check("foo", Err("sample_index \"foo\" must be one of: [samples space cpu]"));
    }

    #[test]
    fn the_default_is_the_profiles_own_or_the_last() {
        assert_eq!(sample_index(&profile(&["a", "b"], "a"), ""), Ok(0));
        assert_eq!(sample_index(&profile(&["a", "b"], "c"), ""), Ok(1));
    }
}
