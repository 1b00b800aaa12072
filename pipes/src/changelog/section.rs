//! The section of a changelog that is about a version ("Keep a Changelog").
//! Does not know who reads it.

use forge_plugin::schemas::Facts;

/// What a file says of a version: the text below the title that has it. Of a file without titles that have versions, all.
pub fn of_version(text: &str, facts: &Facts) -> Option<String> {
    let titles: Vec<(usize, Title<'_>)> = titles(text);
    if titles.is_empty() {
        return Some(text.trim().to_owned()).filter(|it| !it.is_empty());
    }
    let is_meant = |title: &Title<'_>| match facts.snapshot {
        // The first one, whether it has a version already or is for what has none yet.
        true => true,
        false => title.version == Some(&facts.version),
    };
    let at = titles.iter().position(|(_, title)| is_meant(title))?;
    let begin = titles[at].0;
    let end = titles.get(at + 1).map_or(text.len(), |(start, _)| *start);
    let section = text.get(begin..end)?.split_once('\n').map_or("", |(_, below)| below);
    Some(without_links(section).trim().to_owned())
}

struct Title<'a> {
    version: Option<&'a str>,
}

/// The titles of releases, and where their lines begin. They are all of one depth: that of the first one.
fn titles(text: &str) -> Vec<(usize, Title<'_>)> {
    let mut found: Vec<(usize, usize, Title<'_>)> = Vec::new();
    let (mut start, mut is_code) = (0, false);
    for line in text.split_inclusive('\n') {
        is_code ^= line.trim_start().starts_with("```");
        let depth = line.chars().take_while(|it| *it == '#').count();
        if let Some(title) = title(line[depth..].trim()).filter(|_| depth > 0 && !is_code) {
            found.push((start, depth, title));
        }
        start += line.len();
    }
    let depth = found.first().map_or(0, |(_, depth, _)| *depth);
    found.into_iter().filter(|it| it.1 == depth).map(|(start, _, title)| (start, title)).collect()
}

/// `[1.2.3] - 2024-05-01`, `v1.2.3 (2024-05-01)`, `Version 1.2.3`, `[Unreleased]`.
fn title(text: &str) -> Option<Title<'_>> {
    let is_mark = |it: char| it.is_whitespace() || "[]()".contains(it);
    let mut words = text.split(is_mark).filter(|it| !it.is_empty());
    let first = words.next()?;
    if first.eq_ignore_ascii_case("unreleased") {
        return Some(Title { version: None });
    }
    let version = |word: &'_ str| semver::Version::parse(word.trim_start_matches('v')).is_ok();
    let word = std::iter::once(first).chain(words).find(|word| version(word))?;
    Some(Title { version: Some(word.trim_start_matches('v')) })
}

/// What links stand for is said at the end of such a file, below the last section.
fn without_links(section: &str) -> String {
    let is_link = |line: &str| line.starts_with('[') && line.contains("]: ");
    let lines: Vec<&str> = section.lines().collect();
    let end = lines.iter().rposition(|line| !(line.trim().is_empty() || is_link(line))).map_or(0, |at| at + 1);
    lines[..end].join("\n")
}

#[cfg(test)]
mod tests {
    use forge_plugin::testing::sample_facts;

    use super::*;

    const KEPT: &str = "# Changelog\n\n## [Unreleased]\n- soon\n\n## [1.2.3] - 2024-05-01\n### Added\n- a\n```\n## 1.0.0\n```\n\n## v1.2.2\n- b\n\n[1.2.3]: https://example.org\n";

    fn check(text: &str, version: &str, expect: Option<&str>) {
        let snapshot = version.is_empty();
        let facts = Facts { version: version.to_owned(), snapshot, ..sample_facts() };
        assert_eq!(of_version(text, &facts).as_deref(), expect, "{version}");
    }

    #[test]
    fn sections() {
        check(KEPT, "1.2.3", Some("### Added\n- a\n```\n## 1.0.0\n```"));
        check(KEPT, "1.2.2", Some("- b"));
        check(KEPT, "1.2.1", None);
        check(KEPT, "", Some("- soon"));
        check("All new.\n", "1.2.3", Some("All new."));
        check("", "1.2.3", None);
        check("## ", "1.2.3", Some("##"));
    }
}
