//! What npm does for a release: it packs a package, and sends that very file.
//! Does not know what the registry has: `npm/registry.rs` asks.

use std::fs;
use std::path::{Component, Path, PathBuf};

use forge_plugin::Host;
use forge_plugin::schemas::{Artifact, Command, Emit, Exit, Failure, Step};
use serde::Deserialize;

use super::super::{contents, language};
use super::{Access, Package};

/// npm, for a package.
pub struct Npm<'a> {
    pub package: &'a Package,
    pub host: &'a dyn Host,
}

/// What matters of a `package.json`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Manifest {
    name: String,
    version: String,
    private: bool,
    /// What it is made of, where it says that.
    files: Option<serde_json::Value>,
}

impl Npm<'_> {
    /// Makes the package.
    pub fn pack(&self, step: &Step) -> Result<(), Failure> {
        let manifest = self.manifest()?;
        let mistakes = self.mistakes(&manifest);
        if let Some((first, more)) = mistakes.split_first() {
            let failure = more.iter().fold(Failure::input(first.clone()), |failure, more| failure.cause(more.clone()));
            return Err(failure.help("nothing was published: mend it in the `package.json`, commit that, and tag it"));
        }
        let made = self.host.dir().join("packed");
        fs::create_dir(&made).map_err(|error| Failure::file("make", &made, &error))?;
        let command = Command::new(["npm", "pack", "--pack-destination", &made.display().to_string()]);
        let exit = self.host.exec(&plain(command).in_dir(self.dir()))?;
        if !exit.is_success() {
            return Err(
                language::fault(&exit, format!("npm can't pack {}", self.package.name)).help("nothing was published")
            );
        }
        let file = fs::read_dir(&made).ok().and_then(|mut it| it.next()?.ok()).map(|it| it.path());
        let path = file.ok_or_else(|| Failure::tool("`npm pack` has made no file"))?;
        if self.packs_what_is_made(&manifest, &path)? {
            return Err(self.polluted());
        }
        let output = &step.makes[0];
        self.host.emit(&Emit { name: output.name.clone(), path, blobs: Vec::new(), detail: output.detail.clone() })?;
        Ok(())
    }

    /// Sends it, as it is.
    pub fn publish(&self, artifact: &Artifact) -> Result<(), Failure> {
        let Package { registry, tag, access, token, .. } = self.package;
        // npm knows a file by the end of its name.
        let path = self.host.dir().join(self.package.file_name());
        fs::copy(&artifact.path, &path).map_err(|error| Failure::file("copy", &artifact.path, &error))?;
        let mut argv = vec!["npm".to_owned(), "publish".to_owned(), path.display().to_string()];
        argv.extend([format!("--registry={registry}/"), format!("--tag={tag}"), "--ignore-scripts".to_owned()]);
        if let Some((scope, _)) = self.package.name.split_once('/') {
            argv.push(format!("--{scope}:registry={registry}/"));
        }
        argv.extend(access.map(|it| match it {
            Access::Public => "--access=public".to_owned(),
            Access::Restricted => "--access=restricted".to_owned(),
        }));
        let mut command = plain(Command::new(argv));
        if let Some(token) = token {
            // It names the variable, which npm puts in.
            let settings = format!("//{}/:_authToken=${{{}}}\n", self.package.site(), language::variable_of(token));
            let file = self.host.dir().join("npmrc");
            fs::write(&file, settings).map_err(|error| Failure::file("write", &file, &error))?;
            command = command.env("NPM_CONFIG_USERCONFIG", file.display().to_string());
        }
        let exit = self.host.exec(&command)?;
        if exit.is_success() { Ok(()) } else { Err(self.not_taken(&exit)) }
    }

    fn dir(&self) -> PathBuf {
        self.host.root().join(&self.package.dir)
    }

    fn manifest(&self) -> Result<Manifest, Failure> {
        let path = self.dir().join("package.json");
        let text = fs::read_to_string(&path)
            .map_err(|error| Failure::file("read", &path, &error).help("say where the `package.json` is, by `dir`"))?;
        serde_json::from_str(&text).map_err(|error| Failure::input(format!("`{}`: {error}", path.display())))
    }

    /// What keeps the package from being published.
    fn mistakes(&self, manifest: &Manifest) -> Vec<String> {
        let Package { name, version, snapshot, .. } = self.package;
        let other = (manifest.name != *name).then(|| {
            format!("the package is called `{}`, and `{name}` is to be published: is `package` right?", manifest.name)
        });
        let private = manifest.private.then(|| format!("`{name}` may not be published: it is `private`"));
        let stale = (!snapshot && manifest.version != *version)
            .then(|| format!("`{name}` is of version {}, and what is released is {version}", manifest.version));
        [other, private, stale].into_iter().flatten().collect()
    }

    /// What forge makes lies in `dist` (and in `.forge`, which npm is told to leave out). Another run would pack another package: so it is
    /// looked for, and where there is none yet, whether it will be packed.
    fn packs_what_is_made(&self, manifest: &Manifest, packed: &Path) -> Result<bool, Failure> {
        let is_root = Path::new(&self.package.dir).components().all(|it| it == Component::CurDir);
        if !is_root {
            return Ok(false);
        }
        if contents::first(packed, |it| it.starts_with("dist/"))?.is_some() {
            return Ok(true);
        }
        // What is packed is said by `files`, else `.npmignore`, else `.gitignore` (npm, "package.json": files).
        let root = self.host.root();
        if self.package.snapshot || manifest.files.is_some() || root.join(".npmignore").exists() {
            return Ok(false);
        }
        let exit = self.host.exec(&Command::new(["git", "check-ignore", "--quiet", "dist/x"]).in_dir(root))?;
        // 1 says that it is not ignored; all else, that git can't tell.
        Ok(exit.code == Some(1))
    }

    fn polluted(&self) -> Failure {
        let name = &self.package.name;
        Failure::input(format!("`dist`, where forge puts what it makes, would be in the package `{name}`")).help(
            "nothing was published: let git ignore it (and `.npmignore`, where there is one), and take it out of `files` in the `package.json`; \
             what another build puts into `dist` can go elsewhere, or the package into a directory of its own, which `dir` names",
        )
    }

    fn not_taken(&self, exit: &Exit) -> Failure {
        let Package { name, registry, token, .. } = self.package;
        let is_refused = ["E401", "E403", "ENEEDAUTH"].iter().any(|it| exit.stderr.contains(it));
        let help = match token {
            _ if exit.stderr.contains("previously published") => {
                "a version that was there once can't be published again, even when it was removed: raise the version"
                    .to_owned()
            }
            Some(token) if is_refused => format!("may the token `{token}` publish `{name}`?"),
            None if is_refused => {
                "name the secret that is the token: `token = \"npm_token\"`, with `secrets = [\"npm_token\"]`"
                    .to_owned()
            }
            _ => "run it again when that is mended: what is there already is not sent twice".to_owned(),
        };
        language::failure(exit, format!("`{registry}` does not take {name} {}", self.package.version)).help(help)
    }
}

/// Without colours, and without what is not about this package.
fn plain(command: Command) -> Command {
    command.env("NO_COLOR", "1").env("NPM_CONFIG_UPDATE_NOTIFIER", "false").env("NPM_CONFIG_FUND", "false")
}
