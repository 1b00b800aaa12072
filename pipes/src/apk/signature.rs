//! Who has signed something: the first segment of an index, and the keys in `/etc/apk/keys`.
//! Does not know what is signed.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::bufread::GzDecoder;
use ring::digest;
use ring::signature::{self, RsaParameters, UnparsedPublicKey};

/// A segment of signatures is not larger.
const LARGEST: u64 = 1 << 20;
/// The object identifier of RSA, and that it has no parameters, as a key in DER has them.
const RSA: &[u8] = &[0x30, 0x0d, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];

/// A key that is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// As its file is called.
    pub name: String,
    /// Modulus and exponent, in DER.
    modulus: Vec<u8>,
}

/// A signature.
pub struct Signature {
    /// How it was made: `RSA`, `RSA256`.
    method: String,
    /// Which key made it.
    key: String,
    bytes: Vec<u8>,
}

/// What is signed, and by whom.
pub struct Segment<'b> {
    pub signatures: Vec<Signature>,
    /// All that they vouch for.
    pub rest: &'b [u8],
}

impl Key {
    /// From a file of `/etc/apk/keys`. None, where that holds none that could be used here.
    pub fn read(name: &str, text: &str) -> Option<Key> {
        let body = text.split_once("-----BEGIN PUBLIC KEY-----")?.1.split_once("-----END PUBLIC KEY-----")?.0;
        let der = STANDARD.decode(body.split_whitespace().collect::<String>()).ok()?;
        let outer = value(&der, 0x30)?.0;
        let bits = value(outer.strip_prefix(RSA)?, 3)?.0;
        // The first byte says how many bits are left over: none.
        let modulus = bits.strip_prefix(&[0])?.to_vec();
        Some(Key { name: name.to_owned(), modulus })
    }
}

/// Content and what is behind it, of a value with this tag in DER.
fn value(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = der.split_first()?;
    let (short, rest) = rest.split_first()?;
    let (length, rest) = match *short {
        0..=0x7f => (usize::from(*short), rest),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(short & 0x7f))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    if *first == tag { rest.split_at_checked(length) } else { None }
}

/// Takes the signatures off.
pub fn split(bytes: &[u8]) -> Result<Segment<'_>, String> {
    let mut first = GzDecoder::new(bytes);
    let mut tar = Vec::new();
    let read = first.by_ref().take(LARGEST).read_to_end(&mut tar);
    read.map_err(|error| format!("it is damaged: {error}"))?;
    let rest = first.into_inner();
    let mut signatures = Vec::new();
    let damaged = |error: std::io::Error| format!("it is damaged: {error}");
    for entry in tar::Archive::new(tar.as_slice()).entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let Some((method, key)) = name.strip_prefix(".SIGN.").and_then(|it| it.split_once('.')) else {
            return Err("it is not signed".to_owned());
        };
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(damaged)?;
        signatures.push(Signature { method: method.to_owned(), key: key.to_owned(), bytes });
    }
    Ok(Segment { signatures, rest })
}

/// The first signature by a trusted key decides, as with apk.
pub fn check(signatures: &[Signature], signed: &[u8], keys: &[Key]) -> Result<(), String> {
    let known = signatures.iter().filter_map(|it| Some((it, parameters(&it.method)?)));
    let trusted = |signature: &Signature| keys.iter().find(|key| key.name == signature.key);
    let found = known.filter_map(|(signature, parameters)| Some((signature, parameters, trusted(signature)?))).next();
    let Some((signature, parameters, key)) = found else {
        let by: Vec<String> = signatures.iter().map(|it| format!("`{}`", it.key)).collect();
        return Err(match by.is_empty() {
            true => "it is not signed".to_owned(),
            false => format!("it is signed by {}, and `/etc/apk/keys` has no such key", by.join(" and ")),
        });
    };
    let verified = UnparsedPublicKey::new(parameters, &key.modulus).verify(signed, &signature.bytes);
    verified.map_err(|_| format!("its signature by `{}` is wrong", signature.key))
}

fn parameters(method: &str) -> Option<&'static RsaParameters> {
    match method {
        "RSA" => Some(&signature::RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY),
        "RSA256" => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        "RSA512" => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
        _ => None,
    }
}

/// `Q1` and the SHA-1 of some bytes: the name that apk has for content.
pub fn checksum(bytes: &[u8]) -> String {
    named(&digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes))
}

/// The same of a digest that was taken.
pub fn named(sha1: &digest::Digest) -> String {
    format!("Q1{}", STANDARD.encode(sha1))
}
