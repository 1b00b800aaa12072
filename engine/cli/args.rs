//! The command line: words to a command. What clap prints for `help` is the manual of it.
//! Does not know what a command does.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use forge_schemas::Platform;
use jiff::Span;

/// Takes a project from its source to what its users install
///
/// One file, forge.toml, says what; forge derives the order, builds in parallel, remembers what is done, and publishes
/// only when all of it is ready.
#[derive(Debug, Parser)]
#[command(name = "forge", version, max_term_width = 100, disable_help_subcommand = false)]
pub struct Arguments {
    /// Work as if started in this directory
    #[arg(short = 'C', long = "directory", global = true, value_name = "DIR", default_value = ".")]
    pub directory: PathBuf,
    /// The project file, relative to that directory
    #[arg(short = 'f', long = "file", global = true, value_name = "FILE", default_value = "forge.toml")]
    pub file: PathBuf,
    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: When,
    /// Say nothing but what is wrong
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say what programs write, and what is fresh
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// Fail at once where another forge works in this project, rather than wait for it
    #[arg(long, global = true)]
    pub no_wait: bool,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
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
    /// Run a goal (`release`: everything), a pipe (`docker`), a table (`docker:image`) or a task, and what it needs
    Run(Run),
    /// Find every mistake in the project file, and build nothing
    Check(Check),
    /// Show what would run
    Plan(Plan),
    /// Tell why tasks would run or are fresh, and what made them run last; runs nothing
    Why(Selection),
    /// Write down what the tools of the plan are, in forge.lock
    Lock(Lock),
    /// List what was made
    Artifacts(AsJson),
    /// Remove what nobody needs any more
    ///
    /// Removed are: entries of the record that a later run of the same task has superseded, content of the store that no
    /// entry, no list under `dist/` and no publication names, what a killed run has left, and what was set aside as damaged.
    /// Nothing that the next run of the project as it is would have to make again.
    Clean(Clean),
    /// Look after the store
    #[command(subcommand)]
    Store(Store),
    /// List the plugins that are loaded, and their pipes
    Plugins(AsJson),
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
    /// A goal, a pipe, a table or a task
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Take the tree as it is, tagged or not, and publish nothing
    #[arg(long)]
    pub snapshot: bool,
    /// Only for this platform (os/arch or os/arch/variant); may be given several times
    #[arg(long = "platform", value_name = "PLATFORM")]
    pub platforms: Vec<Platform>,
}

/// `forge run`.
#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    /// What, and for what
    pub selection: Selection,
    /// How many tasks run side by side [default: the number of processors]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// Print what happens as JSON, an event a line
    #[arg(long)]
    pub json: bool,
    /// Start nothing more once a task has failed
    #[arg(long)]
    pub fail_fast: bool,
    /// Leave a release that was begun and not finished as it is, and begin anew
    #[arg(long)]
    pub new: bool,
    /// Replace what lies at this reference, though it should stay; may be given several times
    #[arg(long, value_name = "REFERENCE")]
    pub replace: Vec<String>,
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
    #[arg(long)]
    pub dot: bool,
}

/// Whether to print JSON.
#[derive(Debug, Args)]
pub struct AsJson {
    /// As JSON
    #[arg(long)]
    pub json: bool,
}
