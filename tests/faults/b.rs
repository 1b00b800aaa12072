//! Rows B: several runs at once.
//! Does not know what a run makes.
