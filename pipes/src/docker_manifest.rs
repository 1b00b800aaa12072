//! Pipe `docker_manifest`: one list over images for several platforms. Composed here: nothing is pushed to make it.
//! Does not make images, and does not push: `docker` and `publish` do.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use forge_plugin::schemas::kind::{Image, Kind, ManifestList, Member};
use forge_plugin::schemas::{
    Artifact, Digest, Emit, EmitBlob, Failure, KindInfo, Offer, Output, Platform, Problem, Selector, Step,
};
use forge_plugin::{Given, Host, Pipe, Wants, kind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
    /// A `docker` table by its id: all its images.
    pub image: Option<String>,
    /// In place of `image`, one by one: ids of `docker` tables, names of artifacts, or references under which images are
    /// published, as in `ghcr.io/acme/hello:{{ version }}-amd64`.
    pub images: Option<Vec<String>>,
    /// What the list is published under: repositories, or references with a tag. Default: the repositories of the images.
    pub names: Option<Vec<String>>,
    /// The tags of `names` that have none. One that comes out empty is left out. Default: with `names` the version; without
    /// them, what all the images are published under.
    pub tags: Option<Vec<String>>,
    /// Annotations of the list. Docker's form has none.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

/// What `run` must know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Params {
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
        vec![kind::<ManifestList>()]
    }

    fn takes(settings: &Settings) -> Result<Wants, Vec<Problem>> {
        let selectors = wanted(settings)?.into_iter().map(|(key, text)| selector(key, text)).collect();
        Ok(Wants { selectors, sources: Vec::new() })
    }

    fn plan(settings: &Settings, given: &Given<'_>) -> Result<Vec<Step>, Vec<Problem>> {
        let members = members(&wanted(settings)?, given)?;
        let references = references(settings, given, &members)?;
        let takes: Vec<String> = members.iter().map(|(offer, _)| offer.name.clone()).collect();
        let members: Vec<Member> = members.iter().filter_map(|(offer, _)| member(offer)).collect();
        let detail = ManifestList {
            references: references.clone(),
            members: members.clone(),
            media_type: None,
            mounts: Vec::new(),
        };
        let name = format!("{}.index.json", given.table.id);
        let params = Params { references, members, annotations: settings.annotations.clone() };
        Ok(vec![Step {
            takes,
            makes: vec![Output { name, kind: ManifestList::NAME.to_owned(), platform: None, detail: json(&detail) }],
            params: json(&params),
            ..Step::default()
        }])
    }

    fn run(params: &Params, step: &Step, host: &dyn Host) -> Result<(), Failure> {
        let output = step.makes.first().ok_or_else(|| Failure::bug("the step makes nothing"))?;
        compose(params, &output.name, host)
    }
}

/// What the table names, each with its key.
fn wanted(settings: &Settings) -> Result<Vec<(String, &str)>, Vec<Problem>> {
    let help = "name a `docker` table, as in `image = \"image\"`";
    match (&settings.image, &settings.images) {
        (Some(image), None) => Ok(vec![("image".to_owned(), image)]),
        (None, Some(images)) if images.is_empty() => Err(vec![Problem::at_key("images", "no images").help(help)]),
        (None, Some(images)) => {
            Ok(images.iter().enumerate().map(|(at, text)| (format!("images[{at}]"), text.as_str())).collect())
        }
        (None, None) => Err(vec![Problem::at_key("", "no images are named").help(help)]),
        (Some(_), Some(_)) => {
            Err(vec![Problem::at_key("images", "`images` stands beside `image`").help("name all images in `images`")])
        }
    }
}

/// How an entry names images. Ids have neither `/` nor `:`, and artifacts are files.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Naming {
    Table,
    Artifact,
    Reference,
}

fn naming(text: &str) -> Naming {
    match text {
        _ if text.contains(['/', ':']) => Naming::Reference,
        _ if text.ends_with(".json") => Naming::Artifact,
        _ => Naming::Table,
    }
}

fn selector(key: String, text: &str) -> Selector {
    let images = Selector { key, ..Selector::of_kind(Image::NAME) };
    match naming(text) {
        Naming::Table => Selector { tables: vec![text.to_owned()], ..images },
        Naming::Artifact => Selector { names: vec![text.to_owned()], ..images },
        Naming::Reference => images,
    }
}

/// The images that are named, in order, each once, with the key that names it.
fn members<'a>(wanted: &[(String, &str)], given: &Given<'a>) -> Result<Vec<(&'a Offer, String)>, Vec<Problem>> {
    let images: Vec<&Offer> = given.offers.iter().filter(|offer| offer.kind == Image::NAME).collect();
    let mut members: Vec<(&Offer, String)> = Vec::new();
    let mut problems = Vec::new();
    for (key, text) in wanted {
        let found = named(text, &images);
        if found.is_empty() {
            problems.push(nothing_named(key, text, &images));
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

fn named<'a>(text: &str, images: &[&'a Offer]) -> Vec<&'a Offer> {
    let reference = text.parse::<Reference>().map(|it| it.to_string()).ok();
    let is_named = |offer: &&&Offer| match naming(text) {
        Naming::Table => offer.table.id == text,
        Naming::Artifact => offer.name == text,
        Naming::Reference => reference.as_ref().is_some_and(|it| references_of(offer).contains(it)),
    };
    images.iter().filter(is_named).copied().collect()
}

fn nothing_named(key: &str, text: &str, images: &[&Offer]) -> Problem {
    let known: BTreeSet<String> = match naming(text) {
        Naming::Table => images.iter().map(|offer| offer.table.id.clone()).collect(),
        Naming::Artifact => images.iter().map(|offer| offer.name.clone()).collect(),
        Naming::Reference => {
            if let Err(bad) = text.parse::<Reference>() {
                return Problem { help: bad.help.clone(), ..Problem::at_key(key, bad.to_string()) };
            }
            images.iter().flat_map(|offer| references_of(offer)).collect()
        }
    };
    let problem = Problem::at_key(key, format!("no image is `{text}`"));
    let all: Vec<String> = known.iter().map(|it| format!("`{it}`")).collect();
    match nearest::nearest(text, known.iter().map(String::as_str)) {
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

/// What the list is published under.
fn references(
    settings: &Settings,
    given: &Given<'_>,
    members: &[(&Offer, String)],
) -> Result<Vec<String>, Vec<Problem>> {
    if settings.names.is_none() && settings.tags.is_none() {
        return common_references(members);
    }
    let mut problems = Vec::new();
    let names = match &settings.names {
        Some(names) => filled("names", names),
        None => repositories(members).into_iter().map(|it| ("tags".to_owned(), it)).collect(),
    };
    let tags = match &settings.tags {
        Some(tags) => filled("tags", tags),
        None => vec![("names".to_owned(), given.facts.version.replace('+', "-"))],
    };
    let mut references: Vec<String> = Vec::new();
    for (key, text) in &names {
        let tagged = match text.parse::<Reference>() {
            Ok(name) if name.tag().is_some() => vec![Ok(name)],
            Ok(name) => tags.iter().map(|(key, tag)| name.with_tag(tag).map_err(|bad| (key, bad))).collect(),
            Err(bad) => vec![Err((key, bad))],
        };
        for reference in tagged {
            match reference.map(|it| it.to_string()) {
                Ok(reference) if references.contains(&reference) => {}
                Ok(reference) => references.push(reference),
                Err((key, bad)) => {
                    problems.push(Problem { help: bad.help.clone(), ..Problem::at_key(key.as_str(), bad.to_string()) });
                }
            }
        }
    }
    if references.is_empty() && problems.is_empty() {
        let key = if names.is_empty() { "names" } else { "tags" };
        problems.push(Problem::at_key(key, format!("no {key}")).help("at least one must be there, and not be empty"));
    }
    if problems.is_empty() { Ok(references) } else { Err(problems) }
}

fn filled(key: &str, texts: &[String]) -> Vec<(String, String)> {
    let texts = texts.iter().enumerate().map(|(at, text)| (format!("{key}[{at}]"), text.trim().to_owned()));
    texts.filter(|(_, text)| !text.is_empty()).collect()
}

/// What all members are published under.
fn common_references(members: &[(&Offer, String)]) -> Result<Vec<String>, Vec<Problem>> {
    let mut lists = members.iter().map(|(offer, _)| references_of(offer));
    let first = lists.next().unwrap_or_default();
    let common = lists.fold(first, |common, list| common.into_iter().filter(|it| list.contains(it)).collect());
    match common.is_empty() {
        true => Err(vec![
            Problem::at_key("", "the images have no reference in common, under which the list could be published")
                .help("set `names`, as in `names = [\"ghcr.io/acme/hello:{{ version }}\"]`"),
        ]),
        false => Ok(common),
    }
}

/// The repositories of all members, in their order, each once.
fn repositories(members: &[(&Offer, String)]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for reference in members.iter().flat_map(|(offer, _)| references_of(offer)) {
        let Ok(reference) = reference.parse::<Reference>() else { continue };
        if !names.contains(&reference.name()) {
            names.push(reference.name());
        }
    }
    names
}

/// Makes the list of the inputs, and emits it with all that they consist of.
fn compose(params: &Params, name: &str, host: &dyn Host) -> Result<(), Failure> {
    let (mut descriptors, mut families, mut members) = (Vec::new(), BTreeMap::new(), Vec::new());
    for (input, member) in host.inputs().iter().zip(&params.members) {
        let (descriptor, family) = describe(input, &member.platform)?;
        families.entry(family.manifest()).or_insert((family, input.name.as_str()));
        members.push(Member { digest: Some(input.digest), ..member.clone() });
        descriptors.push(descriptor);
    }
    let family = one_family(families.into_values().collect(), params)?;
    let mut index = Index::new(family, descriptors);
    index.annotations = params.annotations.clone();
    let path = host.dir().join("index.json");
    fs::write(&path, index.to_bytes()).map_err(|error| Failure::file("write", &path, &error))?;
    let mut mounts: Vec<String> = Vec::new();
    for mount in host.inputs().iter().filter_map(|it| it.detail::<Image>()).flat_map(|it| it.mounts) {
        if !mounts.contains(&mount) {
            mounts.push(mount);
        }
    }
    let detail =
        ManifestList { references: params.references.clone(), members, media_type: Some(index.media_type), mounts };
    host.emit(&Emit { name: name.to_owned(), path, blobs: held(host.inputs()), detail: json(&detail) })?;
    Ok(())
}

fn one_family(families: Vec<(Family, &str)>, params: &Params) -> Result<Family, Failure> {
    match families[..] {
        [(Family::Docker, name)] if !params.annotations.is_empty() => Err(Failure::input(format!(
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

/// The descriptor of an image. Its platform is that of its config, which must be the planned one.
fn describe(image: &Artifact, planned: &Platform) -> Result<(Descriptor, Family), Failure> {
    let bytes = read(&image.path)?;
    let Ok(Document::Manifest(manifest)) = Document::parse(&bytes) else {
        return Err(Failure::input(format!("`{}` is not the manifest of an image", image.name)));
    };
    let config = image.blobs.iter().find(|blob| blob.digest == manifest.config.digest);
    let config = config.ok_or_else(|| Failure::input(format!("`{}` lacks its config", image.name)))?;
    let config = Config::parse(&read(&config.path)?)
        .map_err(|message| Failure::input(format!("the config of `{}` can't be read", image.name)).cause(message))?;
    let platform = config.platform();
    if platform.as_ref() != Some(planned) {
        let actual = platform.map_or_else(|| "no platform".to_owned(), |it| format!("`{it}`"));
        return Err(Failure::input(format!("`{}` is for {actual}, and was to be for `{planned}`", image.name)));
    }
    let family = manifest.family();
    let os_version = config.os_version().map(str::to_owned);
    let descriptor = Descriptor {
        platform: Some(PlatformFields { os_version, ..PlatformFields::from(planned) }),
        ..Descriptor::new(family.manifest(), image.digest, image.size)
    };
    Ok((descriptor, family))
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
            Key(""): no images are named
                name a `docker` table, as in `image = "image"`
        "#]],
        );
        check(
            json!({ "images": [] }),
            plain(),
            expect![[r#"
            Key("images"): no images
                name a `docker` table, as in `image = "image"`
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
            json!({ "images": ["tset", "c.image.json", "ghcr.io/acme/hello:1.2.3-amd46", "ghcr.io/acme/Hello"] }),
            plain(),
            expect![[r#"
                Key("images[0]"): no image is `tset`
                    there is `test`
                Key("images[1]"): no image is `c.image.json`
                    there is `a.image.json`
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
