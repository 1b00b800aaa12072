//! Templates: what a text of the project file becomes with the facts, and what is wrong with it.
//! Does not know where the text stands: a mistake has its place within the template.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use forge_plugin::is_template;
use forge_schemas::{Facts, RenderReply};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Enumerator, Object, ObjectRepr, Serde};
use minijinja::{Error, ErrorKind, Template, UndefinedBehavior, Value};
use serde_json::{Map, Value as Json};

use super::Environment;
use super::blocks::{blocks, find_name};
use super::filters;
use crate::diagnostic::{did_you_mean, list, nearest};
use crate::secrets::{Hidden, Owner, variable};
use crate::source::within;

/// What a template may cost: enough for every honest one, and the end of a loop without one.
const FUEL: u64 = 200_000;
/// How long one `{{ … }}` may be, in bytes. The engine descends into an expression operator by operator.
const BLOCK: usize = 1024;
/// How many variables that are not set one template is told of.
const UNSET_AT_ONCE: usize = 20;

/// Renders templates with the facts, `env.NAME`, and further names. One for a whole project.
pub struct Renderer {
    engine: minijinja::Environment<'static>,
    facts: Arc<BTreeMap<String, Value>>,
    variables: Arc<Variables>,
}

/// What is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mistake {
    /// The bytes of the template.
    pub place: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Whether all that is wrong is that a variable of the environment is not set.
    pub is_unset: bool,
}

/// What `env.NAME` stands for: `[env]` of the project file, then the process environment.
#[derive(Debug, Default)]
struct Variables {
    own: BTreeMap<String, String>,
    process: Environment,
    hidden: Hidden,
    asked: Mutex<BTreeSet<String>>,
}

impl Renderer {
    /// With these facts, the variables of `[env]`, and the process environment behind them, without what is hidden in it.
    pub fn new(facts: &Facts, own: &BTreeMap<String, String>, process: &Environment, hidden: &Hidden) -> Renderer {
        let (own, process, hidden) = (own.clone(), process.clone(), hidden.clone());
        let variables = Variables { own, process, hidden, asked: Mutex::default() };
        Renderer { engine: engine(), facts: Arc::new(flat(facts)), variables: Arc::new(variables) }
    }

    /// With no facts and no variables: what a template is rendered with while a step runs.
    pub fn of_names() -> Renderer {
        Renderer { engine: engine(), facts: Arc::default(), variables: Arc::default() }
    }

    /// The variables of the process environment that were asked for so far, set or not.
    pub fn environment(&self) -> BTreeSet<String> {
        self.variables.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What `text` becomes with the facts alone.
    pub(super) fn resolve(&self, text: &str) -> Result<String, Vec<Mistake>> {
        self.resolve_with(text, &Arc::default())
    }

    /// All that can be told of `text` before the values of `names` are known.
    pub(super) fn check(&self, text: &str, names: &[&str]) -> Vec<Mistake> {
        let names = Arc::new(names.iter().map(|name| ((*name).to_owned(), Value::from(*name))).collect());
        let template = match self.compile(text, &names) {
            Ok(template) => template,
            Err(mistakes) => return mistakes,
        };
        // The names stand for themselves here, so what depends on their values is told later, with these.
        match self.evaluate(&template, text, &names) {
            Ok(_) => Vec::new(),
            Err(mistakes) => mistakes.into_iter().filter(|found| found.always).map(|found| found.mistake).collect(),
        }
    }

    fn resolve_with(&self, text: &str, names: &Arc<BTreeMap<String, Value>>) -> Result<String, Vec<Mistake>> {
        if !is_template(text) {
            return Ok(text.to_owned());
        }
        let template = self.compile(text, names)?;
        self.evaluate(&template, text, names)
            .map_err(|mistakes| mistakes.into_iter().map(|found| found.mistake).collect())
    }

    /// Parses `text`; every name in it must be one that there is.
    fn compile<'t>(
        &self,
        text: &'t str,
        names: &Arc<BTreeMap<String, Value>>,
    ) -> Result<Template<'_, 't>, Vec<Mistake>> {
        if let Some(block) = blocks(text).find(|block| block.len() > BLOCK) {
            return Err(vec![too_long(block)]);
        }
        let engine: &minijinja::Environment<'t> = &self.engine;
        let template = engine.template_from_str(text).map_err(|error| vec![syntax(text, &error)])?;
        let mut unknown: Vec<String> = template
            .undeclared_variables(false)
            .into_iter()
            .filter(|name| !(name == "env" || names.contains_key(name) || self.facts.contains_key(name)))
            .filter(|name| !self.engine.globals().any(|(global, _)| global == name))
            .collect();
        if unknown.is_empty() {
            return Ok(template);
        }
        unknown.sort_unstable();
        Err(unknown.into_iter().map(|name| self.unknown_name(text, &name, names)).collect())
    }

    /// A variable that is not set is noted and passed over, so that all of them are told at once.
    fn evaluate(
        &self,
        template: &Template<'_, '_>,
        text: &str,
        names: &Arc<BTreeMap<String, Value>>,
    ) -> Result<String, Vec<Found>> {
        let mut unset: BTreeSet<String> = BTreeSet::new();
        let mut found = Vec::new();
        loop {
            let scope = Arc::new(Scope::new(self, names, &unset));
            match template.render(Value::from_dyn_object(scope.clone())) {
                Ok(rendered) => {
                    found.extend(self.hidden_in(text, &scope));
                    return if found.is_empty() { Ok(rendered) } else { Err(found) };
                }
                Err(error) => match scope.last_unset().filter(|name| is_because_of(&error, name)) {
                    Some(name) if unset.len() < UNSET_AT_ONCE && unset.insert(name.clone()) => {
                        // Behind a condition it is not always asked for.
                        let always = !text.contains("{%");
                        found.push(Found { mistake: self.unset(text, &name, &error), always });
                    }
                    _ => {
                        found.push(Found { mistake: failed(text, &error), always: is_always(&error) });
                        found.extend(self.hidden_in(text, &scope));
                        return Err(found);
                    }
                },
            }
        }
    }

    /// The facts that a sound template names, with their values. Of variables those that are set, and that may be shown.
    fn facts_in(&self, text: &str, names: &BTreeMap<String, Value>) -> Map<String, Json> {
        let mut facts = Map::new();
        let template = is_template(text).then(|| self.engine.template_from_str(text));
        let Some(Ok(template)) = template else { return facts };
        for path in template.undeclared_variables(true) {
            let (name, member) = path.split_once('.').unwrap_or((&path, ""));
            match (name, self.facts.get(name)) {
                (name, _) if names.contains_key(name) => {}
                ("env", _) => {
                    let set = facts.entry("env").or_insert_with(|| Json::Object(Map::new()));
                    let value = if self.variables.is_hidden(member) { None } else { self.variables.get(member) };
                    if let (Some(set), Some(value)) = (set.as_object_mut(), value) {
                        set.insert(member.to_owned(), value.to_string().into());
                    }
                }
                (name, Some(value)) => {
                    facts.insert(name.to_owned(), serde_json::to_value(value).unwrap_or_default());
                }
                _ => {}
            }
        }
        facts
    }

    fn unknown_name(&self, text: &str, name: &str, names: &Arc<BTreeMap<String, Value>>) -> Mistake {
        let known = self.facts.keys().chain(names.keys()).map(String::as_str).chain(["env"]);
        Mistake {
            place: find_name(text, name).unwrap_or(0..text.len()),
            message: format!("unknown name `{name}` in a template"),
            help: Some(did_you_mean(name, "the names here are", known)),
            is_unset: false,
        }
    }

    fn hidden_in(&self, text: &str, scope: &Scope) -> impl Iterator<Item = Found> {
        scope.asked_hidden().into_iter().map(|name| Found { mistake: self.hidden(text, &name), always: true })
    }

    fn hidden(&self, text: &str, name: &str) -> Mistake {
        let (whose, help) = match self.variables.hidden.get(name) {
            Some(Owner::Registry(host)) => (
                format!("the secret of `[registries.\"{host}\"]`"),
                "what programs need of it, declare in `[secrets]`, and grant it to their table with `secrets`"
                    .to_owned(),
            ),
            Some(Owner::Secret(secret)) => (
                format!("the secret `{secret}`"),
                format!(
                    "grant it to the table with `secrets = [\"{secret}\"]`: its programs see it as `{}`",
                    variable(secret)
                ),
            ),
            None => (String::new(), String::new()),
        };
        Mistake {
            place: find_name(text, &format!("env.{name}")).unwrap_or(0..text.len()),
            message: format!("`env.{name}` is {whose}, which no template may show"),
            help: Some(help),
            is_unset: false,
        }
    }

    fn unset(&self, text: &str, name: &str, error: &Error) -> Mistake {
        let near = nearest(name, self.variables.names());
        let meant = match near.is_empty() {
            true => String::new(),
            false => format!("did you mean {}? ", list(near, " or ")),
        };
        Mistake {
            place: find_name(text, &format!("env.{name}")).unwrap_or_else(|| range(text, error)),
            message: format!("`env.{name}` is not set"),
            help: Some(format!("{meant}set it, here in `[env]` or outside, or write `env.{name} | default(\"…\")`")),
            is_unset: true,
        }
    }
}

impl forge_plugin::Renderer for Renderer {
    fn render(&self, template: &str, names: &serde_json::Value) -> Result<RenderReply, String> {
        let names = names.as_object().into_iter().flatten();
        let names = Arc::new(names.map(|(name, value)| (name.clone(), Value::from(Serde(value)))).collect());
        let text = self.resolve_with(template, &names).map_err(|mistakes| in_one_line(&mistakes))?;
        Ok(RenderReply { names: self.facts_in(template, &names), text })
    }
}

fn in_one_line(mistakes: &[Mistake]) -> String {
    let lines: Vec<String> = mistakes
        .iter()
        .map(|mistake| match &mistake.help {
            Some(help) => format!("{}; {help}", mistake.message),
            None => mistake.message.clone(),
        })
        .collect();
    lines.join("; ")
}

fn engine() -> minijinja::Environment<'static> {
    let mut engine = minijinja::Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    if let Ok(syntax) = SyntaxConfig::builder().keep_trailing_newline(true).build() {
        engine.set_syntax(syntax);
    }
    engine.set_fuel(Some(FUEL));
    engine.set_debug(true);
    filters::add(&mut engine);
    engine
}

/// The fields of the facts, by name.
fn flat(facts: &Facts) -> BTreeMap<String, Value> {
    let facts = serde_json::to_value(facts).unwrap_or_default();
    let facts = facts.as_object().into_iter().flatten();
    facts.map(|(name, value)| (name.clone(), Value::from(Serde(value)))).collect()
}

/// A mistake, and whether it is one whatever the names are worth.
struct Found {
    mistake: Mistake,
    always: bool,
}

/// Whether it is `env.NAME` that is undefined, as the engine tells it.
fn is_because_of(error: &Error, name: &str) -> bool {
    let detail = error.detail().unwrap_or_default();
    let is_told = detail.contains(&format!("`env.{name}`")) || detail.contains(&format!("`env['{name}']`"));
    error.kind() == ErrorKind::UndefinedError && is_told
}

fn is_always(error: &Error) -> bool {
    use ErrorKind::{SyntaxError, TemplateNotFound, UnknownFilter, UnknownFunction, UnknownMethod, UnknownTest};
    matches!(
        error.kind(),
        UnknownFilter | UnknownFunction | UnknownMethod | UnknownTest | SyntaxError | TemplateNotFound
    )
}

fn syntax(text: &str, error: &Error) -> Mistake {
    let detail = error.detail().unwrap_or("it can not be read");
    let (what, help) = match detail {
        it if it.contains("end of input, expected end of variable block") => {
            ("`{{` without its `}}`".to_owned(), "close it, as in `{{ version }}`")
        }
        it if it.contains("end of input, expected end of block") => {
            ("`{%` without its `%}`".to_owned(), "close it, as in `{% if dirty %}`")
        }
        it if it.contains("unexpected end of variable block") => {
            ("nothing where a value should be".to_owned(), "write a name before `}}`, as in `{{ version }}`")
        }
        it if it.contains("unexpected end of block") => {
            ("nothing where a condition should be".to_owned(), "write it before `%}`, as in `{% if dirty %}`")
        }
        it if it.contains("end of input") => {
            (it.to_owned(), "what `{% if … %}` or `{% for … %}` begins, `{% endif %}` or `{% endfor %}` ends")
        }
        it => (it.to_owned(), "a template is written `{{ version }}`; for braces as they stand write `{{ \"{{\" }}`"),
    };
    let message = format!("bad template: {what}");
    Mistake { place: range(text, error), message, help: Some(help.to_owned()), is_unset: false }
}

fn too_long(block: Range<usize>) -> Mistake {
    Mistake {
        message: format!("bad template: what stands in braces has {} bytes, it may have {BLOCK}", block.len()),
        place: block,
        help: Some("take it apart with `{% set a = … %}`".to_owned()),
        is_unset: false,
    }
}

fn failed(text: &str, error: &Error) -> Mistake {
    let place = range(text, error);
    let typed = text[place.clone()].trim();
    let what = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    let (what, help) = match error.kind() {
        ErrorKind::OutOfFuel => ("it computes for too long".to_owned(), "a template is for a name".to_owned()),
        ErrorKind::UnknownFilter => {
            let known = filters::BUILTIN.iter().copied().chain(filters::FILTERS.iter().map(|it| it.name));
            (format!("unknown filter `{typed}`"), did_you_mean(typed, "filters are", known))
        }
        _ => (what, format!("the mistake is in `{typed}`")),
    };
    Mistake { place, message: format!("bad template: {what}"), help: Some(help), is_unset: false }
}

/// Where in `text` the error is: what the engine says, or the error's line.
fn range(text: &str, error: &Error) -> Range<usize> {
    match error.range() {
        Some(range) => within(text, range.into()).range(),
        None => 0..text.len(),
    }
}

/// The names that one rendering sees.
#[derive(Debug)]
struct Scope {
    facts: Arc<BTreeMap<String, Value>>,
    names: Arc<BTreeMap<String, Value>>,
    asked: Arc<Asked>,
}

/// `env` as one rendering sees it.
#[derive(Debug)]
struct Asked {
    variables: Arc<Variables>,
    /// Known to be unset, and passed over.
    passed: BTreeSet<String>,
    last_unset: Mutex<Option<String>>,
    /// Asked for, and hidden.
    hidden: Mutex<BTreeSet<String>>,
}

impl Scope {
    fn new(renderer: &Renderer, names: &Arc<BTreeMap<String, Value>>, passed: &BTreeSet<String>) -> Scope {
        let asked = Asked {
            variables: renderer.variables.clone(),
            passed: passed.clone(),
            last_unset: Mutex::default(),
            hidden: Mutex::default(),
        };
        Scope { facts: renderer.facts.clone(), names: names.clone(), asked: Arc::new(asked) }
    }

    fn asked_hidden(&self) -> BTreeSet<String> {
        self.asked.hidden.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn last_unset(&self) -> Option<String> {
        self.asked.last_unset.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Object for Scope {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            "env" if !self.names.contains_key("env") => Some(Value::from_dyn_object(self.asked.clone())),
            name => self.names.get(name).or_else(|| self.facts.get(name)).cloned(),
        }
    }
}

impl Object for Asked {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        if self.variables.is_hidden(name) {
            self.hidden.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
            return Some(Value::from(""));
        }
        if let Some(value) = self.variables.get(name) {
            return Some(value);
        }
        if self.passed.contains(name) {
            return Some(Value::from(""));
        }
        *self.last_unset.lock().unwrap_or_else(PoisonError::into_inner) = Some(name.to_owned());
        None
    }

    /// The environment is asked by name, so that what a plan depends on is known.
    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }
}

impl Variables {
    fn is_hidden(&self, name: &str) -> bool {
        self.hidden.contains_key(name) && !self.own.contains_key(name)
    }

    fn get(&self, name: &str) -> Option<Value> {
        if let Some(value) = self.own.get(name) {
            return Some(Value::from(value.as_str()));
        }
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
        self.process.get(name).map(|value| Value::from(value.as_str()))
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.own.keys().chain(self.process.keys()).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use forge_plugin::Renderer as _;
    use serde_json::json;

    use super::*;

    fn check(template: &str, expect: Result<&str, &str>) {
        let facts = Facts { version: "1.2.3".to_owned(), tag: "v1.2.3".to_owned(), ..facts() };
        let own = BTreeMap::from([("A".to_owned(), "a".to_owned())]);
        let process = Environment::from([("B".to_owned(), "b".to_owned())]);
        let hidden = Hidden::from([("S".to_owned(), Owner::Secret("token".to_owned()))]);
        let renderer = Renderer::new(&facts, &own, &process, &hidden);
        let names = json!({ "os": "linux", "n": 3, "list": ["x", "y"] });
        let actual = renderer.render(template, &names);
        assert_eq!(actual.as_ref().map(|it| it.text.as_str()).map_err(String::as_str), expect);
        // With the facts that it names, and without all others, it is the same.
        if let Ok(reply) = actual {
            let mut all = reply.names;
            all.extend(names.as_object().unwrap().clone());
            assert_eq!(Renderer::of_names().render(template, &all.into()).map(|it| it.text), Ok(reply.text));
        }
    }

    #[test]
    fn what_is_rendered_later() {
        let facts = |template: &str| {
            let (own, process) = (BTreeMap::from([("A".to_owned(), "a".to_owned())]), Environment::new());
            let renderer =
                Renderer::new(&Facts { version: "1.2.3".to_owned(), ..facts() }, &own, &process, &Hidden::new());
            json!(renderer.render(template, &json!({ "os": "linux" })).unwrap().names)
        };
        assert_eq!(facts("as it stands"), json!({}));
        assert_eq!(facts("{{ os }}"), json!({}));
        assert_eq!(facts("{{ os }} {{ version }}"), json!({ "version": "1.2.3" }));
        assert_eq!(facts("{% if os == 'x' %}{{ minor }}{% endif %}"), json!({ "minor": 2 }));
        assert_eq!(facts("{{ env.A }}{{ env.C | default('') }}"), json!({ "env": { "A": "a" } }));
        let alone = Renderer::of_names().render("{{ version }}", &json!({ "digest": "" }));
        assert_eq!(alone.unwrap_err(), "unknown name `version` in a template; the names here are `digest`, `env`");
    }

    fn facts() -> Facts {
        let text = r#"{"name":"hello","version":"","major":1,"minor":2,"patch":3,"prerelease":"","tag":"","commit":"",
            "short_commit":"","commit_time":"","commit_timestamp":0,"branch":"","dirty":true,"snapshot":false}"#;
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn what_a_pipe_is_given() {
        check("no braces } at all", Ok("no braces } at all"));
        check("{{ name }}-{{ version }}_{{ os }}\n", Ok("hello-1.2.3_linux\n"));
        check("{{ major }}.{{ n }}{% if dirty %}+{% endif %}{{ list | join('/') }}", Ok("1.3+x/y"));
        check("{{ env.A }}{{ env.B }}{{ env.C | default('c') }}{{ env['B'] }}", Ok("abcb"));
        check("{% for it in list %}{{ it }}{{ loop.index }}{% endfor %}", Ok("x1y2"));
        check("{{ \"{{\" }} {{ '<&>' }}", Ok("{{ <&>"));
        check("{% set os = 'x' %}{{ os }}", Ok("x"));
    }

    #[test]
    fn what_is_hidden() {
        let told = "`env.S` is the secret `token`, which no template may show; grant it to the table with `secrets = [\"token\"]`: its programs see it as `TOKEN`";
        check("{{ env.S }}", Err(told));
        check("{{ env.S | default('') }}{{ env['S'] }}", Err(told));
        check("{% if env.S == 'guess' %}y{% endif %}", Err(told));
    }

    #[test]
    fn what_is_wrong() {
        check(
            "{{ env.A | default('x') }}{{ env.C | default('x') }}{{ version.x }}",
            Err("bad template: `version.x` is undefined; the mistake is in `version.x`"),
        );
        check(
            "{{ env['C' ~ 'D'] }}",
            Err("`env.CD` is not set; set it, here in `[env]` or outside, or write `env.CD | default(\"…\")`"),
        );
        check("{{ version | replace('a') }}", Err("bad template: missing argument; the mistake is in `replace('a')`"));
    }
}
