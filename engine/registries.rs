//! What the project file says about registries: `[registries."host"]`.
//! Does not know where credentials lie: it only names them.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Docker's own registry, as users call it. Its API lies on another host.
pub const DOCKER_HUB: &str = "docker.io";

/// The tables `[registries."host"]`, by host, with its port where it has one: `ghcr.io`, `localhost:5000`.
pub type Registries = BTreeMap<String, Registry>;

/// How to speak to one registry. Also holds for any other server that a pipe speaks to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Registry {
    /// Accept a certificate that nobody vouches for, and plain http where there is no https. A loopback address is
    /// spoken to in plain http without this; `false` asks for https there too.
    pub insecure: Option<bool>,
    /// A file of PEM certificates to trust for this host besides the system's; relative to the project file.
    pub ca: Option<PathBuf>,
    /// The user to log in as, with `secret`.
    pub username: Option<String>,
    /// The password or the access token: a name of `[secrets]`, or the environment variable that holds it. Without it, the
    /// credentials come from `docker login` or `podman login`.
    pub secret: Option<String>,
    /// For how many seconds it may be silent before it answers; 300 where nothing is said. While it answers, it must send
    /// 1024 bytes a second, counted over a minute, or over this time if that is less.
    pub patience: Option<NonZeroU32>,
    /// Registries that have the same, and are asked before it for what images stand on: hosts, each with the path where its
    /// repositories begin, if there is one: `mirror.example`, `mirror.example:5000/hub`. One that does not answer, or not with what was
    /// asked for, is passed over. What is published goes to no mirror.
    #[schemars(inner(regex(pattern = r"^[A-Za-z0-9.\[\]:-]+(/[a-z0-9._-]+)*$")))]
    pub mirrors: Vec<String>,
    /// How many requests are under way at once, at most; 12 where nothing is said.
    pub connections: Option<NonZeroU32>,
    /// How many requests are begun a second, at most.
    pub rate: Option<NonZeroU32>,
}

/// The service that a host belongs to, as users call it: `docker.io` for `registry-1.docker.io`, else the host itself.
pub fn canonical(host: &str) -> &str {
    match host {
        "registry-1.docker.io" | "index.docker.io" | "registry.hub.docker.com" => DOCKER_HUB,
        // Where files go that are said there to belong to a release.
        "uploads.github.com" => "api.github.com",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(text: &str, expect: Expect) {
        let actual = match toml::from_str::<Registries>(text) {
            Ok(registries) => format!("{registries:?}"),
            Err(error) => error.message().to_owned(),
        };
        expect.assert_eq(&actual);
    }

    #[test]
    fn tables() {
        check(
            "[\"localhost:5000\"]\ninsecure = true\nca = \"ca.pem\"",
            expect![[
                r#"{"localhost:5000": Registry { insecure: Some(true), ca: Some("ca.pem"), username: None, secret: None, patience: None, mirrors: [], connections: None, rate: None }}"#
            ]],
        );
        check(
            "[\"ghcr.io\"]\nusername = \"anna\"\nsecret = \"GHCR_TOKEN\"",
            expect![[
                r#"{"ghcr.io": Registry { insecure: None, ca: None, username: Some("anna"), secret: Some("GHCR_TOKEN"), patience: None, mirrors: [], connections: None, rate: None }}"#
            ]],
        );
        check(
            "[\"ghcr.io\"]\npassword = \"pw\"",
            expect![
                "unknown field `password`, expected one of `insecure`, `ca`, `username`, `secret`, `patience`, `mirrors`, `connections`, `rate`"
            ],
        );
        check("[\"ghcr.io\"]\npatience = 0", expect!["invalid value: integer `0`, expected a nonzero u32"]);
    }
}
