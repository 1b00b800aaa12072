//! A package itself, `.apk`: signatures, what it says of itself with its scripts, and files. All of it is checked first.
//! Does not know where files go.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use flate2::bufread::{GzDecoder, MultiGzDecoder};
use ring::digest::{self, Context};
use tar::EntryType;

use crate::apk::dependency::Dependency;
use crate::apk::scripts::Script;
use crate::apk::signature;

/// What a package says of itself is not larger.
const LARGEST: u64 = 16 << 20;
const CHUNK: usize = 1 << 16;

/// A package, opened.
#[derive(Debug, Default)]
pub struct Archive {
    pub replaces: Vec<Dependency>,
    pub replaces_priority: u64,
    /// The directories that its trigger is about.
    pub triggers: Vec<String>,
    pub scripts: BTreeMap<Script, Vec<u8>>,
    /// Files, links and directories, in their order.
    pub entries: Vec<Entry>,
    /// The SHA-256 of its data.
    datahash: String,
}

/// Something in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub path: String,
    pub mode: u32,
    /// The owner's and the group's number, where their names are not known.
    pub owner: (u64, u64),
    /// Their names.
    pub names: (String, String),
    pub what: What,
}

/// What it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    Directory,
    /// With the checksum of what it leads to.
    Link {
        to: String,
        checksum: String,
    },
    /// So many bytes of the tar, from there on.
    File {
        offset: u64,
        size: u64,
        checksum: String,
    },
}

impl Archive {
    /// Opens a file that must be the package with this checksum. Its data are laid out as a tar at `tar`. A phrase, where it is
    /// another, or damaged, or holds what is not known here.
    pub fn open(path: &Path, checksum: &str, tar: &Path) -> Result<Archive, String> {
        let (mut archive, data) = Archive::check(path, checksum)?;
        unpack(data, tar).map_err(|error| format!("it is damaged: {error}"))?;
        archive.entries = entries(tar)?;
        Ok(archive)
    }

    /// Looks whether a file is the package with this checksum, whole. Answers what it says of itself, and where its data begin.
    pub fn check(path: &Path, checksum: &str) -> Result<(Archive, BufReader<File>), String> {
        let damaged = |error: io::Error| format!("it is damaged: {error}");
        let mut file = BufReader::with_capacity(CHUNK, File::open(path).map_err(damaged)?);
        let first = member(&mut file).map_err(damaged)?;
        // A signature is not asked for: the index is signed, and names the checksum.
        let (start, control) = match is_signature(&first) {
            true => (file.stream_position().map_err(damaged)?, member(&mut file).map_err(damaged)?),
            false => (0, first),
        };
        let end = file.stream_position().map_err(damaged)?;
        let sha1 = hash(path, start, Some(end), &digest::SHA1_FOR_LEGACY_USE_ONLY).map_err(damaged)?;
        if signature::named(&sha1) != checksum {
            return Err(format!(
                "it is another than the index says: its checksum is `{}`, not `{checksum}`",
                signature::named(&sha1)
            ));
        }
        let archive = Archive::control(&control)?;
        let sha256 = hash(path, end, None, &digest::SHA256).map_err(damaged)?;
        if hex(sha256.as_ref()) != archive.datahash {
            return Err("its files are others than it says: the hash of its data is wrong".to_owned());
        }
        Ok((archive, file))
    }

    fn control(tar: &[u8]) -> Result<Archive, String> {
        let damaged = |error: io::Error| format!("it is damaged: {error}");
        let mut archive = Archive::default();
        for entry in tar::Archive::new(tar).entries().map_err(damaged)? {
            let mut entry = entry.map_err(damaged)?;
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let mut text = Vec::new();
            entry.read_to_end(&mut text).map_err(damaged)?;
            match name.strip_prefix('.').map(|name| (name, Script::named(name))) {
                Some(("PKGINFO", _)) => archive.info(&String::from_utf8_lossy(&text))?,
                Some((_, Some(script))) => drop(archive.scripts.insert(script, text)),
                _ => {}
            }
        }
        Ok(archive)
    }

    /// What the index does not say.
    fn info(&mut self, text: &str) -> Result<(), String> {
        for (field, value) in text.lines().filter_map(|line| line.split_once(" = ")) {
            match field {
                "replaces" => self.replaces.extend(Dependency::list(value)?),
                "replaces_priority" => {
                    self.replaces_priority = value.parse().map_err(|_| format!("`{value}` is no number"))?
                }
                "triggers" => self.triggers = value.split_ascii_whitespace().map(str::to_owned).collect(),
                "datahash" => value.clone_into(&mut self.datahash),
                _ => {}
            }
        }
        Ok(())
    }
}

/// The content of the gzip member that begins here.
fn member(file: &mut BufReader<File>) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    GzDecoder::new(file).take(LARGEST).read_to_end(&mut content)?;
    Ok(content)
}

fn is_signature(tar: &[u8]) -> bool {
    tar.starts_with(b".SIGN.")
}

fn hash(
    path: &Path,
    start: u64,
    end: Option<u64>,
    algorithm: &'static digest::Algorithm,
) -> io::Result<digest::Digest> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(start))?;
    let mut file = file.take(end.map_or(u64::MAX, |end| end - start));
    let (mut context, mut chunk) = (Context::new(algorithm), vec![0; CHUNK]);
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(context.finish()),
            size => context.update(&chunk[..size]),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unpack(file: BufReader<File>, tar: &Path) -> io::Result<()> {
    let mut to = BufWriter::new(File::create(tar)?);
    io::copy(&mut MultiGzDecoder::new(file), &mut to)?;
    to.flush()
}

fn entries(tar: &Path) -> Result<Vec<Entry>, String> {
    let damaged = |error: io::Error| format!("it is damaged: {error}");
    let mut archive = tar::Archive::new(BufReader::new(File::open(tar).map_err(damaged)?));
    let mut entries = Vec::new();
    for entry in archive.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let path =
            String::from_utf8(entry.path_bytes().into_owned()).map_err(|_| "a name in it is not UTF-8".to_owned())?;
        let path = path.trim_end_matches('/').to_owned();
        let last = path.rsplit('/').next().unwrap_or_default();
        let is_directory = entry.header().entry_type() == EntryType::Directory;
        // So apk leaves out what only keeps a directory, and what is no file of the image.
        if path.starts_with('.') || path.is_empty() || !is_directory && last.starts_with(".keep_") && last.len() > 6 {
            continue;
        }
        check_path(&path)?;
        let marks = marks(&mut entry).map_err(damaged)?;
        entries.push(read(&entry, path, marks)?);
    }
    Ok(entries)
}

fn check_path(path: &str) -> Result<(), String> {
    let is_bad = |part: &str| part.is_empty() || part == "." || part == ".." || part.contains(char::is_control);
    match path.split('/').any(is_bad) {
        true => Err(format!("`{path}` in it leads out of the image")),
        false => Ok(()),
    }
}

/// What is written beside a header: a checksum, and whether there are extended attributes.
struct Marks {
    checksum: Option<String>,
    has_attributes: bool,
}

fn marks<R: Read>(entry: &mut tar::Entry<'_, R>) -> io::Result<Marks> {
    let mut marks = Marks { checksum: None, has_attributes: false };
    let Some(extensions) = entry.pax_extensions()? else { return Ok(marks) };
    for extension in extensions {
        let extension = extension?;
        match extension.key_bytes() {
            b"APK-TOOLS.checksum.SHA1" => marks.checksum = extension.value().ok().and_then(checksum),
            key if key.starts_with(b"SCHILY.xattr.") => marks.has_attributes = true,
            _ => {}
        }
    }
    Ok(marks)
}

/// From forty digits.
fn checksum(digits: &str) -> Option<String> {
    use base64::Engine as _;
    let byte = |at: usize| u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok();
    let bytes = (0..20).map(byte).collect::<Option<Vec<u8>>>()?;
    (digits.len() == 40).then(|| format!("Q1{}", base64::engine::general_purpose::STANDARD.encode(bytes)))
}

fn read<R: Read>(entry: &tar::Entry<'_, R>, path: String, marks: Marks) -> Result<Entry, String> {
    let damaged = |error: io::Error| format!("`{path}` in it is damaged: {error}");
    if marks.has_attributes {
        return Err(format!("`{path}` in it has extended attributes, which forge does not write"));
    }
    let header = entry.header();
    let checksum = || marks.checksum.clone().ok_or_else(|| format!("`{path}` in it has no checksum"));
    let what = match header.entry_type() {
        EntryType::Directory => What::Directory,
        EntryType::Symlink => {
            let to = entry.link_name_bytes().map(|it| String::from_utf8_lossy(&it).into_owned());
            What::Link { to: to.unwrap_or_default(), checksum: checksum()? }
        }
        EntryType::Regular | EntryType::Continuous => {
            What::File { offset: entry.raw_file_position(), size: entry.size(), checksum: checksum()? }
        }
        EntryType::Link => {
            return Err(format!("`{path}` in it is a second name of a file, which forge does not write"));
        }
        _ => return Err(format!("`{path}` in it is neither a file nor a directory nor a link")),
    };
    let name = |bytes: Option<&[u8]>| bytes.map(|it| String::from_utf8_lossy(it).into_owned()).unwrap_or_default();
    Ok(Entry {
        mode: header.mode().map_err(damaged)? & 0o7777,
        owner: (header.uid().map_err(damaged)?, header.gid().map_err(damaged)?),
        names: (name(header.username_bytes()), name(header.groupname_bytes())),
        what,
        path,
    })
}

/// Where a package is unpacked to, beside the others.
pub fn tar_path(dir: &Path, checksum: &str) -> PathBuf {
    dir.join(format!("package-{}.tar", checksum.replace('/', "_")))
}
