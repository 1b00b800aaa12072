//! Blobs of Azure, of blocks: each is sent with what it hashes to, and the list of them makes a blob, with all that is said about it.
//! Does not know what opens a container, or which files are put there.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use forge_plugin::schemas::Failure;
use http::header::{CONTENT_LENGTH, HeaderName};
use md5::{Digest as _, Md5};
use object_store::azure::{AzureAuthorizer, AzureCredential, MicrosoftAzure, MicrosoftAzureBuilder};
use object_store::client::{HttpRequest, StaticCredentialProvider};
use object_store::path::Path;
use object_store::{Attribute, Attributes, ObjectStore};
use url::Url;

use super::Azure;
use crate::publish::bucket::Bucket;
use crate::publish::bucket::courier::{self, Courier, failure};

/// A container that can be looked into by the crate. What is put there is not: the crate gives no metadata to what it puts together.
pub struct Container {
    store: MicrosoftAzure,
    courier: Courier,
    account: String,
    url: Url,
}

impl Container {
    /// The container, opened by this.
    pub fn open(site: &Azure, credential: AzureCredential, courier: Courier) -> Result<Container, Failure> {
        let store = MicrosoftAzureBuilder::new()
            .with_http_connector(courier.clone())
            .with_retry(courier::once())
            .with_client_options(courier::options())
            .with_account(&site.account)
            .with_container_name(&site.container)
            .with_endpoint(site.endpoint.clone())
            .with_credentials(Arc::new(StaticCredentialProvider::new(credential)))
            .build();
        let store = store.map_err(|error| Failure::input(error.to_string()))?;
        let url = format!("{}/{}", site.endpoint, site.container);
        let url = url.parse().map_err(|_| Failure::bug("an address that was looked at is none"))?;
        Ok(Container { store, courier, account: site.account.clone(), url })
    }

    async fn put(
        &self,
        path: &Path,
        query: &[(&str, &str)],
        headers: &[(HeaderName, String)],
        content: Vec<u8>,
    ) -> Result<(), Failure> {
        let mut url = self.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.extend(path.parts());
        }
        url.query_pairs_mut().extend_pairs(query);
        let mut request = http::Request::put(url.as_str()).header(CONTENT_LENGTH, content.len());
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let mut request: HttpRequest = request.body(content.into()).map_err(|error| Failure::bug(error.to_string()))?;
        let credential = self.store.credentials().get_credential().await.map_err(|error| failure(&error))?;
        let authorizer = AzureAuthorizer::new(&credential, &self.account);
        authorizer.try_authorize(&mut request).map_err(|error| failure(&error))?;
        let answer = self.courier.ask(request).await?;
        if answer.is_success() { Ok(()) } else { Err(courier::refusal(&answer)) }
    }
}

#[async_trait::async_trait]
impl Bucket for Container {
    fn store(&self) -> &dyn ObjectStore {
        &self.store
    }

    /// Blocks belong to the blob that they are sent for: there is nothing to begin.
    async fn begin(&self, _: &Path, _: Attributes) -> Result<String, Failure> {
        Ok(String::new())
    }

    /// A block is called by what it hashes to, so that one that is sent again takes the place of the first, and nobody's takes that of
    /// another's. All names of a blob have one length, as they must. What is empty has no block: Azure takes none.
    async fn send(&self, path: &Path, _: &str, number: usize, content: Vec<u8>) -> Result<String, Failure> {
        if content.is_empty() {
            return Ok(String::new());
        }
        let md5 = STANDARD.encode(Md5::digest(&content));
        let block = STANDARD.encode(format!("{number:05}-{md5}"));
        let headers = [(HeaderName::from_static("content-md5"), md5)];
        self.put(path, &[("comp", "block"), ("blockid", &block)], &headers, content).await?;
        Ok(block)
    }

    /// `Latest`: a list that is sent twice, because nobody has heard the answer, finds its blocks in the blob that it has made.
    async fn complete(&self, path: &Path, _: &str, parts: Vec<String>, attributes: Attributes) -> Result<(), Failure> {
        let blocks = parts.iter().filter(|it| !it.is_empty());
        let blocks: String = blocks.map(|it| format!("<Latest>{it}</Latest>")).collect();
        let list = format!("<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>{blocks}</BlockList>");
        let headers = attributes.iter().filter_map(|(name, value)| Some((header(name)?, value.to_string())));
        self.put(path, &[("comp", "blocklist")], &headers.collect::<Vec<_>>(), list.into()).await
    }

    /// Azure throws away after a week what is in no list, or when a list has made the blob.
    async fn give_up(&self, _: &Path, _: &str) -> Result<(), Failure> {
        Ok(())
    }
}

/// What says it about a blob.
fn header(attribute: &Attribute) -> Option<HeaderName> {
    match attribute {
        Attribute::CacheControl => Some(HeaderName::from_static("x-ms-blob-cache-control")),
        Attribute::ContentType => Some(HeaderName::from_static("x-ms-blob-content-type")),
        Attribute::Metadata(name) => HeaderName::try_from(format!("x-ms-meta-{name}")).ok(),
        _ => None,
    }
}
