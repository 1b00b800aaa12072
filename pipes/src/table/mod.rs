//! What tables of several pipes have in common.
//! Does not know any pipe.

pub mod address;
pub mod headers;
pub mod once;
pub mod path;
pub mod secrets;
pub mod variants;
