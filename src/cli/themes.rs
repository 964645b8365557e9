//! `pointsman themes`: the bundled themes, and the roles that a theme file must fill.

use clap::Args;

use super::{Common, exit::Failure};
use crate::{compose, theme};

#[derive(Debug, Args)]
pub struct ThemesArgs {
    /// Print every role with its style in the theme chosen by --theme
    #[arg(long)]
    pub roles: bool,
}

pub fn run(common: &Common, args: &ThemesArgs) -> Result<(), Failure> {
    if !args.roles {
        for name in theme::bundled_names() {
            println!("{name}");
        }
        return Ok(());
    }
    let theme = compose::load_theme(common)?;
    for role in theme::Role::ALL {
        println!("{:<22} {}", role.word(), describe(theme.style(*role)));
    }
    Ok(())
}

fn describe(style: theme::Style) -> String {
    let mut words = Vec::new();
    if let Some(fg) = style.fg {
        words.push(format!("fg {}", colour(fg)));
    }
    if let Some(bg) = style.bg {
        words.push(format!("bg {}", colour(bg)));
    }
    let flags = [
        (style.bold, "bold"),
        (style.dim, "dim"),
        (style.italic, "italic"),
        (style.underline, "underline"),
        (style.reverse, "reverse"),
    ];
    words.extend(flags.into_iter().filter(|(on, _)| *on).map(|(_, word)| word.to_owned()));
    if words.is_empty() { "plain".to_owned() } else { words.join(", ") }
}

fn colour(colour: theme::Color) -> String {
    match colour {
        theme::Color::Terminal => "the terminal's own".to_owned(),
        theme::Color::Ansi(n) => format!("ansi {n}"),
        theme::Color::Indexed(n) => format!("indexed {n}"),
        theme::Color::Rgb(r, g, b) => format!("#{r:02x}{g:02x}{b:02x}"),
    }
}
