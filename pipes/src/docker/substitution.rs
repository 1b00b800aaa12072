//! Parts of a value by a pattern of `*`, `?` and characters: `${x#…}`, `${x%%…}`, `${x/…/…}`, as BuildKit has them.
//! Does not know variables.

/// How much of a value a pattern takes, where it could take more than one part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// As little as it can.
    Shortest,
    /// As much as it can.
    Longest,
}

/// How often something is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// Where the pattern is found first.
    Once,
    /// Wherever it is found.
    All,
}

/// Whether all of a text is what a pattern says. A `\` takes the meaning of what follows.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (mut rest, mut left) = (pattern, text);
    // What follows on the last `*`, and what it has not taken of the text.
    let mut star: Option<(&str, &str)> = None;
    loop {
        let (mut chars, mut texts) = (rest.chars(), left.chars());
        let is_matched = match (chars.next(), texts.next()) {
            (Some('*'), _) => {
                rest = chars.as_str();
                star = Some((rest, left));
                continue;
            }
            (None, None) => return true,
            (Some('?'), Some(_)) => true,
            (Some('\\'), Some(char)) => chars.next() == Some(char),
            (Some(wanted), Some(char)) => wanted == char,
            _ => false,
        };
        if is_matched {
            (rest, left) = (chars.as_str(), texts.as_str());
            continue;
        }
        let Some((after, untaken)) = star else { return false };
        let mut untaken = untaken.chars();
        if untaken.next().is_none() {
            return false;
        }
        star = Some((after, untaken.as_str()));
        (rest, left) = (after, untaken.as_str());
    }
}

/// The value without what the pattern takes of its beginning.
pub fn without_prefix<'v>(value: &'v str, pattern: &str, taken: Taken) -> &'v str {
    let ends = ends(value).filter(|end| matches(pattern, &value[..*end]));
    one(ends, taken).map_or(value, |end| &value[end..])
}

/// The value without what the pattern takes of its end.
pub fn without_suffix<'v>(value: &'v str, pattern: &str, taken: Taken) -> &'v str {
    let starts = ends(value).rev().filter(|start| matches(pattern, &value[*start..]));
    one(starts, taken).map_or(value, |start| &value[..start])
}

/// The value with something else in place of what the pattern takes.
pub fn replaced(value: &str, pattern: &str, with: &str, times: Times) -> String {
    let (mut text, mut at) = (String::new(), 0);
    while at <= value.len() {
        let rest = &value[at..];
        let found = ends(rest).rev().find(|end| matches(pattern, &rest[..*end]));
        let step = rest.chars().next();
        match (found, step) {
            (Some(end), _) => {
                text.push_str(with);
                if times == Times::Once {
                    return text + &rest[end..];
                }
                // What takes nothing goes on behind the next character.
                text.extend(step.filter(|_| end == 0));
                at += if end == 0 { step.map_or(1, char::len_utf8) } else { end };
                if end > 0 && at == value.len() {
                    return text;
                }
            }
            (None, Some(char)) => {
                text.push(char);
                at += char.len_utf8();
            }
            (None, None) => return text,
        }
    }
    text
}

/// Where characters begin, and the end.
fn ends(value: &str) -> impl DoubleEndedIterator<Item = usize> {
    value.char_indices().map(|(at, _)| at).chain([value.len()])
}

fn one(mut places: impl Iterator<Item = usize>, taken: Taken) -> Option<usize> {
    match taken {
        Taken::Shortest => places.next(),
        Taken::Longest => places.last(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matches() {
        let check = |pattern: &str, texts: &str, expect: &str| {
            let found: Vec<&str> = texts.split(' ').filter(|text| matches(pattern, text)).collect();
            assert_eq!(found.join(" "), expect, "of {pattern}");
        };
        check("*", "a .a ab", "a .a ab");
        check("a*", "a ab ba", "a ab");
        check("*a", "a ab ba aba", "a ba aba");
        check("a*b?", "abc axbc ab abxbd", "abc axbc abxbd");
        check("*a*a*", "a aa banana", "aa banana");
        check("?", "a ab ä", "a ä");
        check("\\**", "*a a", "*a");
    }

    #[test]
    fn parts_of_a_value() {
        assert_eq!(without_prefix("a.b.c", "*.", Taken::Shortest), "b.c");
        assert_eq!(without_prefix("a.b.c", "*.", Taken::Longest), "c");
        assert_eq!(without_prefix("v1", "x", Taken::Longest), "v1");
        assert_eq!(without_suffix("a.b.c", ".*", Taken::Shortest), "a.b");
        assert_eq!(without_suffix("a.b.c", ".*", Taken::Longest), "a");
        assert_eq!(replaced("a-b-c", "-", "_", Times::Once), "a_b-c");
        assert_eq!(replaced("a-b-c", "-", "_", Times::All), "a_b_c");
        assert_eq!(replaced("a-b-c", "-*", "", Times::All), "a");
        assert_eq!(replaced("äbä", "?", "x", Times::All), "xxx");
        assert_eq!(replaced("", "x", "y", Times::All), "");
    }
}
