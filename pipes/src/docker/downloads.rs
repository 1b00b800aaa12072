//! Files that `ADD` takes from elsewhere: fetched by a step of their own, so that the image knows them by their content.
//! Does not know where they go in the image.

use std::fs;

use forge_plugin::Host;
use forge_plugin::schemas::kind::Kind;
use forge_plugin::schemas::{Digest, Emit, Failure, FailureClass, HttpRequest, Method};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A file that lies elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Download {
    /// Where.
    pub url: String,
    /// What it must be, where that is known.
    pub checksum: Option<Digest>,
}

/// `remote_file`: a file that was fetched. The content is the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RemoteFile {
    /// Where it lies.
    pub url: String,
}

impl Kind for RemoteFile {
    const NAME: &'static str = "remote_file";
}

impl Download {
    /// What it is called in a directory: the last part of its path.
    pub fn file_name(&self) -> String {
        let path = url::Url::parse(&self.url).ok().map(|url| url.path().to_owned()).unwrap_or_default();
        match path.trim_end_matches('/').rsplit('/').next() {
            None | Some("" | ".") => "__unnamed__".to_owned(),
            Some(name) => name.to_owned(),
        }
    }
}

/// Whether a source is a file that lies elsewhere.
pub fn is_url(source: &str) -> bool {
    source.starts_with("http://") || source.starts_with("https://")
}

/// Whether a source is a git repository.
pub fn is_git(source: &str) -> bool {
    let (address, _) = source.split_once('#').unwrap_or((source, ""));
    let (address, _) = address.split_once('?').unwrap_or((address, ""));
    ["git@", "git://", "ssh://"].iter().any(|it| source.starts_with(it)) || is_url(source) && address.ends_with(".git")
}

/// Fetches it, and emits it under the name that the step declares.
pub fn fetch(download: &Download, name: &str, host: &dyn Host) -> Result<(), Failure> {
    let path = host.dir().join("file");
    let request = HttpRequest {
        to_file: Some(path.clone()),
        digest: download.checksum,
        ..HttpRequest::new(Method::Get, download.url.clone())
    };
    let answer = host.http(&request)?;
    if !answer.is_success() {
        let message = format!("`{}` can't be had: status {}", download.url, answer.status);
        let class = if answer.status >= 500 { FailureClass::Network } else { FailureClass::Refused };
        return Err(Failure::new(class, message));
    }
    if !path.exists() {
        fs::write(&path, b"").map_err(|error| Failure::file("write", &path, &error))?;
    }
    let detail = serde_json::to_value(RemoteFile { url: download.url.clone() });
    let detail = detail.map_err(|error| Failure::bug(error.to_string()))?;
    host.emit(&Emit { name: name.to_owned(), path, blobs: Vec::new(), detail })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sources_are() {
        let check = |source: &str, expect: &str| {
            let name = Download { url: source.to_owned(), checksum: None }.file_name();
            let shown = format!("url {} git {} {name}", is_url(source), is_git(source));
            assert_eq!(shown, expect, "of {source}");
        };
        check("https://x.org/a/b.tgz?c=d#e", "url true git false b.tgz");
        check("http://x.org", "url true git false __unnamed__");
        check("http://x.org/a/", "url true git false a");
        check("https://x.org/a.git#main", "url true git true a.git");
        check("git@x.org:a/b", "url false git true __unnamed__");
        check("a/b", "url false git false __unnamed__");
    }
}
