//! What cargo does for a release: it packs crates, builds them, and sends them.
//! Does not know what the registry has: `cargo/index.rs` asks.

use std::path::{Path, PathBuf};

use forge_plugin::Host;
use forge_plugin::schemas::{Command, Digest, Emit, Exit, Failure, FailureClass, Step};
use serde::Deserialize;

use super::super::language;
use super::Crates;

/// Cargo, for these packages.
pub struct Cargo<'a> {
    pub crates: &'a Crates,
    pub host: &'a dyn Host,
}

/// What `cargo metadata` says.
#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_root: PathBuf,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    version: String,
    /// The registries that it may be published to; any where none is named.
    publish: Option<Vec<String>>,
    manifest_path: PathBuf,
}

impl Cargo<'_> {
    /// Makes the crates, and builds each from what is in it.
    pub fn pack(&self, step: &Step) -> Result<(), Failure> {
        let metadata = self.metadata()?;
        let mut mistakes = self.mistakes(&metadata);
        mistakes.extend(self.packs_what_is_made(&metadata)?);
        if let Some((first, more)) = mistakes.split_first() {
            let failure = more.iter().fold(Failure::input(first.clone()), |failure, more| failure.cause(more.clone()));
            return Err(failure.help("nothing was published: mend it in the `Cargo.toml`, commit that, and tag it"));
        }
        // What it compiles is kept, as a build's is.
        let target = self.host.root().join(".forge/cargo").join(&self.crates.table).join("package");
        let exit = self.package(&target, &metadata, &[])?;
        if !exit.is_success() {
            return Err(self.unpacked(&exit));
        }
        for (name, output) in self.crates.names.iter().zip(&step.makes) {
            let version = self.version(&metadata, name);
            let (from, to) = (made(&target, name, version), self.host.dir().join(format!("{name}.crate")));
            std::fs::copy(&from, &to).map_err(|error| Failure::file("copy", &from, &error))?;
            let detail = output.detail.clone();
            self.host.emit(&Emit { name: output.name.clone(), path: to, blobs: Vec::new(), detail })?;
        }
        Ok(())
    }

    /// Sends these, each when those are there that it depends on.
    pub fn publish(&self, names: &[&String]) -> Result<(), Failure> {
        let metadata = self.metadata()?;
        self.check_that_it_is_the_same(&metadata)?;
        self.send(names, &metadata)
    }

    /// Packs once more what is about to be sent, for cargo packs again when it publishes, and what it sends stays.
    fn check_that_it_is_the_same(&self, metadata: &Metadata) -> Result<(), Failure> {
        let target = self.target();
        let exit = self.package(&target, metadata, &["--no-verify"])?;
        if !exit.is_success() {
            return Err(self.unpacked(&exit));
        }
        for (name, ours) in self.crates.packed(self.host) {
            let path = made(&target, name, &self.crates.version);
            let bytes = std::fs::read(&path).map_err(|error| Failure::file("read", &path, &error))?;
            if Digest::of(&bytes) != ours.digest {
                let message = format!("cargo makes another crate of `{name}` than the one that was checked");
                return Err(Failure::new(FailureClass::Refused, message)
                    .cause(format!("checked: {}", ours.digest))
                    .cause(format!("now: {}", Digest::of(&bytes)))
                    .help("nothing was sent: commit `Cargo.lock`, so that it does not change with the registry"));
            }
        }
        Ok(())
    }

    fn send(&self, names: &[&String], metadata: &Metadata) -> Result<(), Failure> {
        let mut argv = vec!["cargo", "publish", "--no-verify", "--color", "never"];
        argv.extend(names.iter().flat_map(|it| ["--package", it.as_str()]));
        argv.extend(self.registry());
        argv.extend(metadata.locked());
        let variable = match &self.crates.registry {
            None => "CARGO_REGISTRY_TOKEN".to_owned(),
            Some(it) => format!("{}_TOKEN", variable_of(&it.name)),
        };
        let argv = argv.into_iter().map(str::to_owned).collect();
        let command = language::with_token(&variable, self.crates.token.as_ref(), argv);
        let exit = self.host.exec(&self.within(command, &self.target()))?;
        match exit.is_success() {
            true => Ok(()),
            false => Err(self.not_taken(&exit)),
        }
    }

    fn metadata(&self) -> Result<Metadata, Failure> {
        let command = Command::new(["cargo", "metadata", "--no-deps", "--format-version", "1", "--color", "never"]);
        let exit = self.host.exec(&self.within(command, &self.target()))?;
        if !exit.is_success() {
            return Err(language::fault(&exit, "cargo does not say which packages there are".to_owned())
                .help("is `dir` the directory of the `Cargo.toml`?"));
        }
        serde_json::from_str(&exit.stdout)
            .map_err(|error| Failure::tool(format!("what `cargo metadata` says does not read: {error}")))
    }

    /// What keeps the packages from being published.
    fn mistakes(&self, metadata: &Metadata) -> Vec<String> {
        self.crates.names.iter().filter_map(|name| self.mistake(name, metadata)).collect()
    }

    fn mistake(&self, name: &str, metadata: &Metadata) -> Option<String> {
        let Some(package) = metadata.packages.iter().find(|it| it.name == name) else {
            let names: Vec<&str> = metadata.packages.iter().map(|it| it.name.as_str()).collect();
            return Some(format!("there is no package `{name}`; there are {}", names.join(", ")));
        };
        let registry = self.crates.registry.as_ref().map_or("crates-io", |it| it.name.as_str());
        if package.publish.as_ref().is_some_and(|it| !it.iter().any(|it| it == registry)) {
            return Some(format!("`{name}` may not be published to `{registry}`: its `publish` says so"));
        }
        let Crates { version, snapshot, .. } = self.crates;
        (!snapshot && package.version != *version)
            .then(|| format!("`{name}` is of version {}, and what is released is {version}", package.version))
    }

    /// What forge makes lies in `dist`, which is there when cargo packs once more, and would be in the crate.
    fn packs_what_is_made(&self, metadata: &Metadata) -> Result<Option<String>, Failure> {
        let (root, named) = (self.host.root(), &self.crates.names);
        let has_dist = |it: &&Package| {
            named.contains(&it.name) && it.manifest_path.parent().is_some_and(|it| root.starts_with(it))
        };
        let chosen = metadata.packages.iter().find(has_dist).filter(|it| !it.chooses_files());
        let Some(package) = chosen.filter(|_| !self.crates.snapshot) else { return Ok(None) };
        let exit = self.host.exec(&Command::new(["git", "check-ignore", "--quiet", "dist/x"]).in_dir(root))?;
        // 1 says that it is not ignored; all else, that git can't tell.
        Ok((exit.code == Some(1)).then(|| {
            format!(
                "`dist`, where forge puts what it makes, would be in the crate `{}`: let git ignore it",
                package.name
            )
        }))
    }

    fn version<'m>(&self, metadata: &'m Metadata, name: &str) -> &'m str {
        metadata.packages.iter().find(|it| it.name == name).map_or("", |it| it.version.as_str())
    }

    fn package(&self, target: &Path, metadata: &Metadata, more: &[&str]) -> Result<Exit, Failure> {
        let mut argv = vec!["cargo", "package", "--color", "never"];
        argv.extend(self.crates.names.iter().flat_map(|it| ["--package", it.as_str()]));
        argv.extend(self.registry());
        argv.extend(metadata.locked());
        argv.extend(self.crates.snapshot.then_some("--allow-dirty"));
        argv.extend(more);
        self.host.exec(&self.within(Command::new(argv), target))
    }

    fn registry(&self) -> Vec<&str> {
        self.crates.registry.iter().flat_map(|it| ["--registry", it.name.as_str()]).collect()
    }

    fn target(&self) -> PathBuf {
        self.host.dir().join("target")
    }

    /// The same command in the directory of the packages, with what it must know.
    fn within(&self, command: Command, target: &Path) -> Command {
        let dir = self.host.root().join(&self.crates.dir);
        let command = command.in_dir(dir).env("CARGO_TARGET_DIR", target.display().to_string());
        match &self.crates.registry {
            None => command,
            Some(it) => command.env(format!("{}_INDEX", variable_of(&it.name)), it.index.clone()),
        }
    }

    fn unpacked(&self, exit: &Exit) -> Failure {
        let failure = language::fault(exit, format!("cargo can't pack {}", self.crates.names.join(", ")));
        let all = exit.stderr.as_str();
        let help = if all.contains("not yet committed") {
            "nothing was published: let git ignore what is not to be in the crate (`dist`, `.forge`), or leave it out by `exclude` in the `Cargo.toml`"
        } else if all.contains("--locked") {
            "nothing was published: `Cargo.lock` is not what the `Cargo.toml` wants; run `cargo check`, and commit it"
        } else {
            "nothing was published: what is packed must build without what is not in the crate; `cargo package --list` says what is"
        };
        failure.help(help)
    }

    fn not_taken(&self, exit: &Exit) -> Failure {
        let site = self.crates.site();
        let failure = language::failure(exit, format!("`{site}` does not take {}", self.crates.names.join(", ")));
        let all = exit.stderr.as_str();
        let help = match &self.crates.token {
            Some(token) if ["401", "403", "unauthorized"].iter().any(|it| all.contains(it)) => {
                format!("may the token `{token}` publish these to `{site}`?")
            }
            None if ["401", "403", "no token found", "token rejected"].iter().any(|it| all.contains(it)) => {
                "name the secret that is the token: `token = \"cargo_token\"`, with `secrets = [\"cargo_token\"]`"
                    .to_owned()
            }
            _ => "run it again when that is mended: what is there already is not sent twice".to_owned(),
        };
        failure.help(help)
    }
}

impl Package {
    /// Whether it says itself what is in it, or that `dist` is not.
    fn chooses_files(&self) -> bool {
        let text = std::fs::read_to_string(&self.manifest_path).unwrap_or_default();
        text.lines().any(|it| it.starts_with("include")) || text.contains("\"dist") || text.contains("\"/dist")
    }
}

impl Metadata {
    /// Keeps cargo from writing `Cargo.lock`. A library may have none, and then cargo makes one.
    fn locked(&self) -> Option<&'static str> {
        self.workspace_root.join("Cargo.lock").exists().then_some("--locked")
    }
}

/// Where cargo puts a crate.
fn made(target: &Path, name: &str, version: &str) -> PathBuf {
    target.join("package").join(format!("{name}-{version}.crate"))
}

/// How the variables of a registry begin (The Cargo Book, "Environment variables").
fn variable_of(registry: &str) -> String {
    format!("CARGO_REGISTRIES_{}", registry.to_uppercase().replace('-', "_"))
}
