//! Themes: which style each [`Role`] has. Parsed, validated, pure; free of ratatui (the console maps [`Style`]).
//!
//! A theme never decides meaning: every verdict is word + glyph + colour, and [`Theme::without_colour`] (which is
//! what `NO_COLOR` gives) still tells apart by modifiers what must not be confused: see [`MUST_DIFFER`].
//! Files: [`mod@file`] (the TOML), [`role`] (the closed list), [`depth`] (16 and 256 colours).

pub mod depth;
pub mod file;
pub mod role;

use std::sync::Arc;

pub use depth::ColourDepth;
pub use file::parse;
pub use role::Role;

use crate::domain::diagnostic::SourceFile;

/// A complete set of styles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Theme {
    pub name: String,
    /// One per [`Role::ALL`], in its order.
    styles: Vec<Style>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "five independent attributes of a terminal cell, as terminals have them"
)]
pub struct Style {
    pub fg: Option<Color>,
    pub bg: Option<Color>,
    pub bold: bool,
    pub dim: bool,
    pub italic: bool,
    pub underline: bool,
    pub reverse: bool,
}

/// `None` in a [`Style`] inherits what lies beneath; `Terminal` asks for the terminal's own default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Color {
    Terminal,
    /// 0..=15.
    Ansi(u8),
    Indexed(u8),
    Rgb(u8, u8, u8),
}

/// Roles that a person under stress must never confuse, in any depth of colour, the monochrome one included.
pub const MUST_DIFFER: &[(Role, Role)] = &[
    (Role::BannerLive, Role::BannerSimulated),
    (Role::BannerLive, Role::BannerDrill),
    (Role::BannerDrill, Role::BannerSimulated),
    (Role::ReadOnly, Role::Armed),
    (Role::VerdictMet, Role::VerdictBreached),
    (Role::VerdictMet, Role::VerdictUnknown),
    (Role::VerdictMet, Role::VerdictAtRisk),
    (Role::VerdictBreached, Role::VerdictUnknown),
    (Role::VerdictBreached, Role::VerdictAtRisk),
    (Role::Text, Role::Stale),
    (Role::VerdictMet, Role::Stale),
    (Role::Text, Role::Selection),
    (Role::HazardNone, Role::HazardDataLoss),
    (Role::HazardReversible, Role::HazardDataLoss),
    (Role::HazardReversible, Role::HazardDisruptive),
    (Role::HazardDisruptive, Role::HazardDataLoss),
    (Role::Ok, Role::Error),
    (Role::Ok, Role::Warning),
    (Role::Border, Role::BorderFocus),
    (Role::DialogBorder, Role::DialogDanger),
    (Role::Key, Role::KeyDisabled),
    (Role::StepDone, Role::StepParked),
    (Role::StepDone, Role::StepSkipped),
];

impl Theme {
    #[must_use]
    pub fn style(&self, role: Role) -> Style {
        self.styles[role as usize]
    }

    /// All colours dropped, modifiers kept.
    #[must_use]
    pub fn without_colour(&self) -> Self {
        self.map(|style| Style { fg: None, bg: None, ..style })
    }

    /// As a terminal of that depth can show it: nearest colour, never none.
    #[must_use]
    pub fn at_depth(&self, depth: ColourDepth) -> Self {
        self.map(|style| Style {
            fg: style.fg.and_then(|colour| depth.nearest(colour)),
            bg: style.bg.and_then(|colour| depth.nearest(colour)),
            ..style
        })
    }

    fn map(&self, change: impl Fn(Style) -> Style) -> Self {
        Self { name: self.name.clone(), styles: self.styles.iter().copied().map(change).collect() }
    }

    /// A theme inside the binary; `None` for a name that is not one of [`bundled_names`].
    #[must_use]
    pub fn bundled(name: &str) -> Option<Self> {
        let file = bundled_source(name)?;
        parse(&file, &bundled_source).0
    }
}

const BUNDLED: &[(&str, &str)] = &[
    ("default", include_str!("../../themes/default.toml")),
    ("light", include_str!("../../themes/light.toml")),
    ("high-contrast", include_str!("../../themes/high-contrast.toml")),
    ("monochrome", include_str!("../../themes/monochrome.toml")),
];

/// Names of the themes inside the binary, the default first.
#[must_use]
pub fn bundled_names() -> Vec<&'static str> {
    BUNDLED.iter().map(|(name, _)| *name).collect()
}

/// The file of a bundled theme: what `inherits` is resolved with when nothing else is at hand.
#[must_use]
pub fn bundled_source(name: &str) -> Option<Arc<SourceFile>> {
    BUNDLED
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(name, text)| Arc::new(SourceFile { name: format!("themes/{name}.toml"), text: (*text).to_owned() }))
}
