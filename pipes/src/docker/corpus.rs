//! How many of the Dockerfiles that people write are planned, and why not the others.
//! `FORGE_TEST_CORPUS` names a directory of them; without it, nothing is counted, and the test says so.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use forge_plugin::schemas::kind::Binary;
use forge_plugin::schemas::{Platform, Problem, SourceText};
use forge_plugin::testing::{FakeHost, plan_table, sample_facts};
use serde_json::json;

use crate::docker::Docker;

#[test]
fn how_many_are_planned() {
    let Ok(corpus) = std::env::var("FORGE_TEST_CORPUS") else {
        println!("skipped: FORGE_TEST_CORPUS names no directory of Dockerfiles");
        return;
    };
    let mut files = Vec::new();
    find(Path::new(&corpus), &mut files);
    assert!(!files.is_empty(), "no Dockerfiles in {corpus}");
    let (mut planned, mut reasons) = (0, BTreeMap::<String, usize>::new());
    for file in &files {
        let problems = plan(&fs::read_to_string(file).unwrap());
        let shown = problems.first().map_or("planned", |it| it.message.as_str());
        println!("{:70} {shown}", file.strip_prefix(&corpus).unwrap().display().to_string());
        match problems.is_empty() {
            true => planned += 1,
            false => *reasons.entry(shown.to_owned()).or_default() += 1,
        }
    }
    println!("\n{planned} of {} are planned", files.len());
    let mut reasons: Vec<(String, usize)> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    reasons.iter().for_each(|(reason, count)| println!("{count:5} {reason}"));
}

fn find(dir: &Path, files: &mut Vec<PathBuf>) {
    let mut paths: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|it| it.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        match path.is_dir() {
            true => find(&path, files),
            false if name.contains("dockerfile") && !name.ends_with("ignore") => files.push(path),
            false => {}
        }
    }
}

/// What is wrong with it, for two platforms and with a program called `hello`.
fn plan(text: &str) -> Vec<Problem> {
    let mut host = FakeHost::new();
    for platform in ["linux/amd64", "linux/arm64"] {
        let platform: Platform = platform.parse().unwrap();
        let name = format!("hello_{}/hello", platform.slug());
        host = host.with_input(&name, Some(platform), &Binary { file_name: "hello".to_owned() }, "");
    }
    let settings = json!({ "id": "image", "images": ["ghcr.io/acme/hello"], "dockerfile": "Dockerfile" });
    let source = SourceText { path: "Dockerfile".to_owned(), text: text.to_owned(), ..SourceText::default() };
    plan_table::<Docker>(&settings, &sample_facts(), &host.offers(), &[source]).err().unwrap_or_default()
}
