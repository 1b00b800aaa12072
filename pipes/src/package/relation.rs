//! What a package says of others: a name, and which versions of it. Written once, spelled by each format.
//! Does not know formats, nor what such a package is.

/// Another package, and which versions of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relation<'t> {
    pub name: &'t str,
    pub range: Option<(Comparison, &'t str)>,
}

/// How versions compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Less,
    AtMost,
    Equal,
    AtLeast,
    Greater,
}

/// Longer ones first, since shorter ones begin them.
const SIGNS: &[(&str, Comparison)] = &[
    ("<<", Comparison::Less),
    ("<=", Comparison::AtMost),
    (">>", Comparison::Greater),
    (">=", Comparison::AtLeast),
    ("==", Comparison::Equal),
    ("<", Comparison::Less),
    ("=", Comparison::Equal),
    (">", Comparison::Greater),
];

impl<'t> Relation<'t> {
    /// From `zlib`, `zlib >= 1.2`, `zlib>=1.2` or `zlib (>= 1.2)`. None, where it is something else.
    pub fn parse(text: &'t str) -> Option<Relation<'t>> {
        let text = text.trim();
        let at = text.find(|it: char| "<=>(".contains(it) || it.is_whitespace()).unwrap_or(text.len());
        let (name, rest) = text.split_at(at);
        let rest = rest.trim();
        let inside = rest.strip_prefix('(').map(|it| it.strip_suffix(')'));
        let rest = match inside {
            Some(inside) => inside?.trim(),
            None => rest,
        };
        let is_name = |it: char| it.is_ascii_alphanumeric() || "+-._:/@".contains(it);
        if name.is_empty() || !name.chars().all(is_name) || (inside.is_some() && rest.is_empty()) {
            return None;
        }
        if rest.is_empty() {
            return Some(Relation { name, range: None });
        }
        Some(Relation { name, range: Some(range(rest)?) })
    }

    /// `zlib>=1.2`, as `apk` and `archlinux` have it.
    pub fn tight(&self) -> String {
        self.range
            .map_or_else(|| self.name.to_owned(), |(sign, version)| format!("{}{}{version}", self.name, sign.sign()))
    }
}

/// From `>= 1.2`.
pub fn range(text: &str) -> Option<(Comparison, &str)> {
    let text = text.trim();
    let (version, comparison) = SIGNS.iter().find_map(|(sign, it)| Some((text.strip_prefix(sign)?.trim(), *it)))?;
    let is_version = |it: char| it.is_ascii_alphanumeric() || "+-._:~^".contains(it);
    (!version.is_empty() && version.chars().all(is_version)).then_some((comparison, version))
}

impl Comparison {
    /// As all but Debian write it.
    pub fn sign(self) -> &'static str {
        match self {
            Comparison::Less => "<",
            Comparison::AtMost => "<=",
            Comparison::Equal => "=",
            Comparison::AtLeast => ">=",
            Comparison::Greater => ">",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &str) {
        let actual = Relation::parse(text).map_or("none".to_owned(), |it| it.tight());
        assert_eq!(actual, expect, "of {text}");
    }

    #[test]
    fn a_name_and_versions() {
        check("zlib", "zlib");
        check(" zlib >= 1.2 ", "zlib>=1.2");
        check("zlib (>> 1:1.2~rc-1)", "zlib>1:1.2~rc-1");
        check("zlib<2", "zlib<2");
        check("so:libc.musl-x86_64.so.1", "so:libc.musl-x86_64.so.1");
        check("/bin/sh", "/bin/sh");
        check("a | b", "none");
        check("a (1)", "none");
        check("a ()", "none");
        check("a (>= 1", "none");
        check("a >=", "none");
        check("(a or b)", "none");
        check("", "none");
        check("a\nb", "none");
    }
}
