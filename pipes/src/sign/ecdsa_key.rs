//! Keys as cosign has them: P-256, in PEM, open or encrypted (scrypt and NaCl's secretbox, as the tools of TUF write it).
//! Does not know what is signed with them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use p256::ecdsa::{Signature, SigningKey};
use p256::pkcs8::{DecodePrivateKey as _, EncodePublicKey as _};
use poly1305::Poly1305;
use poly1305::universal_hash::KeyInit as _;
use salsa20::XSalsa20;
use salsa20::cipher::{KeyIvInit as _, StreamCipher as _};
use serde::Deserialize;

/// A key, open.
#[derive(Debug)]
pub struct Key(SigningKey);

/// Why a key does not open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shut {
    /// No PEM, or nothing that is known in it.
    NoKey(String),
    /// It is encrypted, and there is no password.
    WantsPassword,
    /// It is encrypted with another one.
    WrongPassword,
}

/// What is in an encrypted key, as JSON.
#[derive(Deserialize)]
struct Sealed {
    kdf: Kdf,
    cipher: Cipher,
    ciphertext: String,
}

#[derive(Deserialize)]
struct Kdf {
    name: String,
    params: Cost,
    salt: String,
}

#[derive(Deserialize)]
struct Cost {
    #[serde(rename = "N")]
    n: u64,
    r: u32,
    p: u32,
}

impl Cost {
    /// Whether it takes no more than 1 GiB and a minute or so: cosign's keys take 64 MiB (2^16, 8, 1), and what is damaged may say
    /// anything.
    fn is_bearable(&self) -> bool {
        let memory = self.n.checked_mul(u64::from(self.r)).and_then(|it| it.checked_mul(128));
        self.n.is_power_of_two() && memory.is_some_and(|it| it <= 1 << 30) && self.p <= 16
    }
}

#[derive(Deserialize)]
struct Cipher {
    name: String,
    nonce: String,
}

impl Key {
    /// The key of a PEM text.
    pub fn open(text: &str, password: Option<&str>) -> Result<Key, Shut> {
        let (label, bytes) = pem(text).ok_or_else(|| Shut::NoKey("it is no PEM text".to_owned()))?;
        let secret = match label {
            "ENCRYPTED SIGSTORE PRIVATE KEY" | "ENCRYPTED COSIGN PRIVATE KEY" => {
                of_pkcs8(&unseal(&bytes, password.ok_or(Shut::WantsPassword)?)?)?
            }
            "PRIVATE KEY" => of_pkcs8(&bytes)?,
            "EC PRIVATE KEY" => p256::SecretKey::from_sec1_der(&bytes).map_err(|_| not_p256())?,
            other => return Err(Shut::NoKey(format!("it is a `{other}`"))),
        };
        Ok(Key(SigningKey::from(secret)))
    }

    /// The signature (RFC 6979, DER) of what has this SHA-256.
    pub fn sign_digest(&self, digest: &[u8; 32]) -> Result<Vec<u8>, String> {
        let signature: Signature = self.0.sign_prehash(digest).map_err(|error| error.to_string())?;
        Ok(signature.to_der().as_bytes().to_vec())
    }

    /// The same, of these bytes.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature: Signature = self.0.sign(message);
        signature.to_der().as_bytes().to_vec()
    }

    /// The public key, as DER (SubjectPublicKeyInfo).
    pub fn public(&self) -> Result<Vec<u8>, String> {
        let der = p256::PublicKey::from(self.0.verifying_key()).to_public_key_der();
        der.map(|it| it.as_bytes().to_vec()).map_err(|error| error.to_string())
    }
}

/// The label of the first PEM block, and what is in it.
fn pem(text: &str) -> Option<(&str, Vec<u8>)> {
    let (_, from) = text.split_once("-----BEGIN ")?;
    let (label, from) = from.split_once("-----")?;
    let (body, _) = from.split_once("-----END ")?;
    let body: String = body.split_whitespace().collect();
    Some((label, BASE64.decode(body).ok()?))
}

fn of_pkcs8(der: &[u8]) -> Result<p256::SecretKey, Shut> {
    p256::SecretKey::from_pkcs8_der(der).map_err(|_| not_p256())
}

fn not_p256() -> Shut {
    Shut::NoKey("it is no ECDSA key on the curve P-256".to_owned())
}

/// What is encrypted. A password may be empty: cosign asks for one always.
fn unseal(json: &[u8], password: &str) -> Result<Vec<u8>, Shut> {
    let unknown = || Shut::NoKey("it is encrypted in a way that is not known".to_owned());
    let Sealed { kdf, cipher, ciphertext } = serde_json::from_slice(json).map_err(|_| unknown())?;
    if kdf.name != "scrypt" || cipher.name != "nacl/secretbox" || !kdf.params.is_bearable() {
        return Err(unknown());
    }
    let bytes = |text: &str| BASE64.decode(text).map_err(|_| unknown());
    let (salt, nonce, sealed) = (bytes(&kdf.salt)?, bytes(&cipher.nonce)?, bytes(&ciphertext)?);
    let nonce: [u8; 24] = nonce.try_into().map_err(|_| unknown())?;
    let Cost { n, r, p } = kdf.params;
    let params = scrypt::Params::new(n.trailing_zeros() as u8, r, p).map_err(|_| unknown())?;
    let mut key = [0; 32];
    scrypt::scrypt(password.as_bytes(), &salt, &params, &mut key).map_err(|_| unknown())?;
    open_box(&key, &nonce, &sealed).ok_or(Shut::WrongPassword)
}

/// NaCl's `crypto_secretbox_open`: XSalsa20, whose first 32 bytes are the key of the Poly1305 tag before the text.
fn open_box(key: &[u8; 32], nonce: &[u8; 24], sealed: &[u8]) -> Option<Vec<u8>> {
    let (tag, text) = sealed.split_first_chunk::<16>()?;
    let mut stream = XSalsa20::new(key.into(), nonce.into());
    let mut of_tag = [0; 32];
    stream.apply_keystream(&mut of_tag);
    let ours = Poly1305::new(&of_tag.into()).compute_unpadded(text);
    if ours[..] != tag[..] {
        return None;
    }
    let mut text = text.to_vec();
    stream.apply_keystream(&mut text);
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by `cosign generate-key-pair` for this test, and by nobody used.
    const SEALED: &str = include_str!("cosign_test.key");
    const PUBLIC: &str = include_str!("cosign_test.pub");

    fn why(text: &str, password: Option<&str>) -> Shut {
        Key::open(text, password).unwrap_err()
    }

    #[test]
    fn as_cosign_makes_them() {
        let key = Key::open(SEALED, Some("cosignpw")).unwrap();
        assert_eq!(pem(PUBLIC).unwrap().1, key.public().unwrap());
        let older = SEALED.replace("SIGSTORE", "COSIGN");
        assert_eq!(Key::open(&older, Some("cosignpw")).unwrap().public(), key.public());
        assert_eq!(why(SEALED, Some("other")), Shut::WrongPassword);
        assert_eq!(why(SEALED, Some("")), Shut::WrongPassword);
        assert_eq!(why(SEALED, None), Shut::WantsPassword);
    }

    /// RFC 6979, A.2.5: the key, and the signature of `sample` by SHA-256.
    #[test]
    fn example_of_the_standard() {
        let mut der = vec![0x30, 0x31, 2, 1, 1, 4, 32];
        der.extend(hex("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721"));
        der.extend(hex("A00A06082A8648CE3D030107"));
        let text = format!("-----BEGIN EC PRIVATE KEY-----\n{}\n-----END EC PRIVATE KEY-----\n", BASE64.encode(&der));
        let key = Key::open(&text, None).unwrap();
        let mut expected = hex("3046022100");
        expected.extend(hex("EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716"));
        expected.extend(hex("022100F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"));
        assert_eq!(key.sign(b"sample"), expected);
        let digest = forge_plugin::schemas::Digest::of(b"sample");
        assert_eq!(key.sign_digest(digest.bytes()).unwrap(), expected);
    }

    #[test]
    fn others() {
        assert!(matches!(why("", None), Shut::NoKey(it) if it.contains("no PEM")));
        let block =
            |label, text: &str| format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", BASE64.encode(text));
        assert!(matches!(why(&block("RSA PRIVATE KEY", "x"), None), Shut::NoKey(it) if it.contains("RSA")));
        assert!(matches!(why(&block("PRIVATE KEY", "x"), None), Shut::NoKey(it) if it.contains("P-256")));
        let sealed = why(&block("ENCRYPTED SIGSTORE PRIVATE KEY", "{}"), Some("x"));
        assert!(matches!(sealed, Shut::NoKey(it) if it.contains("encrypted in a way")));
    }

    #[test]
    fn costs() {
        let check = |n, r, p, expect| assert_eq!(Cost { n, r, p }.is_bearable(), expect, "{n} {r} {p}");
        check(1 << 16, 8, 1, true);
        check(1 << 20, 8, 1, true);
        check(1 << 22, 8, 1, false);
        check(1 << 22, 1 << 20, 1, false);
        check(1 << 63, u32::MAX, 1, false);
        check(1 << 15, 8, 1 << 20, false);
        check(0, 8, 1, false);
        check(3, 8, 1, false);
    }

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    }
}
