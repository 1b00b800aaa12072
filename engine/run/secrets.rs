//! The secrets of a project, read once when a run begins.
//! Does not know what they open, nor who is told.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::Deserialize;

use super::mask::SHORTEST;
use crate::registries::Registries;
use crate::secrets::{Declared, Hidden, Origin, hidden, variable};

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

/// The secrets that the project file names, as far as they are set.
#[derive(Default)]
pub struct Secrets {
    /// By name; in place of one that is not set, why.
    values: BTreeMap<String, Result<Secret, String>>,
    hidden: Hidden,
}

impl Secret {
    /// Hides `text`.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// Shows it, to put it into a request or into the environment of a program.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Secrets {
    /// Reads all that the project file names. `root` is its directory, where paths start; `variables` is the environment.
    pub fn read(
        declared: &Declared,
        registries: &Registries,
        root: &Path,
        variables: &dyn Fn(&str) -> Option<String>,
    ) -> Secrets {
        let hidden = hidden(declared, registries);
        let of_registries =
            registries.values().filter_map(|it| it.secret.clone()).map(|it| (it.clone(), Origin::Env(it)));
        // A name of `[secrets]` hides the variable of the same name.
        let all: BTreeMap<String, Origin> = of_registries.chain(declared.clone()).collect();
        let values = all.into_iter().map(|(name, origin)| (name, read(&origin, root, variables))).collect();
        Secrets { values, hidden }
    }

    /// The secret of this name, if it is set.
    pub fn get(&self, name: &str) -> Option<&Secret> {
        self.values.get(name)?.as_ref().ok()
    }

    /// All that are set, by name.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Secret)> {
        self.values.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_ref().ok()?)))
    }

    /// The names of those that can't be masked: so short a text stands in many others.
    pub fn too_short(&self) -> impl Iterator<Item = &str> {
        self.all().filter(|(_, secret)| secret.reveal().len() < SHORTEST).map(|(name, _)| name)
    }

    /// What programs see that are granted these: variables and values.
    pub fn granted<'s>(&'s self, names: &'s [String]) -> impl Iterator<Item = (String, &'s str)> {
        names.iter().filter_map(|name| Some((variable(name), self.get(name)?.reveal())))
    }

    /// The environment variables that hold secrets.
    pub fn hidden(&self) -> &Hidden {
        &self.hidden
    }

    /// Why a secret that the project file names is not set; none if it is.
    pub fn why_not_set(&self, name: &str) -> Option<&str> {
        self.values.get(name)?.as_ref().err().map(String::as_str)
    }
}

fn read(origin: &Origin, root: &Path, variables: &dyn Fn(&str) -> Option<String>) -> Result<Secret, String> {
    match origin {
        Origin::Env(name) => match variables(name) {
            Some(value) if value.is_empty() => Err(format!("the environment variable `{name}` is empty")),
            Some(value) => Ok(Secret(value)),
            None => Err(format!("there is no environment variable `{name}`")),
        },
        Origin::File(path) => {
            let text = std::fs::read_to_string(root.join(path))
                .map_err(|error| format!("can't read `{}`: {error}", path.display()))?;
            let text = text.strip_suffix('\n').map_or(text.as_str(), |it| it.strip_suffix('\r').unwrap_or(it));
            match text.is_empty() {
                true => Err(format!("`{}` is empty", path.display())),
                false => Ok(Secret(text.to_owned())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::plan::TaskId;
    use crate::plan::fake::planned;
    use crate::run::missing;

    fn check(secrets: &str, expect: Expect) {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("key"), "k3y\r\n").unwrap();
        std::fs::write(place.path().join("empty"), "\n").unwrap();
        let declared: Declared = toml::from_str(secrets).unwrap();
        let variables = |name: &str| match name {
            "SET" => Some("s3cret".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        let tables = format!(
            "[secrets]\n{secrets}\n[[x]]\nid = 'one'\nsecrets = {:?}\n[[x]]\nid = 'two'",
            declared.keys().collect::<Vec<_>>()
        );
        let (plan, diagnostics) = planned(&tables, &[]);
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        let read = Secrets::read(&declared, &Registries::new(), place.path(), &variables);
        let names: Vec<String> = declared.keys().cloned().collect();
        let mut seen: String = read.granted(&names).map(|(name, value)| format!("{name}={value:?}\n")).collect();
        let tasks: Vec<TaskId> = plan.ids().collect();
        for (ids, failure) in missing::secrets(&plan, &tasks, &read, &Registries::new()) {
            let who: Vec<&str> = ids.iter().map(|id| plan.task(*id).id.as_str()).collect();
            seen += &format!("{}: {failure}, because {}\n", who.join(" "), failure.causes.join(", because "));
        }
        expect.assert_eq(&seen);
    }

    #[test]
    fn what_is_set_and_what_is_not() {
        check(
            "a = { env = 'SET' }\nb = { file = 'key' }",
            expect![[r#"
                A="s3cret"
                B="k3y"
            "#]],
        );
        check(
            "a = { env = 'UNSET' }\nb = { env = 'EMPTY' }\nc = { file = 'none' }\nd = { file = 'empty' }",
            expect![[r#"
                x:one: the secret `a` is not set, because `x:one` is granted `a`, and there is no environment variable `UNSET`
                x:one: the secret `b` is not set, because `x:one` is granted `b`, and the environment variable `EMPTY` is empty
                x:one: the secret `c` is not set, because `x:one` is granted `c`, and can't read `none`: No such file or directory (os error 2)
                x:one: the secret `d` is not set, because `x:one` is granted `d`, and `empty` is empty
            "#]],
        );
        check(
            "a = { env = 'UNSET' }",
            expect![[r#"
                x:one: the secret `a` is not set, because `x:one` is granted `a`, and there is no environment variable `UNSET`
            "#]],
        );
    }

    #[test]
    fn a_secret_is_not_shown() {
        assert_eq!(format!("{:?}", Secret::new("s3cret")), "***");
    }
}
