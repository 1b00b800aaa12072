//! Pipe `tap`: the files by which package managers find a release, and the git repository that they lie in.
//! Does not know any package manager: each is a file of `tap/formats/`, and a line of `FORMATS`.

mod download;
mod formats;
mod names;
mod push;
#[cfg(test)]
mod tests;

use std::fs;

use forge_plugin::schemas::kind::{Archive, Kind, Publication};
use forge_plugin::schemas::{
    Effect, Emit, Expect, Failure, KindInfo, Memory, Offer, Output, Place, Problem, Resource, SecretNeed, SecretReader,
    Selector, SourceText, Step,
};
use forge_plugin::{Given, Host, Names, Pipe, Template, Wants, kind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::download::Download;
use self::formats::{Format, FormatName};
use self::names::About;
use self::push::Push;

/// The pipe.
pub struct Tap;

/// Writes what package managers know a release by (a cask of Homebrew, a manifest of Scoop, …), and puts it into a git repository when the release is
/// there. What is in the repository already is not put there again. Where a package manager has one word for several platforms, as most have for
/// the variants of a processor, it gets the archive that runs wherever the others do: `linux/amd64` before `linux/amd64/v3`, `linux/arm/v6` before
/// `linux/arm/v7`, `darwin/all` before both of its parts; a `template` of one's own gets all of them. For prereleases, most want none: `if = '{{ prerelease == "" }}'`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// For which package manager:
    format: Option<FormatName>,
    /// A template of one's own, instead of `format`: a file of the project, written with the names `name`, `version`, `tag`, `class`, `description`, `homepage`,
    /// `license`, `publisher` and `archives`, a list with `os`, `arch`, `variant`, `platform`, `url`, `sha256`, `file`, `format`, `directory` and `programs` (each with
    /// `path` and `name`).
    template: Option<String>,
    /// What the file of `template` is called.
    file: Option<String>,
    /// The tables whose archives are installed, by id. Default: all.
    #[serde(default)]
    ids: Vec<String>,
    /// What the package is called. Default: the project's name.
    name: Option<String>,
    /// One line about it.
    #[serde(default)]
    description: String,
    /// Where people find it. Default: where the repository is looked at with a browser.
    homepage: Option<String>,
    /// Its licence, an SPDX expression.
    #[serde(default)]
    license: String,
    /// Who publishes it: `Acme`. For `winget`, the first part of the package's identifier; for `aur`, the maintainer.
    #[serde(default)]
    publisher: String,
    /// Where an archive is downloaded from. Default: the page of the release, on GitHub, Gitea and Forgejo.
    url: Option<Template<UrlNames>>,
    /// The git repository that it goes into: `https://github.com/acme/homebrew-tap.git`, `ssh://…`, `git@…`, or a path. Without one, it is only written, below
    /// `dist/`.
    repository: Option<String>,
    /// The branch. Default: that of the repository.
    branch: Option<String>,
    /// A branch that is made of the other one, for a pull request that a person opens: `hello-{{ version }}`.
    review_branch: Option<String>,
    /// The directory in the repository. Default: where the format's users look for it.
    directory: Option<String>,
    /// The message of the commit. Default: `{{ name }} {{ version }}`.
    message: Option<String>,
    /// Who commits: `Ada <ada@example.org>`. Default: `forge <forge@localhost>`. The time is that of the commit that is released.
    author: Option<String>,
    /// The secret by which git logs in over HTTPS, one of the table's `secrets`. Without one git does as it is set up: its credential helpers, an SSH agent.
    token: Option<String>,
    /// The name that goes with `token`. Default: `x-access-token`, which GitHub takes for any.
    user: Option<String>,
}

/// The names of a download.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UrlNames {
    /// `hello_1.2.3_linux_arm64.tar.gz`.
    artifact: String,
}

impl Names for UrlNames {
    const NAMES: &'static [&'static str] = &["artifact"];
}

/// What `run` wants to know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Params {
    /// Writes the files: a template for each output.
    Write { about: About, downloads: Vec<Download>, texts: Vec<String> },
    /// Puts them into the repository.
    Push(Push),
}

/// `tap_file`: what a package manager knows a release by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TapFile {
    /// Where it lies in the repository.
    pub path: String,
}

impl Kind for TapFile {
    const NAME: &'static str = "tap_file";
}

/// `tap_push`: such files lie in their repository now. The content is a small receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TapPush {
    /// The repository.
    pub repository: String,
    /// The branch; none for that of the repository.
    pub branch: Option<String>,
}

impl Kind for TapPush {
    const NAME: &'static str = "tap_push";
}

impl Pipe for Tap {
    const NAME: &'static str = "tap";
    const SUMMARY: &'static str = "puts a release into the git repositories that package managers look at";
    type Settings = Settings;
    type Params = Params;

    fn makes() -> Vec<KindInfo> {
        vec![kind::<TapFile>(), kind::<TapPush>()]
    }

    fn takes(settings: &Settings) -> Result<Wants, Vec<Problem>> {
        let of_table = |(at, id): (usize, &String)| Selector {
            tables: vec![id.clone()],
            key: format!("ids[{at}]"),
            ..Selector::of_kind(Archive::NAME)
        };
        let mut selectors: Vec<Selector> = settings.ids.iter().enumerate().map(of_table).collect();
        if selectors.is_empty() {
            selectors.push(Selector::of_kind(Archive::NAME));
        }
        // It goes last: what it leads to is there by then.
        selectors.push(Selector { expect: Expect::Any, ..Selector::of_kind(Publication::NAME) });
        let template =
            |path: &String| SourceText { path: path.clone(), key: "template".to_owned(), ..SourceText::default() };
        Ok(Wants { selectors, sources: settings.template.iter().map(template).collect() })
    }

    fn plan(settings: &Settings, given: &Given<'_>) -> Result<Vec<Step>, Vec<Problem>> {
        let (archives, published): (Vec<&Offer>, Vec<&Offer>) =
            given.offers.iter().partition(|it| it.kind == Archive::NAME);
        let mut problems = Vec::new();
        let about = About::of(settings, given);
        let format = formats::chosen(settings, given, &about).unwrap_or_else(|problem| {
            problems.push(problem);
            Format::nothing()
        });
        let downloads = download::choose(settings, given, &format, &archives).unwrap_or_else(|more| {
            problems.extend(more);
            Vec::new()
        });
        let push = Push::of(settings, given, &mut problems);
        if !problems.is_empty() {
            return Err(problems);
        }
        let write = write_step(settings, given, &format, about, downloads);
        let push = push.map(|push| Step { secrets: token(settings), ..push_step(&push, given, &write, &published) });
        Ok([write].into_iter().chain(push).collect())
    }

    fn run(params: &Params, step: &Step, host: &dyn Host) -> Result<(), Failure> {
        match params {
            Params::Write { about, downloads, texts } => write(about, downloads, texts, step, host),
            Params::Push(push) => push.run(step, host),
        }
    }
}

fn token(settings: &Settings) -> Vec<SecretNeed> {
    let need = |name: &String| SecretNeed {
        name: name.clone(),
        place: Place::Key("token".to_owned()),
        reader: SecretReader::Program,
    };
    settings.token.iter().map(need).collect()
}

fn write_step(settings: &Settings, given: &Given<'_>, format: &Format, about: About, downloads: Vec<Download>) -> Step {
    let directory = settings.directory.clone().unwrap_or_else(|| format.directory.clone());
    let output = |name: &str| {
        let path =
            if directory.is_empty() { name.to_owned() } else { format!("{}/{name}", directory.trim_matches('/')) };
        Output {
            name: format!("tap/{}/{path}", given.table.id),
            kind: TapFile::NAME.to_owned(),
            platform: None,
            detail: serde_json::to_value(TapFile { path }).unwrap_or_default(),
        }
    };
    let (names, texts): (Vec<&str>, Vec<String>) =
        format.files.iter().map(|file| (file.name.as_str(), file.text.clone())).unzip();
    Step {
        name: "write".to_owned(),
        takes: downloads.iter().map(|it| it.artifact.clone()).collect(),
        makes: names.into_iter().map(output).collect(),
        params: serde_json::to_value(Params::Write { about, downloads, texts }).unwrap_or_default(),
        ..Step::default()
    }
}

fn push_step(push: &Push, given: &Given<'_>, write: &Step, published: &[&Offer]) -> Step {
    let detail = TapPush { repository: push.repository.clone(), branch: push.branch().map(ToOwned::to_owned) };
    let receipt = Output {
        name: format!("published/{}/tap.json", given.table.id),
        kind: TapPush::NAME.to_owned(),
        platform: None,
        detail: serde_json::to_value(detail).unwrap_or_default(),
    };
    let files = write.makes.iter().map(|it| it.name.clone());
    Step {
        name: "push".to_owned(),
        takes: files.chain(published.iter().map(|it| it.name.clone())).collect(),
        makes: vec![receipt],
        effect: Effect::Publish,
        memory: Memory::Never,
        // Two pushes to one repository would be refused in turn.
        resource: Resource::Exclusive(format!("git {}", push.repository)),
        params: serde_json::to_value(Params::Push(push.clone())).unwrap_or_default(),
        place: Place::Key("repository".to_owned()),
        ..Step::default()
    }
}

fn write(about: &About, downloads: &[Download], texts: &[String], step: &Step, host: &dyn Host) -> Result<(), Failure> {
    let names = about.names(downloads, host)?;
    for (at, (output, text)) in step.makes.iter().zip(texts).enumerate() {
        let mut text = host.render(text, &names)?;
        if !text.ends_with('\n') {
            text.push('\n');
        }
        let path = host.dir().join(at.to_string());
        fs::write(&path, text).map_err(|error| Failure::file("write", &path, &error))?;
        host.emit(&Emit { name: output.name.clone(), path, blobs: Vec::new(), detail: output.detail.clone() })?;
    }
    Ok(())
}
