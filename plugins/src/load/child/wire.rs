//! Frames: what goes over the socket between forge and a child. A header of 32 bytes, little endian, a name, a body.
//! Does not know what a frame asks for.

use std::io::{self, Read, Write};

use crate::abi::MAX_MESSAGE;

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::load) struct Frame {
    pub(in crate::load) kind: Kind,
    /// How something ended; the level of a line.
    pub(in crate::load) status: i32,
    /// The call that it belongs to; 0 for none.
    pub(in crate::load) call: u64,
    /// Tells apart what one call asks for.
    pub(in crate::load) seq: u64,
    /// A method or a service.
    pub(in crate::load) name: String,
    pub(in crate::load) body: Vec<u8>,
}

/// What a frame is. The numbers are the line; a kind that is not known is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::load) enum Kind {
    /// From the child: it is ready, or can't be.
    Hello = 1,
    Call = 2,
    Return = 3,
    /// From the child: what a call asks of the host.
    Service = 4,
    Served = 5,
    Log = 6,
    Progress = 7,
    /// To the child: the call should stop.
    Cancel = 8,
    /// To the child: the bytes to load.
    Library = 9,
}

const KINDS: [Kind; 9] = [
    Kind::Hello,
    Kind::Call,
    Kind::Return,
    Kind::Service,
    Kind::Served,
    Kind::Log,
    Kind::Progress,
    Kind::Cancel,
    Kind::Library,
];
const HEADER: usize = 32;
/// The largest library, in bytes.
const MAX_LIBRARY: usize = 1 << 30;
/// A body up to this size is sent with its header, in one piece.
const SMALL: usize = 64 << 10;

impl Frame {
    /// One that says only this.
    pub(in crate::load) fn new(kind: Kind, call: u64) -> Frame {
        Frame { kind, status: 0, call, seq: 0, name: String::new(), body: Vec::new() }
    }

    pub(in crate::load) fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let too_long = || io::Error::new(io::ErrorKind::InvalidInput, "the message is too long");
        let size = u32::try_from(self.body.len()).map_err(|_| too_long())?;
        let name = u16::try_from(self.name.len()).map_err(|_| too_long())?;
        let mut head = Vec::with_capacity(HEADER + self.name.len() + self.body.len().min(SMALL));
        head.extend(size.to_le_bytes());
        head.extend([self.kind as u8, 0]);
        head.extend(name.to_le_bytes());
        head.extend(self.status.to_le_bytes());
        head.extend([0; 4]);
        head.extend(self.call.to_le_bytes());
        head.extend(self.seq.to_le_bytes());
        head.extend(self.name.as_bytes());
        if self.body.len() <= SMALL {
            head.extend(&self.body);
            return to.write_all(&head);
        }
        to.write_all(&head)?;
        to.write_all(&self.body)
    }

    /// The next frame of a known kind; none at the end of the stream. What claims to be longer than a message may be is
    /// refused before room is made for it.
    pub(in crate::load) fn read(from: &mut impl Read) -> io::Result<Option<Frame>> {
        loop {
            let mut header = [0; HEADER];
            if !fill(from, &mut header)? {
                return Ok(None);
            }
            let kind = KINDS.into_iter().find(|kind| *kind as u8 == header[4]);
            let most = if kind == Some(Kind::Library) { MAX_LIBRARY } else { MAX_MESSAGE };
            let size = u32::from_le_bytes(four(&header[0..])) as usize;
            if size > most {
                return Err(invalid(format!("a message of {size} bytes")));
            }
            let name = take(from, usize::from(u16::from_le_bytes([header[6], header[7]])))?;
            let body = take(from, size)?;
            let Some(kind) = kind else { continue };
            return Ok(Some(Frame {
                kind,
                status: i32::from_le_bytes(four(&header[8..])),
                call: u64::from_le_bytes(eight(&header[16..])),
                seq: u64::from_le_bytes(eight(&header[24..])),
                name: String::from_utf8(name).map_err(|_| invalid("a name that is not UTF-8".to_owned()))?,
                body,
            }));
        }
    }
}

fn invalid(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Whether there were so many bytes; an error where the stream ends in between.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    let mut have = 0;
    while have < buffer.len() {
        match from.read(&mut buffer[have..]) {
            Ok(0) if have == 0 => return Ok(false),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(more) => have += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// So many bytes. Room is made as they come: a claim alone costs nothing.
fn take(from: &mut impl Read, size: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(size as u64).read_to_end(&mut bytes)?;
    match bytes.len() == size {
        true => Ok(bytes),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn four(bytes: &[u8]) -> [u8; 4] {
    [bytes[0], bytes[1], bytes[2], bytes[3]]
}

fn eight(bytes: &[u8]) -> [u8; 8] {
    std::array::from_fn(|at| bytes[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(body: usize) -> Frame {
        let (name, body) = ("run".to_owned(), vec![7; body]);
        Frame { status: -1, seq: 1 << 40, name, body, ..Frame::new(Kind::Call, 3) }
    }

    fn bytes(frame: &Frame) -> Vec<u8> {
        let mut bytes = Vec::new();
        frame.write(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn what_is_written_is_read() {
        for size in [0, 1, SMALL, SMALL + 1] {
            let frame = frame(size);
            let bytes = bytes(&frame);
            assert_eq!(bytes.len(), HEADER + 3 + size);
            let mut rest = &bytes[..];
            assert_eq!(Frame::read(&mut rest).unwrap(), Some(frame));
            assert_eq!(Frame::read(&mut rest).unwrap(), None);
        }
    }

    #[test]
    fn the_header_is_the_line() {
        let mut expect = vec![1, 0, 0, 0, 2, 0, 3, 0, 255, 255, 255, 255, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0];
        expect.extend([0, 0, 0, 0, 0, 1, 0, 0, b'r', b'u', b'n', 7]);
        assert_eq!(bytes(&frame(1)), expect);
    }

    #[test]
    fn a_kind_of_the_future_is_left_out() {
        let mut stream = bytes(&frame(5));
        stream[4] = 200;
        stream.extend(bytes(&frame(0)));
        assert_eq!(Frame::read(&mut &stream[..]).unwrap(), Some(frame(0)));
    }

    fn check(bytes: &[u8], expect: &str) {
        assert_eq!(Frame::read(&mut &*bytes).unwrap_err().to_string(), expect);
    }

    #[test]
    fn what_is_no_frame() {
        let whole = bytes(&frame(10));
        for end in 1..whole.len() {
            assert_eq!(Frame::read(&mut &whole[..end]).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        }
        let claims = |size: u32| [&size.to_le_bytes()[..], &whole[4..]].concat();
        check(&claims(u32::MAX), "a message of 4294967295 bytes");
        check(&claims(2 << 30), "a message of 2147483648 bytes");
        let mut odd = whole.clone();
        odd[HEADER] = 0xff;
        check(&odd, "a name that is not UTF-8");
    }
}
