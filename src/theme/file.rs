//! The theme file: `inherits`, `[palette]`, `[roles]`.
//!
//! An inherited theme's roles are read with the palette of the theme that inherits, so that a variant is often a
//! palette and nothing else. Colours are written `#rrggbb`, `indexed-214`, `terminal`, or one of the terminal's
//! sixteen: `red`, `bright-red`. Strict: unknown and missing roles, unknown colours, cycles, and two roles that
//! must not be confused but look the same ([`super::MUST_DIFFER`]) are errors.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use toml::de::DeValue;

use super::{Color, MUST_DIFFER, Role, Style, Theme, bundled_names};
use crate::domain::{
    diagnostic::{Diagnostic, Level, SourceFile, nearest},
    document::{self, Report, Table},
};

/// Finds the file that `inherits` names.
pub type Resolve<'r> = &'r dyn Fn(&str) -> Option<Arc<SourceFile>>;

/// Reads a theme; its name is the file's stem. `resolve` finds the file that `inherits` names.
///
/// The theme is `None` when anything is an error; all errors come at once, those of inherited files included.
#[must_use]
pub fn parse(file: &Arc<SourceFile>, resolve: Resolve<'_>) -> (Option<Theme>, Vec<Diagnostic>) {
    let mut layers = Vec::new();
    let mut found = Vec::new();
    let complete = read_chain(file, resolve, &mut layers, &mut found);
    let theme = complete.then(|| assemble(file, &layers, &mut found)).flatten();
    let sound = found.iter().all(|d| d.level != Level::Error);
    (theme.filter(|_| sound), found)
}

/// One file of the chain, the inheriting one first.
struct Layer {
    palette: BTreeMap<String, (Color, Range<usize>)>,
    roles: Vec<(Role, RawStyle)>,
    report: Report,
    /// Where the file says `[roles]`; its start when it does not.
    roles_span: Range<usize>,
}

struct RawStyle {
    fg: Option<(String, Range<usize>)>,
    bg: Option<(String, Range<usize>)>,
    modifiers: Style,
    span: Range<usize>,
}

fn read_chain(
    file: &Arc<SourceFile>,
    resolve: Resolve<'_>,
    layers: &mut Vec<Layer>,
    found: &mut Vec<Diagnostic>,
) -> bool {
    let mut seen = vec![file.name.clone()];
    let mut current = file.clone();
    loop {
        let (document, report) = document::parse(&current);
        let Some(document) = document else {
            found.extend(report.take());
            return false;
        };
        let root = document.root();
        let names_a_base = root.get("inherits").is_some();
        let inherits = root.text("inherits");
        layers.push(read_layer(&root, report.clone()));
        root.done();
        let mut next = None;
        // With a base that could not be had, most would be missing: said once, at `inherits`.
        let mut broken = names_a_base && inherits.is_none();
        if let Some((name, span)) = inherits {
            match resolve(&name) {
                Some(base) if seen.contains(&base.name) => {
                    let way = seen.iter().chain([&base.name]).map(String::as_str).collect::<Vec<_>>().join(" -> ");
                    report.error("inherits-cycle", span, "themes inherit in a circle", Some(way));
                    broken = true;
                }
                Some(base) => next = Some(base),
                None => {
                    let near = nearest(&name, bundled_names());
                    let help = near.map_or_else(
                        || format!("bundled: {}", bundled_names().join(", ")),
                        |near| format!("did you mean \"{near}\"?"),
                    );
                    report.error("unknown-theme", span, format!("there is no theme \"{name}\""), Some(help));
                    broken = true;
                }
            }
        }
        found.extend(report.take());
        match next {
            Some(base) => {
                seen.push(base.name.clone());
                current = base;
            }
            None => return !broken,
        }
    }
}

fn read_layer(root: &Table<'_, '_>, report: Report) -> Layer {
    let mut palette = BTreeMap::new();
    if let Some(table) = root.table("palette") {
        for (name, key_span, value) in table.entries() {
            let Some((text, span)) = table.as_text(&name, value) else { continue };
            match literal(&text) {
                Some(colour) => {
                    palette.insert(name, (colour, key_span));
                }
                None => report.error("bad-colour", span, format!("`{text}` is not a colour"), Some(COLOURS.to_owned())),
            }
        }
        table.done();
    }
    let mut roles = Vec::new();
    let mut roles_span = 0..0;
    if let Some(mut table) = root.table("roles") {
        table.call_it("[roles]");
        roles_span = table.span();
        for (word, key_span, value) in table.entries() {
            let Some(role) = Role::named(&word) else {
                let help = nearest(&word, Role::ALL.iter().map(|role| role.word()))
                    .map(|near| format!("did you mean `{near}`?"));
                report.error("unknown-role", key_span, format!("there is no role `{word}`"), help);
                continue;
            };
            match value.raw() {
                DeValue::Table(_) => {
                    if let Some(mut style) = table.as_table(&word, value) {
                        style.call_it(format!("role `{word}`"));
                        roles.push((role, read_style(style, key_span)));
                    }
                }
                _ => {
                    let _: Option<()> = table.wrong(&word, value, "a style like { fg = \"accent\", bold = true }");
                }
            }
        }
        table.done();
    }
    Layer { palette, roles, report, roles_span }
}

fn read_style(table: Table<'_, '_>, span: Range<usize>) -> RawStyle {
    let flag = |key: &str| table.flag(key).is_some_and(|(on, _)| on);
    let style = RawStyle {
        fg: table.text("fg"),
        bg: table.text("bg"),
        modifiers: Style {
            fg: None,
            bg: None,
            bold: flag("bold"),
            dim: flag("dim"),
            italic: flag("italic"),
            underline: flag("underline"),
            reverse: flag("reverse"),
        },
        span,
    };
    table.done();
    style
}

/// Joins the layers, base first, and checks the whole.
fn assemble(file: &Arc<SourceFile>, layers: &[Layer], found: &mut Vec<Diagnostic>) -> Option<Theme> {
    let mut palette = BTreeMap::new();
    for layer in layers.iter().rev() {
        palette.extend(layer.palette.iter().map(|(name, (colour, _))| (name.as_str(), *colour)));
    }
    let mut styles: BTreeMap<Role, Style> = BTreeMap::new();
    let mut used = Vec::new();
    for layer in layers.iter().rev() {
        for (role, raw) in &layer.roles {
            let mut pick = |written: &Option<(String, Range<usize>)>| {
                let (text, span) = written.as_ref()?;
                if let Some(colour) = palette.get(text.as_str()) {
                    used.push(text.clone());
                    return Some(*colour);
                }
                let colour = literal(text);
                if colour.is_none() {
                    let help = nearest(text, palette.keys().copied())
                        .map_or_else(|| COLOURS.to_owned(), |near| format!("did you mean \"{near}\"?"));
                    let message = format!("`{text}` is neither in the palette nor a colour");
                    layer.report.error("unknown-colour", span.clone(), message, Some(help));
                }
                colour
            };
            styles.insert(*role, Style { fg: pick(&raw.fg), bg: pick(&raw.bg), ..raw.modifiers });
        }
    }
    let own = layers.first()?;
    for (name, (_, span)) in &own.palette {
        if !used.contains(name) {
            let message = format!("no role uses the colour `{name}`");
            let help = nearest(name, used.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?"));
            own.report.warning("unused-colour", span.clone(), message, help);
        }
    }
    let missing: Vec<&str> = Role::ALL.iter().filter(|r| !styles.contains_key(r)).map(|r| r.word()).collect();
    if !missing.is_empty() {
        let message = format!("no style for: {}", missing.join(", "));
        let help = "say them here, or inherit from a theme that does: inherits = \"default\"".to_owned();
        own.report.error("missing-role", own.roles_span.clone(), message, Some(help));
    }
    for (a, b) in MUST_DIFFER {
        let (Some(one), Some(other)) = (styles.get(a), styles.get(b)) else { continue };
        let bare = |style: &Style| Style { fg: None, bg: None, ..*style };
        if bare(one) == bare(other) {
            let place = [b, a].into_iter().find_map(|role| own.roles.iter().rfind(|(r, _)| r == role));
            let span = place.map_or_else(|| own.roles_span.clone(), |(_, raw)| raw.span.clone());
            let message = format!("`{}` and `{}` look the same without colour", a.word(), b.word());
            let help = "let one of them be bold, dim, italic, underline or reverse".to_owned();
            own.report.error("same-style", span, message, Some(help));
        }
    }
    for layer in layers {
        found.extend(layer.report.take());
    }
    let styles: Option<Vec<Style>> = Role::ALL.iter().map(|role| styles.get(role).copied()).collect();
    Some(Theme { name: stem(&file.name), styles: styles? })
}

fn stem(name: &str) -> String {
    let file = name.rsplit(['/', '\\']).next().unwrap_or(name);
    file.strip_suffix(".toml").unwrap_or(file).to_owned()
}

const COLOURS: &str = "a colour is \"#rrggbb\", \"indexed-214\", \"terminal\" or one of the sixteen like \"red\" or \
                       \"bright-red\"";

const ANSI_NAMES: [&str; 16] = [
    "black",
    "red",
    "green",
    "yellow",
    "blue",
    "magenta",
    "cyan",
    "white",
    "bright-black",
    "bright-red",
    "bright-green",
    "bright-yellow",
    "bright-blue",
    "bright-magenta",
    "bright-cyan",
    "bright-white",
];

fn literal(text: &str) -> Option<Color> {
    if text == "terminal" {
        return Some(Color::Terminal);
    }
    if let Some(n) = ANSI_NAMES.iter().position(|name| *name == text) {
        return Some(Color::Ansi(n as u8));
    }
    if let Some(n) = text.strip_prefix("indexed-") {
        return n.bytes().all(|b| b.is_ascii_digit()).then(|| n.parse().ok().map(Color::Indexed)).flatten();
    }
    let hex = text.strip_prefix('#').filter(|hex| hex.len() == 6 && hex.bytes().all(|b| b.is_ascii_hexdigit()))?;
    let part = |range: Range<usize>| hex.get(range).and_then(|two| u8::from_str_radix(two, 16).ok());
    Some(Color::Rgb(part(0..2)?, part(2..4)?, part(4..6)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::theme::{ColourDepth, bundled_source};

    fn source(name: &str, text: &str) -> Arc<SourceFile> {
        Arc::new(SourceFile { name: name.to_owned(), text: text.to_owned() })
    }

    #[test]
    fn every_bundled_theme_is_whole_and_without_a_remark() {
        for name in bundled_names() {
            let (theme, found) = parse(&bundled_source(name).expect("bundled"), &bundled_source);
            let said: Vec<String> = found.iter().map(ToString::to_string).collect();
            assert_eq!(said, Vec::<String>::new());
            assert_eq!(theme.expect("sound").name, name);
        }
    }

    #[test]
    fn what_must_not_be_confused_differs_in_every_depth_of_every_bundled_theme() {
        for name in bundled_names() {
            let theme = Theme::bundled(name).expect("sound");
            let depths = [ColourDepth::Monochrome, ColourDepth::Ansi16, ColourDepth::Indexed256, ColourDepth::True];
            let shown = depths.iter().map(|d| theme.at_depth(*d)).chain([theme.without_colour()]);
            for theme in shown {
                for (a, b) in MUST_DIFFER {
                    assert_ne!(theme.style(*a), theme.style(*b), "{name}: {} and {}", a.word(), b.word());
                }
            }
        }
    }

    #[test]
    fn no_colour_drops_every_colour_and_keeps_every_modifier() {
        let theme = Theme::bundled("default").expect("sound");
        let bare = theme.without_colour();
        for role in Role::ALL {
            let (style, was) = (bare.style(*role), theme.style(*role));
            assert_eq!((style.fg, style.bg), (None, None));
            assert_eq!(Style { fg: None, bg: None, ..was }, style);
        }
    }

    #[test]
    fn a_variant_may_be_a_palette_and_nothing_else() {
        let roles: Vec<String> = Role::ALL.iter().map(|r| format!("{} = {{ fg = \"ink\" }}", r.word())).collect();
        let base = format!("[palette]\nink = \"#000000\"\n[roles]\n{}\n", roles.join("\n"));
        let resolve = |name: &str| (name == "base").then(|| source("base.toml", &base));
        let (_, found) = parse(&source("mine.toml", "inherits = \"base\"\n[palette]\nink = \"red\"\n"), &resolve);
        assert!(found.iter().all(|d| d.code == "same-style"), "{found:?}");
        let file = source("mine.toml", "inherits = \"default\"\n[palette]\nink = \"bright-white\"\n");
        let (theme, found) = parse(&file, &bundled_source);
        assert_eq!(found, Vec::new());
        assert_eq!(theme.expect("sound").style(Role::Text).fg, Some(Color::Ansi(15)));
    }

    /// WCAG 2.2 contrast ratio.
    fn contrast(a: Color, b: Color) -> f64 {
        let luminance = |colour: Color| {
            let Color::Rgb(red, green, blue) = colour else { panic!("{colour:?} has no known brightness") };
            let part = |v: u8| {
                let v = f64::from(v) / 255.0;
                if v <= 0.03928 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
            };
            0.2126 * part(red) + 0.7152 * part(green) + 0.0722 * part(blue)
        };
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_can_be_read_on_its_background() {
        for (name, needed) in [("default", 4.5), ("light", 4.5), ("high-contrast", 7.0)] {
            let theme = Theme::bundled(name).expect("sound");
            let paper = theme.style(Role::Text).bg.expect("a background of its own");
            for role in Role::ALL {
                let style = theme.style(*role);
                let fg = style.fg.unwrap_or_else(|| theme.style(Role::Text).fg.expect("ink"));
                let ratio = contrast(fg, style.bg.unwrap_or(paper));
                // Lines and terminal-dimmed text are not read letter by letter.
                let needed = if matches!(role, Role::Border | Role::TargetLine) { 2.0 } else { needed };
                assert!(ratio >= needed, "{name}: {} has contrast {ratio:.1}", role.word());
            }
        }
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in ".{0,200}") {
            let _ = parse(&source("x.toml", &text), &bundled_source);
        }

        #[test]
        fn near_misses_never_panic(
            key in "[a-z-]{1,12}", value in "(\"[#a-z0-9-]{0,9}\"|[0-9]{1,3}|\\{ [a-z]{1,4} = [a-z\"#]{1,6} \\})"
        ) {
            let text = format!("inherits = \"default\"\n[palette]\n{key} = {value}\n[roles]\n{key} = {value}\n");
            for diagnostic in parse(&source("x.toml", &text), &bundled_source).1 {
                prop_assert!(!diagnostic.to_string().is_empty());
            }
        }
    }
}
