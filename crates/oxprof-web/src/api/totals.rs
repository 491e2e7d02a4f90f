//! What frames cost, by name, added up over a view.

use oxprof_profile::Label;

use crate::view::View;

/// What a name costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Itself.
    pub(crate) flat: i64,
    /// Together with all that it calls.
    pub(crate) cum: i64,
}

/// Costs by name, and how samples of different kinds split them.
#[derive(Debug)]
pub(crate) struct Totals {
    pub(crate) costs: Vec<Cost>,
    /// The whole.
    pub(crate) sum: i64,
}

/// Samples of a comparison's base bear this label.
pub(crate) const BASE: &str = "pprof::base";

/// Adds up absolute values: of comparisons, what increased and what decreased together.
pub(crate) fn weights(view: &View) -> Totals {
    let stacks = view.report().stacks().map(|(stack, value)| (stack, value.saturating_abs()));
    add_up(view, stacks)
}

/// Costs in the base and in the profile of a comparison; `None` if the view is none, or samples do not tell.
pub(crate) fn before_and_after(view: &View) -> Option<[Totals; 2]> {
    let profile = &view.prepared.profile;
    let key = profile.strings.find(BASE)?;
    let is_base = |labels: &[Label]| labels.iter().any(|label| label.key == key);
    let options = &view.prepared.options;
    let part = |base: bool, sign: i64| {
        let samples = profile.samples.iter().filter(move |s| is_base(s.labels) == base);
        add_up(view, samples.map(move |s| (s.stack, sign * options.value.value(s.values))))
    };
    Some([part(true, -1), part(false, 1)])
}

fn add_up<'p>(
    view: &View,
    stacks: impl Iterator<Item = (&'p [oxprof_profile::LocationIdx], i64)>,
) -> Totals {
    let names = view.names();
    let mut costs = vec![Cost::default(); names.texts().len()];
    let mut seen_by = vec![usize::MAX; names.texts().len()];
    let mut sum = 0_i64;
    for (i, (stack, value)) in stacks.enumerate() {
        sum = sum.saturating_add(value);
        let mut leaf = None;
        for name in names.of_stack(stack) {
            leaf = Some(name);
            if std::mem::replace(&mut seen_by[name as usize], i) != i {
                let cum = &mut costs[name as usize].cum;
                *cum = cum.saturating_add(value);
            }
        }
        if let Some(name) = leaf {
            let flat = &mut costs[name as usize].flat;
            *flat = flat.saturating_add(value);
        }
    }
    Totals { costs, sum }
}

/// What samples with any of the names weigh together.
pub(crate) fn through(view: &View, names: &[bool]) -> i64 {
    let has = |stack| view.names().of_stack(stack).any(|name| names[name as usize]);
    let matching = view.report().stacks().filter(|(stack, _)| has(*stack));
    matching.fold(0, |sum, (_, value)| sum.saturating_add(value.saturating_abs()))
}
