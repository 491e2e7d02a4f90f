//! What the page needs from the machine that it runs on.

use std::io;

use oxprof_profile::Profile;
use oxprof_report::options::Options;
use oxprof_report::{Binaries, Binary, SourceFiles, Zone};

/// Who gave a profile to the page. What a profile says may be anything, so files that it names are opened for the user only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Giver {
    /// Who runs the page, or is on the same machine.
    User,
    /// Who reaches it from elsewhere.
    Visitor,
}

impl Giver {
    /// Who gave something that is made of what both gave.
    pub(crate) fn with(self, other: Self) -> Self {
        if self == Self::User { other } else { self }
    }
}

/// A profile, and what was remarked while it was loaded.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The profile.
    pub profile: Profile,
    /// Remarks for the reader.
    pub remarks: Vec<String>,
}

/// Files, binaries and clocks.
pub trait World: Send + Sync + 'static {
    /// Hands the source files of a profile's programs to `with`. Not asked for what a [`Giver::Visitor`] gave.
    fn with_sources(&self, profile: &Profile, with: &mut dyn FnMut(&dyn SourceFiles));

    /// Hands binaries that are disassembled as `options` want it to `with`. Not asked for what a [`Giver::Visitor`] gave.
    fn with_binaries(&self, options: &Options, with: &mut dyn FnMut(&dyn Binaries));

    /// The time zone at a time in nanoseconds since 1970.
    fn zone(&self, nanos: i64) -> Zone;

    /// The current directory.
    fn working_dir(&self) -> String;

    /// Makes a profile of a file that somebody gives to the page. Whatever that says, no other file is opened for a
    /// [`Giver::Visitor`].
    ///
    /// # Errors
    /// Why it is none, in words.
    fn open(&self, bytes: &[u8], giver: Giver) -> Result<Loaded, String>;

    /// Profiles that can be taken of the program that shows the page.
    fn captures(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// Something that changes when the sources of the first profile do; `None` if they are not to be watched.
    fn stamp(&self) -> Option<u64> {
        None
    }

    /// Loads the first profile again.
    ///
    /// # Errors
    /// Why that is not possible, in words.
    fn reload(&self) -> Result<Loaded, String> {
        Err("this profile cannot be loaded again".to_owned())
    }
}

/// The files of a machine, for profiles that visitors gave.
#[derive(Debug)]
pub(crate) struct Closed;

impl Closed {
    const WHY: &str = "no files are opened for a profile that came over the network";
}

impl SourceFiles for Closed {
    fn read(&self, _: &str) -> io::Result<Vec<u8>> {
        Err(io::Error::other(Self::WHY))
    }
}

impl Binaries for Closed {
    fn open(&self, file: &str, _: &str, _: &mut dyn FnMut(&dyn Binary)) -> Result<(), String> {
        Err(format!("open {file}: {}", Self::WHY))
    }
}
