//! The commands, a file each, and what they share: where the project is, and how people are told.
//! Nothing else in the engine knows that there is a command line.

mod args;
mod artifacts;
mod check;
mod clean;
mod described;
mod diff;
mod folder;
mod host_program;
mod images;
mod intentions;
mod lock;
mod memory;
mod new_plugin;
mod output;
mod plan;
mod plugin_file;
mod plugins;
mod project_file;
mod run;
mod runs;
mod schema;
mod secrets;
mod select;
mod session;
mod store;
mod third_party;
mod why;

use forge_plugin::{LoadError, Plugin};
use forge_schemas::exit;

pub use args::Arguments;
use args::Command;

/// Opens the pipes that come with forge.
pub type OpenPipes = fn() -> Result<Plugin, LoadError>;

/// Does what the command line says. Answers the exit code.
pub fn main(arguments: &Arguments, pipes: OpenPipes) -> u8 {
    forge_plugin::end_only_by_leaving(exit::PLUGIN);
    let code = match &arguments.command {
        Command::Run(run) => run::run(arguments, run, pipes),
        Command::Check(options) => check::check(arguments, options, pipes),
        Command::Plan(plan) => plan::plan(arguments, plan, pipes),
        Command::Why(selection) => why::why(arguments, selection, pipes),
        Command::Lock(options) => lock::lock(arguments, options, pipes),
        Command::Runs(runs) => runs::runs(arguments, runs),
        Command::Artifacts(as_json) => artifacts::artifacts(arguments, as_json),
        Command::Images => images::images(arguments),
        Command::Clean(options) => clean::clean(arguments, options),
        Command::Store(args::Store::Verify) => store::verify(arguments),
        Command::Plugins(options) => plugins::plugins(arguments, options, pipes),
        Command::Schema => schema::schema(arguments, pipes),
    };
    code.unwrap_or_else(|code| code)
}

/// From now on a panic says that it is a bug in forge, and ends the process with the exit code of one.
pub fn tell_bugs() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        before(panic);
        let on_main = std::thread::current().name() == Some("main");
        if on_main {
            output::error("this is a bug in forge; please report it with the lines above");
            forge_plugin::leave(exit::BUG);
        }
    }));
}
