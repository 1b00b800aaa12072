//! A zip (APPNOTE.TXT), whose bytes depend on nothing but its entries. Zip has no owners.
//! Does not know how content is compressed.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom, Write};

use rawzip::extra_fields::ExtraFieldId;
use rawzip::time::UtcDateTime;
use rawzip::{CompressionMethod, Header, ZipArchiveWriter, ZipFileBuilder};

use super::deflate::Deflate;
use super::entry::Entry;
use crate::oci::layer::{Content, Stoppable};
use crate::oci::pieces::PieceWriter;

/// What `st_mode` says of a file, and of a link.
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_000;
/// Of three times, the extended timestamp has that of the last change.
const MTIME: u8 = 1;

/// Writes entries into `sink`, in their order. When `stop` says so, it ends with an error of kind `ConnectionAborted`.
pub fn write<W: Write>(entries: &[Entry], sink: W, stop: &dyn Fn() -> bool) -> io::Result<W> {
    let mut zip = ZipArchiveWriter::new(sink);
    for entry in entries {
        append(&mut zip, entry, stop)
            .map_err(|error| io::Error::new(error.kind(), format!("`{}`: {error}", entry.path)))?;
    }
    zip.finish().map_err(io::Error::other)
}

fn append<W: Write>(zip: &mut ZipArchiveWriter<W>, entry: &Entry, stop: &dyn Fn() -> bool) -> io::Result<()> {
    match &entry.content {
        Content::Directory => append_directory(zip, entry),
        Content::Link(to) => append_as_it_is(zip, entry, to.as_bytes()),
        Content::Text(text) => append_deflated(zip, entry, &mut &text[..]),
        Content::File(path) => append_deflated(zip, entry, &mut Stoppable { source: File::open(path)?, stop }),
        Content::Part { file, offset, size } => {
            let mut file = File::open(file)?;
            file.seek(SeekFrom::Start(*offset))?;
            append_deflated(zip, entry, &mut Stoppable { source: file.take(*size), stop })
        }
    }
}

fn append_directory<W: Write>(zip: &mut ZipArchiveWriter<W>, entry: &Entry) -> io::Result<()> {
    let directory = zip.new_dir(&entry.path).last_modified(time(entry)).unix_permissions(entry.mode);
    directory.create().map_err(io::Error::other).map(drop)
}

fn append_as_it_is<W: Write>(zip: &mut ZipArchiveWriter<W>, entry: &Entry, bytes: &[u8]) -> io::Result<()> {
    let file = named(zip, entry, LINK)?;
    let (mut file, content) = file.start().map_err(io::Error::other)?;
    let mut content = content.wrap(&mut file);
    content.write_all(bytes)?;
    let (_, descriptor) = content.finish().map_err(io::Error::other)?;
    file.finish(descriptor).map_err(io::Error::other).map(drop)
}

fn append_deflated<W: Write>(zip: &mut ZipArchiveWriter<W>, entry: &Entry, from: &mut dyn Read) -> io::Result<()> {
    let file = named(zip, entry, FILE)?.compression_method(CompressionMethod::DEFLATE);
    let (mut file, content) = file.start().map_err(io::Error::other)?;
    let mut content = content.wrap(PieceWriter::new(&mut file, Deflate));
    io::copy(from, &mut content)?;
    let (pieces, descriptor) = content.finish().map_err(io::Error::other)?;
    pieces.finish()?;
    file.finish(descriptor).map_err(io::Error::other).map(drop)
}

fn named<'a, 'e, W: Write>(
    zip: &'a mut ZipArchiveWriter<W>,
    entry: &'e Entry,
    what: u32,
) -> io::Result<ZipFileBuilder<'a, 'e, W>> {
    let file = zip.new_file(&entry.path).last_modified(time(entry)).unix_permissions(what | entry.mode);
    // The library has it in the directory at the end alone, and unzip reads it here.
    let mtime = [&[MTIME][..], &u32::try_from(entry.stamp.mtime).unwrap_or(u32::MAX).to_le_bytes()].concat();
    file.extra_field(ExtraFieldId::EXTENDED_TIMESTAMP, &mtime, Header::LOCAL).map_err(io::Error::other)
}

/// The format's own times begin in 1980 and know even seconds only; a field beside them has the whole time, in UTC.
fn time(entry: &Entry) -> UtcDateTime {
    UtcDateTime::from_unix(i64::try_from(entry.stamp.mtime).unwrap_or(i64::MAX))
}
