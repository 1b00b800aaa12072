//! Gitea itself, for one test, on a free loopback port: a user, a token, and what it keeps of both.
//! Does not know what is released there.

use std::fs;
use std::path::Path;
use std::process::{Child, Command};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::program::output;
use super::project::Project;
use super::served::serve;

/// Who may write.
pub const USER: &str = "acme";

/// The server; it ends with its owner.
pub struct Gitea {
    child: Child,
    address: String,
    token: String,
    _directory: TempDir,
}

const SETTINGS: &str = "
RUN_MODE = prod
WORK_PATH = {dir}
I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true
[server]
STATIC_ROOT_PATH = {shown}
HTTP_ADDR = {host}
HTTP_PORT = {port}
ROOT_URL = http://{host}:{port}/
DISABLE_SSH = true
OFFLINE_MODE = true
[database]
DB_TYPE = sqlite3
PATH = {dir}/gitea.db
SQLITE_JOURNAL_MODE = WAL
[security]
INSTALL_LOCK = true
SECRET_KEY = of-the-tests
[repository]
ENABLE_PUSH_CREATE_USER = true
DEFAULT_PRIVATE = public
[indexer]
ISSUE_INDEXER_TYPE = db
[log]
MODE = file
LEVEL = warn
";

impl Gitea {
    /// Starts one. `program` is the directory that has the executable, and what it shows.
    pub fn start(program: &Path) -> Gitea {
        let directory = tempfile::Builder::new().prefix("forge-test-gitea-").tempdir().expect("a temporary directory");
        let place = directory.path().to_owned();
        let gitea = |words: &[&str]| {
            let mut gitea = Command::new(program.join("gitea"));
            gitea.args(words).arg("--config").arg(place.join("app.ini"));
            gitea
        };
        write_settings(&place, program, "127.0.0.1:0");
        output(&mut gitea(&["migrate"]));
        let user = ["admin", "user", "create", "--admin", "--username", USER, "--email", "acme@example.org"];
        let made = output(&mut gitea(
            &[&user[..], &["--random-password", "--must-change-password=false", "--access-token"]].concat(),
        ));
        let token = made.split("token was successfully created... ").nth(1).and_then(|it| it.split_whitespace().next());
        let token = token.unwrap_or_else(|| panic!("no token: {made}")).to_owned();
        let (child, address) = serve(|address| {
            write_settings(&place, program, address);
            gitea(&["web"])
        });
        Gitea { child, address, token, _directory: directory }
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What its user writes with.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Brings a project's commits and tags to a repository, which is made.
    pub fn has(&self, project: &Project, repository: &str) {
        let remote = format!("http://{USER}:{}@{}/{repository}.git", self.token, self.address);
        let mut git = Command::new("git");
        output(git.arg("-C").arg(project.root()).args(["push", "--quiet", &remote, "main", "--tags"]));
        // It looks at what was pushed when it has the time, and lets nobody release what is empty.
        while self.says(&format!("repos/{repository}"))["empty"] == true {
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// What its API answers.
    pub fn says(&self, path: &str) -> Value {
        let bytes = self.get(&format!("/api/v1/{path}"));
        serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// What lies at a path, as a browser gets it.
    pub fn get(&self, path: &str) -> Vec<u8> {
        const GET: &str = "import sys, urllib.request as it\n\
                           asked = it.Request(sys.argv[1], headers={'Authorization': 'token ' + sys.argv[2]})\n\
                           sys.stdout.buffer.write(it.urlopen(asked).read())";
        let mut python = Command::new("python3");
        let got = python.args(["-c", GET, &format!("http://{}{path}", self.address), &self.token]).output();
        let got = got.expect("python3 starts");
        assert!(got.status.success(), "{path}: {}", String::from_utf8_lossy(&got.stderr));
        got.stdout
    }
}

impl Drop for Gitea {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn write_settings(place: &Path, program: &Path, address: &str) {
    let (host, port) = address.split_once(':').expect("host and port");
    let program = program.canonicalize().expect("a directory");
    let values = [("dir", place.to_str()), ("shown", program.to_str()), ("host", Some(host)), ("port", Some(port))];
    let text = values.iter().fold(SETTINGS.to_owned(), |text, (name, value)| {
        text.replace(&format!("{{{name}}}"), value.expect("a path is text"))
    });
    fs::write(place.join("app.ini"), text).expect("a file");
}
