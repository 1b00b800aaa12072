//! The filters of templates that minijinja does not have: versions, dates, paths, texts.
//! Does not know where a template stands, and asks nothing of the world.

use std::path::Path;
use std::str::FromStr;

use forge_schemas::Digest;
use jiff::Timestamp;
use jiff::fmt::strtime;
use minijinja::{Environment, Error, ErrorKind, Value};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use regex::Regex;
use semver::{BuildMetadata, Prerelease, Version};

/// A filter, as the manual tells of it.
pub struct Filter {
    /// Its name.
    pub name: &'static str,
    /// What it gives.
    pub about: &'static str,
    /// A template with it.
    pub example: &'static str,
    add: fn(&mut Environment<'static>, &'static str),
}

/// All of them.
pub const FILTERS: &[Filter] = &[
    Filter {
        name: "inc_major",
        about: "the next version that may break things",
        example: "{{ '1.2.3' | inc_major }}",
        add: |engine, name| engine.add_filter(name, |text: &str| next(text, Part::Major)),
    },
    Filter {
        name: "inc_minor",
        about: "the next version that may have more",
        example: "{{ '1.2.3' | inc_minor }}",
        add: |engine, name| engine.add_filter(name, |text: &str| next(text, Part::Minor)),
    },
    Filter {
        name: "inc_patch",
        about: "the next version that mends things; a leading `v` stays, a prerelease does not",
        example: "{{ 'v1.2.3-rc.1' | inc_patch }}",
        add: |engine, name| engine.add_filter(name, |text: &str| next(text, Part::Patch)),
    },
    Filter {
        name: "date",
        about: "a time (RFC 3339, or seconds since 1970) in UTC, written as strftime(3) does; `%Y-%m-%d` where no form is given",
        example: "{{ commit_time | date('%d.%m.%Y') }}",
        add: |engine, name| engine.add_filter(name, date),
    },
    Filter {
        name: "trim_prefix",
        about: "without these characters at the beginning",
        example: "{{ 'v1.2.3' | trim_prefix('v') }}",
        add: |engine, name| {
            engine.add_filter(name, |text: &str, prefix: &str| text.strip_prefix(prefix).unwrap_or(text).to_owned());
        },
    },
    Filter {
        name: "trim_suffix",
        about: "without these characters at the end",
        example: "{{ 'hello.exe' | trim_suffix('.exe') }}",
        add: |engine, name| {
            engine.add_filter(name, |text: &str, suffix: &str| text.strip_suffix(suffix).unwrap_or(text).to_owned());
        },
    },
    Filter {
        name: "regex_replace",
        about: "with every match of a regular expression replaced; `$1` stands for its first group",
        example: "{{ 'feature/x_1' | regex_replace('[^a-z0-9]+', '-') }}",
        add: |engine, name| engine.add_filter(name, regex_replace),
    },
    Filter {
        name: "base_name",
        about: "the last part of a path",
        example: "{{ 'cmd/hello' | base_name }}",
        add: |engine, name| engine.add_filter(name, |text: &str| part(Path::new(text).file_name())),
    },
    Filter {
        name: "dir_name",
        about: "a path without its last part",
        example: "{{ 'cmd/hello' | dir_name }}",
        add: |engine, name| engine.add_filter(name, |text: &str| part(Path::new(text).parent().map(Path::as_os_str))),
    },
    Filter {
        name: "english_list",
        about: "a list as one writes it in a sentence",
        example: "{{ ['deb', 'rpm', 'apk'] | english_list }}",
        add: |engine, name| engine.add_filter(name, |list: &Value| english_list(list)),
    },
    Filter {
        name: "escape_telegram",
        about: "with the characters escaped that Telegram's MarkdownV2 takes for marks",
        example: "{{ 'hello 1.2.3!' | escape_telegram }}",
        add: |engine, name| engine.add_filter(name, escape_telegram),
    },
    Filter {
        name: "url_encode",
        about: "as a part of a URL: what may not stand there is written as `%` and two digits (RFC 3986, 2.1)",
        example: "{{ 'a b/c' | url_encode }}",
        add: |engine, name| engine.add_filter(name, |text: &str| utf8_percent_encode(text, UNRESERVED).to_string()),
    },
    Filter {
        name: "sha256",
        about: "the sha256 of a text, in hexadecimal",
        example: "{{ 'hello' | sha256 }}",
        add: |engine, name| engine.add_filter(name, |text: &str| Digest::of(text.as_bytes()).hex()),
    },
];

/// Filters of minijinja that a name may need. It has more, and does not list them.
pub const BUILTIN: &[&str] =
    &["default", "first", "int", "join", "last", "length", "lower", "replace", "split", "title", "trim", "upper"];

/// Adds all of them.
pub fn add(engine: &mut Environment<'static>) {
    for filter in FILTERS {
        (filter.add)(engine, filter.name);
    }
}

enum Part {
    Major,
    Minor,
    Patch,
}

fn next(text: &str, part: Part) -> Result<String, Error> {
    let (v, number) = if let Some(number) = text.strip_prefix('v') { ("v", number) } else { ("", text) };
    let version =
        Version::parse(number).map_err(|error| wrong(format!("`{text}` is not a version (semver.org): {error}")))?;
    let Version { major, minor, patch, .. } = version;
    let (major, minor, patch) = match part {
        Part::Major => (major.saturating_add(1), 0, 0),
        Part::Minor => (major, minor.saturating_add(1), 0),
        Part::Patch => (major, minor, patch.saturating_add(1)),
    };
    let (pre, build) = (Prerelease::EMPTY, BuildMetadata::EMPTY);
    Ok(format!("{v}{}", Version { major, minor, patch, pre, build }))
}

fn date(time: &Value, form: Option<&str>) -> Result<String, Error> {
    let read = match time.as_i64() {
        Some(seconds) => Timestamp::from_second(seconds),
        None => Timestamp::from_str(time.as_str().unwrap_or_default()),
    };
    let time = read.map_err(|_| wrong(format!("`{time}` is no time: write it as in 2026-01-31T12:00:00Z")))?;
    strtime::format(form.unwrap_or("%Y-%m-%d"), time)
        .map_err(|error| wrong(format!("`{}` is no form of a time: {error}", form.unwrap_or_default())))
}

/// What a pattern may cost once it is compiled, in bytes.
const PATTERN: usize = 1 << 18;

fn regex_replace(text: &str, pattern: &str, by: &str) -> Result<String, Error> {
    let regex = regex::RegexBuilder::new(pattern).size_limit(PATTERN).build();
    let regex: Regex = regex.map_err(|error| {
        let error = error.to_string();
        wrong(format!("`{pattern}` is no regular expression: {}", error.lines().last().unwrap_or_default().trim()))
    })?;
    Ok(regex.replace_all(text, by).into_owned())
}

fn part(part: Option<&std::ffi::OsStr>) -> String {
    part.map(|it| it.to_string_lossy().into_owned()).unwrap_or_default()
}

fn english_list(list: &Value) -> Result<String, Error> {
    let words: Vec<String> = list.try_iter()?.map(|it| it.to_string()).collect();
    Ok(match words.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [one, other] => format!("{one} and {other}"),
        [most @ .., last] => format!("{}, and {last}", most.join(", ")),
    })
}

/// Telegram Bot API, "MarkdownV2 style".
fn escape_telegram(text: &str) -> String {
    let escaped = text.chars().map(|it| match it {
        '_' | '*' | '[' | ']' | '(' | ')' | '~' | '`' | '>' | '#' | '+' | '-' | '=' | '|' | '{' | '}' | '.' | '!' => {
            format!("\\{it}")
        }
        it => it.to_string(),
    });
    escaped.collect()
}

/// RFC 3986, 2.3: what is encoded nowhere.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn wrong(message: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(template: &str, expect: &str) {
        let mut engine = Environment::new();
        add(&mut engine);
        let names = minijinja::context! { commit_time => "2026-01-31T12:00:00Z", commit_timestamp => 1_769_860_800 };
        let rendered = engine.render_str(template, names);
        let rendered = rendered.unwrap_or_else(|error| error.detail().unwrap_or_default().to_owned());
        assert_eq!(rendered, expect, "{template}");
    }

    #[test]
    fn versions() {
        check("{{ 'v1.2.3-rc.1+5' | inc_patch }}", "v1.2.4");
        check("{{ '1.2.3' | inc_minor }} {{ '1.2.3' | inc_major }}", "1.3.0 2.0.0");
        check(
            "{{ '1.2' | inc_patch }}",
            "`1.2` is not a version (semver.org): unexpected end of input while parsing minor version number",
        );
        check("{{ '18446744073709551615.0.0' | inc_major }}", "18446744073709551615.0.0");
    }

    #[test]
    fn dates() {
        check("{{ commit_time | date }} {{ commit_timestamp | date('%Y%m%d') }}", "2026-01-31 20260131");
        check("{{ 'now' | date }}", "`now` is no time: write it as in 2026-01-31T12:00:00Z");
        check(
            "{{ commit_time | date('%!') }}",
            "`%!` is no form of a time: strftime formatting failed: found unrecognized specifier directive `!`",
        );
    }

    #[test]
    fn texts() {
        check("{{ 'v1' | trim_prefix('v') }}{{ 'a.exe' | trim_suffix('.exe') }}{{ 'b' | trim_suffix('x') }}", "1ab");
        check("{{ 'a/b c' | regex_replace('[^a-z]+', '-') }}", "a-b-c");
        check("{{ 'ab' | regex_replace('(a)(b)', '$2$1') }}", "ba");
        check("{{ 'x' | regex_replace('(', '') }}", "`(` is no regular expression: error: unclosed group");
        check("{{ 'a/b/c.txt' | base_name }} {{ 'a/b/c.txt' | dir_name }}", "c.txt a/b");
        check(
            "{{ [] | english_list }}{{ ['a', 'b'] | english_list }}; {{ ['a', 'b', 'c'] | english_list }}",
            "a and b; a, b, and c",
        );
        check("{{ 'v1.0!' | escape_telegram }}", "v1\\.0\\!");
        check("{{ 'a b/ä' | url_encode }}", "a%20b%2F%C3%A4");
        check("{{ '' | sha256 }}", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
