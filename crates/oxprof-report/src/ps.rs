//! Pictures as Encapsulated PostScript.

use std::io::{self, Write};

use crate::layout::{Point, Size};
use crate::page::{Page, latin1, put, put_string};
use crate::picture::Picture;
use crate::svg::Short;

/// Gives PostScript the operators of PDF that the page uses, and Helvetica all letters of Latin-1.
const PROLOG: &str = "\
/m {moveto} bind def /l {lineto} bind def /c {curveto} bind def /h {closepath} bind def
/f {fill} bind def /S {stroke} bind def /w {setlinewidth} bind def /d {setdash} bind def
/rg {setrgbcolor} bind def /RG {setrgbcolor} bind def
/T {/F findfont exch scalefont setfont moveto show} bind def
/Helvetica findfont dup length dict begin
{1 index /FID ne {def} {pop pop} ifelse} forall
/Encoding ISOLatin1Encoding def currentdict end
/F exch definefont pop
";

impl Picture {
    /// Writes the picture as PostScript.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_ps(&self, out: &mut dyn Write) -> io::Result<()> {
        let page = Page::new(self);
        let Size { width, height } = page.size();
        writeln!(out, "%!PS-Adobe-3.0 EPSF-3.0")?;
        writeln!(out, "%%BoundingBox: 0 0 {} {}", width.ceil(), height.ceil())?;
        writeln!(out, "%%Pages: 1\n%%EndComments\n{PROLOG}%%Page: 1 1")?;
        out.write_all(&page.operators(put_text))?;
        writeln!(out, "showpage\n%%EOF")
    }
}

fn put_text(out: &mut Vec<u8>, text: &str, at: Point, size: f64) {
    put_string(out, &text.replace('…', "..."), latin1);
    put(out, &format!(" {} {} {} T\n", Short(at.x), Short(at.y), Short(size)));
}

#[cfg(test)]
mod tests {
    use crate::picture::testing::picture;

    fn check(name: &str, expected: &str) {
        let mut out = Vec::new();
        picture(name).write_ps(&mut out).unwrap();
        let ps = String::from_utf8(out).unwrap();
        assert!(ps.contains(expected), "{expected} in {ps}");
    }

    #[test]
    fn texts_are_escaped_and_encoded() {
        check("main", "(main) ");
        check("[…])", "([...]\\)) ");
        check("a·字", "(a\\267?) ");
    }
}
