//! A screen held against the file of how it looked: its text, then its styles in run lengths, then the legend.

use std::{fmt::Write as _, fs, path::PathBuf};

use pointsman::tui::view::text_of;
use ratatui::{
    buffer::Buffer,
    style::{Color, Modifier},
};

/// Text, then styles in run lengths, then the legend.
fn golden(buffer: &Buffer) -> String {
    let mut out = text_of(buffer);
    let mut legend: Vec<String> = Vec::new();
    out.push_str("--- styles\n");
    for row in buffer.content().chunks(usize::from(buffer.area.width)) {
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for cell in row {
            let style = style_words(cell.fg, cell.bg, cell.modifier);
            let at = legend.iter().position(|known| *known == style).unwrap_or_else(|| {
                legend.push(style);
                legend.len() - 1
            });
            match runs.last_mut() {
                Some((last, count)) if *last == at => *count += 1,
                _ => runs.push((at, 1)),
            }
        }
        let line: Vec<String> = runs.iter().map(|(at, count)| format!("{}{count}", letter(*at))).collect();
        out.push_str(&line.join(" "));
        out.push('\n');
    }
    out.push_str("--- legend\n");
    for (at, style) in legend.iter().enumerate() {
        let _ = writeln!(out, "{} {style}", letter(at));
    }
    out
}

fn letter(at: usize) -> String {
    let letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    letters.chars().nth(at).map_or_else(|| format!("<{at}>"), |ch| ch.to_string())
}

fn style_words(fg: Color, bg: Color, modifier: Modifier) -> String {
    let mut words = format!("{fg} on {bg}");
    for (bit, name) in [
        (Modifier::BOLD, "bold"),
        (Modifier::DIM, "dim"),
        (Modifier::ITALIC, "italic"),
        (Modifier::UNDERLINED, "underlined"),
        (Modifier::REVERSED, "reversed"),
    ] {
        if modifier.contains(bit) {
            words.push(' ');
            words.push_str(name);
        }
    }
    words
}

pub fn hold(name: &str, buffer: &Buffer, wrong: &mut Vec<String>) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots").join(format!("{name}.txt"));
    let got = golden(buffer);
    let text = got.split("--- styles").next().unwrap_or_default();
    assert!(text.chars().filter(|c| c.is_alphanumeric()).count() > 40, "{name}: a snapshot must not hold only blanks");
    if std::env::var_os("POINTSMAN_BLESS").is_some() {
        fs::write(&path, got).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    if expected != got {
        let at = expected.lines().zip(got.lines()).position(|(a, b)| a != b);
        let at = at.unwrap_or_else(|| expected.lines().count().min(got.lines().count()));
        wrong.push(format!(
            "{name}: line {}\n  expected {:?}\n  got      {:?}",
            at + 1,
            expected.lines().nth(at),
            got.lines().nth(at)
        ));
    }
}
