//! `forge.lock`: what the tools of a plan said of themselves, so that a machine without them knows what they are; what names of the
//! world outside meant; and which library each plugin of a third party is. Asks nobody, and does not know where the file lies.

use std::collections::BTreeMap;
use std::ops::Range;

use forge_schemas::{Digest, Tool};
use serde::{Deserialize, Serialize};

/// What tools and plugins are, by what somebody wrote down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Locked {
    tools: BTreeMap<Tool, Said>,
    names: BTreeMap<String, Digest>,
    plugins: BTreeMap<String, Pin>,
}

/// Which library a plugin is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// Its version.
    pub version: String,
    /// Its pipes.
    pub pipes: Vec<String>,
    /// The names of `[secrets]` that its tables are granted, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// The names of those that its tables reveal to it, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revealed: Vec<String>,
    /// The digest of its library, by platform.
    pub digests: BTreeMap<String, Digest>,
}

/// What a tool said of its version; of one that can't be asked, what its file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Its words.
    Words(String),
    /// The digest of its file, or of words that are no text.
    Digest(Digest),
}

/// Why a text is no `forge.lock`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unlocked {
    /// A phrase.
    pub message: String,
    /// The bytes that it is about.
    pub place: Range<usize>,
    /// Of which sort.
    pub flaw: Flaw,
}

/// What may be wrong with a `forge.lock`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// A newer forge has written it.
    Newer,
    /// It can't be understood.
    Damaged,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    #[serde(default, rename = "tool", skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Entry>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    names: BTreeMap<String, Digest>,
    #[serde(default, rename = "plugins", skip_serializing_if = "BTreeMap::is_empty")]
    plugins: BTreeMap<String, Pin>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    program: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    args: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    said: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    digest: Option<Digest>,
}

/// The form of the file that this forge writes.
const VERSION: u32 = 1;
const HEADER: &str =
    "# Written by `forge lock` (tools, names) and `forge plugins lock` (plugins). It belongs into version control.\n\n";

impl Said {
    /// From what a tool wrote.
    pub fn of(output: Vec<u8>) -> Said {
        String::from_utf8(output).map_or_else(|error| Said::Digest(Digest::of(error.as_bytes())), Said::Words)
    }

    /// What stands for it in a fingerprint.
    pub fn digest(&self) -> Digest {
        match self {
            Said::Words(words) => Digest::of(words.as_bytes()),
            Said::Digest(digest) => *digest,
        }
    }

    /// Its words, where it has some.
    pub fn into_words(self) -> Option<String> {
        match self {
            Said::Words(words) => Some(words),
            Said::Digest(_) => None,
        }
    }

    /// What of it tells it from `other`, on one line: the first line that differs, or the digest.
    pub fn unlike(&self, other: &Said) -> String {
        let (Said::Words(own), Said::Words(others)) = (self, other) else { return self.digest().to_string() };
        let mut others = others.lines();
        let line = own.lines().find(|line| others.next() != Some(line));
        line.or(own.lines().last()).map_or_else(|| "nothing".to_owned(), |line| format!("`{}`", line.trim()))
    }
}

impl Locked {
    /// From the text of the file.
    pub fn parse(text: &str) -> Result<Locked, Unlocked> {
        let unlocked = |error: toml::de::Error| Unlocked {
            message: error.message().to_owned(),
            place: error.span().unwrap_or_default(),
            flaw: Flaw::Damaged,
        };
        let version = text.parse::<toml::Table>().map_err(unlocked)?.get("version").and_then(toml::Value::as_integer);
        if let Some(version) = version.filter(|it| *it > i64::from(VERSION)) {
            let message = format!("it was written by a newer forge (version {version} of its form)");
            return Err(Unlocked { message, place: 0..0, flaw: Flaw::Newer });
        }
        let file: File = toml::from_str(text).map_err(unlocked)?;
        let mut tools = BTreeMap::new();
        for entry in file.tools {
            let tool = Tool { program: entry.program, version: entry.args };
            let words = tool.to_string();
            let bad = |what| Unlocked { message: format!("`{words}` {what}"), place: 0..0, flaw: Flaw::Damaged };
            let said = match (entry.said, entry.digest) {
                (Some(said), None) => Said::Words(said),
                (None, Some(digest)) => Said::Digest(digest),
                _ => return Err(bad("needs either `said` or `digest`")),
            };
            if tools.insert(tool, said).is_some() {
                return Err(bad("is there twice"));
            }
        }
        Ok(Locked { tools, names: file.names, plugins: file.plugins })
    }

    /// The text of the file. Same tools, same text.
    pub fn text(&self) -> String {
        let tools = self.tools.iter().map(|(tool, said)| {
            let (said, digest) = match said {
                Said::Words(words) => (Some(words.clone()), None),
                Said::Digest(digest) => (None, Some(*digest)),
            };
            Entry { program: tool.program.clone(), args: tool.version.clone(), said, digest }
        });
        let (names, plugins) = (self.names.clone(), self.plugins.clone());
        let file = File { version: VERSION, tools: tools.collect(), names, plugins };
        format!("{HEADER}{}", toml::to_string(&file).unwrap_or_default())
    }

    /// What this tool said.
    pub fn get(&self, tool: &Tool) -> Option<&Said> {
        self.tools.get(tool)
    }

    /// Which library this plugin is.
    pub fn pin(&self, plugin: &str) -> Option<&Pin> {
        self.plugins.get(plugin)
    }

    /// All plugins, by name.
    pub fn pins(&self) -> &BTreeMap<String, Pin> {
        &self.plugins
    }

    /// The same tools, with these plugins.
    #[must_use]
    pub fn with_pins(self, plugins: BTreeMap<String, Pin>) -> Locked {
        Locked { plugins, ..self }
    }

    /// The same, with what these names mean.
    #[must_use]
    pub fn with_names(self, names: BTreeMap<String, Digest>) -> Locked {
        Locked { names, ..self }
    }

    /// What names of the world outside mean.
    pub fn names(&self) -> &BTreeMap<String, Digest> {
        &self.names
    }

    /// All tools, sorted.
    pub fn tools(&self) -> impl Iterator<Item = (&Tool, &Said)> {
        self.tools.iter()
    }
}

impl FromIterator<(Tool, Said)> for Locked {
    fn from_iter<I: IntoIterator<Item = (Tool, Said)>>(tools: I) -> Locked {
        Locked { tools: tools.into_iter().collect(), names: BTreeMap::new(), plugins: BTreeMap::new() }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn tool(words: &[&str]) -> Tool {
        Tool { program: words[0].to_owned(), version: words[1..].iter().map(|it| (*it).to_owned()).collect() }
    }

    #[test]
    fn what_is_written_is_read() {
        let locked: Locked = [
            (tool(&["rustc", "-vV"]), Said::of(b"rustc 1.0\nhost: \"x\"\n".to_vec())),
            (tool(&["cp"]), Said::Digest(Digest::of(b"cp"))),
            (tool(&["odd", "-v"]), Said::of(vec![0xff])),
        ]
        .into_iter()
        .collect();
        let pin = Pin {
            version: "0.3.1".to_owned(),
            pipes: vec!["sign".to_owned()],
            secrets: vec!["key".to_owned()],
            revealed: Vec::new(),
            digests: [("linux-x86_64-gnu".to_owned(), Digest::of(b"a library"))].into(),
        };
        let locked = locked.with_pins([("acme-sign".to_owned(), pin)].into());
        let locked = locked.with_names([("docker.io/library/debian:12".to_owned(), Digest::of(b"an index"))].into());
        expect![[r##"
            # Written by `forge lock` (tools, names) and `forge plugins lock` (plugins). It belongs into version control.

            version = 1

            [[tool]]
            program = "cp"
            digest = "sha256:e44b4bd707c540bca8615b21f850fb41e02029701df241d179c1a5f3acbf5bf1"

            [[tool]]
            program = "odd"
            args = ["-v"]
            digest = "sha256:a8100ae6aa1940d0b663bb31cd466142ebbdbd5187131b92d93818987832eb89"

            [[tool]]
            program = "rustc"
            args = ["-vV"]
            said = """
            rustc 1.0
            host: "x"
            """

            [names]
            "docker.io/library/debian:12" = "sha256:13f28396e236ef752a2f8e7911c5ecc6750e3c9b96114475b260cc73cdd06d3a"

            [plugins.acme-sign]
            version = "0.3.1"
            pipes = ["sign"]
            secrets = ["key"]

            [plugins.acme-sign.digests]
            linux-x86_64-gnu = "sha256:31f109ab38348582abdc9e1c9942f74505c719e98c6d0ab6fbcfdccfd8c9935b"
        "##]]
        .assert_eq(&locked.text());
        assert_eq!(Locked::parse(&locked.text()), Ok(locked));
    }

    fn check(text: &str, expect: Expect) {
        let unlocked = Locked::parse(text).unwrap_err();
        expect.assert_eq(&format!("{} at {:?}", unlocked.message, unlocked.place));
    }

    #[test]
    fn what_is_no_lock() {
        check(
            "version = 1\n[[tool]]\nprogram = 3\n",
            expect!["invalid type: integer `3`, expected a string at 31..32"],
        );
        check(
            "version = 2\nwhatever = true\n",
            expect!["it was written by a newer forge (version 2 of its form) at 0..0"],
        );
        check("version = 1\n[[tool]]\nprogram = 'x'\n", expect!["`x` needs either `said` or `digest` at 0..0"]);
        check(
            "version = 1\n[[tool]]\nprogram = 'x'\nsaid = ''\n[[tool]]\nprogram = 'x'\nsaid = ''\n",
            expect!["`x` is there twice at 0..0"],
        );
        check("version = ", expect!["string values must be quoted, expected literal string at 10..10"]);
    }

    #[test]
    fn what_tells_one_from_another() {
        let check = |one: &str, other: &str, expect: &str| {
            let said = |it: &str| Said::of(it.as_bytes().to_vec());
            assert_eq!(said(one).unlike(&said(other)), expect);
        };
        check("rustc\nrelease: 1.90\n", "rustc\nrelease: 1.91\n", "`release: 1.90`");
        check("go 1", "go 1\nmore", "`go 1`");
        check("", "go 1", "nothing");
    }
}
