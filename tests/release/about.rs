//! What is said about a release: bills of materials and provenance of programs that are not ours, judged by the formats' own validators and
//! compared with what the toolchains say. Does not know how these documents are written.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::forge::Ended;
use crate::support::olareg::Olareg;
use crate::support::program::{output, started, test_program};
use crate::support::project::Project;
use crate::support::strangers::go_module;

const CRANE: &str = r#"
[project]
name = "crane"

[[build]]
id = "crane"
tool = "go"
main = "./cmd/crane"
platforms = ["linux/amd64", "darwin/arm64", "windows/amd64"]

[[archive]]

[[docker]]
id = "image"
images = ["{{ env.REGISTRY }}/crane"]
tags = ["{{ version }}"]
platforms = ["linux/amd64"]
base = "scratch"

[[sbom]]
formats = ["spdx", "cyclonedx"]

[[sbom]]
id = "of_image"
kinds = ["image"]

[[provenance]]
builder = "https://ci.example.org/release"

[[provenance]]
id = "origin_of_image"
ids = ["image"]
split = true

[[attach]]
from = ["of_image", "origin_of_image"]

[[publish]]
to = "registry"
"#;

/// Programs for three systems, each of which says the same in a place of its own.
#[test]
fn a_go_program_and_its_image() {
    let registry = Olareg::start();
    let source = go_module("github.com/google/go-containerregistry", "v0.20.6");
    let project = Project::copy(&source).env("REGISTRY", registry.address());
    project.write("forge.toml", CRANE);
    let project = project.tagged("v0.20.6");
    project.forge(&["run", "release"]).expect(0);
    let dist = project.root().join("dist");
    for (program, archive) in [
        ("crane_linux_amd64/crane", "crane_0.20.6_linux_amd64.tar.gz"),
        ("crane_darwin_arm64/crane", "crane_0.20.6_darwin_arm64.tar.gz"),
        ("crane_windows_amd64/crane.exe", "crane_0.20.6_windows_amd64.tar.gz"),
    ] {
        let says = said_by_go(&program_at(&project, program));
        assert!(says.len() > 10, "{says:?}");
        let spdx = project.json(&format!("dist/{archive}.spdx.json"));
        assert_eq!(named(&spdx["packages"], "versionInfo"), says, "{archive}");
        let cyclonedx = project.json(&format!("dist/{archive}.cdx.json"));
        assert_eq!(named(&cyclonedx["components"], "version"), says, "{archive}");
    }
    validate(&dist);

    let image = project.json("dist/artifacts.json");
    let image = image["artifacts"].as_array().expect("artifacts").iter().find(|it| it["kind"] == "image");
    let digest = image.expect("an image")["digest"].as_str().expect("a digest").to_owned();
    let statement = project.json("dist/crane_0.20.6.intoto.json");
    let subjects = statement["subject"].as_array().expect("subjects");
    assert_eq!(subjects.len(), 4, "three archives and an image: {subjects:?}");
    assert!(subjects.iter().any(|it| digest.ends_with(it["digest"]["sha256"].as_str().expect("a digest"))));
    assert_eq!(attached(registry.address(), &digest), ["application/spdx+json", "application/vnd.in-toto+json"]);
}

/// What is said of hyperfine is what is compiled into it.
pub fn check_hyperfine(project: &Project, tools: &str) {
    let mut audit = Command::new(Path::new(tools).join("rust-audit-info"));
    let says = output(audit.arg(program_at(project, "hyperfine_linux_amd64/hyperfine")));
    let says: Value = serde_json::from_str(&says).expect("it is JSON");
    let says = named(&says["packages"], "version");
    assert!(says.len() > 20, "{says:?}");
    let spdx = project.json("dist/hyperfine_1.19.0_linux_amd64.tar.gz.spdx.json");
    let libraries = of_sort(&spdx["packages"], "primaryPackagePurpose", "LIBRARY");
    assert_eq!(named(&libraries, "versionInfo"), says);
    let cyclonedx = project.json("dist/hyperfine_1.19.0_linux_amd64.tar.gz.cdx.json");
    assert_eq!(named(&of_sort(&cyclonedx["components"], "type", "library"), "version"), says);
    validate(&project.root().join("dist"));
}

const SMALL: &str = r#"
[project]
name = "hello"

[[build]]
tool = "go"
platforms = ["linux/amd64"]

[[archive]]

[[sbom]]
formats = ["spdx", "cyclonedx"]

[[provenance]]
"#;

/// What is said of the same commit is the same, byte for byte. What is made of another tool is not, though it is the same itself.
#[test]
fn the_same_twice_and_not_by_another_tool() {
    let projects = [(); 2].map(|()| {
        let project = Project::of_text(SMALL);
        project.write("go.mod", "module example.org/hello\n\ngo 1.22\n");
        project.write("main.go", "package main\n\nfunc main() {}\n");
        let project = project.tagged("v1.2.3");
        project.forge(&["run", "release"]).expect(0);
        project
    });
    let ours = projects[0].digests();
    assert!(ours.iter().any(|it| it.starts_with("provenance ")), "{ours:?}");
    assert_eq!(ours, projects[1].digests());
    projects[0].forge(&["run", "release"]).expect(0);
    assert_eq!(ours, projects[0].digests());

    // Another go, which makes the same program.
    let (bin, go) = (projects[0].place().join("bin"), output(Command::new("sh").args(["-c", "command -v go"])));
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = version ] && [ $# = 1 ] && echo 'go version go1.99 ours' || exec '{go}' \"$@\"\n"
    );
    std::fs::create_dir(&bin).expect("a directory");
    std::fs::write(bin.join("go"), script).expect("a script");
    output(Command::new("chmod").arg("+x").arg(bin.join("go")));
    let mut forge = projects[0].command(&["run", "release"]);
    forge.env("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").expect("PATH is set")));
    Ended::of(&mut forge).expect(0);
    let theirs = projects[0].digests();
    let changed: Vec<&String> = theirs.iter().filter(|it| !ours.contains(it)).collect();
    assert!(changed.len() == 1 && changed[0].starts_with("provenance "), "{changed:?}");
}

/// The modules that `go version -m` finds in a program, as name and version.
fn said_by_go(program: &Path) -> BTreeSet<String> {
    let says = output(Command::new("go").args(["version", "-m"]).arg(program));
    let module = |line: &str| {
        let mut words = line.trim().split('\t');
        let (what, name, version) = (words.next()?, words.next()?, words.next()?);
        (what == "dep").then(|| format!("{name} {version}"))
    };
    says.lines().filter_map(module).collect()
}

/// The members of a list of packages with their versions, without the things themselves, the main module, and Go's own library.
fn named(list: &Value, version: &str) -> BTreeSet<String> {
    let all = list.as_array().expect("a list").iter();
    let named = all.map(|it| format!("{} {}", it["name"], it[version]).replace('"', ""));
    let is_own =
        |it: &String| it.starts_with("crane") || it.starts_with("stdlib ") || it.contains("/go-containerregistry v");
    named.filter(|it| !is_own(it)).collect()
}

fn of_sort(list: &Value, key: &str, sort: &str) -> Value {
    list.as_array().expect("a list").iter().filter(|it| it[key] == sort).cloned().collect()
}

fn program_at(project: &Project, name: &str) -> PathBuf {
    let list = project.json("dist/artifacts.json");
    let program = list["artifacts"].as_array().expect("artifacts").iter().find(|it| it["name"] == name);
    let path = program.unwrap_or_else(|| panic!("no `{name}`"))["path"].as_str().expect("a path").to_owned();
    project.root().join(path)
}

const VALIDATORS: &str = "
import glob, json, sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
from in_toto_attestation.v1.statement import Statement
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

found = {it: sorted(glob.glob(f'{sys.argv[1]}/*.{it}')) for it in ('spdx.json', 'cdx.json', 'intoto.json')}
assert all(found.values()), found
for path in found['spdx.json']:
    wrong = validate_full_spdx_document(parse_file(path))
    assert not wrong, (path, wrong)
for path in found['cdx.json']:
    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(path).read())
    assert not wrong, (path, wrong)
for path in found['intoto.json']:
    said = json.load(open(path))
    Statement.copy_from_pb(json_format.ParseDict(said, statement_pb2.Statement())).validate()
    # Members that SLSA does not know are an error here.
    provenance = json_format.ParseDict(said['predicate'], provenance_pb2.Provenance())
    for it in provenance.build_definition.resolved_dependencies:
        ResourceDescriptor.copy_from_pb(it).validate()
    assert provenance.run_details.builder.id and provenance.build_definition.build_type
";

/// By the packages of those who write the formats.
fn validate(dist: &Path) {
    output(
        Command::new(Path::new(&started("FORGE_TEST_VALIDATORS")).join("python")).args(["-c", VALIDATORS]).arg(dist),
    );
}

/// The types of what is attached to an image, as oras finds it; sorted.
fn attached(address: &str, digest: &str) -> Vec<String> {
    let reference = format!("{address}/crane@{digest}");
    let text =
        output(Command::new(test_program("oras")).args(["discover", "--plain-http", "--format=json", &reference]));
    let found: Value = serde_json::from_str(&text).expect("oras writes JSON");
    let list = found["referrers"].as_array().or(found["manifests"].as_array()).expect("a list");
    let mut types: Vec<String> =
        list.iter().map(|it| it["artifactType"].as_str().expect("a type").to_owned()).collect();
    types.sort();
    types
}
