//! Azure Blob Storage as Microsoft's emulator has it, Azurite, for one test, on a free loopback port.
//! Does not know what is put there.

use std::cell::Cell;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;

use sha2::{Digest as _, Sha256};

use super::bucket::Store;
use super::program::started;
use super::served::serve;

/// The account.
pub const ACCOUNT: &str = "forgetests";
/// Its access key: these 64 bytes, in base64.
pub const KEY: &str = "a2V5LW9mLXRoZS10ZXN0cy1vZi1mb3JnZS1mb3ItYXp1cmUtYmxvYi1zdG9yYWdlLW9mLTY0LWJ5dGVzLS0tLQ==";
/// What may read, create and write blobs, and no more; signed by the key, over its fields in the order of the documentation
/// ("Create an account SAS").
pub const SAS: &str =
    "sv=2023-11-03&ss=b&srt=o&sp=rwc&se=2099-01-01T00:00:00Z&sig=8841j7dcZW0IJV6MgJsaPJG45fi3QyO4xXjG7Ku7Ukk%3D";
/// What may do all.
const ALL: &str =
    "sv=2023-11-03&ss=b&srt=sco&sp=rwdlac&se=2099-01-01T00:00:00Z&sig=5l6vr3GxQVeVobyMobSWif6Bt3xTP3oxkHkq13H0ww4%3D";

/// A container; the server ends with the last of its owners.
pub struct Azurite {
    server: Rc<Server>,
    container: String,
}

struct Server {
    child: Child,
    address: String,
    /// Who vouches for it, where it speaks TLS.
    authority: Option<PathBuf>,
    containers: Cell<usize>,
}

/// An answer.
pub struct Answer {
    /// Lines, the first with the status.
    pub head: String,
    /// The rest.
    pub body: Vec<u8>,
}

impl Azurite {
    /// One that speaks TLS, by the certificate in this directory, and lets in who brings a token.
    pub fn start_for_tokens(directory: &Path) -> Azurite {
        let at = |name: &str| directory.join(name);
        let (child, address) = serve(|address| {
            let mut azurite = azurite(address);
            azurite.args(["--oauth", "basic", "--cert"]).arg(at("cert.pem")).arg("--key").arg(at("key.pem"));
            azurite
        });
        Azurite::of(Rc::new(Server { child, address, authority: Some(at("ca.pem")), containers: Cell::new(0) }))
    }

    /// The name of the container.
    pub fn container(&self) -> &str {
        &self.container
    }

    /// Asks for something in the container, as who may do all: `hello/1.2.3/one`, `comp=block&blockid=MQ==`.
    pub fn ask(&self, method: &str, key: &str, query: &str, body: &str) -> Answer {
        let target = format!("/{ACCOUNT}/{}/{key}?{query}&{ALL}", self.container);
        let head = format!(
            "{method} {} HTTP/1.0\r\nhost: {}\r\nx-ms-version: 2023-11-03\r\ncontent-length: {}\r\n\r\n",
            target.replace("/?", "?"),
            self.server.address,
            body.len()
        );
        let answer = self.server.exchange(&format!("{head}{body}"));
        let end = answer.windows(4).position(|it| it == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8(answer[..end].to_vec()).expect("text");
        Answer { head: head.to_lowercase(), body: answer[end + 4..].to_vec() }
    }

    /// Throws away the blocks that were sent for a key.
    pub fn forget_blocks(&self, key: &str) {
        // A list that has none of them, and no blob after it.
        for (method, query, status) in [("PUT", "comp=blocklist", " 201 "), ("DELETE", "a=b", " 202 ")] {
            let answer =
                self.ask(method, key, query, "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList></BlockList>");
            assert!(answer.head.contains(status), "{}", answer.head);
        }
    }

    fn of(server: Rc<Server>) -> Azurite {
        server.containers.set(server.containers.get() + 1);
        let container = format!("downloads-{}", server.containers.get());
        let azurite = Azurite { server, container };
        let made = azurite.ask("PUT", "", "restype=container", "");
        assert!(made.head.contains(" 201 "), "{}", made.head);
        azurite
    }
}

impl Store for Azurite {
    fn start() -> Azurite {
        let (child, address) = serve(azurite);
        Azurite::of(Rc::new(Server { child, address, authority: None, containers: Cell::new(0) }))
    }

    fn another(&self) -> Azurite {
        Azurite::of(Rc::clone(&self.server))
    }

    fn address(&self) -> &str {
        &self.server.address
    }

    fn table(&self, address: &str) -> String {
        let container = &self.container;
        format!(
            "to = \"azure\"\naccount = \"{ACCOUNT}\"\ncontainer = \"{container}\"\nkey = \"azure_key\"\n\
             endpoint = \"http://{address}/{ACCOUNT}\""
        )
    }

    fn secrets(&self) -> Vec<(&'static str, String)> {
        vec![("azure_key", KEY.to_owned())]
    }

    fn has(&self) -> Vec<String> {
        let list = self.ask("GET", "", "restype=container&comp=list", "");
        let list = String::from_utf8(list.body).expect("text");
        let names = list.split("<Name>").skip(1).map(|it| it.split('<').next().expect("an end"));
        let digest = |key: &str| {
            let bytes = self.ask("GET", key, "a=b", "").body;
            Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        };
        names.map(|key| format!("{key} {}", digest(key))).collect()
    }
}

impl Server {
    fn exchange(&self, request: &str) -> Vec<u8> {
        let Some(authority) = &self.authority else {
            let mut stream = TcpStream::connect(&self.address).expect("it listens");
            let mut answer = Vec::new();
            stream.write_all(request.as_bytes()).and_then(|()| stream.read_to_end(&mut answer)).expect("it answers");
            return answer;
        };
        let mut openssl = Command::new("openssl");
        openssl.args(["s_client", "-quiet", "-verify_return_error", "-connect", &self.address, "-CAfile"]);
        let mut openssl =
            openssl.arg(authority).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let openssl = openssl.as_mut().expect("openssl starts");
        let mut stdin = openssl.stdin.take().expect("standard input is a pipe");
        let mut answer = Vec::new();
        let mut stdout = openssl.stdout.take().expect("standard output is a pipe");
        stdin.write_all(request.as_bytes()).and_then(|()| stdout.read_to_end(&mut answer)).expect("it answers");
        let _ = openssl.wait();
        answer
    }
}

fn azurite(address: &str) -> Command {
    let mut azurite = Command::new("env");
    azurite.arg(format!("AZURITE_ACCOUNTS={ACCOUNT}:{KEY}"));
    azurite.arg(PathBuf::from(started("FORGE_TEST_AZURITE")).join("azurite-blob"));
    let port = address.rsplit(':').next().expect("a port");
    azurite.args(["--blobPort", port, "--inMemoryPersistence", "--disableTelemetry", "--silent"]);
    azurite
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
