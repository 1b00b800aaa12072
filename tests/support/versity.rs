//! A store that speaks S3 and checks who signs, for one test, on a free loopback port: the Versity gateway, over a directory.
//! Does not know what is put there.

use std::fs;
use std::process::{Child, Command};

use tempfile::TempDir;

use super::bucket::Store;
use super::program::test_program;
use super::served::{digests, serve};

/// Who may do all.
const KEY_ID: &str = "AKIDOFTHETESTS";
/// By what.
const KEY: &str = "s3-key-of-the-tests";
/// The bucket that it has.
pub const BUCKET: &str = "downloads";

/// The store; it ends with its owner.
pub struct Versity {
    child: Child,
    address: String,
    directory: TempDir,
}

impl Versity {
    /// How many uploads were begun and not ended.
    pub fn uploads(&self) -> usize {
        let place = self.directory.path().join("root").join(BUCKET).join(".sgwtmp/multipart");
        let of_object = |it: fs::DirEntry| fs::read_dir(it.path()).map_or(0, Iterator::count);
        fs::read_dir(place).map_or(0, |it| it.map(|it| of_object(it.expect("an entry"))).sum())
    }
}

impl Store for Versity {
    fn start() -> Versity {
        let directory = tempfile::Builder::new().prefix("forge-test-s3-").tempdir().expect("a temporary directory");
        fs::create_dir_all(directory.path().join("root").join(BUCKET)).expect("a directory");
        fs::create_dir(directory.path().join("beside")).expect("a directory");
        let (child, address) = serve(|address| {
            let mut versity = Command::new(test_program("versitygw"));
            versity.args(["--port", address, "--access", KEY_ID, "--secret", KEY, "--quiet", "posix", "--sidecar"]);
            versity.arg(directory.path().join("beside")).arg(directory.path().join("root"));
            versity
        });
        Versity { child, address, directory }
    }

    fn another(&self) -> Versity {
        Versity::start()
    }

    fn address(&self) -> &str {
        &self.address
    }

    fn table(&self, address: &str) -> String {
        format!(
            "to = \"s3\"\nbucket = \"{BUCKET}\"\nendpoint = \"http://{address}\"\nkey_id = \"s3_id\"\nkey = \"s3_key\""
        )
    }

    fn secrets(&self) -> Vec<(&'static str, String)> {
        vec![("s3_id", KEY_ID.to_owned()), ("s3_key", KEY.to_owned())]
    }

    fn has(&self) -> Vec<String> {
        // Parts lie in a directory of its own.
        digests(&self.directory.path().join("root").join(BUCKET), ".sgwtmp")
    }
}

impl Drop for Versity {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
