//! Pipe `docker_manifest`: one list over images for several platforms. Composed here: nothing is pushed to make it.
//! Does not make images, and does not push: `docker` and `publish` do.

mod existing;
mod references;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use forge_plugin::schemas::kind::{Image, Kind, ManifestList, Member};
use forge_plugin::schemas::{
    Artifact, Digest, Emit, EmitBlob, Failure, Finding, KindInfo, Offer, Output, Platform, Problem, Selector, Step,
};
use forge_plugin::{Given, Host, Pipe, Wants, kind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::docker::base::{BaseImage, BaseManifest};
use crate::docker::elsewhere;
use crate::docker::meaning;
use crate::docker::nearest;
use crate::oci::config::Config;
use crate::oci::manifest::{Descriptor, Document, Family, Index, PlatformFields};
use crate::oci::reference::Reference;

/// The pipe.
pub struct DockerManifest;

/// Makes a manifest list, so that one name gives each platform its image: an OCI index, or a Docker manifest list where all
/// images stand on Docker's manifests. Every image is known before anything is built, and its platform is read from its
/// config.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// A `docker` table by its id: all its images. Default: the images of all `docker` tables.
    pub image: Option<String>,
    /// In place of `image`, one by one: ids of `docker` tables, names of artifacts, or references under which images are
    /// published, as in `ghcr.io/acme/hello:{{ version }}-amd64`.
    pub images: Option<Vec<String>>,
    /// What the list is published under: repositories, or references with a tag. Default: the repositories of the images.
    pub names: Option<Vec<String>>,
    /// The tags of `names` that have none. One that comes out empty is left out. Default: with `names` the version; without
    /// them, what all the images are published under.
    pub tags: Option<Vec<String>>,
    /// Images and lists that lie in registries already and go in as well, each with all its platforms: `ghcr.io/acme/hello-windows:1.2`.
    #[serde(default)]
    pub existing: Vec<String>,
    /// Annotations of the list. Docker's form has none.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Params {
    /// Asks what a reference means now.
    Resolve(String),
    /// Finds the images that it means.
    Find(String),
    /// Brings their layers.
    Bring(String),
    /// Makes the list.
    List(List),
}

/// All that decides a list, but for its images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct List {
    /// What the list is published under.
    references: Vec<String>,
    /// Its images, in order.
    members: Vec<Member>,
    /// Its annotations.
    annotations: BTreeMap<String, String>,
}

impl Pipe for DockerManifest {
    const NAME: &'static str = "docker_manifest";
    const SUMMARY: &'static str = "one manifest list over the images of several platforms";
    type Settings = Settings;
    type Params = Params;

    fn makes() -> Vec<KindInfo> {
        vec![kind::<ManifestList>(), kind::<BaseManifest>(), kind::<BaseImage>()]
    }

    fn takes(settings: &Settings) -> Result<Wants, Vec<Problem>> {
        let selectors = wanted(settings)?.into_iter().map(|(key, naming)| selector(key, naming)).collect();
        Ok(Wants { selectors, sources: Vec::new() })
    }

    fn plan(settings: &Settings, given: &Given<'_>) -> Result<Vec<Step>, Vec<Problem>> {
        let members = members(&wanted(settings)?, given)?;
        let references = references::references(settings, given, &members)?;
        let annotations = annotations(settings, &members)?;
        let mut steps = existing::steps(&settings.existing, given)?;
        let existing = steps.iter().filter_map(existing::found);
        let takes = members.iter().map(|(offer, _)| offer.name.clone()).chain(existing).collect();
        let members: Vec<Member> = members.iter().filter_map(|(offer, _)| member(offer)).collect();
        let detail = ManifestList {
            references: references.clone(),
            members: members.clone(),
            media_type: None,
            mounts: Vec::new(),
        };
        let name = format!("{}.index.json", given.table.id);
        let params = Params::List(List { references, members, annotations });
        steps.push(Step {
            takes,
            makes: vec![Output { name, kind: ManifestList::NAME.to_owned(), platform: None, detail: json(&detail) }],
            params: json(&params),
            ..Step::default()
        });
        Ok(steps)
    }

    fn run(params: &Params, step: &Step, host: &dyn Host) -> Result<(), Failure> {
        let output = step.makes.first().ok_or_else(|| Failure::bug("the step makes nothing"))?;
        match params {
            Params::Resolve(reference) => meaning::ask(reference, &output.name, host),
            Params::Find(reference) => existing::find(reference, &output.name, host),
            Params::Bring(reference) => existing::bring(reference, &output.name, host),
            Params::List(list) => compose(list, &output.name, host),
        }
    }

    fn probe(params: &Params, _: &Step, host: &dyn Host) -> Result<Vec<Finding>, Failure> {
        match params {
            Params::Resolve(reference) => meaning::probe(reference, host),
            Params::Find(_) | Params::Bring(_) | Params::List(_) => Ok(Vec::new()),
        }
    }
}

/// What the table names, each with its key.
fn wanted(settings: &Settings) -> Result<Vec<(String, Naming<'_>)>, Vec<Problem>> {
    match (&settings.image, &settings.images) {
        (None, None) => Ok(vec![(String::new(), Naming::All)]),
        (Some(image), None) => Ok(vec![("image".to_owned(), Naming::of(image))]),
        (None, Some(images)) if images.is_empty() => {
            let help = "name a `docker` table, as in `images = [\"image\"]`, or leave the key out for all of them";
            Err(vec![Problem::at_key("images", "no images").help(help)])
        }
        (None, Some(images)) => {
            Ok(images.iter().enumerate().map(|(at, text)| (format!("images[{at}]"), Naming::of(text))).collect())
        }
        (Some(_), Some(_)) => {
            Err(vec![Problem::at_key("images", "`images` stands beside `image`").help("name all images in `images`")])
        }
    }
}

/// How an entry names images. Ids have neither `/` nor `:`, and artifacts are files.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Naming<'a> {
    All,
    Table(&'a str),
    Artifact(&'a str),
    Reference(&'a str),
}

impl Naming<'_> {
    fn of(text: &str) -> Naming<'_> {
        match text {
            _ if text.contains(['/', ':']) => Naming::Reference(text),
            _ if text.ends_with(".json") => Naming::Artifact(text),
            _ => Naming::Table(text),
        }
    }
}

fn selector(key: String, naming: Naming<'_>) -> Selector {
    let images = Selector { key, ..Selector::of_kind(Image::NAME) };
    match naming {
        Naming::Table(id) => Selector { tables: vec![id.to_owned()], ..images },
        Naming::Artifact(name) => Selector { names: vec![name.to_owned()], ..images },
        Naming::All | Naming::Reference(_) => images,
    }
}

/// The images that are named, in order, each once, with the key that names it.
fn members<'a>(wanted: &[(String, Naming<'_>)], given: &Given<'a>) -> Result<Vec<(&'a Offer, String)>, Vec<Problem>> {
    let images: Vec<&Offer> = given.offers.iter().filter(|offer| offer.kind == Image::NAME).collect();
    let mut members: Vec<(&Offer, String)> = Vec::new();
    let mut problems = Vec::new();
    for (key, naming) in wanted {
        let found = named(*naming, &images);
        // A table, or an artifact of one, that is not found is off: all else the engine tells.
        if let (Naming::Reference(reference), true) = (naming, found.is_empty()) {
            problems.push(nothing_has(key, reference, &images));
        }
        for offer in found {
            if members.iter().any(|(it, _)| it.name == offer.name) {
                continue;
            }
            match members.iter().find(|(it, _)| it.platform == offer.platform) {
                Some((other, _)) => problems.push(same_platform(key, other, offer)),
                None => members.push((offer, key.clone())),
            }
        }
    }
    if problems.is_empty() { Ok(members) } else { Err(problems) }
}

fn named<'a>(naming: Naming<'_>, images: &[&'a Offer]) -> Vec<&'a Offer> {
    let is_named = |offer: &Offer| match naming {
        Naming::All => true,
        Naming::Table(id) => offer.table.id == id,
        Naming::Artifact(name) => offer.name == name,
        Naming::Reference(text) => {
            text.parse::<Reference>().is_ok_and(|it| references_of(offer).contains(&it.to_string()))
        }
    };
    images.iter().filter(|offer| is_named(offer)).copied().collect()
}

fn nothing_has(key: &str, reference: &str, images: &[&Offer]) -> Problem {
    if let Err(bad) = reference.parse::<Reference>() {
        return Problem { help: bad.help.clone(), ..Problem::at_key(key, bad.to_string()) };
    }
    let known: BTreeSet<String> = images.iter().flat_map(|offer| references_of(offer)).collect();
    let problem = Problem::at_key(key, format!("no image is `{reference}`"));
    let all: Vec<String> = known.iter().map(|it| format!("`{it}`")).collect();
    match nearest::nearest(reference, known.iter().map(String::as_str)) {
        Some(near) => problem.help(format!("there is `{near}`")),
        None if all.is_empty() => problem.help("no table makes an image; add a `[[docker]]`"),
        None => problem.help(format!("there are {}", all.join(", "))),
    }
}

fn same_platform(key: &str, one: &Offer, other: &Offer) -> Problem {
    let platform = one.platform.as_ref().map(Platform::to_string).unwrap_or_default();
    let message = format!(
        "`{}` of `{}` and `{}` of `{}` are both for `{platform}`",
        one.name, one.table, other.name, other.table
    );
    Problem::at_key(key, message).help("a list has one image a platform; leave one out, or make two lists")
}

fn member(offer: &Offer) -> Option<Member> {
    Some(Member { image: offer.name.clone(), platform: offer.platform.clone()?, digest: None })
}

fn references_of(offer: &Offer) -> Vec<String> {
    offer.detail::<Image>().map(|image| image.references).unwrap_or_default()
}

/// The annotations of the list: its own, and those that its images want there.
fn annotations(settings: &Settings, members: &[(&Offer, String)]) -> Result<BTreeMap<String, String>, Vec<Problem>> {
    let mut annotations: BTreeMap<String, String> = BTreeMap::new();
    let mut problems = Vec::new();
    for (offer, key) in members {
        let wanted = offer.detail::<Image>().map(|it| it.list_annotations).unwrap_or_default();
        for (name, value) in wanted {
            if settings.annotations.contains_key(&name) {
                continue;
            }
            if annotations.insert(name.clone(), value.clone()).is_some_and(|other| other != value) {
                let message = format!("images of the list want different values of its annotation `{name}`");
                problems.push(Problem::at_key(key.as_str(), message).help("say by `annotations` which it has"));
            }
        }
    }
    annotations.extend(settings.annotations.clone());
    if problems.is_empty() { Ok(annotations) } else { Err(problems) }
}

/// Makes the list of the inputs, and emits it with all that they consist of.
fn compose(list: &List, name: &str, host: &dyn Host) -> Result<(), Failure> {
    let (mut found, mut families) = (Vec::new(), BTreeMap::new());
    for (input, member) in host.inputs().iter().zip(&list.members) {
        let document = read(&input.path)?;
        let mut image = describe(&Found { called: &input.name, bytes: &document }, input)?;
        check_platform(&image, &member.platform)?;
        image.descriptor.annotations = input.detail::<Image>().map(|it| it.descriptor_annotations).unwrap_or_default();
        found.push(image);
    }
    for input in host.inputs().iter().skip(list.members.len()) {
        found.extend(existing::images(input)?);
    }
    one_a_platform(&found)?;
    for image in &found {
        families.entry(image.family.manifest()).or_insert((image.family, image.called.as_str()));
    }
    let family = one_family(families.into_values().collect(), list)?;
    let members = found.iter().map(Described::member).collect();
    let mut index = Index::new(family, found.into_iter().map(|it| it.descriptor).collect());
    index.annotations = list.annotations.clone();
    let path = host.dir().join("index.json");
    fs::write(&path, index.to_bytes()).map_err(|error| Failure::file("write", &path, &error))?;
    let (references, mounts, media_type) = (list.references.clone(), mounts(host.inputs()), Some(index.media_type));
    let detail = ManifestList { references, members, media_type, mounts };
    host.emit(&Emit { name: name.to_owned(), path, blobs: held(host.inputs()), detail: json(&detail) })?;
    Ok(())
}

/// The repositories that hold blobs of these, each once.
fn mounts(inputs: &[Artifact]) -> Vec<String> {
    let mut mounts: Vec<String> = Vec::new();
    for mount in inputs.iter().flat_map(elsewhere::repositories) {
        if !mounts.contains(&mount) {
            mounts.push(mount);
        }
    }
    mounts
}

fn one_a_platform(images: &[Described]) -> Result<(), Failure> {
    for (at, image) in images.iter().enumerate() {
        let same = |it: &&Described| it.descriptor.platform == image.descriptor.platform;
        if let Some(other) = images[..at].iter().find(same) {
            let message = format!("`{}` and `{}` are both for `{}`", other.called, image.called, image.platform);
            return Err(
                Failure::input(message).help("a list has one image a platform; leave one out, or make two lists")
            );
        }
    }
    Ok(())
}

fn one_family(families: Vec<(Family, &str)>, list: &List) -> Result<Family, Failure> {
    match families[..] {
        [(Family::Docker, name)] if !list.annotations.is_empty() => Err(Failure::input(format!(
            "the list has annotations, and `{name}` is a Docker manifest"
        ))
        .help("Docker's manifest lists have no annotations; leave them out, or take a base with an OCI manifest")),
        [(family, _)] => Ok(family),
        [(_, one), (_, other), ..] => {
            Err(Failure::input(format!("`{one}` and `{other}` are manifests of different forms: OCI's and Docker's"))
                .help("registries refuse such lists; take bases of one form"))
        }
        [] => Err(Failure::bug("a list of no images")),
    }
}

/// The manifest of an image, and what users call it.
struct Found<'a> {
    called: &'a str,
    bytes: &'a [u8],
}

/// An image of the list.
struct Described {
    called: String,
    platform: Platform,
    family: Family,
    descriptor: Descriptor,
}

impl Described {
    fn member(&self) -> Member {
        let (image, platform) = (self.called.clone(), self.platform.clone());
        Member { image, platform, digest: Some(self.descriptor.digest) }
    }
}

/// The descriptor of an image whose config is among the blobs of an artifact. Its platform is that of its config.
fn describe(found: &Found<'_>, artifact: &Artifact) -> Result<Described, Failure> {
    let Found { called, bytes } = found;
    let Ok(Document::Manifest(manifest)) = Document::parse(bytes) else {
        return Err(Failure::input(format!("`{called}` is not the manifest of an image")));
    };
    let config = artifact.blobs.iter().find(|blob| blob.digest == manifest.config.digest);
    let config = config.ok_or_else(|| Failure::input(format!("`{called}` lacks its config")))?;
    let config = Config::parse(&read(&config.path)?)
        .map_err(|message| Failure::input(format!("the config of `{called}` can't be read")).cause(message))?;
    let platform = config.platform().ok_or_else(|| Failure::input(format!("`{called}` is for no platform")))?;
    let family = manifest.family();
    let os_version = config.os_version().map(str::to_owned);
    let descriptor = Descriptor {
        platform: Some(PlatformFields { os_version, ..PlatformFields::from(&platform) }),
        ..Descriptor::of(family.manifest(), bytes)
    };
    Ok(Described { called: (*called).to_owned(), platform, family, descriptor })
}

fn check_platform(image: &Described, planned: &Platform) -> Result<(), Failure> {
    match image.platform == *planned {
        true => Ok(()),
        false => {
            let Described { called, platform, .. } = image;
            Err(Failure::input(format!("`{called}` is for `{platform}`, and was to be for `{planned}`")))
        }
    }
}

/// Every image with all that it consists of, each once.
fn held(images: &[Artifact]) -> Vec<EmitBlob> {
    let mut seen: BTreeSet<Digest> = BTreeSet::new();
    let digests =
        images.iter().flat_map(|it| std::iter::once(it.digest).chain(it.blobs.iter().map(|blob| blob.digest)));
    digests.filter(|digest| seen.insert(*digest)).map(EmitBlob::Held).collect()
}

fn read(path: &std::path::Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| Failure::file("read", path, &error))
}

fn json<T: Serialize>(value: &T) -> serde_json::Value {
    serde_json::to_value(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use forge_plugin::testing::{FakeHost, plan_table, run_step, sample_facts};
    use serde_json::{Value, json};

    use super::*;
    use crate::oci::manifest::Manifest;

    /// An image of nothing, published under `reference`.
    fn with_image(host: FakeHost, name: &str, platform: &str, family: Family, reference: &str) -> FakeHost {
        let platform: Platform = platform.parse().unwrap();
        let config = Config::scratch(&platform).to_bytes();
        let manifest = Manifest::new(family, Descriptor::of(family.config(), &config), Vec::new()).to_bytes();
        let image = Image {
            references: vec![reference.to_owned(), "ghcr.io/acme/hello:1.2.3".to_owned()],
            media_type: Some(family.manifest().to_owned()),
            mounts: vec!["ghcr.io/acme/base".to_owned()],
            ..Image::default()
        };
        host.with_artifact(name, "image", Some(platform), json!(image), &manifest, &[&config])
    }

    fn two(families: [Family; 2]) -> FakeHost {
        let host =
            with_image(FakeHost::new(), "a.image.json", "linux/amd64", families[0], "ghcr.io/acme/hello:1.2.3-amd64");
        with_image(host, "b.image.json", "linux/arm/v6", families[1], "ghcr.io/acme/hello:1.2.3-armv6")
    }

    /// The list that a table makes, or what is wrong.
    fn check(settings: Value, mut host: FakeHost, expect: Expect) {
        let mut shown = String::new();
        match plan_table::<DockerManifest>(&settings, &sample_facts(), &host.offers(), &[]) {
            Err(problems) => {
                for Problem { place, message, help } in problems {
                    shown += &format!("{place:?}: {message}\n    {}\n", help.unwrap_or_default());
                }
            }
            Ok(steps) => match run_step::<DockerManifest>(&steps[0], &mut host) {
                Err(failure) => shown += &format!("{failure}\n    {}\n", failure.help.clone().unwrap_or_default()),
                Ok(made) => {
                    let index: Value = serde_json::from_slice(&fs::read(&made[0].path).unwrap()).unwrap();
                    let detail = &made[0].detail;
                    shown += &format!("{} {} {}\n", made[0].name, detail["references"], detail["mounts"]);
                    shown += &format!("{} {}\n", index["mediaType"], index["annotations"]);
                    for (descriptor, member) in
                        index["manifests"].as_array().unwrap().iter().zip(detail["members"].as_array().unwrap())
                    {
                        assert_eq!(descriptor["digest"], member["digest"]);
                        shown += &format!("  {} {}\n", descriptor["mediaType"], descriptor["platform"]);
                    }
                    shown += &format!("{} blobs\n", made[0].blobs.len());
                }
            },
        }
        expect.assert_eq(&shown);
    }

    #[test]
    fn lists() {
        check(
            json!({ "image": "test", "annotations": { "a": "b" } }),
            two([Family::Oci; 2]),
            expect![[r#"
            docker_manifest.index.json ["ghcr.io/acme/hello:1.2.3"] ["ghcr.io/acme/base"]
            "application/vnd.oci.image.index.v1+json" {"a":"b"}
              "application/vnd.oci.image.manifest.v1+json" {"architecture":"amd64","os":"linux"}
              "application/vnd.oci.image.manifest.v1+json" {"architecture":"arm","os":"linux","variant":"v6"}
            4 blobs
        "#]],
        );
        check(
            json!({ "images": ["b.image.json", "ghcr.io/acme/hello:1.2.3-amd64"] }),
            two([Family::Docker; 2]),
            expect![[r#"
                docker_manifest.index.json ["ghcr.io/acme/hello:1.2.3"] ["ghcr.io/acme/base"]
                "application/vnd.docker.distribution.manifest.list.v2+json" null
                  "application/vnd.docker.distribution.manifest.v2+json" {"architecture":"arm","os":"linux","variant":"v6"}
                  "application/vnd.docker.distribution.manifest.v2+json" {"architecture":"amd64","os":"linux"}
                4 blobs
            "#]],
        );
        check(
            json!({ "image": "test", "names": ["acme/x", "acme/y:z"], "tags": ["1", ""] }),
            two([Family::Oci; 2]),
            expect![[r#"
                docker_manifest.index.json ["docker.io/acme/x:1","docker.io/acme/y:z"] ["ghcr.io/acme/base"]
                "application/vnd.oci.image.index.v1+json" null
                  "application/vnd.oci.image.manifest.v1+json" {"architecture":"amd64","os":"linux"}
                  "application/vnd.oci.image.manifest.v1+json" {"architecture":"arm","os":"linux","variant":"v6"}
                4 blobs
            "#]],
        );
        check(
            json!({ "image": "test", "tags": ["stable"] }),
            two([Family::Oci; 2]),
            expect![[r#"
            docker_manifest.index.json ["ghcr.io/acme/hello:stable"] ["ghcr.io/acme/base"]
            "application/vnd.oci.image.index.v1+json" null
              "application/vnd.oci.image.manifest.v1+json" {"architecture":"amd64","os":"linux"}
              "application/vnd.oci.image.manifest.v1+json" {"architecture":"arm","os":"linux","variant":"v6"}
            4 blobs
        "#]],
        );
    }

    #[test]
    fn mistakes() {
        let plain = || two([Family::Oci; 2]);
        check(
            json!({}),
            plain(),
            expect![[r#"
                docker_manifest.index.json ["ghcr.io/acme/hello:1.2.3"] ["ghcr.io/acme/base"]
                "application/vnd.oci.image.index.v1+json" null
                  "application/vnd.oci.image.manifest.v1+json" {"architecture":"amd64","os":"linux"}
                  "application/vnd.oci.image.manifest.v1+json" {"architecture":"arm","os":"linux","variant":"v6"}
                4 blobs
            "#]],
        );
        check(
            json!({ "images": [] }),
            plain(),
            expect![[r#"
                Key("images"): no images
                    name a `docker` table, as in `images = ["image"]`, or leave the key out for all of them
            "#]],
        );
        check(
            json!({ "image": "test", "images": ["test"] }),
            plain(),
            expect![[r#"
            Key("images"): `images` stands beside `image`
                name all images in `images`
        "#]],
        );
        check(
            json!({ "images": ["off", "off.image.json", "ghcr.io/acme/hello:1.2.3-amd46", "ghcr.io/acme/Hello"] }),
            plain(),
            expect![[r#"
                Key("images[2]"): no image is `ghcr.io/acme/hello:1.2.3-amd46`
                    there is `ghcr.io/acme/hello:1.2.3-amd64`
                Key("images[3]"): `acme/Hello` is not a repository: it has capital letters in `ghcr.io/acme/Hello`
                    write `acme/hello`
            "#]],
        );
        let twice = with_image(plain(), "c.image.json", "linux/amd64", Family::Oci, "ghcr.io/acme/hello:other");
        check(
            json!({ "image": "test" }),
            twice,
            expect![[r#"
            Key("image"): `a.image.json` of `image:test` and `c.image.json` of `image:test` are both for `linux/amd64`
                a list has one image a platform; leave one out, or make two lists
        "#]],
        );
        check(
            json!({ "image": "test", "names": ["A"], "tags": ["1+1"] }),
            plain(),
            expect![[r#"
                Key("names[0]"): `A` is not a repository: it has capital letters
                    write `a`
            "#]],
        );
        check(
            json!({ "image": "test", "names": ["a"], "tags": ["1+1"] }),
            plain(),
            expect![[r#"
            Key("tags[0]"): `1+1` is not a tag: `+` may not stand in it
                a tag is made of letters, digits, `_`, `.` and `-`, and starts with none of the last two
        "#]],
        );
        check(
            json!({ "image": "test", "names": [] }),
            plain(),
            expect![[r#"
            Key("names"): no names
                at least one must be there, and not be empty
        "#]],
        );
    }

    #[test]
    fn forms_are_not_mixed() {
        check(
            json!({ "image": "test" }),
            two([Family::Oci, Family::Docker]),
            expect![[r#"
            `b.image.json` and `a.image.json` are manifests of different forms: OCI's and Docker's
                registries refuse such lists; take bases of one form
        "#]],
        );
        check(
            json!({ "image": "test", "annotations": { "a": "b" } }),
            two([Family::Docker; 2]),
            expect![[r#"
            the list has annotations, and `a.image.json` is a Docker manifest
                Docker's manifest lists have no annotations; leave them out, or take a base with an OCI manifest
        "#]],
        );
    }
}
