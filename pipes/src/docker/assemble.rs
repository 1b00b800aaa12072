//! Makes an image from its recipe: layers, config, manifest.
//! Does not decide anything: the recipe says it all, but for what lies in the base.

use std::io;

use forge_plugin::Host;
use forge_plugin::schemas::{Artifact, Digest, Failure, Output};
use forge_plugin::sources::Except;
use serde_json::json;

use crate::docker::image::Image;
use crate::docker::layers::Layers;
use crate::docker::laying::{Laying, interrupted};
use crate::docker::packages::Stock;
use crate::docker::recipe::{Argv, BaseOf, Change, Copy, Instruction, Recipe};
use crate::docker::run::{self, Apk, Place, Run};
use crate::docker::triggers;
use crate::oci::config::Config;
use crate::oci::held::Held;
use crate::oci::layer::{self, Entry};
use crate::oci::manifest::Family;

/// Makes the image that `output` declares, and emits it.
pub fn assemble(recipe: &Recipe, output: &Output, host: &dyn Host) -> Result<Artifact, Failure> {
    let mut assembly = match recipe.base {
        BaseOf::Scratch => Assembly::on_scratch(recipe, host)?,
        BaseOf::FirstInput | BaseOf::Stage => Assembly::on_base(recipe, host)?,
    };
    let all: Vec<Instruction> = assembly.triggers.drain(..).chain(recipe.instructions.iter().cloned()).collect();
    for (at, instruction) in all.iter().enumerate() {
        if host.cancelled() {
            return Err(interrupted());
        }
        host.progress(at as u64, all.len() as u64, &instruction.created_by);
        let layer = assembly.apply(&instruction.change)?;
        // What is for others to do is no history of this one: so BuildKit has it.
        if !matches!(instruction.change, Change::Trigger(_)) {
            assembly.image.config.add_history(&recipe.created, &instruction.created_by, layer);
        }
    }
    assembly.emit(output)
}

struct Assembly<'a> {
    recipe: &'a Recipe,
    host: &'a dyn Host,
    image: Image,
    laying: Laying<'a>,
    /// What the base says that is done first.
    triggers: Vec<Instruction>,
    /// Where `Entrypoint` was set, a `Cmd` of the base is none of ours.
    cmd_is_ours: bool,
}

impl<'a> Assembly<'a> {
    fn on_scratch(recipe: &'a Recipe, host: &'a dyn Host) -> Result<Assembly<'a>, Failure> {
        let image = Image::new(Family::Oci, Config::scratch(&recipe.platform));
        let except = Except::new(recipe.except.iter().map(String::as_str));
        let laying = Laying::new(host, except.map_err(|bad| Failure::bug(bad.to_string()))?);
        Ok(Assembly { recipe, host, image, laying, triggers: Vec::new(), cmd_is_ours: false })
    }

    fn on_base(recipe: &'a Recipe, host: &'a dyn Host) -> Result<Assembly<'a>, Failure> {
        let base = host.inputs().first().ok_or_else(|| Failure::bug("the base is not among the inputs"))?;
        let held = Held::open(base)?;
        let mut assembly = Assembly::on_scratch(recipe, host)?;
        assembly.image = Image::on(&held, held.config.clone());
        assembly.laying.workdir = held.config.workdir().unwrap_or("/").to_owned();
        let triggers = assembly.image.config.take_triggers();
        if recipe.base == BaseOf::FirstInput {
            assembly.triggers = triggers::instructions(&triggers, &recipe.platform)?;
        }
        if assembly.triggers.iter().chain(&recipe.instructions).any(|it| it.change.needs_files()) {
            assembly.laying.on(Layers::new(host, held))?;
        }
        Ok(assembly)
    }

    /// Does what an instruction does. Answers the diff id of its layer, where it has one.
    fn apply(&mut self, change: &Change) -> Result<Option<Digest>, Failure> {
        match change {
            Change::Copy(copies) => return self.copy(copies).map(Some),
            Change::Env(pairs) => {
                let env = self.image.config.env();
                for (name, value) in pairs {
                    self.image.config.set_env(name, &value.with_env(&env));
                }
            }
            Change::Label(pairs) => {
                for (name, value) in pairs {
                    let value = value.with_env(&self.image.config.env());
                    self.image.config.add_to_runtime("Labels", name, json!(value));
                }
            }
            Change::Entrypoint(argv) => {
                self.set_command("Entrypoint", argv);
                if !self.cmd_is_ours {
                    self.image.config.unset_runtime("Cmd");
                }
            }
            Change::Cmd(argv) => {
                self.cmd_is_ours = true;
                self.set_command("Cmd", argv);
                // So BuildKit marks it, for Windows.
                self.image.config.set_runtime("ArgsEscaped", json!(true));
            }
            Change::User(user) => self.image.config.set_runtime("User", json!(user)),
            Change::Workdir(dir) => {
                self.laying.workdir = self.laying.absolute(dir);
                // One from the root on stays as it is written: so BuildKit has it.
                let written = if dir.starts_with('/') { dir } else { &self.laying.workdir };
                self.image.config.set_runtime("WorkingDir", json!(written));
                return self.make_workdir();
            }
            Change::Expose(ports) => self.add_keys("ExposedPorts", ports),
            Change::Volume(paths) => self.add_keys("Volumes", paths),
            Change::StopSignal(signal) => self.image.config.set_runtime("StopSignal", json!(signal)),
            Change::Healthcheck(value) => self.image.config.set_runtime("Healthcheck", value.clone()),
            Change::Author(author) => self.image.config.set_author(author),
            Change::Shell(words) => self.image.config.set_runtime("Shell", json!(words)),
            Change::Trigger(trigger) => self.image.config.add_trigger(trigger),
            Change::Run(run) => return self.run(run).map(Some),
        }
        Ok(None)
    }

    // An empty list takes back what the base says, and is not written.
    fn set_command(&mut self, field: &str, argv: &Argv) {
        match argv {
            Argv::Exec(words) if words.is_empty() => self.image.config.unset_runtime(field),
            Argv::Exec(words) => self.image.config.set_runtime(field, json!(words)),
            Argv::Shell(line) => {
                let shell = self.image.config.shell().unwrap_or_else(|| ["/bin/sh", "-c"].map(str::to_owned).to_vec());
                self.image.config.set_runtime(field, json!(shell.iter().chain([line]).collect::<Vec<_>>()));
            }
        }
    }

    fn add_keys(&mut self, field: &str, keys: &[String]) {
        for key in keys {
            self.image.config.add_to_runtime(field, key, json!({}));
        }
    }

    fn copy(&mut self, copies: &[Copy]) -> Result<Digest, Failure> {
        let mut entries = Vec::new();
        for copy in copies {
            entries.extend(self.laying.copy(copy)?);
        }
        self.add_layer(entries)
    }

    /// What changes nothing makes a layer of nothing, as it does in BuildKit.
    fn run(&mut self, run: &Run) -> Result<Digest, Failure> {
        let (env, user) = (self.image.config.env(), self.image.config.user().to_owned());
        let stock = if run.apk().any(Apk::needs_index) { Stock::of(self.host)? } else { None };
        let (shell, timestamp) = (self.image.config.shell(), self.recipe.timestamp);
        let place = Place { env: &env, user: &user, shell, timestamp, stock };
        let entries = run::run(run, &mut self.laying, &place)?;
        self.add_layer(entries)
    }

    /// Where the working directory is missing, a layer with it, which belongs to the user of that moment.
    fn make_workdir(&mut self) -> Result<Option<Digest>, Failure> {
        let entries = self.laying.workdir(self.image.config.user())?;
        if entries.is_empty() { Ok(None) } else { self.add_layer(entries).map(Some) }
    }

    fn add_layer(&mut self, entries: Vec<Entry>) -> Result<Digest, Failure> {
        let path = self.host.dir().join(format!("layer-{}", self.image.layer_count()));
        let layer = layer::write(entries, self.recipe.style(), &path, &|| self.host.cancelled());
        let layer = layer.map_err(|error| match error.kind() {
            io::ErrorKind::ConnectionAborted => interrupted(),
            _ => Failure::file("write", &path, &error),
        })?;
        self.image.add_written(&layer, self.recipe.compression, path)?;
        Ok(layer.diff_id)
    }

    fn emit(mut self, output: &Output) -> Result<Artifact, Failure> {
        self.image.config.set_created(&self.recipe.created);
        self.image.config.set_platform(&self.recipe.platform);
        self.image.emit(&self.recipe.made, &output.name, self.host)
    }
}
