//! A server that behaves as Google Cloud Storage does, for one test, and the key of the service account that may use it.
//! Does not know what is put there: `gcs_server.py` keeps it in a directory.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::json;
use tempfile::TempDir;

use super::bucket::Store;
use super::program::output;
use super::served::digests;

/// The server; it ends with its owner.
pub struct Gcs {
    child: Child,
    address: String,
    directory: TempDir,
}

impl Gcs {
    /// The key, as Google gives it out.
    pub fn key(&self) -> String {
        let pem = std::fs::read_to_string(self.directory.path().join("key.pem")).expect("a key");
        let email = "release@storage.example";
        json!({ "type": "service_account", "private_key": pem, "private_key_id": "1", "client_email": email })
            .to_string()
    }
}

impl Store for Gcs {
    fn start() -> Gcs {
        let directory = tempfile::Builder::new().prefix("forge-test-gcs-").tempdir().expect("a temporary directory");
        std::fs::create_dir(directory.path().join("bucket")).expect("a directory");
        let openssl = |argv: &[&str]| output(Command::new("openssl").args(argv).current_dir(directory.path()));
        openssl(&["genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "key.pem"]);
        openssl(&["pkey", "-in", "key.pem", "-pubout", "-out", "key.pub"]);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/gcs_server.py");
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "python3"]).arg(script).arg(directory.path().join("bucket"));
        command.arg("downloads").arg(directory.path().join("key.pub"));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("python3 starts");
        let mut port = String::new();
        let stdout = child.stdout.take().expect("standard output is a pipe");
        BufReader::new(stdout).read_line(&mut port).expect("the server tells its port");
        Gcs { child, address: format!("127.0.0.1:{}", port.trim()), directory }
    }

    fn another(&self) -> Gcs {
        Gcs::start()
    }

    fn address(&self) -> &str {
        &self.address
    }

    fn table(&self, address: &str) -> String {
        format!("to = \"gcs\"\nbucket = \"downloads\"\nendpoint = \"http://{address}\"\nkey = \"account\"")
    }

    fn secrets(&self) -> Vec<(&'static str, String)> {
        vec![("account", self.key())]
    }

    fn has(&self) -> Vec<String> {
        digests(&self.directory.path().join("bucket"), "")
    }
}

impl Drop for Gcs {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
