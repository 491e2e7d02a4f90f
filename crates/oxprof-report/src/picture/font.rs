//! Widths of Helvetica, which every PDF reader has and Arial, Liberation Sans and others share.

/// Widths of the characters from blank to tilde, in thousandths of the font size.
const WIDTHS: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556,
    556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667,
    611, 778, 722, 278, 500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667,
    667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500,
    222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
];

/// Width of a text in points.
pub(crate) fn width(text: &str, size: f64) -> f64 {
    text.chars().map(|c| f64::from(char_width(c))).sum::<f64>() * size / 1000.0
}

fn char_width(c: char) -> u16 {
    match c {
        ' '..='~' => WIDTHS[c as usize - ' ' as usize],
        '…' => 1000,
        '·' => 278,
        // Chinese, Japanese and Korean characters fill a square.
        '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' => 1000,
        '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ff60}' | '\u{1f300}'.. => 1000,
        _ => 600,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: f64) {
        assert!((width(text, 10.0) - expected).abs() < 1e-9, "{}", width(text, 10.0));
    }

    #[test]
    fn texts_are_as_wide_as_their_characters() {
        check("", 0.0);
        check("Wi~", 9.44 + 2.22 + 5.84);
        check("main.run", 8.33 + 5.56 + 2.22 + 5.56 + 2.78 + 3.33 + 5.56 + 5.56);
        check("文字…", 30.0);
    }
}
