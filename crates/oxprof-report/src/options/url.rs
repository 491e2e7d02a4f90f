//! Options in the query of the web page's URLs.

use super::{Kind, OPTIONS, Options, SetError};

impl Options {
    /// Overlays the parameters of a page's URL; empty and unknown ones change nothing.
    ///
    /// # Errors
    /// The option at fault and why it cannot have that value.
    pub fn apply_url<'a>(
        &mut self,
        parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<(), (&'static str, SetError)> {
        for (name, value) in parameters {
            let Some(row) = OPTIONS.iter().find(|row| row.url == Some(name)) else { continue };
            if !value.is_empty() {
                row.set(self, value).map_err(|e| (row.name, e))?;
            }
        }
        Ok(())
    }

    /// The parameters that a page's URL needs for these options: those that are not at their
    /// defaults.
    pub fn to_url(&self) -> Vec<(&'static str, String)> {
        let rows = OPTIONS.iter().filter_map(|row| Some((row, row.url?)));
        rows.filter(|(row, _)| row.get(self) != row.default())
            .map(|(row, url)| (url, short_value(row.get(self), row.kind)))
            .collect()
    }
}

fn short_value(mut value: String, kind: Kind) -> String {
    if matches!(kind, Kind::Bool { .. }) {
        value.truncate(1);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_round_trip() {
        let mut options = Options::default();
        let query =
            [("f", "main"), ("trim", "f"), ("n", "3"), ("g", "lines"), ("x", "?"), ("h", "")];
        options.apply_url(query).unwrap();
        assert_eq!((options.focus.as_str(), options.trim, options.nodecount), ("main", false, 3));
        let mut again = Options::default();
        let url = options.to_url();
        again.apply_url(url.iter().map(|(k, v)| (*k, v.as_str()))).unwrap();
        assert_eq!(again, options);
        assert_eq!(url.len(), 4);
    }

    #[test]
    fn a_wrong_parameter_names_its_option() {
        let (option, _) = Options::default().apply_url([("n", "many")]).unwrap_err();
        assert_eq!(option, "nodecount");
    }
}
