//! The stages of a Dockerfile, read for one platform: those that the image needs, and what they stand on and copy from.
//! Does not know what instructions do.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use forge_plugin::schemas::{Place, Platform, Problem};
use parse_dockerfile::{Flag, FromInstruction, Instruction as Parsed, UnescapedString};

use crate::docker::base::Base;
use crate::docker::beyond::Beyond;
use crate::docker::context::Context;
use crate::docker::dockerfile::{Reader, Variables, starts};
use crate::docker::ignore::Ignore;
use crate::docker::making::{Making, Named, Names, On, Stage};
use crate::docker::nearest::nearest;
use crate::docker::recipe::{Change, Instruction};
use crate::docker::syntax;

/// What a Dockerfile is read with.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// Its path, relative to the project file.
    pub path: &'a str,
    /// Its text.
    pub text: &'a str,
    /// For which platform.
    pub platform: &'a Platform,
    /// Values of its `ARG`s.
    pub build_args: &'a BTreeMap<String, String>,
    /// What it can copy.
    pub context: &'a Context,
    /// What of the project it can't.
    pub ignore: &'a Ignore,
    /// What names of images mean, where that is said.
    pub contexts: &'a BTreeMap<String, String>,
    /// What its stages and bases are called as artifacts.
    pub names: Names,
    /// The stage that is the image; the last where none is given.
    pub target: Option<&'a str>,
}

/// What a Dockerfile says.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// How the image is made.
    pub making: Making,
    /// Which names its `ARG`s have, in all stages that are read.
    pub args: BTreeSet<String>,
    /// Where it names images that are not made here, in bytes of its text, and which of the bases each is.
    pub named: Vec<(Range<usize>, usize)>,
    /// Which of the contexts it makes use of.
    pub contexts: BTreeSet<String>,
    /// What forge does not do itself. Where there is any, the stages lack it.
    pub beyond: Beyond,
    /// What is wrong, whoever makes the image. Where there is any, the stages lack that too.
    pub problems: Vec<Problem>,
}

/// Reads a Dockerfile.
pub fn read(request: &Request<'_>) -> Result<Reading, Vec<Problem>> {
    let text = syntax::parsable(request.text);
    let dockerfile =
        parse_dockerfile::parse(&text).map_err(|error| vec![syntax::problem(request.path, request.text, &error)])?;
    let mut reader = Reader::new(request, &dockerfile);
    dockerfile.global_args().for_each(|arg| reader.arg(arg));
    let stages: Vec<parse_dockerfile::Stage<'_, '_>> = dockerfile.stages().collect();
    let map = Map::of(&stages, &reader);
    let Some(target) = map.target(request)? else { return Err(reader.problems) };
    let needed = map.needed(target);
    let (bases, named, left, contexts) = (Vec::new(), Vec::new(), BTreeMap::new(), BTreeSet::new());
    let mut read = Read { reader, map, bases, named, contexts, target, stages: Vec::new(), left };
    for at in needed {
        let end = stages.get(at + 1).map_or(request.text.len(), |next| next.from.from.span.start);
        let triggers: Vec<_> = read.map.on[at].map(|on| triggers(&stages[on]).collect()).unwrap_or_default();
        read.stage(at, &stages[at], &triggers, end);
    }
    Ok(read.finish())
}

/// What stages are called, and what they need.
struct Map {
    names: Vec<String>,
    /// The stage that each stands on.
    on: Vec<Option<usize>>,
    needs: Vec<BTreeSet<usize>>,
}

impl Map {
    fn of(stages: &[parse_dockerfile::Stage<'_, '_>], reader: &Reader<'_>) -> Map {
        let called = |(at, stage): (usize, &parse_dockerfile::Stage<'_, '_>)| match &stage.from.as_ {
            Some((_, name)) => name.value.to_lowercase(),
            None => at.to_string(),
        };
        let names = stages.iter().enumerate().map(called).collect();
        let mut map = Map { names, on: Vec::new(), needs: Vec::new() };
        for (at, stage) in stages.iter().enumerate() {
            // Where it can't be told yet what it stands on, it is no stage.
            let on = reader.quietly(&stage.from.image).and_then(|it| map.by_name(&it, at));
            let all = on.map(|on| triggers(&stages[on])).into_iter().flatten().chain(stage.instructions);
            let copied = all.flat_map(|it| from_of(it).map(|it| it.value.as_ref()).into_iter().chain(mounted(it)));
            let copied = copied.filter_map(|it| map.find(it, at));
            let needs = on.into_iter().chain(copied).collect();
            map.on.push(on);
            map.needs.push(needs);
        }
        map
    }

    /// The stage of this name before another. Of two, the later.
    fn by_name(&self, name: &str, before: usize) -> Option<usize> {
        self.names[..before].iter().rposition(|it| *it == name.to_lowercase())
    }

    /// The same, also by its number.
    fn find(&self, name: &str, before: usize) -> Option<usize> {
        self.by_name(name, before).or_else(|| name.parse().ok().filter(|at| *at < before))
    }

    fn target(&self, request: &Request<'_>) -> Result<Option<usize>, Vec<Problem>> {
        let Some(name) = request.target else { return Ok(self.names.len().checked_sub(1)) };
        let found = self.find(name, self.names.len());
        found.map(Some).ok_or_else(|| {
            let problem = Problem::at_key("target", format!("`{}` has no stage `{name}`", request.path));
            let near = nearest(name, self.names.iter().map(String::as_str));
            vec![near.map_or_else(|| problem.clone(), |near| problem.clone().help(format!("it has `{near}`")))]
        })
    }

    /// A stage and all that it needs, in the order of the file.
    fn needed(&self, target: usize) -> BTreeSet<usize> {
        let (mut needed, mut open) = (BTreeSet::new(), vec![target]);
        while let Some(at) = open.pop() {
            if needed.insert(at) {
                open.extend(&self.needs[at]);
            }
        }
        needed
    }
}

/// What a stage says that the next one does first.
fn triggers<'s, 'a>(stage: &parse_dockerfile::Stage<'a, 's>) -> impl Iterator<Item = &'s Parsed<'a>> + use<'s, 'a> {
    let instructions: &'s [Parsed<'a>] = stage.instructions;
    instructions.iter().filter_map(|it| if let Parsed::Onbuild(it) = it { Some(it.instruction.as_ref()) } else { None })
}

/// What `COPY` and `ADD` copy from, where that is not the project.
fn from_of<'i, 'a>(instruction: &'i Parsed<'a>) -> Option<&'i UnescapedString<'a>> {
    let options = match instruction {
        Parsed::Copy(it) => &it.options,
        Parsed::Add(it) => &it.options,
        _ => return None,
    };
    options.iter().find(|flag| flag.name.value == "from")?.value.as_ref()
}

/// What `RUN` has mounted that is not of the project.
fn mounted<'i>(instruction: &'i Parsed<'_>) -> impl Iterator<Item = &'i str> {
    let options = if let Parsed::Run(it) = instruction { it.options.as_slice() } else { &[] };
    let mounts = options.iter().filter(|flag| flag.name.value == "mount").filter_map(|flag| flag.value.as_ref());
    mounts.filter_map(|value| value.value.split(',').find_map(|it| it.strip_prefix("from=")))
}

/// A Dockerfile, read so far.
struct Read<'a> {
    reader: Reader<'a>,
    map: Map,
    bases: Vec<Named>,
    named: Vec<(Range<usize>, usize)>,
    contexts: BTreeSet<String>,
    /// The stage that is the image.
    target: usize,
    /// Each with its number in the file.
    stages: Vec<(usize, Stage)>,
    /// What stages leave to those that stand on them.
    left: BTreeMap<usize, Left>,
}

/// What a stage leaves to those that stand on it.
#[derive(Debug, Clone, Default)]
struct Left {
    /// As they are at its end.
    variables: Variables,
    /// What they do first, each on one line.
    triggers: Vec<String>,
}

impl Read<'_> {
    fn stage<'f>(&mut self, at: usize, stage: &parse_dockerfile::Stage<'f, '_>, triggers: &[&Parsed<'f>], end: usize) {
        self.reader.begin();
        let asked = self.platform(stage.from);
        let Some((on, platform)) = self.on(at, stage.from, asked) else { return };
        if at == self.target && platform != *self.reader.request.platform {
            let message =
                format!("the base is for another platform than the image for `{}`", self.reader.request.platform);
            let help = "leave `--platform` out, or write `--platform=$TARGETPLATFORM`";
            let flag = stage.from.options.iter().find(|it| it.name.value == "platform").map(Flag::span);
            self.reader.problem(flag.unwrap_or_else(|| stage.from.image.span.clone()), message, help);
        }
        for name in triggers.iter().copied().chain(stage.instructions).filter_map(from_of) {
            self.copied_from(at, name);
        }
        // An image of elsewhere is left to engines.
        for name in triggers.iter().copied().chain(stage.instructions).flat_map(mounted) {
            if let Some(stage) = self.map.find(name, at) {
                let artifact = self.reader.request.names.stage(&self.map.names[stage]);
                self.reader.foreign.insert(name.to_owned(), artifact);
            }
        }
        let before = self.map.on[at].and_then(|on| self.left.get(&on)).cloned().unwrap_or_default();
        let before: Vec<_> = triggers.iter().copied().zip(before.triggers).collect();
        let starts = starts(stage.instructions, end);
        let lines = starts.windows(2).map(|bytes| self.reader.one_line(bytes[0]..bytes[1]));
        let all: Vec<_> = before.into_iter().chain(stage.instructions.iter().zip(lines)).collect();
        for (instruction, created_by) in all {
            if let Some(change) = self.reader.change(instruction, &created_by) {
                self.reader.instructions.push(Instruction { created_by, change });
            }
        }
        self.leave(at);
        let instructions = std::mem::take(&mut self.reader.instructions);
        let reads = std::mem::take(&mut self.reader.reads);
        self.stages.push((at, Stage { name: self.map.names[at].clone(), platform, on, instructions, reads }));
    }

    fn leave(&mut self, at: usize) {
        let changes = self.reader.instructions.iter().map(|it| &it.change);
        let triggers = changes.filter_map(|it| if let Change::Trigger(it) = it { Some(it.clone()) } else { None });
        let left = Left { triggers: triggers.collect(), variables: self.reader.variables.clone() };
        self.left.insert(at, left);
    }

    /// What a stage stands on, and for which platform that is.
    fn on(&mut self, at: usize, from: &FromInstruction<'_>, asked: Option<Platform>) -> Option<(On, Platform)> {
        let text = self.reader.base_word(&from.image)?;
        let ours = self.reader.request.platform;
        let Some(stage) = self.map.by_name(&text, at) else {
            let platform = asked.unwrap_or_else(|| ours.clone());
            let (base, on) = self.base(&text, &from.image, &platform)?;
            self.reader.on_base(&base);
            return Some((on, platform));
        };
        let left = self.left.get(&stage).cloned().unwrap_or_default();
        self.reader.on_stage(left.variables);
        let number = self.stages.iter().position(|(it, _)| *it == stage)?;
        Some((On::Stage(number), self.stages[number].1.platform.clone()))
    }

    /// An image that is not made here; each is one of the bases once.
    fn base(&mut self, text: &str, at: &UnescapedString<'_>, platform: &Platform) -> Option<(Base, On)> {
        let bytes = self.reader.bytes(&at.span);
        let said = self.reader.request.contexts.get_key_value(text);
        self.contexts.extend(said.map(|(name, _)| name.clone()));
        let text = said.map_or(text, |(_, text)| text);
        let base = match Base::parse(text) {
            Ok(Base::Scratch) => return Some((Base::Scratch, On::Scratch)),
            Ok(Base::Table(_)) if said.is_none() => {
                let message = "a Dockerfile does not know the tables of the project";
                let help = format!("give it a name: `contexts = {{ other = \"{text}\" }}`, and `other` here");
                return self.reader.refuse(at.span.clone(), message, &help);
            }
            Ok(base) => base,
            Err(bad) => {
                self.reader.push(Problem::at_file(self.reader.request.path, bytes, bad.message), bad.help);
                return None;
            }
        };
        let place = Place::File { path: self.reader.request.path.to_owned(), start: bytes.start, end: bytes.end };
        let known = self.bases.iter().position(|it| it.text == text && it.platform == *platform);
        let number = known.unwrap_or_else(|| {
            self.bases.push(Named { base: base.clone(), text: text.to_owned(), platform: platform.clone(), place });
            self.bases.len() - 1
        });
        self.named.push((bytes, number));
        Some((base, On::Base(number)))
    }

    /// Finds out what an instruction copies from, before it is read.
    fn copied_from(&mut self, at: usize, name: &UnescapedString<'_>) {
        let artifact = match self.map.find(&name.value, at) {
            Some(stage) => Some(self.reader.request.names.stage(&self.map.names[stage])),
            None if name.value.parse::<usize>().is_ok()
                || self.map.names[at..].contains(&name.value.to_lowercase()) =>
            {
                let message = format!("no stage before this one is `{}`", name.value);
                self.reader.refuse(name.span.clone(), message, "a stage copies from those that stand above it")
            }
            None => match self.base(&name.value, name, self.reader.request.platform) {
                Some((_, On::Base(at))) => Some(self.bases[at].artifact(&self.reader.request.names, at)),
                Some(_) => {
                    self.reader.refuse(name.span.clone(), "nothing lies in `scratch`", "name a stage or an image")
                }
                None => None,
            },
        };
        let artifact = artifact.unwrap_or_default();
        self.reader.foreign.insert(name.value.to_string(), artifact);
    }

    /// For which platform a stage says that it is. Only a helper may be for another than the image.
    fn platform(&mut self, from: &FromInstruction<'_>) -> Option<Platform> {
        let mut platform = None;
        for flag in &from.options {
            let name = flag.name.value.as_ref();
            let text = flag.value.as_ref().and_then(|value| self.reader.word(value)).unwrap_or_default();
            match (name, text.parse::<Platform>()) {
                ("platform", Ok(it)) => platform = Some(it),
                ("platform", Err(bad)) => {
                    let help = bad.help.clone().unwrap_or_else(|| "write it as in `linux/arm64`".to_owned());
                    self.reader.problem(flag.span(), bad.to_string(), &help);
                }
                _ => self.reader.problem(
                    flag.span(),
                    format!("`FROM` has no option `--{name}`"),
                    "known is `--platform`",
                ),
            }
        }
        platform
    }

    fn finish(self) -> Reading {
        let Read { reader, bases, named, contexts, stages, .. } = self;
        let stages = stages.into_iter().map(|(_, stage)| stage).collect();
        let except = reader.request.ignore.patterns.clone();
        let making = Making { bases, downloads: reader.downloads, stages, except };
        Reading { making, args: reader.args, named, contexts, beyond: reader.beyond, problems: reader.problems }
    }
}
