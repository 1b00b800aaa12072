//! Requests as servers that are written for the tests read them: HTTP/1.1, with `Content-Length`.
//! Does not know what is answered.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::net::TcpStream;

/// What was asked.
pub struct Asked {
    /// `GET`.
    pub method: String,
    /// As it was sent, without the query.
    pub path: String,
    /// What follows the `?`, unescaped.
    pub query: BTreeMap<String, String>,
    /// Host and port, as the client calls them.
    pub host: String,
    /// How the client says who it is.
    pub authorization: String,
    /// What was sent.
    pub body: Vec<u8>,
    /// Whether all of it came.
    pub is_whole: bool,
}

impl Asked {
    /// Whether the client has sent this token.
    pub fn is_by(&self, token: &str) -> bool {
        self.authorization == format!("Bearer {token}")
    }

    /// The next request; none where the client has gone.
    pub fn read(reader: &mut BufReader<TcpStream>) -> io::Result<Option<Asked>> {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(None);
            }
            match line.trim_end() {
                "" => break,
                line => head.push(line.to_owned()),
            }
        }
        let header = |name: &str| {
            let lines = head.iter().filter_map(|line| line.split_once(':'));
            lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned()).next()
        };
        let mut words = head[0].split(' ');
        let (method, target) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let size: u64 = header("content-length").and_then(|it| it.parse().ok()).unwrap_or(0);
        let mut body = Vec::new();
        let _ = reader.take(size).read_to_end(&mut body);
        Ok(Some(Asked {
            method,
            path: path.to_owned(),
            query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            host: header("host").unwrap_or_default(),
            authorization: header("authorization").unwrap_or_default(),
            is_whole: body.len() as u64 == size,
            body,
        }))
    }
}
