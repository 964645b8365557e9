//! `pointsman keys`: the keymap in force, drawn from the same table that the console reads.

use std::io::Write as _;

use super::{Common, exit::Failure};
use crate::{compose, keymap::Context};

pub fn run(common: &Common) -> Result<(), Failure> {
    let keymap = compose::load_keymap(common)?;
    let mut out = std::io::stdout().lock();
    for context in Context::ALL {
        let rows = keymap.rows(*context);
        if rows.is_empty() {
            continue;
        }
        let _ = writeln!(out, "[{}]", context.word());
        for row in rows {
            let _ = writeln!(out, "  {:<14} {:<18} {}", row.keys, row.command.word(), row.desc);
        }
    }
    Ok(())
}
