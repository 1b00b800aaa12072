//! Which artifacts a table takes. From these the engine orders the tables and draws the edges of the plan.
//! Does not know which there are.

use serde::{Deserialize, Serialize};

use crate::kind::Role;
use crate::{KindInfo, Offer, Platform};

/// Which artifacts a table takes: those that answer every field. An empty list asks for nothing in particular.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Selector {
    /// Kinds, any of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<String>,
    /// Kinds by their roles: all that have any of these, besides those in `kinds`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<Role>,
    /// Ids of tables, any of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<String>,
    /// Names of artifacts, any of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Platforms, any of these. An artifact without a platform fits every one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub platforms: Vec<Platform>,
    /// The key of the settings that it was drawn from, for the caret: `platforms[1]`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// What it means when nothing answers.
    #[serde(skip_serializing_if = "Expect::is_default")]
    pub expect: Expect,
}

/// What it means when nothing answers a selector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    /// A mistake of the user: there must be one at least. Where all tables that could make one are off, by their `if`, the
    /// selector is as if it were not there, and with the last such of a table the table is off, too.
    #[default]
    Some,
    /// Nothing to say.
    Any,
}

impl Expect {
    fn is_default(&self) -> bool {
        *self == Expect::default()
    }
}

impl Selector {
    /// Everything of one kind.
    pub fn of_kind(kind: &str) -> Selector {
        Selector { kinds: vec![kind.to_owned()], ..Selector::default() }
    }

    /// The same where roles have become the kinds that have them, of all that there are. Where no kind has a role, its name
    /// stands there, and nothing answers it.
    #[must_use]
    pub fn with_kinds_of_roles<'a>(mut self, all: impl Iterator<Item = &'a KindInfo> + Clone) -> Selector {
        for role in std::mem::take(&mut self.roles) {
            let of_role = all.clone().filter(|kind| kind.role == role).map(|kind| kind.name.clone());
            let before = self.kinds.len();
            self.kinds.extend(of_role);
            if self.kinds.len() == before {
                self.kinds.push(role.to_string());
            }
        }
        self.kinds.sort_unstable();
        self.kinds.dedup();
        self
    }

    /// Whether `offer` answers. Roles must have become kinds.
    pub fn accepts(&self, offer: &Offer) -> bool {
        self.could_accept(&offer.table.id, &offer.kind)
            && (self.names.is_empty() || self.names.contains(&offer.name))
            && self.accepts_platform(offer.platform.as_ref())
    }

    /// Everything of these roles.
    pub fn of_roles(roles: &[Role]) -> Selector {
        Selector { roles: roles.to_vec(), ..Selector::default() }
    }

    /// Whether a table of this id that can make this kind could answer.
    fn could_accept(&self, table: &str, kind: &str) -> bool {
        (self.kinds.is_empty() || self.kinds.iter().any(|it| it == kind))
            && (self.tables.is_empty() || self.tables.iter().any(|it| it == table))
    }

    fn accepts_platform(&self, platform: Option<&Platform>) -> bool {
        match platform {
            Some(platform) => self.platforms.is_empty() || self.platforms.contains(platform),
            None => true,
        }
    }
}
