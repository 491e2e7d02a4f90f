//! Making profiles comparable: common sample types, common units.

use crate::merge::MergeError;
use crate::units::ratio;
use crate::{Profile, StrId, ValueType};

/// Prepares profiles from different sources for [`merge`](crate::merge()).
///
/// Their sample types are reduced to those that all of them have, by name, in the order of the first
/// profile. Each type, and the period, is then scaled to the finest unit that one of them uses; names of
/// types may differ by a plural `s` in that. Profiles that are alike already are left as they are.
///
/// # Errors
/// When no sample type is common to all, or when units of one type measure different things.
pub fn harmonize(profiles: &mut [&mut Profile]) -> Result<(), MergeError> {
    reduce_to_common_types(profiles)?;
    unify_periods(profiles)?;
    unify_sample_types(profiles)
}

fn reduce_to_common_types(profiles: &mut [&mut Profile]) -> Result<(), MergeError> {
    let Some((first, rest)) = profiles.split_first() else { return Err(MergeError::NoProfiles) };
    let everywhere = |name: &&str| rest.iter().all(|profile| profile.column(name).is_some());
    let names = first.sample_types.iter().map(|t| first.str(t.kind));
    let common: Vec<String> = names.filter(everywhere).map(str::to_owned).collect();
    let samples = profiles.iter().any(|p| !p.sample_types.is_empty());
    if common.is_empty() && samples {
        return Err(MergeError::NoCommonSampleType);
    }
    profiles.iter_mut().for_each(|profile| profile.keep_types(&common));
    Ok(())
}

impl Profile {
    /// Position of the first sample type with this name.
    fn column(&self, name: &str) -> Option<usize> {
        self.sample_types.iter().position(|t| self.str(t.kind) == name)
    }

    fn keep_types(&mut self, names: &[String]) {
        let columns: Vec<_> = names.iter().filter_map(|name| self.column(name)).collect();
        if !columns.iter().copied().eq(0..self.sample_types.len()) {
            self.sample_types = columns.iter().map(|&c| self.sample_types[c]).collect();
            self.samples.select_values(&columns);
        }
        let default = self.default_sample_type;
        if !default.is_empty() && !self.sample_types.iter().any(|t| t.kind == default) {
            self.default_sample_type = self.sample_types.first().map_or(StrId::EMPTY, |t| t.kind);
        }
    }

    fn type_text(&self, t: ValueType) -> (&str, &str) {
        (self.str(t.kind), self.str(t.unit))
    }
}

fn unify_periods(profiles: &mut [&mut Profile]) -> Result<(), MergeError> {
    let types: Vec<_> = profiles.iter().map(|p| p.type_text(p.period_type)).collect();
    let (kind, unit) = finest("period types", &types)?;
    for profile in profiles {
        let factor = ratio(profile.str(profile.period_type.unit), &unit).unwrap_or(1.0);
        profile.period = crate::scale::scale_value(profile.period, factor);
        profile.period_type =
            ValueType { kind: profile.strings.intern(&kind), unit: profile.strings.intern(&unit) };
    }
    Ok(())
}

fn unify_sample_types(profiles: &mut [&mut Profile]) -> Result<(), MergeError> {
    let width = profiles.first().map_or(0, |p| p.sample_types.len());
    let mut chosen = Vec::with_capacity(width);
    for column in 0..width {
        let types: Vec<_> = profiles.iter().map(|p| p.type_text(p.sample_types[column])).collect();
        chosen.push(finest("sample types", &types)?);
    }
    for profile in profiles {
        let unit_of = |t: &ValueType| profile.str(t.unit);
        let pairs = profile.sample_types.iter().zip(&chosen);
        let factors: Vec<_> =
            pairs.map(|(t, (_, unit))| ratio(unit_of(t), unit).unwrap_or(1.0)).collect();
        profile.scale_each(&factors);
        for (column, (kind, unit)) in chosen.iter().enumerate() {
            let default = profile.default_sample_type == profile.sample_types[column].kind;
            let kind = profile.strings.intern(kind);
            profile.sample_types[column] = ValueType { kind, unit: profile.strings.intern(unit) };
            if default {
                profile.default_sample_type = kind;
            }
        }
    }
    Ok(())
}

/// The type with the finest unit; all must measure the same.
fn finest(what: &'static str, types: &[(&str, &str)]) -> Result<(String, String), MergeError> {
    let mut finest = types[0];
    for &other in &types[1..] {
        let same_name = singular(finest.0) == singular(other.0);
        match ratio(other.1, finest.1) {
            Some(factor) if same_name => {
                if factor < 1.0 {
                    finest = other;
                }
            }
            _ => return Err(incompatible(what, finest, other)),
        }
    }
    Ok((finest.0.to_owned(), finest.1.to_owned()))
}

fn incompatible(what: &'static str, one: (&str, &str), other: (&str, &str)) -> MergeError {
    let text = |(kind, unit): (&str, &str)| format!("[{kind}/{unit}]");
    MergeError::Incompatible { what, one: text(one), other: text(other) }
}

fn singular(name: &str) -> &str {
    name.strip_suffix('s').unwrap_or(name)
}
