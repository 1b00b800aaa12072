//! Programs of other tables that a build needs first: a generator, a resource that is linked in.
//! Does not know the tools: each finds a program by a variable of its environment.

use forge_plugin::Host;
use forge_plugin::schemas::kind::{Binary, Kind};
use forge_plugin::schemas::{Offer, Problem, Selector};
use serde::{Deserialize, Serialize};

use super::settings::Settings;
use super::unit::Unit;

/// A program that a build needs first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// The variable that holds its path.
    variable: String,
    /// The artifact.
    pub artifact: String,
}

/// What the table takes: all programs of each table that it names.
pub fn selectors(settings: &Settings) -> Vec<Selector> {
    let selector = |(at, id): (usize, &String)| Selector {
        tables: vec![id.clone()],
        key: key(at),
        ..Selector::of_kind(Binary::NAME)
    };
    settings.inputs.iter().enumerate().map(selector).collect()
}

/// Those of one platform: the program for the same platform, or the only one that there is.
pub fn of(unit: &mut Unit<'_>) -> Vec<Input> {
    let mut inputs = Vec::new();
    for (at, id) in unit.settings.inputs.iter().enumerate() {
        let offers: Vec<&Offer> = unit.given.offers.iter().filter(|offer| offer.table.id == *id).collect();
        let same = offers.iter().find(|offer| offer.platform.as_ref() == Some(unit.platform));
        match (same, offers.as_slice()) {
            (Some(offer), _) | (None, [offer]) => {
                inputs.push(Input { variable: variable(id), artifact: offer.name.clone() });
            }
            // Its table is off: that one that is on makes nothing, the engine tells.
            (None, []) => {}
            _ => {
                let message =
                    format!("`{id}` is not built for {}, and for more than one other platform", unit.platform);
                let help = "build it for this one too, or for one alone: the one that you build on";
                unit.problem(Problem::at_key(key(at), message).help(help));
            }
        }
    }
    inputs
}

/// The variables that hold the paths of these. The engine gives a step all that it takes.
pub fn variables(inputs: &[Input], host: &dyn Host) -> Vec<(String, String)> {
    let path = |input: &Input| {
        let made = host.inputs().iter().find(|made| made.name == input.artifact)?;
        Some((input.variable.clone(), made.path.display().to_string()))
    };
    inputs.iter().filter_map(path).collect()
}

fn key(at: usize) -> String {
    format!("inputs[{at}]")
}

/// `FORGE_INPUT_` and the id, in letters that a shell takes for a name.
fn variable(id: &str) -> String {
    let letter = |it: char| if it.is_ascii_alphanumeric() { it.to_ascii_uppercase() } else { '_' };
    format!("FORGE_INPUT_{}", id.chars().map(letter).collect::<String>())
}

#[cfg(test)]
mod tests {
    use forge_plugin::schemas::{Platform, TableName};
    use forge_plugin::testing::{plan_table, sample_facts};
    use serde_json::json;

    use super::super::Build;
    use super::*;

    fn check(offered: &[&str], expect: &str) {
        let offers: Vec<Offer> = offered.iter().map(|platform| offer(platform)).collect();
        let settings = json!({
            "tool": "command", "argv": ["x"], "platforms": ["linux/arm64"], "inputs": ["my-gen"], "sources": [],
        });
        let said = match plan_table::<Build>(&settings, &sample_facts(), &offers, &[]) {
            Ok(steps) => steps[0].takes.join(" "),
            Err(problems) => problems.into_iter().map(|it| it.message).collect(),
        };
        assert_eq!(said, expect);
    }

    fn offer(platform: &str) -> Offer {
        let platform: Platform = platform.parse().unwrap();
        let name = format!("my-gen_{}", platform.slug());
        let table = TableName::new("build", "my-gen");
        Offer {
            name,
            kind: Binary::NAME.to_owned(),
            platform: Some(platform),
            table,
            made_of: Vec::new(),
            detail: json!({}),
        }
    }

    #[test]
    fn the_same_platform_or_the_only_one() {
        check(&["linux/amd64", "linux/arm64"], "my-gen_linux_arm64");
        check(&["linux/amd64"], "my-gen_linux_amd64");
        check(&[], "");
        check(
            &["linux/amd64", "darwin/arm64"],
            "`my-gen` is not built for linux/arm64, and for more than one other platform",
        );
    }

    #[test]
    fn variables_are_names_that_a_shell_takes() {
        assert_eq!(variable("my-gen.2"), "FORGE_INPUT_MY_GEN_2");
    }
}
