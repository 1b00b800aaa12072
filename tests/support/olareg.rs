//! A registry of distribution-spec 1.1 for one test, on a free loopback port: it knows referrers.
//! Does not know images.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::program::test_program;

/// The registry; it ends with its owner.
pub struct Olareg {
    child: Child,
    address: String,
    _directory: TempDir,
}

impl Olareg {
    /// Starts one.
    pub fn start() -> Olareg {
        Olareg::start_with(&[])
    }

    /// Starts one with these options: `--api-referrer=false` is one that knows no referrers.
    pub fn start_with(options: &[&str]) -> Olareg {
        let directory = tempfile::Builder::new().prefix("forge-test-olareg-").tempdir().expect("a temporary directory");
        // It does not tell which port it was given, so it is given a free one, and another if somebody was faster.
        for _ in 0..10 {
            let address = free_address();
            let mut child = serve(&address, &directory, options);
            if listens(&mut child, &address) {
                return Olareg { child, address, _directory: directory };
            }
        }
        panic!("olareg finds no port to listen at");
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Olareg {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback works");
    listener.local_addr().expect("loopback works").to_string()
}

fn serve(address: &str, directory: &TempDir, options: &[&str]) -> Child {
    let port = address.rsplit(':').next().expect("a port");
    // It must not outlive a test that is killed.
    Command::new("setpriv")
        .args(["--pdeathsig", "KILL"])
        .arg(test_program("olareg"))
        .args(["serve", "--addr", "127.0.0.1", "--port", port, "--dir"])
        .arg(directory.path())
        .args(options)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("`setpriv` starts")
}

fn listens(child: &mut Child, address: &str) -> bool {
    let patience = Instant::now() + Duration::from_secs(30);
    while child.try_wait().expect("a child").is_none() {
        if TcpStream::connect(address).is_ok() {
            return true;
        }
        assert!(Instant::now() < patience, "olareg does not listen at {address}");
        thread::sleep(Duration::from_millis(5));
    }
    false
}
