//! The manifest that every library carries, so that it can be judged before a byte of it is mapped; made at compile time.
//! Does not read manifests: the loader finds them in files.

use crate::abi::PLATFORM;

/// What stands before a line end and the JSON object.
pub const MARKER: &str = "FORGE-PLUGIN-MANIFEST-1";

/// What a plugin written in Rust says of itself.
pub struct Manifest {
    /// The plugin's name: lower-case letters, digits and `-`.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// What it was built from, where it goes with one build of forge only.
    pub build: Option<&'static str>,
    /// The names of its pipes.
    pub pipes: &'static [&'static str],
}

impl Manifest {
    /// How many bytes [`Manifest::bytes`] has.
    pub const fn size(&self) -> usize {
        self.write::<0>().len
    }

    /// Marker, line end and JSON object.
    pub const fn bytes<const N: usize>(&self) -> [u8; N] {
        self.write::<N>().bytes
    }

    const fn write<const N: usize>(&self) -> Text<N> {
        let mut text = Text { bytes: [0; N], len: 0 };
        text = text.push(MARKER).push("\n{\"name\":\"").push(plain(self.name));
        text = text.push("\",\"version\":\"").push(plain(self.version));
        text = text.push("\",\"abi\":\"1.0\",\"platform\":\"").all(PLATFORM, "");
        text = text.push("\",\"runtime\":\"rust\",\"sdk\":\"forge-plugin/").push(env!("CARGO_PKG_VERSION"));
        if let Some(build) = self.build {
            text = text.push("\",\"build\":\"").push(plain(build));
        }
        text.push("\",\"pipes\":[").all(self.pipes, "\"").push("]}")
    }
}

/// Counts what is pushed, and keeps as much of it as there is room for.
struct Text<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Text<N> {
    const fn push(mut self, text: &str) -> Text<N> {
        let mut at = 0;
        while at < text.len() {
            if self.len < N {
                self.bytes[self.len] = text.as_bytes()[at];
            }
            self.len += 1;
            at += 1;
        }
        self
    }

    /// These, one after the other; with a quote, as the members of a JSON array.
    const fn all(mut self, texts: &[&str], quote: &str) -> Text<N> {
        let mut at = 0;
        while at < texts.len() {
            if at > 0 && !quote.is_empty() {
                self = self.push(",");
            }
            self = self.push(quote).push(plain(texts[at])).push(quote);
            at += 1;
        }
        self
    }
}

/// Refuses, while compiling, what would have to be escaped in JSON.
const fn plain(text: &'_ str) -> &'_ str {
    let mut at = 0;
    while at < text.len() {
        let byte = text.as_bytes()[at];
        assert!(
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'+'),
            "names and versions in a manifest are letters, digits, `-`, `_`, `.` and `+`"
        );
        at += 1;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: Manifest =
        Manifest { name: "two", version: "1.0.0-rc.1", build: Some("b1"), pipes: &["build", "docker"] };
    const NONE: Manifest = Manifest { name: "none", version: "1.0.0", build: None, pipes: &[] };

    fn check(bytes: &[u8], pipes: &[&str], build: Option<&str>) {
        let text = std::str::from_utf8(bytes).unwrap();
        let json: serde_json::Value = serde_json::from_str(text.strip_prefix(MARKER).unwrap()).unwrap();
        assert_eq!(json["pipes"], serde_json::json!(pipes));
        assert_eq!(json["platform"], crate::abi::platform());
        assert_eq!(json["build"].as_str(), build);
    }

    #[test]
    fn is_one_json_object_after_the_marker() {
        check(&TWO.bytes::<{ TWO.size() }>(), &["build", "docker"], Some("b1"));
        check(&NONE.bytes::<{ NONE.size() }>(), &[], None);
    }
}
