//! Sigstore's bundle (`bundle.proto`, version 0.3) of a key's signature: of a file, or of a statement about an image's digest.
//! Does not know a transparency log: a bundle that is checked by a key needs no entry in one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use forge_plugin::schemas::Digest;
use serde_json::{Value, json};

use super::ecdsa_key::Key;

/// Its media type.
pub const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// What cosign says of an image that it signs.
pub const PREDICATE: &str = "https://sigstore.dev/cosign/sign/v1";

const STATEMENT: &str = "application/vnd.in-toto+json";

/// Of a file that has this digest.
pub fn of_file(digest: Digest, key: &Key) -> Result<String, String> {
    let content = json!({
        "messageDigest": { "algorithm": "SHA2_256", "digest": BASE64.encode(digest.bytes()) },
        "signature": BASE64.encode(key.sign_digest(digest.bytes())?),
    });
    bundle("messageSignature", content, key)
}

/// Of an image or a list whose manifest has this digest: an in-toto statement, in a DSSE envelope.
pub fn of_image(digest: Digest, key: &Key) -> Result<String, String> {
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "digest": { "sha256": digest.hex() } }],
        "predicateType": PREDICATE,
        "predicate": {},
    })
    .to_string();
    // What DSSE signs: type and text, each behind its length.
    let signed = format!("DSSEv1 {} {STATEMENT} {} {statement}", STATEMENT.len(), statement.len());
    let content = json!({
        "payload": BASE64.encode(statement),
        "payloadType": STATEMENT,
        "signatures": [{ "sig": BASE64.encode(key.sign(signed.as_bytes())) }],
    });
    bundle("dsseEnvelope", content, key)
}

fn bundle(of: &str, content: Value, key: &Key) -> Result<String, String> {
    let hint = BASE64.encode(Digest::of(&key.public()?).bytes());
    let bundle = json!({
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": { "publicKey": { "hint": hint } },
        of: content,
    });
    Ok(bundle.to_string())
}
