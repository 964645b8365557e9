//! Small pieces that screens are made of. They know styles and cells, never apps or AWS.

pub mod banner;
pub mod chart;
pub mod footer;
pub mod paint;
pub mod table;

pub use paint::{Pen, Styles};
