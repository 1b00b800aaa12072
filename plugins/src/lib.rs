//! The line between forge and its pipes. A pipe implements [`Pipe`], and is told about the world by [`Host`].
//! Does not know the plan: a pipe sees its own table, its own step, and what these take.

#[cfg(panic = "abort")]
compile_error!("a plugin can't be built with `panic = \"abort\"`: a panic in a pipe must end the task, not forge");

pub mod abi;
#[doc(hidden)]
pub mod export;
mod guest;
#[cfg(feature = "load")]
mod load;
#[doc(hidden)]
pub mod manifest;
mod panics;
mod pipe;
mod refusal;
mod settings;
#[cfg(feature = "sources")]
pub mod sources;
mod template;
#[cfg(feature = "testing")]
pub mod testing;

pub use forge_schemas as schemas;
#[cfg(feature = "load")]
pub use load::{
    Found, Home, Library, LoadError, Nursery, Owners, Plugin, Plugins, Rule, end_only_by_leaving, leave, plugin_host,
};
pub use pipe::{Given, Host, Pipe, Renderer, Wants, kind};
pub use template::{NAMES_KEY, Names, PlatformNames, Template, is_template};

/// What this was built from: sources, profile, target and compiler. A library that comes with forge and says
/// otherwise is stale.
pub const BUILD_ID: &str = env!("FORGE_BUILD_ID");
