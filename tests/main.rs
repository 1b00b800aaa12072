//! The package's integration tests: the executable as users have it, and the rules that its sources keep.

mod cases;
mod diff;
mod docs;
mod tidy;
