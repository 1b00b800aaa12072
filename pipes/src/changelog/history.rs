//! The commits since the last release, by asking git while the step runs.
//! Does not know how they are written down.

use std::fs;

use forge_plugin::Host;
use forge_plugin::schemas::{Command, Facts, Failure};
use git_conventional::Commit as Conventional;
use semver::Version;
use serde::{Deserialize, Serialize};

use super::{CommitNames, NotesNames, Settings};

/// Which commits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// The last one; empty where there is none.
    commit: String,
    /// What is released, for links: a tag, or the commit.
    to: String,
    version: Option<String>,
    since: Option<String>,
    paths: Vec<String>,
    /// Where the repository is looked at with a browser.
    page: Option<String>,
}

/// What git has told.
#[derive(Debug)]
pub struct Found {
    /// The tag of the release before.
    pub previous_tag: Option<String>,
    /// The commits, the newest first.
    pub commits: Vec<CommitNames>,
}

impl History {
    /// That of a table.
    pub fn of(settings: &Settings, facts: &Facts) -> History {
        let page = match &settings.url {
            Some(url) => Some(url.trim_end_matches('/').to_owned()).filter(|it| !it.is_empty()),
            None => page(&facts.git_url),
        };
        History {
            commit: facts.commit.clone(),
            to: if facts.snapshot || facts.tag.is_empty() { facts.short_commit.clone() } else { facts.tag.clone() },
            version: (!facts.snapshot).then(|| facts.version.clone()),
            since: settings.since.clone(),
            paths: settings.paths.clone(),
            page,
        }
    }

    /// What templates of the notes may name, when this was the release before.
    pub fn names(&self, previous_tag: Option<String>) -> NotesNames {
        let compare = self.page.as_ref().zip(previous_tag.as_ref());
        NotesNames {
            compare: compare.map(|(page, from)| format!("{page}/compare/{from}...{}", self.to)).unwrap_or_default(),
            previous_tag: previous_tag.unwrap_or_default(),
        }
    }

    /// What templates of a commit may name, as it might be.
    pub fn perhaps(&self) -> CommitNames {
        commit(["0".repeat(40).as_str(), "A", "a@example.org", "feat(x)!: y", "z"], self.page.as_deref())
    }

    /// Asks git.
    pub fn read(&self, host: &dyn Host) -> Result<Found, Failure> {
        if self.commit.is_empty() {
            return Ok(Found { previous_tag: None, commits: Vec::new() });
        }
        let previous_tag = match &self.since {
            Some(since) => Some(since.clone()),
            None => self.last_release(host)?,
        };
        let range = previous_tag.as_ref().map_or_else(|| self.commit.clone(), |it| format!("{it}..{}", self.commit));
        let list = host.dir().join("commits");
        let mut argv: Vec<String> =
            ["log", "-z", "--no-color", "--no-show-signature", "--no-decorate"].map(Into::into).into();
        argv.push("--format=format:%H%x00%an%x00%ae%x00%s%x00%b".to_owned());
        // Not by standard output: of that only so much is kept.
        argv.extend([format!("--output={}", list.display()), "--end-of-options".to_owned(), range, "--".to_owned()]);
        argv.extend(self.paths.iter().cloned());
        ask(argv, host)?;
        let text = fs::read(&list).map_err(|error| Failure::file("read", &list, &error))?;
        Ok(Found { previous_tag, commits: commits(&String::from_utf8_lossy(&text), self.page.as_deref()) })
    }

    /// The tag that is the nearest version below this one, of those that lie behind the commit.
    fn last_release(&self, host: &dyn Host) -> Result<Option<String>, Failure> {
        let list = |which: &str| {
            let argv = ["tag", which, &self.commit, "--list"];
            ask(argv.map(str::to_owned).into(), host)
        };
        let (behind, here) = (list("--merged")?, list("--points-at")?);
        let here: Vec<&str> = here.lines().collect();
        let tags: Vec<&str> = behind.lines().filter(|tag| !here.contains(tag)).collect();
        let found = nearest(&tags, self.version.as_deref()).map(str::to_owned);
        if found.is_none()
            && ask(vec!["rev-parse".to_owned(), "--is-shallow-repository".to_owned()], host)?.trim() == "true"
        {
            return Err(Failure::input("the history of this clone is cut off before the last release")
                .help("fetch all of it: `git fetch --unshallow --tags` (`fetch-depth: 0`), or say `since`"));
        }
        Ok(found)
    }
}

fn ask(argv: Vec<String>, host: &dyn Host) -> Result<String, Failure> {
    let mut all = vec!["git".to_owned(), "-c".to_owned(), "core.quotePath=false".to_owned()];
    all.extend(argv);
    host.exec_ok(&Command::new(all).in_dir(host.root())).map(|exit| exit.stdout)
}

/// Of these tags the greatest version below that; of none in particular the greatest.
fn nearest<'a>(tags: &[&'a str], version: Option<&str>) -> Option<&'a str> {
    let parse = |text: &str| Version::parse(text.strip_prefix('v').unwrap_or(text)).ok();
    let below = version.and_then(parse);
    let is_below =
        |it: &Version| below.as_ref().is_none_or(|below| it < below && (it.pre.is_empty() || !below.pre.is_empty()));
    let versions = tags.iter().filter_map(|tag| Some((parse(tag).filter(is_below)?, *tag)));
    versions.max().map(|(_, tag)| tag)
}

/// Five fields a commit, all of them ended by a NUL, which no message can have.
fn commits(text: &str, page: Option<&str>) -> Vec<CommitNames> {
    let fields: Vec<&str> = text.split('\0').collect();
    fields.as_chunks().0.iter().map(|fields| commit(*fields, page)).collect()
}

fn commit([id, author, email, subject, body]: [&str; 5], page: Option<&str>) -> CommitNames {
    let id = id.trim();
    let whole = format!("{subject}\n\n{}", body.trim());
    let conventional = Conventional::parse(whole.trim()).ok();
    let of = |part: fn(&Conventional<'_>) -> String| conventional.as_ref().map(part).unwrap_or_default();
    CommitNames {
        commit: id.to_owned(),
        short_commit: id.get(..7).unwrap_or(id).to_owned(),
        subject: subject.to_owned(),
        body: body.trim().to_owned(),
        author: author.to_owned(),
        email: email.to_owned(),
        r#type: of(|it| it.type_().to_string()),
        scope: of(|it| it.scope().map(|it| it.to_string()).unwrap_or_default()),
        description: conventional.as_ref().map_or(subject, |it| it.description()).to_owned(),
        breaking: conventional.as_ref().is_some_and(Conventional::breaking),
        link: page.map(|page| format!("{page}/commit/{id}")).unwrap_or_default(),
    }
}

/// Where a browser finds what git clones from there. GitHub, GitLab, Gitea and their like have it under the same path.
pub(crate) fn page(git_url: &str) -> Option<String> {
    let path = match git_url.split_once("://") {
        Some(("https" | "http" | "ssh" | "git", rest)) => {
            rest.rsplit_once('@').map_or(rest, |(_, host)| host).to_owned()
        }
        Some(_) => return None,
        None => git_url.split_once('@')?.1.replacen(':', "/", 1),
    };
    let path = path.trim_end_matches('/').trim_end_matches(".git");
    path.contains('/').then(|| format!("https://{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_version_below() {
        let tags = ["v1.0.0", "v1.1.0-rc.1", "v1.1.0-rc.2", "1.0.1", "nightly", "v2.0.0", "v1.10.0"];
        let check = |version: Option<&str>, expect: Option<&str>| assert_eq!(nearest(&tags, version), expect);
        check(Some("1.1.0"), Some("1.0.1"));
        check(Some("1.1.0-rc.3"), Some("v1.1.0-rc.2"));
        check(Some("1.11.0"), Some("v1.10.0"));
        check(Some("1.0.0"), None);
        check(None, Some("v2.0.0"));
    }

    #[test]
    fn where_a_browser_finds_it() {
        let check = |url: &str, expect: Option<&str>| assert_eq!(page(url).as_deref(), expect, "{url}");
        check("https://github.com/acme/hello.git", Some("https://github.com/acme/hello"));
        check("git@github.com:acme/hello.git", Some("https://github.com/acme/hello"));
        check("ssh://git@example.org/acme/hello/", Some("https://example.org/acme/hello"));
        check("/home/me/hello", None);
        check("file:///tmp/hello", None);
        check("", None);
    }
}
