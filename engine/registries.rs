//! What the project file says about registries: `[registries."host"]`.
//! Does not know where credentials lie: it only names them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

/// Docker's own registry, as users call it. Its API lies on another host.
pub const DOCKER_HUB: &str = "docker.io";

/// The tables `[registries."host"]`, by host, with its port where it has one: `ghcr.io`, `localhost:5000`.
pub type Registries = BTreeMap<String, Registry>;

/// How to speak to one registry. Also holds for any other server that a pipe speaks to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Registry {
    /// Accept a certificate that nobody vouches for, and plain http where there is no https. A loopback address is
    /// spoken to in plain http without this; `false` asks for https there too.
    pub insecure: Option<bool>,
    /// A file of PEM certificates to trust for this host besides the system's; relative to the project file.
    pub ca: Option<PathBuf>,
    /// The user to log in as, with `secret`.
    pub username: Option<String>,
    /// The environment variable that holds the password or the access token. Without it, the credentials come from
    /// `docker login` or `podman login`.
    pub secret: Option<String>,
}

/// The registry that a host belongs to, as users call it: `docker.io` for `registry-1.docker.io`, else the host itself.
pub fn canonical(host: &str) -> &str {
    match host {
        "registry-1.docker.io" | "index.docker.io" | "registry.hub.docker.com" => DOCKER_HUB,
        other => other,
    }
}
