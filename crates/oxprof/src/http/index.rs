//! The index page: what there is, and how to get it with tools at hand.

use std::fmt::Write;

/// What the page says about one route.
pub(super) struct Entry<'a> {
    pub(super) name: &'a str,
    pub(super) about: &'a str,
    /// Number of things that the profile would list.
    pub(super) count: u64,
}

/// The page, listing `entries` with links relative to the page itself.
pub(super) fn page(entries: &[Entry<'_>]) -> String {
    let dump = match entries.iter().any(|entry| entry.name == "goroutine") {
        true => "<p><a href=\"goroutine?debug=2\">full goroutine stack dump</a></p>\n",
        false => "",
    };
    let mut rows = String::new();
    let mut descriptions = String::new();
    for Entry { name, about, count } in entries {
        let (link, name) = (link(name), escape(name));
        // Writing to a string cannot fail.
        let _ = writeln!(
            rows,
            "<tr><td>{count}</td><td><a href=\"{link}?debug=1\">{name}</a></td></tr>"
        );
        let _ = writeln!(descriptions, "<li><div class=profile-name>{name}: </div> {about}</li>");
    }
    format!(
        "<!DOCTYPE html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width\">
<title>/debug/pprof/</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem }}
td, th {{ padding: 0 1.5rem 0 0; text-align: left }}
td:first-child {{ text-align: right }}
.profile-name {{ display: inline-block; min-width: 6rem; font-weight: 600 }}
pre {{ overflow-x: auto; padding: .5rem; border: 1px solid }}
</style>
</head>
<body>
<h1>/debug/pprof/</h1>
<p>Profiles of this running program. With debug=1 as a query parameter they are text.</p>
<table>
<thead><tr><th>Count</th><th>Profile</th></tr></thead>
<tbody>
{rows}</tbody>
</table>
{dump}<h2>Profile Descriptions:</h2>
<ul>
{descriptions}</ul>
<h2>Where does the time go?</h2>
<p>With this page's address as URL, either of:</p>
<pre>oxprof -top URL/profile?seconds=5
go tool pprof -top URL/profile?seconds=5</pre>
</body>
</html>
"
    )
}

/// Text for HTML.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A path for a relative link: everything but letters, digits and a few harmless characters percent-encoded.
fn link(name: &str) -> String {
    name.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry<'a>(name: &'a str, about: &'a str, count: u64) -> Entry<'a> {
        Entry { name, about, count }
    }

    #[test]
    fn lists_every_entry() {
        let page =
            page(&[entry("one", "first", 7), entry("two", "2nd", 0), entry("a <b>?", "", 1)]);
        for part in [
            "<td>7</td><td><a href=\"one?debug=1\">one</a>",
            "two: </div> 2nd",
            "<a href=\"a%20%3Cb%3E%3F?debug=1\">a &lt;b&gt;?</a>",
            "<title>/debug/pprof/",
        ] {
            assert!(page.contains(part), "{part} is missing from {page}");
        }
    }
}
