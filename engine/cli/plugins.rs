//! `forge plugins`: what was loaded, and from where.
//! Does not need a project.

use forge_schemas::exit;
use serde::Serialize;

use super::args::{Arguments, AsJson};
use super::{OpenPipes, output, session};

#[derive(Serialize)]
struct PluginView {
    name: String,
    version: String,
    abi: String,
    from: String,
    digest: Option<String>,
    build: Option<String>,
    pipes: Vec<PipeView>,
}

#[derive(Serialize)]
struct PipeView {
    name: String,
    summary: String,
    makes: Vec<String>,
}

/// Lists the plugins.
pub fn plugins(arguments: &Arguments, as_json: &AsJson, pipes: OpenPipes) -> Result<u8, u8> {
    let loaded = session::plugins(arguments, pipes)?;
    let views: Vec<PluginView> = loaded.plugins().iter().map(view).collect();
    if as_json.json {
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
        for pipe in plugin.pipes {
            output::print(&format!("  pipe {}: {}; makes {}", pipe.name, pipe.summary, pipe.makes.join(", ")));
        }
    }
    Ok(exit::DONE)
}

fn view(plugin: &forge_plugin::Plugin) -> PluginView {
    let from = plugin.path().map_or_else(|| "the executable itself".to_owned(), |it| it.display().to_string());
    let pipes = plugin.info().pipes.iter().map(|pipe| PipeView {
        name: pipe.name.clone(),
        summary: pipe.summary.clone(),
        makes: pipe.makes.iter().map(|kind| kind.name.clone()).collect(),
    });
    PluginView {
        name: plugin.name().to_owned(),
        version: plugin.version().to_owned(),
        abi: plugin.abi().to_owned(),
        from,
        digest: plugin.digest().map(|it| it.to_string()),
        build: plugin.build().map(ToOwned::to_owned),
        pipes: pipes.collect(),
    }
}
