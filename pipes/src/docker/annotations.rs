//! Where an annotation goes: to the manifest of an image, to its descriptor in a list, or to the list. In the words of buildx.
//! Does not know what annotations say.

use std::collections::BTreeMap;

use forge_plugin::schemas::{Platform, Problem};

/// The annotations of one image, by where they go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Annotations {
    /// Its manifest.
    pub manifest: BTreeMap<String, String>,
    /// Its descriptor in a list.
    pub descriptor: BTreeMap<String, String>,
    /// The lists that it is in.
    pub list: BTreeMap<String, String>,
}

impl Annotations {
    /// Those of the image for a platform, of keys as `NAME`, `SCOPE:NAME` and `SCOPE[PLATFORM]:NAME`.
    pub fn read(all: BTreeMap<String, String>, platform: &Platform) -> Result<Annotations, Vec<Problem>> {
        let (mut annotations, mut problems) = (Annotations::default(), Vec::new());
        for (key, value) in all {
            match Scoped::of(&key) {
                Err(problem) => problems.push(problem),
                Ok(Scoped { platform: Some(only), .. }) if only != *platform => {}
                Ok(Scoped { scope, name, .. }) => drop(annotations.at(scope).insert(name.to_owned(), value)),
            }
        }
        if problems.is_empty() { Ok(annotations) } else { Err(problems) }
    }

    fn at(&mut self, scope: Scope) -> &mut BTreeMap<String, String> {
        match scope {
            Scope::Manifest => &mut self.manifest,
            Scope::Descriptor => &mut self.descriptor,
            Scope::List => &mut self.list,
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Scope {
    Manifest,
    Descriptor,
    List,
}

/// The scopes, in the words of buildx.
const SCOPES: &[(&str, Scope)] =
    &[("manifest", Scope::Manifest), ("manifest-descriptor", Scope::Descriptor), ("index", Scope::List)];

struct Scoped<'a> {
    scope: Scope,
    platform: Option<Platform>,
    name: &'a str,
}

impl Scoped<'_> {
    fn of(key: &str) -> Result<Scoped<'_>, Problem> {
        let plain = Scoped { scope: Scope::Manifest, platform: None, name: key };
        let Some((before, name)) = key.split_once(':') else { return Ok(plain) };
        let (word, platform) = match before.strip_suffix(']').and_then(|it| it.split_once('[')) {
            Some((word, platform)) => (word, Some(platform)),
            None => (before, None),
        };
        let at = format!("annotations.{key}");
        if word == "index-descriptor" {
            return Err(Problem::at_key(
                at,
                "`index-descriptor` is the place of an index in another, and forge makes no such",
            )
            .help("write `index:` for the list itself"));
        }
        // A name may have a `:` of its own.
        let Some((_, scope)) = SCOPES.iter().find(|(it, _)| *it == word) else { return Ok(plain) };
        let platform = platform.map(str::parse::<Platform>).transpose();
        match platform {
            Ok(platform) => Ok(Scoped { scope: *scope, platform, name }),
            Err(bad) => Err(Problem { help: bad.help.clone(), ..Problem::at_key(at, bad.to_string()) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(keys: &[&str], expect: Expect) {
        let all = keys.iter().map(|it| ((*it).to_owned(), "x".to_owned())).collect();
        let names = |map: &BTreeMap<String, String>| map.keys().cloned().collect::<Vec<_>>().join(" ");
        let shown = match Annotations::read(all, &"linux/amd64".parse().unwrap()) {
            Ok(it) => format!("{} | {} | {}", names(&it.manifest), names(&it.descriptor), names(&it.list)),
            Err(problems) => problems.iter().map(|it| it.message.clone()).collect::<Vec<_>>().join("; "),
        };
        expect.assert_eq(&shown);
    }

    #[test]
    fn scopes() {
        check(&["a", "manifest:b", "manifest-descriptor:c", "index:d", "other:e"], expect!["a b other:e | c | d"]);
        check(&["manifest[linux/amd64]:a", "manifest[linux/arm64]:b", "index[linux/amd64]:c"], expect!["a |  | c"]);
        check(
            &["manifest[amiga]:a", "index-descriptor:b"],
            expect![
                "`index-descriptor` is the place of an index in another, and forge makes no such; `amiga` is not a platform"
            ],
        );
    }
}
