//! Archives that `ADD` unpacks: whether a file is one, by its content as Docker has it, and what lies in it.
//! Does not know where that goes. What is kept of an archive is decided in docs/decisions/0011-add-unpacks.md.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::Path;

use forge_plugin::schemas::Failure;
use tar::{Entry, EntryType};

use crate::docker::compressed::{self, Format};
use crate::docker::context::leaves_root;
use crate::docker::sources::Found;
use crate::oci::layer::Content;
use crate::oci::rootfs::normal;

const CHUNK: u64 = 1 << 20;

/// An archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// The file's name.
    pub name: String,
    /// What is in it, in its order.
    pub packed: Vec<Found>,
}

/// What lies in `path`, where that is an archive; else none. What was compressed is written to the file `scratch`, and has to
/// stay there until the layer is written. When `stop` says so, it ends with any failure.
pub fn open(name: &str, path: &Path, scratch: &Path, stop: &dyn Fn() -> bool) -> Result<Option<Archive>, Failure> {
    let failed = |error: io::Error| Failure::file("read", path, &error);
    let tar = match compressed::format(path).map_err(failed)? {
        None => path,
        Some(format) if is_tar(compressed::open(path, format).map_err(failed)?) => {
            inflate(path, format, scratch, stop).map_err(|error| damaged(name, &error))?;
            scratch
        }
        Some(_) => return Ok(None),
    };
    match is_tar(File::open(tar).map_err(failed)?) {
        true => Ok(Some(Archive { name: name.to_owned(), packed: list(name, tar)? })),
        false => Ok(None),
    }
}

/// Whether a first entry can be read. A tar of nothing is none, as for Docker.
fn is_tar(content: impl Read) -> bool {
    tar::Archive::new(content).entries().is_ok_and(|mut entries| matches!(entries.next(), Some(Ok(_))))
}

fn inflate(path: &Path, format: Format, scratch: &Path, stop: &dyn Fn() -> bool) -> io::Result<()> {
    let (mut from, mut to) = (compressed::open(path, format)?, BufWriter::new(File::create(scratch)?));
    while io::copy(&mut from.by_ref().take(CHUNK), &mut to)? > 0 {
        if stop() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
    }
    to.flush()
}

fn list(name: &str, tar: &Path) -> Result<Vec<Found>, Failure> {
    let file = File::open(tar).map_err(|error| Failure::file("read", tar, &error))?;
    let mut listing = Listing { name, tar, packed: Vec::new(), by_path: BTreeMap::new() };
    let size = file.metadata().map_err(|error| Failure::file("read", tar, &error))?.len();
    let mut archive = tar::Archive::new(BufReader::new(file));
    for entry in archive.entries_with_seek().map_err(|error| damaged(name, &error))? {
        let mut entry = entry.map_err(|error| damaged(name, &error))?;
        if entry.raw_file_position().checked_add(entry.size()).is_none_or(|end| end > size) {
            return Err(damaged(name, &"it ends before its last entry does"));
        }
        listing.add(&mut entry)?;
    }
    Ok(listing.packed)
}

struct Listing<'a> {
    name: &'a str,
    tar: &'a Path,
    packed: Vec<Found>,
    /// What lies at a path so far, for hard links.
    by_path: BTreeMap<String, usize>,
}

impl Listing<'_> {
    fn add<R: Read + Seek>(&mut self, entry: &mut Entry<'_, R>) -> Result<(), Failure> {
        if entry.header().entry_type() == EntryType::XGlobalHeader {
            return Ok(());
        }
        let path = self.text(entry.path_bytes().as_ref())?;
        self.check(entry, &path)?;
        let content = self.content(entry, &path)?;
        let header = entry.header();
        let numbers = || Ok::<_, io::Error>((header.mode()? & 0o7777, header.uid()?, header.gid()?));
        let (mode, uid, gid) = numbers().map_err(|error| damaged(self.name, &error))?;
        let path = normal(&path);
        // The destination itself, which is there already.
        if path.is_empty() && content == Content::Directory {
            return Ok(());
        }
        let mode = if matches!(content, Content::Link(_)) { 0o777 } else { mode };
        self.by_path.insert(path.clone(), self.packed.len());
        self.packed.push(Found { path, mode, content, owner: Some((uid, gid)) });
        Ok(())
    }

    fn check<R: Read + Seek>(&self, entry: &mut Entry<'_, R>, path: &str) -> Result<(), Failure> {
        if leaves_root(path) {
            return Err(self.refuse(path, "leads out of the directory that it is unpacked to"));
        }
        if normal(path).split('/').any(|part| part.starts_with(".wh.")) {
            return Err(self.refuse(path, "would hide files of the image: `.wh.` means that in a layer"));
        }
        let Some(extensions) = entry.pax_extensions().map_err(|error| damaged(self.name, &error))? else {
            return Ok(());
        };
        for extension in extensions {
            let extension = extension.map_err(|error| damaged(self.name, &error))?;
            match extension.key_bytes() {
                b"SCHILY.xattr.security.capability" => {
                    return Err(self.refuse(path, "has capabilities, which forge does not write"));
                }
                key if key.starts_with(b"GNU.sparse.") => return Err(self.refuse(path, SPARSE)),
                _ => {}
            }
        }
        Ok(())
    }

    fn content<R: Read + Seek>(&self, entry: &Entry<'_, R>, path: &str) -> Result<Content, Failure> {
        match entry.header().entry_type() {
            EntryType::Directory => Ok(Content::Directory),
            // So wrote it who did not know the type of directories.
            EntryType::Regular if path.ends_with('/') => Ok(Content::Directory),
            EntryType::Regular | EntryType::Continuous => {
                Ok(Content::Part { file: self.tar.to_owned(), offset: entry.raw_file_position(), size: entry.size() })
            }
            EntryType::Symlink => Ok(Content::Link(self.target(entry)?)),
            EntryType::Link => {
                let to = self.target(entry)?;
                let found = self.by_path.get(&normal(&to)).map(|at| &self.packed[*at].content);
                match found {
                    Some(Content::Directory) | None => {
                        Err(self.refuse(path, &format!("is a hard link to `{to}`, which is no file before it")))
                    }
                    Some(content) => Ok(content.clone()),
                }
            }
            EntryType::Char | EntryType::Block => Err(self.refuse(path, "is a device")),
            EntryType::Fifo => Err(self.refuse(path, "is a named pipe")),
            EntryType::GNUSparse => Err(self.refuse(path, SPARSE)),
            _ => Err(self.refuse(path, "is neither a file nor a directory nor a link")),
        }
    }

    fn target<R: Read>(&self, entry: &Entry<'_, R>) -> Result<String, Failure> {
        match entry.link_name_bytes() {
            Some(bytes) => self.text(&bytes),
            None => Err(damaged(self.name, &"a link in it leads nowhere")),
        }
    }

    fn text(&self, bytes: &[u8]) -> Result<String, Failure> {
        let text = std::str::from_utf8(bytes).map(str::to_owned);
        text.map_err(|_| self.refuse(&String::from_utf8_lossy(bytes), "is not UTF-8, which images need"))
    }

    fn refuse(&self, path: &str, why: &str) -> Failure {
        refuse(self.name, path, why)
    }
}

const SPARSE: &str = "is a sparse file, which forge does not read";

/// The failure that something in an archive is.
pub fn refuse(archive: &str, path: &str, why: &str) -> Failure {
    Failure::input(format!("`{archive}` can't be unpacked: `{path}` {why}"))
        .help("make the archive without it, or write `COPY` to have the archive itself in the image")
}

fn damaged(name: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure::input(format!("the archive `{name}` is damaged")).cause(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::{Command, Stdio};

    use expect_test::{Expect, expect};
    use tar::{Builder, Header};

    use super::*;

    /// An entry as bytes, with a name that a builder would refuse.
    fn entry(tar: &mut Vec<u8>, kind: EntryType, name: &str, link: &str, content: &str) {
        let mut header = Header::new_ustar();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(0o4750);
        header.set_uid(1000);
        header.set_gid(100);
        header.set_size(content.len() as u64);
        header.set_cksum();
        tar.extend(header.as_bytes());
        tar.extend(content.as_bytes());
        tar.resize(tar.len().next_multiple_of(512), 0);
    }

    fn tar(entries: &[(EntryType, &str, &str)]) -> Vec<u8> {
        let mut tar = Vec::new();
        for (kind, name, more) in entries {
            let (link, content) = if kind.is_file() { ("", *more) } else { (*more, "") };
            entry(&mut tar, *kind, name, link, content);
        }
        tar.extend([0; 1024]);
        tar
    }

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(content).unwrap();
        gzip.finish().unwrap()
    }

    /// The same by a program of this machine.
    fn compress(program: &str, content: &[u8]) -> Vec<u8> {
        let child = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("`{program}`: {error}"));
        let mut stdin = child.stdin.take().unwrap();
        let content = content.to_vec();
        let writing = std::thread::spawn(move || stdin.write_all(&content).unwrap());
        let output = child.wait_with_output().unwrap();
        writing.join().unwrap();
        assert!(output.status.success(), "{program}");
        output.stdout
    }

    fn whose(owner: &Option<(u64, u64)>) -> String {
        owner.map_or_else(String::new, |(uid, gid)| format!("{uid}:{gid}"))
    }

    fn check(content: &[u8], expect: Expect) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, content).unwrap();
        let line = |Found { path, mode, content, owner }: &Found| match content {
            Content::Link(to) => format!("{mode:o} {} {path} -> {to}\n", whose(owner)),
            Content::Part { file, offset, size } => {
                let bytes = fs::read(file).unwrap();
                let start = usize::try_from(*offset).unwrap();
                let text = String::from_utf8_lossy(&bytes[start..start + usize::try_from(*size).unwrap()]).into_owned();
                format!("{mode:o} {} {path} {text}\n", whose(owner))
            }
            _ => format!("{mode:o} {} {path}/\n", whose(owner)),
        };
        expect.assert_eq(&match open("a", &path, &dir.path().join("scratch"), &|| false) {
            Ok(Some(archive)) => archive.packed.iter().map(line).collect(),
            Ok(None) => "no archive".to_owned(),
            Err(failure) => [&[failure.to_string()], &failure.causes[..]].concat().join(": "),
        });
    }

    #[test]
    fn what_lies_in_an_archive() {
        use EntryType::{Directory, Link, Regular, Symlink};
        let all = tar(&[
            (Directory, "./", ""),
            (Directory, "./etc/", ""),
            (Regular, "./etc/a.conf", "a"),
            (Link, "hard", "./etc/a.conf"),
            (Symlink, "sh", "/bin/busybox"),
            (Regular, "/usr/x/../y", "y"),
        ]);
        check(
            &all,
            expect![[r#"
            4750 1000:100 etc/
            4750 1000:100 etc/a.conf a
            4750 1000:100 hard a
            777 1000:100 sh -> /bin/busybox
            4750 1000:100 usr/y y
        "#]],
        );
        check(
            &gzip(&all),
            expect![[r#"
            4750 1000:100 etc/
            4750 1000:100 etc/a.conf a
            4750 1000:100 hard a
            777 1000:100 sh -> /bin/busybox
            4750 1000:100 usr/y y
        "#]],
        );
    }

    /// Whole, in two parts, without its end, and with a byte of another value.
    #[test]
    fn however_it_is_compressed() {
        let entries: Vec<String> = (0..200).map(|at| format!("{at}")).collect();
        let entries: Vec<_> = entries.iter().map(|it| (EntryType::Regular, it.as_str(), "content")).collect();
        let all = tar(&entries);
        for program in ["gzip", "bzip2", "xz", "zstd"] {
            let listed = |content: &[u8]| {
                let dir = tempfile::tempdir().unwrap();
                let path = dir.path().join("a");
                fs::write(&path, content).unwrap();
                match open("a", &path, &dir.path().join("scratch"), &|| false) {
                    Ok(archive) => format!("{:?}", archive.map(|it| it.packed.len())),
                    Err(failure) => failure.to_string(),
                }
            };
            let whole = compress(program, &all);
            assert_eq!(listed(&whole), "Some(200)", "{program}");
            let (one, two) = all.split_at(2048);
            let parts = [compress(program, one), compress(program, two)].concat();
            assert_eq!(listed(&parts), "Some(200)", "{program}");
            let ends = &parts[..parts.len() - 6];
            assert_eq!(listed(ends), "the archive `a` is damaged", "{program}");
            let mut flipped = parts.clone();
            let at = flipped.len() - 40;
            flipped[at] ^= 0x55;
            assert_eq!(listed(&flipped), "the archive `a` is damaged", "{program}");
        }
    }

    #[test]
    fn what_is_no_archive() {
        check(b"", expect!["no archive"]);
        check(b"a file", expect!["no archive"]);
        check(&gzip(b"a file"), expect!["no archive"]);
        check(&[0; 1024], expect!["no archive"]);
        check(b"BZh is how some text begins", expect!["no archive"]);
        check(b"BZh91AY&SY and so on", expect!["no archive"]);
        check(b"\xfd7zXZ\0 and so on", expect!["no archive"]);
        check(b"\x28\xb5\x2f\xfd and so on", expect!["no archive"]);
        check(b"\x50\x2a\x4d\x18\0\0\0\0 and so on", expect!["no archive"]);
        for content in ["gzip", "bzip2", "xz", "zstd"].map(|program| compress(program, b"a file")) {
            check(&content, expect!["no archive"]);
        }
    }

    #[test]
    fn what_forge_does_not_unpack() {
        use EntryType::{Block, Fifo, Link, Regular};
        check(
            &tar(&[(Regular, "a/../../x", "")]),
            expect!["`a` can't be unpacked: `a/../../x` leads out of the directory that it is unpacked to"],
        );
        check(
            &tar(&[(Regular, "/../x", "")]),
            expect!["`a` can't be unpacked: `/../x` leads out of the directory that it is unpacked to"],
        );
        check(&tar(&[(Block, "dev/sda", "")]), expect!["`a` can't be unpacked: `dev/sda` is a device"]);
        check(&tar(&[(Fifo, "run/pipe", "")]), expect!["`a` can't be unpacked: `run/pipe` is a named pipe"]);
        check(
            &tar(&[(Link, "x", "../etc/passwd")]),
            expect!["`a` can't be unpacked: `x` is a hard link to `../etc/passwd`, which is no file before it"],
        );
        check(
            &tar(&[(Regular, "etc/.wh.passwd", "")]),
            expect![
                "`a` can't be unpacked: `etc/.wh.passwd` would hide files of the image: `.wh.` means that in a layer"
            ],
        );
        let mut capable = Builder::new(Vec::new());
        capable.append_pax_extensions([("SCHILY.xattr.security.capability", &b"x"[..])]).unwrap();
        let mut capable = capable.into_inner().unwrap();
        capable.truncate(capable.len() - 1024);
        capable.extend(tar(&[(Regular, "bin/ping", "")]));
        check(&capable, expect!["`a` can't be unpacked: `bin/ping` has capabilities, which forge does not write"]);
    }

    #[test]
    fn damaged_ones() {
        let whole = tar(&[(EntryType::Regular, "a", "a"), (EntryType::Regular, "b", "bbb")]);
        check(&whole[..1024 + 513], expect!["the archive `a` is damaged: it ends before its last entry does"]);
        let mut flipped = whole.clone();
        flipped[1024] ^= 1;
        check(&flipped, expect!["the archive `a` is damaged: archive header checksum mismatch"]);
        let gzipped = gzip(&[whole, vec![0; 1 << 16]].concat());
        check(&gzipped[..gzipped.len() - 9], expect!["the archive `a` is damaged: incomplete deflate stream"]);
    }
}
