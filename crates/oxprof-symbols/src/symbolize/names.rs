//! Names for people in a whole profile.

use oxprof_profile::{Profile, StrId};

use crate::{Demangle, demangle};

/// Demangles the functions of `profile` whose name is still the one for the linker.
///
/// With `force`, names that differ from their system name are made anew from it.
pub fn demangle_functions(profile: &mut Profile, style: Demangle, force: bool) {
    let Profile { functions, strings, .. } = profile;
    for function in functions {
        if force && !function.name.is_empty() && !function.system_name.is_empty() {
            function.name = function.system_name;
        }
        if function.name == StrId::EMPTY {
            function.name = function.system_name;
        }
        if function.name == function.system_name {
            let name = demangle(strings.get(function.name), style).into_owned();
            function.name = strings.intern(&name);
        }
    }
}
