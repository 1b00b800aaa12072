//! A program that uses a plugin, to be linked as forge is for musl: without a loader in it. Its arguments are a library and the
//! program that is to be the host of it.
//! Says what comes of it on standard output.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a program of the tests")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use forge_plugin::schemas::{TableName, Takes};
use forge_plugin::{Library, Nursery};

fn main() {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (library, program) = (arguments.next().unwrap(), arguments.next().unwrap());
    println!("another host: {}", forge_plugin::needs_another_host());
    match Library::read(&library).unwrap().load() {
        Ok(plugin) => println!("here: {}", plugin.name()),
        Err(error) => println!("here: {}", error.message()),
    }
    let nursery = Nursery { program, env: BTreeMap::new(), timeout: Duration::from_secs(60) };
    let plugin = Library::read(&library).unwrap().load_in_child(nursery).unwrap();
    let takes = Takes { table: TableName::new("echo", "x"), settings: Default::default() };
    println!("in a child: {}, {} problem", plugin.name(), plugin.takes(&takes).unwrap().problems.len());
}
