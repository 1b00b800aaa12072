//! Signs as minisign does: Ed25519 of a BLAKE2b hash, with a comment that is signed as well (minisign's "Signature format").
//! Does not know where the key comes from, nor who looks at what it makes.

use std::io::Read;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use blake2::digest::consts::U32;
use blake2::{Blake2b, Blake2b512, Digest as _};
use forge_plugin::schemas::{Failure, Level, Resource, SecretReader, Step};
use forge_plugin::{Given, Host, Template};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::settings::{Settings, SignNames};
use super::{Planned, Signer, Subject, emit, open, pairs, together, typed};
use crate::table::secrets::needs;

/// Its line in the table.
pub const SIGNER: Signer = Signer {
    name: "minisign",
    about: "signs with a key that `minisign -G` has made, and needs no program.",
    schema: |generator| Own::json_schema(generator),
    ending: |_| Ok(".minisig"),
    attaches: None,
    plan,
    run,
};

const COMMENT: &str = "file:{{ artifact }}\tversion:{{ version }}";
/// All that there is in a key: algorithms, salt, limits, and the key itself with its number and its checksum.
const KEY_SIZE: usize = 158;
/// Where what is encrypted begins: the number.
const SEALED: usize = 54;

/// What it wants to know.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
struct Own {
    /// The secret that is the key: the text of the file that `minisign -G` writes. Granted by `secrets`, with `reveal = true`.
    key: String,
    /// The secret that is the key's password, where it has one.
    password: Option<String>,
    /// The comment that is signed, too. Default: `file:{{ artifact }}`, and `version:{{ version }}` behind a tab.
    comment: Option<Template<SignNames>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Params {
    key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    /// One for each that is signed.
    comments: Vec<String>,
}

fn plan(settings: &Settings, subjects: Vec<Subject<'_>>, given: &Given<'_>) -> Planned {
    let Own { key, password, comment } = settings.own()?;
    let comment = comment.unwrap_or_else(|| Template::new(COMMENT));
    let mut comments = Vec::new();
    for subject in &subjects {
        let text = given.render("comment", &comment, &subject.names).map_err(|problem| vec![problem])?;
        comments.push(text.lines().collect::<Vec<_>>().join(" "));
    }
    let secrets = needs(&[("key", Some(&key)), ("password", password.as_ref())], SecretReader::Pipe);
    let resource = if password.is_some() { Resource::Memory } else { Resource::Cpu };
    let params = serde_json::to_value(Params { key, password, comments }).unwrap_or_default();
    Ok(vec![Step { resource, ..together(subjects, params, secrets) }])
}

fn run(params: &Value, step: &Step, host: &dyn Host) -> Result<(), Failure> {
    let params: Params = typed(params)?;
    let password = params.password.as_ref().map(|name| host.secret(name)).transpose()?;
    let key = SecretKey::open(&host.secret(&params.key)?, password.as_deref());
    let key = key.map_err(|reason| reason.of(&params.key, params.password.as_deref()))?;
    for (number, ((subject, output), comment)) in pairs(step, host).zip(&params.comments).enumerate() {
        let text = key.sign(open(&subject.path)?, comment);
        let text = text.map_err(|error| Failure::file("read", &subject.path, &error))?;
        emit(output, &text, number, host)?;
    }
    host.log(Level::Info, &format!("checked by `minisign -Vm FILE -P {}`", key.public()));
    Ok(())
}

/// A key, open.
struct SecretKey {
    /// Tells keys apart; it stands in the public key, too.
    number: [u8; 8],
    pair: Ed25519KeyPair,
}

/// Why a key does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shut {
    NoKey,
    WantsPassword,
    WrongPassword,
}

impl SecretKey {
    /// The key of a file's text.
    fn open(text: &str, password: Option<&str>) -> Result<SecretKey, Shut> {
        let line = text.lines().map(str::trim).rfind(|it| !it.is_empty()).ok_or(Shut::NoKey)?;
        let bytes = BASE64.decode(line).map_err(|_| Shut::NoKey)?;
        let mut key: [u8; KEY_SIZE] = bytes.try_into().map_err(|_| Shut::NoKey)?;
        match (&key[..6], password) {
            (b"Ed\0\0B2", _) => {}
            (b"EdScB2", None | Some("")) => return Err(Shut::WantsPassword),
            (b"EdScB2", Some(password)) => unseal(&mut key, password)?,
            _ => return Err(Shut::NoKey),
        }
        let (number, pair, check) = (&key[SEALED..62], &key[62..126], &key[126..]);
        let is_whole = Blake2b::<U32>::new().chain_update(&key[..2]).chain_update(number).chain_update(pair).finalize()
            [..]
            == *check;
        let shut = if password.is_some() { Shut::WrongPassword } else { Shut::NoKey };
        let pair = Ed25519KeyPair::from_seed_and_public_key(&pair[..32], &pair[32..]);
        match (is_whole, pair) {
            (true, Ok(pair)) => Ok(SecretKey { number: number.try_into().map_err(|_| Shut::NoKey)?, pair }),
            _ => Err(shut),
        }
    }

    /// The text of a signature of all that `from` has.
    fn sign(&self, mut from: impl Read, comment: &str) -> std::io::Result<String> {
        let mut hash = Blake2b512::new();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match from.read(&mut buffer)? {
                0 => break,
                size => hash.update(&buffer[..size]),
            }
        }
        let signature = self.pair.sign(&hash.finalize());
        let of_both = self.pair.sign(&[signature.as_ref(), comment.as_bytes()].concat());
        Ok(format!(
            "untrusted comment: signature from a minisign secret key\n{}\ntrusted comment: {comment}\n{}\n",
            BASE64.encode([b"ED", &self.number[..], signature.as_ref()].concat()),
            BASE64.encode(of_both)
        ))
    }

    /// As `minisign -P` takes it.
    fn public(&self) -> String {
        BASE64.encode([b"Ed", &self.number[..], self.pair.public_key().as_ref()].concat())
    }
}

/// Takes the password's stream off what is encrypted.
fn unseal(key: &mut [u8; KEY_SIZE], password: &str) -> Result<(), Shut> {
    let number = |at: usize| key[at..at + 8].iter().rev().fold(0, |sum, byte| (sum << 8) | u64::from(*byte));
    let params = scrypt_params(number(38), number(46)).ok_or(Shut::NoKey)?;
    let mut stream = [0; KEY_SIZE - SEALED];
    scrypt::scrypt(password.as_bytes(), &key[6..38], &params, &mut stream).map_err(|_| Shut::NoKey)?;
    key[SEALED..].iter_mut().zip(stream).for_each(|(byte, of_stream)| *byte ^= of_stream);
    Ok(())
}

/// From the two limits of a key, as libsodium derives them (`pickparams`). None where they ask for more than 4 GiB.
fn scrypt_params(operations: u64, memory: u64) -> Option<scrypt::Params> {
    let (operations, r) = (operations.max(32768), 8);
    let is_short = operations < memory / 32;
    let largest = if is_short { operations / (r * 4) } else { memory / (r * 128) };
    let log_n = (1..63).find(|log| 1 << log > largest / 2)?;
    let p = if is_short { 1 } else { ((operations / 4) >> log_n).min(0x3fff_ffff) / r };
    if log_n > 22 {
        return None;
    }
    scrypt::Params::new(log_n, r as u32, p.try_into().ok()?).ok()
}

impl Shut {
    /// In words, for the secrets of these names.
    fn of(self, key: &str, password: Option<&str>) -> Failure {
        let password = password.unwrap_or_default();
        match self {
            Shut::NoKey => Failure::input(format!("the secret `{key}` is no secret key of minisign"))
                .help("it is to be the text of the file that `minisign -G` has written, both lines"),
            Shut::WantsPassword if password.is_empty() => {
                Failure::input(format!("the key `{key}` is encrypted, and no `password` is named"))
                    .help("name the secret that is its password: `password = \"minisign_password\"`")
            }
            Shut::WantsPassword => {
                Failure::input(format!("the key `{key}` is encrypted, and the password `{password}` is empty"))
            }
            Shut::WrongPassword => Failure::input(format!("the password `{password}` does not open the key `{key}`"))
                .help("try it with `minisign -S -s KEYFILE -m FILE`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "untrusted comment: minisign encrypted secret key\nKEYTEXT\n";

    /// A key that is open, or sealed by this password at little cost.
    fn key(password: Option<&str>) -> String {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let (number, secret) = ([1, 2, 3, 4, 5, 6, 7, 8], [&[7; 32], pair.public_key().as_ref()].concat());
        let check = Blake2b::<U32>::new().chain_update(b"Ed").chain_update(number).chain_update(&secret).finalize();
        let kdf = if password.is_some() { b"EdScB2" } else { b"Ed\0\0B2" };
        let limits = [32768_u64.to_le_bytes(), (1_u64 << 20).to_le_bytes()].concat();
        let bytes = [&kdf[..], &[9; 32], &limits, &number, &secret, &check].concat();
        let mut bytes: [u8; KEY_SIZE] = bytes.try_into().unwrap();
        if let Some(password) = password {
            unseal(&mut bytes, password).unwrap();
        }
        KEY.replace("KEYTEXT", &BASE64.encode(bytes))
    }

    #[test]
    fn keys_and_passwords() {
        let open = |text: &str, password| SecretKey::open(text, password).map(|key| key.public());
        let public = open(&key(None), None).unwrap();
        assert_eq!(public, open(&key(Some("word")), Some("word")).unwrap());
        assert_eq!(public, open(&key(None), Some("of no use")).unwrap());
        assert_eq!(open(&key(Some("word")), Some("other")), Err(Shut::WrongPassword));
        assert_eq!(open(&key(Some("word")), None), Err(Shut::WantsPassword));
        assert_eq!(open(&key(Some("word")), Some("")), Err(Shut::WantsPassword));
        let damaged = key(None).replacen("ICAgI", "ICAgJ", 1).replacen("Bwc", "Bwg", 1);
        assert_eq!(open(&damaged, None), Err(Shut::NoKey));
        assert_eq!(open("", None), Err(Shut::NoKey));
        assert_eq!(open("comment\nRWQ=\n", None), Err(Shut::NoKey));
    }

    /// As libsodium's `pickparams` has it: what minisign writes into keys is N = 2^20, and what costs more than 4 GiB is refused.
    #[test]
    fn limits() {
        let params = |operations, memory| scrypt_params(operations, memory).map(|it| (it.log_n(), it.r(), it.p()));
        assert_eq!(params(33_554_432, 1 << 30), Some((20, 8, 1)));
        assert_eq!(params(524_288, 16 << 20), Some((14, 8, 1)));
        assert_eq!(params(32768, 1 << 20), Some((10, 8, 1)));
        assert_eq!(params(u64::MAX, u64::MAX), None);
    }

    #[test]
    fn the_same_each_time() {
        let key = SecretKey::open(&key(None), None).unwrap();
        let sign = || key.sign(&b"text"[..], "file:a").unwrap();
        assert_eq!(sign(), sign());
        let lines: Vec<String> = sign().lines().map(str::to_owned).collect();
        assert_eq!(lines[2], "trusted comment: file:a");
        let signature = BASE64.decode(&lines[1]).unwrap();
        assert_eq!(&signature[..10], b"ED\x01\x02\x03\x04\x05\x06\x07\x08");
        let checked = |message: &[u8], by: &[u8]| {
            let public = ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, key.pair.public_key());
            public.verify(message, by)
        };
        checked(&Blake2b512::digest(b"text"), &signature[10..]).unwrap();
        checked(&[&signature[10..], b"file:a"].concat(), &BASE64.decode(&lines[3]).unwrap()).unwrap();
        checked(&Blake2b512::digest(b"texts"), &signature[10..]).unwrap_err();
    }
}
