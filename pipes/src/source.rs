//! Pipe `source`: an archive of the commit's tree.
//! Does not look at the work tree: git says what is in the commit.

use std::fs::File as OpenFile;
use std::io;
use std::path::Path;

use forge_plugin::schemas::kind::{Archive as Packed, Kind as _};
use forge_plugin::schemas::{Command, Failure, KindInfo, Output, Problem, Read, Step, Tool};
use forge_plugin::{Given, Host, Names, Pipe, Template, Wants, kind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tar::{Archive as Tar, EntryType};

use crate::archive;
use crate::archive::choosing::resolve_all;
use crate::archive::entry::{Entry, Stamp};
use crate::archive::files::Files;
use crate::archive::format::{Container, Format};
use crate::archive::naming;
use crate::archive::settings::File;
use crate::oci::layer::Content;

/// The pipe.
pub struct Source;

const NAME: &str = "{{ name }}-{{ version }}";
/// What would have the same commit be other files on another machine: modes, ends of lines, attributes of the user's.
const THE_SAME_EVERYWHERE: [&str; 8] =
    ["-c", "tar.umask=0022", "-c", "core.autocrlf=false", "-c", "core.eol=lf", "-c", "core.attributesFile=/dev/null"];

/// Packs the sources as they are in the commit, whatever lies in the work tree: what `git archive` has, with the attributes `export-ignore`
/// and `export-subst` of the commit. Where the project file is in a directory of the repository, that directory is packed.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The format; none of those of one file.
    #[serde(default)]
    pub format: Format,
    /// What the archive is called, without `.tar.gz`. Default: `{{ name }}-{{ version }}`.
    pub name: Option<Template<SourceNames>>,
    /// The directory in the archive that all of it lies in. Empty: none. Default: one that is called like the archive.
    pub prefix: Option<Template<SourceNames>>,
    /// Files of the work tree that go in, too, which git does not have: generated ones. Each as a text, or as a table.
    #[serde(default)]
    pub files: Vec<File<SourceNames>>,
}

/// The names of an archive of sources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceNames {
    /// `tar.gz`.
    pub format: String,
}

/// What is packed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Params {
    format: Format,
    /// The directory that all of it lies in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    directory: Option<String>,
    commit: String,
    stamp: Stamp,
    files: Vec<Files>,
}

impl Names for SourceNames {
    const NAMES: &'static [&'static str] = &["format"];
}

impl Pipe for Source {
    const NAME: &'static str = "source";
    const SUMMARY: &'static str = "an archive of the commit's tree";
    type Settings = Settings;
    type Params = Params;

    fn makes() -> Vec<KindInfo> {
        vec![kind::<Packed>()]
    }

    fn takes(_: &Settings) -> Result<Wants, Vec<Problem>> {
        Ok(Wants::default())
    }

    fn plan(settings: &Settings, given: &Given<'_>) -> Result<Vec<Step>, Vec<Problem>> {
        let Asked { name, directory, files: (files, reads) } = Asked::of(settings, given)?;
        let (facts, format) = (given.facts, settings.format);
        let detail = Packed { format: format.name().to_owned(), binaries: Vec::new(), directory: directory.clone() };
        let stamp = Stamp::of_root(facts.commit_timestamp);
        let params = Params { format, directory, commit: facts.commit.clone(), stamp, files };
        Ok(vec![Step {
            makes: vec![Output {
                name: format!("{name}{}", format.ending()),
                kind: Packed::NAME.to_owned(),
                platform: None,
                detail: serde_json::to_value(detail).unwrap_or_default(),
            }],
            reads,
            tools: vec![Tool { program: "git".to_owned(), version: vec!["--version".to_owned()] }],
            params: serde_json::to_value(params).unwrap_or_default(),
            ..Step::default()
        }])
    }

    fn run(params: &Params, step: &Step, host: &dyn Host) -> Result<(), Failure> {
        let output = step.makes.first().ok_or_else(|| Failure::bug("the step makes nothing"))?;
        let mut entries = params.tree(host)?;
        for files in &params.files {
            entries.extend(files.find(host.root())?);
        }
        archive::pack(entries, params.directory.as_deref(), params.format, output, host)
    }
}

/// What a table asks for, with its templates rendered.
struct Asked {
    name: String,
    directory: Option<String>,
    files: (Vec<Files>, Vec<Read>),
}

impl Asked {
    fn of(settings: &Settings, given: &Given<'_>) -> Result<Asked, Vec<Problem>> {
        let mut problems = mistakes(settings.format, &given.facts.commit);
        let names = SourceNames { format: settings.format.name().to_owned() };
        let render = |key: &str, template: &Template<SourceNames>| given.render(key, template, &names);
        let name = render("name", settings.name.as_ref().unwrap_or(&Template::new(NAME)));
        let name = name.and_then(|name| naming::check("name", &name).map(|()| name));
        let prefix = match (&settings.prefix, &name) {
            (Some(prefix), _) => {
                render("prefix", prefix).and_then(|it| naming::inside("prefix", &it, "archive").map(|()| it))
            }
            (None, Ok(name)) => Ok(name.clone()),
            (None, Err(_)) => Ok(String::new()),
        };
        let files = resolve_all(&settings.files, given.facts.commit_timestamp, &render);
        match (name, prefix, files) {
            (Ok(name), Ok(prefix), Ok(files)) if problems.is_empty() => {
                let directory = Some(prefix.trim_end_matches('/').to_owned()).filter(|it| !it.is_empty());
                Ok(Asked { name, directory, files })
            }
            (name, prefix, files) => {
                problems.extend(name.err().into_iter().chain(prefix.err()));
                problems.extend(files.err().into_iter().flatten());
                Err(problems)
            }
        }
    }
}

fn mistakes(format: Format, commit: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    if format.container() == Container::None {
        let problem = Problem::at_key("format", format!("`{}` is of one file, and sources are many", format.name()));
        problems.push(problem.help("write `tar.gz`, `tar.xz`, `tar.zst`, `tar` or `zip`"));
    }
    if commit.is_empty() {
        let problem = Problem::at_key("", "there is no commit whose sources could be packed");
        problems.push(problem.help("the project must be in a git repository, and something committed"));
    }
    problems
}

impl Params {
    /// What is in the commit.
    fn tree(&self, host: &dyn Host) -> Result<Vec<Entry>, Failure> {
        let tar = host.dir().join("tree.tar");
        let argv = ["git"].into_iter().chain(THE_SAME_EVERYWHERE).chain(["archive", "--format=tar", "--output"]);
        let argv = argv.map(str::to_owned).chain([tar.display().to_string(), self.commit.clone()]);
        let exit = host.exec(&Command::new(argv).in_dir(host.root()))?;
        if !exit.is_success() {
            let message = format!("git can't pack what is in {}", &self.commit);
            return Err(Failure::tool(message)
                .cause(exit.stderr.trim().to_owned())
                .help("only what is committed goes into it: the directory of the project file must be in the commit"));
        }
        self.entries(&tar).map_err(|error| Failure::file("read", &tar, &error))
    }

    fn entries(&self, tar: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in Tar::new(OpenFile::open(tar)?).entries_with_seek()? {
            let entry = entry?;
            let path = String::from_utf8_lossy(&entry.path_bytes()).trim_end_matches('/').to_owned();
            let link = || entry.link_name_bytes().map(|it| String::from_utf8_lossy(&it).into_owned());
            let content = match entry.header().entry_type() {
                EntryType::Directory => Content::Directory,
                EntryType::Symlink => Content::Link(link().unwrap_or_default()),
                EntryType::Regular => {
                    Content::Part { file: tar.to_owned(), offset: entry.raw_file_position(), size: entry.size() }
                }
                // The commit, for `git get-tar-commit-id`.
                _ => continue,
            };
            let (mode, from) = (entry.header().mode()? & 0o777, path.clone());
            entries.push(Entry { path, mode, stamp: self.stamp.clone(), content, from });
        }
        Ok(entries)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use expect_test::{Expect, expect};
    use forge_plugin::testing::{FakeHost, plan_table, really_run, run_step, sample_facts};
    use serde_json::{Value, json};

    use super::*;

    /// A repository with a commit, and with a work tree that has gone on.
    fn host() -> (FakeHost, String) {
        let host = FakeHost::new().on_exec(really_run).with_source("generated.rs", "generated");
        let git = |arguments: &[&str]| {
            let identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "core.autocrlf=true"];
            let argv = [&["git"][..], &identity, arguments].concat();
            let exit = really_run(&Command::new(argv).in_dir(host.root()));
            assert!(exit.is_success(), "{}", exit.stderr);
            exit.stdout.trim().to_owned()
        };
        let write = |path: &str, text: &str| fs::write(host.root().join(path), text).unwrap();
        fs::create_dir(host.root().join("src")).unwrap();
        write("src/main.rs", "fn main() {}\n");
        write("src/secret.rs", "");
        write(".gitattributes", "secret.rs export-ignore\n");
        std::os::unix::fs::symlink("src/main.rs", host.root().join("main.rs")).unwrap();
        git(&["init", "--quiet"]);
        git(&["add", "src", "main.rs", ".gitattributes"]);
        git(&["commit", "--quiet", "--message=all"]);
        git(&["config", "core.autocrlf", "true"]);
        write("src/main.rs", "changed");
        write("src/new.rs", "new");
        let commit = git(&["rev-parse", "HEAD"]);
        (host, commit)
    }

    fn check(settings: &Value, expect: &Expect) {
        let (mut host, commit) = host();
        let facts = forge_plugin::schemas::Facts { commit, ..sample_facts() };
        let text = match plan_table::<Source>(settings, &facts, &[], &[]) {
            Err(problems) => problems.into_iter().map(|it| format!("{:?}: {}\n", it.place, it.message)).collect(),
            Ok(steps) => match run_step::<Source>(&steps[0], &mut host) {
                Ok(made) => format!("{} {}\n{}", made[0].name, made[0].detail, list(&made[0].path)),
                Err(failure) => format!("{}\n", failure.message),
            },
        };
        expect.assert_eq(&text);
    }

    fn list(tar: &Path) -> String {
        let line = |entry: io::Result<tar::Entry<'_, OpenFile>>| {
            let entry = entry.unwrap();
            let (mode, mtime) = (entry.header().mode().unwrap(), entry.header().mtime().unwrap());
            format!("{mode:o} {mtime} {} {}\n", entry.size(), entry.path().unwrap().display())
        };
        Tar::new(OpenFile::open(tar).unwrap()).entries().unwrap().map(line).collect()
    }

    #[test]
    fn what_is_in_the_commit() {
        check(
            &json!({ "format": "tar" }),
            &expect![[r#"
            hello-1.2.3.tar {"directory":"hello-1.2.3","format":"tar"}
            644 1767323045 24 hello-1.2.3/.gitattributes
            777 1767323045 0 hello-1.2.3/main.rs
            755 1767323045 0 hello-1.2.3/src/
            644 1767323045 13 hello-1.2.3/src/main.rs
        "#]],
        );
        check(
            &json!({ "format": "tar", "name": "src-{{ version }}", "prefix": "", "files": [{ "src": "*.rs", "dst": "more" }] }),
            &expect![[r#"
                src-1.2.3.tar {"format":"tar"}
                644 1767323045 24 .gitattributes
                777 1767323045 0 main.rs
                644 1767323045 9 more/generated.rs
                644 1767323045 7 more/main.rs
                755 1767323045 0 src/
                644 1767323045 13 src/main.rs
            "#]],
        );
        check(
            &json!({ "format": "tar", "files": [{ "src": "generated.rs", "dst": "src/main.rs" }] }),
            &expect![[r#"
            `src/main.rs` and `generated.rs` would both be `hello-1.2.3/src/main.rs` in the archive
        "#]],
        );
    }

    #[test]
    fn mistakes() {
        check(
            &json!({ "format": "gz", "name": "a/b", "prefix": "/x", "files": ["../x"] }),
            &expect![[r#"
            Key("format"): `gz` is of one file, and sources are many
            Key("name"): `a/b` can't be the name of a file
            Key("prefix"): `/x` leads out of the archive
            Key("files[0]"): `../x` leads out of the project
        "#]],
        );
    }
}
