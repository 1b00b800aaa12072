//! The number of the folder's format, in `.forge/format`: a folder of a newer forge is left alone, that of an older one begun anew.
//! Does not know what the format is.

use std::path::Path;

use forge_schemas::{Failure, FailureClass};

use super::write_beside;

/// The format that this forge writes. Goes up when an older forge would misread the folder, or this one an older folder.
const FORMAT: u64 = 2;

/// What means nothing in another format. Content keeps its meaning in every one, and so does the journal.
const FORGOTTEN: [&str; 5] = ["record", "parts", "hashes", "plan", "lists"];

/// Fails where the folder is of a newer forge. Changes nothing.
pub fn check(root: &Path) -> Result<(), Failure> {
    match read(root)? {
        Some(found) if found > FORMAT => Err(newer(root, found)),
        _ => Ok(()),
    }
}

/// Makes a folder one of this format: what it remembers of another is forgotten. Only whoever holds the lock may.
pub fn settle(root: &Path) -> Result<(), Failure> {
    match read(root)? {
        Some(found) if found > FORMAT => return Err(newer(root, found)),
        Some(FORMAT) => return Ok(()),
        _ => {}
    }
    for name in FORGOTTEN {
        let path = root.join(name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Failure::file("remove", &path, &error));
            }
            _ => {}
        }
    }
    // Last, so that one who is killed on the way begins again.
    let path = root.join(NAME);
    write_beside(&path, format!("{FORMAT}\n").as_bytes()).map_err(|error| Failure::file("write", &path, &error))
}

const NAME: &str = "format";

// None where there is no number: nobody has written one yet, or it can't be read.
fn read(root: &Path) -> Result<Option<u64>, Failure> {
    let path = root.join(NAME);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::file("read", &path, &error)),
    };
    // A newer forge may have more to say after its number.
    let digits: String = bytes.iter().map(|it| char::from(*it)).take_while(char::is_ascii_digit).collect();
    Ok((!digits.is_empty()).then(|| digits.parse().unwrap_or(u64::MAX)))
}

fn newer(root: &Path, found: u64) -> Failure {
    let message =
        format!("`{}` was written by a newer forge (format {found}, this one knows {FORMAT})", root.display());
    Failure::new(FailureClass::Input, message).help("use that forge, or work in another directory; nothing was changed")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_format(content: Option<&str>, expect: Result<(), &str>) {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        for name in FORGOTTEN.into_iter().chain(["journal"]) {
            std::fs::write(root.join(name), b"of then").unwrap();
        }
        if let Some(content) = content {
            std::fs::write(root.join(NAME), content).unwrap();
        }
        let settled = settle(root).map_err(|it| it.message);
        assert_eq!(check(root).map_err(|it| it.message), settled);
        let is_kept = root.join("record").exists();
        assert_eq!(root.join("parts").exists(), is_kept);
        assert!(root.join("journal").exists());
        match expect {
            Ok(()) => {
                assert_eq!(settled, Ok(()));
                assert_eq!(std::fs::read_to_string(root.join(NAME)).unwrap(), "2\n");
                assert_eq!(is_kept, content == Some("2\n"), "{content:?}");
            }
            Err(words) => {
                assert!(settled.unwrap_err().contains(words));
                assert_eq!(std::fs::read_to_string(root.join(NAME)).ok().as_deref(), content);
                assert!(is_kept);
            }
        }
    }

    #[test]
    fn i1_newer_is_left_alone_and_older_is_forgotten() {
        check_format(None, Ok(()));
        check_format(Some(""), Ok(()));
        check_format(Some("0\n"), Ok(()));
        check_format(Some("1\n"), Ok(()));
        check_format(Some("garbage"), Ok(()));
        check_format(Some("2\n"), Ok(()));
        check_format(Some("3\n"), Err("newer forge (format 3, this one knows 2)"));
        check_format(Some("17 and more"), Err("format 17"));
        check_format(Some("99999999999999999999999"), Err("newer forge"));
    }
}
