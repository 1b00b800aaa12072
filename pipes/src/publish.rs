//! Pipe `publish`: images, manifest lists and files, to where users get them.
//! Does not know any destination: each is a file of `publish/`, and a line of `DESTINATIONS`.

mod attached;
mod azure;
mod bucket;
mod cargo;
mod choice;
mod chunks;
mod contents;
mod digests;
#[cfg(test)]
mod fake;
mod files;
mod gcs;
mod gitea;
mod github;
mod gitlab;
mod http;
mod language;
mod layout;
mod npm;
mod page;
mod patience;
mod push;
mod pypi;
mod receipt;
mod registry;
mod remote;
mod s3;
mod settings;
mod tag;
mod turn;
mod upload;

use forge_plugin::schemas::kind::{Digests, Publication};
use forge_plugin::schemas::{Failure, Finding, KindInfo, Problem, Selector, Step};
use forge_plugin::{Given, Host, Pipe, Wants, kind};
use schemars::{Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::language::Packed;
use self::layout::Layout;
pub use self::settings::{Settings, To};
use crate::table::variants::typed;

/// All destinations.
const DESTINATIONS: &[Destination] = &[
    registry::DESTINATION,
    layout::DESTINATION,
    github::DESTINATION,
    gitea::DESTINATION,
    gitlab::DESTINATION,
    s3::DESTINATION,
    gcs::DESTINATION,
    azure::DESTINATION,
    http::DESTINATION,
    cargo::DESTINATION,
    npm::DESTINATION,
    pypi::DESTINATION,
];

/// Pipe `publish`.
pub struct Publish;

/// What `plan` tells `run`: the destination, and what that has told itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Params {
    to: String,
    what: Value,
}

/// Steps, or all that is wrong.
type Planned = Result<Vec<Step>, Vec<Problem>>;

/// Where something can be published to.
struct Destination {
    name: &'static str,
    /// What it does, in sentences of which the name is the subject.
    about: &'static str,
    /// The keys of its own.
    schema: fn(&mut SchemaGenerator) -> Schema,
    /// What it publishes.
    takes: fn(&Settings) -> Vec<Selector>,
    /// The steps for what it takes; each step's `params` are the destination's own.
    plan: fn(&Settings, &Given<'_>) -> Planned,
    /// What lies now where a step would put something.
    probe: fn(&Value, &dyn Host) -> Result<Vec<Finding>, Failure>,
    /// Does one step, with its own parameters.
    run: fn(&Value, &Step, &dyn Host) -> Result<(), Failure>,
}

impl Pipe for Publish {
    const NAME: &'static str = "publish";
    const SUMMARY: &'static str = "publishes images and manifest lists to registries or as an OCI layout, and files on release pages, in buckets and on web servers";
    type Settings = Settings;
    type Params = Params;

    fn makes() -> Vec<KindInfo> {
        vec![kind::<Publication>(), kind::<Layout>(), kind::<Digests>(), kind::<Packed>()]
    }

    fn takes(settings: &Settings) -> Result<Wants, Vec<Problem>> {
        let destination = settings.to.destination()?;
        Ok(Wants { selectors: (destination.takes)(settings), sources: Vec::new() })
    }

    fn plan(settings: &Settings, given: &Given<'_>) -> Planned {
        let destination = settings.to.destination()?;
        let mut steps = (destination.plan)(settings, given)?;
        for step in &mut steps {
            let params = Params { to: destination.name.to_owned(), what: step.params.take() };
            step.params = serde_json::to_value(params).unwrap_or_default();
        }
        Ok(steps)
    }

    fn run(params: &Params, step: &Step, host: &dyn Host) -> Result<(), Failure> {
        (params.destination()?.run)(&params.what, step, host)
    }

    fn probe(params: &Params, _: &Step, host: &dyn Host) -> Result<Vec<Finding>, Failure> {
        (params.destination()?.probe)(&params.what, host)
    }
}

impl Params {
    fn destination(&self) -> Result<&'static Destination, Failure> {
        let found = DESTINATIONS.iter().find(|it| it.name == self.to);
        found.ok_or_else(|| Failure::bug(format!("a step for the unknown destination `{}`", self.to)))
    }
}

impl To {
    fn destination(&self) -> Result<&'static Destination, Vec<Problem>> {
        DESTINATIONS.iter().find(|it| it.name == self.0).ok_or_else(|| {
            let names: Vec<&str> = DESTINATIONS.iter().map(|it| it.name).collect();
            let problem = Problem::at_key("to", format!("nothing can be published to `{}`", self.0));
            vec![problem.help(format!("the destinations are {}", names.join(", ")))]
        })
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use forge_plugin::schemas::kind::{Image, Kind as _, ManifestList, Member};
    use forge_plugin::schemas::{Digest, Memory, Platform};
    use forge_plugin::testing::{FakeHost, plan_table, run_step, sample_facts};
    use serde_json::json;

    use super::fake::FakeRegistry;
    use super::*;
    use crate::oci::manifest::{Descriptor, Family, Index, Manifest, PlatformFields};

    const AMD64: &str = "push/x.example/acme/a/image_amd64";
    const REFERENCES: &[&str] = &["x.example/acme/a:1.2.3"];

    /// An image of a config and a layer: its manifest, and these.
    fn image(arch: &str) -> (Manifest, [Vec<u8>; 2]) {
        let (config, layer) = (format!("config of {arch}").into_bytes(), format!("layer of {arch}").into_bytes());
        let layers = vec![Descriptor::of(Family::Oci.layer(), &layer)];
        (Manifest::new(Family::Oci, Descriptor::of(Family::Oci.config(), &config), layers), [config, layer])
    }

    /// Two images and their list, all with the same references, in front of this registry.
    fn host(registry: &FakeRegistry, references: &[&str], mounts: &[&str]) -> FakeHost {
        let registry = registry.clone();
        let mut host = FakeHost::new().on_http(move |request| registry.answer(request));
        let (mut descriptors, mut members, mut blobs) = (Vec::new(), Vec::new(), Vec::new());
        for arch in ["amd64", "arm64"] {
            let platform: Platform = format!("linux/{arch}").parse().unwrap();
            let (manifest, content) = image(arch);
            let bytes = manifest.to_bytes();
            let mut descriptor = Descriptor::of(Family::Oci.manifest(), &bytes);
            descriptor.platform = Some(PlatformFields::from(&platform));
            let name = format!("image_{arch}");
            members.push(Member { image: name.clone(), platform: platform.clone(), digest: Some(descriptor.digest) });
            descriptors.push(descriptor);
            let detail = json!({ "references": references, "mounts": mounts });
            host = host.with_artifact(&name, Image::NAME, Some(platform), detail, &bytes, &[&content[0], &content[1]]);
            blobs.extend(content.into_iter().chain([bytes]));
        }
        let list = Index::new(Family::Oci, descriptors).to_bytes();
        let blobs: Vec<&[u8]> = blobs.iter().map(Vec::as_slice).collect();
        let detail = json!({ "references": references, "members": members });
        host.with_artifact("list", ManifestList::NAME, None, detail, &list, &blobs)
    }

    /// Plans and runs all steps; what each asked of the registry.
    fn publish(host: &mut FakeHost, registry: &FakeRegistry) -> String {
        let steps = plan_table::<Publish>(&json!({ "to": "registry" }), &sample_facts(), &host.offers(), &[]).unwrap();
        let run = |step: &Step| match run_step::<Publish>(step, host) {
            Ok(made) => format!("{} made {}\n{}\n", step.name, made[0].name, registry.trace()),
            Err(failure) => format!(
                "{} failed: {failure}; {}; {}\n{}\n",
                step.name,
                failure.causes.join("; "),
                failure.help.clone().unwrap_or_default(),
                registry.trace()
            ),
        };
        readable(&steps.iter().map(run).collect::<String>())
    }

    /// Digests by what they are of.
    fn readable(text: &str) -> String {
        let registry = FakeRegistry::default();
        let host = host(&registry, REFERENCES, &[]);
        let mut names: Vec<(Digest, String)> = ["list", "image_amd64", "image_arm64"]
            .iter()
            .zip(list_digests(&host))
            .map(|(name, it)| (it, (*name).to_owned()))
            .collect();
        for arch in ["amd64", "arm64"] {
            let [config, layer] = image(arch).1;
            names.push((Digest::of(&config), format!("config_{arch}")));
            names.push((Digest::of(&layer), format!("layer_{arch}")));
        }
        names.iter().fold(text.replace("%3A", ":"), |text, (digest, name)| {
            text.replace(&digest.to_string(), &format!("<{name}>"))
        })
    }

    fn list_digests(host: &FakeHost) -> Vec<Digest> {
        let inputs = host.inputs();
        ["list", "image_amd64", "image_arm64"]
            .iter()
            .map(|name| inputs.iter().find(|it| it.name == *name).unwrap().digest)
            .collect()
    }

    /// The steps whose names start with `shown`, at a registry that was prepared.
    fn check(shown: &str, prepare: impl Fn(&FakeRegistry), expect: Expect) {
        let registry = FakeRegistry::default();
        prepare(&registry);
        let mut host = host(&registry, REFERENCES, &["x.example/base", "y.example/base"]);
        let all = publish(&mut host, &registry);
        expect.assert_eq(&all.split_inclusive("\n\n").filter(|step| step.starts_with(shown)).collect::<String>());
    }

    /// How a request that has to do with the layer for amd64 starts.
    fn of_layer(request: &str) -> String {
        format!("{request}{}", Digest::of(b"layer of amd64")).replace("=sha256:", "=sha256%3A")
    }

    fn check_problems(settings: Value, references: &[&str], expect: Expect) {
        let host = host(&FakeRegistry::default(), references, &[]);
        let problems = plan_table::<Publish>(&settings, &sample_facts(), &host.offers(), &[]).unwrap_err();
        let in_words = |it: &Problem| format!("{}; {}\n", it.message, it.help.clone().unwrap_or_default());
        expect.assert_eq(&problems.iter().map(in_words).collect::<String>());
    }

    #[test]
    fn by_digest_first_and_tags_last() {
        check(
            "",
            |_| {},
            expect![[r#"
                push/x.example/acme/a/image_amd64 made published/publish/x.example/acme/a/image_amd64.json
                HEAD x.example/acme/a blobs/<config_amd64> = 404
                HEAD x.example/acme/a blobs/<layer_amd64> = 404
                HEAD x.example/acme/a manifests/<image_amd64> = 404
                POST x.example/acme/a blobs/uploads/?mount=<config_amd64>&from=base = 202
                POST x.example/acme/a blobs/uploads/?mount=<layer_amd64>&from=base = 202
                PUT x.example/acme/a blobs/uploads/1?_state=s&digest=<config_amd64> = 201
                PUT x.example/acme/a blobs/uploads/1?_state=s&digest=<layer_amd64> = 201
                PUT x.example/acme/a manifests/<image_amd64> = 201

                push/x.example/acme/a/image_arm64 made published/publish/x.example/acme/a/image_arm64.json
                HEAD x.example/acme/a blobs/<layer_arm64> = 404
                HEAD x.example/acme/a blobs/<config_arm64> = 404
                HEAD x.example/acme/a manifests/<image_arm64> = 404
                POST x.example/acme/a blobs/uploads/?mount=<layer_arm64>&from=base = 202
                POST x.example/acme/a blobs/uploads/?mount=<config_arm64>&from=base = 202
                PUT x.example/acme/a blobs/uploads/1?_state=s&digest=<layer_arm64> = 201
                PUT x.example/acme/a blobs/uploads/1?_state=s&digest=<config_arm64> = 201
                PUT x.example/acme/a manifests/<image_arm64> = 201

                push/x.example/acme/a/list made published/publish/x.example/acme/a/list.json
                HEAD x.example/acme/a manifests/<list> = 404
                PUT x.example/acme/a manifests/<list> = 201

                tag/x.example/acme/a:1.2.3 made published/publish/x.example/acme/a/tags/1.2.3.json
                HEAD x.example/acme/a manifests/1.2.3 = 200
                HEAD x.example/acme/a manifests/1.2.3 = 404
                PUT x.example/acme/a manifests/1.2.3 = 201

                digests made publish.digests.txt

            "#]],
        );
    }

    #[test]
    fn the_second_time_one_request_a_tag() {
        let registry = FakeRegistry::default();
        let mut host = host(&registry, &["x.example/acme/a:1.2.3", "x.example/acme/a:latest"], &[]);
        publish(&mut host, &registry);
        let steps = plan_table::<Publish>(&json!({ "to": "registry" }), &sample_facts(), &host.offers(), &[]).unwrap();
        for step in steps.iter().filter(|step| step.memory == Memory::Never) {
            run_again(&mut host, step).unwrap();
        }
        expect![[r#"
              HEAD x.example/acme/a manifests/1.2.3 = 200
              HEAD x.example/acme/a manifests/latest = 200
        "#]]
        .assert_eq(&registry.trace());
    }

    #[test]
    fn where_nothing_is_remembered_nothing_is_sent_twice() {
        let registry = FakeRegistry::default();
        let mut host = host(&registry, REFERENCES, &[]);
        publish(&mut host, &registry);
        host.record().emitted.clear();
        let again = publish(&mut host, &registry);
        expect![[r#"
            push/x.example/acme/a/image_amd64 made published/publish/x.example/acme/a/image_amd64.json
            HEAD x.example/acme/a manifests/<image_amd64> = 200

            push/x.example/acme/a/image_arm64 made published/publish/x.example/acme/a/image_arm64.json
            HEAD x.example/acme/a manifests/<image_arm64> = 200

            push/x.example/acme/a/list made published/publish/x.example/acme/a/list.json
            HEAD x.example/acme/a manifests/<list> = 200

            tag/x.example/acme/a:1.2.3 made published/publish/x.example/acme/a/tags/1.2.3.json
            HEAD x.example/acme/a manifests/1.2.3 = 200

            digests made publish.digests.txt

        "#]]
        .assert_eq(&again);
        check(
            AMD64,
            |registry| registry.hold("x.example/acme/a", b"config of amd64"),
            expect![[r#"
            push/x.example/acme/a/image_amd64 made published/publish/x.example/acme/a/image_amd64.json
            HEAD x.example/acme/a blobs/<config_amd64> = 200
            HEAD x.example/acme/a blobs/<layer_amd64> = 404
            HEAD x.example/acme/a manifests/<image_amd64> = 404
            POST x.example/acme/a blobs/uploads/?mount=<layer_amd64>&from=base = 202
            PUT x.example/acme/a blobs/uploads/1?_state=s&digest=<layer_amd64> = 201
            PUT x.example/acme/a manifests/<image_amd64> = 201

        "#]],
        );
    }

    #[test]
    fn what_another_repository_holds_is_mounted() {
        check(
            AMD64,
            |registry| registry.hold("x.example/base", b"layer of amd64"),
            expect![[r#"
                push/x.example/acme/a/image_amd64 made published/publish/x.example/acme/a/image_amd64.json
                HEAD x.example/acme/a blobs/<config_amd64> = 404
                HEAD x.example/acme/a blobs/<layer_amd64> = 404
                HEAD x.example/acme/a manifests/<image_amd64> = 404
                POST x.example/acme/a blobs/uploads/?mount=<config_amd64>&from=base = 202
                POST x.example/acme/a blobs/uploads/?mount=<layer_amd64>&from=base = 201
                PUT x.example/acme/a blobs/uploads/1?_state=s&digest=<config_amd64> = 201
                PUT x.example/acme/a manifests/<image_amd64> = 201

            "#]],
        );
    }

    #[test]
    fn a_registry_that_knows_no_mounts() {
        let start = of_layer("POST x.example/acme/a blobs/uploads/?mount=");
        check(
            AMD64,
            |registry| registry.fault(&start, 400, &[]),
            expect![[r#"
                push/x.example/acme/a/image_amd64 made published/publish/x.example/acme/a/image_amd64.json
                HEAD x.example/acme/a blobs/<config_amd64> = 404
                HEAD x.example/acme/a blobs/<layer_amd64> = 404
                HEAD x.example/acme/a manifests/<image_amd64> = 404
                POST x.example/acme/a blobs/uploads/ = 202
                POST x.example/acme/a blobs/uploads/?mount=<config_amd64>&from=base = 202
                POST x.example/acme/a blobs/uploads/?mount=<layer_amd64>&from=base = 400
                PUT x.example/acme/a blobs/uploads/1?_state=s&digest=<config_amd64> = 201
                PUT x.example/acme/a blobs/uploads/1?_state=s&digest=<layer_amd64> = 201
                PUT x.example/acme/a manifests/<image_amd64> = 201

            "#]],
        );
    }

    #[test]
    fn an_upload_that_is_lost_begins_anew() {
        let end = of_layer("PUT x.example/acme/a blobs/uploads/1?_state=s&digest=");
        check(
            AMD64,
            |registry| registry.fault(&end, 404, &[]),
            expect![[r#"
                push/x.example/acme/a/image_amd64 made published/publish/x.example/acme/a/image_amd64.json
                HEAD x.example/acme/a blobs/<config_amd64> = 404
                HEAD x.example/acme/a blobs/<layer_amd64> = 404
                HEAD x.example/acme/a blobs/<layer_amd64> = 404
                HEAD x.example/acme/a manifests/<image_amd64> = 404
                POST x.example/acme/a blobs/uploads/?mount=<config_amd64>&from=base = 202
                POST x.example/acme/a blobs/uploads/?mount=<layer_amd64>&from=base = 202
                POST x.example/acme/a blobs/uploads/?mount=<layer_amd64>&from=base = 202
                PUT x.example/acme/a blobs/uploads/1?_state=s&digest=<config_amd64> = 201
                PUT x.example/acme/a blobs/uploads/1?_state=s&digest=<layer_amd64> = 201
                PUT x.example/acme/a blobs/uploads/1?_state=s&digest=<layer_amd64> = 404
                PUT x.example/acme/a manifests/<image_amd64> = 201

            "#]],
        );
    }

    #[test]
    fn a_blob_that_is_there_only_in_words() {
        let question = of_layer("HEAD x.example/acme/a blobs/");
        check(
            AMD64,
            |registry| registry.fault(&question, 200, &[]),
            expect![[r#"
                push/x.example/acme/a/image_amd64 made published/publish/x.example/acme/a/image_amd64.json
                HEAD x.example/acme/a blobs/<config_amd64> = 404
                HEAD x.example/acme/a blobs/<layer_amd64> = 200
                HEAD x.example/acme/a manifests/<image_amd64> = 404
                POST x.example/acme/a blobs/uploads/?mount=<config_amd64>&from=base = 202
                POST x.example/acme/a blobs/uploads/?mount=<config_amd64>&from=base = 202
                POST x.example/acme/a blobs/uploads/?mount=<layer_amd64>&from=base = 202
                PUT x.example/acme/a blobs/uploads/1?_state=s&digest=<config_amd64> = 201
                PUT x.example/acme/a blobs/uploads/1?_state=s&digest=<config_amd64> = 201
                PUT x.example/acme/a blobs/uploads/1?_state=s&digest=<layer_amd64> = 201
                PUT x.example/acme/a manifests/<image_amd64> = 201
                PUT x.example/acme/a manifests/<image_amd64> = 400

            "#]],
        );
    }

    #[test]
    fn addresses_that_are_none() {
        let start = of_layer("POST x.example/acme/a blobs/uploads/?mount=");
        check(
            AMD64,
            |registry| registry.fault(&start, 202, &[]),
            expect![[r#"
                push/x.example/acme/a/image_amd64 failed: `x.example` takes an upload and does not say where (no `Location`); ; 
                HEAD x.example/acme/a blobs/<config_amd64> = 404
                HEAD x.example/acme/a blobs/<layer_amd64> = 404
                HEAD x.example/acme/a manifests/<image_amd64> = 404
                POST x.example/acme/a blobs/uploads/?mount=<config_amd64>&from=base = 202
                POST x.example/acme/a blobs/uploads/?mount=<layer_amd64>&from=base = 202
                PUT x.example/acme/a blobs/uploads/1?_state=s&digest=<config_amd64> = 201

            "#]],
        );
        let inward = [("location", "http://10.0.0.1/upload")];
        check(
            AMD64,
            |registry| registry.fault(&start, 202, &inward),
            expect![[r#"
                push/x.example/acme/a/image_amd64 failed: `x.example` takes an upload and sends it to a private address; ; 
                HEAD x.example/acme/a blobs/<config_amd64> = 404
                HEAD x.example/acme/a blobs/<layer_amd64> = 404
                HEAD x.example/acme/a manifests/<image_amd64> = 404
                POST x.example/acme/a blobs/uploads/?mount=<config_amd64>&from=base = 202
                POST x.example/acme/a blobs/uploads/?mount=<layer_amd64>&from=base = 202
                PUT x.example/acme/a blobs/uploads/1?_state=s&digest=<config_amd64> = 201

            "#]],
        );
    }

    #[test]
    fn a_registry_that_does_not_say_what_it_has() {
        check(
            "tag/",
            |registry| registry.fault("HEAD x.example/acme/a manifests/1.2.3", 200, &[]),
            expect![[r#"
                tag/x.example/acme/a:1.2.3 made published/publish/x.example/acme/a/tags/1.2.3.json
                GET x.example/acme/a manifests/1.2.3 = 404
                HEAD x.example/acme/a manifests/1.2.3 = 200
                HEAD x.example/acme/a manifests/1.2.3 = 200
                PUT x.example/acme/a manifests/1.2.3 = 201

            "#]],
        );
    }

    #[test]
    fn refusals() {
        check(
            AMD64,
            |registry| registry.fault("PUT x.example/acme/a manifests/", 403, &[]),
            expect![[r#"
                push/x.example/acme/a/image_amd64 failed: `x.example` does not take `acme/a@<image_amd64>`: status 403; ; the credentials for `x.example` may not push to `acme/a`; are they for the right account?
                HEAD x.example/acme/a blobs/<config_amd64> = 404
                HEAD x.example/acme/a blobs/<layer_amd64> = 404
                HEAD x.example/acme/a manifests/<image_amd64> = 404
                POST x.example/acme/a blobs/uploads/?mount=<config_amd64>&from=base = 202
                POST x.example/acme/a blobs/uploads/?mount=<layer_amd64>&from=base = 202
                PUT x.example/acme/a blobs/uploads/1?_state=s&digest=<config_amd64> = 201
                PUT x.example/acme/a blobs/uploads/1?_state=s&digest=<layer_amd64> = 201
                PUT x.example/acme/a manifests/<image_amd64> = 403

            "#]],
        );
        let other =
            [("docker-content-digest", "sha256:0000000000000000000000000000000000000000000000000000000000000000")];
        check(
            "tag/",
            |registry| registry.fault("PUT x.example/acme/a manifests/1.2.3", 201, &other),
            expect![[r#"
                tag/x.example/acme/a:1.2.3 failed: `x.example` has stored `sha256:0000000000000000000000000000000000000000000000000000000000000000` instead of `<list>`; ; 
                HEAD x.example/acme/a manifests/1.2.3 = 404
                PUT x.example/acme/a manifests/1.2.3 = 201

            "#]],
        );
    }

    #[test]
    fn what_the_registry_has_lost_is_pushed_again() {
        let registry = FakeRegistry::default();
        let mut host = host(&registry, REFERENCES, &[]);
        publish(&mut host, &registry);
        registry.forget();
        let steps = plan_table::<Publish>(&json!({ "to": "registry" }), &sample_facts(), &host.offers(), &[]).unwrap();
        let last_two = &steps[steps.len() - 2..];
        let mut run = |step| {
            run_again(&mut host, step).unwrap();
            registry.trace()
        };
        expect![""].assert_eq(&readable(&run(&last_two[1])));
        registry.forget();
        expect![[r#"
            HEAD x.example/acme/a blobs/<layer_arm64> = 404
            HEAD x.example/acme/a blobs/<config_amd64> = 404
            HEAD x.example/acme/a blobs/<layer_amd64> = 404
            HEAD x.example/acme/a blobs/<config_arm64> = 404
            HEAD x.example/acme/a manifests/1.2.3 = 200
            HEAD x.example/acme/a manifests/1.2.3 = 404
            POST x.example/acme/a blobs/uploads/ = 202
            POST x.example/acme/a blobs/uploads/ = 202
            POST x.example/acme/a blobs/uploads/ = 202
            POST x.example/acme/a blobs/uploads/ = 202
            PUT x.example/acme/a blobs/uploads/1?_state=s&digest=<layer_arm64> = 201
            PUT x.example/acme/a blobs/uploads/1?_state=s&digest=<config_amd64> = 201
            PUT x.example/acme/a blobs/uploads/1?_state=s&digest=<layer_amd64> = 201
            PUT x.example/acme/a blobs/uploads/1?_state=s&digest=<config_arm64> = 201
            PUT x.example/acme/a manifests/1.2.3 = 201
            PUT x.example/acme/a manifests/1.2.3 = 400
            PUT x.example/acme/a manifests/<image_amd64> = 201
            PUT x.example/acme/a manifests/<list> = 201
            PUT x.example/acme/a manifests/<image_arm64> = 201
        "#]]
        .assert_eq(&readable(&run(&last_two[0])));
    }

    #[test]
    fn mistakes() {
        check_problems(
            json!({ "to": "moon" }),
            REFERENCES,
            expect![[r#"
                nothing can be published to `moon`; the destinations are registry, layout, github, gitea, gitlab, s3, gcs, azure, http, cargo, npm, pypi
            "#]],
        );
        check_problems(
            json!({ "to": "registry" }),
            &[],
            expect![[r#"
            there is nothing to publish: no image and no list has a reference; give the `[[docker]]` table `images`, as in `images = ["ghcr.io/acme/hello"]`
        "#]],
        );
        check_problems(
            json!({ "to": "registry", "path": "x" }),
            REFERENCES,
            expect![[r#"
                `path` means nothing to `registry`; leave it out: it is for `layout` and `s3` and `gcs` and `azure`
            "#]],
        );
        check_problems(
            json!({ "to": "layout", "path": "../x" }),
            REFERENCES,
            expect![[r#"
            `../x` leads out of the project; write a path below the project file, as in `dist/oci`
        "#]],
        );
        check_problems(
            json!({ "to": "layout", "path": "." }),
            REFERENCES,
            expect![[r#"
            `.` is the project itself; write a directory of its own, as in `dist/oci`
        "#]],
        );
        check_problems(
            json!({ "to": "layout", "path": "x.tar" }),
            REFERENCES,
            expect![[r#"
            `x.tar` is a tar outside of `dist/`; a tar is an artifact, and those lie under `dist/`: write `dist/…`
        "#]],
        );
    }

    fn layout(settings: &Value) -> (FakeHost, Vec<forge_plugin::schemas::Artifact>) {
        let mut host = host(&FakeRegistry::default(), REFERENCES, &[]);
        let steps = plan_table::<Publish>(settings, &sample_facts(), &host.offers(), &[]).unwrap();
        let made = run_step::<Publish>(&steps[0], &mut host).unwrap();
        (host, made)
    }

    #[test]
    fn a_layout_in_a_directory() {
        let (mut host, made) = layout(&json!({ "to": "layout" }));
        let dir = host.root().join("dist/oci");
        let index = std::fs::read_to_string(dir.join("index.json")).unwrap();
        expect![[r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"<list>","size":491,"annotations":{"org.opencontainers.image.ref.name":"x.example/acme/a:1.2.3"}}]}"#]].assert_eq(&readable(&index));
        assert_eq!(Digest::of(index.as_bytes()), made[0].digest);
        let mut files: Vec<String> = std::fs::read_dir(dir.join("blobs/sha256"))
            .unwrap()
            .map(|it| format!("sha256:{}\n", it.unwrap().file_name().into_string().unwrap()))
            .collect();
        files.sort();
        expect![[r#"
            <layer_arm64>
            <image_amd64>
            <config_amd64>
            <layer_amd64>
            <list>
            <image_arm64>
            <config_arm64>
        "#]]
        .assert_eq(&readable(&files.concat()));
        // A blob that was cut off is written again; a directory of something else is left alone.
        let blob = dir.join("blobs/sha256").join(Digest::of(b"layer of amd64").hex());
        std::fs::write(&blob, "").unwrap();
        let steps = plan_table::<Publish>(&json!({ "to": "layout" }), &sample_facts(), &host.offers(), &[]).unwrap();
        let step = steps[0].clone();
        run_again(&mut host, &step).unwrap();
        assert_eq!(Digest::of(&std::fs::read(&blob).unwrap()), Digest::of(b"layer of amd64"));
        std::fs::remove_file(dir.join("oci-layout")).unwrap();
        let message = run_again(&mut host, &step).unwrap_err().message;
        assert!(message.ends_with("dist/oci` is there, and is no OCI layout"), "{message}");
    }

    fn run_again(host: &mut FakeHost, step: &Step) -> Result<(), Failure> {
        host.record().emitted.clear();
        run_step::<Publish>(step, host).map(drop)
    }

    #[test]
    fn a_layout_in_a_tar() {
        let settings = json!({ "to": "layout", "path": "dist/hello.tar" });
        let (_first, made) = layout(&settings);
        let (_second, again) = layout(&settings);
        assert_eq!(made[0].digest, again[0].digest);
        let mut tar = tar::Archive::new(std::fs::File::open(&made[0].path).unwrap());
        let line = |entry: std::io::Result<tar::Entry<'_, std::fs::File>>| {
            let entry = entry.unwrap();
            let header = entry.header();
            let path = entry.path().unwrap().display().to_string().replace("sha256/", "sha256/sha256:");
            format!(
                "{path} {:o} {} {} {}\n",
                header.mode().unwrap(),
                header.uid().unwrap(),
                header.mtime().unwrap(),
                header.size().unwrap()
            )
        };
        let lines: String = tar.entries().unwrap().map(line).collect();
        expect![[r#"
            hello.tar
            oci-layout 644 0 1767323045 30
            index.json 644 0 1767323045 314
            blobs/ 755 0 1767323045 0
            blobs/sha256/sha256: 755 0 1767323045 0
            blobs/sha256/<layer_arm64> 644 0 1767323045 14
            blobs/sha256/<image_amd64> 644 0 1767323045 399
            blobs/sha256/<config_amd64> 644 0 1767323045 15
            blobs/sha256/<layer_amd64> 644 0 1767323045 14
            blobs/sha256/<list> 644 0 1767323045 491
            blobs/sha256/<image_arm64> 644 0 1767323045 399
            blobs/sha256/<config_arm64> 644 0 1767323045 15
        "#]]
        .assert_eq(&format!("{}\n{}", made[0].name, readable(&lines)));
    }
}
