//! A server that answers by a script, whatever it is asked.
//! Does not know what is tested with it.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;

/// A server that answers each request with the next of its answers, and closes the connection.
pub struct Script {
    address: String,
    seen: mpsc::Receiver<String>,
}

impl Script {
    /// With these answers, as they go over the wire: head, empty line, body. An empty one is a connection that is
    /// closed when the head of the request has come.
    pub fn start(answers: Vec<String>) -> Script {
        Script::start_with(move |_| answers)
    }

    /// The same, with answers that name the server's own address.
    pub fn start_with(answers: impl FnOnce(&str) -> Vec<String>) -> Script {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback works");
        let address = listener.local_addr().expect("loopback works").to_string();
        let answers = answers(&address);
        let (sender, seen) = mpsc::channel();
        thread::spawn(move || {
            for answer in answers {
                let Ok((mut stream, _)) = listener.accept() else { return };
                let request = request(&mut stream, !answer.is_empty());
                let _ = sender.send(request);
                let _ = stream.write_all(answer.as_bytes());
                let _ = stream.shutdown(std::net::Shutdown::Write);
                if !answer.is_empty() {
                    // Closing while the client still sends would reset the connection before it has read the answer.
                    let _ = std::io::copy(&mut stream, &mut std::io::sink());
                }
            }
        });
        Script { address, seen }
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The next request that came: head and body. Waits for it.
    pub fn next(&self) -> String {
        self.seen.recv().expect("loopback works")
    }

    /// The requests that came and were not taken by `next`.
    pub fn rest(&self) -> Vec<String> {
        self.seen.try_iter().collect()
    }
}

/// An answer that ends the connection.
pub fn answer(status: &str, headers: &[&str], body: &str) -> String {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len())
}

fn request(stream: &mut std::net::TcpStream, with_body: bool) -> String {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count == 1) {
        bytes.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
    let size = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    if with_body {
        let _ = stream.take(size).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
