//! A flame graph as one HTML file to keep or to send: it needs nothing else.

use std::io::{self, Write};

use super::FlameTree;
use crate::svg::Xml;

const PAGE: &str = include_str!("../../assets/flame.html");
const STYLE: &str = include_str!("../../assets/flame.css");
const SCRIPT: &str = include_str!("../../assets/flame.js");

impl FlameTree {
    /// Writes the tree as an HTML page that can be zoomed and searched.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_html(&self, out: &mut dyn Write) -> io::Result<()> {
        let title = Xml(&self.title).to_string();
        let data = script_json(&serde_json::to_string(self)?);
        // What is put in may look like a place to put something in, so each place is looked for in the page.
        let mut rest = PAGE;
        for (place, text) in [
            ("{title}", title.as_str()),
            ("{style}", STYLE),
            ("{data}", &data),
            ("{script}", SCRIPT),
        ] {
            let Some((before, after)) = rest.split_once(place) else { continue };
            out.write_all(before.as_bytes())?;
            out.write_all(text.as_bytes())?;
            rest = after;
        }
        out.write_all(rest.as_bytes())
    }
}

/// JSON that cannot end the element that it is in.
fn script_json(json: &str) -> String {
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

#[cfg(test)]
mod tests {
    use super::super::testing::tree;

    fn page(names: &[&str]) -> String {
        let mut out = Vec::new();
        tree(names).write_html(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn pages_have_everything_in_them() {
        let page = page(&["main", "work"]);
        assert!(page.contains(r#""names":["all","main","work"]"#));
        for place in ["{title}", "{style}", "{data}", "{script}"] {
            assert!(!page.contains(place), "{place}");
        }
        for outside in ["http://", "https://", "src=", "@import", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
    }

    #[test]
    fn names_never_become_markup() {
        let hostile = "</script><script>alert(1)</script><!--{script}";
        let count = |page: &str| page.matches('<').count();
        assert_eq!(count(&page(&[hostile, hostile])), count(&page(&["main", "work"])));
    }
}
