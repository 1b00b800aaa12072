//! What is written from types: `docs/pipes/*.md`, and `schemas/json/*.schema.json`. `UPDATE_EXPECT=1` writes them anew.
//! Knows no pipe: `forge schema` and `forge plugins` say what there is.

#![expect(clippy::unwrap_used, reason = "a test that can not go on fails where it stands")]

mod page;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use expect_test::expect_file;
use forge_engine::project::filters;
use forge_schemas::{ArtifactList, Event, Facts, Metadata, RunList, RunRecord, RunReport};
use schemars::schema_for;
use serde_json::Value;

use page::Page;

use crate::support::forge::executable;

#[test]
fn pages_say_what_the_pipes_say() {
    let (schema, plugins) = (ask(&["schema"]), ask(&["plugins", "--json"]));
    let mut written = BTreeSet::new();
    for pipe in plugins.as_array().unwrap().iter().flat_map(|plugin| plugin["pipes"].as_array().unwrap()) {
        let page = Page::of(pipe, &schema, &schema_for!(Facts).to_value());
        expect_file![here(&format!("docs/pipes/{}.md", page.name()))].assert_eq(&page.text(&example(page.name())));
        written.insert(format!("{}.md", page.name()));
    }
    let pages = fs::read_dir(here("docs/pipes")).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap());
    assert_eq!(pages.collect::<BTreeSet<_>>(), written, "a page a pipe");
}

#[test]
fn every_table_says_all_its_keys() {
    let schema = ask(&["schema"]);
    let mut open = Vec::new();
    open_tables(&schema, "", &mut open);
    assert!(open.is_empty(), "an unknown key is a mistake everywhere; these take any: {open:?}");
}

#[test]
fn schemas_are_those_of_the_types() {
    check_schema("project", &ask(&["schema"]));
    check_schema("event", &schema_for!(Event).to_value());
    check_schema("artifacts", &schema_for!(ArtifactList).to_value());
    check_schema("metadata", &schema_for!(Metadata).to_value());
    check_schema("report", &schema_for!(RunReport).to_value());
    check_schema("runs", &schema_for!(RunList).to_value());
    check_schema("run", &schema_for!(RunRecord).to_value());
}

fn check_schema(name: &str, schema: &Value) {
    let text = serde_json::to_string_pretty(schema).unwrap() + "\n";
    expect_file![here(&format!("schemas/json/{name}.schema.json"))].assert_eq(&text);
}

/// Tables with named keys that take others as well.
fn open_tables(schema: &Value, path: &str, found: &mut Vec<String>) {
    match schema {
        Value::Object(keys) => {
            if keys.get("properties").is_some_and(Value::is_object) && !keys.contains_key("additionalProperties") {
                found.push(path.to_owned());
            }
            keys.iter().for_each(|(key, inside)| open_tables(inside, &format!("{path}/{key}"), found));
        }
        Value::Array(items) => items.iter().for_each(|inside| open_tables(inside, path, found)),
        _ => {}
    }
}

/// The project file of the case that shows the pipe at work.
fn example(pipe: &str) -> String {
    fs::read_to_string(here(&format!("tests/cases/{pipe}/example/forge.toml"))).unwrap_or_default()
}

fn ask(arguments: &[&str]) -> Value {
    let output = Command::new(executable()).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn here(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn the_page_of_templates_says_all_filters() {
    let mut text = fs::read_to_string(here("docs/templates.md")).unwrap_or_default();
    let start = text.find(FILTERS).unwrap_or(text.len());
    text.truncate(start);
    text += FILTERS;
    text += "\n\nThose of [minijinja](https://docs.rs/minijinja/latest/minijinja/filters/index.html) (`default`, `join`, `lower`, `replace`, `split`, `title`, `trim`, `upper`, …), and:\n\n| filter | gives | for example | is |\n|---|---|---|---|\n";
    let mut engine = minijinja::Environment::new();
    filters::add(&mut engine);
    let facts = minijinja::context! { commit_time => "2026-01-31T12:00:00Z" };
    for filter in filters::FILTERS {
        let is = engine.render_str(filter.example, &facts).unwrap();
        let example = filter.example.replace('|', "\\|");
        text += &format!("| `{}` | {} | `{example}` | `{is}` |\n", filter.name, filter.about);
    }
    expect_file![here("docs/templates.md")].assert_eq(&text);
}

/// What stands behind this is written by the test.
const FILTERS: &str = "## Filters";
