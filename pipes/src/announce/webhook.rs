//! Service `webhook`: the message as it is, to any address.
//! Does not know what is said, nor who listens.

use forge_plugin::schemas::{Body, HttpRequest, Method, Repeat};

use serde_json::{Value, json};

use super::{Params, Service, Way};

pub(super) const SERVICE: Service = Service {
    name: "webhook",
    about: "any address, which is sent the message as it is",
    keys: &["secret_url", "url", "headers", "content_type"],
    needs: &[&["secret_url", "url"]],
    way: Way::Request(request),
};

fn request(params: &Params, address: &str) -> HttpRequest {
    let form = params.word("content_type").unwrap_or("application/json");
    let request = HttpRequest::new(Method::Post, address).header("Content-Type", form);
    let request = params.headers.iter().fold(request, |request, (name, value)| request.header(name, value));
    HttpRequest { body: Body::Text(written(&params.message, form)), repeat: Repeat::Never, ..request }
}

/// Who reads JSON can't read a line of text.
fn written(message: &str, form: &str) -> String {
    let is_json = form.to_ascii_lowercase().starts_with("application/json");
    match is_json && serde_json::from_str::<Value>(message).is_err() {
        true => json!({ "message": message }).to_string(),
        false => message.to_owned(),
    }
}
