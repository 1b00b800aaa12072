//! A proxy in front of a server that lets HTTP/1.1 through byte for byte, writes down what it saw, and does harm by rule.
//! Does not know registries.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// The proxy. Its threads end with the process.
pub struct Proxy {
    address: String,
    shared: Arc<Shared>,
}

/// What is done to a request or its reply.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The proxy answers itself, and the server hears nothing: status line, headers, body.
    Answer(&'static str, Vec<String>, &'static str),
    /// The server gets so many bytes of the body, then both connections are closed.
    CutRequest(usize),
    /// The server does what it is asked; the connection is closed without a reply.
    LostReply,
    /// The client gets so many bytes of the body, then the connection is closed.
    CutReply(usize),
    /// The client gets so many bytes of the body, then nothing; without a number not even the head.
    Stall(Option<usize>),
    /// The body comes byte by byte, with a pause before each.
    Trickle(Duration),
    /// The server hears nothing, and the client is told nothing.
    Deaf,
    /// The server gets the request after a pause.
    Late(Duration),
    /// A byte of the reply's body is another.
    Flip(usize),
    /// A header of the reply is another, or missing. The connection is closed after it.
    Header(&'static str, Option<String>),
}

/// An exchange: what was asked, and what the client was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// When it ended.
    pub at: Instant,
    /// `HEAD /v2/hello/manifests/latest 200`; the status is `-` where the client was told none.
    pub line: String,
    /// The head of the request.
    pub head: String,
    /// The size of the request's body.
    pub sent: usize,
    /// The size of the body of the reply, as it came from the server.
    pub came: usize,
}

#[derive(Default)]
struct Shared {
    upstream: String,
    stopped: AtomicBool,
    /// How many clients are connected.
    clients: AtomicUsize,
    rules: Mutex<Vec<Rule>>,
    seen: Mutex<Vec<Seen>>,
}

struct Rule {
    asked: &'static str,
    place: &'static str,
    which: RangeInclusive<usize>,
    met: usize,
    fault: Fault,
}

/// A request or a reply. The body is as it went over the wire, chunk sizes and all.
struct Message {
    head: String,
    body: Vec<u8>,
}

impl Proxy {
    /// Starts one in front of the server at this address.
    pub fn start(upstream: &str) -> Proxy {
        Proxy::start_at("127.0.0.1:0", upstream)
    }

    /// The same, at a given address.
    pub fn start_at(address: &str, upstream: &str) -> Proxy {
        let listener = TcpListener::bind(address).expect("the proxy can listen");
        let address = listener.local_addr().expect("loopback works").to_string();
        let shared = Arc::new(Shared { upstream: upstream.to_owned(), ..Shared::default() });
        let for_clients = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if for_clients.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&for_clients);
                shared.clients.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || {
                    // A connection that breaks is what this is about.
                    drop(shared.serve(client));
                    shared.clients.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Proxy { address, shared }
    }

    /// Ends it: from now on nobody listens at its address.
    pub fn stop(self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes the listener, which goes away without another look; then there is no more to connect to.
        while TcpStream::connect(&self.address).is_ok() {
            thread::yield_now();
        }
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Does `fault` to requests with this method and this text in their path, to those of them that `which` counts (from
    /// 1). Of several rules that fit, the first is followed.
    pub fn fault(&self, method: &'static str, place: &'static str, which: RangeInclusive<usize>, fault: Fault) {
        let rule = Rule { asked: method, place, which, met: 0, fault };
        self.shared.rules.lock().expect("no panic").push(rule);
    }

    /// From now on all is well.
    pub fn heal(&self) {
        self.shared.rules.lock().expect("no panic").clear();
    }

    /// What went through since the last time that this was asked.
    pub fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.shared.seen.lock().expect("no panic"))
    }

    /// Waits until all clients are gone: what they had sent before they died has come to the server then, and was answered.
    #[track_caller]
    pub fn wait_for_the_last(&self) {
        let patience = Instant::now() + Duration::from_secs(30);
        while self.shared.clients.load(Ordering::SeqCst) > 0 {
            assert!(Instant::now() < patience, "somebody is still connected");
            thread::yield_now();
        }
    }

    /// Waits until a request with this method and this text in its path has gone through.
    #[track_caller]
    pub fn wait_for(&self, method: &str, place: &str) {
        let patience = Instant::now() + Duration::from_secs(30);
        while !self.seen().iter().any(|it| it.line.starts_with(method) && it.line.contains(place)) {
            assert!(Instant::now() < patience, "{method} {place} was never asked");
            thread::yield_now();
        }
    }
}

impl Shared {
    fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        let mut requests = BufReader::new(client.try_clone()?);
        let mut server = BufReader::new(TcpStream::connect(&self.upstream)?);
        while let Some(request) = Message::read(&mut requests, Some(0))? {
            let fault = self.fault_of(&request);
            let reply = self.reply(&request, fault.as_ref(), &mut server)?;
            let told = match &fault {
                Some(Fault::LostReply | Fault::CutRequest(_) | Fault::Stall(None) | Fault::Deaf) => None,
                _ => reply.as_ref().and_then(Message::status),
            };
            self.seen.lock().expect("no panic").push(Seen {
                at: Instant::now(),
                line: format!("{} {}", request.asked(), told.unwrap_or("-")),
                sent: request.body.len(),
                came: reply.as_ref().map_or(0, |it| it.body.len()),
                head: request.head,
            });
            let Some(reply) = reply else { return Ok(()) };
            if !tell(&mut client, reply, fault)? {
                return Ok(());
            }
        }
        Ok(())
    }

    fn fault_of(&self, request: &Message) -> Option<Fault> {
        let mut rules = self.rules.lock().expect("no panic");
        let (method, path) = request.asked().split_once(' ')?;
        let fits = |rule: &&mut Rule| method == rule.asked && path.contains(rule.place);
        rules.iter_mut().filter(fits).fold(None, |found, rule| {
            rule.met += 1;
            found.or_else(|| rule.which.contains(&rule.met).then(|| rule.fault.clone()))
        })
    }

    /// What the server says, or the proxy for it; nothing where the request is cut.
    fn reply(
        &self,
        request: &Message,
        fault: Option<&Fault>,
        server: &mut BufReader<TcpStream>,
    ) -> io::Result<Option<Message>> {
        match fault {
            Some(Fault::Answer(status, headers, text)) => {
                let headers: String = headers.iter().map(|it| format!("{it}\r\n")).collect();
                let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n", text.len());
                let is_head = request.head.starts_with("HEAD ");
                Ok(Some(Message { head, body: if is_head { Vec::new() } else { text.as_bytes().to_vec() } }))
            }
            Some(Fault::Deaf) => Ok(Some(Message { head: String::new(), body: Vec::new() })),
            Some(Fault::CutRequest(size)) => {
                send(server.get_mut(), &request.head, &request.body[..*size])?;
                server.get_mut().shutdown(std::net::Shutdown::Both)?;
                Ok(None)
            }
            _ => {
                if let Some(Fault::Late(pause)) = fault {
                    thread::sleep(*pause);
                }
                send(server.get_mut(), &request.head, &request.body)?;
                let is_head = request.head.starts_with("HEAD ");
                Message::read(server, if is_head { Some(0) } else { None })
            }
        }
    }
}

/// Tells the client. Whether the connection can be used again.
fn tell(client: &mut TcpStream, mut reply: Message, fault: Option<Fault>) -> io::Result<bool> {
    match fault {
        None | Some(Fault::Answer(..) | Fault::Late(_)) => {
            send(client, &reply.head, &reply.body)?;
            return Ok(true);
        }
        Some(Fault::Flip(at)) => {
            reply.body[at] ^= 1;
            send(client, &reply.head, &reply.body)?;
            return Ok(true);
        }
        Some(Fault::Header(name, value)) => {
            reply.set(name, value.as_deref());
            send(client, &reply.head, &reply.body)?;
        }
        Some(Fault::CutReply(size)) => send(client, &reply.head, &reply.body[..size])?,
        // Until the client gives up.
        Some(Fault::Deaf) => client.read_exact(&mut [0])?,
        Some(Fault::Stall(size)) => {
            if let Some(size) = size {
                send(client, &reply.head, &reply.body[..size])?;
            }
            // Until the client gives up.
            client.read_exact(&mut [0])?;
        }
        Some(Fault::Trickle(pause)) => {
            send(client, &reply.head, &[])?;
            for byte in reply.body {
                thread::sleep(pause);
                client.write_all(&[byte])?;
            }
        }
        Some(Fault::LostReply | Fault::CutRequest(_)) => {}
    }
    Ok(false)
}

fn send(stream: &mut TcpStream, head: &str, body: &[u8]) -> io::Result<()> {
    stream.write_all(&[head.as_bytes(), body].concat())
}

impl Message {
    /// The next message; nothing at the end. `default` is the size of a body that no header tells: of requests and of
    /// replies to HEAD nothing, of other replies all that comes.
    fn read(from: &mut BufReader<TcpStream>, default: Option<usize>) -> io::Result<Option<Message>> {
        let mut message = Message { head: String::new(), body: Vec::new() };
        while !message.head.ends_with("\r\n\r\n") {
            if from.read_line(&mut message.head)? == 0 {
                return Ok(None);
            }
        }
        let is_request = !message.head.starts_with("HTTP/");
        let is_bodiless = matches!(message.status(), Some("204" | "304")) || (default == Some(0) && !is_request);
        let size = message.header("content-length").and_then(|size| size.parse().ok());
        if is_bodiless {
            return Ok(Some(message));
        }
        if message.header("transfer-encoding") == Some("chunked") {
            message.read_chunks(from)?;
        } else if let Some(size) = size.or(default) {
            message.body.resize(size, 0);
            from.read_exact(&mut message.body)?;
        } else {
            from.read_to_end(&mut message.body)?;
        }
        Ok(Some(message))
    }

    fn read_chunks(&mut self, from: &mut BufReader<TcpStream>) -> io::Result<()> {
        loop {
            let mut line = String::new();
            from.read_line(&mut line)?;
            self.body.extend(line.as_bytes());
            let size = u64::from_str_radix(line.trim_end(), 16).map_err(io::Error::other)?;
            // The line end after a chunk, or that of the empty trailer.
            from.take(size + 2).read_to_end(&mut self.body)?;
            if size == 0 {
                return Ok(());
            }
        }
    }

    /// Method and path of a request.
    fn asked(&self) -> &str {
        self.head.split(" HTTP/").next().unwrap_or_default()
    }

    /// The status of a reply.
    fn status(&self) -> Option<&str> {
        self.head.strip_prefix("HTTP/1.1 ")?.split([' ', '\r']).next()
    }

    fn header(&self, name: &str) -> Option<&str> {
        let headers = self.head.lines().filter_map(|line| line.split_once(':'));
        headers.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
    }

    fn set(&mut self, name: &str, value: Option<&str>) {
        let is_other = |line: &&str| !line.split(':').next().is_some_and(|key| key.eq_ignore_ascii_case(name));
        let kept: Vec<&str> = self.head.trim_end().lines().filter(is_other).collect();
        let added = value.map(|value| format!("\r\n{name}: {value}")).unwrap_or_default();
        self.head = format!("{}{added}\r\n\r\n", kept.join("\r\n"));
    }
}
