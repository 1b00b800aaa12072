//! Wildcards in the words of commands: the files that they mean, as a shell finds them.
//! Does not know what becomes of these.

use crate::docker::run::Wrong;
use crate::docker::run::tree::Tree;

/// What the pattern means, sorted by bytes; nothing where nothing matches. In it, a `\` stands before all that is meant as it
/// stands.
pub(super) fn expand(tree: &Tree<'_, '_>, pattern: &str) -> Result<Vec<String>, Wrong> {
    let (root, rest) = match pattern.strip_prefix("\\/") {
        Some(rest) => ("/", rest),
        None => ("", pattern),
    };
    let mut found = vec![root.to_owned()];
    let mut parts = rest.split("\\/").peekable();
    while let Some(part) = parts.next() {
        let mut next = Vec::new();
        for dir in found {
            match is_wild(part) {
                true => next.extend(matching(tree, &dir, part)?),
                false => next.push(format!("{dir}{}", unescaped(part))),
            }
        }
        let is_last = parts.peek().is_none();
        next.retain(|path| if is_last { is_there(tree, path) } else { tree.is_directory(&tree.follow(path)) });
        if !is_last {
            next.iter_mut().for_each(|path| path.push('/'));
        }
        found = next;
    }
    match found.iter().find(|it| it.starts_with('-')) {
        Some(option) => Err(Wrong::Untold(format!("the file `{option}` would be taken for an option"))),
        None => Ok(found),
    }
}

/// The paths of what matches in a directory.
fn matching(tree: &Tree<'_, '_>, dir: &str, part: &str) -> Result<Vec<String>, Wrong> {
    let at = tree.follow(if dir.is_empty() { "." } else { dir });
    tree.check_all_own(&at, |name| matches(part, name))?;
    let names = tree.names_in(&at);
    Ok(names.into_iter().filter(|name| matches(part, name)).map(|name| format!("{dir}{name}")).collect())
}

fn is_there(tree: &Tree<'_, '_>, path: &str) -> bool {
    match path.ends_with('/') {
        true => tree.is_directory(&tree.follow(path)),
        false => tree.locate(path).is_ok_and(|at| tree.node(&at).is_some()),
    }
}

fn is_wild(part: &str) -> bool {
    let mut chars = part.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => drop(chars.next()),
            _ => return true,
        }
    }
    false
}

fn unescaped(part: &str) -> String {
    let mut chars = part.chars();
    let mut text = String::new();
    while let Some(char) = chars.next() {
        text.extend(if char == '\\' { chars.next() } else { Some(char) });
    }
    text
}

/// Whether a name is what a pattern says. A dot at its beginning must stand there.
fn matches(pattern: &str, name: &str) -> bool {
    (!name.starts_with('.') || pattern.starts_with("\\.")) && matches_rest(pattern, name)
}

fn matches_rest(pattern: &str, name: &str) -> bool {
    let (mut rest, mut left) = (pattern, name);
    // Where the last `*` stands, and how much of the name it has taken.
    let mut star: Option<(&str, &str)> = None;
    loop {
        let (mut chars, mut names) = (rest.chars(), left.chars());
        let is_matched = match (chars.next(), names.next()) {
            (Some('*'), _) => {
                star = Some((chars.as_str(), left));
                rest = chars.as_str();
                continue;
            }
            (None, None) => return true,
            (Some('?'), Some(_)) => true,
            (Some('\\'), Some(name)) => chars.next() == Some(name),
            _ => false,
        };
        if is_matched {
            (rest, left) = (chars.as_str(), names.as_str());
            continue;
        }
        let Some((after, taken)) = star else { return false };
        let mut taken = taken.chars();
        if taken.next().is_none() {
            return false;
        }
        star = Some((after, taken.as_str()));
        (rest, left) = (after, taken.as_str());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, names: &str, expect: &str) {
        let found: Vec<&str> = names.split(' ').filter(|name| matches(pattern, name)).collect();
        assert_eq!(found.join(" "), expect, "of {pattern}");
    }

    #[test]
    fn names() {
        check("*", "a .a ab", "a ab");
        check("\\.*", "a .a .", ".a .");
        check("\\a*", "a ab ba", "a ab");
        check("*\\a", "a ab ba aba", "a ba aba");
        check("\\a*\\b?", "abc axbc ab abxbd", "abc axbc abxbd");
        check("*\\a*\\a*", "a aa banana", "aa banana");
        check("?", "a ab ä", "a ä");
        check("\\**", "*a a", "*a");
    }
}
