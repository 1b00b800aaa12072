//! The options of a command, as `getopt_long` finds them: anywhere before `--`, short ones together.
//! Does not know what they mean.

/// The options that a command may have here.
pub struct Known {
    /// The short ones; with a `:` behind one that takes a value, as `getopt` has it.
    pub short: &'static str,
    /// The long ones, each with the short one that means the same.
    pub long: &'static [(&'static str, char)],
}

/// The options of a command, and its other words.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Given {
    options: Vec<(char, String)>,
    /// What is no option.
    pub operands: Vec<String>,
}

impl Given {
    /// Whether an option is there.
    pub fn has(&self, option: char) -> bool {
        self.options.iter().any(|(it, _)| *it == option)
    }

    /// The value of an option; the last one counts.
    pub fn value(&self, option: char) -> Option<&str> {
        self.options.iter().rev().find(|(it, _)| *it == option).map(|(_, value)| value.as_str())
    }

    /// All values of an option.
    pub fn values(&self, option: char) -> impl Iterator<Item = &str> {
        self.options.iter().filter(move |(it, _)| *it == option).map(|(_, value)| value.as_str())
    }
}

impl Known {
    /// Takes apart what follows the name of a command. A phrase, where one is none of these options.
    pub fn read<'w>(&self, words: impl IntoIterator<Item = &'w str>) -> Result<Given, String> {
        let (mut given, mut words, mut is_open) = (Given::default(), words.into_iter(), true);
        while let Some(word) = words.next() {
            match word.strip_prefix('-') {
                Some("-") if is_open => is_open = false,
                Some(rest) if is_open && !rest.is_empty() => match rest.strip_prefix('-') {
                    Some(long) => self.long(long, &mut words, &mut given)?,
                    None => self.short(rest, &mut words, &mut given)?,
                },
                _ => given.operands.push(word.to_owned()),
            }
        }
        Ok(given)
    }

    fn long<'w>(&self, word: &str, words: &mut impl Iterator<Item = &'w str>, given: &mut Given) -> Result<(), String> {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        let known = self.long.iter().find(|(it, _)| *it == name);
        let (_, option) = known.ok_or_else(|| format!("what `--{name}` does is not known here"))?;
        let value = match (self.takes_value(*option), value) {
            (true, Some(value)) => value,
            (true, None) => words.next().ok_or_else(|| format!("`--{name}` has no value"))?,
            (false, None) => "",
            (false, Some(_)) => return Err(format!("`--{name}` takes no value")),
        };
        given.options.push((*option, value.to_owned()));
        Ok(())
    }

    fn short<'w>(
        &self,
        word: &str,
        words: &mut impl Iterator<Item = &'w str>,
        given: &mut Given,
    ) -> Result<(), String> {
        for (at, option) in word.char_indices() {
            if option == ':' || !self.short.contains(option) {
                return Err(format!("what `-{option}` does is not known here"));
            }
            let rest = &word[at + option.len_utf8()..];
            if self.takes_value(option) {
                let value = if rest.is_empty() { words.next() } else { Some(rest) };
                let value = value.ok_or_else(|| format!("`-{option}` has no value"))?;
                given.options.push((option, value.to_owned()));
                return Ok(());
            }
            given.options.push((option, String::new()));
        }
        Ok(())
    }

    fn takes_value(&self, option: char) -> bool {
        self.short.split_once(option).is_some_and(|(_, rest)| rest.starts_with(':'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expect: &str) {
        let known = Known { short: "pm:v", long: &[("parents", 'p'), ("mode", 'm')] };
        let actual = match known.read(line.split(' ')) {
            Ok(Given { options, operands }) => {
                let options: Vec<String> = options.iter().map(|(it, value)| format!("{it}{value}")).collect();
                format!("{} {}", options.join(","), operands.join(","))
            }
            Err(message) => message,
        };
        assert_eq!(actual, expect, "of {line}");
    }

    #[test]
    fn options_and_operands() {
        check("-p a -m 700 b", "p,m700 a,b");
        check("-pm700 a", "p,m700 a");
        check("--parents --mode=1 --mode 2 a -", "p,m1,m2 a,-");
        check("-p -- -m", "p -m");
        check("-x", "what `-x` does is not known here");
        check("-:", "what `-:` does is not known here");
        check("--par", "what `--par` does is not known here");
        check("--parents=1", "`--parents` takes no value");
        check("-m", "`-m` has no value");
        check("--mode", "`--mode` has no value");
    }
}
