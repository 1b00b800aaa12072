//! Pipe `announce`: says that a release is out, when it is, and once.
//! Does not know any service: each is a file of `announce/`, and a line of `SERVICES`.

mod discord;
mod mastodon;
mod mattermost;
mod slack;
mod smtp;
mod teams;
mod telegram;
#[cfg(test)]
mod tests;
mod webhook;

use std::collections::BTreeMap;

use forge_plugin::schemas::kind::{Kind as _, Publication};
use forge_plugin::schemas::{
    Digest, Effect, Expect, Failure, FailureClass, Finding, HttpRequest, KindInfo, Memory, Offer, Place, Problem,
    Resource, SecretReader, Selector, Step,
};
use forge_plugin::{Given, Host, Names, Pipe, Template, Wants};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use self::smtp::{Encryption, Mail};
use crate::changelog::history::page;
use crate::table::once::{Once, Unsaid};
use crate::table::secrets::needs;
use crate::table::{address, headers};
use crate::tap::TapPush;

/// All services.
const SERVICES: &[Service] = &[
    webhook::SERVICE,
    slack::SERVICE,
    discord::SERVICE,
    mattermost::SERVICE,
    teams::SERVICE,
    telegram::SERVICE,
    mastodon::SERVICE,
    smtp::SERVICE,
];

/// The pipe.
pub struct Announce;

/// Says that a release is out, when all of it is: after every publication. It is said once for each message: what was sent is remembered, and where
/// no answer came, nobody knows whether it was heard, so it is not said again. With another message it is.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where to:
    to: To,
    /// What is said. `{{ url }}` is the page of the release, where there is one, else of the project. Default: `{{ name }} {{ version }} is out: {{ url }}`.
    message: Option<Template<MessageNames>>,
    /// The secret that holds the address (a webhook's is as good as a password), one of the table's `secrets`; `reveal = true` lets forge put it into the request.
    secret_url: Option<String>,
    /// For `webhook`: the address, where it is no secret. For `mastodon`: the server: `https://mastodon.example.org`, whose access token is that of
    /// `[registries."mastodon.example.org"]`.
    url: Option<String>,
    /// For `webhook`: further headers.
    headers: Option<BTreeMap<String, String>>,
    /// For `webhook`: the form of the message. Default: `application/json`, and a message that is none is sent as `{"message": "…"}`.
    content_type: Option<String>,
    /// For `slack`, `discord`, `mattermost`: who says it. For `smtp`: who logs in. Default: what was set up there; nobody logs in.
    username: Option<String>,
    /// For `discord`, `teams`: a title above the message.
    title: Option<String>,
    /// For `telegram`: the chat, by number or by `@name`.
    chat: Option<String>,
    /// For `mastodon`: `public`, `unlisted`, `private` or `direct`. Default: that of the account.
    visibility: Option<String>,
    /// For `smtp`: the server that takes mail.
    host: Option<String>,
    /// For `smtp`: its port. Default: 465 for `tls`, 587 for `starttls`, 25 for `none`.
    port: Option<u16>,
    /// For `smtp`: how the connection is encrypted. A password goes unencrypted to this machine only. Default: `tls` at port 465, `none` on this
    /// machine (`localhost`), else `starttls`.
    encryption: Option<Encryption>,
    /// For `smtp`: a file of PEM certificates to trust besides the system's.
    ca: Option<String>,
    /// For `smtp`: the secret that is the password of `username`, one of the table's `secrets`; `reveal = true` lets forge send it.
    password: Option<String>,
    /// For `smtp`: who writes: `releases@example.org`, or `Acme <releases@example.org>`.
    from: Option<String>,
    /// For `smtp`: who is written to. All see each other. Where the server refuses one of them, nobody is written to.
    recipients: Option<Vec<String>>,
    /// For `smtp`: one line. (The time in a mail is that of its sending; all else of it is the same each time.) Default: `{{ name }} {{ version }} is out`.
    subject: Option<Template<MessageNames>>,
}

/// The name of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct To(String);

/// The names of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MessageNames {
    /// The page of the release.
    url: String,
}

impl Names for MessageNames {
    const NAMES: &'static [&'static str] = &["url"];
}

/// What is said, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Params {
    to: String,
    /// The text.
    message: String,
    /// What release it is about.
    tag: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    words: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mail: Option<Mail>,
}

/// Where something can be said.
struct Service {
    name: &'static str,
    /// What it is, to be read behind its name.
    about: &'static str,
    /// The keys that mean something to it.
    keys: &'static [&'static str],
    /// Those of them that must be there; of alternatives, one.
    needs: &'static [&'static [&'static str]],
    way: Way,
}

/// How something is said.
enum Way {
    /// By this request, to this address.
    Request(fn(&Params, &str) -> HttpRequest),
    /// By mail.
    Mail,
}

const MESSAGE: &str = "{{ name }} {{ version }} is out: {{ url }}";
const WITHOUT_PAGE: &str = "{{ name }} {{ version }} is out";

impl Pipe for Announce {
    const NAME: &'static str = "announce";
    const SUMMARY: &'static str = "says that a release is out";
    const NEEDS: &'static [&'static str] = &["secret.get"];
    type Settings = Settings;
    type Params = Params;

    fn makes() -> Vec<KindInfo> {
        Vec::new()
    }

    fn takes(_: &Settings) -> Result<Wants, Vec<Problem>> {
        let all = |kind: &str| Selector { expect: Expect::Any, ..Selector::of_kind(kind) };
        Ok(Wants { selectors: vec![all(Publication::NAME), all(TapPush::NAME)], sources: Vec::new() })
    }

    fn plan(settings: &Settings, given: &Given<'_>) -> Result<Vec<Step>, Vec<Problem>> {
        let service = settings.to.service()?;
        let mut problems = settings.misplaced(service);
        problems.extend(settings.unsendable());
        let names = MessageNames { url: release_page(given) };
        let default = Template::new(if names.url.is_empty() { WITHOUT_PAGE } else { MESSAGE });
        let message = given.render("message", settings.message.as_ref().unwrap_or(&default), &names);
        let message = message.unwrap_or_else(|problem| {
            problems.push(problem);
            String::new()
        });
        let mail = match (&service.way, problems.is_empty()) {
            (Way::Mail, true) => smtp::plan(settings, &message, &names, given).map(Some)?,
            _ => None,
        };
        if !problems.is_empty() {
            return Err(problems);
        }
        let params = Params { mail, ..settings.params(message, given) };
        Ok(vec![Step {
            takes: given.offers.iter().map(|it| it.name.clone()).collect(),
            effect: Effect::Publish,
            memory: Memory::Never,
            resource: Resource::Network,
            params: serde_json::to_value(params).unwrap_or_default(),
            place: Place::Key("to".to_owned()),
            reads: smtp::reads(settings),
            secrets: needs(
                &[("secret_url", settings.secret_url.as_ref()), ("password", settings.password.as_ref())],
                SecretReader::Pipe,
            ),
            ..Step::default()
        }])
    }

    fn run(params: &Params, _: &Step, host: &dyn Host) -> Result<(), Failure> {
        once().say(&params.digest(), host, |begin| params.send(host, begin))
    }

    fn probe(_: &Params, _: &Step, _: &dyn Host) -> Result<Vec<Finding>, Failure> {
        Ok(Vec::new())
    }
}

fn once() -> Once {
    Once {
        key: "announcement".to_owned(),
        open: "an earlier run ended while this was announced: look whether it was heard. It is not said again; another message is"
            .to_owned(),
        whether: "whether it was announced".to_owned(),
        help: "look whether it is there; the next run takes it as said, and says another message",
    }
}

/// The page of the release: the first publication that is one, else where the project is looked at.
fn release_page(given: &Given<'_>) -> String {
    let page_of =
        |offer: &Offer| offer.detail::<Publication>().map(|it| it.reference).filter(|it| it.starts_with("http"));
    given.offers.iter().find_map(page_of).or_else(|| page(&given.facts.git_url)).unwrap_or_default()
}

impl Settings {
    fn words(&self) -> [(&'static str, Option<&String>); 6] {
        [
            ("content_type", self.content_type.as_ref()),
            ("username", self.username.as_ref()),
            ("title", self.title.as_ref()),
            ("chat", self.chat.as_ref()),
            ("visibility", self.visibility.as_ref()),
            ("url", self.url.as_ref()),
        ]
    }

    fn params(&self, message: String, given: &Given<'_>) -> Params {
        let facts = given.facts;
        let said = self.words().into_iter().filter(|(key, _)| *key != "url");
        Params {
            to: self.to.0.clone(),
            message,
            tag: if facts.tag.is_empty() { facts.version.clone() } else { facts.tag.clone() },
            secret_url: self.secret_url.clone(),
            url: self.url.clone(),
            headers: self.headers.clone().unwrap_or_default(),
            words: said.filter_map(|(key, word)| Some((key.to_owned(), word?.clone()))).collect(),
            mail: None,
        }
    }

    /// The keys that are there, of those that only some services know.
    fn there(&self) -> Vec<&'static str> {
        let words = self.words().map(|(key, word)| (key, word.is_some()));
        let others = [
            ("headers", self.headers.is_some()),
            ("secret_url", self.secret_url.is_some()),
            ("host", self.host.is_some()),
            ("port", self.port.is_some()),
            ("encryption", self.encryption.is_some()),
            ("ca", self.ca.is_some()),
            ("password", self.password.is_some()),
            ("from", self.from.is_some()),
            ("recipients", self.recipients.is_some()),
            ("subject", self.subject.is_some()),
        ];
        words.into_iter().chain(others).filter(|(_, is_there)| *is_there).map(|(key, _)| key).collect()
    }

    /// An address that nothing can be sent to, and headers that can't be sent.
    fn unsendable(&self) -> Vec<Problem> {
        let url = self.url.as_ref().and_then(|url| address::web(url).err());
        let url = url.map(|it| it.problem("url", "a web server", "url = \"https://hooks.example.org/releases\""));
        let headers = self.headers.iter().flatten().filter_map(|(name, value)| {
            let key = format!("headers.{name}");
            headers::bad_name(&key, name).or_else(|| headers::bad_value(&key, value))
        });
        url.into_iter().chain(headers).collect()
    }

    /// Keys that mean nothing to the service, and those that it lacks.
    fn misplaced(&self, service: &Service) -> Vec<Problem> {
        let there = self.there();
        let strangers = there.iter().filter(|key| !service.keys.contains(*key)).map(|key| {
            let whose: Vec<String> =
                SERVICES.iter().filter(|it| it.keys.contains(key)).map(|it| format!("`{}`", it.name)).collect();
            Problem::at_key(*key, format!("`{key}` means nothing to `{}`", service.name))
                .help(format!("leave it out: it is for {}", whose.join(" and ")))
        });
        let missing = service.needs.iter().filter(|keys| !keys.iter().any(|key| there.contains(key))).map(|keys| {
            let keys: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
            Problem::at_key("to", format!("`{}` wants {}", service.name, keys.join(" or "))).help("add it to the table")
        });
        strangers.chain(missing).collect()
    }
}

impl Params {
    /// Of all that is said, and where to.
    fn digest(&self) -> Digest {
        Digest::of(&serde_json::to_vec(self).unwrap_or_default())
    }

    /// One of the words that only some services know.
    fn word(&self, key: &str) -> Option<&str> {
        self.words.get(key).map(String::as_str)
    }

    fn send(&self, host: &dyn Host, begin: &dyn Fn() -> Result<(), Failure>) -> Result<(), Unsaid> {
        let service = SERVICES.iter().find(|it| it.name == self.to);
        let unknown = || Unsaid::Surely(Failure::bug(format!("a step for the unknown service `{}`", self.to)));
        match service.ok_or_else(unknown)?.way {
            Way::Mail => smtp::send(self, host, begin),
            Way::Request(request) => {
                let address = self.address(host).map_err(Unsaid::Surely)?;
                begin().map_err(Unsaid::Surely)?;
                self.ask(request(self, &address), host)
            }
        }
    }

    fn address(&self, host: &dyn Host) -> Result<String, Failure> {
        match (&self.secret_url, &self.url) {
            (Some(secret), _) => {
                let url = host.secret(secret)?.trim().to_owned();
                let no_address = |_| Failure::input(format!("the secret `{secret}` is no address of a web server"));
                address::web(&url).map(|_| url).map_err(no_address)
            }
            (None, Some(url)) => Ok(url.clone()),
            (None, None) => Ok(String::new()),
        }
    }

    /// Whoever answers has heard it, or has not taken it. Slack says its `ok` as a web page.
    fn ask(&self, request: HttpRequest, host: &dyn Host) -> Result<(), Unsaid> {
        let is_said = request.headers.keys().any(|name| name.eq_ignore_ascii_case("accept"));
        let request = if is_said { request } else { request.header("accept", "*/*") };
        let answer = host.http(&request).map_err(Unsaid::unanswered)?;
        if answer.status < 300 {
            return Ok(());
        }
        let said: String = answer.body.chars().take(300).collect();
        let failure = Failure::new(FailureClass::Refused, format!("`{}` says {}", self.to, answer.status)).cause(said);
        let failure = failure.help("look at the address and at what it says; nothing was announced there");
        Err(Unsaid::answered(answer.status, failure))
    }
}

impl To {
    fn service(&self) -> Result<&'static Service, Vec<Problem>> {
        SERVICES.iter().find(|it| it.name == self.0).ok_or_else(|| {
            let names: Vec<&str> = SERVICES.iter().map(|it| it.name).collect();
            let problem = Problem::at_key("to", format!("nothing can be announced to `{}`", self.0));
            vec![problem.help(format!("the services are {}", names.join(", ")))]
        })
    }
}

impl JsonSchema for To {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Service".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<&str> = SERVICES.iter().map(|it| it.name).collect();
        let about: Vec<String> = SERVICES.iter().map(|it| format!("`{}`, {}", it.name, it.about)).collect();
        schemars::json_schema!({ "type": "string", "enum": names, "description": format!("{}.", about.join("; ")) })
    }
}
