//! Pipe `docker`.
//! stub

pub mod base;
pub mod context;
pub mod copying;
pub mod dockerfile;
pub mod healthcheck;
pub mod nearest;
pub mod recipe;
pub mod values;
pub mod words;
