//! Every exit code of forge, with its meaning. Users' scripts rely on them.

/// All that was asked for is done.
pub const DONE: u8 = 0;
/// A task failed.
pub const FAILED: u8 = 1;
/// The project file, or the command line, is wrong. Nothing was built.
pub const PROJECT: u8 = 2;
/// A plugin cannot be used.
pub const PLUGIN: u8 = 3;
/// A bug in forge.
pub const BUG: u8 = 70;
/// The run was interrupted.
pub const INTERRUPTED: u8 = 130;
