//! Colours that say how much something costs.

use std::fmt;

/// A colour, red, green and blue; shown as `#rrggbb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Color(pub u8, pub u8, pub u8);

/// Shares below this fade to grey.
const FADING: f64 = 0.2;
/// Small shares are told apart better than large ones.
const EXPONENT: f64 = 0.3;

impl Color {
    /// Colour of lines for a share of the total, from −1 (green) by 0 (grey) to 1 (red).
    pub fn line(share: f64) -> Self {
        Self::mix(share, 1.0, 0.7)
    }

    /// Colour of areas, lighter than [`line`](Self::line).
    pub fn fill(share: f64) -> Self {
        Self::mix(share, 0.1, 0.93)
    }

    fn mix(share: f64, saturation: f64, value: f64) -> Self {
        let share = share.clamp(-1.0, 1.0);
        let size = share.abs();
        let saturation = if size < FADING { saturation * size / FADING } else { saturation };
        // Exact arithmetic matters: the result is truncated.
        let faded = value * (1.0 - saturation * size.powf(EXPONENT));
        let (red, green) = if share < 0.0 { (faded, value) } else { (value, faded) };
        let blue = value * (1.0 - saturation);
        let byte = |x: f64| (x * 255.0) as u8;
        Self(byte(red), byte(green), byte(blue))
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_go_from_green_by_grey_to_red() {
        let check = |share, line: &str, fill: &str| {
            assert_eq!(
                (Color::line(share).to_string(), Color::fill(share).to_string()),
                (line.to_owned(), fill.to_owned())
            );
        };
        check(1.0, "#b20000", "#edd5d5");
        check(-1.0, "#00b200", "#d5edd5");
        check(0.0, "#b2b2b2", "#ededed");
    }
}
