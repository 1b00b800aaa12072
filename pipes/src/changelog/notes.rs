//! Commits as Markdown: chosen, grouped, sorted, a line each.
//! Does not know where they come from.

use std::collections::BTreeMap;

use forge_plugin::schemas::{Failure, Problem};
use forge_plugin::{Host, Later};
use regex::Regex;
use serde::{Deserialize, Serialize};

use super::{CommitNames, GroupSettings, Settings, Sort};

/// How commits are written down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Form {
    /// The title above all.
    pub title: String,
    /// How a commit is written, where the user says it.
    pub format: Option<Later<CommitNames>>,
    /// The groups; none where it is one list.
    pub groups: Vec<Group>,
    /// The order within each.
    pub sort: Sort,
    /// Only what matches one of these.
    pub include: Vec<String>,
    /// Nothing that matches one of these.
    pub exclude: Vec<String>,
}

/// A group of commits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    title: String,
    which: Which,
}

/// Which commits are in a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Which {
    Regex(String),
    Breaking,
    Types(Vec<String>),
    Rest,
}

/// Regular expressions by their texts. All were found good while planning.
type Regexes = BTreeMap<String, Regex>;

/// The groups of conventional commits.
pub fn by_type() -> Vec<Group> {
    let of = |title: &str, types: &[&str]| Group {
        title: title.to_owned(),
        which: Which::Types(types.iter().map(|it| (*it).to_owned()).collect()),
    };
    vec![
        Group { title: "Breaking changes".to_owned(), which: Which::Breaking },
        of("Features", &["feat"]),
        of("Fixes", &["fix"]),
        of("Performance", &["perf"]),
        Group { title: "Others".to_owned(), which: Which::Rest },
    ]
}

/// All that is wrong with how a table wants them to be written down.
pub fn problems(settings: &Settings) -> Vec<Problem> {
    let keyed = |key: &'static str, list: &[String]| {
        list.iter().enumerate().map(move |(at, it)| (format!("{key}[{at}]"), it.clone())).collect::<Vec<_>>()
    };
    let groups = settings.groups.iter().enumerate();
    let groups = groups.filter_map(|(at, group)| Some((format!("groups[{at}].regex"), group.regex.clone()?)));
    let all = [keyed("include", &settings.include), keyed("exclude", &settings.exclude), groups.collect()].concat();
    let bad = |(key, text): (String, String)| {
        let error = Regex::new(&text).err()?.to_string();
        let what = error.lines().last().unwrap_or_default().trim().trim_start_matches("error: ").to_owned();
        Some(Problem::at_key(key, format!("`{text}` is no regular expression: {what}")))
    };
    let mut problems: Vec<Problem> = all.into_iter().filter_map(bad).collect();
    if settings.conventional && !settings.groups.is_empty() {
        let message = "`conventional` has groups of its own, and there are `groups`";
        problems.push(Problem::at_key("conventional", message).help("leave out one of them"));
    }
    if settings.file.is_some() {
        let unused = [
            ("since", settings.since.is_some()),
            ("paths", !settings.paths.is_empty()),
            ("format", settings.format.is_some()),
            ("include", !settings.include.is_empty()),
            ("exclude", !settings.exclude.is_empty()),
            ("groups", !settings.groups.is_empty()),
            ("conventional", settings.conventional),
            ("title", settings.title.is_some()),
        ];
        let of = |(key, _): (&str, bool)| {
            Problem::at_key(key, format!("`{key}` is about commits, and the notes are from a file"))
                .help("leave out `file`, or this")
        };
        problems.extend(unused.into_iter().filter(|(_, is_there)| *is_there).map(of));
    }
    problems
}

impl Group {
    /// That of a table.
    pub fn of(settings: &GroupSettings) -> Group {
        let which = settings.regex.clone().map_or(Which::Rest, Which::Regex);
        Group { title: settings.title.clone(), which }
    }

    fn has(&self, commit: &CommitNames, regexes: &Regexes) -> bool {
        match &self.which {
            Which::Regex(regex) => is_match(regexes, regex, &commit.subject),
            Which::Breaking => commit.breaking,
            Which::Types(types) => types.contains(&commit.r#type),
            Which::Rest => true,
        }
    }
}

impl Form {
    /// Commits, the newest first, as they are written.
    pub fn write(&self, commits: &[CommitNames], host: &dyn Host) -> Result<String, Failure> {
        let regexes = self.regexes();
        let mut chosen: Vec<&CommitNames> = commits.iter().filter(|it| self.is_chosen(it, &regexes)).collect();
        match self.sort {
            Sort::Newest => {}
            Sort::Oldest => chosen.reverse(),
            Sort::Subject => chosen.sort_by_key(|it| &it.subject),
        }
        let mut text = if self.title.is_empty() { String::new() } else { format!("## {}\n\n", self.title) };
        if self.groups.is_empty() {
            text += &self.list(&chosen, host)?;
        }
        // A commit is in the first group that has it, wherever a group for all others stands.
        let has_own =
            |it: &CommitNames| self.groups.iter().any(|group| group.which != Which::Rest && group.has(it, &regexes));
        for (at, group) in self.groups.iter().enumerate() {
            let before = &self.groups[..at];
            let is_free = |it: &CommitNames| match group.which {
                Which::Rest => !has_own(it),
                _ => !before.iter().any(|group| group.which != Which::Rest && group.has(it, &regexes)),
            };
            let of_group: Vec<&CommitNames> =
                chosen.iter().copied().filter(|it| group.has(it, &regexes) && is_free(it)).collect();
            if !of_group.is_empty() {
                text += &format!("### {}\n\n{}\n", group.title, self.list(&of_group, host)?);
            }
        }
        Ok(text)
    }

    fn regexes(&self) -> Regexes {
        let of_groups = self.groups.iter().filter_map(|group| match &group.which {
            Which::Regex(regex) => Some(regex),
            _ => None,
        });
        let all = self.include.iter().chain(&self.exclude).chain(of_groups);
        all.filter_map(|it| Some((it.clone(), Regex::new(it).ok()?))).collect()
    }

    fn is_chosen(&self, commit: &CommitNames, regexes: &Regexes) -> bool {
        let matches = |list: &[String]| list.iter().any(|regex| is_match(regexes, regex, &commit.subject));
        (self.include.is_empty() || matches(&self.include)) && !matches(&self.exclude)
    }

    fn list(&self, commits: &[&CommitNames], host: &dyn Host) -> Result<String, Failure> {
        let mut text = String::new();
        for commit in commits {
            let line = match &self.format {
                Some(format) => format.render(host, commit)?,
                None => self.line(commit),
            };
            text += &format!("* {}\n", line.trim());
        }
        Ok(text)
    }

    fn line(&self, commit: &CommitNames) -> String {
        let CommitNames { short_commit, subject, scope, description, link, .. } = commit;
        let id = if link.is_empty() { short_commit.clone() } else { format!("[{short_commit}]({link})") };
        let is_by_type = self.groups.iter().any(|group| matches!(group.which, Which::Types(_)));
        match (is_by_type, scope.as_str()) {
            (true, "") => format!("{id} {description}"),
            (true, scope) => format!("{id} **{scope}**: {description}"),
            (false, _) => format!("{id} {subject}"),
        }
    }
}

fn is_match(regexes: &Regexes, regex: &str, text: &str) -> bool {
    regexes.get(regex).is_some_and(|it| it.is_match(text))
}
