//! `echo` and `printf`, whose output goes to a file: the text that every shell prints.
//! Does not write it.

/// What `echo` prints. Shells do not agree on `\\`, nor on options but `-n`.
pub(super) fn echo(words: &[&str]) -> Result<String, String> {
    let (words, end) = match words.split_first() {
        Some((&"-n", rest)) => (rest, ""),
        _ => (words, "\n"),
    };
    match words.first() {
        Some(first) if first.starts_with('-') && first.len() > 1 => {
            Err(format!("whether `{first}` is an option depends on the shell"))
        }
        _ if words.iter().any(|it| it.contains('\\')) => Err("what a `\\` means depends on the shell".to_owned()),
        _ => Ok(words.join(" ") + end),
    }
}

/// What `printf` prints: `\\n`, `\\t`, `\\\\`, `%%` and `%s`, and all else as it stands.
pub(super) fn printf(words: &[&str]) -> Result<String, String> {
    let Some((format, words)) = words.split_first() else { return Err("it is given nothing".to_owned()) };
    if format.starts_with('-') {
        return Err(format!("whether `{format}` is an option depends on the shell"));
    }
    let (mut text, mut words) = (String::new(), words.iter().peekable());
    loop {
        let before = words.len();
        let mut chars = format.chars();
        while let Some(char) = chars.next() {
            let next = if matches!(char, '\\' | '%') { chars.next() } else { None };
            match (char, next) {
                ('\\', Some('n')) => text.push('\n'),
                ('\\', Some('t')) => text.push('\t'),
                ('\\', Some('\\')) => text.push('\\'),
                ('%', Some('%')) => text.push('%'),
                ('%', Some('s')) => text.push_str(words.next().unwrap_or(&"")),
                ('\\' | '%', next) => {
                    return Err(format!(
                        "what `{char}{}` prints is not known here",
                        next.map_or(String::new(), String::from)
                    ));
                }
                _ => text.push(char),
            }
        }
        // It is repeated as long as it takes words, and there are any.
        if words.peek().is_none() || words.len() == before {
            return Ok(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expect: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let printed = if words[0] == "echo" { echo(&words[1..]) } else { printf(&words[1..]) };
        assert_eq!(printed.unwrap_or_else(|why| why), expect, "of {line}");
    }

    #[test]
    fn what_is_printed() {
        check("echo a b", "a b\n");
        check("echo -n a -b", "a -b");
        check("echo - a", "- a\n");
        check("echo -e a", "whether `-e` is an option depends on the shell");
        check("echo -n -n", "whether `-n` is an option depends on the shell");
        check("echo a\\n", "what a `\\` means depends on the shell");
        check("printf a\\tb\\\\%%\\n", "a\tb\\%\n");
        check("printf %s\\n a b", "a\nb\n");
        check("printf %s-%s; a b c", "a-b;c-;");
        check("printf a b", "a");
        check("printf %d 1", "what `%d` prints is not known here");
        check("printf a\\0", "what `\\0` prints is not known here");
    }
}
