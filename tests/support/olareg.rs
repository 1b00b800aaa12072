//! A registry of distribution-spec 1.1 for one test, on a free loopback port: it knows referrers.
//! Does not know images.

use std::process::{Child, Command};

use tempfile::TempDir;

use super::program::test_program;
use super::served::serve;

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
        let (child, address) = serve(|address| {
            let port = address.rsplit(':').next().expect("a port");
            let mut olareg = Command::new(test_program("olareg"));
            olareg.args(["serve", "--addr", "127.0.0.1", "--port", port, "--dir"]).arg(directory.path()).args(options);
            olareg
        });
        Olareg { child, address, _directory: directory }
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
