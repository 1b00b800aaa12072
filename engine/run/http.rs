//! stub
use forge_schemas::*;
pub struct Http;
impl Http {
    pub fn new(_: crate::registries::Registries) -> Result<Http, Failure> {
        Ok(Http)
    }
    pub async fn send(&self, _: &HttpRequest, _: impl Future<Output = ()>) -> Result<HttpResponse, Failure> {
        Err(Failure::bug("stub"))
    }
}
