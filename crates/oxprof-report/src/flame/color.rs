//! Colours that tell packages apart.

use crate::drawing::Color;

/// An angle that depends on the package of a function, and a little on the function.
pub(super) fn hue(name: &str) -> u16 {
    const SPREAD: u32 = 24;
    ((hash(package(name)) % 360 + hash(name) % SPREAD) % 360) as u16
}

fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, b| (hash ^ u32::from(b)).wrapping_mul(0x0100_0193))
}

/// The crate of `<a::B as c::D>::e`, the namespace of `a::b(…)`, the package of `host/a/b.(*T).f`.
pub fn package(name: &str) -> &str {
    let up_to_types = |name| str::split(name, ['<', '(', ' ']).next().unwrap_or(name);
    let inner = up_to_types(name.trim_start_matches(['<', '&', '*', '_']));
    if let Some((first, _)) = inner.split_once("::") {
        return first;
    }
    let whole = name;
    let name = up_to_types(name);
    if name.is_empty() {
        return whole;
    }
    let start = name.rfind('/').map_or(0, |i| i + 1);
    name[start..].find('.').map_or(name, |i| &name[..start + i])
}

/// A light colour of this hue.
pub(super) fn pastel(hue: u16) -> Color {
    hsl(f64::from(hue), 0.6, 0.8)
}

/// The colour of a difference: red for more, green for less, and grey for none.
pub(super) fn change(net: i64, weight: i64) -> Color {
    let share = net as f64 / weight.max(1) as f64;
    let hue = if share > 0.0 { 4.0 } else { 140.0 };
    hsl(hue, 0.7 * share.abs(), 0.85 - 0.15 * share.abs())
}

fn hsl(hue: f64, saturation: f64, lightness: f64) -> Color {
    let reach = saturation * lightness.min(1.0 - lightness);
    let channel = |offset: f64| {
        let k = (offset + hue / 30.0) % 12.0;
        let value = lightness - reach * (k - 3.0).min(9.0 - k).clamp(-1.0, 1.0);
        (value * 255.0).round() as u8
    };
    Color(channel(0.0), channel(8.0), channel(4.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_found_in_names_of_many_languages() {
        let check = |name, expected| assert_eq!(package(name), expected, "{name}");
        check("<alloc::vec::Vec<T> as core::ops::Drop>::drop", "alloc");
        check("std::rt::lang_start", "std");
        check("github.com/a/b.(*T).Run", "github.com/a/b");
        check("runtime.mallocgc", "runtime");
        check("ns::f(std::string)", "ns");
        check("main", "main");
        check("_int_malloc", "_int_malloc");
        check("<unknown>", "<unknown>");
        check("", "");
    }

    #[test]
    fn hues_are_where_they_should_be() {
        assert_eq!(hsl(0.0, 1.0, 0.5), Color(255, 0, 0));
        assert_eq!(hsl(120.0, 1.0, 0.5), Color(0, 255, 0));
        assert_eq!(hsl(240.0, 1.0, 0.5), Color(0, 0, 255));
        assert_eq!(change(0, 9), Color(217, 217, 217));
    }
}
