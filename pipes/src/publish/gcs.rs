//! Destination `gcs`: objects in a bucket of Google Cloud Storage.
//! Does not know how objects get there: `bucket.rs` does.

use std::net::Ipv4Addr;
use std::sync::Arc;

use forge_plugin::schemas::{Failure, Problem, SecretReader, Selector};
use forge_plugin::{Given, Host, Template};
use object_store::gcp::GoogleCloudStorageBuilder;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bucket::courier::{self, Courier};
use super::bucket::{self, Bucket, Site, Wanted};
use super::files::{self, FileNames};
use super::{Destination, Planned, Settings};
use crate::table::secrets::needs;

pub(super) const DESTINATION: Destination = Destination {
    name: "gcs",
    about: "does the same with a bucket of Google Cloud Storage.",
    schema: Own::json_schema,
    takes,
    plan,
    probe: bucket::probe::<Gcs>,
    run: bucket::run::<Gcs>,
};

/// What it wants to know.
#[derive(Debug, Deserialize, JsonSchema)]
struct Own {
    /// The bucket.
    bucket: String,
    /// The secret that is the key of a service account, as the JSON that Google gives out. Granted by `secrets`, with `reveal = true`.
    key: Option<String>,
    /// The secret that is an access token instead, as CI gets one by its identity (`gcloud auth print-access-token`). Granted by `secrets`, with
    /// `reveal = true`.
    token: Option<String>,
    /// Where an emulator is. Default: `https://storage.googleapis.com`.
    endpoint: Option<String>,
    /// Where each file goes. Default: `{{ name }}/{{ version }}/{{ artifact }}`.
    path: Option<Template<FileNames>>,
    /// Further kinds of files that go there: `binary` for programs as they are.
    #[serde(default)]
    kinds: Vec<String>,
    /// What browsers and caches are told (`Cache-Control`).
    cache_control: Option<String>,
}

/// A bucket, and the name of the secret that opens it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Gcs {
    bucket: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    endpoint: Option<String>,
    by: By,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum By {
    Key(String),
    Token(String),
}

fn takes(settings: &Settings) -> Vec<Selector> {
    files::takes(settings, &settings.own::<Own>().map(|own| own.kinds).unwrap_or_default())
}

fn plan(settings: &Settings, given: &Given<'_>) -> Planned {
    let own: Own = settings.own()?;
    let mut problems: Vec<Problem> =
        own.endpoint.iter().filter_map(|it| bucket::bad_endpoint(it, "http://localhost:4443")).collect();
    problems.extend(bad_name(&own.bucket));
    let by = match (&own.key, &own.token) {
        (Some(key), None) => Some(By::Key(key.clone())),
        (None, Some(token)) => Some(By::Token(token.clone())),
        _ => {
            let problem = Problem::at_key("to", "`gcs` wants a `key` or a `token`, one of both");
            problems.push(problem.help("name the secret that is the key of a service account, or an access token"));
            None
        }
    };
    let files = bucket::placed(own.path.as_ref(), given);
    let files = files.map_err(|more| problems.extend(more)).unwrap_or_default();
    let Some(by) = by.filter(|_| problems.is_empty()) else { return Err(problems) };
    let secrets = needs(&[("key", own.key.as_ref()), ("token", own.token.as_ref())], SecretReader::Pipe);
    let site = Gcs { bucket: own.bucket, endpoint: own.endpoint, by };
    let place = format!("gcs/{}", site.bucket);
    bucket::steps(&Wanted { site, files, cache_control: own.cache_control }, &place, &secrets, given)
}

/// What no bucket can be called (Google's documentation, "Bucket naming requirements").
fn bad_name(bucket: &str) -> Option<Problem> {
    let is_plain = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit();
    let is_part = |it: &str| (1..=63).contains(&it.len()) && it.chars().all(|it| is_plain(it) || "-_".contains(it));
    let is_name = (3..=222).contains(&bucket.len())
        && bucket.split('.').all(is_part)
        && bucket.starts_with(is_plain)
        && bucket.ends_with(is_plain)
        && bucket.parse::<Ipv4Addr>().is_err();
    (!is_name).then(|| {
        Problem::at_key("bucket", format!("no bucket can be called `{bucket}`")).help(
            "a name has 3 to 63 small letters, digits, hyphens, underscores and dots, and begins and ends with a letter or a digit; one with dots \
             has up to 222, and 63 between them",
        )
    })
}

impl Site for Gcs {
    fn open(&self, courier: Courier, host: &dyn Host) -> Result<Arc<dyn Bucket>, Failure> {
        let mut builder = GoogleCloudStorageBuilder::new()
            .with_http_connector(courier)
            .with_retry(courier::once())
            .with_client_options(courier::options())
            .with_bucket_name(&self.bucket);
        builder = match &self.by {
            By::Key(key) => builder.with_service_account_key(host.secret(key)?),
            By::Token(token) => builder.with_bearer_token(bucket::secret(token, "access token", host)?),
        };
        if let Some(endpoint) = &self.endpoint {
            builder = builder.with_base_url(endpoint.trim_end_matches('/'));
        }
        let named = match &self.by {
            By::Key(key) => format!("the secret `{key}` is no key of a service account"),
            By::Token(_) => "the bucket can't be used".to_owned(),
        };
        let bucket = builder.build().map_err(|error| Failure::input(named).cause(error.to_string()))?;
        Ok(Arc::new(bucket))
    }

    fn url(&self, key: &str) -> String {
        format!("gs://{}/{key}", self.bucket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_bucket_can_be_called() {
        let check = |name: &str, is_good: bool| assert_eq!(bad_name(name).is_none(), is_good, "{name}");
        check("abc", true);
        check("my_files-2", true);
        check("dl.example.org", true);
        check(&"a".repeat(63), true);
        check(&vec!["a".repeat(55); 4].join(".")[..222], true);
        check("", false);
        check("ab", false);
        check("a/b", false);
        check("Files", false);
        check("-files", false);
        check("files_", false);
        check("a..b", false);
        check("192.168.5.4", false);
        check(&"a".repeat(64), false);
        check(&vec!["a".repeat(55); 4].join("."), false);
        check(&format!("b.{}", "a".repeat(64)), false);
    }
}
