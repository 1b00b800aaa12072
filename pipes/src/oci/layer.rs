//! Layers: entries into a compressed tar whose bytes depend on nothing but them (image-spec, "Image Layer Filesystem Changeset").
//! Does not know where an entry should lie in an image: paths come resolved.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek as _, SeekFrom, Take, Write};
use std::path::{Path, PathBuf};

use forge_plugin::schemas::{Digest, Digester};
use tar::{Builder, EntryType, Header};

use crate::oci::compression::Compression;
use crate::oci::pieces::PieceWriter;

const CHANGED: &str = "it changed while it was read";

/// One file, directory or link of a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it lies in the image, without a `/` before or behind: `usr/bin/hello`.
    pub path: String,
    /// Permissions: `0o755`.
    pub mode: u32,
    /// The owner's number.
    pub uid: u64,
    /// The group's number.
    pub gid: u64,
    /// What it is.
    pub content: Content,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A directory.
    Directory,
    /// A file with the content of this one, which is read when the layer is written.
    File(PathBuf),
    /// A file with this content.
    Text(Vec<u8>),
    /// A file with so many bytes of this one, which is read when the layer is written.
    Part {
        /// Where they are.
        file: PathBuf,
        /// How many stand before them.
        offset: u64,
        /// How many they are.
        size: u64,
    },
    /// A symbolic link to this.
    Link(String),
}

/// A layer that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layer {
    /// The digest of the tar.
    pub diff_id: Digest,
    /// The digest of the compressed tar.
    pub digest: Digest,
    /// The size of the compressed tar, in bytes.
    pub size: u64,
}

/// What all layers of an image have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// The time of every entry, in seconds since 1970; earlier is 1970.
    pub timestamp: i64,
    /// How they are compressed.
    pub compression: Compression,
}

impl Style {
    /// The time of an entry.
    pub(crate) fn mtime(&self) -> u64 {
        u64::try_from(self.timestamp).unwrap_or(0)
    }
}

/// Writes a layer to the file `path`, in one pass over its entries, sorted by path. Of two entries with one path the later
/// wins. When `stop` says so, it ends with an error of kind `ConnectionAborted`.
pub fn write(entries: Vec<Entry>, style: Style, path: &Path, stop: &dyn Fn() -> bool) -> io::Result<Layer> {
    let mut file = LayerFile::create(path, style.compression)?;
    let mtime = style.mtime();
    for entry in in_order(entries) {
        append(&mut file.tar, &entry, mtime, stop)
            .map_err(|error| io::Error::new(error.kind(), format!("`{}`: {error}", entry.path)))?;
    }
    file.finish()
}

/// Writes the file `path` from a tar that is whole, as it is.
pub fn compress(tar: &mut dyn Read, path: &Path) -> io::Result<Layer> {
    let mut sink = sink(path, Compression::Gzip)?;
    io::copy(tar, &mut sink)?;
    finish(sink)
}

/// Takes a tar, writes it compressed, and knows the digest of both.
pub(crate) type Sink = Hashing<PieceWriter<Hashing<BufWriter<File>>, Compression>>;

/// A layer that is being written.
pub(crate) struct LayerFile {
    /// What goes into it.
    pub(crate) tar: Builder<Sink>,
}

impl LayerFile {
    /// A new one, at `path`.
    pub(crate) fn create(path: &Path, compression: Compression) -> io::Result<LayerFile> {
        let mut tar = Builder::new(sink(path, compression)?);
        tar.sparse(false);
        Ok(LayerFile { tar })
    }

    /// All of it is written.
    pub(crate) fn finish(self) -> io::Result<Layer> {
        finish(self.tar.into_inner()?)
    }
}

fn sink(path: &Path, compression: Compression) -> io::Result<Sink> {
    let file = Hashing { sink: BufWriter::new(File::create(path)?), digester: Digester::default() };
    Ok(Hashing { sink: PieceWriter::new(file, compression), digester: Digester::default() })
}

/// What a layer was, now that all of it is written.
fn finish(layer: Sink) -> io::Result<Layer> {
    let Hashing { sink: blocks, digester: plain } = layer;
    let Hashing { sink: mut file, digester: compressed } = blocks.finish()?;
    file.flush()?;
    let (digest, size) = compressed.finish();
    Ok(Layer { diff_id: plain.finish().0, digest, size })
}

fn in_order(entries: Vec<Entry>) -> Vec<Entry> {
    let by_path: std::collections::BTreeMap<String, Entry> =
        entries.into_iter().map(|entry| (entry.path.clone(), entry)).collect();
    by_path.into_values().collect()
}

fn append<W: Write>(tar: &mut Builder<W>, entry: &Entry, mtime: u64, stop: &dyn Fn() -> bool) -> io::Result<()> {
    let mut header = Header::new_ustar();
    header.set_mode(entry.mode);
    header.set_uid(entry.uid);
    header.set_gid(entry.gid);
    header.set_mtime(mtime);
    append_content(tar, &mut header, &entry.path, &entry.content, stop)
}

/// Appends something to a tar. Its header says all but what it is and how large.
pub(crate) fn append_content<W: Write>(
    tar: &mut Builder<W>,
    header: &mut Header,
    path: &str,
    content: &Content,
    stop: &dyn Fn() -> bool,
) -> io::Result<()> {
    match content {
        Content::Directory => {
            header.set_entry_type(EntryType::Directory);
            append_bytes(tar, header, &format!("{path}/"), &[])
        }
        Content::Text(text) => append_bytes(tar, header, path, text),
        Content::File(from) => append_file(tar, header, path, from, stop),
        Content::Part { file, offset, size } => {
            let mut file = File::open(file)?;
            file.seek(SeekFrom::Start(*offset))?;
            append_part(tar, header, path, file.take(*size), stop)
        }
        Content::Link(to) => {
            header.set_entry_type(EntryType::Symlink);
            header.set_size(0);
            tar.append_link(header, path, to)
        }
    }
}

fn append_bytes<W: Write>(tar: &mut Builder<W>, header: &mut Header, path: &str, bytes: &[u8]) -> io::Result<()> {
    header.set_size(bytes.len() as u64);
    tar.append_data(header, path, bytes)
}

/// The size stands before the content, so a file that shrinks or grows meanwhile would break the archive.
fn append_file<W: Write>(
    tar: &mut Builder<W>,
    header: &mut Header,
    path: &str,
    from: &Path,
    stop: &dyn Fn() -> bool,
) -> io::Result<()> {
    let file = File::open(from)?;
    let size = file.metadata()?.len();
    header.set_size(size);
    let mut content = Stoppable { source: file.take(size + 1), stop };
    tar.append_data(header, path, &mut content)?;
    match content.source.limit() {
        1 => Ok(()),
        _ => Err(io::Error::other(CHANGED)),
    }
}

fn append_part<W: Write>(
    tar: &mut Builder<W>,
    header: &mut Header,
    path: &str,
    part: Take<File>,
    stop: &dyn Fn() -> bool,
) -> io::Result<()> {
    header.set_size(part.limit());
    let mut content = Stoppable { source: part, stop };
    tar.append_data(header, path, &mut content)?;
    match content.source.limit() {
        0 => Ok(()),
        _ => Err(io::Error::other(CHANGED)),
    }
}

/// Reads on, until it is to stop.
pub(crate) struct Stoppable<'a, R> {
    /// What it reads.
    pub(crate) source: R,
    /// Whether it is to stop.
    pub(crate) stop: &'a dyn Fn() -> bool,
}

impl<R: Read> Read for Stoppable<'_, R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match (self.stop)() {
            true => Err(io::ErrorKind::ConnectionAborted.into()),
            false => self.source.read(bytes),
        }
    }
}

/// Writes on, and computes the digest of what passes.
pub(crate) struct Hashing<W> {
    sink: W,
    digester: Digester,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.sink.write(bytes)?;
        self.digester.write_all(&bytes[..written])?;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn entry(path: &str, mode: u32, content: Content) -> Entry {
        Entry { path: path.to_owned(), mode, uid: 0, gid: 0, content }
    }

    fn check(entries: Vec<Entry>, expect: Expect) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("layer");
        let layer = write(entries, Style { timestamp: 1_767_323_045, ..Style::default() }, &path, &|| false).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!((Digest::of(&bytes), bytes.len() as u64), (layer.digest, layer.size));
        let mut plain = Vec::new();
        flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_end(&mut plain).unwrap();
        assert_eq!(Digest::of(&plain), layer.diff_id);
        let mut listing = format!("{} {}\n", layer.diff_id.short(), layer.digest.short());
        for entry in tar::Archive::new(&plain[..]).entries().unwrap() {
            let entry = entry.unwrap();
            let header = entry.header();
            let link = entry.link_name().unwrap().map(|it| format!(" -> {}", it.display())).unwrap_or_default();
            listing += &format!(
                "{:?} {:o} {}:{} {} {} {}{link}\n",
                header.entry_type(),
                header.mode().unwrap(),
                header.uid().unwrap(),
                header.gid().unwrap(),
                header.mtime().unwrap(),
                header.size().unwrap(),
                entry.path().unwrap().display(),
            );
        }
        expect.assert_eq(&listing);
    }

    #[test]
    fn a_large_file_can_be_interrupted() {
        let dir = tempfile::tempdir().unwrap();
        let large = dir.path().join("large");
        File::create(&large).unwrap().set_len(1 << 30).unwrap();
        let asked = std::cell::Cell::new(0);
        let stop = || asked.replace(asked.get() + 1) > 2;
        let error = write(
            vec![entry("large", 0o644, Content::File(large))],
            Style::default(),
            &dir.path().join("layer"),
            &stop,
        );
        assert_eq!(error.unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
        assert_eq!(asked.get(), 4);
    }

    #[test]
    fn entries_sorted_with_one_time_and_owner() {
        let long = format!("a/{}", "x".repeat(150));
        check(
            vec![
                entry("usr/bin/hello", 0o755, Content::Text(b"hello".to_vec())),
                entry("usr", 0o755, Content::Directory),
                entry("usr/bin", 0o755, Content::Directory),
                entry("bin", 0o777, Content::Link("usr/bin".to_owned())),
                entry(&long, 0o644, Content::Text(Vec::new())),
            ],
            expect![[r#"
                e44997f600aa 0bfb6ad837a2
                Regular 644 0:0 1767323045 0 a/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
                Symlink 777 0:0 1767323045 0 bin -> usr/bin
                Directory 755 0:0 1767323045 0 usr/
                Directory 755 0:0 1767323045 0 usr/bin/
                Regular 755 0:0 1767323045 5 usr/bin/hello
            "#]],
        );
        check(
            Vec::new(),
            expect![[r#"
            5f70bf18a086 06ae4b1b2dae
        "#]],
        );
    }
}
