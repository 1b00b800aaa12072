//! One host that we speak to: by which scheme, with which trust, how much at once.
//! Does not know requests.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::Duration;

use forge_schemas::{Failure, FailureClass};
use reqwest::{Certificate, Client, redirect};
use url::Url;

use super::budget::Budget;
use super::mirror::Mirror;
use crate::registries::{Registries, Registry, canonical};

const CONNECT_PATIENCE: Duration = Duration::from_secs(30);

/// The hosts that were spoken to, and the clients for them.
pub struct Sites {
    registries: Registries,
    root: PathBuf,
    sites: Mutex<HashMap<String, Arc<Site>>>,
    clients: Mutex<HashMap<Trust, Client>>,
}

/// One host.
pub struct Site {
    /// As users call it: `ghcr.io`, `localhost:5000`, `docker.io`.
    pub name: String,
    /// For how long it may be silent, if that is said.
    pub patience: Option<Duration>,
    /// How much it is asked.
    pub budget: Budget,
    /// Who has the same.
    pub mirrors: Vec<Mirror>,
    scheme: Scheme,
    trust: Trust,
    /// Whether it was seen that it speaks no https.
    is_plain: AtomicBool,
    has_answered: AtomicBool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Https,
    Http,
    HttpsThenHttp,
}

/// Whose certificates are good.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Trust {
    System,
    SystemAnd(PathBuf),
    Anyone,
    /// There is no certificate to check, and no proxy in between.
    Loopback,
}

impl Sites {
    /// With these settings; `root` is where a relative `ca` starts.
    pub fn new(registries: Registries, root: &Path) -> Sites {
        Sites { registries, root: root.to_owned(), sites: Mutex::default(), clients: Mutex::default() }
    }

    /// The host of `url`.
    pub fn at(&self, url: &Url) -> Arc<Site> {
        let host = authority(url);
        let mut sites = self.sites.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(sites.entry(host).or_insert_with_key(|host| Arc::new(self.site(host, url))))
    }

    /// A client that trusts whom the site's certificate may come from. Fails where the system or `ca` has none.
    pub fn client(&self, site: &Site) -> Result<Client, Failure> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&site.trust) {
            return Ok(client.clone());
        }
        let client = build(&site.trust)?;
        clients.insert(site.trust.clone(), client.clone());
        Ok(client)
    }

    fn site(&self, host: &str, url: &Url) -> Site {
        let name = canonical(host);
        let of_host = self.registries.iter().find(|(key, _)| canonical(key) == name);
        let default = Registry::default();
        let registry = of_host.map_or(&default, |(_, registry)| registry);
        let ca = registry.ca.as_ref().map(|ca| self.root.join(ca));
        let (scheme, trust) = match (registry.insecure, ca) {
            (Some(true), _) => (Scheme::HttpsThenHttp, Trust::Anyone),
            (_, Some(ca)) => (Scheme::Https, Trust::SystemAnd(ca)),
            (None, None) if is_loopback(url) => (Scheme::Http, Trust::Loopback),
            _ => (Scheme::Https, Trust::System),
        };
        Site {
            name: name.to_owned(),
            patience: registry.patience.map(|it| Duration::from_secs(it.get().into())),
            budget: Budget::new(registry.connections, registry.rate),
            mirrors: registry.mirrors.iter().map(|name| Mirror::new(name)).collect(),
            scheme,
            trust,
            is_plain: AtomicBool::new(false),
            has_answered: AtomicBool::new(false),
        }
    }
}

impl Site {
    /// The schemes to try, in this order.
    pub fn schemes(&self) -> &'static [&'static str] {
        match self.scheme {
            Scheme::Https => &["https"],
            Scheme::Http => &["http"],
            Scheme::HttpsThenHttp if self.is_plain.load(Ordering::Relaxed) => &["http"],
            Scheme::HttpsThenHttp => &["https", "http"],
        }
    }

    /// It answered by this scheme: the next request need not try the other one.
    pub fn answered_by(&self, scheme: &str) {
        self.is_plain.store(scheme == "http", Ordering::Relaxed);
        self.has_answered.store(true, Ordering::Relaxed);
    }

    /// Whether it has ever answered: then its name is right, and where it can't be reached, it is down for a moment.
    pub fn has_answered(&self) -> bool {
        self.has_answered.load(Ordering::Relaxed)
    }

    /// Whether the user has agreed that others may listen.
    pub fn may_be_plain(&self) -> bool {
        self.scheme != Scheme::Https
    }
}

/// Host and port, without the port where it is the scheme's own.
pub fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address: Option<IpAddr> = host.trim_start_matches('[').trim_end_matches(']').parse().ok();
    host == "localhost" || host.ends_with(".localhost") || address.is_some_and(|address| address.is_loopback())
}

fn build(trust: &Trust) -> Result<Client, Failure> {
    static PROVIDER: Once = Once::new();
    // An error says that there is one already, which does as well.
    PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
    let builder = Client::builder()
        .user_agent(concat!("forge/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_PATIENCE)
        .redirect(redirect::Policy::none());
    let builder = match trust {
        Trust::System => builder,
        Trust::SystemAnd(ca) => builder.tls_certs_merge(certificates(ca)?),
        Trust::Anyone => builder.tls_danger_accept_invalid_certs(true).tls_danger_accept_invalid_hostnames(true),
        // Needs no certificates of the system, and so works where there are none.
        Trust::Loopback => builder.tls_danger_accept_invalid_certs(true).no_proxy(),
    };
    builder.build().map_err(|error| {
        let failure = Failure::new(FailureClass::Machine, "can't prepare a TLS connection").cause(in_words(&error));
        failure.help("install the system's certificates (`ca-certificates`)")
    })
}

fn certificates(path: &Path) -> Result<Vec<Certificate>, Failure> {
    let pem = std::fs::read(path).map_err(|error| Failure::file("read", path, &error))?;
    let not_pem = || {
        Failure::input(format!("`{}` holds no certificate", path.display()))
            .help("`ca` names a file with certificates in PEM form")
    };
    let certificates = Certificate::from_pem_bundle(&pem).map_err(|_| not_pem())?;
    if certificates.is_empty() { Err(not_pem()) } else { Ok(certificates) }
}

/// What went wrong at the bottom, which is what the user can do something about. Without the URL: it may carry secrets.
pub fn in_words(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, schemes: &[&str], trust: Trust) {
        let registry =
            |insecure, ca: Option<&str>| Registry { insecure, ca: ca.map(PathBuf::from), ..Registry::default() };
        let registries = [
            ("insecure.example", registry(Some(true), None)),
            ("ca.example:5000", registry(None, Some("ca.pem"))),
            ("localhost:6000", registry(None, Some("ca.pem"))),
            ("localhost:7000", registry(Some(false), None)),
            ("docker.io", registry(None, Some("hub.pem"))),
        ];
        let registries = registries.map(|(host, registry)| (host.to_owned(), registry)).into();
        let site = Sites::new(registries, Path::new("/project")).at(&url.parse().unwrap());
        assert_eq!((site.schemes(), &site.trust), (schemes, &trust), "{url}");
    }

    #[test]
    fn who_is_spoken_to_how() {
        check("https://ghcr.io/v2/", &["https"], Trust::System);
        check("http://ghcr.io/v2/", &["https"], Trust::System);
        check("https://insecure.example/v2/", &["https", "http"], Trust::Anyone);
        check("https://insecure.example:8443/v2/", &["https"], Trust::System);
        check("https://ca.example:5000/v2/", &["https"], Trust::SystemAnd("/project/ca.pem".into()));
        check("https://registry-1.docker.io/v2/", &["https"], Trust::SystemAnd("/project/hub.pem".into()));
        check("https://localhost:5000/v2/", &["http"], Trust::Loopback);
        check("https://127.8.0.1:5000/v2/", &["http"], Trust::Loopback);
        check("https://[::1]:5000/v2/", &["http"], Trust::Loopback);
        check("https://localhost:6000/v2/", &["https"], Trust::SystemAnd("/project/ca.pem".into()));
        check("https://localhost:7000/v2/", &["https"], Trust::System);
        check("https://localhost.example/v2/", &["https"], Trust::System);
    }
}
