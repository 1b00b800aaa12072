//! `COPY` and `ADD`: their options, and what their sources name.
//! Does not copy: that is `laying`.

use std::ops::Range;
use std::path::Path;

use forge_plugin::schemas::{Digest, Place, Read};
use forge_plugin::sources::Except;
use parse_dockerfile::{Flag, HereDoc, Source as Parsed, UnescapedString};

use crate::docker::context::{glob, leaves_root};
use crate::docker::dockerfile::Reader;
use crate::docker::downloads::{Download, is_git, is_url};
use crate::docker::recipe::{Archives, Copy, Layer, Permissions, Source};
use crate::docker::run::Mode;
use crate::docker::values::owner;
use crate::docker::words::{Scope, Unknown, expand_lines, split};
use crate::oci::rootfs::normal;

/// Which of the two it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    /// `COPY`
    Copy,
    /// `ADD`
    Add,
}

impl Word {
    fn text(self) -> &'static str {
        match self {
            Word::Copy => "COPY",
            Word::Add => "ADD",
        }
    }
}

/// An instruction, in its parts.
pub(crate) struct Parts<'i, 'a> {
    pub(crate) word: Word,
    /// Where it begins in the text.
    pub(crate) start: usize,
    pub(crate) options: &'i [Flag<'a>],
    pub(crate) sources: &'i [Parsed<'a>],
    pub(crate) to: &'i UnescapedString<'a>,
}

/// Whether a destination can be nothing but a directory.
pub fn is_directory(to: &str) -> bool {
    to.ends_with('/') || to.ends_with("/.") || to == "."
}

/// What it copies.
pub(crate) fn read(reader: &mut Reader<'_>, parts: &Parts<'_, '_>) -> Option<Vec<Copy>> {
    let copy = Copy::plain(Vec::new(), String::new());
    let mut given = Given { copy, unpack: None, checksum: None, parents: Parents::Dropped };
    let wrong = parts.options.iter().filter_map(|flag| option(reader, parts.word, flag, &mut given)).count();
    let to = reader.word(parts.to);
    if wrong > 0 {
        return None;
    }
    if let ([_, _, ..], Some(to)) = (parts.sources, to.as_ref().filter(|it| !is_directory(it))) {
        let message = format!("several sources, and `{to}` is not a directory");
        return reader.refuse(parts.to.span.clone(), message, "end it with a `/`");
    }
    let from = parts.options.iter().find(|flag| flag.name.value == "from").and_then(|flag| flag.value.as_ref());
    let mut names = text_names(reader, parts).into_iter();
    let mut are_remote = Vec::new();
    let mut sources = Vec::new();
    for source in parts.sources {
        let found = match source {
            Parsed::HereDoc(text) => text_source(reader, text, names.next()?).into_iter().collect(),
            Parsed::Path(path) if given.parents == Parents::Kept => with_parents(reader, from, path),
            Parsed::Path(path) => path_sources(reader, parts.word, from, path, given.checksum),
            _ => Vec::new(),
        };
        are_remote.extend(found.iter().map(|it| matches!(it, Source::Remote { .. })));
        sources.extend(found);
    }
    if are_remote.contains(&true) && are_remote.contains(&false) {
        let help = "write an `ADD` for each";
        return reader.refuse(parts.to.span.clone(), "files of elsewhere beside those of the project", help);
    }
    let unpacks = given.unpack.unwrap_or(parts.word == Word::Add && !are_remote.contains(&true));
    let archives = if unpacks { Archives::Unpack } else { Archives::Keep };
    Some(vec![Copy { sources, to: to?, archives, ..given.copy }])
}

/// What the options say.
struct Given {
    copy: Copy,
    unpack: Option<bool>,
    checksum: Option<Digest>,
    parents: Parents,
}

/// What becomes of the directories that something lies in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Parents {
    Dropped,
    Kept,
}

/// Reads an option. Some where the instruction can't be understood without it.
fn option(reader: &mut Reader<'_>, word: Word, flag: &Flag<'_>, given: &mut Given) -> Option<()> {
    let value = match &flag.value {
        // Where from was found out before.
        Some(_) if flag.name.value == "from" => String::new(),
        Some(value) => reader.word(value)?,
        None => String::new(),
    };
    let copy = &mut given.copy;
    match (flag.name.value.as_ref(), word) {
        ("link", _) => match flag_value(&value) {
            Some(true) => copy.layer = Layer::OfItsOwn,
            Some(false) => copy.layer = Layer::OnTop,
            None => reader.problem(flag.span(), not_a_flag(&value), "as in `--link=false`"),
        },
        ("parents", Word::Copy) => match flag_value(&value) {
            Some(true) => given.parents = Parents::Kept,
            Some(false) => given.parents = Parents::Dropped,
            None => reader.problem(flag.span(), not_a_flag(&value), "as in `--parents=false`"),
        },
        ("unpack", Word::Add) => match flag_value(&value) {
            Some(unpack) => given.unpack = Some(unpack),
            None => reader.problem(flag.span(), not_a_flag(&value), "as in `--unpack=false`"),
        },
        ("chmod", _) => match Mode::of_option(&value) {
            Ok(mode) => copy.permissions = Permissions::OfAll(mode),
            Err(message) => reader.problem(flag.span(), message, "write it in octal, as in `--chmod=755`"),
        },
        ("chown", _) => match owner(&value) {
            Ok(_) => copy.owner = value,
            // Whose numbers its names are is known when it is there.
            Err(_) if reader.has_base() => copy.owner = value,
            Err(message) => reader.problem(flag.span(), message, "write numbers, as in `--chown=65532:65532`"),
        },
        ("exclude", _) => match Except::new([value.as_str()]) {
            Ok(_) => copy.except.push(value),
            Err(bad) => reader.problem(flag.span(), bad.to_string(), "write it as a line of a `.dockerignore`"),
        },
        ("checksum", Word::Add) => match value.parse() {
            Ok(digest) => given.checksum = Some(digest),
            Err(_) => {
                let help = "write `sha256:` and 64 digits";
                reader.problem(flag.span(), format!("`{value}` is not a digest that forge knows"), help);
            }
        },
        ("from", Word::Copy) => {}
        (name, _) => {
            return reader.beyond_in_project(flag.span(), format!("`{} --{name}` is not supported", word.text()));
        }
    }
    None
}

fn flag_value(text: &str) -> Option<bool> {
    match text {
        "" | "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

fn not_a_flag(value: &str) -> String {
    format!("`{value}` is neither true nor false")
}

/// What texts that stand in the Dockerfile are called.
fn text_names(reader: &Reader<'_>, parts: &Parts<'_, '_>) -> Vec<String> {
    let line = reader.request.text.get(reader.bytes(&(parts.start..parts.to.span.start))).unwrap_or_default();
    let words = split(line, reader.escape()).into_iter().filter_map(|(_, word)| word.strip_prefix("<<"));
    words.map(|word| word.strip_prefix('-').unwrap_or(word).replace(['"', '\'', '\\'], "")).collect()
}

fn text_source(reader: &mut Reader<'_>, text: &HereDoc<'_>, file_name: String) -> Option<Source> {
    if !text.expand {
        return Some(Source::Text { file_name, content: text.value.to_string() });
    }
    let unknown = if reader.has_base() { Unknown::OnlyOfBase } else { Unknown::Mistake };
    let scope = Scope { unknown, ..reader.variables.scope.clone() };
    match expand_lines(&text.value, &scope) {
        Ok(content) => Some(Source::Text { file_name, content: content.known()? }),
        Err(mistakes) => {
            mistakes.into_iter().for_each(|it| reader.mistake(it, &text.span, text.value.len(), 0));
            None
        }
    }
}

fn path_sources(
    reader: &mut Reader<'_>,
    word: Word,
    from: Option<&UnescapedString<'_>>,
    path: &UnescapedString<'_>,
    checksum: Option<Digest>,
) -> Vec<Source> {
    let Some(text) = reader.word(path) else { return Vec::new() };
    if let Some(from) = from {
        let artifact = reader.foreign.get(from.value.as_ref()).cloned();
        let source =
            artifact.map(|artifact| Source::Image { artifact, called: from.value.to_string(), path: glob(&text) });
        return source.into_iter().collect();
    }
    if is_git(&text) {
        let message = format!("`{}` of a git repository is not supported", word.text());
        return reader.beyond_in_project(path.span.clone(), message).unwrap_or_default();
    }
    match (is_url(&text), word) {
        (true, Word::Add) => {
            let download = Download { url: text, checksum };
            let file_name = download.file_name();
            vec![Source::Remote { artifact: reader.download(download, &path.span), file_name }]
        }
        (true, Word::Copy) => {
            reader.problem(path.span.clone(), "`COPY` takes no URL", "write `ADD`");
            Vec::new()
        }
        (false, _) => find(reader, &glob(&text), &path.span),
    }
}

/// What a path names, with the directories that it lies in, from a `/./` on.
fn with_parents(
    reader: &mut Reader<'_>,
    from: Option<&UnescapedString<'_>>,
    path: &UnescapedString<'_>,
) -> Vec<Source> {
    let Some(text) = reader.word(path) else { return Vec::new() };
    let (above, kept) = text.split_once("/./").unwrap_or(("", &text));
    let (above, kept) = (normal(above), normal(kept));
    let whole = format!("{above}/{kept}");
    if leaves_root(&text) || above.contains(['*', '?', '[']) {
        let help = "write a path from the directory on that is copied from";
        return reader
            .refuse(path.span.clone(), format!("`{text}` has no parents that could be kept"), help)
            .unwrap_or_default();
    }
    // Here `**` is as many directories as there are.
    let pattern = whole.trim_start_matches('/').replace('{', "[{]").replace('}', "[}]");
    let found = match from {
        Some(from) => {
            let artifact = reader.foreign.get(from.value.as_ref()).cloned();
            let image = |artifact| Source::Image { artifact, called: from.value.to_string(), path: pattern };
            artifact.map(image).into_iter().collect()
        }
        None => find(reader, &pattern, &path.span),
    };
    let with_parents = |source: Source| match source {
        Source::Input { artifact, .. } => Source::Input { artifact, file_name: kept.clone() },
        source => source,
    };
    if kept.contains(['*', '?', '[']) && found.iter().any(|it| matches!(it, Source::Input { .. })) {
        let help = "name it";
        return reader
            .refuse(path.span.clone(), "a program that a wildcard means has no parents", help)
            .unwrap_or_default();
    }
    found
        .into_iter()
        .map(|it| Source::WithParents { source: Box::new(with_parents(it)), above: above.clone() })
        .collect()
}

/// What a pattern names in the project; none, and a problem, where that is nothing.
pub(crate) fn find(reader: &mut Reader<'_>, pattern: &str, span: &Range<usize>) -> Vec<Source> {
    let found = match reader.request.context.find(pattern) {
        Ok(found) => found,
        Err(message) => {
            reader.problem(span.clone(), message, "name the files and directories that the image needs");
            return Vec::new();
        }
    };
    let (bytes, ignore) = (reader.bytes(span), reader.request.ignore);
    for source in &found {
        let Source::Project(project) = source else { continue };
        // Where something is taken in again, who looks at the files finds out whether it is in there.
        if ignore.except.leaves_out(Path::new(project)) && !ignore.except.has_exceptions() {
            let help = "take it in again by a line that begins with `!`, or do not copy it";
            reader.problem(span.clone(), format!("`{}` leaves out `{project}`", ignore.path), help);
            return Vec::new();
        }
        let place = Place::File { path: reader.request.path.to_owned(), start: bytes.start, end: bytes.end };
        reader.reads.push(Read { except: ignore.patterns.clone(), ..Read::all(project, place) });
    }
    found
}
