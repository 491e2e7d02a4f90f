//! What Windows keeps beside its programs: functions, lines and inlined calls in a file of its own.

use std::borrow::Cow;
use std::cell::Cell;
use std::io::Cursor;
use std::sync::Mutex;

use pdb_addr2line::pdb::PDB;
use pdb_addr2line::{Context, ContextPdbData, TypeFormatterFlags};

use crate::{Frame, Svma, Symbol};

/// A source of names and lines by address relative to the image.
pub(crate) trait ImageLines: Sync {
    /// The functions at an address, innermost inlined one first.
    fn frames(&self, address: u32) -> Option<Vec<Frame<'static>>>;

    /// The function at an address: its name, first address, and first address beyond.
    fn function(&self, address: u32) -> Option<(String, u32, u32)>;
}

/// `None` once the library has given up on damage.
struct Lines<'a, 's>(Mutex<Option<Context<'a, 's>>>);

impl Lines<'_, '_> {
    fn ask<R>(&self, question: impl FnOnce(&Context<'_, '_>) -> Option<R>) -> Option<R> {
        let mut context = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let known = context.as_ref()?;
        let answer = unless_damaged(|| question(known));
        if answer.is_none() {
            *context = None;
        }
        answer?
    }
}

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic of this thread would only say that a file of Windows' symbols is damaged. It is caught, but
/// only a panic hook that asks can keep it from being printed.
pub fn catches_panics() -> bool {
    GUARDED.get()
}

/// The library asserts what is not so in damaged files. Nothing of its state is used after that.
fn unless_damaged<R>(work: impl FnOnce() -> R) -> Option<R> {
    let before = GUARDED.replace(true);
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    GUARDED.set(before);
    outcome.ok()
}

impl ImageLines for Lines<'_, '_> {
    fn frames(&self, address: u32) -> Option<Vec<Frame<'static>>> {
        self.ask(|context| to_frames(context, address))
    }

    fn function(&self, address: u32) -> Option<(String, u32, u32)> {
        self.ask(|context| {
            let found = context.find_function(address).ok()??;
            Some((found.name?, found.start_rva, found.end_rva?))
        })
    }
}

fn to_frames(context: &Context<'_, '_>, address: u32) -> Option<Vec<Frame<'static>>> {
    let found = context.find_frames(address).ok()??;
    let outermost = found.frames.len().saturating_sub(1);
    let frame = |(i, frame): (usize, pdb_addr2line::Frame<'_>)| Frame {
        system_name: Cow::Owned(frame.function.unwrap_or_default()),
        file: frame.file.map(|file| Cow::Owned(file.into_owned())),
        line: frame.line.unwrap_or(0),
        column: 0,
        start_line: 0,
        inlined: i < outermost,
    };
    Some(found.frames.into_iter().enumerate().map(frame).collect())
}

/// The lines of an image, and where it would like to be loaded.
#[derive(Clone, Copy)]
pub(crate) struct Image<'d> {
    pub(crate) lines: &'d dyn ImageLines,
    pub(crate) base: u64,
}

impl<'d> Image<'d> {
    pub(crate) fn frames(&self, address: Svma) -> Option<Vec<Frame<'d>>> {
        self.lines.frames(self.relative(address)?)
    }

    pub(crate) fn symbol(&self, address: Svma) -> Option<Symbol<'d>> {
        let (name, start, end) = self.lines.function(self.relative(address)?)?;
        let place = |relative: u32| Svma(self.base.wrapping_add(u64::from(relative)));
        Some(Symbol { name: Cow::Owned(name), start: place(start), end: place(end) })
    }

    fn relative(&self, address: Svma) -> Option<u32> {
        u32::try_from(address.0.checked_sub(self.base)?).ok()
    }
}

/// Which of many builds a file of symbols belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PdbLink {
    /// Where the linker put it.
    pub(crate) path: String,
    pub(crate) guid: [u8; 16],
}

/// Hands what is in `data` to `with`; `None` if it is of another build than `link` says, or damaged.
pub(crate) fn with_lines<R>(
    data: &[u8],
    link: &PdbLink,
    with: impl FnOnce(Option<&dyn ImageLines>) -> R,
) -> R {
    let Some(parsed) = unless_damaged(|| open(data, link)).flatten() else { return with(None) };
    let flags = TypeFormatterFlags::default() | TypeFormatterFlags::NO_ARGUMENTS;
    match unless_damaged(|| parsed.make_context_with_formatter_flags(flags)) {
        Some(Ok(context)) => with(Some(&Lines(Mutex::new(Some(context))))),
        _ => with(None),
    }
}

fn open<'d>(data: &'d [u8], link: &PdbLink) -> Option<ContextPdbData<'d, 'd, Cursor<&'d [u8]>>> {
    let mut pdb = PDB::open(Cursor::new(data)).ok()?;
    let guid = pdb.pdb_information().ok()?.guid;
    // The image has the first three fields with their low bytes first.
    (guid.to_bytes_le() == link.guid).then_some(())?;
    ContextPdbData::try_from_pdb(pdb).ok()
}
