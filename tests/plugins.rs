//! Plugins of third parties in projects: the examples, each in its own project, as a user runs them.

mod c;
mod examples;
mod kinds;
mod later;
#[path = "../plugins/tests/examples.rs"]
pub mod library;
mod new;
mod symbols;
mod tutorial;
