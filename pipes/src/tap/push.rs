//! Puts files into a git repository: a clone, a commit, a push, and a look at what is there then.
//! Does not know what the files are.

use std::fs;
use std::path::Path;

use forge_plugin::schemas::{Artifact, Command, Digest, Emit, Failure, FailureClass, Level, Problem, Step};
use forge_plugin::{Given, Host};
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;

use super::{Settings, TapFile};
use crate::table::address::{self, NoWeb};

/// Where files go, and by whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Push {
    /// The repository.
    pub repository: String,
    branch: Option<String>,
    review_branch: Option<String>,
    message: String,
    author: (String, String),
    /// Of the commit that is released, in seconds since 1970: the same files make the same commit.
    time: i64,
    /// The variable that has the token, and the name that goes with it.
    login: Option<(String, String)>,
}

/// What became of an attempt.
enum Pushed {
    /// All of it lies there, in this commit.
    There(String),
    /// Somebody was faster, or may decide it: what git says.
    Refused(String),
}

/// How often somebody else may have been faster.
const TRIES: u32 = 4;
const NOBODY: &str = "forge <forge@localhost>";

impl Push {
    /// That of a table; none where it names no repository.
    pub fn of(settings: &Settings, given: &Given<'_>, problems: &mut Vec<Problem>) -> Option<Push> {
        let Some(repository) = &settings.repository else {
            problems.extend(settings.without_repository());
            return None;
        };
        if let Some(problem) = bad_address(repository) {
            problems.push(problem);
            return None;
        }
        let facts = given.facts;
        let author = settings.author.as_deref().unwrap_or(NOBODY);
        let Some(author) = person(author) else {
            let problem = Problem::at_key("author", format!("`{author}` is no name with an address"));
            problems.push(problem.help("write it as git does: `Ada <ada@example.org>`"));
            return None;
        };
        let user = settings.user.clone().unwrap_or_else(|| "x-access-token".to_owned());
        Some(Push {
            repository: repository.clone(),
            branch: settings.branch.clone(),
            review_branch: settings.review_branch.clone(),
            message: settings.message.clone().unwrap_or_else(|| format!("{} {}", facts.name, facts.version)),
            author,
            time: facts.commit_timestamp,
            login: settings.token.as_ref().map(|token| (token.to_uppercase(), user)),
        })
    }

    /// The branch that it goes to; none for that of the repository.
    pub fn branch(&self) -> Option<&str> {
        self.review_branch.as_deref().or(self.branch.as_deref())
    }

    /// Puts the step's files there, and makes its receipt.
    pub fn run(&self, step: &Step, host: &dyn Host) -> Result<(), Failure> {
        let files: Vec<(&Artifact, String)> = host
            .inputs()
            .iter()
            .filter_map(|it| Some((it, serde_json::from_value::<TapFile>(it.detail.clone()).ok()?.path)))
            .collect();
        let mut attempt = 1;
        let commit = loop {
            match self.attempt(attempt, &files, host)? {
                Pushed::There(commit) => break commit,
                Pushed::Refused(_) if attempt < TRIES => attempt += 1,
                Pushed::Refused(said) => {
                    let message = format!("`{}` did not take the commit, {TRIES} times", self.repository);
                    return Err(Failure::new(FailureClass::Refused, message)
                        .cause(said)
                        .help("the branch may be protected: `review_branch` makes one for a pull request"));
                }
            }
        };
        self.emit(&commit, step, host)
    }

    /// One clone, and one push where the clone has not all of it.
    fn attempt(&self, attempt: u32, files: &[(&Artifact, String)], host: &dyn Host) -> Result<Pushed, Failure> {
        let clone = host.dir().join(format!("clone-{attempt}"));
        self.clone_to(&clone, host)?;
        for (artifact, path) in files {
            let to = clone.join(path);
            let written =
                fs::create_dir_all(to.parent().unwrap_or(&clone)).and_then(|()| fs::copy(&artifact.path, &to));
            written.map_err(|error| Failure::file("write", &to, &error))?;
        }
        let git = |words: &[&str]| self.git(words, &clone, host);
        let paths: Vec<&str> = files.iter().map(|(_, path)| path.as_str()).collect();
        git(&[&["add", "--force", "--"], paths.as_slice()].concat())?;
        if git(&["status", "--porcelain"])?.is_empty() {
            host.log(Level::Info, &format!("`{}` has it already", self.repository));
            return git(&["rev-parse", "HEAD"]).map(Pushed::There);
        }
        git(&["commit", "--quiet", "--no-verify", "--no-gpg-sign", "--message", &self.message])?;
        let branch = match self.branch() {
            Some(branch) => branch.to_owned(),
            None => git(&["symbolic-ref", "--short", "HEAD"])?,
        };
        let target = format!("HEAD:refs/heads/{branch}");
        let words = ["push", "--quiet", "origin", &target];
        let pushed = host.exec(&self.command(&words, &clone))?;
        let commit = git(&["rev-parse", "HEAD"])?;
        let there = git(&["ls-remote", "origin", &format!("refs/heads/{branch}")])?;
        // What counts is what is there, whatever became of the answer.
        Ok(if there.starts_with(&commit) {
            Pushed::There(commit)
        } else {
            Pushed::Refused(pushed.stderr.trim().to_owned())
        })
    }

    fn clone_to(&self, clone: &Path, host: &dyn Host) -> Result<(), Failure> {
        let place = clone.display().to_string();
        let review = self.review_branch.as_deref().filter(|it| self.is_there(it, host));
        let branch = review.or(self.branch.as_deref());
        let branch = branch.map_or_else(Vec::new, |branch| vec!["--branch", branch]);
        let words = [vec!["clone", "--quiet", "--depth", "1"], branch, vec!["--", &self.repository, &place]].concat();
        let exit = host.exec(&self.command(&words, host.dir()))?;
        if exit.is_success() {
            return Ok(());
        }
        let message = format!("`{}` can't be cloned", self.repository);
        Err(Failure::new(FailureClass::Refused, message).cause(exit.stderr.trim().to_owned()).help(
            "look at its address and branch; `token` names a secret that git logs in with, which the table's `secrets` must name, too",
        ))
    }

    fn is_there(&self, branch: &str, host: &dyn Host) -> bool {
        let name = format!("refs/heads/{branch}");
        let asked = host.exec(&self.command(&["ls-remote", "--exit-code", &self.repository, &name], host.dir()));
        asked.is_ok_and(|exit| exit.is_success())
    }

    fn git(&self, words: &[&str], clone: &Path, host: &dyn Host) -> Result<String, Failure> {
        host.exec_ok(&self.command(words, clone)).map(|exit| exit.stdout.trim().to_owned())
    }

    /// The token is in the environment, where git's helper finds it, and on no command line.
    fn command(&self, words: &[&str], dir: &Path) -> Command {
        let login = self.login.iter().flat_map(|(variable, user)| {
            let helper = format!("!f() {{ echo username={user}; echo \"password=${variable}\"; }}; f");
            ["-c".to_owned(), "credential.helper=".to_owned(), "-c".to_owned(), format!("credential.helper={helper}")]
        });
        let argv = ["git".to_owned()].into_iter().chain(login).chain(words.iter().map(|it| (*it).to_owned()));
        let time = format!("{} +0000", self.time);
        let (name, address) = &self.author;
        ["AUTHOR", "COMMITTER"].iter().fold(
            Command::new(argv).in_dir(dir).env("GIT_TERMINAL_PROMPT", "0"),
            |command, who| {
                command
                    .env(format!("GIT_{who}_NAME"), name)
                    .env(format!("GIT_{who}_EMAIL"), address)
                    .env(format!("GIT_{who}_DATE"), &time)
            },
        )
    }

    fn emit(&self, commit: &str, step: &Step, host: &dyn Host) -> Result<(), Failure> {
        let output = step.makes.first().ok_or_else(|| Failure::bug("the step makes no receipt"))?;
        let files: Vec<(&str, Digest)> = host.inputs().iter().map(|it| (it.name.as_str(), it.digest)).collect();
        let receipt =
            json!({ "repository": self.repository, "branch": self.branch(), "commit": commit, "files": files });
        let path = host.dir().join("receipt.json");
        fs::write(&path, format!("{receipt:#}\n")).map_err(|error| Failure::file("write", &path, &error))?;
        host.emit(&Emit { name: output.name.clone(), path, blobs: Vec::new(), detail: output.detail.clone() })?;
        Ok(())
    }
}

impl Settings {
    /// Keys that say how it is pushed, where it is not.
    fn without_repository(&self) -> Vec<Problem> {
        let keys = [
            ("branch", self.branch.is_some()),
            ("review_branch", self.review_branch.is_some()),
            ("message", self.message.is_some()),
            ("author", self.author.is_some()),
            ("token", self.token.is_some()),
            ("user", self.user.is_some()),
        ];
        let told = keys.iter().filter(|(_, is_there)| *is_there);
        told.map(|(key, _)| {
            Problem::at_key(*key, format!("`{key}` without `repository`"))
                .help("say where it goes: `repository = \"https://…\"`")
        })
        .collect()
    }
}

/// An address with credentials, which would stand in command lines, logs and receipts; or one of the web that is none.
fn bad_address(repository: &str) -> Option<Problem> {
    let scheme = repository.split_once("://")?.0.trim().to_lowercase();
    let is_web = ["http", "https"].contains(&scheme.as_str());
    let has_password = Url::parse(repository).is_ok_and(|url| url.password().is_some());
    match address::web(repository) {
        // Others have a user as a part of the address: `ssh://git@…`.
        Err(bad @ NoWeb::Secret) if is_web || has_password => {
            let problem = bad.problem("repository", "a git repository", "");
            Some(
                problem.help(
                    "take it out: `token` names a secret that git logs in with, `user` the name that goes with it",
                ),
            )
        }
        Err(bad) if is_web => {
            Some(bad.problem("repository", "a git repository", "https://github.com/acme/homebrew-tap.git"))
        }
        _ => None,
    }
}

/// `Ada <ada@example.org>`, in two.
fn person(text: &str) -> Option<(String, String)> {
    let (name, rest) = text.split_once('<')?;
    let address = rest.strip_suffix('>')?;
    let is_good = !name.trim().is_empty() && !address.is_empty() && !text.contains('\n');
    is_good.then(|| (name.trim().to_owned(), address.to_owned()))
}
