//! Pictures as GIF: the pixels of PNG in the 256 colours that are most frequent.

use std::io::{self, Write};

use rustc_hash::FxHashMap;

use crate::picture::Picture;
use crate::png::Canvas;

/// Colours of a GIF.
const COLORS: usize = 256;
/// Codes of the compression: those below are colours.
const CLEAR: u16 = 256;
const END: u16 = 257;
const FIRST_FREE: u16 = 258;
/// There are no codes of more than twelve bits.
const LAST_CODE: u16 = 4095;

impl Picture {
    /// Writes the picture as GIF with 96 pixels per inch, or fewer where that would be more than 100
    /// million pixels or 65 535 in a row or column.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_gif(&self, out: &mut dyn Write) -> io::Result<()> {
        let canvas = self.paint();
        let too_large =
            |_| io::Error::other("the graph is too large for GIF; use -png, or show fewer nodes");
        let width = u16::try_from(canvas.width).map_err(too_large)?.to_le_bytes();
        let height = u16::try_from(canvas.height).map_err(too_large)?.to_le_bytes();
        let palette = Palette::new(&canvas);
        out.write_all(b"GIF89a")?;
        out.write_all(&[width, height].concat())?;
        // A table of 256 colours; no background, square pixels.
        out.write_all(&[0xf7, 0, 0])?;
        palette.colors.iter().try_for_each(|color| out.write_all(color))?;
        out.write_all(&[0x2c, 0, 0, 0, 0])?;
        out.write_all(&[width, height].concat())?;
        out.write_all(&[0, 8])?;
        let pixels = canvas.pixels.chunks_exact(3).map(|p| palette.index(p));
        for block in compress(pixels).chunks(255) {
            out.write_all(&[block.len() as u8])?;
            out.write_all(block)?;
        }
        out.write_all(&[0, 0x3b])
    }
}

/// The colours of a picture, and which of them stands for each colour.
struct Palette {
    colors: [[u8; 3]; COLORS],
    /// By the upper five bits of red, green and blue.
    nearest: Vec<u8>,
}

fn bin(pixel: &[u8]) -> usize {
    pixel.iter().take(3).fold(0, |bin, c| (bin << 5) | usize::from(c >> 3))
}

/// Similar colours.
#[derive(Clone, Copy, Default)]
struct Bin {
    count: usize,
    /// The most frequent of them, if one of them outnumbers the others together.
    color: [u8; 3],
    lead: usize,
}

impl Bin {
    fn add(&mut self, pixel: &[u8]) {
        self.count += 1;
        if self.lead == 0 {
            self.color.copy_from_slice(pixel);
        }
        if self.color == pixel {
            self.lead += 1;
        } else {
            self.lead -= 1;
        }
    }
}

impl Palette {
    fn new(canvas: &Canvas) -> Self {
        let mut bins = vec![Bin::default(); 1 << 15];
        canvas.pixels.chunks_exact(3).for_each(|pixel| bins[bin(pixel)].add(pixel));
        let mut order: Vec<usize> = (0..bins.len()).filter(|&b| bins[b].count > 0).collect();
        order.sort_by_key(|&b| std::cmp::Reverse(bins[b].count));
        let mut colors = [[0; 3]; COLORS];
        let chosen = order.len().min(COLORS);
        for (color, &b) in colors.iter_mut().zip(&order) {
            *color = bins[b].color;
        }
        let mut nearest = vec![0; bins.len()];
        for &b in &order {
            let found = (0..chosen).min_by_key(|&i| distance(colors[i], bins[b].color));
            nearest[b] = found.unwrap_or(0) as u8;
        }
        Self { colors, nearest }
    }

    fn index(&self, pixel: &[u8]) -> u8 {
        self.nearest[bin(pixel)]
    }
}

fn distance(a: [u8; 3], b: [u8; 3]) -> u32 {
    a.iter().zip(b).map(|(&a, b)| u32::from(a.abs_diff(b)).pow(2)).sum()
}

/// Lempel, Ziv and Welch's compression with codes of nine to twelve bits.
fn compress(pixels: impl Iterator<Item = u8>) -> Vec<u8> {
    let mut bits = Bits::default();
    let mut table: FxHashMap<(u16, u8), u16> = FxHashMap::default();
    let (mut width, mut free) = (9, FIRST_FREE);
    let mut prefix: Option<u16> = None;
    bits.push(CLEAR, width);
    for pixel in pixels {
        let Some(code) = prefix else {
            prefix = Some(u16::from(pixel));
            continue;
        };
        if let Some(&longer) = table.get(&(code, pixel)) {
            prefix = Some(longer);
            continue;
        }
        bits.push(code, width);
        prefix = Some(u16::from(pixel));
        if free > LAST_CODE {
            bits.push(CLEAR, width);
            table.clear();
            (width, free) = (9, FIRST_FREE);
            continue;
        }
        table.insert((code, pixel), free);
        if free == 1 << width {
            width += 1;
        }
        free += 1;
    }
    prefix.into_iter().for_each(|code| bits.push(code, width));
    // Readers count one more entry than we have made by now.
    if free == 1 << width && width < 12 {
        width += 1;
    }
    bits.push(END, width);
    bits.finish()
}

/// Codes side by side, the lowest bit first.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    pending: u32,
    count: u32,
}

impl Bits {
    fn push(&mut self, code: u16, width: u32) {
        self.pending |= u32::from(code) << self.count;
        self.count += width;
        while self.count >= 8 {
            self.bytes.push(self.pending as u8);
            self.pending >>= 8;
            self.count -= 8;
        }
    }

    fn finish(mut self) -> Vec<u8> {
        if self.count > 0 {
            self.bytes.push(self.pending as u8);
        }
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::testing::picture;

    /// What a reader makes of compressed pixels.
    fn expand(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut table: Vec<Vec<u8>> = Vec::new();
        let (mut at, mut width, mut last) = (0, 9, None::<Vec<u8>>);
        loop {
            let bit = |i: usize| u16::from(bytes[i / 8] >> (i % 8) & 1);
            let code = (0..width).fold(0, |code, i| code | bit(at + i) << i);
            at += width;
            match code {
                CLEAR => {
                    table = (0..FIRST_FREE).map(|i| vec![i as u8]).collect();
                    (width, last) = (9, None);
                    continue;
                }
                END => return out,
                _ => {}
            }
            if let Some(mut entry) = last.take().filter(|_| table.len() <= 4095) {
                let next = table.get(usize::from(code)).unwrap_or(&entry)[0];
                entry.push(next);
                table.push(entry);
            }
            let entry = table[usize::from(code)].clone();
            out.extend(&entry);
            last = Some(entry);
            if table.len() == 1 << width && width < 12 {
                width += 1;
            }
        }
    }

    #[test]
    fn readers_get_back_what_was_compressed() {
        let check = |pixels: Vec<u8>| {
            assert!(expand(&compress(pixels.iter().copied())) == pixels, "{} pixels", pixels.len());
        };
        check(vec![7]);
        check(vec![0; 100_000]);
        check((0..200_000_u32).map(|i| (i.wrapping_mul(i) >> 7) as u8).collect());
        (250..530).for_each(|n| check((0..n).map(|i| (i * 7 % 251) as u8).collect()));
    }

    #[test]
    fn frequent_colors_are_kept() {
        let mut out = Vec::new();
        picture("main").write_gif(&mut out).unwrap();
        assert!(out.starts_with(b"GIF89a") && out.ends_with(b"\0\x3b"));
        let colors: Vec<_> = out[13..13 + 3 * COLORS].chunks_exact(3).collect();
        assert!(colors.contains(&&[255, 255, 255][..]) && colors.contains(&&[200, 100, 50][..]));
    }
}
