//! What the steps of a table offer to others: what they make, and of what.
//! Does not know who takes it.

use std::collections::{HashMap, HashSet};

use forge_schemas::{Offer, Step, TableName};

/// All that these steps of one table make.
pub fn offers(table: &TableName, steps: &[Step]) -> Vec<Offer> {
    let makers: HashMap<&str, &Step> =
        steps.iter().flat_map(|step| step.makes.iter().map(move |it| (it.name.as_str(), step))).collect();
    let mut offers = Vec::new();
    for step in steps.iter().filter(|step| !step.makes.is_empty()) {
        let made_of = made_of(step, &makers);
        offers.extend(step.makes.iter().map(|output| Offer {
            name: output.name.clone(),
            kind: output.kind.clone(),
            platform: output.platform.clone(),
            table: table.clone(),
            made_of: made_of.clone(),
            detail: output.detail.clone(),
        }));
    }
    offers
}

/// What a step takes, and what those of its table take that make some of that; each once, nearest first.
fn made_of(step: &Step, makers: &HashMap<&str, &Step>) -> Vec<String> {
    let mut found: Vec<&str> = Vec::new();
    let mut seen: HashSet<&str> = HashSet::new();
    let mut next = 0;
    found.extend(step.takes.iter().map(String::as_str).filter(|name| seen.insert(name)));
    while let Some(name) = found.get(next).copied() {
        next += 1;
        let takes = makers.get(name).into_iter().flat_map(|maker| &maker.takes);
        found.extend(takes.map(String::as_str).filter(|name| seen.insert(name)));
    }
    found.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use forge_schemas::Output;

    use super::*;

    fn step(takes: &[&str], makes: &str) -> Step {
        let makes = vec![Output {
            name: makes.to_owned(),
            kind: "x".to_owned(),
            platform: None,
            detail: serde_json::Value::Null,
        }];
        Step { takes: takes.iter().map(|it| (*it).to_owned()).collect(), makes, ..Step::default() }
    }

    #[test]
    fn through_the_steps_of_the_table_itself() {
        let steps = [step(&["a", "b"], "layer"), step(&["layer", "c", "a"], "image"), step(&[], "alone")];
        let offers = offers(&TableName::new("x", "x"), &steps);
        let made_of: Vec<String> = offers.iter().map(|it| format!("{}: {}", it.name, it.made_of.join(" "))).collect();
        assert_eq!(made_of, ["layer: a b", "image: layer c a b", "alone: "]);
    }

    #[test]
    fn steps_that_wait_for_each_other_end() {
        let offers = offers(&TableName::new("x", "x"), &[step(&["b"], "a"), step(&["a"], "b")]);
        assert_eq!(offers[0].made_of, ["b", "a"]);
    }
}
