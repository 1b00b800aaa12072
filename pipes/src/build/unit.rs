//! One platform of a table, while it is planned: which settings apply to it, and their templates rendered.
//! Does not know the tools. What is wrong is kept, so that all of it can be said at once.

use std::collections::BTreeMap;

use forge_plugin::schemas::{Platform, Problem, Read};
use forge_plugin::{Given, Names, PlatformNames, Template};
use serde::Serialize;
use serde_json::Value;

use super::platforms::Wanted;
use super::read_of;
use super::settings::{Override, Settings};
use super::words::Words;

/// Stands in a plan for the path that `run` alone knows. Written so that a shell that a user starts would put in the same.
pub const OUTPUT: &str = "${FORGE_OUTPUT}";

/// One platform of a table.
pub struct Unit<'a> {
    /// The table.
    pub settings: &'a Settings,
    /// What planning is given.
    pub given: &'a Given<'a>,
    /// The platform.
    pub platform: &'a Platform,
    /// The key that asks for the platform.
    pub key: &'a str,
    /// The name of the program, with `.exe` where it belongs.
    pub file_name: String,
    /// The name of the program, without.
    pub binary: String,
    /// What is wrong.
    pub problems: Vec<Problem>,
    names: PlatformNames,
    overrides: Vec<(usize, &'a Override)>,
}

/// The names of a platform, and where its program is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutputNames {
    /// `linux`.
    pub os: String,
    /// `arm`.
    pub arch: String,
    /// `v7`, or empty.
    pub variant: String,
    /// `linux/arm/v7`.
    pub platform: String,
    /// `.exe` on Windows, else empty.
    pub ext: String,
    /// The program's name, without `ext`.
    pub binary: String,
    /// The path of the program.
    pub output: String,
}

impl Names for OutputNames {
    const NAMES: &'static [&'static str] = &["os", "arch", "variant", "platform", "ext", "binary", "output"];
}

impl<'a> Unit<'a> {
    /// The platform of this table that is wanted.
    pub fn new(settings: &'a Settings, given: &'a Given<'a>, wanted: &'a Wanted) -> Unit<'a> {
        let platform = &wanted.platform;
        let fitting = settings.overrides.iter().enumerate().filter(|(_, it)| it.pattern().fits(platform));
        let mut unit = Unit {
            settings,
            given,
            platform,
            key: &wanted.key,
            file_name: String::new(),
            binary: String::new(),
            problems: Vec::new(),
            names: PlatformNames::from(platform),
            overrides: fitting.collect(),
        };
        unit.name_binary();
        unit
    }

    /// Keeps what is wrong.
    pub fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// The value that applies: that of the last override that has one, else the table's. With the key it stands at.
    pub fn pick<T>(
        &self,
        name: &str,
        own: Option<&'a T>,
        differing: impl Fn(&'a Override) -> Option<&'a T>,
    ) -> Option<(String, &'a T)> {
        let last =
            self.overrides.iter().rev().find_map(|(at, it)| Some((format!("overrides[{at}].{name}"), differing(it)?)));
        last.or_else(|| Some((name.to_owned(), own?)))
    }

    /// A template, rendered with the names of the platform.
    pub fn text(&mut self, key: &str, template: &Template) -> Option<String> {
        let rendered = self.given.render(key, template, &self.names);
        self.keep(rendered)
    }

    /// Arguments, rendered and split.
    pub fn words(&mut self, key: &str, words: &Words<PlatformNames>) -> Vec<String> {
        let words = words.render(key, self.given, &self.names);
        self.keep_all(words)
    }

    /// Arguments that are one in the end: a text as it stands, or a list joined with spaces.
    pub fn joined(&mut self, key: &str, words: &Words<PlatformNames>) -> String {
        match words {
            Words::Text(text) => self.text(key, text).unwrap_or_default(),
            Words::List(_) => self.words(key, words).join(" "),
        }
    }

    /// A command, rendered and split. [`OUTPUT`] stands for the path of the program.
    pub fn command(&mut self, key: &str, words: &Words<OutputNames>) -> Vec<String> {
        let names = OutputNames {
            os: self.names.os.clone(),
            arch: self.names.arch.clone(),
            variant: self.names.variant.clone(),
            platform: self.names.platform.clone(),
            ext: self.names.ext.clone(),
            binary: self.binary.clone(),
            output: OUTPUT.to_owned(),
        };
        let argv = words.command(key, self.given, &names);
        self.keep_all(argv)
    }

    /// The hooks, before and after.
    pub fn hooks(&mut self) -> (Vec<Vec<String>>, Vec<Vec<String>>) {
        let hooks = &self.settings.hooks;
        let before = hooks.before.iter().enumerate().map(|(at, it)| self.command(&format!("hooks.before[{at}]"), it));
        let before = before.collect();
        let after = hooks.after.iter().enumerate().map(|(at, it)| self.command(&format!("hooks.after[{at}]"), it));
        (before, after.collect())
    }

    /// The variables for tool and hooks: the tool's, then the table's, then those of the overrides.
    pub fn env(&mut self, tool: Option<&BTreeMap<String, String>>) -> BTreeMap<String, String> {
        let mut env = tool.cloned().unwrap_or_default();
        env.insert("FORGE_PLATFORM".to_owned(), self.platform.to_string());
        let layers = self.overrides.iter().map(|(at, it)| (format!("overrides[{at}].env"), &it.env));
        let layers: Vec<_> = std::iter::once(("env".to_owned(), &self.settings.env)).chain(layers).collect();
        for (key, layer) in layers {
            for (name, value) in layer {
                if let Some(value) = self.text(&format!("{key}.{name}"), value) {
                    env.insert(name.clone(), value);
                }
            }
        }
        env
    }

    /// What is true of the commit, for tools that compile.
    pub fn facts(&self) -> BTreeMap<String, String> {
        let facts = self.given.facts;
        let variables = [
            ("FORGE_VERSION", facts.version.clone()),
            ("FORGE_TAG", facts.tag.clone()),
            ("FORGE_COMMIT", facts.commit.clone()),
            ("FORGE_COMMIT_TIME", facts.commit_time.clone()),
            ("SOURCE_DATE_EPOCH", facts.commit_timestamp.to_string()),
        ];
        variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// The source files that the table names, if it names any.
    pub fn reads(&mut self) -> Option<Vec<Read>> {
        let sources = self.settings.sources.as_ref()?;
        let mut reads = Vec::with_capacity(sources.len());
        for (at, source) in sources.iter().enumerate() {
            let key = format!("sources[{at}]");
            reads.extend(self.text(&key, source).map(|path| read_of(path, key)));
        }
        Some(reads)
    }

    /// A value of the pipe's own as JSON.
    pub fn json<T: Serialize>(&mut self, value: &T) -> Option<Value> {
        let value = serde_json::to_value(value).map_err(|error| Problem::at_key("", error.to_string()));
        self.keep(value)
    }

    /// Says that the tool has no such platform.
    pub fn unsupported(&mut self, tool: &str) {
        let message = format!("`{tool}` can't build for `{}`", self.platform);
        self.problem(
            Problem::at_key(self.key, message).help("leave it out of `platforms`, or build it with another tool"),
        );
    }

    fn name_binary(&mut self) {
        let name = match &self.settings.binary {
            Some(binary) => self.text("binary", binary).unwrap_or_default(),
            None => self.given.facts.name.clone(),
        };
        let key = if self.settings.binary.is_some() { "binary" } else { "" };
        if self.problems.is_empty() && !is_file_name(&name) {
            let problem = Problem::at_key(key, format!("`{name}` can't be the name of a program"));
            self.problem(problem.help("`binary` must be the name of a file, without a directory"));
        }
        let ext = match self.platform.os() {
            "windows" => ".exe",
            "js" | "wasip1" => ".wasm",
            _ => "",
        };
        self.binary = name.strip_suffix(ext).unwrap_or(&name).to_owned();
        self.file_name = format!("{}{ext}", self.binary);
    }

    fn keep_all(&mut self, words: Result<Vec<String>, Vec<Problem>>) -> Vec<String> {
        words.unwrap_or_else(|problems| {
            self.problems.extend(problems);
            Vec::new()
        })
    }

    fn keep<T>(&mut self, result: Result<T, Problem>) -> Option<T> {
        result.map_err(|problem| self.problems.push(problem)).ok()
    }
}

fn is_file_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\\', '\0'])
}
