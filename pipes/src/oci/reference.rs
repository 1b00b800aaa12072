//! Names of images as users type them: `ghcr.io/acme/hello:1.2.3` (distribution/reference, the grammar of its `Reference`).
//! Does not ask whether anything of that name exists.

use std::fmt;
use std::str::FromStr;

use forge_plugin::schemas::Digest;

const DOCKER_HUB: &str = "docker.io";
const LONGEST_TAG: usize = 128;
const LONGEST_REPOSITORY: usize = 255;

/// A repository on a registry, and in it a tag, a digest, both or neither. Always in full: `alpine` is
/// `docker.io/library/alpine`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    host: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// Why a text is no reference. Displays as a phrase for the user, `help` says what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadReference {
    message: String,
    /// What to write instead, where that is known.
    pub help: Option<String>,
}

impl Reference {
    /// The registry, with its port: `ghcr.io`, `localhost:5000`, `docker.io`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The repository on that registry: `acme/hello`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest.
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// Registry and repository: `ghcr.io/acme/hello`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.host, self.repository)
    }

    /// What follows `manifests/` in a request: the digest, else the tag, else `latest`.
    pub fn target(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, Some(tag)) => tag.clone(),
            (None, None) => "latest".to_owned(),
        }
    }

    /// Where the repository's API lies: `https://ghcr.io/v2/acme/hello`.
    pub fn api(&self) -> String {
        let host = if self.host == DOCKER_HUB { "registry-1.docker.io" } else { &self.host };
        format!("https://{host}/v2/{}", self.repository)
    }

    /// The same repository, with this tag and no digest.
    pub fn with_tag(&self, tag: &str) -> Result<Reference, BadReference> {
        check_tag(tag)?;
        Ok(Reference { tag: Some(tag.to_owned()), digest: None, ..self.clone() })
    }

    /// The same repository, with this digest and no tag.
    #[must_use]
    pub fn with_digest(&self, digest: Digest) -> Reference {
        Reference { tag: None, digest: Some(digest), ..self.clone() }
    }
}

/// Whether `tag` may be one: a letter, digit or `_`, then up to 127 of these, `.` and `-`.
pub fn check_tag(tag: &str) -> Result<(), BadReference> {
    let bad = |reason: &str| Err(BadReference::new(format!("`{tag}` is not a tag: {reason}")).help(TAG_HELP));
    let Some(first) = tag.chars().next() else { return bad("it is empty") };
    if matches!(first, '.' | '-') {
        return bad(&format!("it starts with `{first}`"));
    }
    if let Some(odd) = tag.chars().find(|it| !it.is_ascii_alphanumeric() && !matches!(it, '_' | '.' | '-')) {
        return bad(&format!("`{odd}` may not stand in it"));
    }
    if tag.len() > LONGEST_TAG {
        return bad(&format!("it is longer than {LONGEST_TAG} characters"));
    }
    Ok(())
}

const TAG_HELP: &str = "a tag is made of letters, digits, `_`, `.` and `-`, and starts with none of the last two";

impl FromStr for Reference {
    type Err = BadReference;

    fn from_str(text: &str) -> Result<Reference, BadReference> {
        if text.is_empty() {
            return Err(BadReference::new("an image reference is empty").help("write one as in `ghcr.io/acme/hello`"));
        }
        if let Some(rest) = ["https://", "http://"].iter().find_map(|scheme| text.strip_prefix(scheme)) {
            return Err(BadReference::new(format!("`{text}` is a URL, not an image reference"))
                .help(format!("write `{rest}`; plain http is set under `registries`")));
        }
        parse(text).map_err(|bad| if bad.is_about(text) { bad } else { bad.in_text(text) })
    }
}

fn parse(text: &str) -> Result<Reference, BadReference> {
    let (rest, digest) = split_digest(text)?;
    let (name, tag) = split_tag(rest);
    if let Some(tag) = tag {
        check_tag(tag)?;
    }
    let (host, path) = split_host(name);
    check_host(host)?;
    check_repository(path)?;
    let is_official = host == DOCKER_HUB && !path.contains('/');
    let repository = if is_official { format!("library/{path}") } else { path.to_owned() };
    Ok(Reference { host: host.to_owned(), repository, tag: tag.map(str::to_owned), digest })
}

fn split_digest(text: &str) -> Result<(&str, Option<Digest>), BadReference> {
    let Some((rest, digest)) = text.split_once('@') else { return Ok((text, None)) };
    match digest.parse() {
        Ok(digest) => Ok((rest, Some(digest))),
        Err(_) => Err(BadReference::new(format!("`{digest}` is not a digest"))
            .help("a digest is `sha256:` and 64 lower-case hex digits")),
    }
}

/// The last `:` starts a tag, unless a `/` follows: then it starts a port.
fn split_tag(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (text, None),
    }
}

/// What stands before the first `/` is a host only if it looks like one; else all is a repository of Docker Hub.
fn split_host(name: &str) -> (&str, &str) {
    match name.split_once('/') {
        Some(("index.docker.io", path)) => (DOCKER_HUB, path),
        Some((host, path)) if looks_like_host(host) => (host, path),
        _ => (DOCKER_HUB, name),
    }
}

fn looks_like_host(text: &str) -> bool {
    text == "localhost" || text.contains(['.', ':']) || text.contains(|it: char| it.is_ascii_uppercase())
}

fn check_host(host: &str) -> Result<(), BadReference> {
    let bad = || BadReference::new(format!("`{host}` is not a registry's host name"));
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, "")) => return check_address(address).ok_or_else(bad),
        Some((address, port)) => {
            (check_address(address).map(|()| "localhost").ok_or_else(bad)?, port.strip_prefix(':'))
        }
        None => host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port))),
    };
    let port_is_fine = port.is_none_or(|port| port.parse::<u16>().is_ok());
    if !port_is_fine || (port.is_none() && host.ends_with(']')) {
        return Err(bad().help("a port is a number below 65536"));
    }
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.split('.').all(is_label) { Ok(()) } else { Err(bad()) }
}

fn check_address(text: &str) -> Option<()> {
    text.parse::<std::net::Ipv6Addr>().ok().map(|_| ())
}

fn check_repository(repository: &str) -> Result<(), BadReference> {
    let bad = |reason: String| BadReference::new(format!("`{repository}` is not a repository: {reason}"));
    if repository.len() > LONGEST_REPOSITORY {
        return Err(bad(format!("it is longer than {LONGEST_REPOSITORY} characters")));
    }
    if repository.bytes().any(|it| it.is_ascii_uppercase()) {
        return Err(bad("it has capital letters".to_owned()).help(format!("write `{}`", repository.to_lowercase())));
    }
    match repository.split('/').find(|part| !is_path_component(part)) {
        Some("") => Err(bad("a part of it is empty".to_owned())),
        Some(part) => Err(bad(format!("`{part}` can't be a part of it"))
            .help("each part is lower-case letters and digits, separated by `.`, `_`, `__` or any number of `-`")),
        None => Ok(()),
    }
}

/// Runs of letters and digits, separated by one `.`, one or two `_`, or any number of `-`.
fn is_path_component(text: &str) -> bool {
    let is_word = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit();
    let is_separator = |it: &str| matches!(it, "" | "." | "_" | "__") || it.bytes().all(|it| it == b'-');
    text.starts_with(is_word) && text.ends_with(is_word) && text.split(is_word).all(is_separator)
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

impl BadReference {
    fn new(message: impl Into<String>) -> BadReference {
        BadReference { message: message.into(), help: None }
    }

    fn is_about(&self, text: &str) -> bool {
        self.message.starts_with(&format!("`{text}` "))
    }

    fn in_text(self, text: &str) -> BadReference {
        BadReference { message: format!("{} in `{text}`", self.message), ..self }
    }

    fn help(self, help: impl Into<String>) -> BadReference {
        BadReference { help: Some(help.into()), ..self }
    }
}

impl fmt::Display for BadReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for BadReference {}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &str) {
        let actual = match text.parse::<Reference>() {
            Ok(reference) => reference.to_string(),
            Err(bad) => match &bad.help {
                Some(help) => format!("{bad}; {help}"),
                None => bad.to_string(),
            },
        };
        assert_eq!(actual, expect);
    }

    #[test]
    fn in_full() {
        check("alpine", "docker.io/library/alpine");
        check("alpine:3.20", "docker.io/library/alpine:3.20");
        check("acme/hello", "docker.io/acme/hello");
        check("index.docker.io/alpine", "docker.io/library/alpine");
        check("ghcr.io/acme/hello:1.2.3", "ghcr.io/acme/hello:1.2.3");
        check("localhost/hello", "localhost/hello");
        check("localhost:5000/a/b__c/d---e.f", "localhost:5000/a/b__c/d---e.f");
        check("[::1]:5000/hello:v1", "[::1]:5000/hello:v1");
        check("Acme/hello", "Acme/hello");
        let digest = format!("sha256:{}", "ab".repeat(32));
        check(&format!("quay.io/a:t@{digest}"), &format!("quay.io/a:t@{digest}"));
    }

    #[test]
    fn what_is_wrong_and_what_to_write() {
        check("", "an image reference is empty; write one as in `ghcr.io/acme/hello`");
        check(
            "https://ghcr.io/acme/hello",
            "`https://ghcr.io/acme/hello` is a URL, not an image reference; \
             write `ghcr.io/acme/hello`; plain http is set under `registries`",
        );
        check(
            "ghcr.io/Acme/hello",
            "`Acme/hello` is not a repository: it has capital letters in `ghcr.io/Acme/hello`; write `acme/hello`",
        );
        check("ghcr.io//hello", "`/hello` is not a repository: a part of it is empty in `ghcr.io//hello`");
        check(
            "ghcr.io/a:1.2+3",
            "`1.2+3` is not a tag: `+` may not stand in it in `ghcr.io/a:1.2+3`; \
             a tag is made of letters, digits, `_`, `.` and `-`, and starts with none of the last two",
        );
        check(
            "ghcr.io/a:",
            "`` is not a tag: it is empty in `ghcr.io/a:`; \
             a tag is made of letters, digits, `_`, `.` and `-`, and starts with none of the last two",
        );
        check(
            "a@sha256:12",
            "`sha256:12` is not a digest in `a@sha256:12`; a digest is `sha256:` and 64 lower-case hex digits",
        );
        check(
            "host:99999/a",
            "`host:99999` is not a registry's host name in `host:99999/a`; a port is a number below 65536",
        );
        check(
            "ghcr.io/a_.b",
            "`a_.b` is not a repository: `a_.b` can't be a part of it in `ghcr.io/a_.b`; each part is lower-case \
             letters and digits, separated by `.`, `_`, `__` or any number of `-`",
        );
        check("Alpine", "`Alpine` is not a repository: it has capital letters; write `alpine`");
        check("-a.io/b", "`-a.io` is not a registry's host name in `-a.io/b`");
    }

    #[test]
    fn where_its_api_lies() {
        let api = |text: &str| text.parse::<Reference>().map(|it| format!("{}/manifests/{}", it.api(), it.target()));
        assert_eq!(api("alpine").unwrap(), "https://registry-1.docker.io/v2/library/alpine/manifests/latest");
        assert_eq!(api("ghcr.io/a:t").unwrap(), "https://ghcr.io/v2/a/manifests/t");
    }
}
