//! What is asked of a bucket: what lies in it, and to take objects in parts. Most are stores of the crate `object_store` as they are.
//! Does not know which files are put there.

use forge_plugin::schemas::Failure;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{Attributes, ObjectStore, PutMultipartOptions};

use super::courier::failure;

/// A place for objects that come in parts, which nobody sees before they are put together.
#[async_trait::async_trait]
pub trait Bucket: Send + Sync {
    /// What looks into it.
    fn store(&self) -> &dyn ObjectStore;
    /// Begins an upload of an object that will have these attributes: its name.
    async fn begin(&self, path: &Path, attributes: Attributes) -> Result<String, Failure>;
    /// Sends the part of this number, from 0: its name.
    async fn send(&self, path: &Path, upload: &str, number: usize, content: Vec<u8>) -> Result<String, Failure>;
    /// Makes an object of the parts of these names. It has the attributes that it was begun with, which are told again.
    async fn complete(
        &self,
        path: &Path,
        upload: &str,
        parts: Vec<String>,
        attributes: Attributes,
    ) -> Result<(), Failure>;
    /// Throws away what was sent.
    async fn give_up(&self, path: &Path, upload: &str) -> Result<(), Failure>;
}

#[async_trait::async_trait]
impl<S: ObjectStore + MultipartStore> Bucket for S {
    fn store(&self) -> &dyn ObjectStore {
        self
    }

    async fn begin(&self, path: &Path, attributes: Attributes) -> Result<String, Failure> {
        let options = PutMultipartOptions { attributes, ..PutMultipartOptions::default() };
        self.create_multipart_opts(path, options).await.map_err(|error| failure(&error))
    }

    async fn send(&self, path: &Path, upload: &str, number: usize, content: Vec<u8>) -> Result<String, Failure> {
        let sent = self.put_part(path, &upload.to_owned(), number, content.into()).await;
        sent.map(|it| it.content_id).map_err(|error| failure(&error))
    }

    async fn complete(&self, path: &Path, upload: &str, parts: Vec<String>, _: Attributes) -> Result<(), Failure> {
        let parts = parts.into_iter().map(|content_id| PartId { content_id }).collect();
        let whole = self.complete_multipart(path, &upload.to_owned(), parts).await;
        whole.map(drop).map_err(|error| failure(&error))
    }

    async fn give_up(&self, path: &Path, upload: &str) -> Result<(), Failure> {
        self.abort_multipart(path, &upload.to_owned()).await.map_err(|error| failure(&error))
    }
}
