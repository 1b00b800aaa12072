//! The algorithms of checksums: a table.
//! Does not know what is hashed.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use libdeflater::Crc;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::Digest;

/// What files are hashed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum Algorithm {
    /// SHA-256 (FIPS 180-4): what everything can check.
    #[default]
    #[serde(rename = "sha256")]
    Sha256,
    /// SHA-224.
    #[serde(rename = "sha224")]
    Sha224,
    /// SHA-384.
    #[serde(rename = "sha384")]
    Sha384,
    /// SHA-512.
    #[serde(rename = "sha512")]
    Sha512,
    /// SHA3-224 (FIPS 202).
    #[serde(rename = "sha3-224")]
    Sha3_224,
    /// SHA3-256.
    #[serde(rename = "sha3-256")]
    Sha3_256,
    /// SHA3-384.
    #[serde(rename = "sha3-384")]
    Sha3_384,
    /// SHA3-512.
    #[serde(rename = "sha3-512")]
    Sha3_512,
    /// BLAKE2b of 512 bits (RFC 7693), as `b2sum` has it.
    #[serde(rename = "blake2b")]
    Blake2b,
    /// BLAKE2s of 256 bits.
    #[serde(rename = "blake2s")]
    Blake2s,
    /// BLAKE3 of 256 bits, as `b3sum` has it.
    #[serde(rename = "blake3")]
    Blake3,
    /// SHA-1: finds what was damaged, not what was forged.
    #[serde(rename = "sha1")]
    Sha1,
    /// MD5: finds what was damaged, not what was forged.
    #[serde(rename = "md5")]
    Md5,
    /// CRC-32, as gzip has it: finds what was damaged, not what was forged.
    #[serde(rename = "crc32")]
    Crc32,
}

/// The name of an algorithm, and what hashes by it.
type Line = (&'static str, fn(&mut dyn Read) -> io::Result<Vec<u8>>);

/// All of them, in the order of [`Algorithm`].
const ALGORITHMS: [Line; 14] = [
    ("sha256", hash::<sha2::Sha256>),
    ("sha224", hash::<sha2::Sha224>),
    ("sha384", hash::<sha2::Sha384>),
    ("sha512", hash::<sha2::Sha512>),
    ("sha3-224", hash::<sha3::Sha3_224>),
    ("sha3-256", hash::<sha3::Sha3_256>),
    ("sha3-384", hash::<sha3::Sha3_384>),
    ("sha3-512", hash::<sha3::Sha3_512>),
    ("blake2b", hash::<blake2::Blake2b512>),
    ("blake2s", hash::<blake2::Blake2s256>),
    ("blake3", hash_blake3),
    ("sha1", hash::<sha1::Sha1>),
    ("md5", hash::<md5::Md5>),
    ("crc32", hash_crc32),
];

/// How much is read at once.
const BUFFER: usize = 64 * 1024;

impl Algorithm {
    /// What stands in the project file.
    pub fn name(self) -> &'static str {
        ALGORITHMS[self as usize].0
    }

    /// What a file hashes to, in hexadecimal.
    pub fn of_file(self, path: &Path) -> io::Result<String> {
        let hash = ALGORITHMS[self as usize].1(&mut File::open(path)?)?;
        Ok(hash.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

fn hash<D: Digest>(from: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut hasher = D::new();
    feed(from, |bytes| hasher.update(bytes))?;
    Ok(hasher.finalize().to_vec())
}

fn hash_blake3(from: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut hasher = blake3::Hasher::new();
    feed(from, |bytes| {
        hasher.update(bytes);
    })?;
    Ok(hasher.finalize().as_bytes().to_vec())
}

fn hash_crc32(from: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut crc = Crc::new();
    feed(from, |bytes| crc.update(bytes))?;
    Ok(crc.sum().to_be_bytes().to_vec())
}

fn feed(from: &mut dyn Read, mut hasher: impl FnMut(&[u8])) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(size) => hasher(&buffer[..size]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    /// What each makes of `abc`; the standards have the same example.
    #[test]
    fn examples_of_the_standards() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        let mut text = String::new();
        for (name, _) in ALGORITHMS {
            let algorithm: Algorithm = serde_json::from_value(name.into()).unwrap();
            assert_eq!(algorithm.name(), name);
            text += &format!("{name} {}\n", algorithm.of_file(&path).unwrap());
        }
        expect![[r#"
            sha256 ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad
            sha224 23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7
            sha384 cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7
            sha512 ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f
            sha3-224 e642824c3f8cf24ad09234ee7d3c766fc9a3a5168d0c94ad73b46fdf
            sha3-256 3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532
            sha3-384 ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c2596da7cf0e49be4b298d88cea927ac7f539f1edf228376d25
            sha3-512 b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0
            blake2b ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d17d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923
            blake2s 508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982
            blake3 6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85
            sha1 a9993e364706816aba3e25717850c26c9cd0d89d
            md5 900150983cd24fb0d6963f7d28e17f72
            crc32 352441c2
        "#]].assert_eq(&text);
    }
}
