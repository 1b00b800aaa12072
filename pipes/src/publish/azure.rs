//! Destination `azure`: blobs in a container of Azure Blob Storage.
//! Does not know which files get there, and when: `bucket.rs` does.

mod blocks;

use std::sync::Arc;

use forge_plugin::schemas::{Failure, Problem, SecretReader, Selector};
use forge_plugin::{Given, Host, Template};
use object_store::azure::{AzureAccessKey, AzureCredential, split_sas};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::blocks::Container;
use super::bucket::courier::Courier;
use super::bucket::{self, Bucket, Site, Wanted};
use super::files::{self, FileNames};
use super::{Destination, Planned, Settings};
use crate::table::secrets::needs;

pub(super) const DESTINATION: Destination = Destination {
    name: "azure",
    about: "does the same with a container of Azure Blob Storage.",
    schema: Own::json_schema,
    takes,
    plan,
    probe: bucket::probe::<Azure>,
    run: bucket::run::<Azure>,
};

/// What it wants to know.
#[derive(Debug, Deserialize, JsonSchema)]
struct Own {
    /// The storage account.
    account: String,
    /// The container in it.
    container: String,
    /// The secret that is one of the account's access keys. Granted by `secrets`, with `reveal = true`.
    key: Option<String>,
    /// The secret that is a shared access signature instead (a SAS token, `sv=…&sig=…`), which may read, create and write in the container.
    /// Granted by `secrets`, with `reveal = true`.
    sas: Option<String>,
    /// The secret that is an access token instead, as CI gets one by its identity
    /// (`az account get-access-token --resource https://storage.azure.com/`). Granted by `secrets`, with `reveal = true`.
    token: Option<String>,
    /// Where the account is, in another cloud or an emulator: `http://127.0.0.1:10000/devstoreaccount1`. Default:
    /// `https://ACCOUNT.blob.core.windows.net`.
    endpoint: Option<String>,
    /// Where each file goes. Default: `{{ name }}/{{ version }}/{{ artifact }}`.
    path: Option<Template<FileNames>>,
    /// Further kinds of files that go there: `binary` for programs as they are.
    #[serde(default)]
    kinds: Vec<String>,
    /// What browsers and caches are told (`Cache-Control`).
    cache_control: Option<String>,
}

/// A container, and the name of the secret that opens it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Azure {
    account: String,
    container: String,
    /// Where the account is.
    endpoint: String,
    by: By,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum By {
    Key(String),
    Sas(String),
    Token(String),
}

fn takes(settings: &Settings) -> Vec<Selector> {
    files::takes(settings, &settings.own::<Own>().map(|own| own.kinds).unwrap_or_default())
}

fn plan(settings: &Settings, given: &Given<'_>) -> Planned {
    let own: Own = settings.own()?;
    let mut problems = own.problems();
    let by = own.by().map_err(|problem| problems.push(problem)).ok();
    let files = bucket::placed(own.path.as_ref(), given);
    let files = files.map_err(|more| problems.extend(more)).unwrap_or_default();
    let Some(by) = by.filter(|_| problems.is_empty()) else { return Err(problems) };
    let Own { account, container, key, sas, token, endpoint, cache_control, .. } = own;
    let secrets = needs(&[("key", key.as_ref()), ("sas", sas.as_ref()), ("token", token.as_ref())], SecretReader::Pipe);
    let endpoint = endpoint.unwrap_or_else(|| format!("https://{account}.blob.core.windows.net"));
    let site = Azure { account, container, endpoint: endpoint.trim_end_matches('/').to_owned(), by };
    let place = format!("azure/{}/{}", site.account, site.container);
    bucket::steps(&Wanted { site, files, cache_control }, &place, &secrets, given)
}

impl Own {
    fn by(&self) -> Result<By, Problem> {
        match (&self.key, &self.sas, &self.token) {
            (Some(key), None, None) => Ok(By::Key(key.clone())),
            (None, Some(sas), None) => Ok(By::Sas(sas.clone())),
            (None, None, Some(token)) => Ok(By::Token(token.clone())),
            _ => Err(Problem::at_key("to", "`azure` wants a `key`, a `sas` or a `token`, one of the three")
                .help("name the secret that is an access key, a shared access signature, or an access token")),
        }
    }

    fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let is_plain = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit();
        if !(3..=24).contains(&self.account.len()) || !self.account.chars().all(is_plain) {
            let problem = Problem::at_key("account", format!("no storage account can be called `{}`", self.account));
            problems.push(problem.help("a name has 3 to 24 small letters and digits"));
        }
        // Two of them have a meaning to Azure: the one that is shown as a web site, and that of what lies at the top.
        let is_its_own = ["$web", "$root"].contains(&self.container.as_str());
        let is_word = |it: &str| !it.is_empty() && it.chars().all(is_plain);
        let is_name = (3..=63).contains(&self.container.len()) && self.container.split('-').all(is_word);
        if !is_its_own && !is_name {
            let problem = Problem::at_key("container", format!("no container can be called `{}`", self.container));
            problems.push(problem.help("a name has 3 to 63 small letters, digits and single hyphens between them"));
        }
        let example = "https://hello.blob.core.chinacloudapi.cn";
        problems.extend(self.endpoint.iter().filter_map(|it| bucket::bad_endpoint(it, example)));
        problems
    }
}

impl Site for Azure {
    fn open(&self, courier: Courier, host: &dyn Host) -> Result<Arc<dyn Bucket>, Failure> {
        Ok(Arc::new(Container::open(self, self.by.credential(host)?, courier)?))
    }

    fn url(&self, key: &str) -> String {
        format!("{}/{}/{key}", self.endpoint, self.container)
    }
}

impl By {
    fn credential(&self, host: &dyn Host) -> Result<AzureCredential, Failure> {
        match self {
            By::Key(name) => {
                let key = AzureAccessKey::try_new(host.secret(name)?.trim());
                let is_none = format!("the secret `{name}` is no access key of a storage account");
                key.map(AzureCredential::AccessKey).map_err(|error| Failure::input(is_none).cause(error.to_string()))
            }
            By::Sas(name) => {
                let is_none = || Failure::input(format!("the secret `{name}` is no shared access signature"));
                let is_none = || is_none().help("it looks like `sv=…&se=…&sp=…&sig=…`");
                signature(&host.secret(name)?).map(AzureCredential::SASToken).ok_or_else(is_none)
            }
            By::Token(name) => bucket::secret(name, "access token", host).map(AzureCredential::BearerToken),
        }
    }
}

/// The fields of a shared access signature. Some places give it out as an address that has it.
fn signature(text: &str) -> Option<Vec<(String, String)>> {
    let text = text.trim();
    let fields = split_sas(text.rsplit_once('?').map_or(text, |(_, it)| it)).ok()?;
    fields.iter().any(|(name, _)| name == "sig").then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_taken_as_they_are_given_out() {
        let fields = [("sv", "2023-11-03"), ("sig", "a+b/c=")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        for text in [
            "sv=2023-11-03&sig=a%2Bb%2Fc%3D",
            "?sv=2023-11-03&sig=a%2Bb%2Fc%3D\n",
            "https://hello.blob.core.windows.net/files?sv=2023-11-03&sig=a%2Bb%2Fc%3D",
        ] {
            assert_eq!(signature(text).as_deref(), Some(&fields[..]), "{text}");
        }
        for text in ["", "sv=2023-11-03", "https://hello.blob.core.windows.net/files", "a password"] {
            assert_eq!(signature(text), None, "{text}");
        }
    }
}
