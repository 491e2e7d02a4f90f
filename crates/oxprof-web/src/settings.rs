//! Named configurations, in the file that Go's pprof keeps them in.
//!
//! The file holds, for each configuration, every saved option that is not zero, empty or false; what is left out
//! is that, whatever the option's default.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use oxprof_report::options::{Kind, OPTIONS, OptionRow, Options};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A file of named configurations. Clones change it one after another.
#[derive(Clone, Debug, Default)]
pub struct SettingsFile {
    path: Option<PathBuf>,
    /// Held from before the file is read until it has been changed.
    changes: Arc<Mutex<()>>,
}

/// The content of the file.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Content {
    #[serde(default, deserialize_with = "list_or_null")]
    configs: Vec<Map<String, Value>>,
}

fn list_or_null<'de, D: serde::Deserializer<'de>>(
    from: D,
) -> Result<Vec<Map<String, Value>>, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// A configuration, as parameters of a URL.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) parameters: Vec<(&'static str, String)>,
}

impl SettingsFile {
    /// The file at `path`, which need not exist.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: Some(path.into()), ..Self::default() }
    }

    /// No file: nothing is kept.
    pub fn none() -> Self {
        Self::default()
    }

    /// All configurations, in the order of the file.
    pub(crate) fn list(&self) -> Result<Vec<Named>, String> {
        let content = self.read()?;
        let named = |config: &Map<String, Value>| {
            let name = config.get("name")?.as_str()?.to_owned();
            Some(Named { name, parameters: options_of(config).to_url() })
        };
        Ok(content.configs.iter().filter_map(named).collect())
    }

    /// Saves a configuration, in place of one of that name.
    pub(crate) fn save(&self, name: &str, options: &Options) -> Result<(), String> {
        if name.trim().is_empty() {
            return Err("invalid config name".to_owned());
        }
        let config = config_of(name, options);
        self.change(|configs| {
            match configs.iter_mut().find(|c| has_name(c, name)) {
                Some(known) => *known = config,
                None => configs.push(config),
            }
            Ok(())
        })
    }

    /// Deletes a configuration.
    pub(crate) fn delete(&self, name: &str) -> Result<(), String> {
        self.change(|configs| {
            let before = configs.len();
            configs.retain(|config| !has_name(config, name));
            match configs.len() == before {
                true => Err(format!("config {name} not found")),
                false => Ok(()),
            }
        })
    }

    fn change(
        &self,
        change: impl FnOnce(&mut Vec<Map<String, Value>>) -> Result<(), String>,
    ) -> Result<(), String> {
        let _held = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut content = self.read()?;
        change(&mut content.configs)?;
        self.write(&content)
    }

    fn read(&self) -> Result<Content, String> {
        let Some(path) = &self.path else { return Ok(Content::default()) };
        match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|e| format!("could not parse settings: {}: {e}", path.display())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Content::default()),
            Err(e) => Err(format!("could not read settings: {}: {e}", path.display())),
        }
    }

    fn write(&self, content: &Content) -> Result<(), String> {
        let Some(path) = &self.path else {
            return Err("there is no place to save settings in".to_owned());
        };
        let text = serde_json::to_string_pretty(content).unwrap_or_default();
        put(path, text.as_bytes())
            .map_err(|e| format!("failed to write settings: {}: {e}", path.display()))
    }
}

/// Writes the file anew and puts it in place of the old one, which a reader sees whole either way.
fn put(path: &Path, content: &[u8]) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(directory)?;
    }
    static DRAFTS: AtomicU64 = AtomicU64::new(0);
    let number = DRAFTS.fetch_add(1, Ordering::Relaxed);
    let draft = path.with_extension(format!("json.{}.{number}", std::process::id()));
    fs::write(&draft, content)?;
    fs::rename(&draft, path).inspect_err(|_| drop(fs::remove_file(&draft)))
}

fn has_name(config: &Map<String, Value>, name: &str) -> bool {
    config.get("name").and_then(Value::as_str) == Some(name)
}

/// The options that the file has a place for.
fn saved_rows() -> impl Iterator<Item = &'static OptionRow> {
    OPTIONS.iter().filter(|row| row.saved && !row.extension)
}

fn config_of(name: &str, options: &Options) -> Map<String, Value> {
    let mut config = Map::new();
    config.insert("name".to_owned(), name.into());
    for row in saved_rows() {
        let value = match row.kind {
            Kind::Bool { get, .. } => get(options).then_some(Value::Bool(true)),
            Kind::Int { get, .. } => Some(get(options)).filter(|v| *v != 0).map(Value::from),
            Kind::Float { get, .. } => Some(get(options)).filter(|v| *v != 0.0).map(Value::from),
            Kind::Text { get, .. } => Some(get(options)).filter(|v| !v.is_empty()).map(Value::from),
            // Where the choice is left to the format, Go's pprof wants the first one.
            Kind::Choice { choices, get, .. } => {
                Some(choices[get(options).unwrap_or(0)].name.into())
            }
        };
        config.extend(value.map(|value| (row.name.to_owned(), value)));
    }
    config
}

/// The options of a configuration; what cannot be understood is as if it were left out.
fn options_of(config: &Map<String, Value>) -> Options {
    let mut options = Options::default();
    for row in saved_rows() {
        let value = config.get(row.name);
        match row.kind {
            Kind::Bool { set, .. } => {
                set(&mut options, value.and_then(Value::as_bool) == Some(true));
            }
            Kind::Int { set, .. } => set(&mut options, value.and_then(Value::as_i64).unwrap_or(0)),
            Kind::Float { set, .. } => {
                set(&mut options, value.and_then(Value::as_f64).unwrap_or(0.0));
            }
            Kind::Text { set, .. } => {
                set(&mut options, value.and_then(Value::as_str).unwrap_or_default().to_owned());
            }
            Kind::Choice { choices, get, set } => {
                let chosen = value.and_then(Value::as_str);
                let i = choices.iter().position(|c| Some(c.name) == chosen);
                // See `config_of`.
                if let Some(i) = i.filter(|i| get(&options).is_some() || *i != 0) {
                    set(&mut options, i);
                }
            }
        }
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Directory(PathBuf);

    impl Directory {
        fn new(test: &str) -> Self {
            let name = format!("oxprof-settings-{test}-{}", std::process::id());
            Self(std::env::temp_dir().join(name))
        }

        fn file(&self) -> PathBuf {
            self.0.join("pprof/settings.json")
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn configurations_are_kept_as_go_keeps_them() {
        let directory = Directory::new("keep");
        let settings = SettingsFile::at(directory.file());
        assert_eq!(settings.list(), Ok(vec![]));
        let mut options = Options { focus: "a<b".into(), trim: false, ..Options::default() };
        options.sample_index = "cpu".into();
        settings.save("one", &options).unwrap();
        let text = fs::read_to_string(directory.file()).unwrap();
        assert!(text.starts_with("{\n  \"configs\": [\n    {\n      \""), "{text}");
        let json: Value = serde_json::from_str(&text).unwrap();
        let expected = serde_json::json!({
            "name": "one", "edgefraction": 0.001, "focus": "a<b", "granularity": "functions",
            "nodecount": -1, "nodefraction": 0.005, "sort": "flat", "unit": "minimum",
        });
        assert_eq!(json["configs"][0], expected);
        let parameters = vec![("f", "a<b".to_owned()), ("trim", "f".to_owned())];
        assert_eq!(settings.list(), Ok(vec![Named { name: "one".into(), parameters }]));
    }

    #[test]
    fn names_are_unique_and_can_be_deleted() {
        let directory = Directory::new("delete");
        let settings = SettingsFile::at(directory.file());
        let options = Options::default();
        settings.save("a", &options).unwrap();
        settings.save("b", &options).unwrap();
        settings.save("a", &Options { focus: "x".into(), ..options.clone() }).unwrap();
        let names = || settings.list().unwrap().into_iter().map(|n| n.name).collect::<Vec<_>>();
        assert_eq!(names(), ["a", "b"]);
        assert_eq!(settings.delete("c"), Err("config c not found".into()));
        settings.delete("a").unwrap();
        assert_eq!(names(), ["b"]);
        assert_eq!(settings.save(" ", &options), Err("invalid config name".into()));
    }

    #[test]
    fn nothing_is_lost_of_what_is_saved_at_the_same_time() {
        let directory = Directory::new("many");
        let settings = SettingsFile::at(directory.file());
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let settings = settings.clone();
                scope.spawn(move || {
                    for i in 0..8 {
                        settings.save(&format!("{thread}.{i}"), &Options::default()).unwrap();
                    }
                });
            }
        });
        assert_eq!(settings.list().unwrap().len(), 64);
        let files = fs::read_dir(directory.file().parent().unwrap()).unwrap().count();
        assert_eq!(files, 1, "drafts are gone");
    }

    #[test]
    fn a_file_that_is_broken_is_left_alone() {
        let directory = Directory::new("broken");
        let settings = SettingsFile::at(directory.file());
        settings.save("a", &Options::default()).unwrap();
        fs::write(directory.file(), "{").unwrap();
        let error = settings.save("b", &Options::default()).unwrap_err();
        assert!(error.starts_with("could not parse settings: "), "{error}");
        assert_eq!(fs::read_to_string(directory.file()).unwrap(), "{");
    }
}
