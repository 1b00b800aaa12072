//! stub

pub mod diagnostic;
pub mod git;
pub mod project;
pub mod report;
pub mod source;
