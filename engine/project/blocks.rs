//! Where in a template the braces are, and the names in them.
//! Does not know what a template means.

use std::ops::Range;

/// What stands between `{{` and `}}`, or `{%` and `%}`; an open end goes to the end of `text`.
pub(super) fn blocks(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let open = text.as_bytes()[at..].windows(2).position(|pair| matches!(pair, b"{{" | b"{%"))?;
        let start = at + open + 2;
        let length = end_of_block(&text[start..]);
        at = (start + length + 2).min(text.len());
        Some(start..start + length)
    })
}

/// The first use of `name`, `a` or `a.b`, within the braces of `text` and outside of quotes.
pub(super) fn find_name(text: &str, name: &str) -> Option<Range<usize>> {
    blocks(text).find_map(|block| {
        let start = block.start + find_in_block(&text[block], name)?;
        Some(start..start + name.len())
    })
}

/// The end is the first `}}` or `%}` that is not in quotes and closes no brace of its own.
fn end_of_block(block: &str) -> usize {
    let mut quote = None;
    let mut escaped = false;
    let mut open = 0_usize;
    let bytes = block.as_bytes();
    for (at, byte) in bytes.iter().copied().enumerate() {
        let next = bytes.get(at + 1).copied();
        match (quote, byte) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), b'\\') => escaped = true,
            (Some(mark), _) if byte == mark => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'{') => open += 1,
            (None, b'}') if open > 0 => open -= 1,
            (None, b'}' | b'%') if next == Some(b'}') => return at,
            (None, _) => {}
        }
    }
    block.len()
}

fn find_in_block(block: &str, name: &str) -> Option<usize> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    block.match_indices(name).map(|(at, _)| at).find(|at| {
        let before = &block[..*at];
        let quoted = before.matches('"').count() % 2 == 1 || before.matches('\'').count() % 2 == 1;
        let starts = !before.ends_with(is_word) && !before.trim_end().ends_with('.');
        starts && !quoted && !block[at + name.len()..].starts_with(is_word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_name_stands() {
        let check = |text: &str, name: &str, expect: Option<usize>| {
            assert_eq!(find_name(text, name).map(|range| range.start), expect, "{text}");
        };
        check("os {{ 'os' ~ os }}", "os", Some(13));
        check("{{ env.os }}{% if os %}", "os", Some(18));
        check("{{ host }}{{ os_x }}", "os", None);
        check("{{ é }}{{ env.A_B }}{{ env.A }}", "env.A", Some(24));
        check("{{", "os", None);
    }

    #[test]
    fn what_stands_in_braces() {
        let check = |text: &str, expect: &[&str]| {
            let actual: Vec<&str> = blocks(text).map(|block| &text[block]).collect();
            assert_eq!(actual, expect, "{text}");
        };
        check("a {{ b }} c {% d %}", &[" b ", " d "]);
        check("{{ \"}}\" }}{{ '\\'}}' }}", &[" \"}}\" ", " '\\'}}' "]);
        check("{{ {'a': {}} }}", &[" {'a': {}} "]);
        check("{{ é", &[" é"]);
        check("{{}é", &["}é"]);
        check("{{", &[""]);
        check("none", &[]);
    }
}
