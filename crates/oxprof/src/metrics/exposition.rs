//! The text formats of Prometheus and OpenMetrics.

use std::fmt::{Display, Write};
use std::time::{SystemTime, UNIX_EPOCH};

/// In which format metrics are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus text, version 0.0.4.
    Prometheus,
    /// OpenMetrics 1.0, which has exemplars.
    OpenMetrics,
}

impl Format {
    /// The format that a client prefers, by its `Accept` header.
    pub fn accepted(accept: &str) -> Self {
        let (mut open, mut text) = (0.0, 0.0);
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
            let (mut quality, mut version) = (1.0_f64, String::new());
            for (name, value) in parts.filter_map(|part| part.split_once('=')) {
                match name.trim().to_ascii_lowercase().as_str() {
                    "q" => quality = value.trim().parse().unwrap_or(0.0),
                    "version" => version = value.trim().trim_matches('"').to_owned(),
                    _ => {}
                }
            }
            let ours = match kind.as_str() {
                "application/openmetrics-text" if ["", "1.0.0"].contains(&version.as_str()) => {
                    &mut open
                }
                "text/plain" if ["", "0.0.4"].contains(&version.as_str()) => &mut text,
                "text/*" | "*/*" => &mut text,
                _ => continue,
            };
            *ours = quality.max(*ours);
        }
        if open > text { Self::OpenMetrics } else { Self::Prometheus }
    }

    /// What to say in the `Content-Type` header.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// What the samples of a metric are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
    Summary,
}

/// One observation, and what the program was doing then.
#[derive(Clone, Debug)]
pub(super) struct Exemplar {
    pub(super) labels: Vec<(String, String)>,
    pub(super) value: f64,
    pub(super) time: SystemTime,
}

/// Most characters of names and values that an exemplar may have, as OpenMetrics says.
pub(super) const MAX_EXEMPLAR: usize = 128;

/// Metrics being written.
pub(super) struct Exposition {
    format: Format,
    text: String,
}

impl Exposition {
    pub(super) fn new(format: Format) -> Self {
        Self { format, text: String::new() }
    }

    /// Starts a metric. The names of counters end in `_total`.
    pub(super) fn metric(&mut self, name: &str, kind: Kind, help: &str) {
        let family = match (self.format, kind) {
            (Format::OpenMetrics, Kind::Counter) => name.strip_suffix("_total").unwrap_or(name),
            _ => name,
        };
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
            Kind::Summary => "summary",
        };
        let help = escape(help);
        self.write(format_args!("# HELP {family} {help}\n# TYPE {family} {kind}\n"));
    }

    /// A sample of the metric that was started last.
    pub(super) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.sample_with(name, labels, value, None);
    }

    /// A sample of a histogram or counter, with an exemplar where the format has them.
    pub(super) fn sample_with(
        &mut self,
        name: &str,
        labels: &[(&str, &str)],
        value: impl Display,
        exemplar: Option<&Exemplar>,
    ) {
        self.text.push_str(name);
        if !labels.is_empty() {
            self.labels(labels.iter().copied());
        }
        self.write(format_args!(" {value}"));
        if let (Some(exemplar), Format::OpenMetrics) = (exemplar, self.format) {
            self.text.push_str(" # ");
            self.labels(exemplar.labels.iter().map(|(k, v)| (k.as_str(), v.as_str())));
            let time = exemplar.time.duration_since(UNIX_EPOCH).unwrap_or_default();
            self.write(format_args!(" {} {:.3}", exemplar.value, time.as_secs_f64()));
        }
        self.text.push('\n');
    }

    /// A metric with one sample, unless there is none.
    pub(super) fn single(
        &mut self,
        name: &str,
        kind: Kind,
        help: &str,
        value: Option<impl Display>,
    ) {
        if let Some(value) = value {
            self.metric(name, kind, help);
            self.sample(name, &[], value);
        }
    }

    pub(super) fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }

    fn labels<'l>(&mut self, labels: impl Iterator<Item = (&'l str, &'l str)>) {
        for (i, (name, value)) in labels.enumerate() {
            let (start, value) =
                (if i == 0 { "{" } else { "," }, escape(value).replace('"', "\\\""));
            self.write(format_args!("{start}{name}=\"{value}\""));
        }
        self.text.push('}');
    }

    fn write(&mut self, what: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.text.write_fmt(what);
    }
}

/// Text on one line.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negotiation() {
        let check = |accept, expected| assert_eq!(Format::accepted(accept), expected, "{accept}");
        let (open, text) = (Format::OpenMetrics, Format::Prometheus);
        check("", text);
        check("*/*", text);
        check("text/html,application/xhtml+xml,*/*;q=0.8", text);
        check("application/openmetrics-text", open);
        check("application/openmetrics-text; version=1.0.0; q=0.4, text/plain; q=0.5", text);
        check("application/openmetrics-text;version=2.0.0", text);
        check("APPLICATION/OPENMETRICS-TEXT ; version=\"1.0.0\"", open);
        check("application/openmetrics-text;q=0", text);
        check("application/openmetrics-text;q=x", text);
        // Prometheus 2.42 and 3.
        check(
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            open,
        );
        check(
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            open,
        );
    }

    fn written(format: Format) -> String {
        let mut out = Exposition::new(format);
        out.metric("c_total", Kind::Counter, "Lines\nand \\ \"quotes\".");
        let exemplar = Exemplar {
            labels: vec![("id".to_owned(), "a\"b\\c\nd".to_owned())],
            value: 0.25,
            time: UNIX_EPOCH + std::time::Duration::from_millis(1_500_250),
        };
        out.sample_with("c_total", &[("f", "x\"y\\z\n"), ("g", "é")], 3, Some(&exemplar));
        out.single("g", Kind::Gauge, "G.", Some(1.5));
        out.single("none", Kind::Gauge, "None.", None::<u64>);
        out.finish()
    }

    #[test]
    fn formats() {
        let text = r#"# HELP c_total Lines\nand \\ "quotes".
# TYPE c_total counter
c_total{f="x\"y\\z\n",g="é"} 3
# HELP g G.
# TYPE g gauge
g 1.5
"#;
        assert_eq!(written(Format::Prometheus), text);
        let open = r#"# HELP c Lines\nand \\ "quotes".
# TYPE c counter
c_total{f="x\"y\\z\n",g="é"} 3 # {id="a\"b\\c\nd"} 0.25 1500.250
# HELP g G.
# TYPE g gauge
g 1.5
# EOF
"#;
        assert_eq!(written(Format::OpenMetrics), open);
    }
}
