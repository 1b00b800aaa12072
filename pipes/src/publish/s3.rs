//! Destination `s3`: objects in a bucket of Amazon S3, or of a store that speaks its language.
//! Does not know how objects get there: `bucket.rs` does.

use std::sync::Arc;

use forge_plugin::schemas::{Failure, Problem, SecretReader, Selector};
use forge_plugin::{Given, Host, Template};
use object_store::aws::AmazonS3Builder;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bucket::courier::{self, Courier};
use super::bucket::{self, Bucket, Site, Wanted};
use super::files::{self, FileNames};
use super::{Destination, Planned, Settings};
use crate::table::secrets::needs;

pub(super) const DESTINATION: Destination = Destination {
    name: "s3",
    about: "puts archives, packages, checksums and what else users get into a bucket of Amazon S3, or of a store that speaks its \
            language (MinIO, R2, Ceph, Google Cloud Storage with HMAC keys): all of it is sent in parts that nobody sees, and put together \
            when all else is there.",
    schema: Own::json_schema,
    takes,
    plan,
    probe: bucket::probe::<S3>,
    run: bucket::run::<S3>,
};

/// What it wants to know.
#[derive(Debug, Deserialize, JsonSchema)]
struct Own {
    /// The bucket.
    bucket: String,
    /// The secret that is the id of the access key. Granted by `secrets`, with `reveal = true`.
    key_id: String,
    /// The secret that is the access key itself. Granted by `secrets`, with `reveal = true`.
    key: String,
    /// The secret that is the token of a session, where the key is a temporary one, as CI gets them. Granted by `secrets`, with
    /// `reveal = true`.
    session: Option<String>,
    /// The region. Default: `us-east-1`, which stores of one's own do not mind.
    region: Option<String>,
    /// Where a store of one's own is: `https://minio.example.org`. Default: Amazon's of the region.
    endpoint: Option<String>,
    /// Where each file goes. Default: `{{ name }}/{{ version }}/{{ artifact }}`.
    path: Option<Template<FileNames>>,
    /// Further kinds of files that go there: `binary` for programs as they are. What users download, what is said about that, what it hashes
    /// to and its signatures go there in any case.
    #[serde(default)]
    kinds: Vec<String>,
    /// What browsers and caches are told (`Cache-Control`): `public, max-age=31536000, immutable`.
    cache_control: Option<String>,
}

/// A bucket, and the names of the secrets that open it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct S3 {
    bucket: String,
    region: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    endpoint: Option<String>,
    key_id: String,
    key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session: Option<String>,
}

fn takes(settings: &Settings) -> Vec<Selector> {
    files::takes(settings, &settings.own::<Own>().map(|own| own.kinds).unwrap_or_default())
}

fn plan(settings: &Settings, given: &Given<'_>) -> Planned {
    let own: Own = settings.own()?;
    let mut problems = own.problems();
    let files = bucket::placed(own.path.as_ref(), given).map_err(|more| problems.extend(more)).unwrap_or_default();
    if !problems.is_empty() {
        return Err(problems);
    }
    let Own { bucket, region, endpoint, key_id, key, session, cache_control, .. } = own;
    let secrets =
        needs(&[("key_id", Some(&key_id)), ("key", Some(&key)), ("session", session.as_ref())], SecretReader::Pipe);
    let region = region.unwrap_or_else(|| "us-east-1".to_owned());
    let site = S3 { bucket, region, endpoint, key_id, key, session };
    let place = format!("s3/{}", site.bucket);
    bucket::steps(&Wanted { site, files, cache_control }, &place, &secrets, given)
}

impl Own {
    fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let is_name = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || ".-".contains(it);
        if !(3..=63).contains(&self.bucket.len()) || !self.bucket.chars().all(is_name) {
            let problem = Problem::at_key("bucket", format!("no bucket can be called `{}`", self.bucket));
            problems.push(problem.help("a name has 3 to 63 small letters, digits, dots and hyphens"));
        }
        problems.extend(self.endpoint.iter().filter_map(|it| bucket::bad_endpoint(it, "https://minio.example.org")));
        problems
    }
}

impl Site for S3 {
    fn open(&self, courier: Courier, host: &dyn Host) -> Result<Arc<dyn Bucket>, Failure> {
        let mut builder = AmazonS3Builder::new()
            .with_http_connector(courier)
            .with_retry(courier::once())
            .with_client_options(courier::options())
            .with_bucket_name(&self.bucket)
            .with_region(&self.region)
            .with_access_key_id(bucket::secret(&self.key_id, "id of an access key", host)?)
            .with_secret_access_key(host.secret(&self.key)?.trim());
        if let Some(session) = &self.session {
            builder = builder.with_token(bucket::secret(session, "token of a session", host)?);
        }
        if let Some(endpoint) = &self.endpoint {
            builder = builder.with_endpoint(endpoint.trim_end_matches('/'));
        }
        let bucket = builder.build().map_err(|error| Failure::input(error.to_string()))?;
        Ok(Arc::new(bucket))
    }

    fn url(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket)
    }
}
