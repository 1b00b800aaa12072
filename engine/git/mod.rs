//! The facts of a project, by asking git: three processes, side by side.
//! Does not know the project file; only the project's name is given.

mod version;

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use forge_schemas::Facts;
use semver::Version;

use crate::diagnostic::{Diagnostic, list};
use version::{newest, parse, zero};

/// What git says of a directory. Total: what git can not say is in `missing`.
#[derive(Debug, Clone, Default)]
pub struct Repository {
    /// The commit that is checked out.
    pub commit: Option<Commit>,
    /// The last tag before the commit, or at it, that looks like a version.
    pub last_tag: Option<String>,
    /// The branch that is checked out; empty for a detached head.
    pub branch: String,
    /// The URL of the remote `origin`, without user and password; empty where there is none.
    pub url: String,
    /// What differs from the commit, relative to the repository.
    pub changed: Vec<String>,
    /// Whether the history was cut off, as CI services do.
    pub shallow: bool,
    /// Why there is no commit.
    pub missing: Option<Missing>,
}

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Commit {
    /// In full.
    pub id: String,
    /// When it was made, in seconds since 1970: the committer's date.
    pub timestamp: i64,
    /// The tags at it, sorted.
    pub tags: Vec<String>,
}

/// Why git knows no commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// There is no program `git`.
    Git,
    /// The directory is in no repository.
    Repository,
    /// Nothing has been committed yet.
    Commits,
    /// git says no, in these words.
    Words(String),
}

/// What the facts are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A run that publishes nothing: whatever git says will do.
    Snapshot,
    /// A run for the world: a clean tree at a tag that is a version.
    Release,
}

/// A question to git, which works at it in processes of its own.
#[must_use]
pub struct Asked<'a> {
    directory: &'a Path,
    /// What tells of the tree, of the commit, and of the remote; none where there is no repository.
    running: Option<[io::Result<Child>; 3]>,
}

/// Asks git about `directory`.
pub fn ask(directory: &Path) -> Asked<'_> {
    let ask = || [start(directory, STATUS), start(directory, LOG), start(directory, REMOTE)];
    Asked { directory, running: may_be_repository(directory).then(ask) }
}

impl Asked<'_> {
    /// Waits for the answer.
    pub fn answer(self) -> Repository {
        let Some([status, log, remote]) = self.running else { return Repository::default() };
        let (status, log) = match (finish(status), finish(log)) {
            (Ok(status), Ok(log)) => (status, log),
            (Err(missing), Ok(_) | Err(_)) | (Ok(_), Err(missing)) => {
                return Repository { missing: Some(missing), ..Repository::default() };
            }
        };
        let url = finish(remote).map(|url| without_password(url.trim())).unwrap_or_default();
        let mut repository = Repository { url, ..Repository::default() };
        read_status(&status, &prefix(self.directory), &mut repository);
        read_log(&log, &mut repository);
        if repository.last_tag.is_none() {
            repository.shallow = finish(start(self.directory, SHALLOW)).is_ok_and(|answer| answer.trim() == "true");
        }
        repository
    }
}

/// The facts, and what stands in the way of a release; of a snapshot nothing does.
pub fn facts(name: &str, repository: &Repository, mode: Mode) -> (Facts, Vec<Diagnostic>) {
    match mode {
        Mode::Snapshot => (snapshot(name, repository), Vec::new()),
        Mode::Release => release(name, repository),
    }
}

const STATUS: &[&str] =
    &["status", "--porcelain=v2", "--branch", "-z", "--untracked-files=normal", "--no-renames", "--no-ahead-behind"];

/// One commit: its id, its time, the tags at it, and the nearest tag that looks like a version.
const LOG: &[&str] = &[
    "log",
    "-1",
    "--no-show-signature",
    "--decorate=full",
    "--decorate-refs=refs/tags/*",
    "--format=%H%x00%ct%x00%D%x00%(describe:tags=true,abbrev=0,match=v[0-9]*,match=[0-9]*)",
    "HEAD",
    "--",
];

/// Says nothing, and fails, where there is none.
const REMOTE: &[&str] = &["config", "--get", "remote.origin.url"];

const SHALLOW: &[&str] = &["rev-parse", "--is-shallow-repository"];

// Where git would find nothing, it need not be started: that takes longer than all else that is found out here.
fn may_be_repository(directory: &Path) -> bool {
    std::env::var_os("GIT_DIR").is_some() || directory.ancestors().any(|it| it.join(".git").exists())
}

fn start<S: AsRef<OsStr>>(directory: &Path, arguments: &[S]) -> io::Result<Child> {
    Command::new("git")
        .current_dir(directory)
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("LC_ALL", "C")
        .args(["-c", "core.fsmonitor=", "-c", "core.quotePath=false", "-c", "log.showSignature=false"])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

fn finish(child: io::Result<Child>) -> Result<String, Missing> {
    let output = child.and_then(Child::wait_with_output).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Missing::Git,
        _ => Missing::Words(error.to_string()),
    })?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(missing(&output)),
    }
}

fn missing(output: &Output) -> Missing {
    let words = String::from_utf8_lossy(&output.stderr);
    match words.as_ref() {
        it if it.contains("not a git repository") => Missing::Repository,
        it if it.contains("bad revision 'HEAD'") || it.contains("unknown revision") => Missing::Commits,
        it if it.contains("does not have any commits") => Missing::Commits,
        it => Missing::Words(it.lines().next().unwrap_or_default().trim_start_matches("fatal: ").to_owned()),
    }
}

/// The directory within its repository: empty, or `a/b/`.
fn prefix(directory: &Path) -> String {
    let Ok(directory) = fs::canonicalize(directory) else { return String::new() };
    let top = directory.ancestors().find(|ancestor| ancestor.join(".git").exists());
    match top.and_then(|top| directory.strip_prefix(top).ok()) {
        Some(inside) if !inside.as_os_str().is_empty() => format!("{}/", inside.to_string_lossy()),
        _ => String::new(),
    }
}

/// A URL as everyone may see it: services for CI clone with a token in it. The user of ssh is part of the address.
fn without_password(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme @ ("http" | "https"), rest)) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = authority.rsplit('@').next().unwrap_or(authority);
            format!("{scheme}://{host}{path}")
        }
        _ => url.to_owned(),
    }
}

/// git-status(1), "Porcelain Format Version 2".
fn read_status(text: &str, prefix: &str, repository: &mut Repository) {
    // What forge itself writes does not make a tree dirty.
    let own = [format!("{prefix}.forge/"), format!("{prefix}dist/")];
    for record in text.split('\0') {
        if let Some(branch) = record.strip_prefix("# branch.head ") {
            repository.branch = if branch == "(detached)" { String::new() } else { branch.to_owned() };
            continue;
        }
        // The path is the last field; how many stand before it depends on the record.
        let fields = match record.chars().next() {
            Some('?') => 2,
            Some('1') => 9,
            Some('2') => 10,
            Some('u') => 11,
            _ => continue,
        };
        let Some(path) = record.splitn(fields, ' ').nth(fields - 1) else { continue };
        if !(record.starts_with('?') && own.iter().any(|own| path.starts_with(own.as_str()))) {
            repository.changed.push(path.to_owned());
        }
    }
    // A file that is removed from the index and still there stands twice.
    repository.changed.sort_unstable();
    repository.changed.dedup();
}

fn read_log(text: &str, repository: &mut Repository) {
    let mut fields = text.trim_end_matches('\n').split('\0');
    let mut next = || fields.next().unwrap_or_default();
    let (id, timestamp, names, last_tag) = (next(), next(), next(), next());
    let names = names.split(", ").filter_map(|name| name.strip_prefix("tag: refs/tags/"));
    let mut tags: Vec<String> = names.map(str::to_owned).collect();
    tags.sort_unstable();
    repository.commit = Some(Commit { id: id.to_owned(), timestamp: timestamp.parse().unwrap_or(0), tags });
    // A git before 2.35 gives the format back as it stands.
    let last_tag = Some(last_tag).filter(|tag| !tag.is_empty() && !tag.starts_with("%("));
    repository.last_tag = last_tag.map(str::to_owned);
}

fn snapshot(name: &str, repository: &Repository) -> Facts {
    let at_commit = repository.commit.as_ref().and_then(|commit| newest(&commit.tags));
    let before = repository.last_tag.as_deref().and_then(|tag| Some((tag, parse(tag).ok()?)));
    let (tag, version) = at_commit.or(before).unwrap_or(("", zero()));
    let mut facts = plain_facts(name, repository, tag, &version);
    facts.snapshot = true;
    let commit = if facts.short_commit.is_empty() { "none" } else { &facts.short_commit };
    let before = Version { build: semver::BuildMetadata::EMPTY, ..version };
    facts.version = format!("{before}-SNAPSHOT-{commit}");
    facts
}

fn release(name: &str, repository: &Repository) -> (Facts, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let (tag, version) = match &repository.commit {
        None => {
            diagnostics.push(no_commit(repository.missing.as_ref()));
            ("", zero())
        }
        Some(commit) => newest(&commit.tags).unwrap_or_else(|| {
            diagnostics.push(no_version(commit, repository));
            ("", zero())
        }),
    };
    if !repository.changed.is_empty() {
        diagnostics.push(dirty(&repository.changed));
    }
    (plain_facts(name, repository, tag, &version), diagnostics)
}

fn plain_facts(name: &str, repository: &Repository, tag: &str, version: &Version) -> Facts {
    let commit = repository.commit.clone().unwrap_or_default();
    Facts {
        name: name.to_owned(),
        version: version.to_string(),
        major: version.major,
        minor: version.minor,
        patch: version.patch,
        prerelease: version.pre.to_string(),
        tag: tag.to_owned(),
        short_commit: commit.id.get(..7).unwrap_or_default().to_owned(),
        commit: commit.id,
        commit_time: jiff::Timestamp::from_second(commit.timestamp).unwrap_or_default().to_string(),
        commit_timestamp: commit.timestamp,
        git_url: repository.url.clone(),
        branch: repository.branch.clone(),
        dirty: !repository.changed.is_empty(),
        snapshot: false,
    }
}

const OR_SNAPSHOT: &str = "or add `--snapshot` to build without publishing";

fn no_commit(missing: Option<&Missing>) -> Diagnostic {
    let (message, help) = match missing {
        Some(Missing::Git) => ("there is no `git` to ask for the version".to_owned(), "install git"),
        Some(Missing::Commits) => ("nothing is committed yet".to_owned(), "commit, then tag: `git tag v0.1.0`"),
        Some(Missing::Words(words)) => (format!("git does not say the version: {words}"), "run `git status` here"),
        Some(Missing::Repository) | None => {
            ("this directory is in no git repository".to_owned(), "run `git init`, commit, then `git tag v0.1.0`")
        }
    };
    Diagnostic::error(message).help(format!("{help}, {OR_SNAPSHOT}"))
}

/// No tag at the commit is a version.
fn no_version(commit: &Commit, repository: &Repository) -> Diagnostic {
    let short = commit.id.get(..7).unwrap_or(&commit.id);
    let Some(tag) = commit.tags.first() else {
        return no_tag(short, repository);
    };
    match (commit.tags.as_slice(), parse(tag)) {
        ([_], Err(bad)) => Diagnostic::error(format!("the tag `{tag}` is not a version: {}", bad.what))
            .help(format!("tag this commit `{}`, {OR_SNAPSHOT}", bad.instead)),
        (tags, _) => Diagnostic::error(format!("none of the tags of commit {short} is a version: {}", list_of(tags)))
            .help(format!("tag it with three numbers, as in `git tag v1.2.3`, {OR_SNAPSHOT}")),
    }
}

fn no_tag(short: &str, repository: &Repository) -> Diagnostic {
    let message = format!("commit {short} has no tag");
    let help = match &repository.last_tag {
        Some(tag) => format!("the last one is `{tag}`; tag this commit, as in `git tag {}`", version::after(tag)),
        None if repository.shallow => {
            "the history here is cut off, and tags may be too: `git fetch --unshallow --tags`".to_owned()
        }
        None => "tag it, as in `git tag v0.1.0`".to_owned(),
    };
    Diagnostic::error(message).help(format!("{help}, {OR_SNAPSHOT}"))
}

/// How many changed files are told.
const CHANGED_SHOWN: usize = 5;

fn dirty(changed: &[String]) -> Diagnostic {
    let shown = list(changed.iter().take(CHANGED_SHOWN).map(String::as_str), ", ");
    let more = match changed.len().saturating_sub(CHANGED_SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Diagnostic::error(format!("the work tree differs from the commit: {shown}{more}"))
        .help(format!("commit or ignore what is new, or put it away by `git stash -u`, {OR_SNAPSHOT}"))
}

fn list_of(tags: &[String]) -> String {
    list(tags.iter().map(String::as_str), ", ")
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use tempfile::TempDir;

    use super::*;
    use crate::report::diagnostics::{Colour, render};

    /// A directory in which each line of `script` was done: `write PATH`, or a git command.
    fn directory(script: &str) -> TempDir {
        let directory = tempfile::tempdir().unwrap();
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            match line.strip_prefix("write ") {
                Some(path) => {
                    let path = directory.path().join(path);
                    fs::create_dir_all(path.parent().unwrap()).unwrap();
                    fs::write(path, "text\n").unwrap();
                }
                None => git(directory.path(), line),
            }
        }
        directory
    }

    fn git(directory: &Path, arguments: &str) {
        let mut command = Command::new("git");
        for role in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{role}_NAME"), "A").env(format!("GIT_{role}_EMAIL"), "a@example.org");
            command.env(format!("GIT_{role}_DATE"), "2024-05-01T14:00:00+0200");
        }
        let command = command.current_dir(directory).env("GIT_CONFIG_GLOBAL", "/dev/null");
        let output = command.args(arguments.split(' ')).output().unwrap();
        assert!(output.status.success(), "git {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn check_in(directory: &Path, mode: Mode, expect: Expect) {
        let (facts, diagnostics) = facts("hello", &ask(directory).answer(), mode);
        let Facts { version, tag, short_commit, commit_time, branch, dirty, .. } = facts;
        let mut actual = format!("{version} tag={tag} {short_commit} {commit_time} branch={branch} dirty={dirty}\n");
        actual.push_str(&render(&diagnostics, Colour::Plain));
        expect.assert_eq(&actual);
    }

    fn check(script: &str, snapshot: Expect, release: Expect) {
        let directory = directory(script);
        check_in(directory.path(), Mode::Snapshot, snapshot);
        check_in(directory.path(), Mode::Release, release);
    }

    #[test]
    fn the_remote_without_a_password() {
        let check = |url: &str, expect: &str| {
            let directory = directory(&format!("{COMMITTED}\nremote add origin {url}"));
            assert_eq!(facts("hello", &ask(directory.path()).answer(), Mode::Snapshot).0.git_url, expect);
        };
        check("https://user:secret@example.org/acme/hello.git", "https://example.org/acme/hello.git");
        check("http://token@example.org", "http://example.org");
        check("https://example.org/a@b", "https://example.org/a@b");
        check("git@example.org:acme/hello.git", "git@example.org:acme/hello.git");
        check("ssh://git@example.org/acme/hello.git", "ssh://git@example.org/acme/hello.git");
    }

    const COMMITTED: &str = "init -q -b main\nwrite a\nadd .\ncommit -q -m one\n";

    #[test]
    fn no_repository() {
        check(
            "",
            expect![[r#"
            0.0.0-SNAPSHOT-none tag=  1970-01-01T00:00:00Z branch= dirty=false
        "#]],
            expect![[r#"
            0.0.0 tag=  1970-01-01T00:00:00Z branch= dirty=false
            error: this directory is in no git repository
             |
             = help: run `git init`, commit, then `git tag v0.1.0`, or add `--snapshot` to build without publishing

        "#]],
        );
        check(
            "init -q -b main",
            expect![[r#"
            0.0.0-SNAPSHOT-none tag=  1970-01-01T00:00:00Z branch= dirty=false
        "#]],
            expect![[r#"
            0.0.0 tag=  1970-01-01T00:00:00Z branch= dirty=false
            error: nothing is committed yet
             |
             = help: commit, then tag: `git tag v0.1.0`, or add `--snapshot` to build without publishing

        "#]],
        );
    }

    #[test]
    fn no_tag() {
        check(
            COMMITTED,
            expect![[r#"
            0.0.0-SNAPSHOT-bde466e tag= bde466e 2024-05-01T12:00:00Z branch=main dirty=false
        "#]],
            expect![[r#"
            0.0.0 tag= bde466e 2024-05-01T12:00:00Z branch=main dirty=false
            error: commit bde466e has no tag
             |
             = help: tag it, as in `git tag v0.1.0`, or add `--snapshot` to build without publishing

        "#]],
        );
        check(
            &format!("{COMMITTED}tag v1.4.0\nwrite b\nadd .\ncommit -q -m two"),
            expect![[r#"
            1.4.0-SNAPSHOT-fd57ffd tag=v1.4.0 fd57ffd 2024-05-01T12:00:00Z branch=main dirty=false
        "#]],
            expect![[r#"
            0.0.0 tag= fd57ffd 2024-05-01T12:00:00Z branch=main dirty=false
            error: commit fd57ffd has no tag
             |
             = help: the last one is `v1.4.0`; tag this commit, as in `git tag v1.4.1`, or add `--snapshot` to build without publishing

        "#]],
        );
    }

    #[test]
    fn tags() {
        check(
            &format!("{COMMITTED}tag v1.2.3"),
            expect![[r#"
            1.2.3-SNAPSHOT-bde466e tag=v1.2.3 bde466e 2024-05-01T12:00:00Z branch=main dirty=false
        "#]],
            expect![[r#"
            1.2.3 tag=v1.2.3 bde466e 2024-05-01T12:00:00Z branch=main dirty=false
        "#]],
        );
        check(
            &format!("{COMMITTED}tag -a -m x v1.9.0\ntag v1.10.0-rc.1\ntag nightly\ncheckout -q --detach"),
            expect![[r#"
                1.10.0-rc.1-SNAPSHOT-bde466e tag=v1.10.0-rc.1 bde466e 2024-05-01T12:00:00Z branch= dirty=false
            "#]],
            expect![[r#"
                1.10.0-rc.1 tag=v1.10.0-rc.1 bde466e 2024-05-01T12:00:00Z branch= dirty=false
            "#]],
        );
        check(
            &format!("{COMMITTED}tag v1.2"),
            expect![[r#"
            0.0.0-SNAPSHOT-bde466e tag= bde466e 2024-05-01T12:00:00Z branch=main dirty=false
        "#]],
            expect![[r#"
            0.0.0 tag= bde466e 2024-05-01T12:00:00Z branch=main dirty=false
            error: the tag `v1.2` is not a version: it has two numbers, a version has three
             |
             = help: tag this commit `v1.2.0`, or add `--snapshot` to build without publishing

        "#]],
        );
        check(
            &format!("{COMMITTED}tag v1.2\ntag nightly"),
            expect![[r#"
            0.0.0-SNAPSHOT-bde466e tag= bde466e 2024-05-01T12:00:00Z branch=main dirty=false
        "#]],
            expect![[r#"
            0.0.0 tag= bde466e 2024-05-01T12:00:00Z branch=main dirty=false
            error: none of the tags of commit bde466e is a version: `nightly`, `v1.2`
             |
             = help: tag it with three numbers, as in `git tag v1.2.3`, or add `--snapshot` to build without publishing

        "#]],
        );
    }

    #[test]
    fn dirty_trees() {
        let files = "write a b\nwrite c\nwrite d/e\nwrite d/f\nwrite é\nwrite g\nwrite h\nwrite dist/x\nwrite .forge/x\nrm -q --cached a";
        check(
            &format!("{COMMITTED}tag v1.0.0\n{files}"),
            expect![[r#"
            1.0.0-SNAPSHOT-bde466e tag=v1.0.0 bde466e 2024-05-01T12:00:00Z branch=main dirty=true
        "#]],
            expect![[r#"
                1.0.0 tag=v1.0.0 bde466e 2024-05-01T12:00:00Z branch=main dirty=true
                error: the work tree differs from the commit: `a`, `a b`, `c`, `d/`, `g` and 2 more
                 |
                 = help: commit or ignore what is new, or put it away by `git stash -u`, or add `--snapshot` to build without publishing

            "#]],
        );
        check(
            &format!("{COMMITTED}tag v1.0.0\nwrite dist/x\nwrite .forge/y/z"),
            expect![[r#"
            1.0.0-SNAPSHOT-bde466e tag=v1.0.0 bde466e 2024-05-01T12:00:00Z branch=main dirty=false
        "#]],
            expect![[r#"
            1.0.0 tag=v1.0.0 bde466e 2024-05-01T12:00:00Z branch=main dirty=false
        "#]],
        );
    }

    #[test]
    fn a_project_in_a_directory_of_its_repository() {
        let directory =
            directory("init -q -b main\nwrite sub/a\nadd .\ncommit -q -m one\ntag v1.0.0\nwrite sub/dist/x");
        check_in(
            &directory.path().join("sub"),
            Mode::Release,
            expect![[r#"
            1.0.0 tag=v1.0.0 8cc4dc3 2024-05-01T12:00:00Z branch=main dirty=false
        "#]],
        );
        check_in(
            directory.path(),
            Mode::Release,
            expect![[r#"
            1.0.0 tag=v1.0.0 8cc4dc3 2024-05-01T12:00:00Z branch=main dirty=true
            error: the work tree differs from the commit: `sub/dist/`
             |
             = help: commit or ignore what is new, or put it away by `git stash -u`, or add `--snapshot` to build without publishing

        "#]],
        );
    }

    #[test]
    fn a_history_that_is_cut_off() {
        let from = directory(&format!("{COMMITTED}tag v1.0.0\nwrite b\nadd .\ncommit -q -m two"));
        let to = tempfile::tempdir().unwrap();
        git(to.path(), &format!("clone -q --depth 1 file://{} .", from.path().display()));
        check_in(
            to.path(),
            Mode::Release,
            expect![[r#"
            0.0.0 tag= fd57ffd 2024-05-01T12:00:00Z branch=main dirty=false
            error: commit fd57ffd has no tag
             |
             = help: the history here is cut off, and tags may be too: `git fetch --unshallow --tags`, or add `--snapshot` to build without publishing

        "#]],
        );
    }
}
