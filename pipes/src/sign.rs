//! Pipe `sign`: signatures of files, and of images by their digest.
//! Does not know any signer: each is a file of `sign/`, and a line of `SIGNERS`.

mod command;
mod cosign;
mod ecdsa_key;
pub mod gpg;
mod minisign;
mod settings;
mod sigstore;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use forge_plugin::schemas::kind::{Attachment, Checksums, Image, Kind as _, ManifestList, Signature};
use forge_plugin::schemas::{Artifact, Emit, Failure, KindInfo, Offer, Output, Place, Problem, SecretNeed, Step};
use forge_plugin::{Given, Host, Pipe, PlatformNames, Template, Wants, kind};
use schemars::{Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::settings::SignNames;
pub use self::settings::{By, Settings};
use crate::archive::naming;
use crate::table::variants::typed;

/// All signers.
const SIGNERS: &[Signer] = &[minisign::SIGNER, cosign::SIGNER, gpg::SIGNER, command::SIGNER];

/// The pipe.
pub struct Sign;

/// What `plan` tells `run`: the signer, and what that has told itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Params {
    by: String,
    what: Value,
}

/// Steps, or all that is wrong.
type Planned = Result<Vec<Step>, Vec<Problem>>;

/// Who can sign.
struct Signer {
    name: &'static str,
    /// What it does, in sentences of which the name is the subject.
    about: &'static str,
    /// The keys of its own.
    schema: fn(&mut SchemaGenerator) -> Schema,
    /// What the names of signatures end with.
    ending: fn(&Settings) -> Result<&'static str, Vec<Problem>>,
    /// What is attached to an image, as a media type; none where it signs no images.
    attaches: Option<&'static str>,
    /// The steps for these; each step's `params` are the signer's own.
    plan: fn(&Settings, Vec<Subject<'_>>, &Given<'_>) -> Planned,
    /// Does one step, with its own parameters.
    run: fn(&Value, &Step, &dyn Host) -> Result<(), Failure>,
}

/// Something to sign.
struct Subject<'a> {
    offer: &'a Offer,
    names: SignNames,
    /// Its signature.
    output: Output,
}

impl Pipe for Sign {
    const NAME: &'static str = "sign";
    const SUMMARY: &'static str = "signs files, and images by their digest";
    const NEEDS: &'static [&'static str] = &["secret.get"];
    type Settings = Settings;
    type Params = Params;

    fn makes() -> Vec<KindInfo> {
        vec![kind::<Signature>(), kind::<Attachment>()]
    }

    fn takes(settings: &Settings) -> Result<Wants, Vec<Problem>> {
        settings.by.signer()?;
        Ok(Wants { selectors: settings.selectors(), sources: Vec::new() })
    }

    fn plan(settings: &Settings, given: &Given<'_>) -> Planned {
        let signer = settings.by.signer()?;
        let ending = (signer.ending)(settings)?;
        let subjects = subjects(settings, signer, ending, given)?;
        let mut steps = (signer.plan)(settings, subjects, given)?;
        for step in &mut steps {
            let params = Params { by: signer.name.to_owned(), what: step.params.take() };
            step.params = serde_json::to_value(params).unwrap_or_default();
        }
        Ok(steps)
    }

    fn run(params: &Params, step: &Step, host: &dyn Host) -> Result<(), Failure> {
        let signer = SIGNERS.iter().find(|it| it.name == params.by);
        let unknown = || Failure::bug(format!("a step for the unknown signer `{}`", params.by));
        (signer.ok_or_else(unknown)?.run)(&params.what, step, host)
    }
}

impl By {
    fn signer(&self) -> Result<&'static Signer, Vec<Problem>> {
        SIGNERS.iter().find(|it| it.name == self.0).ok_or_else(|| {
            let names: Vec<&str> = SIGNERS.iter().map(|it| it.name).collect();
            let problem = Problem::at_key("by", format!("nothing signs by `{}`", self.0));
            vec![problem.help(format!("the signers are {}", names.join(", ")))]
        })
    }
}

/// All that a table signs, each with its signature.
fn subjects<'a>(
    settings: &Settings,
    signer: &Signer,
    ending: &str,
    given: &'a Given<'_>,
) -> Result<Vec<Subject<'a>>, Vec<Problem>> {
    let is_chosen = !settings.ids.is_empty() || !settings.kinds.is_empty();
    let is_sums = |offer: &&Offer| offer.kind == Checksums::NAME;
    let sums_alone = !is_chosen && given.offers.iter().any(|it| is_sums(&it));
    let (mut subjects, mut problems, mut names) = (Vec::new(), Vec::new(), BTreeMap::new());
    for offer in given.offers.iter().filter(|it| !sums_alone || is_sums(it)) {
        let subject = subject(settings, signer, ending, offer, given);
        match subject.and_then(|it| only_one(it, &mut names)) {
            Ok(subject) => subjects.push(subject),
            Err(problem) if problems.contains(&problem) => {}
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(subjects) } else { Err(problems) }
}

fn subject<'a>(
    settings: &Settings,
    signer: &Signer,
    ending: &str,
    offer: &'a Offer,
    given: &Given<'_>,
) -> Result<Subject<'a>, Problem> {
    let file_name = offer.name.rsplit('/').next().unwrap_or(&offer.name);
    let platform = offer.platform.as_ref().map(PlatformNames::from);
    let names = SignNames { artifact: file_name.to_owned(), platform };
    let output = match is_image(&offer.kind) {
        false => {
            let default = Template::new(format!("{{{{ artifact }}}}{ending}"));
            let name = given.render("name", settings.name.as_ref().unwrap_or(&default), &names)?;
            naming::check("name", &name)?;
            let detail = Signature { subject: offer.name.clone(), by: signer.name.to_owned() };
            output(name, Signature::NAME, offer, serde_json::to_value(detail))
        }
        true => {
            let artifact_type = signer.attaches.ok_or_else(|| no_image(settings, signer, offer))?.to_owned();
            let detail = Attachment { subject: offer.name.clone(), artifact_type };
            // Other tables that attach something may have this id.
            let name = format!("signatures/{}/{}", given.table.id, offer.name);
            output(name, Attachment::NAME, offer, serde_json::to_value(detail))
        }
    };
    Ok(Subject { offer, names, output })
}

fn is_image(kind: &str) -> bool {
    [Image::NAME, ManifestList::NAME].contains(&kind)
}

fn no_image(settings: &Settings, signer: &Signer, offer: &Offer) -> Problem {
    let key = if settings.kinds.contains(&offer.kind) { "kinds" } else { "ids" };
    Problem::at_key(key, format!("`{}` is an image, and `{}` signs files only", offer.name, signer.name))
        .help("images are signed `by = \"cosign\"`")
}

fn output(name: String, kind: &str, of: &Offer, detail: serde_json::Result<Value>) -> Output {
    Output { name, kind: kind.to_owned(), platform: of.platform.clone(), detail: detail.unwrap_or_default() }
}

/// On a release page there are no directories.
fn only_one<'a>(subject: Subject<'a>, names: &mut BTreeMap<String, &'a str>) -> Result<Subject<'a>, Problem> {
    let name = &subject.output.name;
    let Some(other) = names.insert(name.clone(), &subject.offer.name) else { return Ok(subject) };
    let message = format!("the signatures of `{other}` and `{}` would both be called `{name}`", subject.offer.name);
    Err(Problem::at_key("name", message).help("put more into `name`: `{{ artifact }}_{{ os }}_{{ arch }}.sig`"))
}

/// One step for all of them: the key is opened once.
fn together(subjects: Vec<Subject<'_>>, params: Value, secrets: Vec<SecretNeed>) -> Step {
    Step {
        takes: subjects.iter().map(|it| it.offer.name.clone()).collect(),
        makes: subjects.into_iter().map(|it| it.output).collect(),
        params,
        secrets,
        place: Place::Key("by".to_owned()),
        ..Step::default()
    }
}

/// A step for one of them.
fn alone(subject: Subject<'_>, params: Value, secrets: Vec<SecretNeed>) -> Step {
    let (name, platform) = (subject.offer.name.clone(), subject.offer.platform.clone());
    Step { name, platform, ..together(vec![subject], params, secrets) }
}

/// What a step signs, each with its signature, in order.
fn pairs<'h>(step: &'h Step, host: &'h dyn Host) -> impl Iterator<Item = (&'h Artifact, &'h Output)> {
    host.inputs().iter().zip(&step.makes)
}

/// Keeps a signature.
fn emit(output: &Output, text: &str, number: usize, host: &dyn Host) -> Result<(), Failure> {
    let path = write(host, &format!("signature-{number}"), text.as_bytes())?;
    emit_file(output, path, host)
}

fn emit_file(output: &Output, path: PathBuf, host: &dyn Host) -> Result<(), Failure> {
    host.emit(&Emit { name: output.name.clone(), path, blobs: Vec::new(), detail: output.detail.clone() })?;
    Ok(())
}

fn write(host: &dyn Host, name: &str, bytes: &[u8]) -> Result<PathBuf, Failure> {
    let path = host.dir().join(name);
    std::fs::write(&path, bytes).map_err(|error| Failure::file("write", &path, &error))?;
    Ok(path)
}

fn open(path: &Path) -> Result<std::fs::File, Failure> {
    std::fs::File::open(path).map_err(|error| Failure::file("read", path, &error))
}

#[cfg(test)]
mod tests;
