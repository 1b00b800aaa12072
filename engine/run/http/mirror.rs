//! Registries that have the same as another one: which they are, and what is asked of them in its place.
//! Does not know what they answer.

use std::sync::atomic::{AtomicBool, Ordering};

use url::Url;

/// A mirror of a registry.
pub struct Mirror {
    /// Its host, and the path where its repositories begin, as the user named it.
    pub name: String,
    is_down: AtomicBool,
}

impl Mirror {
    /// The one of this name.
    pub fn new(name: &str) -> Mirror {
        Mirror { name: name.trim_end_matches('/').to_owned(), is_down: AtomicBool::new(false) }
    }

    /// What to ask instead of `url`; none for what is no repository's, and of a mirror that could not be reached.
    pub fn in_place_of(&self, url: &Url) -> Option<Url> {
        if self.is_down.load(Ordering::Relaxed) {
            return None;
        }
        let rest = url.path().strip_prefix("/v2/").filter(|rest| !rest.is_empty())?;
        let (host, prefix) = self.name.split_once('/').unwrap_or((&self.name, ""));
        let separator = if prefix.is_empty() { "" } else { "/" };
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        format!("https://{host}/v2/{prefix}{separator}{rest}{query}").parse().ok()
    }

    /// It can't be reached: nobody need find that out again in this run.
    pub fn mark_down(&self) {
        self.is_down.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(mirror: &str, url: &str, expect: Option<&str>) {
        let asked = Mirror::new(mirror).in_place_of(&url.parse().unwrap());
        assert_eq!(asked.as_ref().map(Url::as_str), expect);
    }

    #[test]
    fn what_a_mirror_is_asked() {
        let hub = "https://registry-1.docker.io/v2/library/debian/manifests/12";
        check("mirror.example", hub, Some("https://mirror.example/v2/library/debian/manifests/12"));
        check("mirror.example:5000/hub/", hub, Some("https://mirror.example:5000/v2/hub/library/debian/manifests/12"));
        check("m.example", "https://ghcr.io/v2/a/tags/list?n=1", Some("https://m.example/v2/a/tags/list?n=1"));
        check("m.example", "https://ghcr.io/v2/", None);
        check("m.example", "https://ghcr.io/token", None);
    }

    #[test]
    fn one_that_is_down_is_asked_nothing() {
        let mirror = Mirror::new("m.example");
        mirror.mark_down();
        assert_eq!(mirror.in_place_of(&"https://ghcr.io/v2/a/manifests/1".parse().unwrap()), None);
    }
}
