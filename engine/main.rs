//! The executable: the command line, the pipes that come with forge, and the exit code.

use clap::Parser as _;
use forge_engine::cli;
use forge_plugin::{LoadError, Plugin};

// A plan of many tasks is many small pieces of memory, made on several threads: the allocators of glibc and musl are slow at it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    // forge starts itself so to keep a plugin, with a socket as standard input. That is done often, and needs no command line to be
    // understood first; what follows is the plugin's name, for who looks at a list of processes.
    if std::env::args_os().nth(1).is_some_and(|it| it == "plugin-host") {
        forge_plugin::plugin_host();
    }
    cli::tell_bugs();
    // Libraries that are mapped may have threads, and what they have registered for the end of a process is not for these.
    forge_plugin::leave(cli::main(&cli::Arguments::parse(), pipes))
}

#[cfg(feature = "static-pipes")]
fn pipes() -> Result<Plugin, LoadError> {
    Plugin::linked(forge_pipes::forge_plugin)
}

#[cfg(not(feature = "static-pipes"))]
fn pipes() -> Result<Plugin, LoadError> {
    let executable = std::env::current_exe().and_then(|it| it.canonicalize()).unwrap_or_default();
    forge_plugin::Plugins::open_builtin(&forge_plugin::Plugins::builtin_candidates(&executable))
}
