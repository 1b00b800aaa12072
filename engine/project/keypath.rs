//! From a key path of a table, `platforms[1].os`, to where it stands in the text.
//! Does not know what the keys mean.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use forge_schemas::{Place, Problem};

use super::Table;
use crate::diagnostic::Diagnostic;
use crate::source::{Source, Span};

/// Where a value stands, and all that is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// Its key; for an item of a list the item, for a table of the file its header.
    pub key: Span,
    /// The value.
    pub value: Span,
    /// What is in it.
    pub inside: Inside,
}

/// What is in a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inside {
    /// Nothing: a string, a number, a boolean, a date.
    Nothing,
    /// The items of a list.
    Items(Vec<Places>),
    /// The keys of a table.
    Keys(BTreeMap<String, Places>),
}

/// A step from a value into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Segment<'a> {
    /// A key of a table.
    Key(&'a str),
    /// An item of a list, from 0.
    Item(usize),
}

impl Places {
    /// What stands at `path`, or the nearest parent of it that is there. A key may have dots in it, quoted or not.
    pub fn find(&self, path: &str) -> &Places {
        let mut here = self;
        let mut rest = path;
        while let Some((next, behind)) = here.enter(rest) {
            here = next;
            rest = behind;
        }
        here
    }

    /// What stands at the end of `segments`, if it is there.
    pub fn get<'a>(&self, segments: impl IntoIterator<Item = Segment<'a>>) -> Option<&Places> {
        segments.into_iter().try_fold(self, |here, segment| here.step(segment))
    }

    /// What one step leads to.
    pub fn step(&self, segment: Segment<'_>) -> Option<&Places> {
        match (&self.inside, segment) {
            (Inside::Keys(keys), Segment::Key(key)) => keys.get(key),
            (Inside::Items(items), Segment::Item(index)) => items.get(index),
            _ => None,
        }
    }

    /// The same, so many bytes further on.
    pub(super) fn shift(&mut self, by: usize) {
        if by == 0 {
            return;
        }
        self.key = self.key.moved(by);
        self.value = self.value.moved(by);
        match &mut self.inside {
            Inside::Nothing => {}
            Inside::Items(items) => items.iter_mut().for_each(|it| it.shift(by)),
            Inside::Keys(keys) => keys.values_mut().for_each(|it| it.shift(by)),
        }
    }

    /// What the start of `path` leads to, and the rest of it.
    fn enter<'a>(&self, path: &'a str) -> Option<(&Places, &'a str)> {
        let path = path.strip_prefix('.').unwrap_or(path);
        match &self.inside {
            Inside::Nothing => None,
            Inside::Items(items) => {
                let (index, rest) = path.strip_prefix('[')?.split_once(']')?;
                Some((items.get(index.parse::<usize>().ok()?)?, rest))
            }
            Inside::Keys(keys) => enter_quoted(keys, path).or_else(|| enter_longest(keys, path)),
        }
    }
}

fn enter_quoted<'p, 'a>(keys: &'p BTreeMap<String, Places>, path: &'a str) -> Option<(&'p Places, &'a str)> {
    let (key, rest) = path.strip_prefix('"')?.split_once('"')?;
    Some((keys.get(key)?, rest))
}

/// The longest key wins, so that `labels.org.example.x` finds `"org.example.x"`.
fn enter_longest<'p, 'a>(keys: &'p BTreeMap<String, Places>, path: &'a str) -> Option<(&'p Places, &'a str)> {
    let ends = path.char_indices().filter(|(_, c)| matches!(c, '.' | '[')).map(|(at, _)| at);
    let ends: Vec<usize> = ends.chain([path.len()]).collect();
    ends.into_iter().rev().find_map(|end| Some((keys.get(&path[..end])?, &path[end..])))
}

/// What a pipe says of its table, with its place. `sources` are the files that the table asked for, by path.
pub fn diagnostic(
    problem: Problem,
    table: &Table,
    project: &Arc<Source>,
    sources: &HashMap<String, Arc<Source>>,
) -> Diagnostic {
    let diagnostic = match &problem.place {
        Place::Key(path) => Diagnostic::error(problem.message).at(project, table.places.find(path).value),
        Place::File { path, start, end } => match sources.get(path) {
            Some(source) => Diagnostic::error(problem.message).at(source, Span::new(*start, *end)),
            None => Diagnostic::error(format!("{path}: {}", problem.message)).at(project, table.header),
        },
    };
    Diagnostic { help: problem.help, ..diagnostic }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use forge_schemas::TableName;
    use serde_json::Value;

    use super::*;
    use crate::project::Document;
    use crate::report::diagnostics::{Colour, render};

    const TEXT: &str = "[[docker]]\nplatforms = ['a', { os = 'b' }]\nlabels.'org.x' = 'c'\nlabels.y = 'd'\n";

    fn table() -> (Table, Arc<Source>) {
        let source = Source::new("forge.toml", TEXT);
        let (document, _) = Document::parse(source.clone());
        let places = document.entries[0].places.clone();
        let name = TableName::new("docker", "image");
        (
            Table {
                switch: crate::project::Switch::On,
                secrets: Vec::new(),
                revealed: Vec::new(),
                turn: Default::default(),
                name,
                settings: Value::Null,
                soundness: crate::project::Soundness::Sound,
                header: places.key,
                places,
            },
            source,
        )
    }

    fn check(path: &str, expect: &str) {
        let (table, source) = table();
        assert_eq!(source.at(table.places.find(path).value), expect, "{path}");
    }

    #[test]
    fn what_stands_at_a_path_or_nearest_to_it() {
        check("", "[[docker]]");
        check("nothing", "[[docker]]");
        check("platforms", "['a', { os = 'b' }]");
        check("platforms[0]", "'a'");
        check("platforms[1].os", "'b'");
        check("platforms[1].arch", "{ os = 'b' }");
        check("platforms[7]", "['a', { os = 'b' }]");
        check("platforms[x", "['a', { os = 'b' }]");
        check("labels.org.x", "'c'");
        check("labels.\"org.x\"", "'c'");
        check("labels.y", "'d'");
        check("..[", "[[docker]]");
    }

    fn check_problem(problem: Problem, expect: Expect) {
        let (table, source) = table();
        let dockerfile = Source::new("Dockerfile", "FROM scratch\nRUN true\n");
        let sources = HashMap::from([("Dockerfile".to_owned(), dockerfile)]);
        let diagnostic = diagnostic(problem, &table, &source, &sources);
        expect.assert_eq(&render(&[diagnostic], Colour::Plain));
    }

    #[test]
    fn what_a_pipe_says() {
        check_problem(
            Problem::at_key("labels.y", "`d` is no label").help("write `e`"),
            expect![[r#"
            error: `d` is no label
             --> forge.toml:4:12
              |
            4 | labels.y = 'd'
              |            ^^^
              |
              = help: write `e`

        "#]],
        );
        check_problem(
            Problem::at_file("Dockerfile", 13..21, "RUN needs another engine"),
            expect![[r#"
            error: RUN needs another engine
             --> Dockerfile:2:1
              |
            2 | RUN true
              | ^^^^^^^^

        "#]],
        );
        check_problem(
            Problem::at_file("Dockerfile", 13..2100, "past the end"),
            expect![[r#"
            error: past the end
             --> Dockerfile:2:1
              |
            2 | RUN true
              | ^^^^^^^^

        "#]],
        );
        check_problem(
            Problem::at_file("Other", 1..2, "not read"),
            expect![[r#"
            error: Other: not read
             --> forge.toml:1:1
              |
            1 | [[docker]]
              | ^^^^^^^^^^

        "#]],
        );
    }
}
