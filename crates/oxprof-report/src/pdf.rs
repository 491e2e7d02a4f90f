//! Pictures as PDF with the fonts that every reader has.
//!
//! Texts are in the encoding of Windows for western languages; other characters show as question marks.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::ZlibEncoder;

use crate::layout::{Point, Size};
use crate::page::{Page, latin1, put, put_string};
use crate::picture::Picture;
use crate::svg::Short;

impl Picture {
    /// Writes the picture as a PDF document of one page. Pages of more than 200 inches are scaled down to that.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_pdf(&self, out: &mut dyn Write) -> io::Result<()> {
        let page = Page::new(self);
        let Size { width, height } = page.size();
        let mut compressed = ZlibEncoder::new(Vec::new(), Compression::default());
        compressed.write_all(&page.operators(put_text))?;
        let content = compressed.finish()?;
        let mut document = Document::new();
        document.object(b"<< /Type /Catalog /Pages 2 0 R >>");
        document.object(b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>");
        let media = format!("[0 0 {} {}]", Short(width), Short(height));
        let resources = "<< /Font << /F 4 0 R >> >>";
        document.object(
            format!(
                "<< /Type /Page /Parent 2 0 R /MediaBox {media} /Resources {resources} /Contents 5 0 R >>"
            )
            .as_bytes(),
        );
        document.object(
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        );
        let mut stream =
            format!("<< /Length {} /Filter /FlateDecode >>\nstream\n", content.len()).into_bytes();
        stream.extend(content);
        put(&mut stream, "\nendstream");
        document.object(&stream);
        let mut info = b"<< /Title ".to_vec();
        put_string(&mut info, &self.title, latin1);
        put(&mut info, " /Producer (oxprof) >>");
        document.object(&info);
        out.write_all(&document.finish())
    }
}

/// Numbered objects and where they are.
struct Document {
    bytes: Vec<u8>,
    offsets: Vec<usize>,
}

impl Document {
    fn new() -> Self {
        // The second line tells programs that move files that this one is not text.
        Self { bytes: b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n".to_vec(), offsets: Vec::new() }
    }

    fn object(&mut self, content: &[u8]) {
        self.offsets.push(self.bytes.len());
        put(&mut self.bytes, &format!("{} 0 obj\n", self.offsets.len()));
        self.bytes.extend_from_slice(content);
        put(&mut self.bytes, "\nendobj\n");
    }

    /// The first object is the catalogue and the last one describes the document.
    fn finish(mut self) -> Vec<u8> {
        let (start, count) = (self.bytes.len(), self.offsets.len() + 1);
        put(&mut self.bytes, &format!("xref\n0 {count}\n0000000000 65535 f \n"));
        for offset in &self.offsets {
            put(&mut self.bytes, &format!("{offset:010} 00000 n \n"));
        }
        let info = count - 1;
        put(
            &mut self.bytes,
            &format!(
                "trailer\n<< /Size {count} /Root 1 0 R /Info {info} 0 R >>\nstartxref\n{start}\n%%EOF\n"
            ),
        );
        self.bytes
    }
}

fn put_text(out: &mut Vec<u8>, text: &str, at: Point, size: f64) {
    put(out, &format!("BT /F {} Tf {} {} Td ", Short(size), Short(at.x), Short(at.y)));
    put_string(out, text, encode);
    put(out, " Tj ET\n");
}

fn encode(c: char) -> Option<u8> {
    Some(match c {
        '€' => 0x80,
        '…' => 0x85,
        '‘' => 0x91,
        '’' => 0x92,
        '“' => 0x93,
        '”' => 0x94,
        '•' => 0x95,
        '–' => 0x96,
        '—' => 0x97,
        c => return latin1(c),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use crate::picture::testing::picture;

    fn pdf(name: &str) -> Vec<u8> {
        let mut out = Vec::new();
        picture(name).write_pdf(&mut out).unwrap();
        out
    }

    fn find(bytes: &[u8], text: &str) -> usize {
        let at = bytes.windows(text.len()).position(|w| w == text.as_bytes());
        at.unwrap_or_else(|| panic!("{text} is missing"))
    }

    fn content(pdf: &[u8]) -> String {
        let start = find(pdf, "stream\n") + "stream\n".len();
        let mut text = String::new();
        flate2::read::ZlibDecoder::new(&pdf[start..]).read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn the_table_of_objects_points_at_them() {
        let pdf = pdf("main");
        let table = find(&pdf, "xref\n");
        let lines = String::from_utf8_lossy(&pdf[table..]).into_owned();
        let offsets = lines.lines().skip(3).take_while(|l| l.ends_with(" n "));
        for (offset, number) in offsets.zip(1..) {
            let at: usize = offset[..10].parse().unwrap();
            assert!(pdf[at..].starts_with(format!("{number} 0 obj").as_bytes()));
        }
        assert!(lines.ends_with(&format!("startxref\n{table}\n%%EOF\n")));
    }

    #[test]
    fn texts_are_escaped_and_encoded() {
        let check = |name: &str, expected: &str| {
            let content = content(&pdf(name));
            assert!(content.contains(expected), "{expected} in {content}");
        };
        check("main", "(main) Tj");
        check("a(b)\\", "(a\\(b\\)\\\\) Tj");
        check("[…]·字", "([\\205]\\267?) Tj");
    }
}
