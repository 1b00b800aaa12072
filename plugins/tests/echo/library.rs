//! The echo as a library: what is linked in has no entry that forge looks for, of which a program can have one alone.
//! Does not know what it says.

#[path = "lib.rs"]
mod echo;

forge_plugin::entry!(echo::forge_plugin);
