//! Plugins of third parties in projects: the examples, each in its own project, as a user runs them.

mod examples;
mod kinds;
#[path = "../plugins/tests/examples.rs"]
mod library;
mod new;
mod tutorial;
