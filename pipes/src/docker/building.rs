//! An image that an engine builds: what it is given, and the steps that follow from it.
//! Does not run anything, and does not know which engines there are.

use std::collections::{BTreeMap, BTreeSet};

use forge_plugin::schemas::kind::Kind;
use forge_plugin::schemas::{Memory, Place, Platform, Problem, Read, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::docker::Params;
use crate::docker::base::Base;
use crate::docker::beyond::{Agent, Beyond};
use crate::docker::engines::Engine;
use crate::docker::hooks::Maker;
use crate::docker::making::{Named, Planned, default_labels, json};
use crate::docker::recipe::{Change, Made, Source};
use crate::oci::compression::Compression;

/// All that decides what an engine builds, but for the content of what the step takes and reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Building {
    /// Who builds.
    pub engine: EngineOf,
    /// Where it runs.
    pub platform: Platform,
    /// The time of everything that it adds: RFC 3339.
    pub created: String,
    /// The same, in seconds since 1970.
    pub timestamp: i64,
    /// How its layers are compressed.
    #[serde(default, skip_serializing_if = "Compression::is_default")]
    pub compression: Compression,
    /// The Dockerfile.
    pub text: String,
    /// What is written there of images in registries, and what it means now.
    pub pins: Vec<Pin>,
    /// The artifact of the base whose layers it shares.
    pub base: Option<String>,
    /// The stage that is the image; the last where none is given.
    pub target: Option<String>,
    /// Values of its `ARG`s.
    pub build_args: BTreeMap<String, String>,
    /// The secrets that it mounts, by id.
    pub secrets: BTreeSet<String>,
    /// What the user adds to the engine's arguments.
    pub flags: Vec<String>,
    /// What it sees of the project.
    pub reads: Vec<String>,
    /// What of that it does not: patterns as those of a `.dockerignore`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<String>,
    /// The programs that it sees, by artifact and file name.
    pub binaries: Vec<(String, String)>,
    /// Labels that are there where the Dockerfile does not set them.
    pub default_labels: BTreeMap<String, String>,
    /// Labels that replace those of the Dockerfile.
    pub labels: BTreeMap<String, String>,
    /// What becomes of it.
    pub made: Made,
}

/// Who builds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineOf {
    /// The one of this name.
    Named(String),
    /// The one that was found to be there, which is the first input.
    FirstInput,
}

/// A name in the Dockerfile, for whose image a digest is put: so that what is built stands on what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// Where it begins in the Dockerfile, in bytes.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// The repository that it names.
    pub repository: String,
    /// The artifact that is what it means.
    pub artifact: String,
}

/// `image_engine`: which of the engines is there. The content is what it says of its version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ImageEngine {
    /// Its name; empty before somebody has looked.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub engine: String,
}

impl Kind for ImageEngine {
    const NAME: &'static str = "image_engine";
}

/// What an engine is told beside the Dockerfile.
pub struct Asked<'a> {
    /// Who builds; whoever is there where none is named.
    pub engine: Option<&'static dyn Engine>,
    /// The text of the Dockerfile.
    pub text: &'a str,
    /// Where it names images that are not made here, and which of the bases each is.
    pub named: Vec<(std::ops::Range<usize>, usize)>,
    /// What forge itself can't do of it.
    pub beyond: Beyond,
    /// The stage that is the image.
    pub target: Option<&'a str>,
    /// Values of its `ARG`s.
    pub build_args: BTreeMap<String, String>,
    /// What the user adds to the engine's arguments.
    pub flags: Vec<String>,
    /// All programs that it could copy, by artifact and file name.
    pub binaries: Vec<(String, String)>,
}

impl Planned<'_> {
    /// The steps that find and fetch what it needs beside the Dockerfile, and the one that builds.
    pub fn built(&self, asked: &Asked<'_>) -> Vec<Step> {
        let root = self.making.stages.last().and_then(|image| self.making.root(image.on));
        let mut steps: Vec<Step> =
            root.into_iter().flat_map(|at| self.base_steps(at, &self.making.bases[at])).collect();
        steps.extend(self.making.downloads.iter().enumerate().map(|(at, it)| self.download_step(at, it)));
        steps.push(self.building_step(asked, root));
        steps
    }

    /// Finds out who is there. It is the same for all platforms.
    pub fn choice(&self, asked: &Asked<'_>) -> Step {
        let artifact = self.choice_name();
        let why = asked.beyond.problems.first().map(|problem| why(problem, asked.text)).unwrap_or_default();
        let output = self.output(artifact, &ImageEngine { engine: String::new() });
        Step {
            name: "engine".to_owned(),
            makes: vec![forge_plugin::schemas::Output { platform: None, ..output }],
            memory: Memory::Never,
            params: json(&Params::Choose(why)),
            place: Place::Key("engine".to_owned()),
            ..Step::default()
        }
    }

    fn choice_name(&self) -> String {
        format!("{}.engine", self.given.table.id)
    }

    fn building_step(&self, asked: &Asked<'_>, root: Option<usize>) -> Step {
        let building = self.building(asked, root);
        let mut takes: Vec<String> = asked.engine.is_none().then(|| self.choice_name()).into_iter().collect();
        takes.extend(building.base.clone());
        takes.extend(building.pins.iter().map(|pin| pin.artifact.clone()));
        // The engine fetches these itself: here they say whether they are others than last time.
        takes.extend((0..self.making.downloads.len()).map(|at| self.names().download(at)));
        takes.extend(building.binaries.iter().map(|(artifact, _)| artifact.clone()));
        let mut seen = BTreeSet::new();
        takes.retain(|it| seen.insert(it.clone()));
        Step {
            name: self.platform.to_string(),
            platform: Some(self.platform.clone()),
            takes,
            makes: vec![self.output(self.names().image(), &self.detail())],
            reads: self.seen(asked),
            tools: asked.engine.iter().map(|it| it.version()).collect(),
            params: json(&self.hooks.around(Maker::Engine(Box::new(building)))),
            place: Place::Key(self.key.to_owned()),
            ..Step::default()
        }
    }

    fn building(&self, asked: &Asked<'_>, root: Option<usize>) -> Building {
        let facts = self.given.facts;
        let mut flags = asked.flags.clone();
        if asked.beyond.agent == Agent::Lent {
            flags.insert(0, "--ssh=default".to_owned());
        }
        Building {
            engine: asked.engine.map_or(EngineOf::FirstInput, |it| EngineOf::Named(it.name().to_owned())),
            platform: self.platform.clone(),
            created: facts.commit_time.clone(),
            timestamp: facts.commit_timestamp,
            compression: self.compression,
            text: asked.text.to_owned(),
            pins: self.pins(asked),
            base: root.map(|at| self.names().manifest(at)),
            target: asked.target.map(str::to_owned),
            build_args: asked.build_args.clone(),
            secrets: asked.beyond.secrets.clone(),
            flags,
            reads: self.seen(asked).into_iter().map(|it| it.path).collect(),
            except: self.making.except.clone(),
            binaries: self.programs(asked),
            default_labels: default_labels(self.given),
            labels: self.labels.clone(),
            made: self.made(),
        }
    }

    fn pins(&self, asked: &Asked<'_>) -> Vec<Pin> {
        let pin = |(bytes, at): &(std::ops::Range<usize>, usize)| {
            let named = &self.making.bases[*at];
            let Base::Registry(reference) = &named.base else { return None };
            let artifact = reference.digest().is_none().then(|| self.names().meaning(&named.in_full()))?;
            Some(Pin { start: bytes.start, end: bytes.end, repository: reference.name(), artifact })
        };
        asked.named.iter().filter_map(pin).collect()
    }

    /// What it reads of the project: what its stages copy, and what is read in ways that forge does not understand.
    fn seen(&self, asked: &Asked<'_>) -> Vec<Read> {
        let copied = self.making.stages.iter().flat_map(|stage| &stage.reads);
        let mut seen: Vec<Read> = Vec::new();
        for read in copied.chain(&asked.beyond.reads) {
            if !seen.iter().any(|it| it.path == read.path) {
                seen.push(read.clone());
            }
        }
        seen
    }

    /// The programs that it copies; all, where forge does not understand what it copies.
    fn programs(&self, asked: &Asked<'_>) -> Vec<(String, String)> {
        if !asked.beyond.reads.is_empty() {
            return asked.binaries.clone();
        }
        let changes = self.making.stages.iter().flat_map(|stage| &stage.instructions).map(|it| &it.change);
        let names: BTreeSet<&String> = changes.flat_map(Change::sources).filter_map(Source::artifact).collect();
        asked.binaries.iter().filter(|(artifact, _)| names.contains(artifact)).cloned().collect()
    }
}

/// The first thing that forge itself does not do, and where it stands.
fn why(problem: &Problem, text: &str) -> String {
    match &problem.place {
        Place::File { path, start, .. } => {
            let line = text.get(..*start).unwrap_or_default().matches('\n').count() + 1;
            format!("{path}:{line}: {}", problem.message)
        }
        Place::Key(_) => problem.message.clone(),
    }
}

/// Why an engine can't take what an image stands on or copies from, if it can't.
pub fn not_for_engines(named: &Named) -> Option<Problem> {
    let what = match named.base {
        Base::Layout { .. } => "an OCI layout",
        Base::Archive { .. } => "a docker archive",
        Base::Daemon { .. } => "`docker-daemon:`",
        Base::Table(_) => "an image of this project",
        Base::Scratch | Base::Registry(_) => return None,
    };
    let message = format!("{what} can be the base of an image that forge makes itself, and of no other");
    let help = "leave out what forge does not do itself, or put the base into a registry";
    Some(Problem { place: named.place.clone(), message, help: Some(help.to_owned()) })
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use expect_test::{Expect, expect};
    use forge_plugin::schemas::SourceText;
    use forge_plugin::schemas::kind::Binary;
    use forge_plugin::testing::{FakeHost, plan_table, sample_facts};
    use serde_json::{Value, json};

    use crate::docker::Docker;

    /// What a Dockerfile is built by, and with what.
    fn check(engine: &str, dockerfile: &str, expect: Expect) {
        check_with(json!({ "engine": engine }), dockerfile, expect);
    }

    /// The same, with these keys in the table.
    fn check_with(keys: Value, dockerfile: &str, expect: Expect) {
        let platform = "linux/amd64".parse().ok();
        let program = |name: &str| Binary { file_name: name.to_owned() };
        let host = FakeHost::new().with_input("one/hello", platform.clone(), &program("hello"), "").with_input(
            "two/other",
            platform,
            &program("other"),
            "",
        );
        let mut settings = json!({ "id": "image", "images": ["x/y"], "platforms": ["linux/amd64"], "dockerfile": "D" });
        settings.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
        let source = SourceText { path: "D".to_owned(), text: dockerfile.to_owned(), ..SourceText::default() };
        let mut shown = String::new();
        match plan_table::<Docker>(&settings, &sample_facts(), &host.offers(), &[source]) {
            Err(problems) => problems.iter().for_each(|it| writeln!(shown, "{}", it.message).unwrap()),
            Ok(steps) => {
                for step in steps {
                    let reads: Vec<&String> = step.reads.iter().map(|it| &it.path).collect();
                    writeln!(shown, "{} takes {:?} reads {reads:?} {:?}", step.name, step.takes, step.tools).unwrap();
                    let build = &step.params["build"];
                    for name in ["pins", "secrets", "flags", "target"].iter().filter(|it| !is_empty(&build[it])) {
                        writeln!(shown, "  {name} {}", build[name]).unwrap();
                    }
                }
            }
        }
        expect.assert_eq(&shown);
    }

    fn is_empty(value: &Value) -> bool {
        value.is_null() || value.as_array().is_some_and(Vec::is_empty)
    }

    #[test]
    fn forge_itself_where_it_can() {
        check(
            "auto",
            "FROM scratch\nCOPY hello /\n",
            expect![[r#"
            linux/amd64 takes ["one/hello"] reads [] []
        "#]],
        );
        check(
            "auto",
            "FROM scratch AS not-needed\nRUN make\nFROM scratch\nCOPY hello /\n",
            expect![[r#"
            linux/amd64 takes ["one/hello"] reads [] []
        "#]],
        );
    }

    #[test]
    fn an_engine_where_forge_may_not_be_able_to() {
        check(
            "auto",
            "FROM alpine:3\nRUN apk add git\n",
            expect![[r#"
                engine takes [] reads [] []
                name/docker.io/library/alpine:3 takes [] reads [] []
                base/linux/amd64/manifest takes ["image.bases/docker.io/library/alpine_3.json"] reads [] []
                base/linux/amd64 takes ["image_linux_amd64.base_manifest.json"] reads [] []
                linux/amd64 takes ["image.engine", "image_linux_amd64.base_manifest.json", "image.bases/docker.io/library/alpine_3.json"] reads [] []
                  pins [{"artifact":"image.bases/docker.io/library/alpine_3.json","end":13,"repository":"docker.io/library/alpine","start":5}]
            "#]],
        );
        check(
            "native",
            "FROM alpine:3\nRUN apk add git\n",
            expect![[r#"
                name/docker.io/library/alpine:3 takes [] reads [] []
                base/linux/amd64/manifest takes ["image.bases/docker.io/library/alpine_3.json"] reads [] []
                base/linux/amd64 takes ["image_linux_amd64.base_manifest.json"] reads [] []
                base/linux/amd64/packages takes ["image_linux_amd64.base.json"] reads [] []
                stage/0/linux/amd64/packages takes ["image_linux_amd64.base_packages.json", "image_linux_amd64.base.json"] reads [] []
                linux/amd64 takes ["image_linux_amd64.base.json", "image_linux_amd64.base_packages.json", "image_linux_amd64.stage_0_packages.json"] reads [] []
            "#]],
        );
        check(
            "auto",
            "FROM alpine:3\nRUN apk del git\n",
            expect![[r#"
                name/docker.io/library/alpine:3 takes [] reads [] []
                base/linux/amd64/manifest takes ["image.bases/docker.io/library/alpine_3.json"] reads [] []
                base/linux/amd64 takes ["image_linux_amd64.base_manifest.json"] reads [] []
                linux/amd64 takes ["image_linux_amd64.base.json"] reads [] []
            "#]],
        );
    }

    #[test]
    fn an_engine_where_it_must() {
        check(
            "auto",
            "ARG V=3\nFROM golang:1 AS build\nCOPY go.mod .\nRUN make\nFROM alpine:$V\nCOPY --from=build /x /\nCOPY hello /\n",
            expect![[r#"
                engine takes [] reads [] []
                name/docker.io/library/golang:1 takes [] reads [] []
                name/docker.io/library/alpine:3 takes [] reads [] []
                base2/linux/amd64/manifest takes ["image.bases/docker.io/library/alpine_3.json"] reads [] []
                base2/linux/amd64 takes ["image_linux_amd64.base2_manifest.json"] reads [] []
                linux/amd64 takes ["image.engine", "image_linux_amd64.base2_manifest.json", "image.bases/docker.io/library/golang_1.json", "image.bases/docker.io/library/alpine_3.json", "one/hello"] reads ["go.mod"] []
                  pins [{"artifact":"image.bases/docker.io/library/golang_1.json","end":21,"repository":"docker.io/library/golang","start":13},{"artifact":"image.bases/docker.io/library/alpine_3.json","end":68,"repository":"docker.io/library/alpine","start":59}]
            "#]],
        );
        check(
            "podman",
            "FROM scratch\nRUN --mount=type=secret,id=npm_token --mount=type=ssh x\nRUN --mount=type=bind,target=/src x\n",
            expect![[r#"
                linux/amd64 takes ["one/hello", "two/other"] reads ["."] [Tool { program: "podman", version: ["--version"] }]
                  secrets ["npm_token"]
                  flags ["--ssh=default"]
            "#]],
        );
    }

    #[test]
    fn caches_and_keys_are_flags() {
        check_with(
            json!({
                "engine": "buildx", "flags": ["--pull"], "ssh": ["default", "work=key.{{ arch }}"],
                "cache": { "from": ["type=gha", "type=local,src=x"], "to": ["type=gha,mode=max"] },
            }),
            "FROM scratch\nRUN --mount=type=ssh,id=work x\n",
            expect![[r#"
                linux/amd64 takes [] reads [] [Tool { program: "docker", version: ["buildx", "version"] }]
                  flags ["--cache-from=type=gha","--cache-from=type=local,src=x","--cache-to=type=gha,mode=max","--ssh=default","--ssh=work=key.amd64","--pull"]
            "#]],
        );
    }

    #[test]
    fn mistakes_are_mistakes_for_all() {
        check(
            "docker",
            "FROM oci:base\nRUN x\n",
            expect![[r#"
            an OCI layout can be the base of an image that forge makes itself, and of no other
        "#]],
        );
        check(
            "docker",
            "FROM scratch\nRUN x\nCOPY $NOPE /\nEXPOSE x\n",
            expect![[r#"
            no variable `NOPE`
            `x` is not a port
        "#]],
        );
    }
}
