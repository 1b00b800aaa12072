//! What a child writes to standard output and error, which are one pipe: cut into lines, as it comes.
//! Does not know who wants to know.

use std::io::{self, PipeReader, Read as _};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, ioctl_fionread};

/// A longer line is cut, in bytes.
const LINE: usize = 4 << 10;
const CHUNK: usize = 8 << 10;

/// The pipe.
pub(super) struct Output {
    pipe: PipeReader,
    heard: Mutex<Heard>,
}

/// How far it was read. Held from before a piece is taken out of the pipe until all is told of it.
#[derive(Default)]
struct Heard {
    bytes: u64,
    begun: Vec<u8>,
}

impl Output {
    pub(super) fn new(pipe: PipeReader) -> Output {
        Output { pipe, heard: Mutex::default() }
    }

    /// Tells every line, until nobody can write any more.
    pub(super) fn follow(&self, tell: impl Fn(&str)) {
        let mut chunk = [0; CHUNK];
        while self.wait().is_ok() {
            let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
            let size = match (&self.pipe).read(&mut chunk) {
                Ok(0) => break,
                Ok(size) => size,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => break,
            };
            heard.push(&chunk[..size], &tell);
        }
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).end(&tell);
    }

    fn wait(&self) -> Result<(), Errno> {
        loop {
            match poll(&mut [PollFd::new(&self.pipe, PollFlags::IN)], None) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits until all is told that was written by now, but not longer than this.
    pub(super) fn catch_up(&self, patience: Duration) {
        let until = Instant::now() + patience;
        let mut written = None;
        loop {
            {
                let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
                let written = *written.get_or_insert_with(|| heard.bytes + ioctl_fionread(&self.pipe).unwrap_or(0));
                if heard.bytes >= written || Instant::now() > until {
                    return;
                }
            }
            thread::yield_now();
        }
    }
}

impl Heard {
    fn push(&mut self, bytes: &[u8], tell: &impl Fn(&str)) {
        self.bytes += bytes.len() as u64;
        for piece in bytes.split_inclusive(|byte| *byte == b'\n').flat_map(|line| line.chunks(LINE)) {
            self.begun.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.begun.len() >= LINE {
                self.end(tell);
            }
        }
    }

    fn end(&mut self, tell: &impl Fn(&str)) {
        if !self.begun.is_empty() {
            tell(String::from_utf8_lossy(&self.begun).trim_end_matches(['\n', '\r']));
            self.begun.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::sync::Arc;

    use super::*;

    fn check(text: &[u8], expect: &[&str]) {
        let (reader, mut writer) = io::pipe().unwrap();
        let output = Arc::new(Output::new(reader));
        let lines = Arc::new(Mutex::new(Vec::new()));
        let follower = {
            let (output, lines) = (output.clone(), lines.clone());
            thread::spawn(move || output.follow(|line| lines.lock().unwrap().push(line.to_owned())))
        };
        writer.write_all(text).unwrap();
        output.catch_up(Duration::from_secs(60));
        let whole = text.iter().filter(|it| **it == b'\n').count();
        assert!(lines.lock().unwrap().len() >= whole, "all that was written is told");
        drop(writer);
        follower.join().unwrap();
        assert_eq!(*lines.lock().unwrap(), expect);
    }

    #[test]
    fn lines() {
        check(b"", &[]);
        check(b"one\ntwo\r\n\nno end", &["one", "two", "", "no end"]);
        check(b"\xff\n", &["\u{fffd}"]);
        check(&[b'x'; LINE + 1], &[&"x".repeat(LINE), "x"]);
        check("line\n".repeat(10_000).as_bytes(), &["line"; 10_000]);
    }
}
