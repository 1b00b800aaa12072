//! Service `mattermost`: an incoming webhook, which takes what Slack's takes (docs.mattermost.com, "Incoming webhooks").
//! Does not know what is said.

use super::{Service, slack};

pub(super) const SERVICE: Service =
    Service { name: "mattermost", about: "an incoming webhook of Mattermost", ..slack::SERVICE };
