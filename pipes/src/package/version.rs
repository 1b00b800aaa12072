//! A version in its parts, before any format has spelled it.
//! Does not know how formats order versions.

use forge_plugin::schemas::Facts;

/// A version, as the project has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Version {
    /// `1.2.3`; or all of it, where that is no semantic version.
    pub number: String,
    /// `rc.1`, or empty.
    pub prerelease: String,
    /// What follows the `+`, or empty.
    pub metadata: String,
    /// Which package of this version it is.
    pub release: Option<String>,
    /// Later than all of a lower one.
    pub epoch: Option<u32>,
    /// A number that grows with each commit, for what can't say which commit it is.
    pub snapshot: Option<i64>,
}

/// What of a version the user has said.
pub struct Said<'a> {
    pub version: Option<&'a str>,
    pub prerelease: Option<&'a str>,
    pub metadata: Option<&'a str>,
    pub release: Option<&'a str>,
    pub epoch: Option<u32>,
}

/// A version as a format has it.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Spelled {
    /// Without epoch and release.
    pub version: String,
    /// Empty, where there is none.
    pub release: String,
    /// Where the format has one.
    pub epoch: Option<u32>,
}

impl Version {
    /// What the user has said, and the project's own for the rest.
    pub fn of(said: &Said<'_>, facts: &Facts) -> Version {
        let text = said.version.unwrap_or(&facts.version);
        let parsed = semver::Version::parse(text.strip_prefix('v').unwrap_or(text)).ok();
        let (number, prerelease, metadata) = match parsed {
            Some(it) => (format!("{}.{}.{}", it.major, it.minor, it.patch), it.pre.to_string(), it.build.to_string()),
            None => (text.to_owned(), String::new(), String::new()),
        };
        let or = |said: Option<&str>, parsed: String| said.map_or(parsed, str::to_owned);
        let is_snapshot = facts.snapshot && said.version.is_none() && said.prerelease.is_none();
        Version {
            number,
            prerelease: or(said.prerelease, prerelease),
            metadata: or(said.metadata, metadata),
            release: said.release.filter(|it| !it.is_empty()).map(str::to_owned),
            epoch: said.epoch,
            snapshot: is_snapshot.then_some(facts.commit_timestamp),
        }
    }

    /// Number, prerelease and metadata, with these before those that are there.
    pub fn joined(&self, before_prerelease: &str, before_metadata: &str) -> String {
        let part = |sign: &str, text: &str| if text.is_empty() { String::new() } else { format!("{sign}{text}") };
        let (prerelease, metadata) = (part(before_prerelease, &self.prerelease), part(before_metadata, &self.metadata));
        format!("{}{prerelease}{metadata}", self.number)
    }
}

impl Spelled {
    /// Version and release, as they are in names of files.
    pub fn with_release(&self) -> String {
        if self.release.is_empty() { self.version.clone() } else { format!("{}-{}", self.version, self.release) }
    }

    /// The same, with the epoch before them.
    pub fn whole(&self) -> String {
        self.epoch.map(|it| format!("{it}:")).unwrap_or_default() + &self.with_release()
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use forge_plugin::testing::sample_facts;

    use super::*;
    use crate::package::format;

    /// How each format spells a version, with the epoch before and the release behind it.
    fn check(version: &str, release: Option<&str>, expect: Expect) {
        let said = Said { version: Some(version), prerelease: None, metadata: None, release, epoch: None };
        expect.assert_eq(&spelled(&Version::of(&said, &sample_facts())));
    }

    fn spelled(version: &Version) -> String {
        let one = |format: &&dyn format::Format| match format.spell(version) {
            Ok(it) => format!("{} {}-{}\n", format.name(), it.version, it.release),
            Err(why) => format!("{} {}: {}\n", format.name(), why.message, why.help),
        };
        format::FORMATS.iter().map(one).collect()
    }

    #[test]
    fn as_each_format_has_them() {
        check(
            "1.2.3",
            None,
            expect![[r#"
            deb 1.2.3-
            rpm 1.2.3-1
            apk 1.2.3-
            archlinux 1.2.3-1
        "#]],
        );
        check(
            "1.2.3-rc.1",
            Some("2"),
            expect![[r#"
            deb 1.2.3~rc.1-2
            rpm 1.2.3~rc.1-2
            apk 1.2.3_rc1-r2
            archlinux 1.2.3rc.1-2
        "#]],
        );
        check(
            "v1.2.3-beta+git.5",
            None,
            expect![[r#"
            deb 1.2.3~beta+git.5-
            rpm 1.2.3~beta+git.5-1
            apk 1.2.3_beta_git5-
            archlinux 1.2.3beta-1
        "#]],
        );
        check(
            "1.2.3-dev.1.2+a-b",
            Some("a"),
            expect![[r#"
            deb 1.2.3~dev.1.2+a-b-a
            rpm 1.2.3~dev.1.2+a_b-a
            apk `dev.1.2` can't be in the version of apk packages: `alpha`, `beta`, `pre` and `rc` can, with a number; write `prerelease` in `overrides.apk`
            archlinux `a` can't be in the version of archlinux packages: it is a number; write `release` in `overrides.archlinux`
        "#]],
        );
        check(
            "2026.01",
            Some("1"),
            expect![[r#"
            deb 2026.01-1
            rpm 2026.01-1
            apk 2026.01-r1
            archlinux 2026.01-1
        "#]],
        );
        check(
            "1 2",
            Some("x/y"),
            expect![[r#"
            deb `1 2` can't be in the version of deb packages: letters, digits and `.` `+` `~` `-` can; write `version` in `overrides.deb`
            rpm `1 2` can't be in the version of rpm packages: letters, digits and `.` `_` `+` `~` `^` can; write `version` in `overrides.rpm`
            apk `1 2` can't be in the version of apk packages: letters, digits and `.` `_` `+` `-` can; write `version` in `overrides.apk`
            archlinux `1 2` can't be in the version of archlinux packages: letters, digits and `.` `_` `+` can; write `version` in `overrides.archlinux`
        "#]],
        );
        check(
            "x",
            Some("-"),
            expect![[r#"
                deb `-` can't be in the version of deb packages: letters, digits and `.` `+` `~` can; write `release` in `overrides.deb`
                rpm `-` can't be in the version of rpm packages: letters, digits and `.` `_` `+` `~` `^` can; write `release` in `overrides.rpm`
                apk `-` can't be in the version of apk packages: letters, digits and `.` can; write `release` in `overrides.apk`
                archlinux `-` can't be in the version of archlinux packages: letters, digits and `.` can; write `release` in `overrides.archlinux`
            "#]],
        );
    }

    #[test]
    fn of_a_snapshot() {
        let facts = Facts {
            snapshot: true,
            version: "1.2.3-SNAPSHOT-4805ca7".to_owned(),
            prerelease: "SNAPSHOT-4805ca7".to_owned(),
            ..sample_facts()
        };
        let said = Said { version: None, prerelease: None, metadata: None, release: None, epoch: None };
        expect![[r#"
            deb 1.2.3~SNAPSHOT-4805ca7-
            rpm 1.2.3~SNAPSHOT_4805ca7-1
            apk 1.2.3_alpha1767323045-
            archlinux 1.2.3SNAPSHOT_4805ca7-1
        "#]]
        .assert_eq(&spelled(&Version::of(&said, &facts)));
    }
}
