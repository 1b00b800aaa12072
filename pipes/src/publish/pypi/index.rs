//! What an index of Python packages has: the simple API, as JSON (PEP 691) or as HTML (PEP 503).
//! Sends nothing.

use std::collections::BTreeMap;

use forge_plugin::Host;
use forge_plugin::schemas::{Digest, Failure, FailureClass, HttpRequest, Method};
use serde::Deserialize;

use super::super::language::There;
use super::Package;

/// That web pages are good too stands first, where the engine looks for it: otherwise they are those of a login.
const ACCEPT: &str = "text/html;q=0.1, application/vnd.pypi.simple.v1+html;q=0.2, application/vnd.pypi.simple.v1+json";

/// The files of a project, each with its SHA-256, where the index says that.
#[derive(Debug)]
pub struct Index {
    files: BTreeMap<String, Option<String>>,
    place: String,
}

#[derive(Deserialize)]
struct Page {
    files: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    filename: String,
    #[serde(default)]
    hashes: BTreeMap<String, String>,
}

impl Index {
    /// Asks for a project; `failed` is how often it has been asked for the same and was not as it should be.
    pub fn ask(package: &Package, host: &dyn Host, failed: u32) -> Result<Index, Failure> {
        let url = format!("{}/{}/", package.index, package.project);
        let request = HttpRequest { failed, ..HttpRequest::new(Method::Get, &*url).header("accept", ACCEPT) };
        let answer = host.http(&request)?;
        let files = match answer.status {
            200..300 => read(&answer.body).ok_or_else(|| no_index(&url))?,
            404 => BTreeMap::new(),
            status => {
                let class = if status >= 500 { FailureClass::Network } else { FailureClass::Refused };
                let message = format!("`{url}` does not say what is there: status {status}");
                return Err(Failure::new(class, message).help("is `index` the address that `pip --index-url` gets?"));
            }
        };
        Ok(Index { files, place: url })
    }

    /// What a file there hashes to.
    pub fn digest(&self, name: &str) -> Option<Digest> {
        let hash = self.files.get(name)?.as_ref()?;
        format!("sha256:{hash}").parse().ok()
    }

    /// What is there in the place of a file of ours.
    pub fn there(&self, name: &str, ours: Digest) -> Result<There, Failure> {
        match self.files.get(name) {
            None => Ok(There::Nothing),
            Some(Some(hash)) => Ok(There::by(Some(hash), &ours.hex())),
            Some(None) => {
                let message = format!("`{}` has `{name}`, and does not say what it hashes to", self.place);
                Err(Failure::new(FailureClass::Refused, message).help(
                    "whether it is ours can't be told: look at it, and leave this table out with `--skip` if it is",
                ))
            }
        }
    }
}

fn no_index(url: &str) -> Failure {
    Failure::new(FailureClass::Refused, format!("`{url}` answers with what is no list of files"))
        .help("is `index` the address that `pip --index-url` gets?")
}

fn read(body: &str) -> Option<BTreeMap<String, Option<String>>> {
    if body.trim_start().starts_with('{') {
        let page: Page = serde_json::from_str(body).ok()?;
        return Some(page.files.into_iter().map(|mut it| (it.filename, it.hashes.remove("sha256"))).collect());
    }
    // A page without a file of that kind is something else: that of a login.
    let files: BTreeMap<_, _> = body.split("href=").skip(1).filter_map(link).collect();
    files.keys().any(|it| [".whl", ".tar.gz", ".zip", ".egg"].iter().any(|end| it.ends_with(end))).then_some(files)
}

/// The file that a link is to, from behind its `href=`.
fn link(text: &str) -> Option<(String, Option<String>)> {
    let quote = text.chars().next().filter(|it| ['"', '\''].contains(it))?;
    let url = text[1..].split(quote).next()?;
    let (path, fragment) = url.split_once('#').unwrap_or((url, ""));
    let path = path.split('?').next().unwrap_or(path);
    let name = path.rsplit('/').next().filter(|it| !it.is_empty())?;
    let hash = fragment.split("&amp;").flat_map(|it| it.split('&')).find_map(|it| it.strip_prefix("sha256="));
    // What may be written otherwise in the name of a file (PEP 440: `1.0+local`).
    let name = name.replace("%2B", "+").replace("%2b", "+").replace("%21", "!");
    Some((name, hash.map(ToOwned::to_owned)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms() {
        let json =
            r#"{"files": [{"filename": "a-1.whl", "hashes": {"sha256": "00"}, "url": "x"}, {"filename": "a-2.whl"}]}"#;
        let html = r#"<html><a href="../../packages/a-1.whl#sha256=00">a</a><a data-yanked href='https://x/a-2.whl?q=1'>b</a></html>"#;
        let expect = BTreeMap::from([("a-1.whl".to_owned(), Some("00".to_owned())), ("a-2.whl".to_owned(), None)]);
        assert_eq!(read(json).unwrap(), expect);
        assert_eq!(read(html).unwrap(), expect);
        assert_eq!(read("busy"), None);
        assert_eq!(read("<html><a href=\"/login\">log in</a></html>"), None);
        assert_eq!(read("{}"), None);
    }
}
