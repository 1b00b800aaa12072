//! What the user sees of a run, and what is kept of it.
//! Does not know how a run goes.

pub mod diagnostics;
