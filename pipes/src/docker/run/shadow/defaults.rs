//! What `/etc/login.defs` and `/etc/default/useradd` say (lib/getdef.c, `get_defaults` of src/useradd.c).
//! Does not know what for.

use std::collections::BTreeMap;

use crate::docker::run::Wrong;
use crate::docker::run::tree::Tree;

const LOGIN: &str = "etc/login.defs";
const USERADD: &str = "etc/default/useradd";
/// A number that is larger is nobody's.
const LARGEST: u64 = 1 << 32;

/// What is set, by name.
pub(super) struct Defaults(BTreeMap<String, String>);

impl Defaults {
    /// Those of `/etc/login.defs`, but for what a command says itself.
    pub(super) fn of_login(tree: &Tree<'_, '_>, given: &[(String, String)]) -> Result<Defaults, Wrong> {
        if tree.node(LOGIN).is_none() {
            return Err(Wrong::Untold(format!("the image has no `/{LOGIN}`")));
        }
        let text = tree.read(LOGIN)?;
        let mut set: BTreeMap<String, String> = text.lines().filter_map(setting).collect();
        set.extend(given.iter().cloned());
        Ok(Defaults(set))
    }

    /// Those of `/etc/default/useradd`, which need not be there.
    pub(super) fn of_useradd(tree: &Tree<'_, '_>) -> Result<Defaults, Wrong> {
        let text = if tree.node(USERADD).is_some() { tree.read(USERADD)? } else { String::new() };
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        Ok(Defaults(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()))
    }

    /// A text, where it is set and not empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|it| !it.is_empty())
    }

    pub(super) fn is_on(&self, name: &str) -> bool {
        self.text(name).is_some_and(|it| it.eq_ignore_ascii_case("yes"))
    }

    /// A number, where it is set: octal behind a `0`, as C has it.
    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, Wrong> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let digits = text.bytes().all(|it| it.is_ascii_digit());
        let number = match text.strip_prefix('0').filter(|rest| !rest.is_empty()) {
            Some(octal) => u64::from_str_radix(octal, 8).ok(),
            None => text.parse().ok(),
        };
        match number.filter(|it| digits && *it < LARGEST) {
            Some(number) => Ok(Some(number)),
            None => Err(Wrong::Untold(format!("what `{name} {text}` means is not known here"))),
        }
    }

    pub(super) fn number_or(&self, name: &str, usual: u64) -> Result<u64, Wrong> {
        self.number(name).map(|it| it.unwrap_or(usual))
    }
}

fn setting(line: &str) -> Option<(String, String)> {
    let line = line.trim_end().trim_start_matches([' ', '\t']);
    let (name, value) = line.split_once([' ', '\t']).filter(|(name, _)| !name.starts_with('#'))?;
    let value = value.trim_start_matches([' ', '"', '\t']).split('"').next().unwrap_or_default();
    Some((name.to_owned(), value.to_owned()))
}
