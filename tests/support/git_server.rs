//! Bare git repositories, and a git server over HTTP that wants a password.
//! Does not know who pushes.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::program::output;

/// A bare repository in a directory of its own, with a first commit.
pub struct Bare {
    place: TempDir,
}

/// A server of such a repository; it goes away with its owner.
pub struct GitServer {
    child: Child,
    port: String,
}

impl Bare {
    /// One with a file `README` on `main`.
    pub fn new() -> Bare {
        let bare = Bare { place: tempfile::tempdir().expect("a temporary directory") };
        output(Command::new("git").args(["init", "--quiet", "--bare", "--initial-branch=main"]).arg(bare.path()));
        // Over HTTP, git takes pushes where this is said.
        bare.git(&["config", "http.receivepack", "true"]);
        bare.commit("README", "what is here\n");
        bare
    }

    /// Where it lies: its name is `tap.git`.
    pub fn path(&self) -> PathBuf {
        self.place.path().join("tap.git")
    }

    /// The directory that it lies in.
    pub fn parent(&self) -> &Path {
        self.place.path()
    }

    /// What git says in it.
    pub fn git(&self, arguments: &[&str]) -> String {
        output(Command::new("git").arg("-C").arg(self.path()).args(arguments))
    }

    /// Somebody else commits a file.
    pub fn commit(&self, path: &str, text: &str) {
        let work = tempfile::tempdir().expect("a temporary directory");
        let git = |words: &[&str]| {
            let author = ["-c", "user.name=Bob", "-c", "user.email=bob@example.org"];
            output(Command::new("git").arg("-C").arg(work.path()).args(author).args(words))
        };
        output(Command::new("git").args(["clone", "--quiet"]).arg(self.path()).arg(work.path()).stderr(Stdio::null()));
        git(&["checkout", "--quiet", "-B", "main"]);
        std::fs::write(work.path().join(path), text).expect("a file can be written");
        git(&["add", "--all"]);
        git(&["commit", "--quiet", "--message=of another"]);
        git(&["push", "--quiet", "origin", "main"]);
    }

    /// A hook of it: a shell script.
    pub fn hook(&self, name: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.path().join("hooks").join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a hook can be written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("a hook can be executed");
    }
}

impl GitServer {
    /// One for the repositories in a directory.
    pub fn start(directory: &Path, user: &str, password: &str) -> GitServer {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/git_http.py");
        let mut command = Command::new("python3");
        command.arg(script).arg(directory).args([user, password]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("python3 starts");
        let mut port = String::new();
        let stdout = child.stdout.take().expect("standard output is a pipe");
        BufReader::new(stdout).read_line(&mut port).expect("the server tells its port");
        GitServer { child, port: port.trim().to_owned() }
    }

    /// Where its repositories are.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for GitServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
