//! Samples in columns, and how rows of them are read, added and edited in place.

use std::ops::Range;
use std::sync::Arc;

use crate::{Label, LocationIdx};

/// Samples in columns.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    /// Values of all samples, `width` a sample.
    values: Vec<i64>,
    /// Frames of all stacks, leaf first. By far the largest column: copies share it until one of them changes it.
    stacks: Arc<Vec<LocationIdx>>,
    stack_ends: Vec<u32>,
    labels: Vec<Label>,
    label_ends: Vec<u32>,
    width: usize,
}

/// One row of [`Samples`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample<'a> {
    /// One value per sample type.
    pub values: &'a [i64],
    /// The stack, leaf first.
    pub stack: &'a [LocationIdx],
    /// Tags, in the order of the file.
    pub labels: &'a [Label],
}

impl Samples {
    /// No samples, each to have `width` values.
    pub fn new(width: usize) -> Self {
        Self { width, ..Self::default() }
    }

    /// No samples yet, with room for some.
    pub(crate) fn with_capacity(width: usize, samples: usize) -> Self {
        Self {
            values: Vec::with_capacity(samples.saturating_mul(width)),
            stack_ends: Vec::with_capacity(samples),
            label_ends: Vec::with_capacity(samples),
            ..Self::new(width)
        }
    }

    /// Number of values of each sample.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.stack_ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.stack_ends.is_empty()
    }

    /// Sample `i`.
    ///
    /// # Panics
    /// When `i` is not below [`len`](Self::len).
    #[inline]
    pub fn get(&self, i: usize) -> Sample<'_> {
        Sample { values: self.values(i), stack: self.stack(i), labels: self.labels(i) }
    }

    /// Values of sample `i`, one per sample type.
    #[inline]
    pub fn values(&self, i: usize) -> &[i64] {
        &self.values[i * self.width..(i + 1) * self.width]
    }

    /// Values of sample `i`, to change.
    #[inline]
    pub fn values_mut(&mut self, i: usize) -> &mut [i64] {
        &mut self.values[i * self.width..(i + 1) * self.width]
    }

    /// Stack of sample `i`, leaf first.
    #[inline]
    pub fn stack(&self, i: usize) -> &[LocationIdx] {
        &self.stacks[row(&self.stack_ends, i)]
    }

    /// Labels of sample `i`.
    #[inline]
    pub fn labels(&self, i: usize) -> &[Label] {
        &self.labels[row(&self.label_ends, i)]
    }

    /// All samples in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Sample<'_>> + Clone {
        (0..self.len()).map(|i| self.get(i))
    }

    /// Appends a sample.
    ///
    /// # Panics
    /// When the number of values is not [`width`](Self::width).
    pub fn push(&mut self, values: &[i64], stack: &[LocationIdx], labels: &[Label]) {
        assert_eq!(values.len(), self.width, "a sample has one value per sample type");
        self.values.extend_from_slice(values);
        Arc::make_mut(&mut self.stacks).extend_from_slice(stack);
        self.stack_ends.push(end_of(self.stacks.len()));
        self.labels.extend_from_slice(labels);
        self.label_ends.push(end_of(self.labels.len()));
    }

    /// Removes all samples and sample types; their memory stays.
    pub(crate) fn clear(&mut self) {
        // What is shared stays with the others.
        if Arc::get_mut(&mut self.stacks).is_none() {
            self.stacks = Arc::default();
        }
        self.truncate(0);
        self.width = 0;
    }

    /// Adds a value to each sample, of which there are none yet.
    pub(crate) fn widen(&mut self) {
        debug_assert!(self.is_empty(), "there would be values missing");
        self.width += 1;
    }

    /// Adds a value to the sample that [`end_sample`](Self::end_sample) will complete.
    #[inline]
    pub(crate) fn add_value(&mut self, value: i64) {
        self.values.push(value);
    }

    /// Adds a frame to it, from leaf to root.
    #[inline]
    pub(crate) fn add_frame(&mut self, location: LocationIdx) {
        Arc::make_mut(&mut self.stacks).push(location);
    }

    /// Adds frames to it: `fill` gets room for as many as `most` and says how many there are, none if it fails.
    #[inline]
    pub(crate) fn add_frames<E>(
        &mut self,
        most: usize,
        fill: impl FnOnce(&mut [LocationIdx]) -> Result<usize, E>,
    ) -> Result<(), E> {
        let stacks = Arc::make_mut(&mut self.stacks);
        let start = stacks.len();
        stacks.resize(start + most, LocationIdx(0));
        let filled = fill(&mut stacks[start..]);
        stacks.truncate(start + *filled.as_ref().unwrap_or(&0));
        filled.map(drop)
    }

    /// Appends rows of others, of which each has as many values, with frames and labels translated.
    pub(crate) fn add_rows(
        &mut self,
        from: &Self,
        rows: Range<usize>,
        location: impl FnMut(LocationIdx) -> LocationIdx,
        label: impl FnMut(Label) -> Label,
    ) {
        debug_assert_eq!(self.width, from.width, "a sample has one value per sample type");
        let add_ends = |ends: &mut Vec<u32>, start: usize, from: &[u32]| {
            let (start, before) = (end_of(start), row_start(from, rows.start) as u32);
            ends.extend(from[rows.clone()].iter().map(|end| start + (end - before)));
        };
        add_ends(&mut self.stack_ends, self.stacks.len(), &from.stack_ends);
        add_ends(&mut self.label_ends, self.labels.len(), &from.label_ends);
        let frames = from.frames(&rows).iter().copied().map(location);
        Arc::make_mut(&mut self.stacks).extend(frames);
        let labels = &from.labels[span(&from.label_ends, &rows)];
        self.labels.extend(labels.iter().copied().map(label));
        let values = rows.start * self.width..rows.end * self.width;
        self.values.extend_from_slice(&from.values[values]);
    }

    /// Frames of these samples together.
    pub(crate) fn frames(&self, rows: &Range<usize>) -> &[LocationIdx] {
        &self.stacks[span(&self.stack_ends, rows)]
    }

    /// Whether two samples have the same stack and the same labels.
    #[inline]
    pub(crate) fn is_same_place(&self, one: usize, other: usize) -> bool {
        self.stack(one) == self.stack(other) && self.labels(one) == self.labels(other)
    }

    /// Adds the values of a sample to those of one before it, wrapping around.
    #[inline]
    pub(crate) fn add_values(&mut self, to: usize, from: usize) {
        let (sums, values) = self.values.split_at_mut(from * self.width);
        let sums = &mut sums[to * self.width..(to + 1) * self.width];
        sums.iter_mut().zip(values).for_each(|(sum, v)| *sum = sum.wrapping_add(*v));
    }

    /// Keeps those of the samples from `first` on for which `keep` holds. It gets them one by one, each in its
    /// place, which is the last.
    pub(crate) fn retain_from(
        &mut self,
        first: usize,
        mut keep: impl FnMut(&mut Self, usize) -> bool,
    ) {
        let mut stack = row_start(&self.stack_ends, first);
        let mut labels = row_start(&self.label_ends, first);
        let mut kept = first;
        for i in first..self.len() {
            let ends = (self.stack_ends[i] as usize, self.label_ends[i] as usize);
            if kept < i {
                self.move_row(i, stack..ends.0, labels..ends.1, kept);
            }
            (stack, labels) = ends;
            kept += usize::from(keep(self, kept));
        }
        self.truncate(kept);
    }

    /// Moves a sample to a place before.
    #[cold]
    fn move_row(&mut self, from: usize, stack: Range<usize>, labels: Range<usize>, to: usize) {
        let stack_start = row_start(&self.stack_ends, to);
        let label_start = row_start(&self.label_ends, to);
        self.values.copy_within(from * self.width..(from + 1) * self.width, to * self.width);
        self.stack_ends[to] = end_of(stack_start + stack.len());
        self.label_ends[to] = end_of(label_start + labels.len());
        Arc::make_mut(&mut self.stacks).copy_within(stack, stack_start);
        self.labels.copy_within(labels, label_start);
    }

    /// Removes all samples from `len` on.
    pub(crate) fn truncate(&mut self, len: usize) {
        Arc::make_mut(&mut self.stacks).truncate(row_start(&self.stack_ends, len));
        self.labels.truncate(row_start(&self.label_ends, len));
        self.values.truncate(len * self.width);
        self.stack_ends.truncate(len);
        self.label_ends.truncate(len);
    }

    /// Frames of all stacks.
    pub(crate) fn all_frames_mut(&mut self) -> &mut [LocationIdx] {
        Arc::make_mut(&mut self.stacks).as_mut_slice()
    }

    /// Labels of all samples.
    pub(crate) fn all_labels_mut(&mut self) -> &mut [Label] {
        &mut self.labels
    }

    /// The sample that the `frame`th of all frames belongs to.
    pub(crate) fn sample_of_frame(&self, frame: usize) -> usize {
        self.stack_ends.partition_point(|&end| end as usize <= frame)
    }

    /// Adds a label to it.
    #[inline]
    pub(crate) fn add_label(&mut self, label: Label) {
        self.labels.push(label);
    }

    /// Completes a sample; fails with the number of its values when that is not the width.
    #[inline]
    pub(crate) fn end_sample(&mut self) -> Result<(), usize> {
        let values = self.values.len() - self.stack_ends.len() * self.width;
        if values != self.width {
            return Err(values);
        }
        self.stack_ends.push(end_of(self.stacks.len()));
        self.label_ends.push(end_of(self.labels.len()));
        Ok(())
    }

    /// Passes every sample to `edit`, which may change its values, shorten its stack and labels, and
    /// decides whether it stays. Works in place.
    pub fn edit(&mut self, mut edit: impl FnMut(&mut Row<'_>) -> bool) {
        let (mut kept, mut stack_end, mut label_end) = (0, 0, 0);
        let (mut stack_start, mut label_start) = (0, 0);
        let stacks = Arc::make_mut(&mut self.stacks);
        for i in 0..self.stack_ends.len() {
            let stack = stack_start..self.stack_ends[i] as usize;
            let labels = label_start..self.label_ends[i] as usize;
            (stack_start, label_start) = (stack.end, labels.end);
            let mut row = Row {
                values: &mut self.values[i * self.width..(i + 1) * self.width],
                frames: 0..stack.len(),
                stack: &mut stacks[stack.clone()],
                label_count: labels.len(),
                labels: &mut self.labels[labels.clone()],
            };
            if !edit(&mut row) {
                continue;
            }
            let (frames, label_count) = (row.frames, row.label_count);
            self.values.copy_within(i * self.width..(i + 1) * self.width, kept * self.width);
            stacks.copy_within(stack.start + frames.start..stack.start + frames.end, stack_end);
            self.labels.copy_within(labels.start..labels.start + label_count, label_end);
            stack_end += frames.len();
            label_end += label_count;
            self.stack_ends[kept] = end_of(stack_end);
            self.label_ends[kept] = end_of(label_end);
            kept += 1;
        }
        self.values.truncate(kept * self.width);
        self.stack_ends.truncate(kept);
        self.label_ends.truncate(kept);
        stacks.truncate(stack_end);
        self.labels.truncate(label_end);
    }

    /// Keeps only these columns of the values, in this order.
    ///
    /// # Panics
    /// When a column does not exist.
    pub fn select_values(&mut self, columns: &[usize]) {
        let mut values = Vec::with_capacity(self.len() * columns.len());
        for i in 0..self.len() {
            values.extend(columns.iter().map(|&column| self.values(i)[column]));
        }
        self.values = values;
        self.width = columns.len();
    }

    /// Labels of sample `i`, to change.
    #[inline]
    pub(crate) fn labels_mut(&mut self, i: usize) -> &mut [Label] {
        &mut self.labels[row(&self.label_ends, i)]
    }

    /// Frames of all stacks together.
    pub fn frame_count(&self) -> usize {
        self.stacks.len()
    }

    /// Labels of all samples together.
    pub fn label_count(&self) -> usize {
        self.labels.len()
    }

    /// Gives back memory that is reserved but not used.
    pub(crate) fn shrink_to_fit(&mut self) {
        self.values.shrink_to_fit();
        Arc::make_mut(&mut self.stacks).shrink_to_fit();
        self.labels.shrink_to_fit();
        self.stack_ends.shrink_to_fit();
        self.label_ends.shrink_to_fit();
    }
}

/// A sample that is being edited; see [`Samples::edit`].
#[derive(Debug)]
pub struct Row<'a> {
    /// One value per sample type.
    pub values: &'a mut [i64],
    stack: &'a mut [LocationIdx],
    /// What stays of `stack`.
    frames: Range<usize>,
    labels: &'a mut [Label],
    /// How many of `labels`, from the first, stay.
    label_count: usize,
}

impl Row<'_> {
    /// The stack as it is by now, leaf first.
    #[inline]
    pub fn stack(&self) -> &[LocationIdx] {
        &self.stack[self.frames.clone()]
    }

    /// The labels as they are by now.
    #[inline]
    pub fn labels(&self) -> &[Label] {
        &self.labels[..self.label_count]
    }

    /// Cuts the stack down to `range` of [`stack`](Self::stack).
    ///
    /// # Panics
    /// When the range reaches beyond it.
    pub fn keep_frames(&mut self, range: Range<usize>) {
        assert!(range.start <= range.end && range.end <= self.frames.len(), "a range of the stack");
        self.frames = self.frames.start + range.start..self.frames.start + range.end;
    }

    /// Keeps the frames for which `keep` holds.
    pub fn retain_frames(&mut self, keep: impl FnMut(LocationIdx) -> bool) {
        self.frames.end = self.frames.start + retain(&mut self.stack[self.frames.clone()], keep);
    }

    /// Keeps the labels for which `keep` holds.
    pub fn retain_labels(&mut self, keep: impl FnMut(Label) -> bool) {
        self.label_count = retain(&mut self.labels[..self.label_count], keep);
    }
}

/// Moves the items to keep to the front, in order; gives their number.
fn retain<T: Copy>(items: &mut [T], mut keep: impl FnMut(T) -> bool) -> usize {
    let mut kept = 0;
    for i in 0..items.len() {
        if keep(items[i]) {
            items[kept] = items[i];
            kept += 1;
        }
    }
    kept
}

#[inline]
fn row(ends: &[u32], i: usize) -> Range<usize> {
    row_start(ends, i)..ends[i] as usize
}

/// What these rows lie in.
fn span(ends: &[u32], rows: &Range<usize>) -> Range<usize> {
    row_start(ends, rows.start)..row_start(ends, rows.end)
}

#[inline]
fn row_start(ends: &[u32], i: usize) -> usize {
    if i == 0 { 0 } else { ends[i - 1] as usize }
}

fn end_of(len: usize) -> u32 {
    u32::try_from(len).expect("profiles hold fewer than 2^32 frames and labels")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(rows: &[(i64, &[u32])]) -> Samples {
        let mut samples = Samples::new(1);
        for &(value, stack) in rows {
            let stack: Vec<_> = stack.iter().copied().map(LocationIdx).collect();
            samples.push(&[value], &stack, &[]);
        }
        samples
    }

    #[test]
    fn editing_closes_the_gaps() {
        let mut edited = samples(&[(1, &[1, 2, 3]), (2, &[4]), (3, &[5, 6]), (4, &[7, 8, 9])]);
        edited.edit(|row| {
            match row.values[0] {
                1 => row.keep_frames(1..3),
                3 => row.retain_frames(|l| l.0 == 6),
                4 => row.values[0] = 40,
                _ => return false,
            }
            true
        });
        let expected = samples(&[(1, &[2, 3]), (3, &[6]), (40, &[7, 8, 9])]);
        assert!(edited.iter().eq(expected.iter()), "{edited:?}");
    }

    #[test]
    fn copies_share_their_stacks_until_one_changes() {
        let one = samples(&[(1, &[1, 2, 3])]);
        let mut other = one.clone();
        assert!(Arc::ptr_eq(&one.stacks, &other.stacks));
        other.edit(|row| {
            row.keep_frames(0..1);
            true
        });
        assert!(other.iter().eq(samples(&[(1, &[1])]).iter()), "{other:?}");
        assert!(one.iter().eq(samples(&[(1, &[1, 2, 3])]).iter()), "{one:?}");
    }

    #[test]
    fn columns_can_be_dropped_and_reordered() {
        let mut two = Samples::new(2);
        two.push(&[1, 2], &[], &[]);
        two.push(&[3, 4], &[], &[]);
        two.select_values(&[1]);
        assert_eq!((two.values(0), two.values(1), two.width()), (&[2][..], &[4][..], 1));
    }
}
