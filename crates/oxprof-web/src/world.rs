//! What the page needs from the machine that it runs on.

use oxprof_profile::Profile;
use oxprof_report::options::Options;
use oxprof_report::{Binaries, SourceFiles, Zone};

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
    /// Hands the source files of a profile's programs to `with`.
    fn with_sources(&self, profile: &Profile, with: &mut dyn FnMut(&dyn SourceFiles));

    /// Hands binaries that are disassembled as `options` want it to `with`.
    fn with_binaries(&self, options: &Options, with: &mut dyn FnMut(&dyn Binaries));

    /// The time zone at a time in nanoseconds since 1970.
    fn zone(&self, nanos: i64) -> Zone;

    /// The current directory.
    fn working_dir(&self) -> String;

    /// Makes a profile of a file that somebody gives to the page.
    ///
    /// # Errors
    /// Why it is none, in words.
    fn open(&self, bytes: &[u8]) -> Result<Loaded, String>;

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
