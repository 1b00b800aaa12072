//! What a sparse index has (The Cargo Book, "Registry Index"): the checksum of each version of a crate.
//! Sends nothing.

use forge_plugin::Host;
use forge_plugin::schemas::{Digest, Failure, FailureClass, HttpRequest, Method};
use serde::Deserialize;

use super::super::language::There;
use super::Crates;

const CRATES_IO: &str = "sparse+https://index.crates.io/";

/// A line of an index: one version.
#[derive(Debug, Deserialize)]
struct Line {
    vers: String,
    cksum: String,
}

/// What is there in the place of a crate of ours.
pub fn there(crates: &Crates, name: &str, ours: Digest, host: &dyn Host, failed: u32) -> Result<There, Failure> {
    let theirs = digest(crates, name, host, failed)?.map(|it| it.to_string());
    Ok(There::by(theirs.as_deref(), &ours.to_string()))
}

/// What the version that is to be published hashes to there; none where it is not there.
pub fn digest(crates: &Crates, name: &str, host: &dyn Host, failed: u32) -> Result<Option<Digest>, Failure> {
    let index = crates.registry.as_ref().map_or(CRATES_IO, |it| it.index.as_str());
    let url = format!("{}{}", index.trim_start_matches("sparse+"), path_of(name));
    let answer = host.http(&HttpRequest { failed, ..HttpRequest::new(Method::Get, &*url) })?;
    match answer.status {
        200..300 => {
            let sum = find(&answer.body, &crates.version).map_err(|_| no_index(&url))?;
            sum.map(|it| format!("sha256:{it}").parse().map_err(|_| no_index(&url))).transpose()
        }
        // "The server must respond with a 404, 410 or 451" for a crate that it does not have.
        404 | 410 | 451 => Ok(None),
        status => {
            let class = if status >= 500 { FailureClass::Network } else { FailureClass::Refused };
            let message = format!("`{url}` does not say which versions there are: status {status}");
            Err(Failure::new(class, message).help("is `index` the address that cargo has of this registry?"))
        }
    }
}

/// A checksum, where there is that version.
fn find(body: &str, version: &str) -> Result<Option<String>, serde_json::Error> {
    let mut found = None;
    for line in body.lines().filter(|it| !it.trim().is_empty()) {
        let line: Line = serde_json::from_str(line)?;
        // What follows a `+` does not tell versions apart.
        if line.vers.split('+').next() == version.split('+').next() {
            found = Some(line.cksum);
        }
    }
    Ok(found)
}

fn no_index(url: &str) -> Failure {
    Failure::new(FailureClass::Refused, format!("`{url}` answers with what is no list of versions"))
        .help("is `index` the address that cargo has of this registry?")
}

/// Where a crate's file is (RFC 2789; The Cargo Book, "Index files").
fn path_of(name: &str) -> String {
    let name = name.to_lowercase();
    match name.len() {
        1 | 2 => format!("{}/{name}", name.len()),
        3 => format!("3/{}/{name}", &name[..1]),
        _ => format!("{}/{}/{name}", &name[..2], &name[2..4]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_files_are() {
        for (name, expect) in [("a", "1/a"), ("ab", "2/ab"), ("Abc", "3/a/abc"), ("cargo", "ca/rg/cargo")] {
            assert_eq!(path_of(name), expect);
        }
    }

    #[test]
    fn what_a_version_hashes_to() {
        let body = "{\"name\":\"a\",\"vers\":\"1.2.2\",\"cksum\":\"00\"}\n{\"name\":\"a\",\"vers\":\"1.2.3\",\"cksum\":\"11\",\"yanked\":true}\n";
        let check = |version: &str| find(body, version).unwrap();
        assert_eq!(check("1.2.3"), Some("11".to_owned()));
        assert_eq!(check("1.2.2+linux"), Some("00".to_owned()));
        assert_eq!(check("1.2.4"), None);
        assert!(find("<html>", "1.2.3").is_err());
    }
}
