//! Where object files come from.

use super::MISMATCH;
use crate::{BuildId, Bytes, Data, DebugFile, Object, Store};

/// A binary that a source opened.
#[derive(Clone)]
pub struct ObjectFile {
    /// Where it was found; the profile's mapping gets this name.
    pub path: String,
    /// Its content.
    pub data: Bytes,
}

impl std::fmt::Debug for ObjectFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let size = self.data.data().size();
        f.debug_struct("ObjectFile").field("path", &self.path).field("size", &size).finish()
    }
}

/// Opens the binaries that a profile mentions, and what belongs to them.
pub trait ObjectSource: Sync {
    /// The binary that a mapping calls `file`; `build_id` is empty if the profile does not say. Remarks
    /// for the user, such as files passed over, go to `note`. For what is no file (`[kernel.kallsyms]`,
    /// `[ext4]`, `[vdso]`) that may be an image of it or, with `file` for a path, the text of
    /// `/proc/kallsyms`; none is no failure there.
    ///
    /// # Errors
    /// Why there is none, as a clause such as "open /bin/ls: no such file or directory".
    fn open(
        &self,
        file: &str,
        build_id: &str,
        note: &mut dyn FnMut(String),
    ) -> Result<ObjectFile, String>;

    /// The file that symbols and debug information of the binary at `path` were split off into.
    fn debug_file(
        &self,
        path: &str,
        build_id: Option<BuildId<'_>>,
        link: Option<DebugLink<'_>>,
    ) -> Option<Bytes> {
        let _ = (path, build_id, link);
        None
    }

    /// A further file that the debug information of the binary at `path` refers to.
    fn further(&self, path: &str, file: DebugFile<'_>) -> Option<Bytes> {
        let _ = (path, file);
        None
    }

    /// What was [remembered](Self::remember) of a build, nothing if that has not happened; `None` if nothing
    /// is ever remembered.
    fn recall(&self, build_id: &str) -> Option<Vec<u8>> {
        let _ = build_id;
        None
    }

    /// Keeps what is known of a build for later profiles.
    fn remember(&self, build_id: &str, answers: &[u8]) {
        let _ = (build_id, answers);
    }
}

/// What `.gnu_debuglink` says: the name of the debug file, and a checksum of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DebugLink<'a> {
    /// File name without directories.
    pub file: &'a str,
    /// CRC-32 of the debug file.
    pub crc: u32,
}

/// Hands the object in `file`, with everything that `source` has for it, to `with`.
///
/// # Errors
/// Those of `with`, and when the file is no object or not of the build `build_id`. An empty `build_id`
/// is of any build, as is an object that does not say.
pub fn with_object<R>(
    source: &dyn ObjectSource,
    file: &ObjectFile,
    build_id: &str,
    with: impl FnOnce(&Object<'_>) -> Result<R, String>,
) -> Result<R, String> {
    let store = Store::new(|further| source.further(&file.path, further));
    let data = file.data.data();
    let object = Object::parse_with(data, &store).map_err(|e| e.to_string())?;
    let identity = object.identity();
    if !build_id.is_empty() && identity.as_ref().is_some_and(|found| found != build_id) {
        return Err(MISMATCH.to_owned());
    }
    #[cfg(feature = "pdb")]
    if let Some((link, symbols)) = object.pdb_link().and_then(|link| {
        let symbols = source.further(&file.path, DebugFile::Symbols { path: &link.path })?;
        Some((link, symbols))
    }) {
        let symbols = symbols.data().all().unwrap_or_default();
        return crate::pdb::with_lines(symbols, &link, |lines| match lines {
            // Parsed again, as it now looks at something that was not there before.
            Some(lines) => {
                let object = Object::parse_with(data, &store).map_err(|e| e.to_string())?;
                with(&object.with_image_lines(lines))
            }
            None => with(&object),
        });
    }
    let debug_data = debug_file(source, file, &object);
    let debug_data: Option<Data<'_>> = debug_data.as_ref().map(|data| data.data());
    let debug = debug_data.and_then(|data| Object::parse_with(data, &store).ok());
    with(&match debug.filter(|debug| debug.identity() == identity) {
        Some(debug) => object.with_debug_file(debug),
        None => object,
    })
}

/// Files without debug information of their own may have some elsewhere.
fn debug_file(source: &dyn ObjectSource, file: &ObjectFile, object: &Object<'_>) -> Option<Bytes> {
    if object.has_lines() {
        return None;
    }
    let link = object.debug_link().map(|(file, crc)| DebugLink { file, crc });
    source.debug_file(&file.path, object.build_id(), link)
}
