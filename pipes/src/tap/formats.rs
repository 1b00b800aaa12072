//! What package managers want to read, and in which place.
//! Does not know what is released.

mod aur;
mod homebrew_cask;
mod homebrew_formula;
mod krew;
mod nix;
mod quote;
mod scoop;
mod winget;

use forge_plugin::Given;
use forge_plugin::schemas::{Platform, Problem};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use super::Settings;
use super::names::About;

/// All of them.
const FORMATS: &[Manager] = &[
    homebrew_cask::MANAGER,
    homebrew_formula::MANAGER,
    scoop::MANAGER,
    winget::MANAGER,
    krew::MANAGER,
    nix::MANAGER,
    aur::MANAGER,
];

/// A package manager.
pub struct Manager {
    /// What the project file calls it.
    name: &'static str,
    /// What it is, to be read behind its name.
    about: &'static str,
    /// The platforms that it has words for, as `os/arch`; all of an os by `os`.
    platforms: &'static [&'static str],
    /// The formats of archives that it can unpack, the best first.
    archives: &'static [&'static str],
    /// Its word for such a platform. Of two that have the same one, one is downloaded.
    word: fn(&Platform) -> String,
    /// What it does not do without, of the keys of the table.
    needs: &'static [&'static str],
    /// Where its users look in a repository.
    directory: fn(&About) -> String,
    /// The name of each file, and its template.
    files: fn(&About) -> Vec<File>,
}

/// A file for a package manager.
#[derive(Debug, Clone)]
pub struct File {
    /// What it is called.
    pub name: String,
    /// Its template.
    pub text: String,
}

/// What is written for one package manager.
pub struct Format {
    /// What it is called in messages.
    pub called: String,
    /// Where the files lie.
    pub directory: String,
    /// The files.
    pub files: Vec<File>,
    platforms: &'static [&'static str],
    archives: &'static [&'static str],
    /// None where every platform is another one.
    word: Option<fn(&Platform) -> String>,
}

/// The name of a format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FormatName(String);

const ANY: &[&str] = &["tar.gz", "tar.xz", "tar.zst", "zip", "gz", "xz", "zst", "binary"];
const EVERYWHERE: &[&str] = &["linux", "darwin", "windows", "freebsd", "netbsd", "openbsd"];

/// What the table asks for.
pub fn chosen(settings: &Settings, given: &Given<'_>, about: &About) -> Result<Format, Problem> {
    match (&settings.format, &settings.template) {
        (Some(format), None) => of_manager(format, settings, about),
        (None, Some(path)) => of_template(path, settings, given),
        (Some(_), Some(_)) => {
            let problem = Problem::at_key("template", "`format` and `template` both say what is written");
            Err(problem.help("leave one of them out"))
        }
        (None, None) => {
            let problem = Problem::at_key("", "what is to be written is not said");
            Err(problem.help(format!("add `format`: {}; or `template`, a file of your own", names().join(", "))))
        }
    }
}

fn of_manager(format: &FormatName, settings: &Settings, about: &About) -> Result<Format, Problem> {
    let manager = FORMATS.iter().find(|it| it.name == format.0).ok_or_else(|| {
        let problem = Problem::at_key("format", format!("there is no format `{}`", format.0));
        problem.help(format!("the formats are {}", names().join(", ")))
    })?;
    let said = [
        ("description", !about.description.is_empty()),
        ("homepage", !about.homepage.is_empty()),
        ("license", !about.license.is_empty()),
        ("publisher", !about.publisher.is_empty()),
    ];
    let missing: Vec<String> = said
        .iter()
        .filter(|(key, is_said)| manager.needs.contains(key) && !is_said)
        .map(|(key, _)| format!("`{key}`"))
        .collect();
    if !missing.is_empty() {
        let problem = Problem::at_key("format", format!("`{}` wants {}", manager.name, missing.join(" and ")));
        return Err(problem.help("add it to the table"));
    }
    if let Some(file) = &settings.file {
        let problem = Problem::at_key("file", format!("`{file}` names the file of a `template`, and there is none"));
        return Err(problem.help("leave it out: the format says what its files are called"));
    }
    Ok(Format {
        called: format!("`{}`", manager.name),
        directory: (manager.directory)(about),
        files: (manager.files)(about),
        platforms: manager.platforms,
        archives: manager.archives,
        word: Some(manager.word),
    })
}

fn of_template(path: &str, settings: &Settings, given: &Given<'_>) -> Result<Format, Problem> {
    let Some(name) = &settings.file else {
        let problem = Problem::at_key("template", "what the file is called is not said");
        return Err(problem.help("add `file = \"hello.json\"`"));
    };
    Ok(Format {
        called: "a template of your own".to_owned(),
        directory: String::new(),
        files: vec![File { name: name.clone(), text: given.source(path).unwrap_or_default().to_owned() }],
        platforms: EVERYWHERE,
        archives: ANY,
        word: None,
    })
}

/// The word of one that knows no variants.
fn os_and_arch(platform: &Platform) -> String {
    format!("{}/{}", platform.os(), platform.arch())
}

fn names() -> Vec<String> {
    FORMATS.iter().map(|it| format!("`{}`", it.name)).collect()
}

impl Format {
    /// Where something is wrong that was told already.
    pub fn nothing() -> Format {
        Format {
            called: String::new(),
            directory: String::new(),
            files: Vec::new(),
            platforms: &[],
            archives: &[],
            word: None,
        }
    }

    /// What it calls a platform: two words for one that stands for both processors of a Mac.
    pub fn words(&self, platform: &Platform) -> Vec<String> {
        let Some(word) = self.word else { return vec![platform.to_string()] };
        if *platform != Platform::universal() {
            return vec![word(platform)];
        }
        let both = ["amd64", "arm64"].map(|arch| Platform::from_parts(platform.os(), arch, None));
        both.iter().flatten().map(word).collect()
    }

    /// How good an archive of this format for this platform is, the best first; none for one that is of no use.
    pub fn rank(&self, platform: &Platform, archive: &str) -> Option<usize> {
        let name = os_and_arch(platform);
        let is_known = self.platforms.iter().any(|it| *it == name || *it == platform.os());
        self.archives.iter().position(|it| *it == archive).filter(|_| is_known)
    }

    /// What it takes.
    pub fn in_words(&self) -> String {
        format!("{} for {}", self.archives.join(", "), self.platforms.join(", "))
    }
}

impl JsonSchema for FormatName {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Format".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<&str> = FORMATS.iter().map(|it| it.name).collect();
        let about: Vec<String> = FORMATS.iter().map(|it| format!("`{}`, {}", it.name, it.about)).collect();
        schemars::json_schema!({ "type": "string", "enum": names, "description": format!("{}.", about.join("; ")) })
    }
}
