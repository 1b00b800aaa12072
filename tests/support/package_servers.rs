//! Servers of packages that others have written, each for one test, on a free loopback port.
//! Does not know what is sent to them.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use tempfile::TempDir;

use super::program::started;
use super::served::serve;

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
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        let head = format!(
            "PUT /-/user/org.couchdb.user:ada HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\nconnection: close\r\n\
             content-length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let token = answer.split("\"token\":").nth(1).and_then(|it| it.split('"').nth(1));
        token.unwrap_or_else(|| panic!("no token: {answer}")).to_owned()
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
