//! Finds the credentials of a host: a secret that the project file names, then those of `docker login` and `podman login`.
//! Does not know what they are used for, and asks no server.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use forge_schemas::Failure;
use serde::Deserialize;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::OnceCell;

use super::mask::Mask;
use super::secrets::Secret;
use crate::registries::{DOCKER_HUB, Registries, canonical};

/// Docker's key for its own registry, older than registries' hosts.
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";
/// What a helper gives as user where the secret is an identity token.
const TOKEN_USER: &str = "<token>";
const HELPER_PATIENCE: Duration = Duration::from_secs(30);

/// A variable of the environment by its name.
pub type Variables = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Finds credentials. Reads each file, and asks each helper for each host, at most once.
pub struct Credentials {
    registries: Registries,
    variables: Variables,
    mask: Arc<Mask>,
    files: OnceCell<Vec<LoginFile>>,
    found: Mutex<HashMap<String, Arc<OnceCell<Option<Credential>>>>>,
}

/// What opens a host, and where it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// The login.
    pub login: Login,
    /// Where it comes from, for people: `secret `GHCR_TOKEN``, a path.
    pub origin: String,
}

/// How to log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// With a password, or with an access token in its place.
    Password {
        /// The user; may be empty.
        username: String,
        /// The password.
        password: Secret,
    },
    /// With a refresh token, which only a token server takes.
    IdentityToken(Secret),
}

/// A file as `docker login` and `podman login` write it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct LoginFile {
    #[serde(skip)]
    path: PathBuf,
    auths: BTreeMap<String, Entry>,
    creds_store: Option<String>,
    cred_helpers: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Option<Secret>,
    username: Option<String>,
    password: Option<Secret>,
    identitytoken: Option<Secret>,
}

/// What a helper prints.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Helped {
    username: String,
    secret: Secret,
}

impl Credentials {
    /// Of these registries, and of the files that these variables lead to. Nothing is read before it is needed.
    pub fn new(registries: Registries, variables: Variables) -> Credentials {
        Credentials { registries, variables, mask: Arc::default(), files: OnceCell::new(), found: Mutex::default() }
    }

    /// The same; `mask` learns of every password that is found.
    #[must_use]
    pub fn masked_by(self, mask: Arc<Mask>) -> Credentials {
        Credentials { mask, ..self }
    }

    /// What opens `host`; none where nobody has logged in there. Fails where a secret that the project file names is
    /// not set, a file is broken, or a helper does not work.
    pub async fn of(&self, host: &str) -> Result<Option<Credential>, Failure> {
        let host = canonical(host);
        let slot = {
            let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(found.entry(host.to_owned()).or_default())
        };
        slot.get_or_try_init(|| self.find_and_mask(host)).await.cloned()
    }

    async fn find_and_mask(&self, host: &str) -> Result<Option<Credential>, Failure> {
        let found = self.find(host).await?;
        self.mask.learn(found.iter().map(|it| (it.origin.as_str(), it.login.secret())));
        Ok(found)
    }

    async fn find(&self, host: &str) -> Result<Option<Credential>, Failure> {
        if let Some(credential) = self.of_settings(host)? {
            return Ok(Some(credential));
        }
        for file in self.files.get_or_try_init(|| async { self.read_files() }).await? {
            if let Some(credential) = self.of_file(file, host).await? {
                return Ok(Some(credential));
            }
        }
        Ok(None)
    }

    fn of_settings(&self, host: &str) -> Result<Option<Credential>, Failure> {
        let of_host = |(key, _): &(&String, _)| canonical(key) == host;
        let Some((key, registry)) = self.registries.iter().find(of_host) else { return Ok(None) };
        let Some(name) = &registry.secret else { return Ok(None) };
        let Some(value) = (self.variables)(name).filter(|value| !value.is_empty()) else {
            return Err(Failure::input(format!("the secret `{name}` is not set"))
                .cause(format!("`[registries.\"{key}\"]` names it"))
                .help(format!("set the environment variable `{name}`")));
        };
        let username = registry.username.clone().unwrap_or_default();
        let login = Login::Password { username, password: Secret::new(value) };
        Ok(Some(Credential { login, origin: format!("the secret `{name}`") }))
    }

    async fn of_file(&self, file: &LoginFile, host: &str) -> Result<Option<Credential>, Failure> {
        let helper = file.cred_helpers.iter().find(|(key, _)| host_of(key) == host);
        if let Some((key, helper)) = helper {
            return self.ask(helper, key).await;
        }
        if let Some(helper) = &file.creds_store {
            let key = if host == DOCKER_HUB { DOCKER_HUB_KEY } else { host };
            if let Some(credential) = self.ask(helper, key).await? {
                return Ok(Some(credential));
            }
        }
        let entry = file.auths.get(host).or_else(|| entry_of(file, host));
        let login = entry.map(|entry| entry.login(file)).transpose()?.flatten();
        Ok(login.map(|login| Credential { login, origin: format!("`{}`", file.path.display()) }))
    }

    fn read_files(&self) -> Result<Vec<LoginFile>, Failure> {
        self.paths().into_iter().filter_map(|path| read_file(path).transpose()).collect()
    }

    fn paths(&self) -> Vec<PathBuf> {
        let variable = |name: &str| (self.variables)(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = variable("HOME");
        let docker = variable("DOCKER_CONFIG").or_else(|| Some(home.as_ref()?.join(".docker")));
        let podman = match (variable("REGISTRY_AUTH_FILE"), variable("XDG_RUNTIME_DIR")) {
            (Some(file), _) => vec![file],
            (None, run) => {
                let config = home.map(|home| home.join(".config"));
                run.into_iter().chain(config).map(|dir| dir.join("containers/auth.json")).collect()
            }
        };
        docker.map(|dir| dir.join("config.json")).into_iter().chain(podman).collect()
    }

    /// Asks a helper for `key`. None where it has nothing.
    async fn ask(&self, helper: &str, key: &str) -> Result<Option<Credential>, Failure> {
        let program = format!("docker-credential-{helper}");
        let asked = tokio::time::timeout(HELPER_PATIENCE, self.run_helper(&program, key)).await;
        let output = match asked {
            Ok(Ok(output)) => output,
            Ok(Err(error)) => return Err(helper_failure(&program, key, &error.to_string())),
            Err(_) => {
                return Err(helper_failure(&program, key, &format!("no answer in {} s", HELPER_PATIENCE.as_secs())));
            }
        };
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stdout);
            return match said.contains("credentials not found") {
                true => Ok(None),
                false => Err(helper_failure(&program, key, &format!("it ended with {}", output.status))),
            };
        }
        let helped: Helped = serde_json::from_slice(&output.stdout)
            .map_err(|_| helper_failure(&program, key, "what it printed is not what a helper prints"))?;
        Ok(Some(Credential { login: login(helped.username, helped.secret), origin: format!("`{program}`") }))
    }

    async fn run_helper(&self, program: &str, key: &str) -> std::io::Result<std::process::Output> {
        let mut command = tokio::process::Command::new(program);
        command.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        if let Some(path) = (self.variables)("PATH") {
            command.env("PATH", path);
        }
        let mut child = command.spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(key.as_bytes()).await?;
        }
        child.wait_with_output().await
    }
}

impl Login {
    /// What must not be seen of it.
    pub fn secret(&self) -> &Secret {
        match self {
            Login::Password { password, .. } => password,
            Login::IdentityToken(token) => token,
        }
    }
}

impl Entry {
    fn login(&self, file: &LoginFile) -> Result<Option<Login>, Failure> {
        if let Some(token) = self.identitytoken.as_ref().filter(|token| !token.reveal().is_empty()) {
            return Ok(Some(Login::IdentityToken(token.clone())));
        }
        if let (Some(username), Some(password)) = (&self.username, &self.password) {
            return Ok(Some(login(username.clone(), password.clone())));
        }
        let Some(auth) = self.auth.as_ref().filter(|auth| !auth.reveal().is_empty()) else { return Ok(None) };
        let decoded = STANDARD.decode(auth.reveal()).or_else(|_| STANDARD_NO_PAD.decode(auth.reveal())).ok();
        let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
        match text.as_deref().and_then(|text| text.split_once(':')) {
            Some((username, password)) => {
                Ok(Some(login(username.to_owned(), Secret::new(password.trim_end_matches('\0')))))
            }
            None => Err(Failure::input(format!(
                "`{}` has an `auth` that is not `user:password` in base64",
                file.path.display()
            ))
            .help("log in again: `docker login` writes it anew")),
        }
    }
}

fn login(username: String, secret: Secret) -> Login {
    match username == TOKEN_USER {
        true => Login::IdentityToken(secret),
        false => Login::Password { username, password: secret },
    }
}

fn read_file(path: PathBuf) -> Result<Option<LoginFile>, Failure> {
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::file("read", &path, &error)),
    };
    // The parser's message would quote what stands there, and that may be a password.
    let file: LoginFile = serde_json::from_slice(&bytes).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Failure::input(format!("`{}` is no file of `docker login`: line {line}, column {column}", path.display()))
    })?;
    Ok(Some(LoginFile { path, ..file }))
}

fn entry_of<'a>(file: &'a LoginFile, host: &str) -> Option<&'a Entry> {
    file.auths.iter().find(|(key, _)| host_of(key) == host).map(|(_, entry)| entry)
}

/// The host in a key of a login file: these are hosts, or URLs of older versions of docker.
fn host_of(key: &str) -> &str {
    let rest = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    canonical(rest.split('/').next().unwrap_or(rest))
}

fn helper_failure(program: &str, key: &str, reason: &str) -> Failure {
    Failure::input(format!("can't ask `{program}` for the credentials of `{}`: {reason}", host_of(key)))
        .help(format!("install `{program}`, or name a secret in `[registries.\"{}\"]`", host_of(key)))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use expect_test::{Expect, expect};

    use super::*;
    use crate::registries::Registry;

    const DOCKER: &str = r#"{
        "auths": {
            "ghcr.io": {"auth": "YW5uYTpwdw=="},
            "https://index.docker.io/v1/": {"auth": "aHViOnB3"},
            "http://old.example/v2/": {"username": "olga", "password": "pw"},
            "token.example": {"auth": "MDow", "identitytoken": "t0"},
            "empty.example": {},
            "broken.example": {"auth": "%%%"}
        },
        "credHelpers": {"helped.example": "fake", "absent.example": "absent", "none.example": "fake"}
    }"#;
    const HELPER: &str = r#"#!/bin/sh
read -r host
case "$1 $host" in
    "get helped.example") echo '{"ServerURL": "helped.example", "Username": "<token>", "Secret": "t1"}' ;;
    *) echo "credentials not found in native keychain"; exit 1 ;;
esac
"#;

    fn check(host: &str, expect: Expect) {
        let home = tempfile::tempdir().unwrap();
        write(&home.path().join("docker/config.json"), DOCKER);
        write(&home.path().join("run/containers/auth.json"), r#"{"auths": {"quay.io": {"auth": "cXVheTpwdw=="}}}"#);
        let lasting = r#"{"auths": {"lasting.example": {"auth": "cXVheTpwdw=="}}}"#;
        write(&home.path().join(".config/containers/auth.json"), lasting);
        write(&home.path().join("docker-credential-fake"), HELPER);
        let dir = home.path().to_str().unwrap().to_owned();
        let path = std::env::var("PATH").unwrap();
        let variables = move |name: &str| match name {
            "DOCKER_CONFIG" => Some(format!("{dir}/docker")),
            "HOME" => Some(dir.clone()),
            "XDG_RUNTIME_DIR" => Some(format!("{dir}/run")),
            "PATH" => Some(format!("{dir}:{path}")),
            "TOKEN" => Some("s3cret".to_owned()),
            _ => None,
        };
        let secret = |name: &str| Registry {
            username: Some("bot".to_owned()),
            secret: Some(name.to_owned()),
            ..Registry::default()
        };
        let registries = [("set.example:5000", secret("TOKEN")), ("unset.example", secret("NO_TOKEN"))];
        let registries = registries.map(|(host, registry)| (host.to_owned(), registry)).into();
        let credentials = Credentials::new(registries, Arc::new(variables));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let actual = match runtime.block_on(credentials.of(host)) {
            Ok(Some(Credential { login: Login::Password { username, password }, origin })) => {
                format!("{username} {} from {origin}", password.reveal())
            }
            Ok(Some(Credential { login: Login::IdentityToken(token), origin })) => {
                format!("identity token {} from {origin}", token.reveal())
            }
            Ok(None) => "none".to_owned(),
            Err(failure) => format!("{failure}; {}", failure.help.clone().unwrap_or_default()),
        };
        expect.assert_eq(&actual.replace(home.path().to_str().unwrap(), "~"));
    }

    fn write(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn from_a_secret() {
        check("set.example:5000", expect!["bot s3cret from the secret `TOKEN`"]);
        check("set.example", expect!["none"]);
        check("unset.example", expect!["the secret `NO_TOKEN` is not set; set the environment variable `NO_TOKEN`"]);
    }

    #[test]
    fn from_a_login_file() {
        check("ghcr.io", expect!["anna pw from `~/docker/config.json`"]);
        check("registry-1.docker.io", expect!["hub pw from `~/docker/config.json`"]);
        check("old.example", expect!["olga pw from `~/docker/config.json`"]);
        check("token.example", expect!["identity token t0 from `~/docker/config.json`"]);
        check("quay.io", expect!["quay pw from `~/run/containers/auth.json`"]);
        check("lasting.example", expect!["quay pw from `~/.config/containers/auth.json`"]);
        check("empty.example", expect!["none"]);
        check(
            "broken.example",
            expect![
                "`~/docker/config.json` has an `auth` that is not `user:password` in base64; log in again: `docker login` writes it anew"
            ],
        );
    }

    #[test]
    fn from_a_helper() {
        check("helped.example", expect!["identity token t1 from `docker-credential-fake`"]);
        check("none.example", expect!["none"]);
        check(
            "absent.example",
            expect![[
                r#"can't ask `docker-credential-absent` for the credentials of `absent.example`: No such file or directory (os error 2); install `docker-credential-absent`, or name a secret in `[registries."absent.example"]`"#
            ]],
        );
    }
}
