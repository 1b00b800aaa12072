//! Types and values in words: what a schema wants, what a value is, how one is written in TOML.
//! Does not know where anything stands.

use std::fmt;

use jsonschema::error::ValidationErrorKind as Kind;
use serde_json::Value;

/// Lists within lists, further than any honest schema goes.
const DEPTH: usize = 4;

/// What a schema wants of a value: any of these forms, each once; none where nothing is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted(Vec<Form>);

/// All that a schema is made of, itself first.
pub(super) type Expand<'s> = dyn Fn(&'s Value) -> Vec<&'s Value> + 's;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    Text,
    Integer,
    Number,
    Boolean,
    Table,
    List(Option<Box<Form>>),
}

impl Wanted {
    /// What these, all said of one value, want.
    pub fn of<'s>(schemas: &[&'s Value], expand: &Expand<'s>) -> Wanted {
        Wanted(forms(schemas, expand, 0))
    }

    /// A value of this form, as it is written.
    pub fn example(&self) -> String {
        self.0.first().map_or("…".to_owned(), Form::example)
    }

    /// What was probably meant by `value`, which the user typed as `typed`.
    pub fn instead_of(&self, value: &Value, typed: &str) -> Option<String> {
        self.0.iter().find_map(|form| form.instead_of(value, typed))
    }
}

impl Form {
    fn example(&self) -> String {
        match self {
            Form::Text => "\"…\"".to_owned(),
            Form::Integer => "1".to_owned(),
            Form::Number => "1.5".to_owned(),
            Form::Boolean => "true".to_owned(),
            Form::Table => "{ … }".to_owned(),
            Form::List(Some(form)) => format!("[{}]", form.example()),
            Form::List(None) => "[…]".to_owned(),
        }
    }

    fn instead_of(&self, value: &Value, typed: &str) -> Option<String> {
        let is_short = typed.len() <= 80 && !typed.contains('\n');
        let typed = is_short.then_some(typed)?;
        match (self, value) {
            (Form::List(Some(item)), _) if item.is_form_of(value) => Some(format!("[{typed}]")),
            (Form::Text, Value::Number(_) | Value::Bool(_)) => Some(format!("\"{typed}\"")),
            (Form::Integer, Value::String(text)) if text.parse::<i64>().is_ok() => Some(text.clone()),
            (Form::Number, Value::String(text)) if text.parse::<f64>().is_ok() => Some(text.clone()),
            (Form::Boolean, Value::String(text)) if matches!(text.as_str(), "true" | "false") => Some(text.clone()),
            _ => None,
        }
    }

    fn is_form_of(&self, value: &Value) -> bool {
        match self {
            Form::Text => value.is_string(),
            Form::Integer => value.is_i64() || value.is_u64(),
            Form::Number => value.is_number(),
            Form::Boolean => value.is_boolean(),
            Form::Table => value.is_object(),
            Form::List(_) => value.is_array(),
        }
    }

    fn plural(&self) -> String {
        match self {
            Form::Text => "strings".to_owned(),
            Form::Integer => "integers".to_owned(),
            Form::Number => "numbers".to_owned(),
            Form::Boolean => "booleans".to_owned(),
            Form::Table => "tables".to_owned(),
            Form::List(Some(form)) => format!("lists of {}", form.plural()),
            Form::List(None) => "lists".to_owned(),
        }
    }
}

fn forms<'s>(schemas: &[&'s Value], expand: &Expand<'s>, depth: usize) -> Vec<Form> {
    let mut forms: Vec<Form> = Vec::new();
    for form in schemas.iter().flat_map(|schema| forms_of(schema, expand, depth)) {
        if !forms.contains(&form) {
            forms.push(form);
        }
    }
    forms
}

fn forms_of<'s>(schema: &'s Value, expand: &Expand<'s>, depth: usize) -> Vec<Form> {
    let form = |name: &'s str| form_of(name, schema, expand, depth);
    match schema.get("type") {
        Some(Value::String(name)) => form(name).into_iter().collect(),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).filter_map(form).collect(),
        _ if schema.get("const").is_some_and(Value::is_string) || schema.get("enum").is_some() => vec![Form::Text],
        _ => Vec::new(),
    }
}

fn form_of<'s>(name: &str, schema: &'s Value, expand: &Expand<'s>, depth: usize) -> Option<Form> {
    Some(match name {
        "string" => Form::Text,
        "integer" => Form::Integer,
        "number" => Form::Number,
        "boolean" => Form::Boolean,
        "object" => Form::Table,
        "array" => {
            let items = schema.get("items").filter(|_| depth < DEPTH);
            let item = items.and_then(|items| forms(&expand(items), expand, depth + 1).into_iter().next());
            Form::List(item.map(Box::new))
        }
        _ => return None,
    })
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [] => f.write_str("something else"),
            forms => {
                let words: Vec<String> = forms.iter().map(Form::to_string).collect();
                f.write_str(&words.join(" or "))
            }
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Form::Text => f.write_str("a string"),
            Form::Integer => f.write_str("an integer"),
            Form::Number => f.write_str("a number"),
            Form::Boolean => f.write_str("`true` or `false`"),
            Form::Table => f.write_str("a table"),
            Form::List(Some(form)) => write!(f, "a list of {}", form.plural()),
            Form::List(None) => f.write_str("a list"),
        }
    }
}

/// What `value` is, in the words of TOML.
pub(super) fn is_what(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a float",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    }
}

/// The strings that these, all said of one value, let it be; none where it may be any other string.
pub(super) fn choices<'s>(schemas: &[&'s Value]) -> Vec<&'s str> {
    let is_free = |schema: &&Value| {
        schema.get("type").is_some_and(|it| it == "string") && schema.get("const").or(schema.get("enum")).is_none()
    };
    if schemas.iter().any(is_free) {
        return Vec::new();
    }
    let single = schemas.iter().filter_map(|schema| schema.get("const")?.as_str());
    let several =
        schemas.iter().filter_map(|schema| schema.get("enum")?.as_array()).flatten().filter_map(Value::as_str);
    single.chain(several).collect()
}

/// A value as it is typed, without the quotes.
pub(super) fn literal(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What is wrong with a value of the right type.
pub(super) fn wrong_value(kind: &Kind, value: &Value) -> String {
    let this = literal(value);
    match kind {
        Kind::Enum { .. } | Kind::Constant { .. } | Kind::Pattern { .. } => format!("can not be `{this}`"),
        Kind::Minimum { limit } => format!("wants at least {limit}, this is {this}"),
        Kind::ExclusiveMinimum { limit } => format!("wants more than {limit}, this is {this}"),
        Kind::Maximum { limit } => format!("wants at most {limit}, this is {this}"),
        Kind::ExclusiveMaximum { limit } => format!("wants less than {limit}, this is {this}"),
        Kind::MinLength { limit: 1 } | Kind::MinItems { limit: 1 } | Kind::MinProperties { limit: 1 } => {
            "must not be empty".to_owned()
        }
        Kind::MinLength { limit } => format!("wants {limit} characters at least"),
        Kind::MaxLength { limit } => format!("wants {limit} characters at most"),
        Kind::MinItems { limit } => format!("wants {limit} items at least"),
        Kind::MaxItems { limit } => format!("wants {limit} items at most"),
        Kind::MinProperties { limit } => format!("wants {limit} keys at least"),
        Kind::MaxProperties { limit } => format!("wants {limit} keys at most"),
        Kind::UniqueItems => "has one item twice".to_owned(),
        Kind::OneOfMultipleValid { .. } => "can be read in two ways".to_owned(),
        Kind::FalseSchema | Kind::Not { .. } => "can not stand here".to_owned(),
        other => format!("is not what it must be (`{}`)", other.keyword()),
    }
}

/// The first sentence of what the schema says for people, after a colon.
pub(super) fn description(schemas: &[&Value]) -> String {
    let texts = schemas.iter().filter_map(|schema| schema.get("description")?.as_str());
    match texts.map(first_sentence).find(|text| !text.is_empty()) {
        Some(text) => format!(": {text}"),
        None => String::new(),
    }
}

fn first_sentence(text: &str) -> String {
    let paragraph = text.split("\n\n").next().unwrap_or_default().replace('\n', " ");
    let sentence = paragraph.split_once(". ").map_or(paragraph.as_str(), |(first, _)| first).trim_end_matches('.');
    let mut letters = sentence.chars();
    match (letters.next(), letters.next()) {
        (Some(first), Some(second)) if second.is_lowercase() || second == ' ' => {
            format!("{}{}", first.to_lowercase(), &sentence[first.len_utf8()..])
        }
        _ => sentence.to_owned(),
    }
}
