//! What the templates of a tap may name: the package, and what is downloaded for each platform.
//! Does not know the templates.

use forge_plugin::schemas::Failure;
use forge_plugin::{Given, Host};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Settings;
use super::download::Download;
use crate::changelog::history::page;

/// A package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// What it is called.
    pub name: String,
    /// `1.2.3`.
    pub version: String,
    tag: String,
    /// One line about it.
    pub description: String,
    /// Where people find it.
    pub homepage: String,
    /// An SPDX expression.
    pub license: String,
    /// Who publishes it.
    pub publisher: String,
}

impl About {
    /// That of a table.
    pub fn of(settings: &Settings, given: &Given<'_>) -> About {
        let facts = given.facts;
        About {
            name: settings.name.clone().unwrap_or_else(|| facts.name.clone()),
            version: facts.version.clone(),
            tag: if facts.tag.is_empty() { facts.version.clone() } else { facts.tag.clone() },
            description: settings.description.clone(),
            homepage: settings.homepage.clone().or_else(|| page(&facts.git_url)).unwrap_or_default(),
            license: settings.license.clone(),
            publisher: settings.publisher.clone(),
        }
    }

    /// All names, now that the archives are there.
    pub fn names(&self, downloads: &[Download], host: &dyn Host) -> Result<Value, Failure> {
        let archives: Result<Vec<Value>, Failure> = downloads.iter().map(|it| it.names(host)).collect();
        let mut names = serde_json::to_value(self).unwrap_or_default();
        names["class"] = class(&self.name).into();
        names["archives"] = json!(archives?);
        Ok(names)
    }
}

/// A name as Ruby has it for a class: `hello-world2` is `HelloWorld2`.
fn class(name: &str) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    };
    name.replace('@', "AT").replace('+', "x").split(['-', '_', '.', ' ']).map(capital).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn classes() {
        let check = |name: &str, expect: &str| assert_eq!(super::class(name), expect);
        check("hello", "Hello");
        check("hello-world_2", "HelloWorld2");
        check("hello@1.2", "HelloAT12");
        check("c++", "Cxx");
    }
}
