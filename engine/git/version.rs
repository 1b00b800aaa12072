//! Tags as versions: `v1.2.3` or `1.2.3` (semver 2.0.0, section 2).
//! Does not know git.

use semver::Version;

/// Why a tag is not a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BadVersion {
    /// What is wrong with it.
    pub what: String,
    /// A tag like it that is one.
    pub instead: String,
}

/// The version that `tag` says.
pub(super) fn parse(tag: &str) -> Result<Version, BadVersion> {
    let text = tag.strip_prefix('v').unwrap_or(tag);
    Version::parse(text).map_err(|error| explain(text, &error))
}

/// The highest version of `tags`, and its tag. Of two equal ones the first.
pub(super) fn newest(tags: &[String]) -> Option<(&str, Version)> {
    let versions = tags.iter().filter_map(|tag| Some((tag.as_str(), parse(tag).ok()?)));
    versions.reduce(|best, next| if next.1 > best.1 { next } else { best })
}

/// The version of what was never tagged.
pub(super) fn zero() -> Version {
    Version::new(0, 0, 0)
}

/// A tag that could follow `tag`.
pub(super) fn after(tag: &str) -> String {
    match parse(tag) {
        Ok(version) if version.pre.is_empty() => {
            format!("v{}", Version::new(version.major, version.minor, version.patch.saturating_add(1)))
        }
        Ok(version) => format!("v{}", Version::new(version.major, version.minor, version.patch)),
        Err(bad) => bad.instead,
    }
}

fn explain(text: &str, error: &semver::Error) -> BadVersion {
    let core = text.split(['-', '+']).next().unwrap_or_default();
    let rest = &text[core.len()..];
    let numbers: Vec<&str> = core.split('.').collect();
    let are_numbers = numbers.iter().all(|number| !number.is_empty() && number.bytes().all(|it| it.is_ascii_digit()));
    let example = || "v1.2.3".to_owned();
    let (what, instead) = match numbers.len() {
        _ if !are_numbers => ("it does not begin with three numbers".to_owned(), example()),
        1 => ("it has one number, a version has three".to_owned(), format!("v{core}.0.0{rest}")),
        2 => ("it has two numbers, a version has three".to_owned(), format!("v{core}.0{rest}")),
        3 => match numbers.iter().find(|number| number.len() > 1 && number.starts_with('0')) {
            Some(number) => (format!("`{number}` begins with a zero"), format!("v{}{rest}", without_zeros(&numbers))),
            None => (error.to_string(), format!("v{core}")),
        },
        many => (format!("it has {many} numbers, a version has three"), format!("v{}", numbers[..3].join("."))),
    };
    match Version::parse(instead.trim_start_matches('v')) {
        Ok(_) => BadVersion { what, instead },
        Err(_) => BadVersion { what, instead: example() },
    }
}

fn without_zeros(numbers: &[&str]) -> String {
    let numbers = numbers.iter().map(|number| match number.trim_start_matches('0') {
        "" => "0",
        number => number,
    });
    numbers.collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(tag: &str, expect: &str) {
        let actual = match parse(tag) {
            Ok(version) => format!("{version}, then {}", after(tag)),
            Err(bad) => format!("{}; {}", bad.what, bad.instead),
        };
        assert_eq!(actual, expect, "{tag}");
    }

    #[test]
    fn tags() {
        check("v1.2.3", "1.2.3, then v1.2.4");
        check("1.2.3-rc.1+b", "1.2.3-rc.1+b, then v1.2.3");
        check("v1.2", "it has two numbers, a version has three; v1.2.0");
        check("v1.2-rc1", "it has two numbers, a version has three; v1.2.0-rc1");
        check("1", "it has one number, a version has three; v1.0.0");
        check("v1.2.3.4", "it has 4 numbers, a version has three; v1.2.3");
        check("v1.02.3-x", "`02` begins with a zero; v1.2.3-x");
        check("nightly", "it does not begin with three numbers; v1.2.3");
        check("", "it does not begin with three numbers; v1.2.3");
        check("vv1.2.3", "it does not begin with three numbers; v1.2.3");
        check("v1.2.3-", "empty identifier segment in pre-release identifier; v1.2.3");
        check("v99999999999999999999.0.0", "value of major version number exceeds u64::MAX; v1.2.3");
    }

    #[test]
    fn the_highest_of_several() {
        let tags = ["latest", "v1.10.0", "v1.9.0", "v1.10.0-rc.1"].map(str::to_owned);
        assert_eq!(newest(&tags).map(|(tag, _)| tag), Some("v1.10.0"));
        assert_eq!(newest(&["latest".to_owned()]), None);
    }
}
