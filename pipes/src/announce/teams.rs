//! Service `teams`: a workflow that waits for webhook requests (learn.microsoft.com, "Create incoming webhooks with Workflows").
//! Does not know what is said.

use forge_plugin::schemas::{Body, HttpRequest, Method, Repeat};
use serde_json::json;

use super::{Params, Service, Way};

pub(super) const SERVICE: Service = Service {
    name: "teams",
    about: "a workflow of Microsoft Teams that is started by a webhook",
    keys: &["secret_url", "title"],
    needs: &[&["secret_url"]],
    way: Way::Request(request),
};

fn request(params: &Params, address: &str) -> HttpRequest {
    let text = |text: &str, weight: &str| json!({ "type": "TextBlock", "text": text, "wrap": true, "weight": weight });
    let title = params.word("title").map(|title| text(title, "Bolder"));
    let blocks: Vec<_> = title.into_iter().chain([text(&params.message, "Default")]).collect();
    let card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4", "body": blocks,
    });
    let attachment = json!({ "contentType": "application/vnd.microsoft.card.adaptive", "content": card });
    let body = json!({ "type": "message", "attachments": [attachment] });
    HttpRequest {
        body: Body::Text(body.to_string()),
        repeat: Repeat::Never,
        ..HttpRequest::new(Method::Post, address).header("Content-Type", "application/json")
    }
}
