//! Servers that do not tell which port they were given, and directories that servers fill.
//! Does not know any server.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

/// A server that listens, and host and port. `command` is told these, and makes the command that it is started by.
pub fn serve(command: impl Fn(&str) -> Command) -> (Child, String) {
    // It is given a free port, and another if somebody was faster.
    for _ in 0..10 {
        let address = free_address();
        let mut child = spawn(command(&address));
        if listens(&mut child, &address) {
            return (child, address);
        }
    }
    panic!("a server finds no port to listen at");
}

/// Host and a port that is free and stays so until the server listens, which may take seconds: it is none of those that the system gives to who
/// asks for any, and no other server of these tests gets it.
fn free_address() -> String {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    const FIRST: u32 = 10_000;
    const ALL: u32 = 20_000;
    loop {
        let taken = TAKEN.fetch_add(1, Ordering::Relaxed);
        let address = format!("127.0.0.1:{}", FIRST + (std::process::id() % ALL * 61 + taken) % ALL);
        if TcpListener::bind(&address).is_ok() {
            return address;
        }
        assert!(taken < ALL, "no port is free");
    }
}

/// The files below a directory, sorted: path and SHA-256 of each. Without those in a directory of this name.
pub fn digests(root: &Path, without: &str) -> Vec<String> {
    let walk = ignore::WalkBuilder::new(root).standard_filters(false).sort_by_file_name(Ord::cmp).build();
    let files = walk.map(|it| it.expect("a directory that can be listed").into_path()).filter(|it| it.is_file());
    let shown = files.filter(|it| !it.components().any(|part| part.as_os_str() == without));
    shown.map(|path| format!("{} {}", path.strip_prefix(root).expect("below").display(), digest(&path))).collect()
}

fn digest(path: &Path) -> String {
    let bytes = fs::read(path).expect("a file can be read");
    Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn spawn(command: Command) -> Child {
    // It must not outlive a test that is killed.
    let mut setpriv = Command::new("setpriv");
    setpriv.args(["--pdeathsig", "KILL"]).arg(command.get_program()).args(command.get_args());
    setpriv.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("`setpriv` starts")
}

fn listens(child: &mut Child, address: &str) -> bool {
    let patience = Instant::now() + Duration::from_secs(30);
    while child.try_wait().expect("a child").is_none() {
        if TcpStream::connect(address).is_ok() {
            return true;
        }
        assert!(Instant::now() < patience, "nobody listens at {address}");
        thread::sleep(Duration::from_millis(5));
    }
    false
}
