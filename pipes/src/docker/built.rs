//! Has an engine build an image, and makes of its archive what forge's own images are: layers that depend on their content alone.
//! Does not decide anything but which engine is there: the step says the rest.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use forge_plugin::Host;
use forge_plugin::schemas::{Artifact, Command, Emit, Exit, Failure, Level};
use forge_plugin::sources::{self, Except};

use crate::docker::building::{Building, EngineOf, ImageEngine, Pin};
use crate::docker::engines::{ENGINES, Engine, Job, named};
use crate::docker::image::Image;
use crate::docker::laying::interrupted;
use crate::oci::archive::Archive;
use crate::oci::config::Config;
use crate::oci::held::Held;
use crate::oci::layer::{Layer, Style};
use crate::oci::manifest::Family;
use crate::oci::retimed;

/// Finds the first engine that can be used, and emits it under `name`. `why` forge does not do it itself is told.
pub fn choose(why: &str, name: &str, host: &dyn Host) -> Result<(), Failure> {
    let mut reasons = Vec::new();
    for engine in ENGINES {
        match asked(*engine, host) {
            Ok(version) => {
                host.log(Level::Info, &format!("`{}` builds, for forge does not: {why}", engine.name()));
                let path = host.dir().join("engine");
                fs::write(&path, version).map_err(|error| Failure::file("write", &path, &error))?;
                let detail = serde_json::to_value(ImageEngine { engine: engine.name().to_owned() });
                let detail = detail.map_err(|error| Failure::bug(error.to_string()))?;
                return host.emit(&Emit { name: name.to_owned(), path, blobs: Vec::new(), detail }).map(drop);
            }
            Err(reason) => reasons.push(format!("{}: {reason}", engine.name())),
        }
    }
    let failure = Failure::tool("no engine that builds Dockerfiles can be used here")
        .help(format!("install or start one of them, or change what needs it: {why}"));
    Err(reasons.into_iter().fold(failure, Failure::cause))
}

/// What an engine that can be used says of its version, or why it can't.
fn asked(engine: &dyn Engine, host: &dyn Host) -> Result<String, String> {
    let start = |command: &Command| -> Result<Exit, String> {
        let exit = host.exec(command).map_err(|failure| failure.to_string())?;
        let last = exit.stderr.trim().lines().last().unwrap_or_default().to_owned();
        if exit.is_success() { Ok(exit) } else { Err(if last.is_empty() { exit.in_words() } else { last }) }
    };
    start(&engine.ready())?;
    let version = engine.version();
    start(&Command::new(std::iter::once(version.program).chain(version.version))).map(|exit| exit.stdout)
}

/// Builds the image that `output` declares, and emits it.
pub fn build(building: &Building, output: &str, host: &dyn Host) -> Result<Artifact, Failure> {
    let engine = engine(building, host)?;
    let dir = host.dir();
    let (dockerfile, context) = (dir.join("Dockerfile"), dir.join("context"));
    let text = pinned(building, host)?;
    fs::write(&dockerfile, text).map_err(|error| Failure::file("write", &dockerfile, &error))?;
    lay(building, &context, host)?;
    let job = Job {
        platform: &building.platform,
        dockerfile: &dockerfile,
        context: &context,
        target: building.target.as_deref(),
        build_args: &building.build_args,
        secrets: &building.secrets,
        flags: &building.flags,
        id_file: &dir.join("image-id"),
        archive: &dir.join("image.tar"),
    };
    engine.build(&job, host)?;
    let image = taken(building, job.archive, host)?;
    image.emit(&building.made, output, host)
}

fn engine(building: &Building, host: &dyn Host) -> Result<&'static dyn Engine, Failure> {
    let name = match &building.engine {
        EngineOf::Named(name) => name.clone(),
        EngineOf::FirstInput => {
            let found = host.inputs().first().and_then(Artifact::detail::<ImageEngine>);
            found.ok_or_else(|| Failure::bug("the engine is not among the inputs"))?.engine
        }
    };
    named(&name).ok_or_else(|| Failure::bug(format!("there is no engine `{name}`")))
}

fn input<'a>(name: &str, host: &'a dyn Host) -> Result<&'a Artifact, Failure> {
    let found = host.inputs().iter().find(|it| it.name == name);
    found.ok_or_else(|| Failure::bug(format!("`{name}` is not among the inputs")))
}

/// The Dockerfile, with digests in place of tags.
fn pinned(building: &Building, host: &dyn Host) -> Result<String, Failure> {
    let mut text = building.text.clone();
    let mut pins: Vec<&Pin> = building.pins.iter().collect();
    pins.sort_by_key(|pin| std::cmp::Reverse(pin.start));
    for pin in pins {
        let digest = input(&pin.artifact, host)?.digest;
        if text.get(pin.start..pin.end).is_none() {
            return Err(Failure::bug("a base is named where the Dockerfile has no text"));
        }
        text.replace_range(pin.start..pin.end, &format!("{}@{digest}", pin.repository));
    }
    Ok(text)
}

/// Lays out what the Dockerfile can copy: files of the project where they are, programs at `PLATFORM/NAME` and at `NAME`.
fn lay(building: &Building, context: &Path, host: &dyn Host) -> Result<(), Failure> {
    let failed = |path: &Path| {
        let path = path.to_path_buf();
        move |error: io::Error| Failure::file("lay out", &path, &error)
    };
    fs::create_dir_all(context).map_err(failed(context))?;
    let except = Except::new(building.except.iter().map(String::as_str));
    let except = except.map_err(|bad| Failure::bug(bad.to_string()))?;
    for pattern in &building.reads {
        let root = host.root();
        for top in sources::matches(root, pattern, &except).map_err(failed(&root.join(pattern)))? {
            for file in sources::files(root, &top, &except).map_err(failed(&root.join(&top)))? {
                if host.cancelled() {
                    return Err(interrupted());
                }
                put(&root.join(&file), &context.join(&file)).map_err(failed(&file))?;
            }
        }
    }
    for (artifact, file_name) in &building.binaries {
        let program = &input(artifact, host)?.path;
        for place in [context.join(building.platform.to_string()), context.to_path_buf()] {
            fs::create_dir_all(&place).map_err(failed(&place))?;
            // No link: what lies in the store keeps its permissions.
            let place = place.join(file_name);
            copy(program, &place, 0o755).map_err(failed(&place))?;
        }
    }
    Ok(())
}

/// A file of the project is linked where its permissions are those that it has in an image, else copied.
fn put(from: &Path, to: &Path) -> io::Result<()> {
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    let meta = fs::symlink_metadata(from)?;
    if meta.is_symlink() {
        return match symlink(fs::read_link(from)?, to) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            done => done,
        };
    }
    let mode = if meta.permissions().mode() & 0o100 != 0 { 0o755 } else { 0o644 };
    if meta.permissions().mode() & 0o7777 == mode && fs::hard_link(from, to).is_ok() {
        return Ok(());
    }
    copy(from, to, mode)
}

fn copy(from: &Path, to: &Path, mode: u32) -> io::Result<()> {
    // What a pattern before has put there may be a link to a file of the project.
    match fs::remove_file(to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::copy(from, to)?;
    fs::set_permissions(to, fs::Permissions::from_mode(mode))
}

/// What the engine has left, as an image of ours.
fn taken(building: &Building, archive: &Path, host: &dyn Host) -> Result<Image, Failure> {
    let unreadable = |error: io::Error| Failure::file("read", archive, &error);
    let opened = Archive::open(archive).map_err(unreadable)?;
    let found =
        opened.images.first().ok_or_else(|| Failure::tool("the engine has left an archive without an image"))?;
    let config = Config::parse(&opened.bytes(&found.config).map_err(unreadable)?).map_err(Failure::tool)?;
    check(building, &config)?;
    if config.layer_count() != found.layers.len() {
        return Err(Failure::tool("the engine has left an image whose config does not fit its layers"));
    }
    let base = building.base.as_ref().map(|name| input(name, host).and_then(Held::open)).transpose()?;
    let shared = base.filter(|base| config.diff_ids().starts_with(&base.config.diff_ids()));
    let mut diff_ids = shared.as_ref().map(|base| base.config.diff_ids()).unwrap_or_default();
    let told = shared.as_ref().map_or(0, |base| base.config.history_count());
    let mut image = match &shared {
        Some(base) => Image::on(base, config),
        None => Image::new(Family::Oci, config),
    };
    for name in &found.layers[diff_ids.len()..] {
        let path = host.dir().join(format!("layer-{}", diff_ids.len()));
        let style = Style { timestamp: building.timestamp, compression: building.compression };
        let layer = retimed(opened.layer(name).map_err(unreadable)?, style, &path, host)?;
        diff_ids.push(layer.diff_id);
        image.add_written(&layer, building.compression, path)?;
    }
    image.config.keep_what_is_told(&building.created, &diff_ids, told);
    label(building, &mut image.config);
    image.config.set_platform(&building.platform);
    Ok(image)
}

fn retimed(plain: impl io::Read, style: Style, path: &Path, host: &dyn Host) -> Result<Layer, Failure> {
    retimed::write(plain, style, path, &|| host.cancelled()).map_err(|error| match error.kind() {
        io::ErrorKind::ConnectionAborted => interrupted(),
        _ => Failure::file("write", path, &error),
    })
}

fn check(building: &Building, config: &Config) -> Result<(), Failure> {
    match config.platform() {
        Some(platform) if platform.os() == building.platform.os() && platform.arch() == building.platform.arch() => {
            Ok(())
        }
        other => {
            let other = other.map_or_else(|| "a platform that forge does not know".to_owned(), |it| format!("`{it}`"));
            Err(Failure::tool(format!("the engine has made an image for {other}, not for `{}`", building.platform))
                .help("is the base for that platform, and can the engine start its programs (qemu-user, binfmt_misc)?"))
        }
    }
}

fn label(building: &Building, config: &mut Config) {
    let missing: Vec<_> = building.default_labels.iter().filter(|(name, _)| config.label(name).is_none()).collect();
    for (name, value) in missing.into_iter().chain(&building.labels) {
        config.add_to_runtime("Labels", name, value.clone().into());
    }
}
