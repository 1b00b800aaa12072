//! A layer that somebody else has made, written again so that it depends on what is in it alone: one time for all, and our compression.
//! Does not look into files, and changes neither owners nor permissions nor extended attributes.

use std::io::{self, Read};
use std::path::Path;

use tar::{Entry, EntryType};

use crate::oci::layer::{Layer, LayerFile, Style};

/// Records of an extended header that tell times.
const TIMES: &[&str] = &["mtime", "atime", "ctime"];

/// Writes the layer whose tar `plain` is to the file `path`. When `stop` says so, it ends with an error of kind `ConnectionAborted`.
pub fn write(plain: impl Read, style: Style, path: &Path, stop: &dyn Fn() -> bool) -> io::Result<Layer> {
    let mut file = LayerFile::create(path, style.compression)?;
    let mut tar = tar::Archive::new(plain);
    for entry in tar.entries()? {
        if stop() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let mut entry = entry?;
        if entry.header().entry_type() == EntryType::GNUSparse {
            return Err(io::Error::other(format!("`{}` is sparse", String::from_utf8_lossy(&entry.path_bytes()))));
        }
        let records = records(&mut entry)?;
        file.tar.append_pax_extensions(records.iter().map(|(name, value)| (name.as_str(), value.as_slice())))?;
        let mut header = entry.header().clone();
        header.set_mtime(style.mtime());
        header.set_cksum();
        file.tar.append(&header, &mut entry)?;
    }
    file.finish()
}

/// What a header of the old form has no room for: what stood in an extended header, but for times, and names that are long.
fn records<R: Read>(entry: &mut Entry<'_, R>) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut records = Vec::new();
    if let Some(extensions) = entry.pax_extensions()? {
        for extension in extensions {
            let extension = extension?;
            let name = extension.key().map_err(io::Error::other)?;
            if !TIMES.contains(&name) {
                records.push((name.to_owned(), extension.value_bytes().to_vec()));
            }
        }
    }
    let header = entry.header();
    let long_path = (entry.path_bytes() != header.path_bytes()).then(|| entry.path_bytes().into_owned());
    let long_link = match (entry.link_name_bytes(), header.link_name_bytes()) {
        (Some(full), short) if short.as_ref() != Some(&full) => Some(full.into_owned()),
        _ => None,
    };
    for (name, value) in [("path", long_path), ("linkpath", long_link)] {
        let is_there = records.iter().any(|(it, _)| it == name);
        records.extend(value.filter(|_| !is_there).map(|value| (name.to_owned(), value)));
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use expect_test::{Expect, expect};
    use forge_plugin::schemas::Digest;
    use tar::{Builder, Header};

    use super::*;
    use crate::oci::compression::Compression;

    const STYLE: Style = Style { timestamp: 1_767_323_045, compression: Compression::Gzip };

    fn header(size: usize, mtime: u64) -> Header {
        let mut header = Header::new_gnu();
        header.set_mode(0o4755);
        header.set_uid(7);
        header.set_gid(8);
        header.set_mtime(mtime);
        header.set_size(size as u64);
        header.set_entry_type(EntryType::Regular);
        header
    }

    /// The same files at two times, in the two ways in which tars say what does not fit.
    fn layer(mtime: u64) -> Vec<u8> {
        let mut tar = Builder::new(Vec::new());
        let fraction = format!("{mtime}.123456789");
        tar.append_pax_extensions([("mtime", fraction.as_bytes()), ("SCHILY.xattr.user.x", b"attribute")]).unwrap();
        tar.append_data(&mut header(5, mtime), "bin/hello", &b"hello"[..]).unwrap();
        tar.append_data(&mut header(0, mtime), format!("long/{}", "x".repeat(120)), &b""[..]).unwrap();
        let mut link = header(0, mtime);
        link.set_entry_type(EntryType::Link);
        tar.append_link(&mut link, "hard", "bin/hello").unwrap();
        tar.append_link(&mut link, "hard-long", format!("long/{}", "x".repeat(120))).unwrap();
        tar.into_inner().unwrap()
    }

    fn check(plain: &[u8], expect: Expect) -> Layer {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("layer");
        let layer = write(plain, STYLE, &path, &|| false).unwrap();
        let mut plain = Vec::new();
        flate2::read::MultiGzDecoder::new(&fs::read(&path).unwrap()[..]).read_to_end(&mut plain).unwrap();
        assert_eq!(Digest::of(&plain), layer.diff_id);
        let mut shown = String::new();
        for entry in tar::Archive::new(&plain[..]).entries().unwrap() {
            let mut entry = entry.unwrap();
            let extensions: Vec<String> = match entry.pax_extensions().unwrap() {
                Some(all) => all.map(|it| it.unwrap().key().unwrap().to_owned()).collect(),
                None => Vec::new(),
            };
            let (header, path) = (entry.header(), entry.path().unwrap());
            let link = entry.link_name().unwrap().map(|it| format!(" -> {}", it.display())).unwrap_or_default();
            shown += &format!(
                "{:?} {:o} {}:{} {} {}{link} {extensions:?}\n",
                header.entry_type(),
                header.mode().unwrap(),
                header.uid().unwrap(),
                header.gid().unwrap(),
                header.mtime().unwrap(),
                path.display()
            );
        }
        expect.assert_eq(&shown);
        layer
    }

    #[test]
    fn times_do_not_show() {
        let now = check(
            &layer(1_800_000_000),
            expect![[r#"
                Regular 4755 7:8 1767323045 bin/hello ["SCHILY.xattr.user.x"]
                Regular 4755 7:8 1767323045 long/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx ["path"]
                Link 4755 7:8 1767323045 hard -> bin/hello []
                Link 4755 7:8 1767323045 hard-long -> long/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx ["linkpath"]
            "#]],
        );
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(write(&layer(1)[..], STYLE, &dir.path().join("layer"), &|| false).unwrap(), now);
    }

    #[test]
    fn it_stops() {
        let dir = tempfile::tempdir().unwrap();
        let error = write(&layer(1)[..], STYLE, &dir.path().join("layer"), &|| true).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
    }
}
