//! A mail server: aiosmtpd, with the faults that a test wants of it.
//! Does not know who writes.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::certificates;
use super::program::started;

/// The server; it goes away with its owner.
pub struct MailServer {
    place: TempDir,
    child: Child,
    port: u16,
}

impl MailServer {
    /// One with these options, which are those of `mail_server.py`. Its certificate is for 127.0.0.1.
    pub fn start(options: &Value) -> MailServer {
        let place = tempfile::tempdir().expect("a temporary directory");
        if options.get("encryption").is_some() {
            certificates::make(place.path());
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/mail_server.py");
        let mut command = Command::new(Path::new(&started("FORGE_TEST_MAIL")).join("python"));
        command.arg(script).arg(place.path()).arg(options.to_string());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("python starts");
        let mut port = String::new();
        let stdout = child.stdout.take().expect("standard output is a pipe");
        BufReader::new(stdout).read_line(&mut port).expect("the server tells its port");
        MailServer { place, child, port: port.trim().parse().expect("a port") }
    }

    /// Where it listens on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The certificate of the authority that vouches for it.
    pub fn authority(&self) -> PathBuf {
        self.place.path().join("ca.pem")
    }

    /// The mails that it has kept: from whom and to whom, and what goes over the wire.
    pub fn kept(&self) -> Vec<String> {
        let paths = (1..).map(|number| self.place.path().join(format!("{number}.eml"))).take_while(|it| it.exists());
        paths.map(|path| fs::read_to_string(path).expect("mails are text").replace("\r\n", "\n")).collect()
    }

    /// The recipients that it was told of, in this order.
    pub fn heard(&self) -> Vec<String> {
        let text = fs::read_to_string(self.place.path().join("heard")).unwrap_or_default();
        text.lines().map(ToOwned::to_owned).collect()
    }

    /// Waits until it has come to something.
    pub fn wait(&self, is_so: impl Fn(&MailServer) -> bool) {
        let began = Instant::now();
        while !is_so(self) {
            assert!(began.elapsed() < Duration::from_secs(30), "the server hears of it");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
