//! A tar (POSIX ustar, and GNU's extension for names that are longer), whose bytes depend on nothing but its entries.
//! Does not compress.

use std::io::{self, Write};

use tar::{Builder, Header};

use super::entry::Entry;
use crate::oci::layer::append_content;

/// Writes entries into `sink`, in their order. When `stop` says so, it ends with an error of kind `ConnectionAborted`.
pub fn write<W: Write>(entries: &[Entry], sink: W, stop: &dyn Fn() -> bool) -> io::Result<W> {
    let mut tar = Builder::new(sink);
    tar.sparse(false);
    for entry in entries {
        append(&mut tar, entry, stop)
            .map_err(|error| io::Error::new(error.kind(), format!("`{}`: {error}", entry.path)))?;
    }
    tar.into_inner()
}

fn append<W: Write>(tar: &mut Builder<W>, entry: &Entry, stop: &dyn Fn() -> bool) -> io::Result<()> {
    let mut header = Header::new_ustar();
    header.set_mode(entry.mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_username(&entry.stamp.owner)?;
    header.set_groupname(&entry.stamp.group)?;
    header.set_mtime(entry.stamp.mtime);
    append_content(tar, &mut header, &entry.path, &entry.content, stop)
}
