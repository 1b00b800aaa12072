//! Rows D: the order of publication, and what goes on after it stopped.
//! Does not know how a registry is spoken to.
