//! What people and programs hear of a run: sinks for events, and diagnostics with their carets.
//! Reads events and diagnostics alone; knows no plan and no store.

pub mod diagnostics;
mod json;
mod past;
mod terminal;
mod tree;
mod words;

use forge_schemas::Event;

pub use diagnostics::{Colour, render, summary};
pub use json::JsonLines;
pub use past::{began, record, summary as run_summary};
pub use terminal::{Terminal, Verbosity};
pub use tree::tree;
pub use words::{count, duration, size};

/// Somebody who is told what happens, in order.
pub trait Sink {
    /// Something happened.
    fn tell(&mut self, event: &Event);
}
