//! Arguments as people write them: one text, or a list.
//! Does not know what they are for, nor any shell: quotes are understood, and nothing is expanded.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use forge_plugin::schemas::Problem;
use forge_plugin::{Given, NAMES_KEY, Names, Template};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Some arguments, each a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Words<N> {
    /// One text, to be split as a POSIX shell splits it: `-tags "netgo osusergo"` is two words.
    Text(Template<N>),
    /// One item, one word, as it stands.
    List(Vec<Template<N>>),
}

impl<N: Names + Serialize> Words<N> {
    /// The words, rendered with `names`. They stand at `key`.
    pub fn render(&self, key: &str, given: &Given<'_>, names: &N) -> Result<Vec<String>, Vec<Problem>> {
        match self {
            Words::Text(text) => {
                let rendered = given.render(key, text, names);
                let split = rendered.and_then(|text| split(&text).map_err(|error| Problem::at_key(key, error)));
                split.map_err(|problem| vec![problem])
            }
            Words::List(list) => {
                let (mut words, mut problems) = (Vec::new(), Vec::new());
                for (at, word) in list.iter().enumerate() {
                    match given.render(&format!("{key}[{at}]"), word, names) {
                        Ok(word) => words.push(word),
                        Err(problem) => problems.push(problem),
                    }
                }
                if problems.is_empty() { Ok(words) } else { Err(problems) }
            }
        }
    }

    /// The same, of a program and its arguments.
    pub fn command(&self, key: &str, given: &Given<'_>, names: &N) -> Result<Vec<String>, Vec<Problem>> {
        let argv = self.render(key, given, names)?;
        match argv.first() {
            Some(program) if !program.is_empty() => Ok(argv),
            _ => Err(vec![Problem::at_key(key, "no program is named")]),
        }
    }
}

/// The words of `text`, split as a POSIX shell does.
pub fn split(text: &str) -> Result<Vec<String>, String> {
    shell_words::split(text).map_err(|_| format!("a quote in `{text}` is never closed"))
}

impl<N> Serialize for Words<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Words::Text(text) => text.serialize(serializer),
            Words::List(list) => list.serialize(serializer),
        }
    }
}

impl<'de, N> Deserialize<'de> for Words<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Words<N>, D::Error> {
        deserializer.deserialize_any(WordsVisitor(PhantomData))
    }
}

struct WordsVisitor<N>(PhantomData<fn() -> N>);

impl<'de, N> Visitor<'de> for WordsVisitor<N> {
    type Value = Words<N>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a list of texts")
    }

    fn visit_str<E>(self, text: &str) -> Result<Words<N>, E> {
        Ok(Words::Text(Template::new(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Words<N>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Words::List(list))
    }
}

impl<N: Names> JsonSchema for Words<N> {
    fn schema_name() -> Cow<'static, str> {
        format!("Words_{}", N::NAMES.join("_")).into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // The names stand at every level, for readers that do not look into `items`.
        json_schema!({
            "type": ["string", "array"],
            "items": { "type": "string", NAMES_KEY: N::NAMES },
            NAMES_KEY: N::NAMES,
        })
    }
}

#[cfg(test)]
mod tests {
    use forge_plugin::PlatformNames;
    use serde_json::{Value, json};

    use super::*;

    fn check(value: &Value, expect: &str) {
        let actual = match serde_json::from_value::<Words<PlatformNames>>(value.clone()) {
            Ok(words) => {
                assert_eq!(serde_json::to_value(&words).unwrap(), *value);
                format!("{words:?}").split(['(', '{']).next().unwrap().to_owned()
            }
            Err(error) => error.to_string(),
        };
        assert_eq!(actual, expect);
    }

    #[test]
    fn a_text_or_a_list() {
        check(&json!("-s -w"), "Text");
        check(&json!(["-s", "-w"]), "List");
        check(&json!(7), "invalid type: integer `7`, expected a text or a list of texts");
        check(&json!(["-s", 7]), "invalid type: integer `7`, expected a string");
    }

    #[test]
    fn quotes_are_understood() {
        assert_eq!(
            split("go generate './a b' $HOME"),
            Ok(vec!["go", "generate", "./a b", "$HOME"].into_iter().map(String::from).collect())
        );
        assert_eq!(split("echo 'x"), Err("a quote in `echo 'x` is never closed".to_owned()));
    }
}
