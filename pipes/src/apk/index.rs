//! The index of a repository: `APKINDEX.tar.gz`, checked and read.
//! Does not know where it comes from.

use std::io::Read;

use flate2::bufread::MultiGzDecoder;

use crate::apk::package::Package;
use crate::apk::signature::{self, Key, Segment};

/// An index that is larger when it is unpacked is none.
const LARGEST: u64 = 256 << 20;

/// The packages of an index that one of these keys has signed. A phrase, where that is not so.
pub fn open(bytes: &[u8], keys: &[Key]) -> Result<Vec<Package>, String> {
    let Segment { signatures, rest } = signature::split(bytes)?;
    signature::check(&signatures, rest, keys)?;
    content(rest)
}

/// The same of an index that was checked before.
pub fn read(bytes: &[u8]) -> Result<Vec<Package>, String> {
    content(signature::split(bytes)?.rest)
}

fn content(segments: &[u8]) -> Result<Vec<Package>, String> {
    let mut archive = tar::Archive::new(MultiGzDecoder::new(segments).take(LARGEST));
    let damaged = |error: std::io::Error| format!("it is damaged: {error}");
    for entry in archive.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        if entry.path_bytes().as_ref() == b"APKINDEX" {
            let mut text = String::new();
            entry.read_to_string(&mut text).map_err(damaged)?;
            return packages(&text);
        }
    }
    Err("there is no `APKINDEX` in it".to_owned())
}

/// The packages of an index in clear: lines, and an empty one behind each package.
pub(super) fn packages(text: &str) -> Result<Vec<Package>, String> {
    let mut packages = Vec::new();
    for record in text.split("\n\n").filter(|it| !it.trim().is_empty()) {
        let mut package = Package::default();
        for line in record.lines().filter(|it| !it.is_empty()) {
            let Some((field, value)) = field(line) else { return Err(format!("`{line}` is no line of an index")) };
            match package.add(field, value) {
                Ok(false) if field.is_ascii_uppercase() => package.unread = Some(format!("it has a line `{field}:`")),
                Ok(_) => {}
                Err(message) => package.unread = Some(message),
            }
        }
        match [&package.name, &package.version, &package.checksum].iter().any(|it| it.is_empty()) {
            true => return Err("a package has no name, version or checksum".to_owned()),
            false => packages.push(package),
        }
    }
    Ok(packages)
}

/// A line of a record: what it says, and the value.
pub fn field(line: &str) -> Option<(char, &str)> {
    let mut chars = line.chars();
    let field = chars.next()?;
    Some((field, chars.as_str().strip_prefix(':')?))
}
