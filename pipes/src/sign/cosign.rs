//! Signs as cosign does with a key: files, and images and manifest lists by their digest.
//! Does not know a registry: what is about an image is an attachment, which `publish` brings there.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use forge_plugin::schemas::kind::{Attachment, Kind as _};
use forge_plugin::schemas::{Artifact, Emit, EmitBlob, Failure, Output, SecretReader, Step};
use forge_plugin::{Given, Host};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ecdsa_key::{Key, Shut};
use super::settings::Settings;
use super::{Planned, Signer, Subject, emit, pairs, sigstore, together, typed, write};
use crate::oci::attachment::{EMPTY, manifest};
use crate::oci::manifest::{Descriptor, Document};
use crate::table::secrets::needs;

/// Its line in the table.
pub const SIGNER: Signer = Signer {
    name: "cosign",
    about: "signs with a key that `cosign generate-key-pair` has made, and needs no program: files, for `cosign verify-blob` and \
            `openssl dgst`; images and manifest lists, for `cosign verify`, of version 3 and later.",
    schema: |generator| Own::json_schema(generator),
    ending: |settings| Ok(if settings.own::<Own>()?.bundle { ".sigstore.json" } else { ".sig" }),
    attaches: Some(sigstore::MEDIA_TYPE),
    plan,
    run,
};

/// What it wants to know.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
struct Own {
    /// The secret that is the key: the text of `cosign.key`, or of another ECDSA key on P-256 in PEM (`openssl ecparam -name prime256v1 -genkey`).
    /// Granted by `secrets`, with `reveal = true`.
    key: String,
    /// The secret that is the key's password.
    password: Option<String>,
    /// Whether a file's signature is one of Sigstore's bundles (`cosign verify-blob --bundle`), instead of the signature alone, in base64. Those
    /// of images always are.
    #[serde(default)]
    bundle: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct Params {
    key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    bundle: bool,
}

fn plan(settings: &Settings, subjects: Vec<Subject<'_>>, _: &Given<'_>) -> Planned {
    let Own { key, password, bundle } = settings.own()?;
    let secrets = needs(&[("key", Some(&key)), ("password", password.as_ref())], SecretReader::Pipe);
    let params = serde_json::to_value(Params { key, password, bundle }).unwrap_or_default();
    Ok(vec![together(subjects, params, secrets)])
}

fn run(params: &Value, step: &Step, host: &dyn Host) -> Result<(), Failure> {
    let params: Params = typed(params)?;
    let password = params.password.as_ref().map(|name| host.secret(name)).transpose()?;
    let key = Key::open(&host.secret(&params.key)?, password.as_deref());
    let key = key.map_err(|reason| in_words(reason, &params))?;
    for (number, (subject, output)) in pairs(step, host).enumerate() {
        let signed = match (output.kind == Attachment::NAME, params.bundle) {
            (true, _) => sigstore::of_image(subject.digest, &key),
            (false, true) => sigstore::of_file(subject.digest, &key),
            (false, false) => key.sign_digest(subject.digest.bytes()).map(|it| BASE64.encode(it)),
        };
        let signed =
            signed.map_err(|error| Failure::input(format!("the key `{}` does not sign: {error}", params.key)))?;
        match output.kind == Attachment::NAME {
            true => attach(subject, output, &signed, number, host)?,
            false => emit(output, &signed, number, host)?,
        }
    }
    Ok(())
}

/// The bundle, as a manifest about the image.
fn attach(subject: &Artifact, output: &Output, bundle: &str, number: usize, host: &dyn Host) -> Result<(), Failure> {
    let bytes = std::fs::read(&subject.path).map_err(|error| Failure::file("read", &subject.path, &error))?;
    let document =
        Document::parse(&bytes).map_err(|message| Failure::input(format!("`{}`: {message}", subject.name)))?;
    let of_subject = Descriptor::new(document.media_type(), subject.digest, subject.size);
    let annotations = [("content", "dsse-envelope"), ("predicateType", sigstore::PREDICATE)]
        .map(|(key, value)| (format!("dev.sigstore.bundle.{key}"), value.to_owned()));
    let layer = Descriptor::of(sigstore::MEDIA_TYPE, bundle.as_bytes());
    let manifest = manifest(of_subject, sigstore::MEDIA_TYPE, vec![layer], annotations.into());
    let blobs = vec![
        EmitBlob::File(write(host, &format!("bundle-{number}"), bundle.as_bytes())?),
        EmitBlob::File(write(host, &format!("empty-{number}"), EMPTY)?),
    ];
    let path = write(host, &format!("manifest-{number}"), &manifest.to_bytes())?;
    host.emit(&Emit { name: output.name.clone(), path, blobs, detail: output.detail.clone() })?;
    Ok(())
}

fn in_words(reason: Shut, params: &Params) -> Failure {
    let Params { key, password, .. } = params;
    match (reason, password) {
        (Shut::NoKey(why), _) => {
            Failure::input(format!("the secret `{key}` is no key that forge can sign with: {why}"))
                .help("make one with `cosign generate-key-pair`; others sign by the program: `by = \"command\"`")
        }
        (Shut::WrongPassword, Some(password)) => {
            Failure::input(format!("the password `{password}` does not open the key `{key}`"))
                .help("try it with `cosign public-key --key cosign.key`")
        }
        (Shut::WantsPassword | Shut::WrongPassword, _) => {
            Failure::input(format!("the key `{key}` is encrypted, and no `password` is named"))
                .help("name the secret that is its password: `password = \"cosign_password\"`")
        }
    }
}
