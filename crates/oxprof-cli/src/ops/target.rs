//! Servers of profiles, as commands ask them.

use std::fmt;
use std::time::Duration;

use oxprof_collect::Kind;

use super::args::Args;
use crate::failure::{Failure, Result};
use crate::fetch::http::{self, GetError};
use crate::fetch::url::Url;
use crate::plan::FetchPlan;

/// A server of profiles.
#[derive(Debug)]
pub(super) struct Target {
    /// `…/debug/pprof/`, or wherever else its profiles are.
    base: Url,
    plan: FetchPlan,
    patience: Duration,
}

/// Why a profile was not had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NotTaken {
    /// The server has no such profile.
    Missing,
    /// Something else, in words.
    Failed(String),
}

impl fmt::Display for NotTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("the server has no such profile"),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

impl From<GetError> for NotTaken {
    fn from(e: GetError) -> Self {
        if e.status == Some(404) { Self::Missing } else { Self::Failed(e.text) }
    }
}

/// How long servers may take to answer, unless told otherwise.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where profiles are unless the URL says otherwise.
const USUAL_PATH: &str = "/debug/pprof/";

impl Target {
    /// The server that `text` names: `host:port`, or a URL of the page that lists its profiles.
    ///
    /// # Errors
    /// When it is no URL, or the flags about servers contradict each other.
    pub(super) fn parse(text: &str, args: &Args) -> Result<Self> {
        let Some(base) = base(text) else {
            return Err(Failure::Usage(format!("{text} is no server; write host:port or a URL")));
        };
        let patience = args.duration("timeout")?.unwrap_or(PATIENCE);
        Ok(Self { base, plan: args.servers()?, patience })
    }

    /// Whether `text` names a server rather than a file.
    pub(super) fn is_named_by(text: &str) -> bool {
        !std::path::Path::new(text).exists() && base(text).is_some()
    }

    /// Takes a profile, over `time` if it is collected over a time.
    pub(super) fn take(
        &self,
        kind: &Kind,
        time: Duration,
    ) -> std::result::Result<Vec<u8>, NotTaken> {
        let seconds = kind.takes_time().then_some(time);
        self.get(
            kind.route(),
            &seconds.map(|t| ("seconds", whole(t))).into_iter().collect::<Vec<_>>(),
            time,
        )
    }

    /// Asks for a route beside the profiles' own, such as `heap`, that takes about `time`.
    pub(super) fn get(
        &self,
        route: &str,
        query: &[(&str, String)],
        time: Duration,
    ) -> std::result::Result<Vec<u8>, NotTaken> {
        let mut url = self.base.clone();
        url.path.push_str(route);
        url.query.extend(query.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        Ok(http::fetch(&url, time + self.patience, &self.plan)?)
    }

    /// Asks for a path of the same server: relative to the page of profiles, or from the root if it starts with
    /// a slash.
    pub(super) fn beside(&self, path: &str) -> std::result::Result<Vec<u8>, NotTaken> {
        let mut url = self.base.clone();
        url.path = match path.strip_prefix("../") {
            Some(sibling) => {
                let parent = url.path.trim_end_matches('/');
                format!("{}/{sibling}", parent.rsplit_once('/').map_or("", |(parent, _)| parent))
            }
            None => path.to_owned(),
        };
        Ok(http::fetch(&url, self.patience, &self.plan)?)
    }

    /// The kinds of profile that the server lists, in the order of its list.
    pub(super) fn kinds(&self) -> std::result::Result<Vec<Kind>, NotTaken> {
        let page = self.get("", &[], Duration::ZERO)?;
        Ok(listed(&String::from_utf8_lossy(&page)))
    }

    /// Name for files: host and port, or the socket.
    pub(super) fn file_stem(&self) -> String {
        let name = self.base.socket.as_deref().unwrap_or(&self.base.authority);
        let name = name.rsplit(['@', '/']).next().unwrap_or(name);
        let harmless = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
        let name: String = name.chars().map(|c| if harmless(c) { c } else { '_' }).collect();
        let name = name.trim_matches(['_', '.']);
        if name.is_empty() { "localhost".to_owned() } else { name.to_owned() }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&oxprof_collect::redact::shapes(&self.base.to_string()))
    }
}

/// Seconds for a query: servers that are not ours take whole ones only.
pub(super) fn whole(time: Duration) -> String {
    time.as_secs_f64().ceil().max(1.0).to_string()
}

fn base(text: &str) -> Option<Url> {
    let mut url = Url::parse(text)?;
    if url.path == "/debug/pprof/profile" {
        url.path = USUAL_PATH.to_owned();
    }
    if !url.path.ends_with('/') {
        url.path.push('/');
    }
    Some(url)
}

/// Names on a page of profiles: each is a link `NAME?debug=1`.
fn listed(page: &str) -> Vec<Kind> {
    const NO_PROFILES: [&str; 5] = ["cmdline", "symbol", "flame", "stats", "metrics"];
    let mut kinds = Vec::new();
    for link in page.split("href=").skip(1) {
        let link = link.trim_start_matches(['"', '\'']);
        let end = link.find(['"', '\'', '>', ' ']).unwrap_or(link.len());
        let Some(name) = link[..end].strip_suffix("?debug=1") else { continue };
        let kind = name.replace("%2F", "/").replace("%2f", "/").parse::<Kind>();
        if let Ok(kind) = kind
            && !NO_PROFILES.contains(&kind.name())
            && !kinds.contains(&kind)
        {
            kinds.push(kind);
        }
    }
    kinds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let found = base(text).map(|url| url.to_string());
        assert_eq!(found.as_deref().unwrap_or("no URL"), expected);
    }

    #[test]
    fn bases() {
        check("localhost:6060", "http://localhost:6060/debug/pprof/");
        check("http://h:1/debug/pprof", "http://h:1/debug/pprof/");
        check("http://h:1/custom/", "http://h:1/custom/");
        check("unix:/run/a.sock", "unix:/run/a.sock:/debug/pprof/");
        check("heap.pb.gz", "no URL");
    }

    #[test]
    fn kinds_are_read_from_either_page() {
        let names = |page| listed(page).iter().map(|k| k.name().to_owned()).collect::<Vec<_>>();
        let go = "<tr><td>5</td><td><a href='allocs?debug=1'>allocs</a></td></tr>\n\
                  <a href='profile?debug=1'>profile</a> <a href='cmdline?debug=1'>\n\
                  <a href=\"goroutine?debug=2\">full goroutine stack dump</a>";
        assert_eq!(names(go), ["allocs", "cpu"]);
        assert_eq!(names("<a href=\"app%2Fconns?debug=1\">"), ["app/conns"]);
        assert_eq!(names("nothing"), [""; 0]);
    }
}
