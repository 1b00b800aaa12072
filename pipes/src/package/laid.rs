//! What a table wants to lie in a package: each of `contents`, checked and resolved, before any file is looked at.
//! Does not know what lies in directories, nor what globs name: `contents` does.

use std::collections::BTreeMap;
use std::path::Path;

use forge_plugin::schemas::{Place, Problem, Read};
use forge_plugin::sources::is_glob;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::parcel::Mark;
use super::settings::{Content, ContentType};
use super::unit::Unit;
use crate::docker::values;
use crate::table::path;

/// One of `contents`, or a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Laid {
    pub source: Source,
    /// Without the `/` that it begins with, and in its normal form.
    pub path: String,
    /// None: by whether the owner may execute it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
    pub owner: String,
    pub group: String,
    /// In seconds since 1970; none for the commit's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<u64>,
}

/// Where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// An artifact, by name.
    Program(String),
    /// What a path names. `into`: a file keeps its name below the path.
    Files {
        pattern: String,
        into: Into,
        r#type: ContentType,
    },
    Tree(String),
    Directory,
    Link(String),
    Ghost,
}

/// What the path of files is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Into {
    /// That of a file, if it is one.
    Itself,
    /// That of a directory.
    Directory,
}

/// All that lies in a package, the programs and `contents`, each with its key. What is wrong goes to the unit.
pub fn all(unit: &mut Unit<'_>) -> Vec<(Laid, String)> {
    let mut laid: Vec<(Laid, String)> = programs(unit).into_iter().map(|it| (it, PROGRAMS.to_owned())).collect();
    let (key, contents) = unit.contents();
    for (at, content) in contents.iter().enumerate() {
        let key = format!("{key}[{at}]");
        if !wants(unit, content, &key) {
            continue;
        }
        laid.extend(one(unit, content, &key).map(|it| (it, key)));
    }
    once(unit, &laid);
    laid
}

/// The source files that these name.
pub fn reads(laid: &[(Laid, String)]) -> Vec<Read> {
    let read = |(laid, key): &(Laid, String)| match &laid.source {
        Source::Files { pattern, .. } | Source::Tree(pattern) => {
            Some(Read::all(pattern, Place::Key(format!("{key}.src"))))
        }
        _ => None,
    };
    laid.iter().filter_map(read).collect()
}

fn programs(unit: &mut Unit<'_>) -> Vec<Laid> {
    let Some(bindir) = unit.bindir() else { return Vec::new() };
    let program = |(name, file_name): (String, String)| Laid {
        source: Source::Program(name),
        path: normal(&format!("{bindir}/{file_name}")),
        mode: Some(0o755),
        owner: ROOT.to_owned(),
        group: ROOT.to_owned(),
        time: None,
    };
    unit.programs().into_iter().map(program).collect()
}

const ROOT: &str = "root";
/// The key that programs come from.
const PROGRAMS: &str = "ids";

/// Whether this format has it.
fn wants(unit: &mut Unit<'_>, content: &Content, key: &str) -> bool {
    for (at, format) in content.formats.iter().enumerate() {
        unit.check_format(format, &format!("{key}.formats[{at}]"));
    }
    let is_asked = content.formats.is_empty() || content.formats.iter().any(|it| it == unit.format.name());
    is_asked && (content.r#type != ContentType::Ghost || unit.format.has_ghosts())
}

fn one(unit: &mut Unit<'_>, content: &Content, key: &str) -> Option<Laid> {
    let src = match &content.src {
        Some(src) => Some(unit.text(&format!("{key}.src"), src)?),
        None => None,
    };
    let dst = unit.text(&format!("{key}.dst"), &content.dst)?;
    let path = path(unit, &dst, &format!("{key}.dst"));
    if path.as_deref() == Some("") && !content.r#type.is_below() {
        let problem = Problem::at_key(format!("{key}.dst"), format!("`{dst}` is the root itself"));
        unit.problem(problem.help("name something below it"));
    }
    let source = source(unit, content.r#type, src, &dst, key);
    let mode = content.mode.as_deref().map(|text| mode(unit, text, &format!("{key}.mode")));
    let time = content.mtime.as_deref().map(|text| time(unit, text, &format!("{key}.mtime")));
    let owner = account(unit, content.owner.as_deref(), &format!("{key}.owner"));
    let group = account(unit, content.group.as_deref(), &format!("{key}.group"));
    Some(Laid { source: source?, path: path?, mode: mode.flatten(), owner, group, time: time.flatten() })
}

/// From a path that begins at the root.
pub fn path(unit: &mut Unit<'_>, text: &str, key: &str) -> Option<String> {
    let is_plain =
        !text.split('/').any(|part| part == "..") && !text.contains(|it: char| it.is_control() || it == '\\');
    if text.starts_with('/') && is_plain {
        return Some(normal(text));
    }
    let problem = Problem::at_key(key, format!("`{text}` is not a path from the root of a system on"));
    unit.problem(problem.help("begin it with `/`, and write no `..` in it"));
    None
}

fn normal(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|it| !it.is_empty() && *it != ".").collect();
    parts.join("/")
}

fn source(unit: &mut Unit<'_>, r#type: ContentType, src: Option<String>, dst: &str, key: &str) -> Option<Source> {
    let has_src = !matches!(r#type, ContentType::Dir | ContentType::Ghost);
    let src = match (src, has_src) {
        (Some(src), true) if !src.is_empty() => src,
        (Some(_), false) => {
            let problem = Problem::at_key(format!("{key}.src"), "nothing is copied to what has this `type`");
            unit.problem(problem.help("leave `src` out, or take another `type`"));
            return None;
        }
        (None, false) => String::new(),
        (_, true) => {
            let problem = Problem::at_key(key, "it does not say what to copy");
            unit.problem(problem.help("name a file, a directory or a glob as `src`"));
            return None;
        }
    };
    match r#type {
        ContentType::Dir => Some(Source::Directory),
        ContentType::Ghost => Some(Source::Ghost),
        ContentType::Symlink => Some(Source::Link(src)),
        _ if !path::is_inside(&src) => {
            let problem = Problem::at_key(format!("{key}.src"), format!("`{src}` leads out of the project"));
            unit.problem(problem.help("write a path below the project file"));
            None
        }
        ContentType::Tree => Some(Source::Tree(src)),
        r#type => {
            let into = if dst.ends_with('/') { Into::Directory } else { Into::Itself };
            Some(Source::Files { pattern: src, into, r#type })
        }
    }
}

fn mode(unit: &mut Unit<'_>, text: &str, key: &str) -> Option<u32> {
    let mode = values::mode(text.strip_prefix("0o").unwrap_or(text)).ok();
    if mode.is_none() {
        let problem = Problem::at_key(key, format!("`{text}` is not a mode"));
        unit.problem(problem.help("write it in octal, as in `\"0644\"`"));
    }
    mode
}

fn time(unit: &mut Unit<'_>, text: &str, key: &str) -> Option<u64> {
    let time = text.parse::<Timestamp>().ok().and_then(|it| u64::try_from(it.as_second()).ok());
    // What these formats have for times has 32 bits.
    let time = time.filter(|it| *it <= u64::from(u32::MAX));
    if time.is_none() {
        let problem = Problem::at_key(key, format!("`{text}` is not a time from 1970 to 2106"));
        unit.problem(problem.help("write it as in `2026-01-02T03:04:05Z`"));
    }
    time
}

fn account(unit: &mut Unit<'_>, name: Option<&str>, key: &str) -> String {
    let name = name.unwrap_or(ROOT);
    let fits = |it: char| it.is_ascii_alphanumeric() || "_-.$".contains(it);
    if name.is_empty() || name.len() > 31 || !name.chars().all(fits) {
        let problem = Problem::at_key(key, format!("`{name}` is not the name of a user or a group"));
        unit.problem(problem.help("letters, digits, `_`, `-` and `.` can be in it, 31 at most"));
    }
    if name != ROOT && !unit.format.has_owners() {
        let format = unit.format.name();
        let problem = Problem::at_key(key, format!("{format} packages know no users and groups by name"));
        let help = format!(
            "leave it out for `{format}` by `formats`, or by `contents` in `overrides.{format}`, and let a script or a file of \
             tmpfiles.d give it to `{name}`"
        );
        unit.problem(problem.help(help));
    }
    name.to_owned()
}

/// Two things do not lie at one place. Of directories and globs it is known when they are looked into.
fn once(unit: &mut Unit<'_>, laid: &[(Laid, String)]) {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for (one, key) in laid {
        let Some(path) = one.lies_at() else { continue };
        let earlier = seen.insert(path.clone(), key);
        if earlier.is_some() {
            let at = if key == PROGRAMS { key.clone() } else { format!("{key}.dst") };
            let problem = Problem::at_key(at, format!("two things lie at `/{path}`"));
            unit.problem(
                problem.help(
                    "leave one out, or lay it elsewhere; two directories may lie in one whose `dst` ends with `/`",
                ),
            );
        }
    }
}

impl Laid {
    /// The one place where it lies, if that is known.
    fn lies_at(&self) -> Option<String> {
        match &self.source {
            Source::Files { pattern, .. } if is_glob(pattern) => None,
            Source::Files { pattern, into: Into::Directory, .. } => {
                let name = Path::new(pattern).file_name()?.to_str()?;
                Some(normal(&format!("{}/{name}", self.path)))
            }
            // It may be a directory, whose files lie beside what others lay there.
            Source::Tree(_) => None,
            _ => Some(self.path.clone()),
        }
    }

    /// What its files are to users.
    pub fn mark(&self) -> Mark {
        match self.source {
            Source::Files { r#type, .. } => Mark::of(r#type),
            _ => Mark::Plain,
        }
    }
}
