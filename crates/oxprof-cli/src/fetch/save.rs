//! Keeping what was fetched.

use std::fs::{DirBuilder, File};
use std::io;
use std::path::{Path, PathBuf};

use oxprof_profile::{Compression, Profile, write_gzip};

use crate::failure::{Failure, Result, file_error, reason};
use crate::ui::Ui;

/// Saves a fetched profile in the first of `directories` that can be used, and says where.
///
/// # Errors
/// When none can be used.
pub(crate) fn save(profile: &Profile, directories: &[PathBuf], ui: &dyn Ui) -> Result<()> {
    let Some(directory) = usable_directory(directories, ui) else {
        return Err(Failure::new("failed to identify temp dir"));
    };
    let prefix = file_prefix(profile);
    let (mut file, path) = create_numbered(&directory, &prefix, ".pb.gz")?;
    write_gzip(profile, Compression::Balanced, &mut file)
        .map_err(|e| Failure::new(file_error("write", path.display(), &e)))?;
    ui.note(&format!("Saved profile in {}", path.display()));
    Ok(())
}

/// `pprof`, the program, and what was measured, joined by dots.
fn file_prefix(profile: &Profile) -> String {
    let mut prefix = String::from("pprof.");
    let program = profile.mappings.first().map_or("", |m| profile.str(m.file));
    if let Some(name) = Path::new(program).file_name() {
        prefix += &format!("{}.", name.to_string_lossy());
    }
    for sample_type in &profile.sample_types {
        // A slash in a name must not lead to another directory.
        prefix += &format!("{}.", profile.str(sample_type.kind).replace('/', "_"));
    }
    prefix
}

fn usable_directory(directories: &[PathBuf], ui: &dyn Ui) -> Option<PathBuf> {
    directories
        .iter()
        .find(|directory| {
            let made = make_directory(directory);
            if let Err(e) = &made {
                ui.note(&format!("Could not use temp dir {}: {}", directory.display(), reason(e)));
            }
            made.is_ok()
        })
        .cloned()
}

fn make_directory(directory: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o755);
    builder.create(directory)
}

/// Creates the first free file among `PREFIX001SUFFIX` to `PREFIX9999SUFFIX`.
///
/// # Errors
/// When the directory cannot be written to, or all those names are taken.
pub(crate) fn create_numbered(
    directory: &Path,
    prefix: &str,
    suffix: &str,
) -> Result<(File, PathBuf)> {
    for number in 1..10_000 {
        let path = directory.join(format!("{prefix}{number:03}{suffix}"));
        match File::create_new(&path) {
            Ok(file) => return Ok((file, path)),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(Failure::new(file_error("open", path.display(), &e))),
        }
    }
    let pattern = directory.join(format!("{prefix}NNN{suffix}"));
    Err(Failure::new(format_args!("could not create file of the form {}", pattern.display())))
}
