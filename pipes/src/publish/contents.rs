//! What is in a package that was packed by somebody else: a `.tar.gz` with one directory at its top.
//! Does not know languages: who asks says what should not be there.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use forge_plugin::schemas::Failure;

/// The first file of which this is true, by its path below the directory at the top.
pub fn first(package: &Path, is_wanted: impl Fn(&str) -> bool) -> Result<Option<String>, Failure> {
    find(package, is_wanted).map_err(|error| Failure::file("read", package, &error))
}

fn find(package: &Path, is_wanted: impl Fn(&str) -> bool) -> io::Result<Option<String>> {
    let plain = MultiGzDecoder::new(BufReader::new(File::open(package)?));
    for entry in tar::Archive::new(plain).entries()? {
        let entry = entry?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let below = path.trim_start_matches("./").split_once('/').map_or("", |(_, below)| below);
        if is_wanted(below) {
            return Ok(Some(below.to_owned()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_the_directory_at_the_top() {
        let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
        for name in ["hello-1/PKG-INFO", "hello-1/src/dist/x", "hello-1/dist/artifacts.json"] {
            let mut header = tar::Header::new_ustar();
            header.set_size(1);
            tar.append_data(&mut header, name, &b"x"[..]).unwrap();
        }
        let place = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(place.path(), tar.into_inner().unwrap().finish().unwrap()).unwrap();
        let first = |start: &str| first(place.path(), |it| it.starts_with(start));
        assert_eq!(first("dist/").unwrap().as_deref(), Some("dist/artifacts.json"));
        assert_eq!(first(".forge/").unwrap(), None);
        assert_eq!(first("hello-1/").unwrap(), None);
        std::fs::write(place.path(), "none").unwrap();
        first("dist/").unwrap_err();
    }
}
