//! The console: one loop, `update(&mut State, Msg) -> Vec<Cmd>`, and `view(&State, &mut Buffer)`.
//!
//! The only module that names ratatui and crossterm. It never calls AWS, never writes the journal and never
//! decides whether something may act: it asks, by a [`message::Cmd`] that `crate::compose` executes.
//!
//! Where to look next: [`message`] (what can happen), [`state`] (what is known), [`update`] (what each thing
//! does), [`mod@view`] (one file per screen), [`runtime`] (the loop), [`terminal`] (how the terminal survives).

pub mod availability;
pub mod dialog;
pub mod filter;
pub mod message;
pub mod orders;
pub mod runtime;
pub mod screen;
pub mod signals;
pub mod state;
pub mod summary;
pub mod tables;
pub mod terminal;
pub mod update;
pub mod view;
pub mod waiting;
pub mod wave;
pub mod widgets;
pub mod words;

pub use message::{Cmd, KeyPress, Msg};
pub use state::{Opening, State};
pub use update::update;
pub use view::view;
