//! Where on the border of a box its edges start and end.

/// An edge that wants to leave a box.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    /// Where it would like to, relative to the middle of the box.
    pub(super) x: f64,
    pub(super) weight: f64,
}

/// Part of the half width on which edges may end.
const ZONE: f64 = 0.8;
/// How far edges lean towards where they go.
const LEAN: f64 = 0.45;
/// Distance between edges where there is room.
const SPACING: f64 = 10.0;

/// Places for edges that are in order from left to right, so that they keep apart and heavy ones get
/// what they wish.
pub(super) fn spread(wishes: &[Wish], half_width: f64) -> Vec<f64> {
    let zone = half_width * ZONE;
    let gaps = wishes.len().saturating_sub(1).max(1) as f64;
    let spacing = SPACING.min(2.0 * zone / gaps);
    let places = wishes
        .iter()
        .zip(0..)
        .map(|(w, i)| ((w.x * LEAN).clamp(-zone, zone) - f64::from(i) * spacing, w.weight));
    let mut places = in_order(places);
    let last = places.len().saturating_sub(1) as f64;
    for (i, place) in places.iter_mut().enumerate() {
        let i = i as f64;
        *place += i * spacing;
        // Not `clamp`: where nothing is left to choose, rounding may put the limits in the wrong order.
        *place = place.max(-zone + i * spacing).min(zone - (last - i) * spacing);
    }
    places
}

/// The values nearest to the given ones, by weight, that do not decrease.
fn in_order(values: impl Iterator<Item = (f64, f64)>) -> Vec<f64> {
    let mut groups: Vec<(f64, f64, usize)> = Vec::new();
    for (value, weight) in values {
        let mut group = (value, weight, 1);
        while let Some(&(before, heavy, count)) = groups.last()
            && before > group.0
        {
            let weight = heavy + group.1;
            group = ((before * heavy + group.0 * group.1) / weight, weight, count + group.2);
            groups.pop();
        }
        groups.push(group);
    }
    groups.into_iter().flat_map(|(value, _, count)| std::iter::repeat_n(value, count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(wishes: &[(f64, f64)], half_width: f64, expected: &[f64]) {
        let wishes: Vec<_> = wishes.iter().map(|&(x, weight)| Wish { x, weight }).collect();
        assert_eq!(spread(&wishes, half_width), expected);
    }

    #[test]
    fn a_straight_edge_stays_in_the_middle() {
        check(&[(0.0, 1.0)], 50.0, &[0.0]);
    }

    #[test]
    fn edges_keep_apart() {
        check(&[(0.0, 1.0), (0.0, 1.0)], 50.0, &[-5.0, 5.0]);
        check(&[(0.0, 9.0), (0.0, 1.0)], 50.0, &[-1.0, 9.0]);
    }

    #[test]
    fn edges_stay_on_the_border() {
        check(&[(-1000.0, 1.0), (1000.0, 1.0)], 50.0, &[-40.0, 40.0]);
        check(&[(1000.0, 1.0); 3], 5.0, &[-4.0, 0.0, 4.0]);
    }
}
