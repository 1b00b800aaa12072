//! A project in a directory of its own, with a git repository and a home directory.
//! Does not know what the project is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::forge::{self, Ended};
use super::program::output;

/// The project; it goes away with its owner.
pub struct Project {
    place: TempDir,
    env: Vec<(String, String)>,
}

impl Project {
    /// One with no files but a project file.
    pub fn of_text(text: &str) -> Project {
        let project = Project::new();
        project.write("forge.toml", text);
        project
    }

    /// A copy of a directory.
    pub fn copy(directory: &Path) -> Project {
        let project = Project::new();
        output(Command::new("cp").args(["-r", "--"]).arg(directory.join(".")).arg(project.root()));
        // Sources that a package manager keeps are not there to be changed.
        output(Command::new("chmod").args(["-R", "u+w"]).arg(project.root()));
        project
    }

    /// A copy of `examples/NAME`, without what was built there.
    pub fn example(name: &str) -> Project {
        let project = Project::copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name));
        for made in ["target", "dist", ".forge"] {
            let _ = fs::remove_dir_all(project.root().join(made));
        }
        project
    }

    fn new() -> Project {
        let place = tempfile::Builder::new().prefix("forge-test-").tempdir().expect("a temporary directory");
        for directory in ["project", "home"] {
            fs::create_dir(place.path().join(directory)).expect("an empty directory");
        }
        Project { place, env: Vec::new() }
    }

    /// Sets a variable of every run.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Project {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Where it lies.
    pub fn root(&self) -> PathBuf {
        self.place.path().join("project")
    }

    /// Its user's home directory.
    pub fn home(&self) -> PathBuf {
        self.place.path().join("home")
    }

    /// The directory that has both in it.
    pub fn place(&self) -> &Path {
        self.place.path()
    }

    /// Writes a file of it.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().expect("a file is in a directory")).expect("a directory can be made");
        fs::write(&path, text).expect("a file can be written");
    }

    /// Reads a JSON file of it.
    pub fn json(&self, path: &str) -> Value {
        let bytes = fs::read(self.root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Commits all of it and tags the commit. The same files are the same commit.
    #[must_use]
    pub fn tagged(self, tag: &str) -> Project {
        self.git(&["init", "--quiet", "--initial-branch=main"]);
        self.git(&["add", "--all", "--force"]);
        self.git(&["commit", "--quiet", "--message=All of it"]);
        self.git(&["tag", tag]);
        self
    }

    /// Commits what has changed since, and tags that commit.
    pub fn retag(&self, tag: &str) {
        self.git(&["commit", "--quiet", "--all", "--message=More of it"]);
        self.git(&["tag", tag]);
    }

    /// Lets git do this in it, always as the same person at the same time.
    pub fn git(&self, arguments: &[&str]) {
        let mut git = Command::new("git");
        git.arg("-C").arg(self.root()).args(arguments).env("HOME", self.home()).env("GIT_CONFIG_NOSYSTEM", "1");
        for who in ["AUTHOR", "COMMITTER"] {
            git.env(format!("GIT_{who}_NAME"), "Ada").env(format!("GIT_{who}_EMAIL"), "ada@example.org");
            git.env(format!("GIT_{who}_DATE"), "2024-05-06T07:08:09Z");
        }
        output(&mut git);
    }

    /// A command of forge in it.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = forge::command(&forge::executable(), &self.root(), &self.home());
        command.args(arguments).envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs forge in it, to its end.
    pub fn forge(&self, arguments: &[&str]) -> Ended {
        Ended::of(&mut self.command(arguments))
    }

    /// Kind, name, platform and digest of every artifact, as `dist/artifacts.json` lists them.
    pub fn digests(&self) -> Vec<String> {
        let lists = self.json("dist/artifacts.json");
        let artifacts = lists["artifacts"].as_array().expect("a list of artifacts");
        let line = |it: &Value| format!("{} {} {} {}", it["kind"], it["name"], it["platform"], it["digest"]);
        artifacts.iter().map(|it| line(it).replace('"', "")).collect()
    }
}
