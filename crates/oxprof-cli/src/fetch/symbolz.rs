//! Names from the server that a profile came from, through its symbol endpoint.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write;

use oxprof_profile::{Function, FunctionIdx, Line, LocationIdx, MappingIdx, Profile, StrId};

use super::http;
use super::url::Url;
use crate::failure::{Failure, Result};
use crate::plan::FetchPlan;

/// A server that knows names for the addresses of a mapping.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// Build id or file of the mapping.
    key: String,
    /// Where the mapping started there.
    start: u64,
    /// What the profile was fetched from.
    url: Url,
}

/// Where names for the mappings of a profile that was fetched from `url` can be asked for.
pub(super) fn origins(profile: &Profile, url: &Url) -> Vec<Origin> {
    let origin = |m: &oxprof_profile::Mapping| Origin {
        key: key(profile, m.build_id, m.file).to_owned(),
        start: m.start,
        url: url.clone(),
    };
    profile.mappings.iter().map(origin).collect()
}

fn key(profile: &Profile, build_id: StrId, file: StrId) -> &str {
    profile.str(if build_id.is_empty() { file } else { build_id })
}

/// Asks servers for the names of functions where a mapping has none, or of all if `force`.
///
/// # Errors
/// When a server fails to answer: the profile would be without names, and the user could not tell
/// why.
pub(crate) fn symbolize(
    profile: &mut Profile,
    origins: &[Origin],
    force: bool,
    plan: &FetchPlan,
) -> Result<()> {
    for i in 0..profile.mappings.len() {
        let mapping = profile.mappings[i];
        if mapping.has_functions && !force {
            continue;
        }
        let key = key(profile, mapping.build_id, mapping.file).to_owned();
        for origin in origins.iter().filter(|o| o.key == key) {
            let shift = origin.start.wrapping_sub(mapping.start);
            let places = Places::of(profile, MappingIdx::from_index(i), force, shift);
            if places.addresses.is_empty() {
                break;
            }
            let answer = http::post(&symbol_url(&origin.url), places.question(), plan);
            let answer = answer.map_err(|e| Failure::new(format_args!("http post {e}")))?;
            places.apply(profile, &names(&answer));
            profile.mappings[i].has_functions = true;
        }
    }
    Ok(())
}

/// Where a server answers for names, given where it answered with a profile.
fn symbol_url(profile: &Url) -> Url {
    const PROFILES: &[&str] = &["heap", "growth", "profile", "pmuprofile", "contention"];
    let (directory, last) = profile.path.rsplit_once('/').unwrap_or(("", ""));
    let is_go = format!("{directory}/").contains("/debug/pprof/");
    let is_pprof = directory.ends_with("/pprof") && PROFILES.contains(&last);
    let name = if is_go || is_pprof { "symbol" } else { "symbolz" };
    Url { path: format!("{directory}/{name}"), query: Vec::new(), ..profile.clone() }
}

/// Locations to find names for, by address.
struct Places {
    locations: Vec<LocationIdx>,
    addresses: BTreeSet<u64>,
    shift: u64,
}

impl Places {
    fn of(profile: &Profile, mapping: MappingIdx, force: bool, shift: u64) -> Self {
        let wanted = |i: &LocationIdx| {
            let location = &profile.locations[i.index()];
            let named = !location.lines.is_empty() && !force;
            location.mapping == Some(mapping) && location.address != 0 && !named
        };
        let all = (0..profile.locations.len()).map(LocationIdx::from_index);
        let locations: Vec<_> = all.filter(wanted).collect();
        let address = |i: &LocationIdx| profile.locations[i.index()].address.wrapping_add(shift);
        let addresses = locations.iter().map(address).collect();
        Self { locations, addresses, shift }
    }

    fn question(&self) -> String {
        let mut question = String::new();
        for address in &self.addresses {
            let plus = if question.is_empty() { "" } else { "+" };
            write!(question, "{plus}{address:#x}").expect("writing to memory does not fail");
        }
        question
    }

    fn apply(&self, profile: &mut Profile, names: &HashMap<u64, &str>) {
        let mut functions: HashMap<&str, FunctionIdx> = HashMap::new();
        let mut next_id = profile.functions.iter().map(|f| f.id).max().unwrap_or(0);
        for &location in &self.locations {
            let address = profile.locations[location.index()].address.wrapping_add(self.shift);
            let Some(&name) = names.get(&address) else { continue };
            let function = *functions.entry(name).or_insert_with(|| {
                next_id = next_id.wrapping_add(1);
                add_function(profile, next_id, name)
            });
            let end = u32::try_from(profile.lines.len()).expect("a location has few lines");
            profile.lines.push(Line { function, line: 0, column: 0 });
            profile.locations[location.index()].lines = end..end + 1;
        }
    }
}

fn add_function(profile: &mut Profile, id: u64, name: &str) -> FunctionIdx {
    let name = profile.strings.intern(name);
    profile.functions.push(Function { id, name, system_name: name, ..Function::default() });
    FunctionIdx::from_index(profile.functions.len() - 1)
}

/// Reads lines `0xADDRESS NAME`; others say nothing about names.
fn names(answer: &[u8]) -> HashMap<u64, &str> {
    let lines = answer.split(|&b| b == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
    lines
        .filter_map(|line| {
            let (address, name) = line.strip_prefix("0x")?.split_once(char::is_whitespace)?;
            let name = name.trim();
            let address = u64::from_str_radix(address, 16).ok()?;
            (!name.is_empty()).then_some((address, name))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use oxprof_profile::{Location, Mapping};

    use super::*;

    #[test]
    fn the_symbol_endpoint_is_beside_the_profile() {
        #[track_caller]
        fn check(profile: &str, expected: &str) {
            let url = symbol_url(&Url::parse(profile).unwrap());
            assert_eq!(url.to_string(), expected);
        }
        check("http://h/debug/pprof/heap?gc=1", "http://h/debug/pprof/symbol");
        check("http://h/a/debug/pprof/custom/x", "http://h/a/debug/pprof/custom/symbol");
        check("http://h/pprof/contention", "http://h/pprof/symbol");
        check("http://h/pprof/other", "http://h/pprof/symbolz");
        check("http://h/profilez?seconds=5", "http://h/symbolz");
    }

    #[test]
    fn answers_name_addresses() {
        let names = names(b"num_symbols: 2\n0x10\tmain\n0x20 std::vec<a b>\n0x30\nrubbish\n");
        assert_eq!(names, HashMap::from([(0x10, "main"), (0x20, "std::vec<a b>")]));
    }

    #[test]
    fn addresses_are_asked_for_where_the_server_has_them() {
        let mut p = Profile::default();
        p.mappings.push(Mapping { id: 1, start: 0x1000, ..Mapping::default() });
        for (id, address) in [(1, 0x1010), (2, 0x1020), (3, 0x1010), (4, 0)] {
            let mapping = Some(MappingIdx::from_index(0));
            p.locations.push(Location { id, address, mapping, ..Location::default() });
        }
        let shift = 0x5000_u64.wrapping_sub(0x1000);
        let places = Places::of(&p, MappingIdx::from_index(0), false, shift);
        assert_eq!(places.question(), "0x5010+0x5020");
        places.apply(&mut p, &HashMap::from([(0x5010, "main")]));
        let named = |i: usize| p.lines_of(LocationIdx::from_index(i)).len();
        assert_eq!([named(0), named(1), named(2), named(3)], [1, 0, 1, 0]);
        assert_eq!(p.functions.len(), 1);
    }
}
