//! Destination `pypi`: wheels and source distributions on PyPI, or on any index that is like it, by twine.
//! Does not know how they are made, and no token: twine reads that from its environment.

mod index;
mod names;

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use forge_plugin::schemas::kind::{Download, Kind as _};
use forge_plugin::schemas::{Artifact, Expect, Failure, Finding, Offer, Place, Problem, Selector, Step};
use forge_plugin::{Given, Host};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::index::Index;
use self::names::FileName;
use super::contents;
use super::language::{self, There};
use super::{Destination, Planned, Settings, receipt, typed};
use crate::table::address;

pub(super) const DESTINATION: Destination = Destination {
    name: "pypi",
    about: "uploads wheels and source distributions to PyPI, or an index like it, by twine: downloads (of a `hook`, say) that are named as such files are. They are \
            checked (`twine check`) before anything is published, and uploaded after all that can be taken back, for a file can't be replaced \
            there. What is there already, byte for byte, is not sent again.",
    schema: Own::json_schema,
    takes,
    plan,
    probe,
    run,
};

const PYPI: &str = "https://pypi.org/simple";
const TEST: &str = "https://test.pypi.org/simple";

/// What it wants to know.
#[derive(Debug, Deserialize, JsonSchema)]
struct Own {
    /// The secret that is the token, one of the table's `secrets`. Without it, twine finds its own way (trusted publishing, a keyring, `.pypirc`).
    token: Option<String>,
    /// Who the token is of. Default: `__token__`, as PyPI wants it.
    username: Option<String>,
    /// Where pip finds what is there (the simple API). Without it, `https://pypi.org/simple`.
    index: Option<String>,
    /// Where files are sent. Default: PyPI's own address; for other indexes, `index` without `/simple` at its end.
    upload: Option<String>,
}

/// What a step does.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum What {
    /// Looks whether the files are good.
    Check(Package),
    /// Sends them.
    Upload(Package),
}

/// Files of a version.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Package {
    /// The project, as the index calls it.
    project: String,
    version: String,
    /// What each is called there, by artifact.
    files: BTreeMap<String, String>,
    index: String,
    upload: String,
    username: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

fn takes(settings: &Settings) -> Vec<Selector> {
    let of_table = |(at, id): (usize, &String)| Selector {
        tables: vec![id.clone()],
        kinds: vec![Download::NAME.to_owned()],
        key: format!("ids[{at}]"),
        ..Selector::default()
    };
    match settings.ids.is_empty() {
        true => vec![Selector { expect: Expect::Any, ..Selector::of_kind(Download::NAME) }],
        false => settings.ids.iter().enumerate().map(of_table).collect(),
    }
}

fn plan(settings: &Settings, given: &Given<'_>) -> Planned {
    let own: Own = settings.own()?;
    let mut problems = Vec::new();
    let index = own.index.as_deref().unwrap_or(PYPI).trim_end_matches('/').to_owned();
    for (key, url) in [("index", Some(&index)), ("upload", own.upload.as_ref())] {
        let bad = url.and_then(|it| address::base(it).err());
        problems.extend(bad.map(|it| it.problem(key, "an index", "index = \"https://test.pypi.org/simple\"")));
    }
    let chosen = choose(settings, given, &mut problems);
    let Some((_, first)) = chosen.first().filter(|_| problems.is_empty()) else { return Err(problems) };
    let package = Package {
        project: first.project.clone(),
        version: first.version.clone(),
        files: chosen.iter().map(|(offer, name)| (offer.name.clone(), name.text.clone())).collect(),
        upload: own.upload.unwrap_or_else(|| upload_of(&index)),
        index,
        username: own.username.unwrap_or_else(|| "__token__".to_owned()),
        token: own.token,
    };
    Ok(package.steps(given))
}

/// Where an index takes files.
fn upload_of(index: &str) -> String {
    match index {
        PYPI => "https://upload.pypi.org/legacy/".to_owned(),
        TEST => "https://test.pypi.org/legacy/".to_owned(),
        other => format!("{}/", other.trim_end_matches("/simple").trim_end_matches("/+simple")),
    }
}

/// The files that go there, or what is wrong with them.
fn choose<'g>(settings: &Settings, given: &'g Given<'_>, problems: &mut Vec<Problem>) -> Vec<(&'g Offer, FileName)> {
    let mut chosen = Vec::new();
    for offer in given.offers {
        match FileName::parse(&offer.name, given.facts) {
            Some(name) => chosen.push((offer, name)),
            None if settings.ids.is_empty() => {}
            None => {
                let key = settings
                    .ids
                    .iter()
                    .position(|it| *it == offer.table.id)
                    .map_or(String::new(), |at| format!("ids[{at}]"));
                let problem = Problem::at_key(key, format!("`{}` is no file that PyPI takes", offer.name));
                problems.push(problem.help("a wheel is called `NAME-VERSION-PYTHON-ABI-PLATFORM.whl`, and a source distribution `NAME-VERSION.tar.gz`"));
            }
        }
    }
    if chosen.is_empty() && problems.is_empty() {
        let problem =
            Problem::at_key("to", "there is nothing to publish: no table makes a wheel or a source distribution");
        problems.push(
            problem.help("let a `hook` make one: `makes = [{ name = \"hello-{{ version }}-py3-none-any.whl\" }]`"),
        );
    }
    problems.extend(misfits(&chosen, given));
    chosen
}

/// Files of another project or version than the first, and of another version than what is released.
fn misfits(chosen: &[(&Offer, FileName)], given: &Given<'_>) -> Vec<Problem> {
    let Some((one, first)) = chosen.first() else { return Vec::new() };
    let is_other = |name: &FileName| (&name.project, &name.version) != (&first.project, &first.version);
    let others = chosen.iter().filter(|(_, name)| is_other(name)).map(|(offer, _)| {
        let message = format!("`{}` and `{}` are not of one project and version", one.name, offer.name);
        Problem::at_key("to", message).help("give each project a table of its own, with `ids`")
    });
    let facts = given.facts;
    // How a prerelease is written differs between the two (PEP 440), and a snapshot is no version there.
    let is_comparable = !facts.snapshot && facts.prerelease.is_empty();
    let stale = (is_comparable && first.version != facts.version).then(|| {
        let message =
            format!("`{}` is of version {}, and what is released is {}", one.name, first.version, facts.version);
        Problem::at_key("to", message)
            .help("raise the version in `pyproject.toml`, and write `{{ version }}` into the name")
    });
    others.chain(stale).collect()
}

impl Package {
    fn steps(&self, given: &Given<'_>) -> Vec<Step> {
        let takes: Vec<String> = self.files.keys().cloned().collect();
        let params = |what: &What| serde_json::to_value(what).unwrap_or_default();
        let tool = language::tool("twine");
        let check = Step {
            name: format!("check/{}", self.project),
            takes: takes.clone(),
            tools: vec![tool.clone()],
            params: params(&What::Check(self.clone())),
            place: Place::Key("to".to_owned()),
            ..Step::default()
        };
        let place = self.place();
        let receipt = receipt::name(&given.table.id, &place, &self.version);
        let upload = Step {
            takes,
            makes: vec![receipt::output(receipt, place, &self.version, None)],
            secrets: language::needs(self.token.as_ref()),
            // What trusted publishing asks for a token, in GitHub's CI.
            env: vec!["ACTIONS_ID_TOKEN_REQUEST_URL".to_owned(), "GITHUB_ACTIONS".to_owned()],
            params: params(&What::Upload(self.clone())),
            ..language::for_good(format!("upload/{}", self.project), tool)
        };
        vec![check, upload]
    }

    /// Where the project is seen: `pypi.org/simple/hello`.
    fn place(&self) -> String {
        let index = self.index.split_once("://").map_or(self.index.as_str(), |(_, rest)| rest);
        format!("{index}/{}", self.project)
    }

    fn files<'h>(&'h self, host: &'h dyn Host) -> impl Iterator<Item = (&'h str, &'h Artifact)> {
        host.inputs().iter().filter_map(|it| Some((self.files.get(&it.name)?.as_str(), it)))
    }

    /// The files that are not there yet. One that is there and is another is a failure.
    fn lacking(&self, host: &dyn Host, failed: u32) -> Result<Vec<String>, Failure> {
        let index = Index::ask(self, host, failed)?;
        let mut lacking = Vec::new();
        for (name, artifact) in self.files(host) {
            let there = index.there(name, artifact.digest)?;
            if !there.finding(&self.place(), &format!("`{name}`"), artifact.digest)?.is_there() {
                lacking.push(name.to_owned());
            }
        }
        Ok(lacking)
    }

    /// The files under their own names, which say what they are.
    fn laid_out(&self, names: Option<&[String]>, host: &dyn Host) -> Result<Vec<String>, Failure> {
        let mut paths = Vec::new();
        for (name, artifact) in
            self.files(host).filter(|(name, _)| names.is_none_or(|it| it.iter().any(|it| it == name)))
        {
            let path: PathBuf = host.dir().join(name);
            if !path.exists() {
                symlink(&artifact.path, &path).map_err(|error| Failure::file("link", &path, &error))?;
            }
            paths.push(path.display().to_string());
        }
        Ok(paths)
    }

    /// What forge makes lies in `.forge` and `dist`. What packs all of a project may pack these too, and something else in each run.
    fn check_that_it_is_clean(&self, host: &dyn Host) -> Result<(), Failure> {
        for (name, artifact) in self.files(host).filter(|(name, _)| name.ends_with(".tar.gz")) {
            let is_made =
                |it: &str| it.starts_with(".forge/") || ["dist/artifacts.json", "dist/metadata.json"].contains(&it);
            if let Some(made) = contents::first(&artifact.path, is_made)? {
                let message = format!("what forge makes is in the source distribution `{name}`: `{made}`");
                return Err(Failure::input(message).help(
                    "nothing was published: let git ignore `dist` and `.forge`, or leave them out where it is packed (`MANIFEST.in`, `exclude`)",
                ));
            }
        }
        Ok(())
    }

    fn check(&self, host: &dyn Host) -> Result<(), Failure> {
        self.check_that_it_is_clean(host)?;
        let argv = ["twine", "check"].map(str::to_owned).into_iter().chain(self.laid_out(None, host)?).collect();
        let exit = host.exec(&plain(language::with_token("", None, argv)))?;
        match exit.is_success() {
            true => Ok(()),
            false => {
                Err(language::fault(&exit, format!("`twine check` finds fault with the files of {}", self.project))
                    .help("nothing was published: mend what its log says in the metadata of the package"))
            }
        }
    }

    fn upload(&self, step: &Step, host: &dyn Host) -> Result<(), Failure> {
        let lacking = self.lacking(host, 0)?;
        if !lacking.is_empty() {
            self.send(&lacking, host)?;
        }
        let lines: String = self.files(host).map(|(name, it)| format!("{} {name}\n", it.digest)).collect();
        let digest = forge_plugin::schemas::Digest::of(lines.as_bytes());
        receipt::emit_about(host, step, &self.place(), &self.version, Some(digest))
    }

    fn send(&self, names: &[String], host: &dyn Host) -> Result<(), Failure> {
        let options =
            ["twine", "upload", "--non-interactive", "--disable-progress-bar", "--repository-url", &self.upload];
        let mut argv: Vec<String> = options.map(str::to_owned).into();
        if self.token.is_some() {
            argv.extend(["--username".to_owned(), self.username.clone()]);
        }
        argv.extend(self.laid_out(Some(names), host)?);
        let exit = host.exec(&plain(language::with_token("TWINE_PASSWORD", self.token.as_ref(), argv)))?;
        if exit.is_success() {
            return language::wait_for(host, &format!("{} {}", self.project, self.version), |failed| {
                Ok(self.lacking(host, failed)?.is_empty())
            });
        }
        // Its answer may have been lost after all was taken.
        match self.lacking(host, 1) {
            Ok(lacking) if lacking.is_empty() => Ok(()),
            _ => Err(self.not_taken(&language::failure(
                &exit,
                format!("`{}` does not take {} {}", self.upload, self.project, self.version),
            ))),
        }
    }

    fn not_taken(&self, failure: &Failure) -> Failure {
        let all = failure.causes.join("\n");
        let help = match &self.token {
            _ if all.contains("403") || all.contains("401") => match &self.token {
                Some(token) => format!("may the token `{token}` upload to the project `{}`?", self.project),
                None => {
                    "name the secret that is the token: `token = \"pypi_token\"`, with `secrets = [\"pypi_token\"]`"
                        .to_owned()
                }
            },
            _ if all.contains("already") => {
                "a file that was there once can't be uploaded again, even when it was deleted: raise the version"
                    .to_owned()
            }
            _ => "run it again when that is mended: what is there already is not sent twice".to_owned(),
        };
        failure.clone().help(help)
    }
}

/// Without colours, and lines that are not broken.
fn plain(command: forge_plugin::schemas::Command) -> forge_plugin::schemas::Command {
    command.env("NO_COLOR", "1").env("COLUMNS", "300").env("TERM", "dumb")
}

fn probe(params: &Value, host: &dyn Host) -> Result<Vec<Finding>, Failure> {
    let What::Upload(package) = typed(params)? else { return Ok(Vec::new()) };
    let index = Index::ask(&package, host, 0)?;
    let place = |name: &str| format!("{}: {name}", package.place());
    if host.inputs().is_empty() {
        return Ok(package.files.values().map(|name| language::unknown(place(name), index.digest(name))).collect());
    }
    let of_file = |(name, artifact): (&str, &Artifact)| {
        let there: There = index.there(name, artifact.digest)?;
        there.finding(&place(name), &format!("`{name}`"), artifact.digest)
    };
    package.files(host).map(of_file).collect()
}

fn run(params: &Value, step: &Step, host: &dyn Host) -> Result<(), Failure> {
    match typed(params)? {
        What::Check(package) => package.check(host),
        What::Upload(package) => package.upload(step, host),
    }
}
