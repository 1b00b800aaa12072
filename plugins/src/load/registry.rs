//! The plugins of a run, and which of them has a pipe. Knows where the library lies that comes with forge.
//! Does not know which pipes the project file names.

use std::collections::BTreeMap;
use std::env::consts::DLL_SUFFIX;
use std::path::{Path, PathBuf};

use forge_schemas::PipeInfo;

use super::{LoadError, Plugin, kinds};

/// The plugins of a run, in the order in which they were added, and their pipes by name.
#[derive(Debug, Default)]
pub struct Plugins {
    plugins: Vec<Plugin>,
    /// Where each pipe stands: its plugin, and its place there.
    pipes: BTreeMap<String, (usize, usize)>,
}

impl Plugins {
    /// None.
    pub fn new() -> Plugins {
        Plugins::default()
    }

    /// Where the library that comes with forge may lie, seen from the executable: beside it, as `cargo build` puts
    /// it; under `deps`, as `cargo test` does; or where an installed forge has it.
    pub fn builtin_candidates(exe: &Path) -> Vec<PathBuf> {
        let name = format!("libforge_pipes{DLL_SUFFIX}");
        let dir = exe.parent().unwrap_or(exe);
        let installed = dir.parent().unwrap_or(dir).join("lib/forge");
        vec![dir.join(&name), dir.join("deps").join(&name), installed.join(&name)]
    }

    /// Opens the first of these files that is of this executable's build. Where there are some, and all of other
    /// builds, the error names them all.
    pub fn open_builtin(candidates: &[PathBuf]) -> Result<Plugin, LoadError> {
        Plugins::open_of_build(candidates, crate::BUILD_ID)
    }

    /// The same for any build.
    pub fn open_of_build(candidates: &[PathBuf], build: &str) -> Result<Plugin, LoadError> {
        let mut stale = Vec::new();
        for path in candidates.iter().filter(|path| path.exists()) {
            match Plugin::open_of_build(path, build) {
                Err(error) if error.is_stale() => stale.push(error),
                result => return result,
            }
        }
        let text =
            |paths: &[PathBuf]| paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
        match stale.len() {
            0 => Err(LoadError::new(format!(
                "the pipes that come with forge are not there: looked for {}",
                text(candidates)
            ))
            .help("run `cargo build` in forge's source tree, or install forge whole")),
            1 => Err(stale.remove(0)),
            _ => {
                let files: Vec<PathBuf> = stale.iter().filter_map(|error| error.file().map(Path::to_owned)).collect();
                Err(LoadError::new(format!(
                    "the pipes that come with forge are of other builds than it: {}",
                    text(&files)
                ))
                .help("run `cargo build` in forge's source tree, or install forge and its pipes together")
                .stale())
            }
        }
    }

    /// Adds a plugin. Two that have a pipe of the same name are an error, and so is a kind that it may not make; the same
    /// file twice is one.
    pub fn add(&mut self, plugin: Plugin) -> Result<(), LoadError> {
        if self.plugins.iter().any(|other| other.is_same_file(&plugin)) {
            return Ok(());
        }
        for pipe in &plugin.info().pipes {
            if let Some((other, _)) = self.pipe(&pipe.name) {
                return Err(twice(&pipe.name, other, &plugin));
            }
        }
        let file = plugin.path().map(Path::to_owned);
        let plugin = kinds::settle(plugin, &self.plugins).map_err(|error| match &file {
            Some(file) => error.of(file),
            None => error,
        })?;
        let index = self.plugins.len();
        for (place, pipe) in plugin.info().pipes.iter().enumerate() {
            self.pipes.insert(pipe.name.clone(), (index, place));
        }
        self.plugins.push(plugin);
        Ok(())
    }

    /// The pipe of this name, and the plugin that has it.
    pub fn pipe(&self, name: &str) -> Option<(&Plugin, &PipeInfo)> {
        self.pipes.get(name).and_then(|place| self.at(*place))
    }

    /// All pipes, by name, and the plugins that have them.
    pub fn pipes(&self) -> impl Iterator<Item = (&Plugin, &PipeInfo)> {
        self.pipes.values().filter_map(|place| self.at(*place))
    }

    /// All plugins.
    pub fn plugins(&self) -> &[Plugin] {
        &self.plugins
    }

    fn at(&self, (plugin, pipe): (usize, usize)) -> Option<(&Plugin, &PipeInfo)> {
        let plugin = self.plugins.get(plugin)?;
        Some((plugin, plugin.info().pipes.get(pipe)?))
    }
}

fn twice(pipe: &str, first: &Plugin, second: &Plugin) -> LoadError {
    let message = format!("plugin `{}` has a pipe `{pipe}`, and so has plugin `{}`", second.name(), first.name());
    let error = LoadError::new(message).help("load one of them");
    match second.path() {
        Some(path) => error.of(path),
        None => error,
    }
}
