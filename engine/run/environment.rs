//! What programs see of the environment that forge was started in: where things lie and how the network is reached. The rest
//! a step must ask for by name, and it then decides whether the step is fresh. Tokens and passwords are never passed on.
//! Does not know which program is started.

use std::collections::BTreeMap;

use url::Url;

use super::secrets::Secret;
use crate::secrets::Hidden;

/// What decides no output: where programs, their caches and the user's files are, and how the network is reached.
const NEUTRAL: &[&str] = &[
    // The user and the machine.
    "HOME",
    "LD_LIBRARY_PATH",
    "LOGNAME",
    "PATH",
    "SHELL",
    "TEMP",
    "TMP",
    "TMPDIR",
    "USER",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_RUNTIME_DIR",
    "XDG_STATE_HOME",
    // The network.
    "ALL_PROXY",
    "CURL_CA_BUNDLE",
    "FTP_PROXY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NETRC",
    "NIX_SSL_CERT_FILE",
    "NODE_EXTRA_CA_CERTS",
    "NO_PROXY",
    "REQUESTS_CA_BUNDLE",
    "SSH_AUTH_SOCK",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "all_proxy",
    "ftp_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    // Git, which fetches sources for many.
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_CONFIG_SYSTEM",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_SSL_CAINFO",
    "GIT_TERMINAL_PROMPT",
    // Rust.
    "CARGO_BUILD_JOBS",
    "CARGO_HOME",
    "CARGO_TERM_COLOR",
    "CARGO_TERM_VERBOSE",
    "RUSTUP_DIST_SERVER",
    "RUSTUP_HOME",
    "RUSTUP_UPDATE_ROOT",
    "RUST_BACKTRACE",
    "RUST_LOG",
    "RUST_MIN_STACK",
    // Go.
    "GOCACHE",
    "GODEBUG",
    "GOENV",
    "GOINSECURE",
    "GOMAXPROCS",
    "GOMEMLIMIT",
    "GOMODCACHE",
    "GONOPROXY",
    "GONOSUMDB",
    "GOPATH",
    "GOPRIVATE",
    "GOPROXY",
    "GOROOT",
    "GOSUMDB",
    "GOTMPDIR",
    "GOVCS",
    // C and Zig.
    "CCACHE_DIR",
    "NINJA_STATUS",
    "SCCACHE_DIR",
    "SCCACHE_SERVER_PORT",
    "SCCACHE_SERVER_UDS",
    "VCPKG_ROOT",
    "ZIG_GLOBAL_CACHE_DIR",
    // What else people build with.
    "ANDROID_HOME",
    "ANDROID_NDK_HOME",
    "ANDROID_SDK_ROOT",
    "ASDF_DATA_DIR",
    "ASDF_DIR",
    "BUNDLE_PATH",
    "BUN_INSTALL",
    "COMPOSER_HOME",
    "CONDA_PREFIX",
    "COREPACK_HOME",
    "DENO_DIR",
    "DOTNET_ROOT",
    "GEM_HOME",
    "GEM_PATH",
    "GRADLE_USER_HOME",
    "HOMEBREW_PREFIX",
    "JAVA_HOME",
    "MAVEN_HOME",
    "MISE_DATA_DIR",
    "NIX_PATH",
    "NUGET_PACKAGES",
    "NVM_BIN",
    "NVM_DIR",
    "PIP_CACHE_DIR",
    "PNPM_HOME",
    "PYENV_ROOT",
    "UV_CACHE_DIR",
    "VIRTUAL_ENV",
    "VOLTA_HOME",
    "YARN_CACHE_FOLDER",
    "npm_config_cache",
    "npm_config_registry",
    // Containers, for what builds them and in them.
    "BUILDAH_ISOLATION",
    "BUILDX_BUILDER",
    "BUILDX_CONFIG",
    "CONTAINERS_CONF",
    "CONTAINERS_REGISTRIES_CONF",
    "CONTAINERS_STORAGE_CONF",
    "CONTAINER_CONNECTION",
    "CONTAINER_HOST",
    "CROSS_CONTAINER_ENGINE",
    "DOCKER_CERT_PATH",
    "DOCKER_CONFIG",
    "DOCKER_CONTEXT",
    "DOCKER_HOST",
    "DOCKER_TLS_VERIFY",
    "REGISTRY_AUTH_FILE",
];

/// The same for all names that begin so.
const NEUTRAL_STARTS: &[&str] = &["CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTRIES_"];

/// What the names of secrets have in them, whoever asks for them.
const TELLTALE: &[&str] = &["TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL"];
/// How the names of secrets end.
const TELLTALE_ENDS: &[&str] = &["_KEY", "_PAT", "_AUTH", "_PASS", "_PWD"];

/// What programs may see of the environment.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    neutral: BTreeMap<String, String>,
    /// All that a step may ask for.
    open: BTreeMap<String, String>,
}

impl Environment {
    /// Of forge's own environment, without `hidden`.
    pub fn of_process(hidden: &Hidden) -> Environment {
        let texts =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Environment::of(texts, hidden)
    }

    fn of(variables: impl Iterator<Item = (String, String)>, hidden: &Hidden) -> Environment {
        let open: BTreeMap<String, String> = variables.filter(|(name, _)| !is_withheld(name, hidden)).collect();
        let neutral =
            open.iter().filter(|(name, _)| is_neutral(name)).map(|(name, value)| (name.clone(), value.clone()));
        Environment { neutral: neutral.collect(), open }
    }

    /// What the program of a step sees that has asked for these names.
    pub fn of_step(&self, names: &[String]) -> BTreeMap<String, String> {
        // What a program says is shown and compared: it must not depend on who runs forge, or where.
        let fixed = [("LC_ALL", "C.UTF-8"), ("TZ", "UTC")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let asked = names.iter().filter_map(|name| Some((name.clone(), self.asked(name)?.to_owned())));
        self.neutral.clone().into_iter().chain(fixed).chain(asked).collect()
    }

    /// What a step sees that has asked for this name.
    pub fn asked(&self, name: &str) -> Option<&str> {
        self.open.get(name).map(String::as_str)
    }

    /// Passwords in the addresses of proxies: programs need them, and nobody needs to see them.
    pub fn passwords(&self) -> Vec<Secret> {
        let addresses = self.neutral.values().flat_map(|value| value.split([',', '|'])).filter(|it| it.contains('@'));
        addresses.filter_map(|it| Url::parse(it).ok()?.password().map(Secret::new)).collect()
    }

    /// All but secrets: for a program that only says what it is.
    pub fn without_secrets(&self) -> &BTreeMap<String, String> {
        &self.open
    }
}

/// Whether a variable of this name is never passed on, whoever asks.
pub fn is_withheld(name: &str, hidden: &Hidden) -> bool {
    hidden.contains_key(name) || is_telltale(name)
}

fn is_neutral(name: &str) -> bool {
    NEUTRAL.contains(&name) || NEUTRAL_STARTS.iter().any(|start| name.starts_with(start))
}

fn is_telltale(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    TELLTALE.iter().any(|it| name.contains(it)) || TELLTALE_ENDS.iter().any(|it| name.ends_with(it))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::Owner;

    fn check(asked: &[&str], set: &str, expect: &str) {
        let variables = set.split(' ').map(|name| (name.to_owned(), "1".to_owned()));
        let hidden = Hidden::from([("CC".to_owned(), Owner::Secret("cc".to_owned()))]);
        let asked: Vec<String> = asked.iter().map(|it| (*it).to_owned()).collect();
        let seen = Environment::of(variables, &hidden).of_step(&asked);
        let names: Vec<&str> = seen.keys().map(String::as_str).filter(|it| !matches!(*it, "LC_ALL" | "TZ")).collect();
        assert_eq!(names.join(" "), expect);
    }

    #[test]
    fn what_a_program_sees() {
        check(&[], "PATH HOME EDITOR CI GITHUB_ACTIONS RUSTFLAGS", "HOME PATH");
        check(&["RUSTFLAGS", "UNSET"], "PATH RUSTFLAGS CFLAGS", "PATH RUSTFLAGS");
        check(
            &[],
            "CARGO_NET_OFFLINE CARGO_REGISTRIES_X_INDEX CARGO_ENCODED_RUSTFLAGS",
            "CARGO_NET_OFFLINE CARGO_REGISTRIES_X_INDEX",
        );
    }

    #[test]
    fn what_no_program_sees() {
        let secrets = "CARGO_REGISTRY_TOKEN CARGO_REGISTRIES_X_TOKEN GITHUB_TOKEN AWS_SECRET_ACCESS_KEY DB_PASSWORD npm_config__authToken GH_PAT";
        let asked: Vec<&str> = secrets.split(' ').collect();
        check(&asked, secrets, "");
        check(&["CC", "CXX"], "CC CXX", "CXX");
    }

    #[test]
    fn nothing_is_both_neutral_and_a_secret() {
        let both: Vec<&str> = NEUTRAL.iter().copied().filter(|it| is_telltale(it)).collect();
        assert!(both.is_empty(), "{both:?}");
    }
}
