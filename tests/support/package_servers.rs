//! Servers of packages that others have written, each for one test, on a free loopback port.
//! Does not know what is sent to them.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use tempfile::TempDir;

use super::program::{output, started};
use super::served::serve;

/// The password of who makes users and indexes at devpi, and what it is in a header: `root:root-password-of-the-tests`.
const ROOT: &str = "root-password-of-the-tests";
const ROOT_BASIC: &str = "cm9vdDpyb290LXBhc3N3b3JkLW9mLXRoZS10ZXN0cw==";

/// A server; it ends with its owner.
pub struct Served {
    child: Child,
    address: String,
    directory: TempDir,
}

impl Served {
    /// An index of Python packages: pypiserver, which keeps them as files, and lets one user in.
    pub fn pypiserver() -> Served {
        Served::start(|port, directory| {
            let mut server = Command::new(python_programs().join("pypi-server"));
            server.args(["run", "--interface", "127.0.0.1", "--port", port, "--disable-fallback"]);
            // Who may write: `__token__`, whose password is `pypi-token-of-the-tests`.
            let users = directory.join("users");
            std::fs::write(&users, "__token__:{SHA}smOJOBLVTW9Djig45n/J+IdDXpI=\n").expect("a file can be written");
            let packages = directory.join("packages");
            std::fs::create_dir_all(&packages).expect("an empty directory");
            server.args(["--authenticate", "update", "--passwords"]).arg(users).arg(packages);
            server
        })
    }

    /// An index of Python packages: devpi, with the user `ada`, whose password is `TOKEN`, and an index of hers for each of these names. What is
    /// there is there for good.
    pub fn devpi(indexes: &[&str], token: &str) -> Served {
        let quietly = ["--argon2-memory-cost", "8", "--argon2-time-cost", "1", "--argon2-parallelism", "1"];
        let served = Served::start(|port, directory| {
            let place = directory.join("devpi");
            if !place.exists() {
                let mut init = Command::new(python_programs().join("devpi-init"));
                output(init.args(["--no-root-pypi", "--root-passwd", ROOT, "--serverdir"]).arg(&place));
            }
            let mut server = Command::new(python_programs().join("devpi-server"));
            server.args(["--host", "127.0.0.1", "--port", port, "--restrict-modify", "root", "--serverdir"]).arg(place);
            server.args(quietly);
            server
        });
        let make = |path: &str, what: &str| {
            let answer = served.ask("PUT", path, &format!("authorization: Basic {ROOT_BASIC}\r\n"), what);
            assert!(answer.starts_with("HTTP/1.1 20"), "{path}: {answer}");
        };
        make("/ada", &format!(r#"{{"password":"{token}"}}"#));
        for index in indexes {
            make(&format!("/ada/{index}"), r#"{"type":"stage","volatile":false,"bases":[]}"#);
        }
        served
    }

    /// A registry of npm packages: verdaccio, which knows no other registry, and lets in who has an account.
    pub fn verdaccio() -> Served {
        Served::start(|port, directory| {
            let settings = "storage: ./storage\nauth:\n  htpasswd:\n    file: ./users\nuplinks: {}\npackages:\n  '**':\n    \
                            access: $all\n    publish: $authenticated\nlog: { type: stdout, level: error }\n";
            let file = directory.join("config.yaml");
            std::fs::write(&file, settings).expect("a file can be written");
            let mut server = Command::new(PathBuf::from(started("FORGE_TEST_VERDACCIO")).join("verdaccio"));
            server.args(["--listen", &format!("127.0.0.1:{port}"), "--config"]).arg(file);
            server
        })
    }

    /// Makes an account at a registry of npm packages, as `npm adduser` does; its token.
    pub fn npm_token(&self) -> String {
        let body = r#"{"name":"ada","password":"password-of-the-tests"}"#;
        let answer = self.ask("PUT", "/-/user/org.couchdb.user:ada", "", body);
        let token = answer.split("\"token\":").nth(1).and_then(|it| it.split('"').nth(1));
        token.unwrap_or_else(|| panic!("no token: {answer}")).to_owned()
    }

    /// What it answers to a request with these further headers: all of it.
    pub fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\naccept: application/json\r\n\
             connection: close\r\n{headers}content-length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        answer
    }

    fn start(command: impl Fn(&str, &Path) -> Command) -> Served {
        let directory = tempfile::Builder::new().prefix("forge-test-served-").tempdir().expect("a temporary directory");
        let (child, address) = serve(|address| command(address.rsplit(':').next().expect("a port"), directory.path()));
        Served { child, address, directory }
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Where it keeps what it has.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where the programs of Python are that `tests/services` has installed.
pub fn python_programs() -> PathBuf {
    PathBuf::from(started("FORGE_TEST_PACKAGING"))
}

/// The variable `PATH` with these directories first.
pub fn path_with(first: &Path) -> String {
    format!("{}:{}", first.display(), std::env::var("PATH").expect("PATH is set"))
}
