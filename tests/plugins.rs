//! Plugins of third parties in projects: the examples, each in its own project, as a user runs them.

mod examples;
#[path = "../plugins/tests/examples.rs"]
mod library;
