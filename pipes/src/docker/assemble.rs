//! Makes an image from its recipe: layers, config, manifest.
//! Does not decide anything: the recipe says it all, but for what lies in the base.

use std::fs::{self, File};
use std::io::{self, Read, Seek as _, SeekFrom};
use std::path::PathBuf;

use forge_plugin::Host;
use forge_plugin::schemas::kind::Image;
use forge_plugin::schemas::{Artifact, Blob, Digest, Emit, EmitBlob, Failure, FailureClass, Output};
use serde_json::json;

use crate::docker::archives::{self, Archive, Packed};
use crate::docker::base::BaseImage;
use crate::docker::copying::is_directory;
use crate::docker::recipe::{Archives, BaseOf, Change, Copy, Recipe, Source};
use crate::docker::sources::{Found, Thing, find};
use crate::oci::accounts;
use crate::oci::config::Config;
use crate::oci::layer::{self, Content, Entry};
use crate::oci::manifest::{Descriptor, Document, Family, Manifest};
use crate::oci::rootfs::{Rootfs, normal};

/// Makes the image that `output` declares, and emits it.
pub fn assemble(recipe: &Recipe, output: &Output, host: &dyn Host) -> Result<(), Failure> {
    let mut image = match recipe.base {
        BaseOf::Scratch => Assembly::on_scratch(recipe, host),
        BaseOf::FirstInput => Assembly::on_base(recipe, host)?,
    };
    for (at, instruction) in recipe.instructions.iter().enumerate() {
        if host.cancelled() {
            return Err(interrupted());
        }
        host.progress(at as u64, recipe.instructions.len() as u64, &instruction.created_by);
        let layer = image.apply(&instruction.change)?;
        image.config.add_history(&recipe.created, &instruction.created_by, layer);
    }
    image.emit(output)
}

struct Assembly<'a> {
    recipe: &'a Recipe,
    host: &'a dyn Host,
    family: Family,
    config: Config,
    workdir: String,
    rootfs: Rootfs,
    /// Where `Entrypoint` was set, a `Cmd` of the base is none of ours.
    cmd_is_ours: bool,
    layers: Vec<Descriptor>,
    blobs: Vec<EmitBlob>,
    mounts: Vec<String>,
}

impl<'a> Assembly<'a> {
    fn on_scratch(recipe: &'a Recipe, host: &'a dyn Host) -> Assembly<'a> {
        let config = Config::scratch(&recipe.platform);
        Assembly {
            recipe,
            host,
            family: Family::Oci,
            config,
            workdir: "/".to_owned(),
            rootfs: Rootfs::default(),
            cmd_is_ours: false,
            layers: Vec::new(),
            blobs: Vec::new(),
            mounts: Vec::new(),
        }
    }

    fn on_base(recipe: &'a Recipe, host: &'a dyn Host) -> Result<Assembly<'a>, Failure> {
        let base = host.inputs().first().ok_or_else(|| Failure::bug("the base is not among the inputs"))?;
        let bytes = read(&base.path)?;
        let Ok(Document::Manifest(manifest)) = Document::parse(&bytes) else {
            return Err(Failure::bug(format!("`{}` is not a manifest", base.name)));
        };
        let config = Config::parse(&read(&blob(base, manifest.config.digest)?.path)?).map_err(Failure::input)?;
        if config.layer_count() != manifest.layers.len() {
            let (layers, ids) = (manifest.layers.len(), config.layer_count());
            return Err(Failure::input(format!("the base is damaged: {layers} layers, and {ids} in its config")));
        }
        if config.has_triggers() {
            return Err(Failure::input("the base has `ONBUILD` instructions, which forge does not run")
                .help("take the base that it was made from, and write here what they do"));
        }
        let mut assembly = Assembly::on_scratch(recipe, host);
        if recipe.instructions.iter().any(|it| matches!(it.change, Change::Copy(_) | Change::Workdir(_))) {
            for layer in &manifest.layers {
                look_into(layer, &blob(base, layer.digest)?.path, &mut assembly.rootfs)?;
            }
        }
        assembly.mounts = base.detail::<BaseImage>().map(|it| it.mounts).unwrap_or_default();
        assembly.family = manifest.family();
        assembly.workdir = config.workdir().unwrap_or("/").to_owned();
        assembly.config = config;
        for layer in manifest.layers {
            assembly.add_blob(EmitBlob::Held(layer.digest));
            assembly.layers.push(layer);
        }
        Ok(assembly)
    }

    /// Does what an instruction does. Answers the diff id of its layer, where it has one.
    fn apply(&mut self, change: &Change) -> Result<Option<Digest>, Failure> {
        match change {
            Change::Copy(copies) => return self.copy(copies).map(Some),
            Change::Env(pairs) => {
                let env = self.config.env();
                for (name, value) in pairs {
                    self.config.set_env(name, &value.with_env(&env));
                }
            }
            Change::Label(pairs) => {
                for (name, value) in pairs {
                    let value = value.with_env(&self.config.env());
                    self.config.add_to_runtime("Labels", name, json!(value));
                }
            }
            Change::Entrypoint(argv) => {
                self.set_command("Entrypoint", argv);
                if !self.cmd_is_ours {
                    self.config.unset_runtime("Cmd");
                }
            }
            Change::Cmd(argv) => {
                self.cmd_is_ours = true;
                self.set_command("Cmd", argv);
            }
            Change::User(user) => self.config.set_runtime("User", json!(user)),
            Change::Workdir(dir) => {
                self.workdir = self.absolute(dir);
                self.config.set_runtime("WorkingDir", json!(self.workdir));
                return self.make_workdir();
            }
            Change::Expose(ports) => self.add_keys("ExposedPorts", ports),
            Change::Volume(paths) => self.add_keys("Volumes", paths),
            Change::StopSignal(signal) => self.config.set_runtime("StopSignal", json!(signal)),
            Change::Healthcheck(value) => self.config.set_runtime("Healthcheck", value.clone()),
            Change::Author(author) => self.config.set_author(author),
        }
        Ok(None)
    }

    // An empty list takes back what the base says, and is not written.
    fn set_command(&mut self, field: &str, argv: &[String]) {
        match argv.is_empty() {
            true => self.config.unset_runtime(field),
            false => self.config.set_runtime(field, json!(argv)),
        }
    }

    fn add_keys(&mut self, field: &str, keys: &[String]) {
        for key in keys {
            self.config.add_to_runtime(field, key, json!({}));
        }
    }

    fn absolute(&self, path: &str) -> String {
        match path.starts_with('/') {
            true => format!("/{}", normal(path)),
            false => format!("/{}", normal(&format!("{}/{path}", self.workdir))),
        }
    }

    fn copy(&mut self, copies: &[Copy]) -> Result<Digest, Failure> {
        let mut entries = Vec::new();
        for copy in copies {
            entries.extend(self.entries(copy)?);
        }
        self.add_layer(entries)
    }

    /// Where the working directory is missing, a layer with it, which belongs to the user of that moment.
    fn make_workdir(&mut self) -> Result<Option<Digest>, Failure> {
        let dir = self.workdir.clone();
        if self.rootfs.is_directory(&dir) {
            return Ok(None);
        }
        let owner = self.owner(self.config.user())?;
        let entries = self.rootfs.place(&dir, 0o755, owner, Content::Directory).map_err(Failure::input)?;
        self.add_layer(entries).map(Some)
    }

    fn owner(&self, text: &str) -> Result<(u64, u64), Failure> {
        let owner = self.rootfs.accounts.owner(text);
        owner.map_err(|message| Failure::input(message).help("write numbers, as in `65532:65532`"))
    }

    fn add_layer(&mut self, entries: Vec<Entry>) -> Result<Digest, Failure> {
        let path = self.host.dir().join(format!("layer-{}", self.layers.len()));
        let layer = layer::write(entries, self.recipe.timestamp, &path, &|| self.host.cancelled());
        let layer = layer.map_err(|error| match error.kind() {
            io::ErrorKind::ConnectionAborted => interrupted(),
            _ => Failure::file("write", &path, &error),
        })?;
        self.layers.push(Descriptor::new(self.family.layer(), layer.digest, layer.size));
        self.add_blob(EmitBlob::File(path));
        Ok(layer.diff_id)
    }

    fn entries(&mut self, copy: &Copy) -> Result<Vec<Entry>, Failure> {
        let mut things = Vec::new();
        for source in &copy.sources {
            things.extend(self.find(source)?);
        }
        if copy.archives == Archives::Unpack {
            let opened = things.into_iter().enumerate().map(|(at, thing)| self.opened(at, thing));
            things = opened.collect::<Result<_, _>>()?;
        }
        let to = self.absolute(&copy.to);
        let owner = self.owner(&copy.owner)?;
        if let ([Thing::File(file)], false) = (things.as_slice(), self.wants_directory(copy, &to)) {
            let to = self.rootfs.follow(&to);
            return self.place(copy, &to, owner, file.clone());
        }
        let mut entries = self.rootfs.place(&to, 0o755, owner, Content::Directory).map_err(Failure::input)?;
        for thing in things {
            let all = match thing {
                Thing::File(file) => vec![file],
                Thing::Directory(all) => all,
                Thing::Archive(archive) => {
                    entries.extend(self.unpack(copy, &to, owner, archive)?);
                    continue;
                }
            };
            for found in all {
                let path = format!("{to}/{}", found.path);
                entries.extend(self.place(copy, &path, owner, found)?);
            }
        }
        Ok(entries)
    }

    fn wants_directory(&self, copy: &Copy, to: &str) -> bool {
        is_directory(&copy.to) || self.rootfs.is_directory(to)
    }

    fn place(&mut self, copy: &Copy, path: &str, owner: (u64, u64), found: Found) -> Result<Vec<Entry>, Failure> {
        let mode = mode(copy, &found);
        let placed = self.rootfs.place(path, mode, owner, found.content).map_err(Failure::input)?;
        // From here on its names are those of the image.
        for entry in placed.iter().filter(|entry| accounts::is_file(&entry.path)) {
            match &entry.content {
                Content::File(from) => self.rootfs.accounts.note(&entry.path, &read(from)?),
                Content::Part { file, offset, size } => {
                    self.rootfs.accounts.note(&entry.path, &read_part(file, *offset, *size)?);
                }
                _ => {}
            }
        }
        Ok(placed)
    }

    /// A file as the archive that it may be. `at` tells it from the others of its instruction.
    fn opened(&self, at: usize, thing: Thing) -> Result<Thing, Failure> {
        let Thing::File(Found { path: name, content: Content::File(path), .. }) = &thing else { return Ok(thing) };
        let scratch = self.host.dir().join(format!("unpacked-{}-{at}", self.layers.len()));
        let opened = archives::open(name, path, &scratch, &|| self.host.cancelled());
        if self.host.cancelled() {
            return Err(interrupted());
        }
        Ok(opened?.map_or(thing, Thing::Archive))
    }

    /// All of an archive, below `to` and nowhere else. What it says of owners holds where the instruction says nothing.
    fn unpack(&mut self, copy: &Copy, to: &str, owner: (u64, u64), archive: Archive) -> Result<Vec<Entry>, Failure> {
        let top = self.rootfs.follow(to);
        let mut entries = Vec::new();
        for Packed { found, owner: packed } in archive.packed {
            let (name, path) = (found.path.clone(), format!("{to}/{}", found.path));
            let own = if copy.owner.is_empty() { packed } else { owner };
            let placed = self.place_packed(copy, &path, [owner, own], found);
            let refuse = |why: &str| Err(archives::refuse(&archive.name, &name, why));
            match placed {
                Err(failure) => return refuse(&format!("has no place in the image: {}", failure.message)),
                Ok(placed) if !placed.last().is_some_and(|it| is_below(&it.path, &top)) => {
                    return refuse(&format!("leads out of `/{top}`, through a link"));
                }
                Ok(placed) => entries.extend(placed),
            }
        }
        Ok(entries)
    }

    /// Directories that an archive implies, and does not hold, belong to the first owner, and what it holds to the second.
    fn place_packed(
        &mut self,
        copy: &Copy,
        path: &str,
        [above, own]: [(u64, u64); 2],
        found: Found,
    ) -> Result<Vec<Entry>, Failure> {
        let (dir, _) = path.rsplit_once('/').unwrap_or_default();
        let mut entries = self.rootfs.place(dir, 0o755, above, Content::Directory).map_err(Failure::input)?;
        entries.extend(match found.content {
            Content::Directory => self.rootfs.place_over(path, mode(copy, &found), own).map_err(Failure::input)?,
            _ => self.place(copy, path, own, found)?,
        });
        Ok(entries)
    }

    fn find(&self, source: &Source) -> Result<Vec<Thing>, Failure> {
        match source {
            Source::Project(pattern) => find(self.host.root(), pattern),
            Source::Input { artifact, file_name } => {
                let input = self.host.inputs().iter().find(|it| it.name == *artifact);
                let input = input.ok_or_else(|| Failure::bug(format!("`{artifact}` is not among the inputs")))?;
                let content = Content::File(input.path.clone());
                Ok(vec![Thing::File(Found { path: file_name.clone(), mode: 0o755, content })])
            }
        }
    }

    fn add_blob(&mut self, blob: EmitBlob) {
        if !self.blobs.contains(&blob) {
            self.blobs.push(blob);
        }
    }

    fn emit(mut self, output: &Output) -> Result<(), Failure> {
        self.config.set_created(&self.recipe.created);
        self.config.set_platform(&self.recipe.platform);
        let config = self.config.to_bytes();
        let descriptor = Descriptor::of(self.family.config(), &config);
        let config = EmitBlob::File(self.write("config.json", &config)?);
        let mut manifest = Manifest::new(self.family, descriptor, self.layers.clone());
        manifest.annotations = self.recipe.annotations.clone();
        let path = self.write("manifest.json", &manifest.to_bytes())?;
        let detail = Image {
            references: self.recipe.references.clone(),
            media_type: Some(manifest.media_type),
            mounts: self.mounts.clone(),
        };
        let detail = serde_json::to_value(detail).map_err(|error| Failure::bug(error.to_string()))?;
        let blobs = std::iter::once(config).chain(self.blobs).collect();
        self.host.emit(&Emit { name: output.name.clone(), path, blobs, detail })?;
        Ok(())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, Failure> {
        let path = self.host.dir().join(name);
        fs::write(&path, bytes).map_err(|error| Failure::file("write", &path, &error))?;
        Ok(path)
    }
}

/// Of files and directories, what the instruction says, and else what they have.
fn mode(copy: &Copy, found: &Found) -> u32 {
    match found.content {
        Content::File(_) | Content::Text(_) | Content::Part { .. } => copy.mode.unwrap_or(found.mode),
        Content::Directory => copy.dir_mode.unwrap_or(found.mode),
        Content::Link(_) => found.mode,
    }
}

fn is_below(path: &str, top: &str) -> bool {
    top.is_empty() || path.strip_prefix(top).is_some_and(|rest| rest.starts_with('/'))
}

fn interrupted() -> Failure {
    Failure::new(FailureClass::Cancelled, "the run was interrupted")
}

fn look_into(layer: &Descriptor, path: &std::path::Path, rootfs: &mut Rootfs) -> Result<(), Failure> {
    let file = File::open(path).map_err(|error| Failure::file("read", path, &error))?;
    let file = io::BufReader::with_capacity(1 << 16, file);
    let tar: Box<dyn Read> = match layer.media_type.as_str() {
        it if it.ends_with("gzip") => Box::new(flate2::bufread::MultiGzDecoder::new(file)),
        it if it.ends_with("tar") => Box::new(file),
        it => {
            return Err(Failure::input(format!("the base has a layer of type `{it}`, which can't be read"))
                .help("take a base whose layers are tars, gzipped or not"));
        }
    };
    rootfs.apply(tar).map_err(|error| {
        Failure::input(format!("the layer `{}` of the base is damaged", layer.digest)).cause(error.to_string())
    })
}

fn blob(artifact: &Artifact, digest: Digest) -> Result<&Blob, Failure> {
    let found = artifact.blobs.iter().find(|blob| blob.digest == digest);
    found.ok_or_else(|| Failure::bug(format!("`{}` lacks its blob `{digest}`", artifact.name)))
}

fn read_part(path: &std::path::Path, offset: u64, size: u64) -> Result<Vec<u8>, Failure> {
    let read = || -> io::Result<Vec<u8>> {
        let (mut file, mut bytes) = (File::open(path)?, Vec::new());
        file.seek(SeekFrom::Start(offset))?;
        file.take(size).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|error| Failure::file("read", path, &error))
}

fn read(path: &std::path::Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| Failure::file("read", path, &error))
}
