//! Tool `go`: `go build`.
//! Does not know what it compiles: Go finds that out.

use std::path::Path;

use forge_plugin::Host;
use forge_plugin::schemas::{Failure, Resource};
use serde::{Deserialize, Serialize};

use super::settings::Settings;
use super::tool::{Recipe, Tool, program};
use super::unit::{OUTPUT, Unit};
use super::variables;
use super::words::Words;
use super::{Params, read_of};

/// The tool.
pub struct Go;

#[derive(Serialize, Deserialize)]
struct Start {
    argv: Vec<String>,
}

impl Tool for Go {
    fn name(&self) -> &'static str {
        "go"
    }

    fn keys(&self) -> &'static [&'static str] {
        &["main", "flags", "ldflags", "gcflags", "asmflags", "tags", "program"]
    }

    fn platforms(&self, _: &Settings) -> &'static [&'static str] {
        &[
            "linux/386",
            "linux/amd64",
            "linux/arm64",
            "darwin/amd64",
            "darwin/arm64",
            "windows/386",
            "windows/amd64",
            "windows/arm64",
        ]
    }

    fn plan(&self, unit: &mut Unit<'_>) -> Option<Recipe> {
        let Some(variables) = super::targets::go(unit.platform) else {
            unit.unsupported("go");
            return None;
        };
        let go = unit.settings.program.clone().unwrap_or_else(|| "go".to_owned());
        let argv = argv(unit, &go)?;
        let mut env = unit.facts();
        env.extend(variables.into_iter().map(|(name, value)| (name.to_owned(), value)));
        env.insert("CGO_ENABLED".to_owned(), "0".to_owned());
        Some(Recipe {
            recipe: unit.json(&Start { argv })?,
            env,
            reads: vec![read_of(".", "")],
            always_reads: Vec::new(),
            variables: variables::go(),
            tools: vec![program(&[&go, "version"])],
            resource: Resource::Cpu,
        })
    }

    fn run(&self, params: &Params, _: &Path, host: &dyn Host) -> Result<(), Failure> {
        let start: Start = params.recipe()?;
        host.exec_ok(&params.command(&start.argv, host)).map(|_| ())
    }
}

/// The command. Neither paths of this machine nor the state of its work tree get into the program.
fn argv(unit: &mut Unit<'_>, go: &str) -> Option<Vec<String>> {
    let mut argv: Vec<String> = [go, "build", "-o", OUTPUT, "-trimpath", "-buildvcs=false"].map(str::to_owned).into();
    argv.push(format!("-ldflags={}", ldflags(unit)));
    if let Some((key, flags)) = unit.pick("gcflags", unit.settings.gcflags.as_ref(), |it| it.gcflags.as_ref()) {
        argv.push(format!("-gcflags={}", unit.joined(&key, flags)));
    }
    if let Some((key, flags)) = unit.pick("asmflags", unit.settings.asmflags.as_ref(), |it| it.asmflags.as_ref()) {
        argv.push(format!("-asmflags={}", unit.joined(&key, flags)));
    }
    if let Some((key, tags)) = unit.pick("tags", unit.settings.tags.as_ref(), |it| it.tags.as_ref()) {
        argv.push(format!("-tags={}", unit.words(&key, tags).join(",")));
    }
    if let Some((key, flags)) = unit.pick("flags", unit.settings.flags.as_ref(), |it| it.flags.as_ref()) {
        argv.extend(unit.words(&key, flags));
    }
    argv.push(match &unit.settings.main {
        Some(main) => unit.text("main", main)?,
        None => ".".to_owned(),
    });
    Some(argv)
}

fn ldflags(unit: &mut Unit<'_>) -> String {
    let given: Option<(String, &Words<_>)> =
        unit.pick("ldflags", unit.settings.ldflags.as_ref(), |it| it.ldflags.as_ref());
    if let Some((key, flags)) = given {
        return unit.joined(&key, flags);
    }
    let facts = unit.given.facts;
    format!(
        "-s -w -buildid= -X main.version={} -X main.commit={} -X main.date={} -X main.builtBy=forge",
        facts.version, facts.commit, facts.commit_time
    )
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use forge_plugin::testing::{FakeHost, really_run};
    use serde_json::json;

    use crate::build::checks::{check_plan, check_run, run};

    #[test]
    fn what_go_is_told() {
        let platforms = ["linux/amd64/v3", "linux/arm/v6", "windows/arm64"];
        check_run(
            &json!({ "tool": "go", "platforms": platforms }),
            &expect![[r#"
            ROOT$ go build -o DIR/hello -trimpath '-buildvcs=false' '-ldflags=-s -w -buildid= -X main.version=1.2.3 -X main.commit=4805ca7d3b1f0c2e9a6858d1f7b2a04c6e93d1b5 -X main.date=2026-01-02T03:04:05Z -X main.builtBy=forge' .
              CGO_ENABLED=0
              FORGE_COMMIT=4805ca7d3b1f0c2e9a6858d1f7b2a04c6e93d1b5
              FORGE_COMMIT_TIME=2026-01-02T03:04:05Z
              FORGE_OUTPUT=DIR/hello
              FORGE_PLATFORM=linux/amd64/v3
              FORGE_TAG=v1.2.3
              FORGE_VERSION=1.2.3
              GOAMD64=v3
              GOARCH=amd64
              GOOS=linux
              SOURCE_DATE_EPOCH=1767323045
            made build_linux_amd64_v3/hello
            ROOT$ go build -o DIR/hello -trimpath '-buildvcs=false' '-ldflags=-s -w -buildid= -X main.version=1.2.3 -X main.commit=4805ca7d3b1f0c2e9a6858d1f7b2a04c6e93d1b5 -X main.date=2026-01-02T03:04:05Z -X main.builtBy=forge' .
              CGO_ENABLED=0
              FORGE_COMMIT=4805ca7d3b1f0c2e9a6858d1f7b2a04c6e93d1b5
              FORGE_COMMIT_TIME=2026-01-02T03:04:05Z
              FORGE_OUTPUT=DIR/hello
              FORGE_PLATFORM=linux/arm/v6
              FORGE_TAG=v1.2.3
              FORGE_VERSION=1.2.3
              GOARCH=arm
              GOARM=6
              GOOS=linux
              SOURCE_DATE_EPOCH=1767323045
            made build_linux_arm_v6/hello
            ROOT$ go build -o DIR/hello.exe -trimpath '-buildvcs=false' '-ldflags=-s -w -buildid= -X main.version=1.2.3 -X main.commit=4805ca7d3b1f0c2e9a6858d1f7b2a04c6e93d1b5 -X main.date=2026-01-02T03:04:05Z -X main.builtBy=forge' .
              CGO_ENABLED=0
              FORGE_COMMIT=4805ca7d3b1f0c2e9a6858d1f7b2a04c6e93d1b5
              FORGE_COMMIT_TIME=2026-01-02T03:04:05Z
              FORGE_OUTPUT=DIR/hello.exe
              FORGE_PLATFORM=windows/arm64
              FORGE_TAG=v1.2.3
              FORGE_VERSION=1.2.3
              GOARCH=arm64
              GOARM64=v8.0
              GOOS=windows
              SOURCE_DATE_EPOCH=1767323045
            made build_windows_arm64/hello.exe
        "#]],
        );
    }

    #[test]
    fn every_key() {
        check_run(
            &json!({
                "tool": "go", "platforms": ["linux/386"], "main": "./cmd/{{ name }}", "ldflags": ["-s", "-X main.os={{ os }}"],
                "gcflags": "all=-l -N", "asmflags": ["all=-trimpath"], "tags": "netgo osusergo", "flags": ["-mod=vendor"],
                "env": { "CGO_ENABLED": "1" }, "program": "go1.25",
            }),
            &expect![[r#"
                ROOT$ go1.25 build -o DIR/hello -trimpath '-buildvcs=false' '-ldflags=-s -X main.os=linux' '-gcflags=all=-l -N' '-asmflags=all=-trimpath' '-tags=netgo,osusergo' '-mod=vendor' ./cmd/hello
                  CGO_ENABLED=1
                  FORGE_COMMIT=4805ca7d3b1f0c2e9a6858d1f7b2a04c6e93d1b5
                  FORGE_COMMIT_TIME=2026-01-02T03:04:05Z
                  FORGE_OUTPUT=DIR/hello
                  FORGE_PLATFORM=linux/386
                  FORGE_TAG=v1.2.3
                  FORGE_VERSION=1.2.3
                  GO386=sse2
                  GOARCH=386
                  GOOS=linux
                  SOURCE_DATE_EPOCH=1767323045
                made build_linux_386/hello
            "#]],
        );
    }

    #[test]
    fn the_platforms_of_goreleaser() {
        check_plan(
            &json!({ "id": "hello", "tool": "go", "ignore": [{ "os": "windows" }, { "arch": "386" }] }),
            &expect![[r#"
                linux/amd64 at tool
                  makes hello_linux_amd64/hello {"file_name":"hello"}
                  reads . at the table
                  asks go version
                linux/arm64 at tool
                  makes hello_linux_arm64/hello {"file_name":"hello"}
                  reads . at the table
                  asks go version
                darwin/amd64 at tool
                  makes hello_darwin_amd64/hello {"file_name":"hello"}
                  reads . at the table
                  asks go version
                darwin/arm64 at tool
                  makes hello_darwin_arm64/hello {"file_name":"hello"}
                  reads . at the table
                  asks go version
            "#]],
        );
        check_plan(
            &json!({ "tool": "go", "platforms": ["linux/wasm"] }),
            &expect![[r#"
            platforms[0]: `go` can't build for `linux/wasm`; leave it out of `platforms`, or build it with another tool
        "#]],
        );
    }

    #[test]
    fn a_real_program_for_another_machine() {
        let host = FakeHost::new().on_exec(really_run);
        let host = host.with_source("go.mod", "module hello\n").with_source("main.go", MAIN);
        let log = run(&json!({ "tool": "go", "platforms": ["linux/arm64"] }), host);
        assert!(log.ends_with("made build_linux_arm64/hello\n"), "{log}");
    }

    const MAIN: &str = "package main\n\nvar version string\n\nfunc main() { println(version) }\n";
}
