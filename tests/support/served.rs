//! Servers that others have written, each for one test, on a free loopback port.
//! Does not know what is sent to them.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::program::started;

/// A server; it ends with its owner.
pub struct Served {
    child: Child,
    address: String,
    directory: TempDir,
}

impl Served {
    /// An index of Python packages: pypiserver, which keeps them as files, and lets one user in.
    pub fn pypiserver() -> Served {
        Served::start("pypiserver", |port, directory| {
            let mut server = Command::new(python_programs().join("pypi-server"));
            server.args(["run", "--interface", "127.0.0.1", "--port", port, "--disable-fallback"]);
            // Who may write: `__token__`, whose password is `pypi-token-of-the-tests`.
            let users = directory.join("users");
            std::fs::write(&users, "__token__:{SHA}smOJOBLVTW9Djig45n/J+IdDXpI=\n").expect("a file can be written");
            let packages = directory.join("packages");
            std::fs::create_dir(&packages).expect("an empty directory");
            server.args(["--authenticate", "update", "--passwords"]).arg(users).arg(packages);
            server
        })
    }

    /// A registry of npm packages: verdaccio, which knows no other registry, and lets in who has an account.
    pub fn verdaccio() -> Served {
        Served::start("verdaccio", |port, directory| {
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

    fn start(name: &str, command: impl Fn(&str, &Path) -> Command) -> Served {
        // They do not tell which port they were given, so each is given a free one, and another if somebody was faster.
        for _ in 0..10 {
            let directory =
                tempfile::Builder::new().prefix("forge-test-served-").tempdir().expect("a temporary directory");
            let address = free_address();
            let port = address.rsplit(':').next().expect("a port");
            let mut child = spawn(&command(port, directory.path()));
            if listens(name, &mut child, &address) {
                return Served { child, address, directory };
            }
        }
        panic!("{name} finds no port to listen at");
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

fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback works");
    listener.local_addr().expect("loopback works").to_string()
}

/// Starts it so that it does not outlive a test that is killed.
fn spawn(command: &Command) -> Child {
    let mut tied = Command::new("setpriv");
    tied.args(["--pdeathsig", "KILL"]).arg(command.get_program()).args(command.get_args());
    tied.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    tied.spawn().expect("`setpriv` starts")
}

fn listens(name: &str, child: &mut Child, address: &str) -> bool {
    let patience = Instant::now() + Duration::from_secs(60);
    while child.try_wait().expect("a child").is_none() {
        if TcpStream::connect(address).is_ok() {
            return true;
        }
        assert!(Instant::now() < patience, "{name} does not listen at {address}");
        thread::sleep(Duration::from_millis(10));
    }
    false
}
