//! Fewer colours: the nearest one that a terminal of a given depth can show.

use super::Color;

/// What the terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ColourDepth {
    Monochrome,
    Ansi16,
    Indexed256,
    True,
}

/// xterm's own values of the sixteen; terminals differ, which is why a theme meant for them names `Ansi`.
const ANSI: [(u8, u8, u8); 16] = [
    (0, 0, 0),
    (205, 0, 0),
    (0, 205, 0),
    (205, 205, 0),
    (0, 0, 238),
    (205, 0, 205),
    (0, 205, 205),
    (229, 229, 229),
    (127, 127, 127),
    (255, 0, 0),
    (0, 255, 0),
    (255, 255, 0),
    (92, 92, 255),
    (255, 0, 255),
    (0, 255, 255),
    (255, 255, 255),
];

impl ColourDepth {
    /// The nearest colour of this depth; `None` at [`ColourDepth::Monochrome`].
    #[must_use]
    pub fn nearest(self, colour: Color) -> Option<Color> {
        match (self, colour) {
            (Self::Monochrome, _) => None,
            (_, Color::Terminal | Color::Ansi(_)) | (Self::True, _) | (Self::Indexed256, Color::Indexed(_)) => {
                Some(colour)
            }
            (Self::Indexed256, Color::Rgb(r, g, b)) => Some(Color::Indexed(to_indexed((r, g, b)))),
            (Self::Ansi16, Color::Indexed(n)) => Some(Color::Ansi(to_ansi(indexed_rgb(n)))),
            (Self::Ansi16, Color::Rgb(r, g, b)) => Some(Color::Ansi(to_ansi((r, g, b)))),
        }
    }
}

fn distance(a: (u8, u8, u8), b: (u8, u8, u8)) -> u32 {
    let part = |x: u8, y: u8| u32::from(x.abs_diff(y)).pow(2);
    // Weights of perceived brightness, roughly: green counts most, blue least.
    2 * part(a.0, b.0) + 4 * part(a.1, b.1) + part(a.2, b.2)
}

/// Nearest by colour; a colour with a hue never becomes a grey, because hue is what told it apart.
fn to_ansi(rgb: (u8, u8, u8)) -> u8 {
    let saturation = rgb.0.max(rgb.1).max(rgb.2) - rgb.0.min(rgb.1).min(rgb.2);
    let grey = |n: u8| matches!(n, 0 | 7 | 8 | 15);
    (0..16_u8)
        .filter(|n| saturation < 60 || !grey(*n))
        .min_by_key(|n| distance(ANSI[usize::from(*n)], rgb))
        .unwrap_or(7)
}

fn to_indexed(rgb: (u8, u8, u8)) -> u8 {
    // 0..=15 differ between terminals: only the cube and the grey ramp are used.
    (16..=255_u8).min_by_key(|n| distance(indexed_rgb(*n), rgb)).unwrap_or(16)
}

fn indexed_rgb(n: u8) -> (u8, u8, u8) {
    match n {
        0..16 => ANSI[usize::from(n)],
        16..232 => {
            let level = |v: u8| if v == 0 { 0 } else { 55 + 40 * v };
            let n = n - 16;
            (level(n / 36), level(n / 6 % 6), level(n % 6))
        }
        232.. => {
            let grey = 8 + 10 * (n - 232);
            (grey, grey, grey)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn true_colours_become_the_nearest_of_the_cube() {
        assert_eq!(ColourDepth::Indexed256.nearest(Color::Rgb(255, 0, 0)), Some(Color::Indexed(196)));
        assert_eq!(ColourDepth::Indexed256.nearest(Color::Rgb(0x80, 0x80, 0x80)), Some(Color::Indexed(244)));
    }

    #[test]
    fn a_hue_never_becomes_a_grey_with_sixteen_colours() {
        for colour in [Color::Rgb(0xff, 0x9d, 0x4d), Color::Rgb(0x5f, 0xb0, 0xff), Color::Indexed(33)] {
            let Some(Color::Ansi(n)) = ColourDepth::Ansi16.nearest(colour) else { panic!("{colour:?} got no colour") };
            assert!(![0, 7, 8, 15].contains(&n), "{colour:?} became grey {n}");
        }
    }

    #[test]
    fn a_terminal_without_colour_gets_none() {
        assert_eq!(ColourDepth::Monochrome.nearest(Color::Ansi(1)), None);
        assert_eq!(ColourDepth::True.nearest(Color::Rgb(1, 2, 3)), Some(Color::Rgb(1, 2, 3)));
    }
}
