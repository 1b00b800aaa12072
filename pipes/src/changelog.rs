//! Pipe `changelog`: what is new in a release, from the commits since the last one, or from a file.
//! Does not know where the notes are shown: `publish` does.

pub(crate) mod history;
mod notes;
mod section;

use std::fs;

use forge_plugin::schemas::kind::{Kind as _, ReleaseNotes};
use forge_plugin::schemas::{Emit, Failure, KindInfo, Output, Place, Presence, Problem, Read, SourceText, Step, Tool};
use forge_plugin::{Given, Host, Later, Names, Pipe, Template, Wants, kind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::history::History;
use self::notes::{Form, Group};

/// The pipe.
pub struct Changelog;

/// Writes what is new in a release: `dist/RELEASE_NOTES.md`, which `publish` shows on the page of the release.
///
/// Without `file` it lists the commits since the last release: since that tag below this version (by semver) that is the
/// nearest and lies behind the commit. A release that is no prerelease is compared with the last that was none either.
/// Commits that follow [Conventional Commits](https://www.conventionalcommits.org) can be grouped by their type.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// A file of the project to take the notes from, instead of from the commits: of `CHANGELOG.md` the section whose title has
    /// the version (in a snapshot the first one, or that of what is not released yet), of a file without such titles all.
    pub file: Option<String>,
    /// What the file with the notes is called. Default: `RELEASE_NOTES.md`.
    pub name: Option<String>,
    /// The tag, branch or commit behind which the commits begin. Default: the tag of the last release.
    pub since: Option<String>,
    /// Only commits that change something below these paths, relative to the project file.
    #[serde(default)]
    pub paths: Vec<String>,
    /// The order of the commits, within each group.
    #[serde(default)]
    pub sort: Sort,
    /// How a commit is written. Default: `{{ short_commit }} {{ subject }}`, and in groups by type `{{ description }}`
    /// with the scope before it; the commit is a link where it is known where to.
    pub format: Option<Template<CommitNames>>,
    /// Regular expressions: only commits whose subject matches one of them.
    #[serde(default)]
    pub include: Vec<String>,
    /// Regular expressions: no commits whose subject matches one of them.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Groups with titles, in this order; a commit is in the first one that it matches.
    #[serde(default)]
    pub groups: Vec<GroupSettings>,
    /// Groups by the type of conventional commits: what breaks, features, fixes, the rest. Can't stand beside `groups`.
    #[serde(default)]
    pub conventional: bool,
    /// Where the repository is looked at with a browser; links lead there. Default: that of the remote `origin`, where it
    /// can be told from its URL. Empty: no links.
    pub url: Option<String>,
    /// The title above the commits. Default: `Changelog`. Empty: none.
    pub title: Option<String>,
    /// What stands before the rest.
    pub header: Option<Template<NotesNames>>,
    /// What stands behind the rest.
    pub footer: Option<Template<NotesNames>>,
}

/// The order of commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// The newest first.
    #[default]
    Newest,
    /// The oldest first.
    Oldest,
    /// By their subjects.
    Subject,
}

/// A group of commits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupSettings {
    /// Its title.
    pub title: String,
    /// A regular expression that the subjects of its commits match. Without one it has all that no other has.
    pub regex: Option<String>,
}

/// What is known of a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CommitNames {
    /// In full.
    pub commit: String,
    /// Its first seven digits.
    pub short_commit: String,
    /// The first line of its message.
    pub subject: String,
    /// The rest of its message.
    pub body: String,
    /// Who wrote it.
    pub author: String,
    /// Their address.
    pub email: String,
    /// The type of a conventional commit, else empty.
    pub r#type: String,
    /// The scope of a conventional commit, else empty.
    pub scope: String,
    /// What a conventional commit says behind its `:`, else the subject.
    pub description: String,
    /// Whether a conventional commit says that it breaks something.
    pub breaking: bool,
    /// Its page, where that is known, else empty.
    pub link: String,
}

impl Names for CommitNames {
    const NAMES: &'static [&'static str] = &[
        "commit",
        "short_commit",
        "subject",
        "body",
        "author",
        "email",
        "type",
        "scope",
        "description",
        "breaking",
        "link",
    ];
}

/// What is known of the notes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotesNames {
    /// The tag of the release before; empty where there is none.
    pub previous_tag: String,
    /// The page that compares both, where that is known, else empty.
    pub compare: String,
}

impl Names for NotesNames {
    const NAMES: &'static [&'static str] = &["previous_tag", "compare"];
}

/// What `run` must know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Params {
    /// The notes, where they are from a file.
    text: Option<String>,
    history: History,
    form: Form,
    header: Option<Later<NotesNames>>,
    footer: Option<Later<NotesNames>>,
}

const NAME: &str = "RELEASE_NOTES.md";

impl Pipe for Changelog {
    const NAME: &'static str = "changelog";
    const SUMMARY: &'static str = "writes what is new in a release, from the commits or from a file";
    type Settings = Settings;
    type Params = Params;

    fn makes() -> Vec<KindInfo> {
        vec![kind::<ReleaseNotes>()]
    }

    fn takes(settings: &Settings) -> Result<Wants, Vec<Problem>> {
        let source = |path: &String| SourceText {
            path: path.clone(),
            key: "file".to_owned(),
            presence: Presence::Required,
            ..SourceText::default()
        };
        Ok(Wants { selectors: Vec::new(), sources: settings.file.iter().map(source).collect() })
    }

    fn plan(settings: &Settings, given: &Given<'_>) -> Result<Vec<Step>, Vec<Problem>> {
        let params = params(settings, given)?;
        let is_from_commits = params.text.is_none();
        let name = settings.name.clone().unwrap_or_else(|| NAME.to_owned());
        let reads = settings.file.iter().map(|path| Read::all(path, Place::Key("file".to_owned())));
        let git = Tool { program: "git".to_owned(), version: vec!["--version".to_owned()] };
        Ok(vec![Step {
            makes: vec![Output {
                name,
                kind: ReleaseNotes::NAME.to_owned(),
                platform: None,
                detail: serde_json::to_value(ReleaseNotes {}).unwrap_or_default(),
            }],
            reads: reads.collect(),
            tools: if is_from_commits { vec![git] } else { Vec::new() },
            params: serde_json::to_value(params).unwrap_or_default(),
            ..Step::default()
        }])
    }

    fn run(params: &Params, step: &Step, host: &dyn Host) -> Result<(), Failure> {
        let output = step.makes.first().ok_or_else(|| Failure::bug("the step makes nothing"))?;
        let (previous, middle) = match &params.text {
            Some(text) => (None, text.clone()),
            None => {
                let found = params.history.read(host)?;
                (found.previous_tag, params.form.write(&found.commits, host)?)
            }
        };
        let names = params.history.names(previous);
        let part = |it: &Option<Later<NotesNames>>| it.as_ref().map(|it| it.render(host, &names)).transpose();
        let parts = [part(&params.header)?, Some(middle), part(&params.footer)?];
        let parts: Vec<String> = parts.into_iter().flatten().map(|it| it.trim().to_owned()).collect();
        let text = parts.into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join("\n\n") + "\n";
        let path = host.dir().join(NAME);
        fs::write(&path, text).map_err(|error| Failure::file("write", &path, &error))?;
        let detail = output.detail.clone();
        host.emit(&Emit { name: output.name.clone(), path, blobs: Vec::new(), detail })?;
        Ok(())
    }
}

fn params(settings: &Settings, given: &Given<'_>) -> Result<Params, Vec<Problem>> {
    let mut problems = notes::problems(settings);
    let text = settings.file.as_ref().map(|file| {
        let text = given.source(file).unwrap_or_default();
        section::of_version(text, given.facts).ok_or_else(|| {
            let message = format!("`{file}` has no section for {}", given.facts.version);
            Problem::at_key("file", message).help(format!("add one, as in `## {}`", given.facts.version))
        })
    });
    let text = text.transpose().unwrap_or_else(|problem| {
        problems.push(problem);
        None
    });
    let history = History::of(settings, given.facts);
    let perhaps = history.names(Some("v0.0.0".to_owned()));
    let mut later = |key: &str, it: &Option<Template<NotesNames>>| {
        let later = it.as_ref().map(|it| given.later(key, it, &perhaps)).transpose();
        later.unwrap_or_else(|problem| {
            problems.push(problem);
            None
        })
    };
    let (header, footer) = (later("header", &settings.header), later("footer", &settings.footer));
    let format = settings.format.as_ref().map(|it| given.later("format", it, &history.perhaps())).transpose();
    let format = format.unwrap_or_else(|problem| {
        problems.push(problem);
        None
    });
    if !problems.is_empty() {
        return Err(problems);
    }
    let groups = settings.groups.iter().map(Group::of).collect();
    let groups = if settings.conventional { notes::by_type() } else { groups };
    let title = settings.title.clone().unwrap_or_else(|| "Changelog".to_owned());
    let form = Form {
        title,
        format,
        groups,
        sort: settings.sort,
        include: settings.include.clone(),
        exclude: settings.exclude.clone(),
    };
    Ok(Params { text, history, form, header, footer })
}

#[cfg(test)]
#[path = "changelog/checks.rs"]
mod checks;
