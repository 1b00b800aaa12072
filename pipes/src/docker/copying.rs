//! `COPY` and `ADD`: their options, and what their sources name.
//! Does not copy: that is `assemble`.

use std::path::Path;

use forge_plugin::schemas::{Place, Read};
use parse_dockerfile::{Flag, Source as Parsed, UnescapedString};

use crate::docker::dockerfile::Reader;
use crate::docker::recipe::{Archives, Copy, Source};
use crate::docker::values::{mode, owner};

/// Which of the two it is.
#[derive(Clone, Copy)]
enum Word {
    Copy,
    Add,
}

impl Word {
    fn text(self) -> &'static str {
        match self {
            Word::Copy => "COPY",
            Word::Add => "ADD",
        }
    }

    fn archives(self) -> Archives {
        match self {
            Word::Copy => Archives::Keep,
            Word::Add => Archives::Unpack,
        }
    }
}

/// A `COPY`.
pub(crate) fn copy(
    reader: &mut Reader<'_>,
    options: &[Flag<'_>],
    sources: &[Parsed<'_>],
    to: &UnescapedString<'_>,
) -> Option<Vec<Copy>> {
    read(reader, Word::Copy, options, sources, to)
}

/// An `ADD` of files that lie in the project.
pub(crate) fn add(
    reader: &mut Reader<'_>,
    options: &[Flag<'_>],
    sources: &[Parsed<'_>],
    to: &UnescapedString<'_>,
) -> Option<Vec<Copy>> {
    for source in sources {
        let Parsed::Path(path) = source else { continue };
        let is_remote = ["http://", "https://", "git@", "git://", "ssh://"].iter().any(|it| path.value.starts_with(it));
        if is_remote {
            return reader.beyond_in_project(path.span.clone(), "`ADD` of a URL is not supported");
        }
    }
    read(reader, Word::Add, options, sources, to)
}

/// Whether a destination can be nothing but a directory.
pub fn is_directory(to: &str) -> bool {
    to.ends_with('/') || to.ends_with("/.") || to == "."
}

fn read(
    reader: &mut Reader<'_>,
    word: Word,
    options: &[Flag<'_>],
    sources: &[Parsed<'_>],
    to: &UnescapedString<'_>,
) -> Option<Vec<Copy>> {
    let mut copy = Copy { archives: word.archives(), ..Copy::plain(Vec::new(), String::new()) };
    let wrong = options.iter().filter_map(|flag| option(reader, word, flag, &mut copy)).count();
    let to_span = to.span.clone();
    let to = reader.word(to);
    if wrong > 0 {
        return None;
    }
    if let ([_, _, ..], Some(to)) = (sources, to.as_ref().filter(|it| !is_directory(it))) {
        let message = format!("several sources, and `{to}` is not a directory");
        return reader.refuse(to_span, message, "end it with a `/`");
    }
    let from = options.iter().find(|flag| flag.name.value == "from").and_then(|flag| flag.value.as_ref());
    for source in sources {
        copy.sources.extend(match from {
            Some(from) => in_image(reader, from, source).into_iter().collect(),
            None => find(reader, source),
        });
    }
    copy.to = to?;
    Some(vec![copy])
}

/// Reads an option into `copy`. Some where the instruction can't be understood without it.
fn option(reader: &mut Reader<'_>, word: Word, flag: &Flag<'_>, copy: &mut Copy) -> Option<()> {
    let value = match &flag.value {
        Some(value) => reader.word(value)?,
        None => String::new(),
    };
    match flag.name.value.as_ref() {
        "link" => {}
        "unpack" if matches!(word, Word::Add) => match value.as_str() {
            "" | "true" => copy.archives = Archives::Unpack,
            "false" => copy.archives = Archives::Keep,
            _ => reader.problem(flag.span(), format!("`{value}` is neither true nor false"), "as in `--unpack=false`"),
        },
        "chmod" => match mode(&value) {
            Ok(mode) => (copy.mode, copy.dir_mode) = (Some(mode), Some(mode)),
            Err(message) => reader.problem(flag.span(), message, "write it in octal, as in `--chmod=755`"),
        },
        "chown" => match owner(&value) {
            Ok(_) => copy.owner = value,
            // Whose numbers its names are is known when it is there.
            Err(_) if reader.has_base() => copy.owner = value,
            Err(message) => reader.problem(flag.span(), message, "write numbers, as in `--chown=65532:65532`"),
        },
        // Where from was found out before.
        "from" => {}
        name => return reader.beyond_in_project(flag.span(), format!("`{} --{name}` is not supported", word.text())),
    }
    None
}

fn in_image(reader: &mut Reader<'_>, from: &UnescapedString<'_>, source: &Parsed<'_>) -> Option<Source> {
    let path = path(reader, source)?;
    let path = reader.word(path)?;
    let artifact = reader.foreign.get(from.value.as_ref()).cloned()?;
    Some(Source::Image { artifact, called: from.value.to_string(), path })
}

fn path<'s, 'a>(reader: &mut Reader<'_>, source: &'s Parsed<'a>) -> Option<&'s UnescapedString<'a>> {
    match source {
        Parsed::Path(path) => Some(path),
        Parsed::HereDoc(text) => {
            reader.beyond_in_project(text.span.clone(), "text in place of a file is not supported")
        }
        _ => None,
    }
}

fn find(reader: &mut Reader<'_>, source: &Parsed<'_>) -> Vec<Source> {
    let Some(path) = path(reader, source) else { return Vec::new() };
    let Some(text) = reader.word(path) else { return Vec::new() };
    let found = match reader.request.context.find(&text) {
        Ok(found) => found,
        Err(message) => {
            reader.problem(path.span.clone(), message, "name the files and directories that the image needs");
            return Vec::new();
        }
    };
    let (bytes, ignore) = (reader.bytes(&path.span), reader.request.ignore);
    for source in &found {
        let Source::Project(project) = source else { continue };
        // Where something is taken in again, who looks at the files finds out whether it is in there.
        if ignore.except.leaves_out(Path::new(project)) && !ignore.except.has_exceptions() {
            let help = "take it in again by a line that begins with `!`, or do not copy it";
            reader.problem(path.span.clone(), format!("`{}` leaves out `{project}`", ignore.path), help);
            return Vec::new();
        }
        let place = Place::File { path: reader.request.path.to_owned(), start: bytes.start, end: bytes.end };
        reader.reads.push(Read { except: ignore.patterns.clone(), ..Read::all(project, place) });
    }
    found
}
