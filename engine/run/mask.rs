//! Takes secrets out of what is said: of texts, of values, and of streams as they come, in every form a program may give them.
//! Does not know who says it, nor where it goes.

mod forms;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use aho_corasick::AhoCorasick;
use forge_schemas::Failure;
use serde_json::Value;

use super::secrets::{Secret, Secrets};

/// What stands where a secret was.
const MASKED: &str = "***";
/// The fewest bytes that are masked: what is shorter stands in half of all words.
pub const SHORTEST: usize = 8;
/// The fewest bytes that tell in a file of any sort that a secret is in it.
const TELLING: usize = 16;

/// Knows secrets, and takes them out of what is said. May learn more of them at any time.
#[derive(Default)]
pub struct Mask {
    patterns: RwLock<Arc<Patterns>>,
}

/// What is looked for.
#[derive(Default)]
struct Patterns {
    /// Whose each is.
    known: BTreeMap<Vec<u8>, String>,
    /// None while nothing is known.
    search: Option<AhoCorasick>,
}

/// A stream whose secrets are masked. It keeps back what may be the beginning of one.
pub struct Masked {
    patterns: Arc<Patterns>,
    kept: Vec<u8>,
    /// How many bytes at the start of `kept` belong to a secret that was masked already.
    covered: usize,
}

impl Mask {
    /// Of all secrets that are set.
    pub fn of(secrets: &Secrets) -> Mask {
        let mask = Mask::default();
        mask.learn(secrets.all());
        mask
    }

    /// From now on these are masked, too.
    pub fn learn<'s>(&self, secrets: impl IntoIterator<Item = (&'s str, &'s Secret)>) {
        // Two that learn at once must not forget what the other has learnt.
        let mut patterns = self.patterns.write().unwrap_or_else(PoisonError::into_inner);
        let mut known = patterns.known.clone();
        for (name, secret) in secrets {
            for form in forms::of(secret.reveal()) {
                known.entry(form).or_insert_with(|| name.to_owned());
            }
        }
        if known.len() == patterns.known.len() {
            return;
        }
        *patterns = Arc::new(Patterns::of(known));
    }

    /// The text without secrets.
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let patterns = self.patterns();
        if patterns.search.as_ref().is_none_or(|search| !search.is_match(text)) {
            return Cow::Borrowed(text);
        }
        let mut masked = Vec::new();
        let mut stream = Masked::with(patterns);
        stream.push(text.as_bytes(), &mut masked);
        stream.finish(&mut masked);
        Cow::Owned(String::from_utf8_lossy(&masked).into_owned())
    }

    /// The value with no secrets in its texts.
    pub fn value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text).into_owned()),
            Value::Array(items) => items.iter().map(|item| self.value(item)).collect(),
            Value::Object(keys) => {
                keys.iter().map(|(key, value)| (self.text(key).into_owned(), self.value(value))).collect()
            }
            other => other.clone(),
        }
    }

    /// The failure without secrets.
    pub fn failure(&self, failure: &Failure) -> Failure {
        Failure {
            class: failure.class,
            message: self.text(&failure.message).into_owned(),
            causes: failure.causes.iter().map(|it| self.text(it).into_owned()).collect(),
            help: failure.help.as_ref().map(|it| self.text(it).into_owned()),
            unreached: failure.unreached,
        }
    }

    /// The name of a secret of these that is in a file. Only one that is long enough to be nothing else is found.
    pub fn find_in(&self, path: &Path, names: &[String]) -> std::io::Result<Option<String>> {
        let patterns = self.patterns();
        let telling = patterns.known.iter().filter(|(form, name)| form.len() >= TELLING && names.contains(name));
        let (forms, names): (Vec<&Vec<u8>>, Vec<&String>) = telling.unzip();
        let Some(search) = search(&forms).filter(|_| !forms.is_empty()) else { return Ok(None) };
        let found = search.stream_find_iter(File::open(path)?).next().transpose()?;
        Ok(found.map(|found| names[found.pattern().as_usize()].clone()))
    }

    /// A stream to be masked.
    pub fn stream(&self) -> Masked {
        Masked::with(self.patterns())
    }

    fn patterns(&self) -> Arc<Patterns> {
        self.patterns.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Patterns {
    fn of(known: BTreeMap<Vec<u8>, String>) -> Patterns {
        let search = if known.is_empty() { None } else { search(&known.keys().collect::<Vec<_>>()) };
        Patterns { known, search }
    }

    /// How many bytes at the end of `bytes` may be the beginning of a secret.
    fn begun(&self, bytes: &[u8]) -> usize {
        let mut begun = 0;
        for form in self.known.keys() {
            let first = bytes.len().saturating_sub(form.len() - 1);
            let is_begun = |start: &usize| form[..bytes.len() - start].eq_ignore_ascii_case(&bytes[*start..]);
            if let Some(start) = (first..bytes.len() - begun).find(is_begun) {
                begun = bytes.len() - start;
            }
        }
        begun
    }
}

// Letters of another case are found as well: nobody can tell how a program writes what it was given.
fn search(forms: &[&Vec<u8>]) -> Option<AhoCorasick> {
    // It fails only for more patterns than memory can hold.
    AhoCorasick::builder().ascii_case_insensitive(true).build(forms).ok()
}

impl Masked {
    fn with(patterns: Arc<Patterns>) -> Masked {
        Masked { patterns, kept: Vec::new(), covered: 0 }
    }

    /// More of the stream. What of it is certain is added to `out`.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if self.patterns.search.is_none() {
            return out.extend_from_slice(bytes);
        }
        self.kept.extend_from_slice(bytes);
        let certain = self.kept.len() - self.patterns.begun(&self.kept);
        self.release(certain, out);
    }

    /// The stream has ended.
    pub fn finish(mut self, out: &mut Vec<u8>) {
        self.release(self.kept.len(), out);
    }

    // What overlaps is told once: a form of a secret within another.
    fn release(&mut self, certain: usize, out: &mut Vec<u8>) {
        if certain == 0 {
            return;
        }
        let mut told = 0;
        for (start, end) in self.secrets().into_iter().filter(|(start, _)| *start < certain) {
            out.extend_from_slice(&self.kept[told..start]);
            let is_told = start == 0 && self.covered > 0;
            if !is_told {
                out.extend_from_slice(MASKED.as_bytes());
            }
            told = end;
        }
        out.extend_from_slice(&self.kept[told.min(certain)..certain]);
        self.covered = told.saturating_sub(certain);
        self.kept.drain(..certain);
    }

    // Where in what is kept secrets are, none over another.
    fn secrets(&self) -> Vec<(usize, usize)> {
        let covered = (self.covered > 0).then_some((0, self.covered));
        let found = self.patterns.search.iter().flat_map(|search| search.find_overlapping_iter(&self.kept));
        let mut all: Vec<(usize, usize)> = covered.into_iter().chain(found.map(|it| (it.start(), it.end()))).collect();
        all.sort_unstable();
        let mut apart: Vec<(usize, usize)> = Vec::new();
        for (start, end) in all {
            match apart.last_mut() {
                Some(last) if start < last.1 => last.1 = last.1.max(end),
                _ => apart.push((start, end)),
            }
        }
        apart
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANARY: &str = "tök&n/7 \"canary\"+<x>";
    const KEY: &str = "-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQ==\n-----END KEY-----";

    fn mask(secrets: &[&str]) -> Mask {
        let secrets: Vec<Secret> = secrets.iter().map(|it| Secret::new(*it)).collect();
        let mask = Mask::default();
        mask.learn(secrets.iter().map(|secret| ("it", secret)));
        mask
    }

    /// However the text is cut into pieces, the same comes out.
    fn check(secrets: &[&str], text: &str, expect: &str) {
        let mask = mask(secrets);
        assert_eq!(mask.text(text), expect);
        for size in 1..=text.len() {
            let mut stream = mask.stream();
            let mut out = Vec::new();
            text.as_bytes().chunks(size).for_each(|piece| stream.push(piece, &mut out));
            stream.finish(&mut out);
            assert_eq!(String::from_utf8_lossy(&out), expect, "in pieces of {size}");
        }
    }

    #[test]
    fn as_it_is() {
        check(&[CANARY], &format!("a {CANARY} b {CANARY}{CANARY}"), "a *** b ******");
        check(&[CANARY], &format!("a {} b", CANARY.to_uppercase().replace('Ö', "ö")), "a *** b");
        check(&["abcdefgh", "efghijkl"], "<abcdefghijkl> <abcdefgi>", "<***> <abcdefgi>");
        check(&["aaaaaaaa"], &"a".repeat(100), "***");
        check(&["abcdefgh", "bcdefghX12345"], "abcdefghX12346", "***X12346");
        check(&[], "a", "a");
    }

    #[test]
    fn of_many_lines() {
        check(&[KEY], &format!("<{KEY}>"), "<***>");
        check(&[KEY], &KEY.replace('\n', "\r\n| "), "***\r\n| ***\r\n| ***\r\n| ***");
        check(&[KEY], "| hkiG9w0BAQ== |", "| *** |");
        check(&[KEY], &KEY.replace('\n', "\\n"), "***");
    }

    #[test]
    fn what_is_too_short_is_left() {
        check(&["seven77"], "seven77", "seven77");
        check(&["a\nb\nc\nd\ne"], "a b a\nb\nc\nd\ne", "a b ***");
    }

    #[test]
    fn nothing_waits_that_can_not_be_a_secret() {
        let mask = mask(&[CANARY, KEY]);
        let mut stream = mask.stream();
        let mut out = Vec::new();
        stream.push(b"ready\n", &mut out);
        assert_eq!(out, b"ready\n");
        stream.push("tök".as_bytes(), &mut out);
        assert_eq!(out, b"ready\n");
        stream.push(b"en.\n", &mut out);
        assert_eq!(out, "ready\ntöken.\n".as_bytes());
    }

    #[test]
    fn values_and_files() {
        let mask = mask(&[CANARY, "password"]);
        let value = serde_json::json!({ "a": [CANARY, 1], "b": { "url": "https://u:password@host" } });
        assert_eq!(mask.value(&value).to_string(), r#"{"a":["***",1],"b":{"url":"https://u:***@host"}}"#);
        let file = tempfile::NamedTempFile::new().unwrap();
        let names = ["it".to_owned()];
        let found = |bytes: &[u8]| {
            std::fs::write(file.path(), bytes).unwrap();
            mask.find_in(file.path(), &names).unwrap()
        };
        assert_eq!(found(format!("\0\u{ff}{CANARY}\0").as_bytes()).as_deref(), Some("it"));
        assert_eq!(found(b"every program has a password in it"), None);
    }
}
