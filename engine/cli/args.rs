//! The command line: words to a command. What clap prints for `help` is the manual of it.
//! Does not know what a command does.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use forge_plugin::templates::TEMPLATES;
use forge_schemas::Platform;
use jiff::Span;

use super::third_party::Unpinned;

/// Takes a project from its source to what its users install
///
/// One file, forge.toml, says what; forge derives the order, builds in parallel, remembers what is done, and publishes
/// only when all of it is ready.
#[derive(Debug, Parser)]
#[command(name = "forge", version, max_term_width = 100, disable_help_subcommand = false)]
pub struct Arguments {
    /// Work as if started in this directory
    #[arg(short = 'C', long = "directory", global = true, help_heading = EVERYWHERE, value_name = "DIR", default_value = ".")]
    pub directory: PathBuf,
    /// The project file, relative to that directory
    #[arg(short = 'f', long = "file", global = true, help_heading = EVERYWHERE, value_name = "FILE", default_value = "forge.toml")]
    pub file: PathBuf,
    /// When to use colour: auto, always or never
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "WHEN", default_value = "auto", hide_possible_values = true)]
    pub color: When,
    /// Say nothing but what is wrong
    #[arg(short, long, global = true, help_heading = EVERYWHERE, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say what programs write, and what is fresh
    #[arg(short, long, global = true, help_heading = EVERYWHERE)]
    pub verbose: bool,
    /// Fail at once where another forge works in this project, rather than wait for it
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub no_wait: bool,
    /// Refuse plugins that forge.lock does not pin, and write nothing there; the default where CI is set
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub locked: bool,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

impl Arguments {
    /// What becomes of a plugin that is not pinned.
    pub fn unpinned(&self) -> Unpinned {
        let in_ci = std::env::var("CI").is_ok_and(|it| !matches!(it.as_str(), "" | "0" | "false"));
        if self.locked || in_ci { Unpinned::Refused } else { Unpinned::Loaded }
    }
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// At a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run goals (`release`: everything), pipes (`docker`), tables (`docker:image`) or tasks, and what they need
    Run(Run),
    /// Find every mistake in the project file, and build nothing
    Check(Check),
    /// Show what would run
    Plan(Plan),
    /// Tell why tasks would run or are fresh, and what made them run last; runs nothing
    Why(Selection),
    /// Write down what the tools of the plan are and its names mean, in forge.lock
    Lock(Lock),
    /// List the runs there were, and show one
    Runs(Runs),
    /// List what was made
    Artifacts(AsJson),
    /// Show what is made of other content: manifest lists of images, images of layers, and what of it is shared
    Images,
    /// Remove what nobody needs any more
    ///
    /// Removed are: entries of the record that a later run of the same task has superseded, content of the store that no
    /// entry, no list under `dist/` and no publication names, what a killed run has left, and what was set aside as damaged.
    /// Nothing that the next run of the project as it is would have to make again.
    Clean(Clean),
    /// Look after the store
    #[command(subcommand)]
    Store(Store),
    /// List the plugins that are loaded, and their pipes; begin one, pin them, look at one, check one
    Plugins(Plugins),
    /// Print the JSON Schema of the project file
    Schema,
}

/// `forge check`.
#[derive(Debug, Args)]
pub struct Check {
    /// Take the facts of a snapshot, tagged or not
    #[arg(long)]
    pub snapshot: bool,
}

/// `forge lock`.
#[derive(Debug, Args)]
pub struct Lock {
    /// Write nothing, say what differs
    #[arg(long)]
    pub check: bool,
}

/// What to plan, and for what.
#[derive(Debug, Clone, Args)]
pub struct Selection {
    /// Goals, pipes, tables or tasks; what they need runs first, unless it is fresh
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Run nothing but what is named: what it needs must be there, made from the sources of now
    #[arg(long, help_heading = WHAT)]
    pub only: bool,
    /// Leave out what NAME is, and all that needs it; may be given several times
    #[arg(long, value_name = "NAME", help_heading = WHAT)]
    pub skip: Vec<String>,
    /// Run what NAME is and all that needs it, or as much of that as other names need; may be given several times
    #[arg(long, value_name = "NAME", help_heading = WHAT)]
    pub from: Vec<String>,
    /// Only for this platform (os/arch or os/arch/variant); may be given several times
    #[arg(long = "platform", value_name = "PLATFORM", help_heading = WHAT)]
    pub platforms: Vec<Platform>,
    /// Take the tree as it is, tagged or not, and publish nothing
    #[arg(long, help_heading = WHAT)]
    pub snapshot: bool,
}

const WHAT: &str = "What is run";
const HOW: &str = "How it is run";
const EVERYWHERE: &str = "For every command";

/// `forge run`.
#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    /// What, and for what
    pub selection: Selection,
    /// Start nothing more once a task has failed; without it, all goes on that does not need that task, but nothing is
    /// published
    #[arg(long, help_heading = HOW)]
    pub fail_fast: bool,
    /// After a failed publication, go on with those that do not need it; without it, no other is started
    #[arg(long, help_heading = HOW, conflicts_with = "fail_fast")]
    pub keep_going: bool,
    /// Leave a release that was begun and not finished as it is, and begin anew
    #[arg(long, help_heading = HOW)]
    pub new: bool,
    /// Replace what lies at this reference, though it should stay; may be given several times
    #[arg(long, value_name = "REFERENCE", help_heading = HOW)]
    pub replace: Vec<String>,
    /// How many tasks run side by side [default: one more than there are processors]
    #[arg(short, long, value_name = "N", help_heading = HOW, value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// Print what happens as JSON, an event a line
    #[arg(long, help_heading = HOW)]
    pub json: bool,
}

/// `forge runs`.
#[derive(Debug, Args)]
pub struct Runs {
    /// As JSON
    #[arg(long)]
    pub json: bool,
    /// How many of the last runs
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    pub number: usize,
    /// One of them
    #[command(subcommand)]
    pub command: Option<RunsCommand>,
}

/// What of the runs.
#[derive(Debug, Subcommand)]
pub enum RunsCommand {
    /// Show one run: how each task ended, what failed and why, and what was made
    Show(ShowRun),
}

/// `forge runs show`.
#[derive(Debug, Args)]
pub struct ShowRun {
    /// The run, or the start of its name; LAST is the last one
    #[arg(value_name = "RUN", default_value = "LAST")]
    pub run: String,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// `forge clean`.
#[derive(Debug, Args)]
pub struct Clean {
    /// Also runs that began before this time, and what no run since then has used: `30d`, `12h`, `2w`
    #[arg(long, value_name = "AGE", conflicts_with = "all")]
    pub older: Option<Span>,
    /// All of `.forge`, with the journal of publications and the caches of compilers, and what forge has put under `dist/`
    #[arg(long)]
    pub all: bool,
}

/// `forge store`.
#[derive(Debug, Subcommand)]
pub enum Store {
    /// Read all of the store, and set aside what is not what its name says
    Verify,
}

/// `forge plugins`.
#[derive(Debug, Args)]
pub struct Plugins {
    /// As JSON
    #[arg(long)]
    pub json: bool,
    /// Something else than to list them
    #[command(subcommand)]
    pub command: Option<PluginsCommand>,
}

/// What of the plugins.
#[derive(Debug, Subcommand)]
pub enum PluginsCommand {
    /// Write a project for a plugin of your own: it builds, has a test, and runs in an example project
    New(NewPlugin),
    /// Pin what the project file names, in forge.lock: version, pipes, secrets, and the library's sha256 for each platform
    ///
    /// A pin says which code runs, so that a review can say whether it may. It does not say that the code is good. Nothing of a
    /// plugin runs while it is pinned.
    Lock,
    /// Say what a library is, without running any of it
    Info(PluginFile),
    /// Put a library to the test, in a child: whether it keeps to what every plugin must do
    Check(PluginFile),
}

/// A library by itself.
#[derive(Debug, Args)]
pub struct PluginFile {
    /// The library
    #[arg(value_name = "LIBRARY")]
    pub path: PathBuf,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// `forge plugins new`.
#[derive(Debug, Args)]
pub struct NewPlugin {
    /// What it is called, and its folder: `acme-upload`. Its pipe is `[[acme_upload]]`
    pub name: String,
    /// What it is written in
    #[arg(long, value_name = "LANGUAGE", value_parser = language())]
    pub lang: String,
    /// For Rust: the folder of forge's crate `forge-plugin`, where it is not to come from crates.io
    #[arg(long, value_name = "DIR")]
    pub sdk: Option<PathBuf>,
}

fn language() -> impl clap::builder::TypedValueParser<Value = String> {
    clap::builder::PossibleValuesParser::new(TEMPLATES.iter().map(|template| template.language))
}

/// `forge plan`.
#[derive(Debug, Args)]
pub struct Plan {
    #[command(flatten)]
    /// What, and for what
    pub selection: Selection,
    /// As JSON
    #[arg(long, conflicts_with = "dot")]
    pub json: bool,
    /// As a picture in Graphviz's language
    #[arg(long, conflicts_with = "diff")]
    pub dot: bool,
    /// What would be made, uploaded, changed or left alone: asks the registries, and changes nothing
    #[arg(long)]
    pub diff: bool,
}

/// Whether to print JSON.
#[derive(Debug, Args)]
pub struct AsJson {
    /// As JSON
    #[arg(long)]
    pub json: bool,
}
