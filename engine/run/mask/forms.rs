//! The forms in which a secret may be written: as it is, in base64, in URLs, in JSON, in hexadecimal.
//! Does not look for them.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::{SHORTEST, TELLING};

/// What URLs leave as it is beside letters and digits: by RFC 3986, in a path, by JavaScript, in a form.
const UNRESERVED: [&str; 4] = ["-_.~", "-_.~/", "-_.~!*'()", "-_.*"];
/// Where programs break lines of base64: MIME, and PEM.
const LINES: [usize; 2] = [76, 64];

/// All forms of a secret that are long enough to be looked for: of the whole, and of each of its lines.
pub fn of(secret: &str) -> BTreeSet<Vec<u8>> {
    let mut forms = BTreeSet::new();
    let texts = [secret].into_iter().chain(secret.lines().map(str::trim)).chain(parts_of_address(secret));
    for text in texts.filter(|it| is_long_enough(it)) {
        forms.insert(text.to_owned());
        forms.extend(json(text));
        forms.extend(url(text));
        forms.insert(hexadecimal(text));
        forms.extend(base64(text));
    }
    forms.into_iter().filter(|form| is_long_enough(form)).map(String::into_bytes).collect()
}

/// How an address is told of in a log: without what stands before its host, or behind `?`; and its path alone, which is where
/// the word lies that nobody is to know. A path as short as `/releases` is none.
fn parts_of_address(secret: &str) -> impl Iterator<Item = &str> {
    let address = secret.trim();
    let shown = address.split(['?', '#']).next().unwrap_or(address);
    let rest = shown.split_once("://").map(|(_, rest)| rest);
    let path = rest.and_then(|rest| rest.find('/').map(|at| &rest[at..])).filter(|path| path.len() >= TELLING);
    [rest.map(|_| shown), path].into_iter().flatten()
}

fn is_long_enough(text: &str) -> bool {
    text.len() >= SHORTEST
}

/// Within quotes; as most write it, and as those do who fear HTML.
fn json(text: &str) -> [String; 3] {
    let quoted = serde_json::to_string(text).unwrap_or_default();
    let plain = quoted[1..quoted.len() - 1].to_owned();
    let careful = plain.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
    let ascii = plain.chars().fold(String::new(), |mut ascii, letter| {
        match letter.is_ascii() {
            true => ascii.push(letter),
            false => letter.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
                let _ = write!(ascii, "\\u{unit:04x}");
            }),
        }
        ascii
    });
    [plain, careful, ascii]
}

fn url(text: &str) -> impl Iterator<Item = String> {
    UNRESERVED.iter().flat_map(move |kept| {
        let encoded = text.bytes().fold(String::new(), |mut encoded, byte| {
            match byte.is_ascii_alphanumeric() || kept.as_bytes().contains(&byte) {
                true => encoded.push(char::from(byte)),
                false => {
                    let _ = write!(encoded, "%{byte:02X}");
                }
            }
            encoded
        });
        [encoded.replace("%20", "+"), encoded]
    })
}

fn hexadecimal(text: &str) -> String {
    text.bytes().fold(String::new(), |mut hexadecimal, byte| {
        let _ = write!(hexadecimal, "{byte:02x}");
        hexadecimal
    })
}

/// The letters that the text alone decides, wherever it stands in what is encoded; and, for what is encoded by itself, the
/// lines that it is broken into.
fn base64(text: &str) -> BTreeSet<String> {
    let mut forms = BTreeSet::new();
    for encode in [|bytes: Vec<u8>| STANDARD_NO_PAD.encode(bytes), |bytes: Vec<u8>| URL_SAFE_NO_PAD.encode(bytes)] {
        for before in 0..3 {
            let encoded = encode([&vec![0; before], text.as_bytes()].concat());
            let first = (before * 8).div_ceil(6);
            let last = (before + text.len()) * 8 / 6;
            forms.insert(encoded[first..last].to_owned());
        }
        let whole = encode(text.into());
        for line in LINES.iter().flat_map(|length| whole.as_bytes().chunks(*length)) {
            forms.insert(String::from_utf8_lossy(line).into_owned());
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "tök&n/7 \"canary\"+<x>";

    fn check(written: &str) {
        let forms = of(SECRET);
        let is_in = |form: &Vec<u8>| String::from_utf8_lossy(form).eq_ignore_ascii_case(written);
        assert!(forms.iter().any(is_in), "{written}");
    }

    #[test]
    fn as_programs_write_it() {
        check(SECRET);
        check(r#"tök&n/7 \"canary\"+<x>"#);
        check(r#"tök\u0026n/7 \"canary\"+\u003cx\u003e"#);
        check(r#"t\u00f6k&n/7 \"canary\"+<x>"#);
        check("t%C3%B6k%26n%2F7%20%22canary%22%2B%3Cx%3E");
        check("t%c3%b6k%26n/7%20%22canary%22%2b%3cx%3e");
        check("t%C3%B6k%26n%2F7+%22canary%22%2B%3Cx%3E");
        check("74c3b66b266e2f37202263616e617279222b3c783e");
    }

    #[test]
    fn addresses_as_logs_tell_of_them() {
        let check = |secret: &str, expect: &[&str]| {
            let forms = of(secret);
            for told in expect {
                assert!(forms.contains(told.as_bytes()), "{told}");
            }
        };
        let hook = "https://hooks.example.org/api/T0/B0/s3cret";
        check(&format!("{hook}?wait=true\n"), &[hook, "/api/T0/B0/s3cret"]);
        check(hook, &[hook, "/api/T0/B0/s3cret"]);
        assert!(!of("https://example.org/releases").contains(&b"/releases"[..]));
    }

    #[test]
    fn base64_wherever_it_stands() {
        let forms = of(SECRET);
        for (before, after) in [("", ""), ("u:", ""), ("a", "b"), ("user:", "xyz"), ("ab", "c")] {
            let encoded = STANDARD_NO_PAD.encode(format!("{before}{SECRET}{after}"));
            let is_in = |form: &Vec<u8>| encoded.contains(&*String::from_utf8_lossy(form));
            let longest = forms.iter().filter(|form| is_in(form)).map(Vec::len).max().unwrap_or_default();
            // All but the letters that neighbours share in.
            assert!(longest >= SECRET.len() * 8 / 6 - 1, "{before} {after}: {longest}");
        }
    }

    #[test]
    fn base64_in_lines() {
        let long = "0123456789abcdef".repeat(10);
        let forms = of(&long);
        let encoded = STANDARD_NO_PAD.encode(&long);
        for length in LINES {
            for line in encoded.as_bytes().chunks(length).filter(|line| line.len() >= SHORTEST) {
                assert!(forms.contains(line), "{}", String::from_utf8_lossy(line));
            }
        }
    }
}
