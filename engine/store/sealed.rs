//! Memory that may be lost and must not lie: a file that ends with a hash of the rest of it. That guards against what crashes and
//! disks do, not against people: who can write here can write anything. Does not know what is remembered.

use std::io;
use std::path::Path;

use xxhash_rust::xxh3::xxh3_128;

use super::atomic::write_beside;

/// Writes what is to be remembered.
pub fn write_sealed(path: &Path, mut bytes: Vec<u8>) -> io::Result<()> {
    bytes.extend(seal(&bytes));
    write_beside(path, &bytes)
}

/// What was remembered; nothing where that is missing, cut short, or has changed in any way.
pub fn read_sealed(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = std::fs::read(path).ok()?;
    let found = bytes.split_off(bytes.len().checked_sub(SEAL)?);
    (found == seal(&bytes)).then_some(bytes)
}

/// The same, read by `read` while it is looked at the seal. What `read` is given may have changed in any way.
pub fn read_sealed_as<T: Send>(path: &Path, read: impl FnOnce(&[u8]) -> Option<T> + Send) -> Option<T> {
    let bytes = std::fs::read(path).ok()?;
    let (bytes, found) = bytes.split_at_checked(bytes.len().checked_sub(SEAL)?)?;
    let (is_whole, read) = rayon::join(|| found == seal(bytes), || read(bytes));
    read.filter(|_| is_whole)
}

/// The length of a seal.
const SEAL: usize = 16;

/// XXH3, 128 bits: ten times as fast as a sha256, and every run has to take it of all that it remembers.
fn seal(bytes: &[u8]) -> [u8; SEAL] {
    xxh3_128(bytes).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a4_a5_every_prefix_and_every_flipped_byte_of_memory_is_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("memory");
        for content in [b"".to_vec(), b"what was said".to_vec()] {
            write_sealed(&path, content.clone()).unwrap();
            assert_eq!(read_sealed(&path), Some(content.clone()));
            assert_eq!(read_sealed_as(&path, |it| Some(it.to_vec())), Some(content));
            let whole = std::fs::read(&path).unwrap();
            for length in 0..whole.len() {
                std::fs::write(&path, &whole[..length]).unwrap();
                assert_eq!(read_sealed(&path), None, "cut at {length}");
                assert_eq!(read_sealed_as(&path, |it| Some(it.to_vec())), None, "cut at {length}");
            }
            for at in 0..whole.len() {
                let mut bytes = whole.clone();
                bytes[at] ^= 1;
                std::fs::write(&path, &bytes).unwrap();
                assert_eq!(read_sealed(&path), None, "flipped at {at}");
                assert_eq!(read_sealed_as(&path, |it| Some(it.to_vec())), None, "flipped at {at}");
            }
        }
    }
}
