//! Addresses of web servers, as users write them in a table.
//! Does not know what is to be found there.

use forge_plugin::schemas::Problem;
use url::Url;

/// Why a text is no address that can be asked.
#[derive(Debug, PartialEq, Eq)]
pub enum NoWeb {
    /// A user or a password stands in it, so that it is not to be shown.
    Secret,
    /// It is something else: the text, unless it may have a password inside.
    Other(Option<String>),
}

/// Whether a text is the address of something on a web server, without credentials, and not of a part of it (`#`).
pub fn web(text: &str) -> Result<Url, NoWeb> {
    match Url::parse(text) {
        Ok(url) if !url.username().is_empty() || url.password().is_some() => Err(NoWeb::Secret),
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() && url.fragment().is_none() => Ok(url),
        _ => Err(NoWeb::Other((!text.contains('@')).then(|| text.to_owned()))),
    }
}

/// The same for the address that others begin with: it has no query either, in which there may be a key.
pub fn base(text: &str) -> Result<Url, NoWeb> {
    let url = web(text)?;
    if url.query().is_none() { Ok(url) } else { Err(NoWeb::Other(None)) }
}

impl NoWeb {
    /// What is wrong with the value of a key. `of` is what should be there: `a GitLab`; `example` is a line that is right.
    pub fn problem(&self, key: &str, of: &str, example: &str) -> Problem {
        match self {
            NoWeb::Secret => {
                let problem = "a user or a password stands in the address, where everyone would read it";
                Problem::at_key(key, problem).help(
                    "take it out, and name it as a secret: by `username` and `secret` in `[registries.\"HOST\"]`, or by `token`, where the \
                     table has that key",
                )
            }
            NoWeb::Other(text) => {
                let shown = text.as_ref().map_or("this".to_owned(), |it| format!("`{it}`"));
                Problem::at_key(key, format!("{shown} is no address of {of}"))
                    .help(format!("write one, as in `{example}`"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &str) {
        let told = match base(text) {
            Ok(_) => "good".to_owned(),
            Err(bad) => bad.problem("api", "a GitLab", "x").message,
        };
        assert_eq!(told, expect, "{text}");
    }

    #[test]
    fn what_is_an_address() {
        check("https://gitlab.example.org", "good");
        check("http://127.0.0.1:8080/git/", "good");
        check("gitlab.example.org", "`gitlab.example.org` is no address of a GitLab");
        check("ftp://gitlab.example.org", "`ftp://gitlab.example.org` is no address of a GitLab");
        check("https://", "`https://` is no address of a GitLab");
        check("https://x/#part", "`https://x/#part` is no address of a GitLab");
        check("https://x/?q", "this is no address of a GitLab");
        check("https://x/ path", "good");
        let secret = "a user or a password stands in the address, where everyone would read it";
        check("https://ada:word@x", secret);
        check("https://ada@x?q", secret);
        check("ada:word@x", "this is no address of a GitLab");
        assert!(web("https://x/?q").is_ok());
    }
}
