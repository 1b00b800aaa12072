//! What lies in a package, as a tar: each with its path, owner, permissions and time, in order.
//! Does not know what is around the tar, nor what formats keep beside it.

use std::fs::File;
use std::io::{self, Read, Write};

use flate2::{Compression, GzBuilder, write::GzEncoder};
use forge_plugin::schemas::Failure;
use tar::{Builder, EntryType, Header};

use super::parcel::{Item, What};

/// A tar that grows.
pub struct Tarball<W: Write> {
    builder: Builder<W>,
    dialect: Dialect,
}

/// How a tar says what has no place in its headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// As GNU tar does, which dpkg reads. Paths begin with `./`.
    Gnu,
    /// In headers of POSIX's pax.
    Pax,
}

/// Something said in such a header: its name, and its value.
pub type Record = (&'static str, String);

/// Reads a file, and shows all that it reads to someone.
struct Seen<R, F> {
    inner: R,
    see: F,
    count: u64,
}

/// A file of a package that is none of the project.
pub struct Note<'a> {
    pub path: &'a str,
    pub mode: u32,
    pub time: u64,
    pub bytes: &'a [u8],
}

/// The longest path that a tar can hold without help.
const SHORT: usize = 99;

impl<W: Write> Tarball<W> {
    pub fn new(sink: W, dialect: Dialect) -> Tarball<W> {
        Tarball { builder: Builder::new(sink), dialect }
    }

    /// Appends something, and shows the content of a file to `see`.
    pub fn put(&mut self, item: &Item, see: impl FnMut(&[u8])) -> Result<(), Failure> {
        self.put_with(item, Vec::new(), see)
    }

    /// The same, with more said of it, in the dialect of pax.
    pub fn put_with(&mut self, item: &Item, said: Vec<Record>, see: impl FnMut(&[u8])) -> Result<(), Failure> {
        let mut header = header(item);
        let written = match &item.what {
            What::Ghost => Ok(()),
            What::Parent | What::Directory => self.entry(&mut header, &format!("{}/", item.path), said, io::empty()),
            What::Link { to } => self.link(&mut header, &item.path, to, said),
            What::File { from, size, .. } => {
                let file = File::open(from).map_err(|error| Failure::file("read", from, &error))?;
                let mut seen = Seen { inner: file.take(*size), see, count: 0 };
                let written = self.entry(&mut header, &item.path, said, &mut seen);
                if written.is_ok() && seen.count != *size {
                    return Err(Failure::input(format!("`{}` has changed while it was read", from.display())));
                }
                written
            }
        };
        written.map_err(failure)
    }

    /// Appends a file that is made here.
    pub fn note(&mut self, note: &Note<'_>) -> Result<(), Failure> {
        let mut header = blank(note.mode, note.time, "root", "root");
        header.set_size(note.bytes.len() as u64);
        header.set_entry_type(EntryType::Regular);
        self.entry(&mut header, note.path, Vec::new(), note.bytes).map_err(failure)
    }

    /// Ends it with two empty blocks.
    pub fn finish(self) -> Result<W, Failure> {
        self.builder.into_inner().map_err(failure)
    }

    fn entry(&mut self, header: &mut Header, path: &str, said: Vec<Record>, content: impl Read) -> io::Result<()> {
        let (path, is_long) = self.path(path);
        match self.dialect {
            Dialect::Gnu if is_long => self.builder.append_data(header, path, content),
            Dialect::Gnu => self.append(header, &path, content),
            Dialect::Pax => {
                let long = is_long.then(|| ("path", path.clone()));
                self.say(said.into_iter().chain(long).collect(), header)?;
                self.append(header, &path, content)
            }
        }
    }

    fn link(&mut self, header: &mut Header, path: &str, to: &str, said: Vec<Record>) -> io::Result<()> {
        let (path, is_long) = self.path(path);
        if self.dialect == Dialect::Gnu && (is_long || to.len() > SHORT) {
            return self.builder.append_link(header, path, to);
        }
        let short = &to.as_bytes()[..to.len().min(SHORT)];
        header.as_old_mut().linkname[..short.len()].copy_from_slice(short);
        let long = (to.len() > SHORT).then(|| ("linkpath", to.to_owned()));
        self.entry(header, &path, said.into_iter().chain(long).collect(), io::empty())
    }

    /// A path as the dialect has it, and whether it is too long for a header.
    fn path(&self, path: &str) -> (String, bool) {
        let path = match self.dialect {
            Dialect::Gnu if !path.starts_with("./") => format!("./{path}"),
            _ => path.to_owned(),
        };
        let is_long = path.len() > SHORT;
        (path, is_long)
    }

    /// A header of pax, which needs a name: apk takes one without for the end.
    fn say(&mut self, said: Vec<Record>, of: &Header) -> io::Result<()> {
        if said.is_empty() {
            return Ok(());
        }
        let text: String = said.iter().map(|(name, value)| record(name, value)).collect();
        let mut header = blank(0o644, of.mtime()?, "root", "root");
        header.set_size(text.len() as u64);
        header.set_entry_type(EntryType::XHeader);
        self.append(&mut header, "PaxHeaders", text.as_bytes())
    }

    /// With the path as it stands: the library would leave `./` out. What is too long is cut off.
    fn append(&mut self, header: &mut Header, path: &str, content: impl Read) -> io::Result<()> {
        let short = &path.as_bytes()[..path.len().min(SHORT)];
        let name = &mut header.as_old_mut().name;
        name.fill(0);
        name[..short.len()].copy_from_slice(short);
        header.set_cksum();
        self.builder.append(header, content)
    }
}

/// `27 name=value`: the number counts itself (POSIX, pax, "pax Extended Header").
fn record(name: &str, value: &str) -> String {
    let rest = format!(" {name}={value}\n");
    let mut size = rest.len() + 1;
    while size != rest.len() + size.to_string().len() {
        size = rest.len() + size.to_string().len();
    }
    format!("{size}{rest}")
}

fn header(item: &Item) -> Header {
    let mut header = blank(item.mode, item.time, &item.owner, &item.group);
    header.set_size(item.size());
    header.set_entry_type(match item.what {
        What::Parent | What::Directory => EntryType::Directory,
        What::Link { .. } => EntryType::Symlink,
        What::File { .. } | What::Ghost => EntryType::Regular,
    });
    header
}

fn blank(mode: u32, time: u64, owner: &str, group: &str) -> Header {
    let mut header = Header::new_gnu();
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(0);
    header.set_mtime(time);
    // Names are short: they were looked at while planning.
    let _ = header.set_username(owner).and_then(|()| header.set_groupname(group));
    header
}

/// gzip in one member, since there are readers who stop behind the first. No name, no time, operating system unknown.
pub fn gzip<W: Write>(sink: W) -> GzEncoder<W> {
    GzBuilder::new().operating_system(255).write(sink, Compression::new(6))
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is written here can't be.
pub fn failure(error: io::Error) -> Failure {
    Failure::input("the package can't be written").cause(error.to_string())
}

impl<R: Read, F: FnMut(&[u8])> Read for Seen<R, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        (self.see)(&buffer[..count]);
        self.count += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::checks::listing;

    /// A file and a link with a long path, as they are read.
    fn check(dialect: Dialect, expect: &str) {
        let long = ["a-name-of-thirty-characters-is"; 4].join("/");
        let mut tar = Tarball::new(Vec::new(), dialect);
        tar.note(&Note { path: &format!("{long}/x"), mode: 0o644, time: 7, bytes: b"x" }).unwrap();
        let (owner, group) = ("root".to_owned(), "root".to_owned());
        let what = What::Link { to: format!("/{long}") };
        tar.put(&Item { path: "short".to_owned(), mode: 0o777, owner, group, time: 7, what }, |_| {}).unwrap();
        assert_eq!(listing(tar.finish().unwrap().as_slice(), &[]).replace(&long, "LONG"), expect);
    }

    /// The library leaves `./` out of what is too long for it; dpkg takes both.
    #[test]
    fn long_paths() {
        check(Dialect::Gnu, "644 root:root 7 1 ./LONG/x\n777 root:root 7 0 short -> /LONG\n");
        check(Dialect::Pax, "644 root:root 7 1 LONG/x\n777 root:root 7 0 short -> /LONG\n");
    }

    #[test]
    fn a_record_counts_itself() {
        assert_eq!(record("a", "b"), "6 a=b\n");
        assert_eq!(record("a", "bcdef"), "11 a=bcdef\n");
        assert_eq!(record("a", &"x".repeat(93)).len(), 99);
        assert_eq!(record("a", &"x".repeat(94)).len(), 101);
    }
}
