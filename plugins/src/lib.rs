//! The line between forge and its pipes. A pipe implements [`Pipe`], and is told about the world by [`Host`].
//! Does not know the plan: a pipe sees its own table, its own step, and what these take.
//!
//! # A plugin
//!
//! A plugin is a shared library that carries one or more pipes; a pipe is the code for one kind of table in `forge.toml`.
//! `forge plugins new acme-checksums --lang rust` writes the crate of one. By hand it is `cargo new --lib`, and
//!
//! ```toml
//! [lib]
//! crate-type = ["cdylib", "rlib"]
//!
//! [dependencies]
//! forge-plugin = "0.1"
//! schemars = "1"
//! serde = { version = "1", features = ["derive"] }
//! serde_json = "1"
//!
//! [dev-dependencies]
//! forge-plugin = { version = "0.1", features = ["testing"] }
//! ```
//!
//! and a pipe. This one is whole: it writes the digests of what other tables have made into a file, as `sha256sum` does.
//!
//! ```
//! use std::fs;
//!
//! use forge_plugin::schemas::kind::Role;
//! use forge_plugin::schemas::{Emit, Failure, KindInfo, Output, Problem, Selector, Step};
//! use forge_plugin::{Given, Host, Pipe, Wants};
//! use schemars::JsonSchema;
//! use serde::{Deserialize, Serialize};
//! use serde_json::json;
//!
//! /// Pipe `acme_checksums`.
//! struct Checksums;
//!
//! /// Lists the digests of artifacts. This and the comments of the keys are the manual, and the help of an editor.
//! #[derive(Deserialize, JsonSchema)]
//! #[serde(deny_unknown_fields)]
//! struct Settings {
//!     /// Which kinds to list. Default: programs.
//!     #[serde(default = "programs")]
//!     kinds: Vec<String>,
//!     /// What the file is called.
//!     file: String,
//! }
//!
//! fn programs() -> Vec<String> {
//!     vec!["binary".to_owned()]
//! }
//!
//! /// What `plan` tells `run`. It decides, with the inputs, what comes out: if neither changes, the step need not run.
//! #[derive(Serialize, Deserialize)]
//! struct Params {
//!     version: String,
//! }
//!
//! impl Pipe for Checksums {
//!     const NAME: &'static str = "acme_checksums";
//!     const SUMMARY: &'static str = "Lists the digests of what was made";
//!     type Settings = Settings;
//!     type Params = Params;
//!
//!     fn makes() -> Vec<KindInfo> {
//!         // A kind of its own: `PLUGIN.kind`, and the JSON Schema of what is known of one.
//!         let detail = json!({ "type": "object" });
//!         vec![KindInfo { name: "acme-checksums.list".to_owned(), detail, role: Role::Sums }]
//!     }
//!
//!     fn takes(settings: &Settings) -> Result<Wants, Vec<Problem>> {
//!         if settings.file.contains('/') {
//!             let problem = Problem::at_key("file", format!("`{}` is a path, not a name", settings.file));
//!             return Err(vec![problem.help("it lies in `dist/`: write the name alone")]);
//!         }
//!         let selector = Selector { kinds: settings.kinds.clone(), key: "kinds".to_owned(), ..Selector::default() };
//!         Ok(Wants { selectors: vec![selector], sources: Vec::new() })
//!     }
//!
//!     fn plan(settings: &Settings, given: &Given<'_>) -> Result<Vec<Step>, Vec<Problem>> {
//!         Ok(vec![Step {
//!             takes: given.offers.iter().map(|offer| offer.name.clone()).collect(),
//!             makes: vec![Output {
//!                 name: settings.file.clone(),
//!                 kind: "acme-checksums.list".to_owned(),
//!                 platform: None,
//!                 detail: json!({}),
//!             }],
//!             params: json!({ "version": given.facts.version }),
//!             ..Step::default()
//!         }])
//!     }
//!
//!     fn run(params: &Params, step: &Step, host: &dyn Host) -> Result<(), Failure> {
//!         let mut text = format!("# {}\n", params.version);
//!         for input in host.inputs() {
//!             text += &format!("{}  {}\n", input.digest.hex(), input.name);
//!         }
//!         let path = host.dir().join("list");
//!         fs::write(&path, text).map_err(|error| Failure::file("write", &path, &error))?;
//!         host.emit(&Emit { name: step.makes[0].name.clone(), path, blobs: Vec::new(), detail: json!({}) })?;
//!         Ok(())
//!     }
//! }
//!
//! forge_plugin::export! { name: "acme-checksums", pipes: [Checksums] }
//! forge_plugin::entry!(forge_plugin);
//!
//! // Its test: a host in memory, with a program that some table has made.
//! fn test() {
//!     use forge_plugin::schemas::kind::Binary;
//!     use forge_plugin::testing::{FakeHost, plan_table, run_step, sample_facts};
//!
//!     let hello = Binary { file_name: "hello".to_owned() };
//!     let mut host = FakeHost::new().with_input("hello", None, &hello, "program");
//!     let settings = json!({ "file": "checksums.txt" });
//!     let steps = plan_table::<Checksums>(&settings, &sample_facts(), &host.offers(), &[]).unwrap();
//!     let made = run_step::<Checksums>(&steps[0], &mut host).unwrap();
//!     let text = fs::read_to_string(&made[0].path).unwrap();
//!     assert!(text.starts_with("# 1.2.3\n") && text.ends_with("  hello\n"), "{text}");
//! }
//! # fn main() { test() }
//! ```
//!
//! The project file names the plugin, and then its tables are like any others:
//!
//! ```toml
//! [plugins.acme-checksums]
//! path = "target/release/libacme_checksums.so"
//!
//! [[acme_checksums]]
//! file = "checksums.txt"
//! ```
//!
//! # What happens when
//!
//! 1. `describe`, when the plugin is loaded: [`Pipe::NAME`], [`Pipe::SUMMARY`], the JSON Schema of [`Pipe::Settings`], and
//!    [`Pipe::makes`]. Forge checks every table against the schema, renders the templates in it that name facts alone, and
//!    tells mistakes at their line and column.
//! 2. [`Pipe::takes`] and [`Pipe::plan`], while planning, in every command that looks at the project: both are pure and quick.
//!    They read no file, start nothing, ask no clock; the same settings give the same steps. Whoever needs a source file
//!    names it in [`Wants::sources`], and gets its text.
//! 3. [`Pipe::probe`], for a step whose effect is [`Publish`](schemas::Effect::Publish): before anything runs, and once
//!    more just before the step.
//! 4. [`Pipe::run`], for a step that is not fresh: on a thread of its own, several steps at once. All that it does to the
//!    world goes through its [`Host`].
//!
//! # How it fails
//!
//! `takes` and `plan` answer [`Problem`](schemas::Problem)s: mistakes of the user, each with the key that it is about; all
//! of a table at once. `run` and `probe` answer one [`Failure`](schemas::Failure): its class says what sort it is, and
//! whether trying again may help. A failure of the host's is passed on with `?`. A panic fails the call, is told as a bug of
//! the plugin with its place, and the next call finds the plugin as it was; a crate with `panic = "abort"` does not compile.
//!
//! # Limits
//!
//! A message is 64 MiB at most ([`abi::MAX_MESSAGE`]); contents of files never cross, paths do. A body of an HTTP answer that
//! is not written to a file is 4 MiB at most. Of what a program writes, the last MiB of standard output and the last 64 KiB of
//! standard error come back; all of it is in the task's log.
//!
//! # Features
//!
//! | feature | what for |
//! |---|---|
//! | none | to write a plugin |
//! | `testing` | module `testing`: a host in memory, for the tests of a pipe |
//! | `sources` | module `sources`: what a path in a step means, for pipes that copy source files |
//! | `templates` | what `forge plugins new` writes |
//! | `load` | forge's own side of the line: it finds, checks and loads libraries |
//!
//! Other languages: `include/forge_plugin.h` for C, C++ and Zig, and a module for Go in `go/`.

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
mod message;
mod panics;
mod pipe;
mod refusal;
mod settings;
#[cfg(feature = "sources")]
pub mod sources;
mod template;
#[cfg(feature = "templates")]
pub mod templates;
#[cfg(feature = "testing")]
pub mod testing;

pub use forge_schemas as schemas;
#[cfg(feature = "load")]
pub use load::{
    Found, Home, Library, LoadError, Nursery, Owners, Plugin, Plugins, Rule, end_only_by_leaving, is_home_of_plugin,
    leave, needs_another_host, plugin_host,
};
#[cfg(feature = "load")]
pub use panics::BACKTRACE;
pub use pipe::{Given, Host, Pipe, Renderer, Wants, kind};
pub use template::{Later, NAMES_KEY, Names, PlatformNames, Template, is_template};

/// What this was built from: sources, profile, target and compiler. A library that comes with forge and says
/// otherwise is stale.
pub const BUILD_ID: &str = env!("FORGE_BUILD_ID");
