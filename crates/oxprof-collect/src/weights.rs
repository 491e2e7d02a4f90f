//! What functions and stacks of a profile weigh.

use std::collections::HashMap;
use std::hash::Hash;

use oxprof_profile::{FunctionIdx, LocationIdx, Profile, StrId};
use rustc_hash::{FxBuildHasher, FxHashSet};

/// Weights of one value of a profile.
#[derive(Clone, Debug, Default)]
pub struct Weights {
    /// Sum over all samples.
    pub total: i64,
    /// By function name.
    pub functions: HashMap<String, Weight, FxBuildHasher>,
    /// By caller and callee, what the callee costs on behalf of the caller.
    pub calls: HashMap<(String, String), i64, FxBuildHasher>,
}

/// What a function weighs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weight {
    /// By itself.
    pub flat: i64,
    /// With all that it calls.
    pub cum: i64,
}

/// The column of the first of these values that the profile has.
pub fn column(profile: &Profile, names: &[&str]) -> Option<usize> {
    let named =
        |name: &&str| profile.sample_types.iter().position(|t| profile.str(t.kind) == *name);
    names.iter().find_map(named)
}

/// The column that the profile itself would show first; `None` if it has no values.
pub fn main_column(profile: &Profile) -> Option<usize> {
    let default = profile.str(profile.default_sample_type);
    let last = profile.sample_types.len().checked_sub(1)?;
    Some(column(profile, &[default]).filter(|_| !default.is_empty()).unwrap_or(last))
}

/// Weighs functions by the values of a column. Recursion counts once.
pub fn weigh(profile: &Profile, column: usize) -> Weights {
    let mut by_name: HashMap<StrId, Weight, FxBuildHasher> = HashMap::default();
    let mut calls: HashMap<(StrId, StrId), i64, FxBuildHasher> = HashMap::default();
    let (mut seen, mut seen_calls) = (FxHashSet::default(), FxHashSet::default());
    let mut total = 0i64;
    for sample in profile.samples.iter() {
        let value = sample.values[column];
        total = total.saturating_add(value);
        seen.clear();
        seen_calls.clear();
        let mut callee = None;
        for name in names(profile, sample.stack) {
            let weight = by_name.entry(name).or_default();
            match callee {
                None => weight.flat = weight.flat.saturating_add(value),
                Some(callee) if callee != name && seen_calls.insert((name, callee)) => {
                    add(&mut calls, (name, callee), value);
                }
                Some(_) => {}
            }
            if seen.insert(name) {
                weight.cum = weight.cum.saturating_add(value);
            }
            callee = Some(name);
        }
    }
    let text = |id: StrId| profile.str(id).to_owned();
    let functions = by_name.into_iter().map(|(name, weight)| (text(name), weight)).collect();
    let calls = calls.into_iter().map(|((a, b), value)| ((text(a), text(b)), value)).collect();
    Weights { total, functions, calls }
}

fn add<K: Hash + Eq>(map: &mut HashMap<K, i64, FxBuildHasher>, key: K, value: i64) {
    let sum = map.entry(key).or_default();
    *sum = sum.saturating_add(value);
}

/// Function names of a stack, leaf first, inlined ones included. Places without a name are left out.
fn names<'a>(profile: &'a Profile, stack: &'a [LocationIdx]) -> impl Iterator<Item = StrId> + 'a {
    let name = |function: FunctionIdx| profile.functions[function.index()].name;
    stack.iter().flat_map(move |&l| profile.lines_of(l).iter().map(move |line| name(line.function)))
}

/// Values of a column by stack of function names, leaf first.
pub fn by_stack(profile: &Profile, column: usize) -> HashMap<Vec<String>, i64, FxBuildHasher> {
    let mut stacks = HashMap::default();
    for sample in profile.samples.iter() {
        let stack: Vec<_> =
            names(profile, sample.stack).map(|n| profile.str(n).to_owned()).collect();
        add(&mut stacks, stack, sample.values[column]);
    }
    stacks
}

#[cfg(test)]
mod tests {
    use oxprof_profile::decode_folded;

    use super::*;

    #[test]
    fn recursion_counts_once() {
        let profile = decode_folded(b"main;f;g;f 3\nmain;f 2\n").unwrap();
        let weights = weigh(&profile, 0);
        assert_eq!(weights.total, 5);
        assert_eq!(weights.functions["f"], Weight { flat: 5, cum: 5 });
        assert_eq!(weights.functions["g"], Weight { flat: 0, cum: 3 });
        assert_eq!(weights.functions["main"], Weight { flat: 0, cum: 5 });
        assert_eq!(weights.calls[&("main".into(), "f".into())], 5);
        assert_eq!(weights.calls[&("f".into(), "g".into())], 3);
        let stacks = by_stack(&profile, 0);
        assert_eq!(stacks[&["f", "main"].map(String::from).to_vec()], 2);
    }
}
