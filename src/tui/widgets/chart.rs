//! A line of braille dots over time with a line for the target, and one-row sparklines.

use ratatui::{buffer::Buffer, layout::Rect};

use super::paint::{Pen, Styles};
use crate::theme::Role;

/// Bits of a braille cell: left column 1 2 3 7, right column 4 5 6 8, top to bottom.
const BITS: [[u8; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];

/// Values by column: `None` where nothing is known, which is drawn as a gap and never as zero.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    pub values: Vec<Option<f64>>,
    pub target: Option<f64>,
}

impl Trace {
    #[must_use]
    pub fn top(&self) -> f64 {
        let most = self.values.iter().flatten().copied().fold(0.0_f64, f64::max);
        (most.max(self.target.unwrap_or(0.0)) * 1.15).max(f64::MIN_POSITIVE)
    }
}

/// The row on which the line of the target is drawn.
#[must_use]
pub fn target_row(trace: &Trace, rows: u16) -> Option<u16> {
    let target = trace.target?;
    rows.checked_sub(1).map(|last| last - (level(trace, target, usize::from(rows) * 4) / 4) as u16)
}

/// Steps from the bottom, of `steps`.
fn level(trace: &Trace, value: f64, steps: usize) -> usize {
    ((value / trace.top()) * steps as f64).clamp(0.0, steps as f64 - 1.0) as usize
}

/// Draws the trace; two values per column, four steps per row.
pub fn draw(buffer: &mut Buffer, styles: &Styles, area: Rect, trace: &Trace) {
    if area.width == 0 || area.height == 0 {
        return;
    }
    let (columns, rows) = (usize::from(area.width), usize::from(area.height));
    let steps = rows * 4;
    let target_row = target_row(trace, area.height).map(usize::from);
    let mut dots = vec![0_u8; columns * rows];
    let resampled = resample(&trace.values, columns * 2);
    let mut before: Option<usize> = None;
    for (x, value) in resampled.iter().enumerate() {
        let Some(value) = value else {
            before = None;
            continue;
        };
        let at = level(trace, *value, steps);
        let (low, high) = before.map_or((at, at), |b| if b < at { (b + 1, at) } else { (at, b.max(at + 1) - 1) });
        for step in low.min(at)..=high.max(at) {
            let row = rows - 1 - step / 4;
            dots[row * columns + x / 2] |= BITS[x % 2][3 - step % 4];
        }
        before = Some(at);
    }
    let mut cell = [0_u8; 4];
    for row in 0..rows {
        let mut pen = Pen::new(buffer, styles, area, row as u16);
        for column in 0..columns {
            let bits = dots[row * columns + column];
            if bits == 0 {
                if target_row == Some(row) {
                    pen.put("┄", Role::TargetLine);
                } else {
                    pen.gap(1);
                }
            } else {
                let dot = char::from_u32(0x2800 + u32::from(bits)).unwrap_or(' ');
                pen.put(dot.encode_utf8(&mut cell), Role::Sparkline);
            }
        }
    }
}

/// The worst value of each bucket: a peak must not vanish in a narrow window.
fn resample(values: &[Option<f64>], buckets: usize) -> Vec<Option<f64>> {
    if values.is_empty() {
        return vec![None; buckets];
    }
    (0..buckets)
        .map(|bucket| {
            let from = bucket * values.len() / buckets;
            let to = ((bucket + 1) * values.len()).div_ceil(buckets).clamp(from + 1, values.len());
            values[from..to]
                .iter()
                .flatten()
                .copied()
                .fold(None, |most: Option<f64>, v| Some(most.map_or(v, |m| m.max(v))))
        })
        .collect()
}

/// `▁▂▃▅▇`: one character per value, a space where nothing is known.
#[must_use]
pub fn sparkline(values: &[Option<f64>], top: f64) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    values
        .iter()
        .map(|value| match value {
            None => ' ',
            Some(v) if *v < 0.0 => '!',
            Some(v) => BARS[((v / top.max(f64::MIN_POSITIVE)) * 7.0).clamp(0.0, 7.0) as usize],
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_stays_a_gap_and_a_peak_survives_narrowing() {
        let values = [Some(1.0), Some(9.0), None, None, Some(1.0), Some(1.0)];
        let narrowed = resample(&values, 3);
        assert_eq!(narrowed, [Some(9.0), None, Some(1.0)]);
        assert_eq!(sparkline(&[Some(0.0), None, Some(10.0), Some(-1.0)], 10.0), "▁ █!");
    }

    #[test]
    fn every_size_draws() {
        let theme = crate::theme::Theme::bundled("default").expect("bundled");
        let styles = Styles::of(&theme);
        let trace = Trace { values: (0..40).map(|n| Some(f64::from(n % 7))).collect(), target: Some(5.0) };
        for (w, h) in [(0, 0), (1, 1), (3, 2), (80, 9)] {
            let area = Rect::new(0, 0, w, h);
            draw(&mut Buffer::empty(area), &styles, area, &trace);
        }
    }
}
