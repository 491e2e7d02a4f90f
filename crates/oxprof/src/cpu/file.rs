//! Profiles of batch programs, tests and benches: from here to the end of a scope, into a file.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use oxprof_profile::{Compression, encode_gzip};

use super::{Capture, Error, Options, start};

/// A CPU profile that is written to a file at the end; see [`start_to_file`].
#[derive(Debug)]
#[must_use = "dropping it ends the profile"]
pub struct FileCapture {
    path: PathBuf,
    /// Both are there until finished.
    running: Option<(Capture, File)>,
}

/// Starts a CPU profile at [`DEFAULT_HZ`](super::DEFAULT_HZ) and writes it, gzipped, to `path` when the
/// returned guard is finished or dropped.
///
/// ```no_run
/// let profile = oxprof::cpu::start_to_file("cpu.pb.gz")?;
/// // … the work …
/// profile.finish()?;
/// # Ok::<(), oxprof::cpu::Error>(())
/// ```
///
/// # Errors
/// Those of [`start`], and when the file cannot be created.
pub fn start_to_file(path: impl AsRef<Path>) -> Result<FileCapture, Error> {
    let path = path.as_ref().to_owned();
    let file = File::create(&path).map_err(|source| Error::Write { path: path.clone(), source })?;
    let capture = start(Options::default())?;
    Ok(FileCapture { path, running: Some((capture, file)) })
}

impl FileCapture {
    /// Ends the profile and writes it.
    ///
    /// # Errors
    /// Those of [`Capture::finish`], and when the file cannot be written. Dropping the guard does the same
    /// but reports errors to standard error.
    pub fn finish(mut self) -> Result<(), Error> {
        self.write()
    }

    fn write(&mut self) -> Result<(), Error> {
        let Some((capture, mut file)) = self.running.take() else { return Ok(()) };
        let bytes = encode_gzip(&capture.finish()?, Compression::default());
        let written: io::Result<()> = file.write_all(&bytes);
        written.map_err(|source| Error::Write { path: self.path.clone(), source })
    }
}

impl Drop for FileCapture {
    fn drop(&mut self) {
        if let Err(error) = self.write() {
            eprintln!("oxprof: {error}.");
        }
    }
}
