//! Pipe `attach`: files about an image, which lie beside it in the registry and are found by its digest.
//! Does not know what is in the files, and does not push: `publish` does.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use forge_plugin::schemas::kind::{Attachment, Image, Kind as _, ManifestList, Role};
use forge_plugin::schemas::{
    Artifact, Digester, Emit, EmitBlob, Failure, KindInfo, Offer, Output, Place, Problem, Read, Selector, Step,
};
use forge_plugin::{Given, Host, Pipe, Wants, kind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::oci::attachment::{EMPTY, TITLE, manifest};
use crate::oci::manifest::{Descriptor, Document};
use crate::table::path;

/// The pipe.
pub struct Attach;

/// Attaches files to images and manifest lists: SBOMs, reports, attestations. `publish` pushes them behind what they are
/// about, before any tag moves. Whoever has the image finds them by its digest, with `oras discover` and the like.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What to attach to: ids of `docker` and `docker_manifest` tables; all of them where none is given.
    #[serde(default)]
    pub ids: Vec<String>,
    /// What is attached, as a media type: `application/spdx+json`. What comes `from` tables says it itself.
    pub r#type: Option<String>,
    /// The files, relative to the project file.
    #[serde(default)]
    pub files: Vec<String>,
    /// Tables that make something about these images (`sbom`, `provenance`), by id: each document is attached to the image that it is about.
    #[serde(default)]
    pub from: Vec<String>,
    /// The media type of the files. Default: that of `type`.
    pub media_type: Option<String>,
    /// Annotations of what is attached.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

/// What `run` must know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Params {
    artifact_type: String,
    media_type: String,
    files: Vec<String>,
    annotations: BTreeMap<String, String>,
}

impl Pipe for Attach {
    const NAME: &'static str = "attach";
    const SUMMARY: &'static str = "attaches files to images and manifest lists: SBOMs, reports, attestations";
    type Settings = Settings;
    type Params = Params;

    fn makes() -> Vec<KindInfo> {
        vec![kind::<Attachment>()]
    }

    fn takes(settings: &Settings) -> Result<Wants, Vec<Problem>> {
        let kinds = || vec![Image::NAME.to_owned(), ManifestList::NAME.to_owned()];
        let of_table = |(at, id): (usize, &String)| Selector {
            kinds: kinds(),
            tables: vec![id.clone()],
            key: format!("ids[{at}]"),
            ..Selector::default()
        };
        let mut selectors: Vec<Selector> = settings.ids.iter().enumerate().map(of_table).collect();
        if selectors.is_empty() {
            selectors.push(Selector { kinds: kinds(), ..Selector::default() });
        }
        let about = settings.from.iter().enumerate().map(|(at, id)| Selector {
            tables: vec![id.clone()],
            key: format!("from[{at}]"),
            ..Selector::of_roles(&[Role::About])
        });
        selectors.extend(about);
        Ok(Wants { selectors, sources: Vec::new() })
    }

    fn plan(settings: &Settings, given: &Given<'_>) -> Result<Vec<Step>, Vec<Problem>> {
        check(settings)?;
        let is_subject = |it: &&Offer| [Image::NAME, ManifestList::NAME].contains(&it.kind.as_str());
        let (subjects, about): (Vec<&Offer>, Vec<&Offer>) = given.offers.iter().partition(is_subject);
        check_from(settings, &subjects, &about)?;
        let mut steps = Vec::new();
        for subject in subjects {
            if let Some(r#type) = settings.r#type.as_ref().filter(|_| !settings.files.is_empty()) {
                steps.push(step(settings, subject, r#type, given));
            }
            let of_it =
                about.iter().filter_map(|it| Some((it, About::of(it).filter(|it| it.subject == subject.name)?)));
            steps.extend(of_it.map(|(document, about)| step_of(settings, subject, (document, &about), given)));
        }
        Ok(steps)
    }

    fn run(params: &Params, step: &Step, host: &dyn Host) -> Result<(), Failure> {
        let missing = || Failure::bug("the step takes or makes nothing");
        let (subject, output) = host.inputs().first().zip(step.makes.first()).ok_or_else(missing)?;
        let files = params.files.iter().map(|file| (host.root().join(file), title(file)));
        let documents = host.inputs()[1..].iter().map(|it| (it.path.clone(), it.file_name().to_owned()));
        attach(params, subject, &output.name, &files.chain(documents).collect::<Vec<_>>(), host)
    }
}

fn check(settings: &Settings) -> Result<(), Vec<Problem>> {
    let mut problems = Vec::new();
    let help = "a media type is two words with a `/` between them, as in `application/spdx+json`";
    let types = [("type", settings.r#type.as_ref()), ("media_type", settings.media_type.as_ref())];
    for (key, text) in types.into_iter().filter_map(|(key, text)| Some((key, text?))) {
        if !is_media_type(text) {
            problems.push(Problem::at_key(key, format!("`{text}` is no media type")).help(help));
        }
    }
    if settings.files.is_empty() && settings.from.is_empty() {
        let help =
            "name what to attach, as in `files = [\"sbom.json\"]`, or a table that makes it, as in `from = [\"sbom\"]`";
        problems.push(Problem::at_key("files", "no files").help(help));
    }
    if settings.r#type.is_none() && !settings.files.is_empty() {
        let problem = Problem::at_key("files", "it is not said of what type these are");
        problems.push(problem.help("add `type`, as in `type = \"application/spdx+json\"`"));
    }
    let mut names = BTreeMap::new();
    for (at, file) in settings.files.iter().enumerate() {
        problems.extend(path::outside(format!("files[{at}]"), file));
        if let Some(other) = names.insert(title(file), file) {
            let message = format!("`{other}` and `{file}` have one name");
            problems.push(Problem::at_key(format!("files[{at}]"), message).help("give one of them another name"));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// Two names as RFC 6838, 4.2 has them.
fn is_media_type(text: &str) -> bool {
    let is_name = |name: &str| {
        name.starts_with(|it: char| it.is_ascii_alphanumeric())
            && name.chars().all(|it| it.is_ascii_alphanumeric() || "!#$&-^_.+".contains(it))
    };
    text.len() < 256 && text.split_once('/').is_some_and(|(one, other)| is_name(one) && is_name(other))
}

/// What a document says of itself that is about an artifact, whatever kind it is of.
#[derive(Debug, Deserialize)]
struct About {
    subject: String,
    media_type: String,
}

impl About {
    fn of(offer: &Offer) -> Option<About> {
        About::deserialize(&offer.detail).ok()
    }
}

/// Each table must have something about one of these images.
fn check_from(settings: &Settings, subjects: &[&Offer], about: &[&Offer]) -> Result<(), Vec<Problem>> {
    let is_about =
        |it: &Offer| About::of(it).is_some_and(|it| subjects.iter().any(|subject| subject.name == it.subject));
    let is_empty = |id: &String| !about.iter().any(|it| it.table.id == *id && is_about(it));
    let problem = |(at, id): (usize, &String)| {
        let message = format!("`{id}` makes nothing about an image that this table attaches to");
        let help = "let it do so: in `[[sbom]]` by `kinds = [\"image\"]`, in `[[provenance]]` by `split = true`";
        Problem::at_key(format!("from[{at}]"), message).help(help)
    };
    let problems: Vec<Problem> = settings.from.iter().enumerate().filter(|(_, id)| is_empty(id)).map(problem).collect();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// Attaches a document that was made.
fn step_of(settings: &Settings, subject: &Offer, (document, about): (&Offer, &About), given: &Given<'_>) -> Step {
    let of_files = Settings { files: Vec::new(), media_type: None, ..settings.clone() };
    let step = step(&of_files, subject, &about.media_type, given);
    let makes = step.makes.into_iter().map(|it| Output { name: format!("{}/{}", given.table.id, document.name), ..it });
    Step {
        name: format!("{}/{}", step.name, document.name),
        takes: vec![subject.name.clone(), document.name.clone()],
        makes: makes.collect(),
        ..step
    }
}

fn step(settings: &Settings, subject: &Offer, r#type: &str, given: &Given<'_>) -> Step {
    let Settings { files, media_type, annotations, .. } = settings;
    let params = Params {
        artifact_type: r#type.to_owned(),
        media_type: media_type.clone().unwrap_or_else(|| r#type.to_owned()),
        files: files.clone(),
        annotations: annotations.clone(),
    };
    let read = |(at, file): (usize, &String)| Read::all(file, Place::Key(format!("files[{at}]")));
    Step {
        name: subject.name.strip_suffix(".json").unwrap_or(&subject.name).to_owned(),
        platform: subject.platform.clone(),
        takes: vec![subject.name.clone()],
        makes: vec![Output {
            name: format!("{}/{}", given.table.id, subject.name),
            kind: Attachment::NAME.to_owned(),
            platform: subject.platform.clone(),
            detail: detail(&subject.name, r#type),
        }],
        reads: files.iter().enumerate().map(read).collect(),
        params: serde_json::to_value(params).unwrap_or_default(),
        ..Step::default()
    }
}

fn detail(subject: &str, artifact_type: &str) -> serde_json::Value {
    let detail = Attachment { subject: subject.to_owned(), artifact_type: artifact_type.to_owned() };
    serde_json::to_value(detail).unwrap_or_default()
}

fn attach(
    params: &Params,
    subject: &Artifact,
    name: &str,
    files: &[(PathBuf, String)],
    host: &dyn Host,
) -> Result<(), Failure> {
    let bytes = fs::read(&subject.path).map_err(|error| Failure::file("read", &subject.path, &error))?;
    let document =
        Document::parse(&bytes).map_err(|message| Failure::input(format!("`{}`: {message}", subject.name)))?;
    let of_subject = Descriptor::new(document.media_type(), subject.digest, subject.size);
    let (mut descriptors, mut blobs) = (Vec::new(), Vec::new());
    for (from, title) in files {
        let (descriptor, copy) = describe(from, title, &params.media_type, host)?;
        descriptors.push(descriptor);
        blobs.push(EmitBlob::File(copy));
    }
    blobs.push(EmitBlob::File(write(host, "empty.json", EMPTY)?));
    let manifest = manifest(of_subject, &params.artifact_type, descriptors, params.annotations.clone());
    let path = write(host, "manifest.json", &manifest.to_bytes())?;
    host.emit(&Emit { name: name.to_owned(), path, blobs, detail: detail(&subject.name, &params.artifact_type) })?;
    Ok(())
}

/// A file as it is pointed at, and a copy of it.
fn describe(from: &Path, title: &str, media_type: &str, host: &dyn Host) -> Result<(Descriptor, PathBuf), Failure> {
    let copy = host.dir().join("files").join(title);
    let copied = || -> std::io::Result<Digester> {
        fs::create_dir_all(host.dir().join("files"))?;
        fs::copy(from, &copy)?;
        let mut digester = Digester::default();
        std::io::copy(&mut fs::File::open(&copy)?, &mut digester)?;
        Ok(digester)
    };
    let (digest, size) = copied().map_err(|error| Failure::file("copy", from, &error))?.finish();
    let annotations = [(TITLE.to_owned(), title.to_owned())].into();
    Ok((Descriptor { annotations, ..Descriptor::new(media_type, digest, size) }, copy))
}

/// What a file is called where it is attached: its name without the directories.
fn title(file: &str) -> String {
    let name = Path::new(file).file_name().map(|it| it.to_string_lossy().into_owned());
    name.unwrap_or_else(|| file.to_owned())
}

fn write(host: &dyn Host, name: &str, bytes: &[u8]) -> Result<PathBuf, Failure> {
    let path = host.dir().join(name);
    fs::write(&path, bytes).map_err(|error| Failure::file("write", &path, &error))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use forge_plugin::testing::{FakeHost, plan_table, run_step, sample_facts};
    use serde_json::{Value, json};

    use super::*;
    use crate::oci::manifest::{Family, Manifest};

    fn host() -> FakeHost {
        let image = Manifest::new(Family::Oci, Descriptor::of(Family::Oci.config(), b"{}"), Vec::new()).to_bytes();
        let platform = "linux/amd64".parse().ok();
        FakeHost::new().with_artifact("image.json", Image::NAME, platform, json!({ "references": [] }), &image, &[])
    }

    /// What is made of a table, or what is wrong with it.
    fn check(settings: Value, expect: Expect) {
        let mut host = host();
        for name in ["sbom.json", "also.json"] {
            fs::write(host.root().join(name), name).unwrap();
        }
        let actual = match plan_table::<Attach>(&settings, &sample_facts(), &host.offers(), &[]) {
            Ok(steps) => {
                let made = run_step::<Attach>(&steps[0], &mut host).unwrap().remove(0);
                let text = fs::read_to_string(&made.path).unwrap();
                format!("{} of {} blobs\n{text}\n", made.name, made.blobs.len())
            }
            Err(problems) => {
                problems.iter().map(|it| format!("{}; {}\n", it.message, it.help.as_deref().unwrap_or(""))).collect()
            }
        };
        expect.assert_eq(&actual);
    }

    #[test]
    fn files_about_an_image() {
        check(
            json!({
                "type": "application/spdx+json", "files": ["sbom.json", "also.json"],
                "media_type": "application/json", "annotations": { "a": "b" },
            }),
            expect![[r#"
                attach/image.json of 3 blobs
                {"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"application/spdx+json","config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[{"mediaType":"application/json","digest":"sha256:437db28f0dee16cf955bb3cb4cefee59fde5d4b360c6acfaef21b5a1f83e8d37","size":9,"annotations":{"org.opencontainers.image.title":"sbom.json"}},{"mediaType":"application/json","digest":"sha256:2c48a8764065eadc7b3eb6e07a7dbf6df86e739ad6cb9df249d2656079d209ca","size":9,"annotations":{"org.opencontainers.image.title":"also.json"}}],"subject":{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:f20c43161d73848408ef247f0ec7111b19fe58ffebc0cbcaa0d2c8bda4967268","size":246},"annotations":{"a":"b"}}
            "#]],
        );
    }

    #[test]
    fn mistakes() {
        check(
            json!({ "type": "spdx", "files": [], "media_type": "text/" }),
            expect![[r#"
                `spdx` is no media type; a media type is two words with a `/` between them, as in `application/spdx+json`
                `text/` is no media type; a media type is two words with a `/` between them, as in `application/spdx+json`
                no files; name what to attach, as in `files = ["sbom.json"]`, or a table that makes it, as in `from = ["sbom"]`
            "#]],
        );
        check(
            json!({ "type": "text/plain", "files": ["sbom.json", "b/sbom.json"] }),
            expect![[r#"
            `sbom.json` and `b/sbom.json` have one name; give one of them another name
        "#]],
        );
    }
}
