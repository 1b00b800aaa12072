//! Service `telegram`: a message of a bot (core.telegram.org/bots/api, "sendMessage"). The address has the bot's token in it.
//! Does not know what is said.

use forge_plugin::schemas::{Body, HttpRequest, Method, Repeat};
use serde_json::json;

use super::{Params, Service, Way};

pub(super) const SERVICE: Service = Service {
    name: "telegram",
    about: "a bot of Telegram; `secret_url` is `https://api.telegram.org/botTOKEN`",
    keys: &["secret_url", "chat"],
    needs: &[&["secret_url"], &["chat"]],
    way: Way::Request(request),
};

fn request(params: &Params, address: &str) -> HttpRequest {
    let body = json!({ "chat_id": params.word("chat"), "text": params.message });
    let address = format!("{}/sendMessage", address.trim_end_matches('/'));
    HttpRequest {
        body: Body::Text(body.to_string()),
        repeat: Repeat::Never,
        ..HttpRequest::new(Method::Post, address).header("Content-Type", "application/json")
    }
}
