//! stub

/// Renders templates with facts.
pub struct Renderer;
