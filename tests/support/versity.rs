//! A store that speaks S3 and checks who signs, for one test, on a free loopback port: the Versity gateway, over a directory.
//! Does not know what is put there.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::program::test_program;

/// Who may do all.
pub const KEY_ID: &str = "AKIDOFTHETESTS";
/// By what.
pub const KEY: &str = "s3-key-of-the-tests";
/// The bucket that it has.
pub const BUCKET: &str = "downloads";

/// The store; it ends with its owner.
pub struct Versity {
    child: Child,
    address: String,
    directory: TempDir,
}

impl Versity {
    /// Starts one, with an empty bucket.
    pub fn start() -> Versity {
        let directory = tempfile::Builder::new().prefix("forge-test-s3-").tempdir().expect("a temporary directory");
        fs::create_dir_all(directory.path().join("root").join(BUCKET)).expect("a directory");
        fs::create_dir(directory.path().join("beside")).expect("a directory");
        // It does not tell which port it was given, so it is given a free one, and another if somebody was faster.
        for _ in 0..10 {
            let listener = TcpListener::bind("127.0.0.1:0").expect("loopback works");
            let address = listener.local_addr().expect("loopback works").to_string();
            drop(listener);
            let mut child = serve(&address, directory.path());
            if listens(&mut child, &address) {
                return Versity { child, address, directory };
            }
        }
        panic!("versitygw finds no port to listen at");
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What others find in the bucket: key and digest of each object.
    pub fn has(&self) -> Vec<String> {
        let bucket = self.directory.path().join("root").join(BUCKET);
        let walk = ignore::WalkBuilder::new(&bucket).standard_filters(false).sort_by_file_name(Ord::cmp).build();
        let files = walk.map(|it| it.expect("a bucket that can be listed").into_path()).filter(|it| it.is_file());
        // Parts lie in a directory of its own.
        let objects = files.filter(|it| !it.components().any(|part| part.as_os_str() == ".sgwtmp"));
        objects.map(|path| shown(path.strip_prefix(&bucket).expect("below"), &path)).collect()
    }

    /// How many uploads were begun and not ended.
    pub fn uploads(&self) -> usize {
        let place = self.directory.path().join("root").join(BUCKET).join(".sgwtmp/multipart");
        let of_object = |it: fs::DirEntry| fs::read_dir(it.path()).map_or(0, Iterator::count);
        fs::read_dir(place).map_or(0, |it| it.map(|it| of_object(it.expect("an entry"))).sum())
    }
}

impl Drop for Versity {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn shown(key: &Path, path: &Path) -> String {
    let bytes = fs::read(path).expect("an object can be read");
    let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{} {digest}", key.display())
}

fn serve(address: &str, directory: &Path) -> Child {
    // It must not outlive a test that is killed.
    Command::new("setpriv")
        .args(["--pdeathsig", "KILL"])
        .arg(test_program("versitygw"))
        .args(["--port", address, "--access", KEY_ID, "--secret", KEY, "--quiet", "posix", "--sidecar"])
        .arg(directory.join("beside"))
        .arg(directory.join("root"))
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
        assert!(Instant::now() < patience, "versitygw does not listen at {address}");
        thread::sleep(Duration::from_millis(5));
    }
    false
}
