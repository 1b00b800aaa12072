//! Pipe `acme_sample`: lists the digests of what other tables have made, as `sha256sum` does.
//! Does not know what these things are.

use std::fs;

use forge_plugin::schemas::kind::Role;
use forge_plugin::schemas::{Emit, Failure, KindInfo, Output, Problem, Selector, Step};
use forge_plugin::{Given, Host, Pipe, Wants};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The kind of a list. Other tables take it by this name.
const LIST: &str = "acme-sample.list";

/// Pipe `acme_sample`.
pub struct Sample;

/// Lists the digests of artifacts.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What the list is called.
    pub file: String,
    /// Which kinds to list. Default: programs.
    #[serde(default = "programs")]
    pub kinds: Vec<String>,
}

/// What `plan` tells `run`.
#[derive(Serialize, Deserialize)]
pub struct Params {
    version: String,
}

fn programs() -> Vec<String> {
    vec!["binary".to_owned()]
}

impl Pipe for Sample {
    const NAME: &'static str = "acme_sample";
    const SUMMARY: &'static str = "Lists the digests of what was made";
    type Settings = Settings;
    type Params = Params;

    fn makes() -> Vec<KindInfo> {
        vec![KindInfo {
            name: LIST.to_owned(),
            detail: json!({ "type": "object" }),
            // Users get it from where the release lives.
            role: Role::Delivery,
        }]
    }

    fn takes(settings: &Settings) -> Result<Wants, Vec<Problem>> {
        if settings.file.contains('/') {
            let problem = Problem::at_key("file", format!("`{}` is a path", settings.file));
            return Err(vec![problem.help("write a name: it lies in `dist/`")]);
        }
        let kinds = settings.kinds.clone();
        let selector = Selector {
            kinds,
            key: "kinds".to_owned(),
            ..Selector::default()
        };
        Ok(Wants {
            selectors: vec![selector],
            sources: Vec::new(),
        })
    }

    fn plan(settings: &Settings, given: &Given<'_>) -> Result<Vec<Step>, Vec<Problem>> {
        let list = Output {
            name: settings.file.clone(),
            kind: LIST.to_owned(),
            platform: None,
            detail: json!({}),
        };
        Ok(vec![Step {
            takes: given
                .offers
                .iter()
                .map(|offer| offer.name.clone())
                .collect(),
            makes: vec![list],
            params: json!({ "version": given.facts.version }),
            ..Step::default()
        }])
    }

    fn run(params: &Params, step: &Step, host: &dyn Host) -> Result<(), Failure> {
        let mut text = format!("# {}\n", params.version);
        for input in host.inputs() {
            text += &format!("{}  {}\n", input.digest.hex(), input.name);
        }
        let path = host.dir().join("list");
        fs::write(&path, text).map_err(|error| Failure::file("write", &path, &error))?;
        let name = step.makes[0].name.clone();
        host.emit(&Emit {
            name,
            path,
            blobs: Vec::new(),
            detail: json!({}),
        })?;
        Ok(())
    }
}

forge_plugin::export! { name: "acme-sample", pipes: [Sample] }
forge_plugin::entry!(forge_plugin);

#[cfg(test)]
mod tests {
    use forge_plugin::schemas::kind::Binary;
    use forge_plugin::testing::{FakeHost, plan_table, run_step, sample_facts, takes_table};

    use super::*;

    #[test]
    fn lists_what_was_made() {
        let hello = Binary {
            file_name: "hello".to_owned(),
        };
        let mut host = FakeHost::new().with_input("hello", None, &hello, "program");
        let settings = json!({ "file": "list.txt" });
        let facts = sample_facts();
        let steps = plan_table::<Sample>(&settings, &facts, &host.offers(), &[]).unwrap();
        let made = run_step::<Sample>(&steps[0], &mut host).unwrap();
        let text = fs::read_to_string(&made[0].path).unwrap();
        assert!(
            text.starts_with("# 1.2.3\n") && text.ends_with("  hello\n"),
            "{text}"
        );
    }

    #[test]
    fn a_path_is_no_name() {
        let problems = takes_table::<Sample>(&json!({ "file": "a/b" })).unwrap_err();
        assert_eq!(problems[0].message, "`a/b` is a path");
    }
}
