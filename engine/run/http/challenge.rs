//! What a server asks for with status 401: the header `WWW-Authenticate` (RFC 9110, 11.6.1), and the scopes of a token.
//! Does not answer it: that is `token`.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};
use url::Url;

/// What a server asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Challenge {
    /// A user and a password (RFC 7617).
    Basic,
    /// A token of a token server (distribution-spec's `auth/token`).
    Bearer {
        /// Where the token server is.
        realm: Url,
        /// What the token server calls the registry.
        service: String,
        /// What the token must allow.
        scopes: Scopes,
    },
}

/// What a token allows: actions by resource, `repository:acme/hello` → `pull`, `push`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Scopes(BTreeMap<String, BTreeSet<String>>);

impl Challenge {
    /// The first challenge of an answer that we can meet; `Bearer` before `Basic`. None where there is none.
    pub fn of(headers: &HeaderMap) -> Option<Challenge> {
        let all = headers.get_all(WWW_AUTHENTICATE);
        let mut challenges: Vec<Challenge> =
            all.iter().filter_map(|value| value.to_str().ok()).flat_map(parse).collect();
        let bearer = challenges.iter().position(|it| matches!(it, Challenge::Bearer { .. }));
        (!challenges.is_empty()).then(|| challenges.swap_remove(bearer.unwrap_or(0)))
    }

    /// The same, and all that `earlier` asked for, where it is the same token server's.
    #[must_use]
    pub fn and(mut self, earlier: &Challenge) -> Challenge {
        if let (
            Challenge::Bearer { realm, service, scopes },
            Challenge::Bearer { realm: other_realm, service: other_service, scopes: other },
        ) = (&mut self, earlier)
            && realm == other_realm
            && service == other_service
        {
            scopes.add(other);
        }
        self
    }
}

fn parse(value: &str) -> Vec<Challenge> {
    let challenges = http_auth::parse_challenges(value).unwrap_or_default();
    challenges.iter().filter_map(from_parsed).collect()
}

fn from_parsed(challenge: &http_auth::ChallengeRef<'_>) -> Option<Challenge> {
    if challenge.scheme.eq_ignore_ascii_case("basic") {
        return Some(Challenge::Basic);
    }
    if !challenge.scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let parameter = |name: &str| {
        let found = challenge.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.to_unescaped())
    };
    let realm = Url::parse(&parameter("realm")?).ok()?;
    let scopes = Scopes::parse(parameter("scope").unwrap_or_default().split(' '));
    Some(Challenge::Bearer { realm, service: parameter("service").unwrap_or_default(), scopes })
}

impl Scopes {
    /// From their written forms, `repository:acme/hello:pull,push`. What is written otherwise is kept as it stands.
    pub fn parse<'a>(scopes: impl IntoIterator<Item = &'a str>) -> Scopes {
        let mut parsed = Scopes::default();
        for scope in scopes.into_iter().filter(|scope| !scope.is_empty()) {
            let (resource, actions) = scope.rsplit_once(':').unwrap_or((scope, ""));
            let known = parsed.0.entry(resource.to_owned()).or_default();
            known.extend(actions.split(',').filter(|action| !action.is_empty()).map(str::to_owned));
        }
        parsed
    }

    /// All that `other` allows, too.
    pub fn add(&mut self, other: &Scopes) {
        for (resource, actions) in &other.0 {
            self.0.entry(resource.clone()).or_default().extend(actions.iter().cloned());
        }
    }

    /// Their written forms, sorted.
    pub fn written(&self) -> impl Iterator<Item = String> + '_ {
        self.0.iter().map(|(resource, actions)| match actions.is_empty() {
            true => resource.clone(),
            false => format!("{resource}:{}", actions.iter().map(String::as_str).collect::<Vec<_>>().join(",")),
        })
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(headers: &[&str], earlier: &str, expect: Expect) {
        let read = |values: &[&str]| {
            Challenge::of(&values.iter().map(|value| (WWW_AUTHENTICATE, value.parse().unwrap())).collect())
        };
        let challenge = read(headers).map(|it| match read(&[earlier]) {
            Some(earlier) => it.and(&earlier),
            None => it,
        });
        let actual = match challenge {
            None => "none".to_owned(),
            Some(Challenge::Basic) => "basic".to_owned(),
            Some(Challenge::Bearer { realm, service, scopes }) => {
                format!("{realm} {service} {}", scopes.written().collect::<Vec<_>>().join(" "))
            }
        };
        expect.assert_eq(&actual);
    }

    #[test]
    fn what_servers_ask_for() {
        check(&[], "", expect!["none"]);
        check(&["Negotiate"], "", expect!["none"]);
        check(&[r#"basic realm="here""#], "", expect!["basic"]);
        check(
            &[r#"Bearer realm="https://ghcr.io/token",service="ghcr.io",scope="repository:acme/hello:pull""#],
            "",
            expect!["https://ghcr.io/token ghcr.io repository:acme/hello:pull"],
        );
        check(&["Basic realm=x", "Bearer realm=\"https://a.example/t\""], "", expect!["https://a.example/t  "]);
        check(&["Bearer realm=\"no url\""], "", expect!["none"]);
        check(&["Bearer realm=\"https://a.example/t"], "", expect!["none"]);
    }

    #[test]
    fn scopes_are_joined() {
        check(
            &[r#"Bearer realm="https://a.example/t",service="s",scope="repository:b:push,pull repository:a:pull""#],
            r#"Bearer realm="https://a.example/t",service="s",scope="repository:a:delete registry:catalog:*""#,
            expect!["https://a.example/t s registry:catalog:* repository:a:delete,pull repository:b:pull,push"],
        );
        check(
            &[r#"Bearer realm="https://a.example/t",service="s",scope="repository:a:pull""#],
            r#"Bearer realm="https://a.example/t",service="another",scope="repository:a:push""#,
            expect!["https://a.example/t s repository:a:pull"],
        );
    }
}
