//! The formats of archives: a table of what each is made of.
//! Does not know how any of it is written: a container and a compressor are a file each.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use forge_plugin::schemas::{Failure, FailureClass};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::entry::Entry;
use super::gzip::Gzip;
use super::xz::Xz;
use super::{tar, zip, zstd};
use crate::oci::layer::{Content, Stoppable};
use crate::oci::pieces::{PieceWriter, Pieces};

/// What an archive is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum Format {
    /// A tar, compressed by gzip: what everything can read.
    #[default]
    #[serde(rename = "tar.gz")]
    TarGz,
    /// The same by another name.
    #[serde(rename = "tgz")]
    Tgz,
    /// A tar, compressed by xz: the smallest, and the slowest to make.
    #[serde(rename = "tar.xz")]
    TarXz,
    /// The same by another name.
    #[serde(rename = "txz")]
    Txz,
    /// A tar, compressed by zstd: smaller than by gzip, and the fastest to unpack.
    #[serde(rename = "tar.zst")]
    TarZst,
    /// The same by another name.
    #[serde(rename = "tzst")]
    Tzst,
    /// A tar as it is.
    #[serde(rename = "tar")]
    Tar,
    /// A zip: what Windows can read.
    #[serde(rename = "zip")]
    Zip,
    /// Each program alone, compressed by gzip.
    #[serde(rename = "gz")]
    Gz,
    /// Each program alone, compressed by xz.
    #[serde(rename = "xz")]
    Xz,
    /// Each program alone, compressed by zstd.
    #[serde(rename = "zst")]
    Zst,
    /// Each program alone, as it is.
    #[serde(rename = "binary")]
    Binary,
}

/// What holds the entries of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// A tar.
    Tar,
    /// A zip, which compresses what is in it itself.
    Zip,
    /// Nothing: it is one file.
    None,
}

/// What a format is made of.
struct Form {
    /// What stands in the project file.
    name: &'static str,
    /// What the names of such archives end with.
    ending: &'static str,
    container: Container,
    /// What its bytes go through.
    stream: fn(BufWriter<File>) -> io::Result<Box<dyn Stream>>,
}

/// All of them, in the order of [`Format`].
const FORMS: [Form; 12] = [
    Form { name: "tar.gz", ending: ".tar.gz", container: Container::Tar, stream: pieces::<Gzip> },
    Form { name: "tgz", ending: ".tgz", container: Container::Tar, stream: pieces::<Gzip> },
    Form { name: "tar.xz", ending: ".tar.xz", container: Container::Tar, stream: pieces::<Xz> },
    Form { name: "txz", ending: ".txz", container: Container::Tar, stream: pieces::<Xz> },
    Form { name: "tar.zst", ending: ".tar.zst", container: Container::Tar, stream: zstd_frame },
    Form { name: "tzst", ending: ".tzst", container: Container::Tar, stream: zstd_frame },
    Form { name: "tar", ending: ".tar", container: Container::Tar, stream: as_it_is },
    Form { name: "zip", ending: ".zip", container: Container::Zip, stream: as_it_is },
    Form { name: "gz", ending: ".gz", container: Container::None, stream: pieces::<Gzip> },
    Form { name: "xz", ending: ".xz", container: Container::None, stream: pieces::<Xz> },
    Form { name: "zst", ending: ".zst", container: Container::None, stream: zstd_frame },
    Form { name: "binary", ending: "", container: Container::None, stream: as_it_is },
];

/// Takes bytes, and writes a file.
trait Stream: Write {
    /// All of it is written.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

impl Format {
    /// What stands in the project file.
    pub fn name(self) -> &'static str {
        self.form().name
    }

    /// What the names of such archives end with: `.tar.gz`; nothing for a program as it is.
    pub fn ending(self) -> &'static str {
        self.form().ending
    }

    /// What holds the entries.
    pub fn container(self) -> Container {
        self.form().container
    }

    /// Writes the file `path` with these entries in it, in their order. When `stop` says so, it ends as cancelled.
    pub fn write(self, entries: &[Entry], path: &Path, stop: &dyn Fn() -> bool) -> Result<(), Failure> {
        self.try_write(entries, path, stop).map_err(|error| match error.kind() {
            io::ErrorKind::ConnectionAborted => {
                Failure::new(FailureClass::Cancelled, "the archive was not made: the run was interrupted")
            }
            _ => Failure::file("write", path, &error),
        })
    }

    fn try_write(self, entries: &[Entry], path: &Path, stop: &dyn Fn() -> bool) -> io::Result<()> {
        let stream = (self.form().stream)(BufWriter::new(File::create(path)?))?;
        let stream = match self.container() {
            Container::Tar => tar::write(entries, stream, stop)?,
            Container::Zip => zip::write(entries, stream, stop)?,
            Container::None => write_one(entries, stream, stop)?,
        };
        stream.finish()
    }

    fn form(self) -> &'static Form {
        &FORMS[self as usize]
    }
}

fn write_one(entries: &[Entry], mut stream: Box<dyn Stream>, stop: &dyn Fn() -> bool) -> io::Result<Box<dyn Stream>> {
    for entry in entries {
        if let Content::File(path) = &entry.content {
            io::copy(&mut Stoppable { source: File::open(path)?, stop }, &mut stream)?;
        }
    }
    Ok(stream)
}

fn pieces<P: Pieces + Default + 'static>(file: BufWriter<File>) -> io::Result<Box<dyn Stream>> {
    Ok(Box::new(PieceWriter::new(file, P::default())))
}

fn zstd_frame(file: BufWriter<File>) -> io::Result<Box<dyn Stream>> {
    Ok(Box::new(zstd::writer(file)?))
}

fn as_it_is(file: BufWriter<File>) -> io::Result<Box<dyn Stream>> {
    Ok(Box::new(file))
}

impl<P: Pieces> Stream for PieceWriter<BufWriter<File>, P> {
    fn finish(self: Box<Self>) -> io::Result<()> {
        PieceWriter::finish(*self)?.flush()
    }
}

impl Stream for ::zstd::Encoder<'static, BufWriter<File>> {
    fn finish(self: Box<Self>) -> io::Result<()> {
        ::zstd::Encoder::finish(*self)?.flush()
    }
}

impl Stream for BufWriter<File> {
    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.flush()
    }
}
