//! The line between forge and its pipes. A pipe implements [`Pipe`], and is told about the world by [`Host`].
//! Does not know the plan: a pipe sees its own table, its own step, and what these take.

mod pipe;
mod settings;
mod template;
#[cfg(feature = "testing")]
pub mod testing;

pub use forge_schemas as schemas;
pub use pipe::{Given, Host, Pipe, Renderer, Wants, kind};
pub use template::{NAMES_KEY, Names, PlatformNames, Template, is_template};
