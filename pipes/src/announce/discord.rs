//! Service `discord`: a webhook of a channel (discord.com/developers, "Execute Webhook").
//! Does not know what is said.

use forge_plugin::schemas::{Body, HttpRequest, Method, Repeat};
use serde_json::json;

use super::{Params, Service, Way};

pub(super) const SERVICE: Service = Service {
    name: "discord",
    about: "a webhook of a channel of Discord",
    keys: &["secret_url", "username", "title"],
    needs: &[&["secret_url"]],
    way: Way::Request(request),
};

fn request(params: &Params, address: &str) -> HttpRequest {
    let mut body = match params.word("title") {
        Some(title) => json!({ "embeds": [{ "title": title, "description": params.message }] }),
        None => json!({ "content": params.message }),
    };
    if let Some(username) = params.word("username") {
        body["username"] = username.into();
    }
    HttpRequest {
        body: Body::Text(body.to_string()),
        repeat: Repeat::Never,
        ..HttpRequest::new(Method::Post, address).header("Content-Type", "application/json")
    }
}
