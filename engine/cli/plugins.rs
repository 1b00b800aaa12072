//! `forge plugins`: what was loaded, from where, and where it runs; pins; the way to a new one.
//! Does not need a project, but for pins.

use forge_plugin::{BUILD_ID, Home, Plugin};
use forge_schemas::{Digest, exit};
use serde::Serialize;

use super::args::{Arguments, Plugins as Options, PluginsCommand};
use super::third_party::{Pinned, Unpinned};
use super::{OpenPipes, lock, new_plugin, output, plugin_file, session};
use crate::report::count;
use crate::run::locked::{Locked, Pin};

#[derive(Serialize)]
struct PluginView {
    name: String,
    version: String,
    abi: String,
    from: String,
    digest: Option<String>,
    build: Option<String>,
    /// Where it runs: `forge`, `child`.
    process: &'static str,
    /// Whether `forge.lock` says that it is this one; nothing for what comes with forge.
    pinned: Option<bool>,
    pipes: Vec<PipeView>,
}

#[derive(Serialize)]
struct PipeView {
    name: String,
    summary: String,
    makes: Vec<String>,
}

/// Does with plugins what was asked for.
pub fn plugins(arguments: &Arguments, options: &Options, pipes: OpenPipes) -> Result<u8, u8> {
    match &options.command {
        None => list(arguments, options, pipes),
        Some(PluginsCommand::New(new)) => new_plugin::write(arguments, new),
        Some(PluginsCommand::Lock) => lock_plugins(arguments),
        Some(PluginsCommand::Info(file)) => plugin_file::info(arguments, file),
        Some(PluginsCommand::Check(file)) => plugin_file::check(arguments, file),
    }
}

/// Pins them; where nothing may be written, only says what that would change.
fn lock_plugins(arguments: &Arguments) -> Result<u8, u8> {
    let before = lock::read(arguments)?;
    let pinned = session::pins(arguments)?;
    let mut changes = 0;
    for (name, Pinned { file, pin }) in &pinned {
        if before.pin(name) != Some(pin) {
            changes += 1;
            output::print(&change(name, file, pin, before.pin(name)));
        }
    }
    for name in before.pins().keys().filter(|name| !pinned.contains_key(*name)) {
        changes += 1;
        output::print(&format!("{name}: pinned, and no longer named"));
    }
    if arguments.unpinned() == Unpinned::Refused {
        return Ok(if changes == 0 { exit::DONE } else { exit::FAILED });
    }
    let number = pinned.len();
    let pins = pinned.into_iter().map(|(name, it)| (name, it.pin)).collect();
    lock::write(arguments, &before.with_pins(pins))?;
    let verb = if number == 1 { "is" } else { "are" };
    output::note(&format!("{} {verb} pinned in {}", count(number, "plugin"), lock::name(arguments).display()));
    Ok(exit::DONE)
}

/// What becomes of a pin, for who reviews it.
fn change(name: &str, file: &str, pin: &Pin, before: Option<&Pin>) -> String {
    let mut lines = vec![match before {
        Some(before) if before.version != pin.version => format!("{name} {} (was {})", pin.version, before.version),
        Some(_) => format!("{name} {}", pin.version),
        None => format!("{name} {} (new)", pin.version),
    }];
    lines.push(format!("  file {}", file.trim_matches('`')));
    for (platform, digest) in &pin.digests {
        let is_new = before.and_then(|it| it.digests.get(platform)) != Some(digest);
        lines.push(format!("  {digest} {platform}{}", if is_new { " (new)" } else { "" }));
    }
    lines.push(format!("  pipes {}", pin.pipes.join(", ")));
    if !pin.secrets.is_empty() {
        lines.push(format!("  secrets {}", pin.secrets.join(", ")));
    }
    if !pin.revealed.is_empty() {
        lines.push(format!("  sees itself {}", pin.revealed.join(", ")));
    }
    lines.join("\n")
}

fn list(arguments: &Arguments, options: &Options, pipes: OpenPipes) -> Result<u8, u8> {
    let loaded = session::plugins(arguments, pipes)?;
    let locked = lock::read(arguments)?;
    let views: Vec<PluginView> = loaded.plugins().iter().map(|plugin| view(plugin, &locked)).collect();
    if options.json {
        output::print(&serde_json::to_string_pretty(&views).unwrap_or_default());
        return Ok(exit::DONE);
    }
    for plugin in views {
        output::print(&format!("{} {} (ABI {})", plugin.name, plugin.version, plugin.abi));
        output::print(&format!("  from {}", plugin.from));
        if let Some(digest) = plugin.digest {
            output::print(&format!("  digest {digest}"));
        }
        if let Some(build) = plugin.build {
            output::print(&format!("  build {build}"));
        }
        output::print(&format!(
            "  in {}",
            if plugin.process == "child" { "a child process" } else { "forge's own process" }
        ));
        if let Some(pinned) = plugin.pinned {
            output::print(if pinned { "  pinned" } else { "  not pinned" });
        }
        for pipe in plugin.pipes {
            output::print(&format!("  pipe {}: {}; makes {}", pipe.name, pipe.summary, pipe.makes.join(", ")));
        }
    }
    Ok(exit::DONE)
}

fn view(plugin: &Plugin, locked: &Locked) -> PluginView {
    let from = plugin.path().map_or_else(|| "the executable itself".to_owned(), |it| it.display().to_string());
    let pipes = plugin.info().pipes.iter().map(|pipe| PipeView {
        name: pipe.name.clone(),
        summary: pipe.summary.clone(),
        makes: pipe.makes.iter().map(|kind| kind.name.clone()).collect(),
    });
    let is_pinned =
        |digest: Digest| locked.pin(plugin.name()).is_some_and(|it| it.digests.values().any(|it| *it == digest));
    PluginView {
        name: plugin.name().to_owned(),
        version: plugin.version().to_owned(),
        abi: plugin.abi().to_owned(),
        from,
        digest: plugin.digest().map(|it| it.to_string()),
        build: plugin.build().map(ToOwned::to_owned),
        process: match plugin.home() {
            Home::Here => "forge",
            Home::Child => "child",
        },
        pinned: plugin.digest().filter(|_| plugin.build() != Some(BUILD_ID)).map(is_pinned),
        pipes: pipes.collect(),
    }
}
