//! Service `mastodon`: a status (docs.joinmastodon.org, "Post a new status"), which the server takes once by its `Idempotency-Key`.
//! Does not know what is said, nor the token: the engine has it.

use forge_plugin::schemas::{Authorization, Body, HttpRequest, Method, Repeat};
use serde_json::json;

use super::{Params, Service, Way};

pub(super) const SERVICE: Service = Service {
    name: "mastodon",
    about: "a status on Mastodon",
    keys: &["url", "visibility"],
    needs: &[&["url"]],
    way: Way::Request(request),
};

fn request(params: &Params, address: &str) -> HttpRequest {
    let mut body = json!({ "status": params.message });
    if let Some(visibility) = params.word("visibility") {
        body["visibility"] = visibility.into();
    }
    let address = format!("{}/api/v1/statuses", address.trim_end_matches('/'));
    HttpRequest {
        body: Body::Text(body.to_string()),
        // The same key, the same status.
        repeat: Repeat::Always,
        authorization: Authorization::Bearer,
        ..HttpRequest::new(Method::Post, address)
            .header("Content-Type", "application/json")
            .header("Idempotency-Key", params.digest().hex())
    }
}
