//! Docker archives: the tar that `docker save` writes, with a `manifest.json` that names the config and the layers of each image.
//! Does not know who wrote it: Docker's own, podman's and buildah's differ in where things lie, not in what names them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tar::EntryType;

/// A docker archive, opened.
pub struct Archive {
    path: PathBuf,
    /// What lies where: the place of a file in the archive, or the name that a link leads to.
    members: BTreeMap<String, Member>,
    /// The images in it.
    pub images: Vec<Image>,
}

/// One image of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Image {
    /// The name of its config in the archive.
    pub config: String,
    /// What it is tagged with: `ghcr.io/acme/hello:1.0`.
    #[serde(default)]
    pub repo_tags: Option<Vec<String>>,
    /// The names of its layers in the archive, the lowest first.
    pub layers: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Member {
    File { offset: u64, size: u64 },
    Link(String),
}

impl Archive {
    /// Opens the archive at `path`. What is none is an error of kind `InvalidData`, and says why.
    pub fn open(path: &Path) -> io::Result<Archive> {
        let mut archive = Archive { path: path.to_path_buf(), members: BTreeMap::new(), images: Vec::new() };
        let mut tar = tar::Archive::new(File::open(path)?);
        for entry in tar.entries_with_seek()? {
            let entry = entry?;
            let name = normal(&entry.path_bytes());
            let member = match entry.header().entry_type() {
                EntryType::Symlink | EntryType::Link => {
                    let to = entry.link_name_bytes().unwrap_or_default();
                    let is_symbolic = entry.header().entry_type() == EntryType::Symlink;
                    Member::Link(if is_symbolic { beside(&name, &to) } else { normal(&to) })
                }
                _ => Member::File { offset: entry.raw_file_position(), size: entry.size() },
            };
            archive.members.insert(name, member);
        }
        let manifest = archive.bytes("manifest.json").map_err(|_| invalid("it has no `manifest.json`"))?;
        let images = serde_json::from_slice(&manifest);
        archive.images = images.map_err(|error| invalid(format!("its `manifest.json` can't be read: {error}")))?;
        Ok(archive)
    }

    /// A small file of the archive.
    pub fn bytes(&self, name: &str) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.file(name)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// A layer as a tar in clear, whether it lies there so or gzipped.
    pub fn layer(&self, name: &str) -> io::Result<Box<dyn Read>> {
        let mut magic = [0; 2];
        let is_gzipped = self.file(name)?.read_exact(&mut magic).is_ok() && magic == [0x1f, 0x8b];
        let file = BufReader::with_capacity(1 << 16, self.file(name)?);
        match is_gzipped {
            true => Ok(Box::new(flate2::bufread::MultiGzDecoder::new(file))),
            false => Ok(Box::new(file)),
        }
    }

    fn file(&self, name: &str) -> io::Result<io::Take<File>> {
        let mut name = name.to_owned();
        // A chain of links is never longer than there are members.
        for _ in 0..=self.members.len() {
            match self.members.get(&name) {
                Some(Member::File { offset, size }) => {
                    let mut file = File::open(&self.path)?;
                    file.seek(SeekFrom::Start(*offset))?;
                    return Ok(file.take(*size));
                }
                Some(Member::Link(to)) => name.clone_from(to),
                None => return Err(invalid(format!("it has no `{name}`"))),
            }
        }
        Err(invalid(format!("its `{name}` is a link to itself")))
    }
}

fn invalid(message: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message.into())
}

/// Where a symbolic link at `name` leads.
fn beside(name: &str, to: &[u8]) -> String {
    let (dir, _) = name.rsplit_once('/').unwrap_or_default();
    normal(format!("{dir}/{}", String::from_utf8_lossy(to)).as_bytes())
}

fn normal(name: &[u8]) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let name = String::from_utf8_lossy(name);
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use expect_test::{Expect, expect};

    use super::*;

    /// An archive of these files; a content that begins with `->` is a symbolic link.
    fn check(files: &[(&str, &str)], expect: Expect) {
        let mut tar = tar::Builder::new(Vec::new());
        for (name, content) in files {
            let mut header = tar::Header::new_ustar();
            header.set_mode(0o644);
            header.set_size(0);
            match content.strip_prefix("-> ") {
                Some(to) => {
                    header.set_entry_type(EntryType::Symlink);
                    tar.append_link(&mut header, name, to).unwrap();
                }
                None => {
                    header.set_size(content.len() as u64);
                    tar.append_data(&mut header, name, content.as_bytes()).unwrap();
                }
            }
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image.tar");
        fs::write(&path, tar.into_inner().unwrap()).unwrap();
        expect.assert_eq(&shown(&path).unwrap_or_else(|error| error.to_string()));
    }

    fn shown(path: &Path) -> io::Result<String> {
        let archive = Archive::open(path)?;
        let mut lines = Vec::new();
        for image in &archive.images {
            let config = String::from_utf8(archive.bytes(&image.config)?).unwrap();
            lines.push(format!("{config} {:?}", image.repo_tags));
            for name in &image.layers {
                let mut layer = String::new();
                archive.layer(name)?.read_to_string(&mut layer)?;
                lines.push(format!("  {layer}"));
            }
        }
        Ok(lines.join("\n"))
    }

    #[test]
    fn as_docker_and_podman_write_it() {
        let manifest = r#"[{"Config":"c.json","RepoTags":null,"Layers":["1/layer.tar","2/layer.tar"]}]"#;
        check(
            &[
                ("1/layer.tar", "one"),
                ("two.tar", "two"),
                ("2/layer.tar", "-> ../two.tar"),
                ("c.json", "{}"),
                ("manifest.json", manifest),
            ],
            expect![[r#"
                {} None
                  one
                  two"#]],
        );
    }

    #[test]
    fn what_is_none() {
        check(&[("x", "x")], expect!["it has no `manifest.json`"]);
        check(
            &[("manifest.json", "{}")],
            expect!["its `manifest.json` can't be read: invalid type: map, expected a sequence at line 1 column 0"],
        );
        check(
            &[("manifest.json", r#"[{"Config":"c","Layers":["l"]}]"#), ("c", ""), ("l", "-> l")],
            expect!["its `l` is a link to itself"],
        );
        check(&[("manifest.json", r#"[{"Config":"c","Layers":[]}]"#)], expect!["it has no `c`"]);
    }
}
