//! What a registry of npm packages has: the integrity of a version (npm's registry API, "package metadata").
//! Sends nothing.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use forge_plugin::Host;
use forge_plugin::schemas::{Artifact, Failure, FailureClass, HttpRequest, Method};
use serde::Deserialize;
use sha2::{Digest as _, Sha512};

use super::super::language::There;
use super::Package;

/// The short form, which has all that is needed to install; some registries have but the long one.
const ACCEPT: &str = "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8";

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    versions: BTreeMap<String, Version>,
}

#[derive(Deserialize)]
struct Version {
    dist: Dist,
}

#[derive(Deserialize)]
struct Dist {
    #[serde(default)]
    integrity: String,
}

/// What is there in the place of our package.
pub fn there(package: &Package, ours: &Artifact, host: &dyn Host, failed: u32) -> Result<There, Failure> {
    let Some(theirs) = integrity(package, host, failed)? else { return Ok(There::Nothing) };
    if theirs.is_empty() {
        let message = format!("`{}` is there, and the registry does not say what it hashes to", package.place());
        return Err(Failure::new(FailureClass::Refused, message)
            .help("whether it is ours can't be told: look at it, and leave this table out with `--skip` if it is"));
    }
    let bytes = std::fs::read(&ours.path).map_err(|error| Failure::file("read", &ours.path, &error))?;
    Ok(There::by(Some(&theirs), &format!("sha512-{}", BASE64_STANDARD.encode(Sha512::digest(&bytes)))))
}

/// What the version that is to be published hashes to there, or nothing where that is not said; none where it is not there.
pub fn integrity(package: &Package, host: &dyn Host, failed: u32) -> Result<Option<String>, Failure> {
    let url = format!("{}/{}", package.registry, package.name.replace('/', "%2F"));
    let request = HttpRequest { failed, ..HttpRequest::new(Method::Get, &*url).header("accept", ACCEPT) };
    let answer = host.http(&request)?;
    let help = "is `registry` the address that `npm publish --registry` gets?";
    match answer.status {
        200..300 => {
            let metadata: Metadata = serde_json::from_str(&answer.body).map_err(|_| {
                Failure::new(FailureClass::Refused, format!("`{url}` answers with what is no package")).help(help)
            })?;
            Ok(metadata.versions.get(&package.version).map(|it| sha512(&it.dist.integrity)))
        }
        404 => Ok(None),
        status => {
            let class = if status >= 500 { FailureClass::Network } else { FailureClass::Refused };
            let message = format!("`{url}` does not say which versions there are: status {status}");
            Err(Failure::new(class, message).help(help))
        }
    }
}

/// Of several hashes (Subresource Integrity) the one that npm computes today.
fn sha512(integrity: &str) -> String {
    let found = integrity.split_whitespace().find(|it| it.starts_with("sha512-"));
    found.map(|it| it.split('?').next().unwrap_or(it)).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_hash() {
        assert_eq!(sha512("sha1-aa== sha512-bb==?x"), "sha512-bb==");
        assert_eq!(sha512("sha1-aa=="), "");
        assert_eq!(sha512(""), "");
    }
}
