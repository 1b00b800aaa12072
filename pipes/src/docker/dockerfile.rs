//! The instructions of a Dockerfile, read one by one with the variables that they see. All mistakes at once.
//! Does not know stages, and does not run anything.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use forge_plugin::schemas::{Place, Platform, Problem, Read};
use parse_dockerfile::{ArgInstruction, Command, Instruction as Parsed, JsonOrStringArray, UnescapedString};

use crate::docker::base::Base;
use crate::docker::beyond::Beyond;
use crate::docker::copying::{self, Parts, Word};
use crate::docker::downloads::Download;
use crate::docker::healthcheck::healthcheck;
use crate::docker::nearest::nearest;
use crate::docker::recipe::{Argv, Change, Instruction};
use crate::docker::run;
use crate::docker::stages::Request;
use crate::docker::syntax;
use crate::docker::values::{port, shell_line, stop_signal};
use crate::docker::words::{Mistake, Scope, Text, Unknown, expand, split};
use crate::oci::config::DEFAULT_PATH;

/// Names that may be among `build_args` though no `ARG` declares them.
pub fn is_predefined(name: &str) -> bool {
    const PROXIES: &[&str] = &["http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy"];
    PROXIES.contains(&name.to_lowercase().as_str()) || name == "SOURCE_DATE_EPOCH"
}

/// What to do about what is beyond forge.
pub(crate) const ENGINES: &str = "set `engine = \"auto\"`, and a program of this machine builds it (`buildx`, `docker`, `podman` or \
    `buildah`); or copy files that lie in the project";

pub(crate) struct Reader<'a> {
    pub(crate) request: &'a Request<'a>,
    /// How many bytes stand before the text that the parser saw: a byte order mark.
    offset: usize,
    escape: char,
    globals: BTreeMap<String, Option<String>>,
    pub(crate) variables: Variables,
    in_stage: bool,
    /// The names of `ARG`s.
    pub(crate) args: BTreeSet<String>,
    /// The artifacts of the images that `COPY --from` names.
    pub(crate) foreign: BTreeMap<String, String>,
    pub(crate) instructions: Vec<Instruction>,
    pub(crate) reads: Vec<Read>,
    /// The files that lie elsewhere, each once, and where they are named.
    pub(crate) downloads: Vec<(Download, Place)>,
    pub(crate) problems: Vec<Problem>,
    /// What forge does not do itself.
    pub(crate) beyond: Beyond,
}

/// What an instruction sees of those before it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Variables {
    pub(crate) scope: Scope,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(request: &'a Request<'a>, dockerfile: &parse_dockerfile::Dockerfile<'_>) -> Reader<'a> {
        let globals = platform_args(request.platform);
        Reader {
            request,
            offset: if request.text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 },
            escape: dockerfile.parser_directives.escape.as_ref().map_or('\\', |it| it.value.value),
            variables: Variables { scope: Scope { known: globals.clone(), unknown: Unknown::Mistake } },
            globals,
            in_stage: false,
            args: BTreeSet::new(),
            foreign: BTreeMap::new(),
            instructions: Vec::new(),
            reads: Vec::new(),
            downloads: Vec::new(),
            problems: Vec::new(),
            beyond: Beyond::default(),
        }
    }

    /// A stage begins: its `FROM` sees what stands before the first.
    pub(crate) fn begin(&mut self) {
        self.in_stage = false;
        self.variables = Variables::default();
        self.variables.scope = Scope { known: self.globals.clone(), unknown: Unknown::Mistake };
    }

    /// What `FROM` names; none, and a problem, where that is nothing.
    pub(crate) fn base_word(&mut self, image: &UnescapedString<'_>) -> Option<String> {
        let text = self.word(image)?;
        if text.is_empty() {
            return self.refuse(
                image.span.clone(),
                format!("`{}` is empty", image.value),
                "give its `ARG` a default, or a value in `build_args`",
            );
        }
        Some(text)
    }

    /// The same, where nobody wants to hear of problems.
    pub(crate) fn quietly(&self, image: &UnescapedString<'_>) -> Option<String> {
        let scope = Scope { known: self.globals.clone(), unknown: Unknown::Mistake };
        expand(&image.value, self.escape, &scope).ok()?.known()
    }

    /// The stage stands on this.
    pub(crate) fn on_base(&mut self, base: &Base) {
        match base {
            Base::Scratch => {
                let path = ("PATH".to_owned(), Some(DEFAULT_PATH.to_owned()));
                self.variables.scope = Scope { known: BTreeMap::from([path]), unknown: Unknown::Mistake };
                self.in_stage = true;
            }
            _ => self.on_image(),
        }
    }

    /// The stage stands on an image of which nothing is known yet.
    pub(crate) fn on_image(&mut self) {
        self.variables.scope = Scope { known: BTreeMap::new(), unknown: Unknown::OfBase };
        self.in_stage = true;
    }

    /// The stage stands on another, which has left these.
    pub(crate) fn on_stage(&mut self, variables: Variables) {
        self.variables = variables;
        self.in_stage = true;
    }

    /// What an instruction does, where it does something and nothing is wrong with it. `line` is itself, on one line.
    pub(crate) fn change(&mut self, instruction: &Parsed<'_>, line: &str) -> Option<Change> {
        match instruction {
            Parsed::Copy(it) => {
                let (word, start) = (Word::Copy, it.copy.span.start);
                let parts = Parts { word, start, options: &it.options, sources: &it.src, to: &it.dest };
                copying::read(self, &parts).map(Change::Copy)
            }
            Parsed::Add(it) => {
                let (word, start) = (Word::Add, it.add.span.start);
                let parts = Parts { word, start, options: &it.options, sources: &it.src, to: &it.dest };
                copying::read(self, &parts).map(Change::Copy)
            }
            Parsed::Env(it) => {
                let pairs = self.pairs(&it.arguments)?;
                for (name, value) in &pairs {
                    match value.known() {
                        Some(value) => self.variables.scope.known.insert(name.clone(), Some(value)),
                        None => self.variables.scope.known.remove(name),
                    };
                }
                Some(Change::Env(pairs))
            }
            Parsed::Label(it) => self.pairs(&it.arguments).map(Change::Label),
            Parsed::Arg(it) => {
                self.arg(it);
                None
            }
            Parsed::Entrypoint(it) => Some(Change::Entrypoint(self.argv(&it.arguments))),
            Parsed::Cmd(it) => Some(Change::Cmd(self.argv(&it.arguments))),
            Parsed::User(it) => self.word(&it.arguments).map(Change::User),
            Parsed::Workdir(it) => self.word(&it.arguments).map(Change::Workdir),
            Parsed::Stopsignal(it) => {
                let signal = self.word(&it.arguments)?;
                match stop_signal(&signal) {
                    Ok(()) => Some(Change::StopSignal(signal)),
                    Err(message) => {
                        self.refuse(it.arguments.span.clone(), message, "write its name or its number, as in `SIGINT`")
                    }
                }
            }
            Parsed::Maintainer(it) => Some(Change::Author(it.name.value.trim().to_owned())),
            Parsed::Volume(it) => {
                let words = match &it.arguments {
                    JsonOrStringArray::Json(json) => &json.value,
                    JsonOrStringArray::String(words) => words,
                };
                let paths: Vec<String> = words.iter().filter_map(|word| self.word(word)).collect();
                match paths.iter().any(String::is_empty) {
                    true => self.refuse(it.volume.span.clone(), "a volume without a path", "write it, as in `/data`"),
                    false => Some(Change::Volume(paths)),
                }
            }
            Parsed::Expose(it) => Some(Change::Expose(it.arguments.iter().flat_map(|word| self.ports(word)).collect())),
            Parsed::Healthcheck(it) => match healthcheck(it, self.escape) {
                Ok(value) => Some(Change::Healthcheck(value)),
                Err((bytes, message)) => self.refuse(bytes, message, "as in `--interval=30s`"),
            },
            Parsed::Run(it) => run::read(self, it).map(Change::Run),
            Parsed::Onbuild(it) => match it.instruction.as_ref() {
                Parsed::Onbuild(_) | Parsed::From(_) | Parsed::Maintainer(_) => {
                    self.refuse(it.onbuild.span.clone(), "`ONBUILD` of this is not allowed", "write what it is to do")
                }
                _ => line.split_once(' ').map(|(_, trigger)| Change::Trigger(trigger.to_owned())),
            },
            Parsed::Shell(it) => Some(Change::Shell(it.arguments.iter().map(|word| word.value.to_string()).collect())),
            _ => None,
        }
    }

    /// `ARG` before `FROM` is seen by `FROM` alone; after it, a name without a default takes the value from before.
    pub(crate) fn arg(&mut self, arg: &ArgInstruction<'_>) {
        for (range, word) in split(&arg.arguments.value, self.escape) {
            let (name, default) = match word.split_once('=') {
                Some((name, default)) => (name, Some(default)),
                None => (word, None),
            };
            let scope = self.variables.scope.clone();
            let default = default.and_then(|it| self.expanded(it, &arg.arguments, range.end - it.len(), &scope));
            let given = self.request.build_args.get(name).cloned();
            let value =
                given.or_else(|| default.and_then(|it| it.known())).or_else(|| self.globals.get(name).cloned()?);
            if !self.in_stage {
                self.globals.insert(name.to_owned(), value.clone());
            }
            // Without a value it is what the base has under that name.
            let is_of_base = value.is_none() && self.has_base();
            // The later of `ENV` and `ARG` counts: so does BuildKit, whatever its reference says.
            if !is_of_base {
                let known = self.variables.scope.known.entry(name.to_owned()).or_default();
                // Said once more without a value, it keeps the one that it has.
                *known = value.or_else(|| known.take());
            }
            self.args.insert(name.to_owned());
        }
    }

    /// `NAME=VALUE …`, or in the old form `NAME VALUE`.
    fn pairs(&mut self, arguments: &UnescapedString<'_>) -> Option<Vec<(String, Text)>> {
        let scope = self.variables.scope.clone();
        let line = arguments.value.as_ref();
        let words = split(line, self.escape);
        let (_, first) = words.first()?;
        if !first.contains('=') {
            let (name, value) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            let value = value.trim();
            if value.is_empty() {
                return self.refuse(arguments.span.clone(), format!("`{name}` has no value"), "write `NAME=VALUE`");
            }
            let at = line.rfind(value).unwrap_or(0);
            return Some(vec![(name.to_owned(), self.expanded(value, arguments, at, &scope)?)]);
        }
        let mut pairs = Vec::new();
        for (range, word) in words {
            let Some((name, value)) = word.split_once('=').filter(|(name, _)| !name.is_empty()) else {
                let message = format!("`{word}` has no `=`");
                return self.refuse(arguments.span.clone(), message, "write `NAME=VALUE`, with quotes around blanks");
            };
            let name = self.expanded(name, arguments, range.start, &scope).and_then(|it| it.known());
            let value = self.expanded(value, arguments, range.end - value.len(), &scope);
            pairs.extend(name.zip(value));
        }
        Some(pairs)
    }

    fn argv(&self, command: &Command<'_>) -> Argv {
        match command {
            Command::Exec(words) => {
                Argv::Exec(words.value.iter().map(|word| word.value.clone().into_owned()).collect())
            }
            Command::Shell(line) if !syntax::is_empty_list(&self.request.text[line.span.clone()]) => {
                Argv::Shell(shell_line(line.value, self.escape))
            }
            _ => Argv::Exec(Vec::new()),
        }
    }

    fn ports(&mut self, word: &UnescapedString<'_>) -> Vec<String> {
        match self.word(word).map(|text| port(&text)) {
            Some(Ok(ports)) => ports,
            Some(Err(message)) => {
                self.problem(word.span.clone(), message, "write a port as in `8080` or `53/udp`");
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    /// A word, expanded; none, and a problem, where only the base could tell what it says.
    pub(crate) fn word(&mut self, word: &UnescapedString<'_>) -> Option<String> {
        let unknown = if self.has_base() { Unknown::OnlyOfBase } else { Unknown::Mistake };
        let scope = Scope { unknown, ..self.variables.scope.clone() };
        self.expanded(&word.value, word, 0, &scope)?.known()
    }

    /// The artifact of a file that lies elsewhere.
    pub(crate) fn download(&mut self, download: Download, span: &Range<usize>) -> String {
        let bytes = self.bytes(span);
        let known = self.downloads.iter().position(|(it, _)| *it == download);
        let at = known.unwrap_or_else(|| {
            let place = Place::File { path: self.request.path.to_owned(), start: bytes.start, end: bytes.end };
            self.downloads.push((download, place));
            self.downloads.len() - 1
        });
        self.request.names.download(at)
    }

    /// What continues a line.
    pub(crate) fn escape(&self) -> char {
        self.escape
    }

    /// Whether there is an image below, which may know what the Dockerfile does not say.
    pub(crate) fn has_base(&self) -> bool {
        self.variables.scope.unknown == Unknown::OfBase
    }

    /// `part`, which stands at byte `at` of `of`, expanded.
    fn expanded(&mut self, part: &str, of: &UnescapedString<'_>, at: usize, scope: &Scope) -> Option<Text> {
        match expand(part, self.escape, scope) {
            Ok(text) => Some(text),
            Err(mistakes) => {
                mistakes.into_iter().for_each(|mistake| self.mistake(mistake, &of.span, of.value.len(), at));
                None
            }
        }
    }

    /// A mistake behind byte `at` of what stands at `span`, and is so long when it is read. Where continued lines were joined,
    /// bytes of it are not bytes of the file: then all of it is shown.
    pub(crate) fn mistake(&mut self, mistake: Mistake, span: &Range<usize>, size: usize, at: usize) {
        let span = match span.len() == size {
            true => span.start + at + mistake.bytes.start..span.start + at + mistake.bytes.end,
            false => span.clone(),
        };
        let problem = Problem::at_file(self.request.path, self.bytes(&span), mistake.message);
        self.push(problem, mistake.help);
    }

    /// Says what is wrong with some bytes of the file, for one who then has nothing.
    pub(crate) fn refuse<T>(&mut self, span: Range<usize>, message: impl Into<String>, help: &str) -> Option<T> {
        self.problem(span, message, help);
        None
    }

    /// Says what is wrong with some bytes of the file.
    pub(crate) fn problem(&mut self, span: Range<usize>, message: impl Into<String>, help: &str) {
        let problem = Problem::at_file(self.request.path, self.bytes(&span), message);
        self.push(problem, Some(help.to_owned()));
    }

    /// Notes what forge does not do itself, for one who then has nothing.
    pub(crate) fn beyond<T>(&mut self, span: Range<usize>, message: impl Into<String>, help: &str) -> Option<T> {
        let problem = Problem::at_file(self.request.path, self.bytes(&span), message);
        self.beyond.problems.push(problem.help(help));
        None
    }

    /// Notes what forge may not be able to do.
    pub(crate) fn untold(&mut self, span: Range<usize>, message: &str) {
        self.beyond.untold.push(Problem::at_file(self.request.path, self.bytes(&span), message));
    }

    /// The same of something that may read any file of the project.
    pub(crate) fn beyond_in_project<T>(&mut self, span: Range<usize>, message: impl Into<String>) -> Option<T> {
        self.reads_project(span.clone());
        self.beyond(span, message, ENGINES)
    }

    /// Notes that any file of the project may be read.
    pub(crate) fn reads_project(&mut self, span: Range<usize>) {
        let bytes = self.bytes(&span);
        let place = Place::File { path: self.request.path.to_owned(), start: bytes.start, end: bytes.end };
        let except = self.request.ignore.patterns.clone();
        self.beyond.reads.push(Read { except, ..Read::all(".", place) });
    }

    pub(crate) fn push(&mut self, problem: Problem, help: Option<String>) {
        self.problems.push(Problem { help, ..problem });
    }

    pub(crate) fn bytes(&self, span: &Range<usize>) -> Range<usize> {
        span.start + self.offset..span.end + self.offset
    }

    /// An instruction as the history shows it: comments left out, lines joined.
    pub(crate) fn one_line(&self, span: Range<usize>) -> String {
        let bytes = self.bytes(&span);
        let end = bytes.end.min(self.request.text.len());
        let text = self.request.text.get(bytes.start..end).unwrap_or_default();
        let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
        let words = lines.flat_map(|line| line.strip_suffix(self.escape).unwrap_or(line).split_whitespace());
        words.collect::<Vec<_>>().join(" ")
    }
}

/// The problem of a `build_args` key that no `ARG` of the Dockerfile takes.
pub fn unused_build_arg(name: &str, dockerfile: &str, args: &BTreeSet<String>) -> Problem {
    let problem = Problem::at_key(format!("build_args.{name}"), format!("`{dockerfile}` has no `ARG {name}`"));
    match nearest(name, args.iter().map(String::as_str)) {
        Some(near) => problem.help(format!("it has `ARG {near}`")),
        None => problem,
    }
}

/// Nothing is run while an image is made, so that the platform that builds it is the one it is for.
fn platform_args(platform: &Platform) -> BTreeMap<String, Option<String>> {
    let parts = [
        ("PLATFORM", platform.to_string()),
        ("OS", platform.os().to_owned()),
        ("ARCH", platform.arch().to_owned()),
        ("VARIANT", platform.variant().unwrap_or_default().to_owned()),
    ];
    let prefixes = ["TARGET", "BUILD"];
    prefixes
        .iter()
        .flat_map(|prefix| parts.iter().map(move |(part, value)| (format!("{prefix}{part}"), Some(value.clone()))))
        .collect()
}

/// Where each instruction begins, and after the last where the text ends.
pub(crate) fn starts(instructions: &[Parsed<'_>], end: usize) -> Vec<usize> {
    instructions.iter().map(start).chain([end]).collect()
}

fn start(instruction: &Parsed<'_>) -> usize {
    match instruction {
        Parsed::Add(it) => it.add.span.start,
        Parsed::Arg(it) => it.arg.span.start,
        Parsed::Cmd(it) => it.cmd.span.start,
        Parsed::Copy(it) => it.copy.span.start,
        Parsed::Entrypoint(it) => it.entrypoint.span.start,
        Parsed::Env(it) => it.env.span.start,
        Parsed::Expose(it) => it.expose.span.start,
        Parsed::From(it) => it.from.span.start,
        Parsed::Healthcheck(it) => it.healthcheck.span.start,
        Parsed::Label(it) => it.label.span.start,
        Parsed::Maintainer(it) => it.maintainer.span.start,
        Parsed::Onbuild(it) => it.onbuild.span.start,
        Parsed::Run(it) => it.run.span.start,
        Parsed::Shell(it) => it.shell.span.start,
        Parsed::Stopsignal(it) => it.stopsignal.span.start,
        Parsed::User(it) => it.user.span.start,
        Parsed::Volume(it) => it.volume.span.start,
        Parsed::Workdir(it) => it.workdir.span.start,
        _ => 0,
    }
}
