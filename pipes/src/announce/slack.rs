//! Service `slack`: an incoming webhook (api.slack.com, "Sending messages using incoming webhooks").
//! Does not know what is said.

use forge_plugin::schemas::{Body, HttpRequest, Method, Repeat};
use serde_json::json;

use super::{Params, Service, Way};

pub(super) const SERVICE: Service = Service {
    name: "slack",
    about: "an incoming webhook of Slack",
    keys: &["secret_url", "username"],
    needs: &[&["secret_url"]],
    way: Way::Request(request),
};

fn request(params: &Params, address: &str) -> HttpRequest {
    let mut body = json!({ "text": params.message });
    if let Some(username) = params.word("username") {
        body["username"] = username.into();
    }
    HttpRequest {
        body: Body::Text(body.to_string()),
        repeat: Repeat::Never,
        ..HttpRequest::new(Method::Post, address).header("Content-Type", "application/json")
    }
}
