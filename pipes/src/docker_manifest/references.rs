//! What a list is published under.
//! Does not ask a registry.

use forge_plugin::Given;
use forge_plugin::schemas::{Offer, Problem};

use super::{Settings, references_of};
use crate::oci::reference::Reference;

/// What the list is published under.
pub(super) fn references(
    settings: &Settings,
    given: &Given<'_>,
    members: &[(&Offer, String)],
) -> Result<Vec<String>, Vec<Problem>> {
    if settings.names.is_none() && settings.tags.is_none() {
        return common_references(members);
    }
    let mut problems = Vec::new();
    let names = match &settings.names {
        Some(names) => filled("names", names),
        None => repositories(members).into_iter().map(|it| ("tags".to_owned(), it)).collect(),
    };
    let tags = match &settings.tags {
        Some(tags) => filled("tags", tags),
        None => vec![("names".to_owned(), given.facts.version.replace('+', "-"))],
    };
    let mut references: Vec<String> = Vec::new();
    for (key, text) in &names {
        let tagged = match text.parse::<Reference>() {
            Ok(name) if name.tag().is_some() => vec![Ok(name)],
            Ok(name) => tags.iter().map(|(key, tag)| name.with_tag(tag).map_err(|bad| (key, bad))).collect(),
            Err(bad) => vec![Err((key, bad))],
        };
        for reference in tagged {
            match reference.map(|it| it.to_string()) {
                Ok(reference) if references.contains(&reference) => {}
                Ok(reference) => references.push(reference),
                Err((key, bad)) => {
                    problems.push(Problem { help: bad.help.clone(), ..Problem::at_key(key.as_str(), bad.to_string()) });
                }
            }
        }
    }
    if references.is_empty() && problems.is_empty() {
        let key = if names.is_empty() { "names" } else { "tags" };
        problems.push(Problem::at_key(key, format!("no {key}")).help("at least one must be there, and not be empty"));
    }
    if problems.is_empty() { Ok(references) } else { Err(problems) }
}

fn filled(key: &str, texts: &[String]) -> Vec<(String, String)> {
    let texts = texts.iter().enumerate().map(|(at, text)| (format!("{key}[{at}]"), text.trim().to_owned()));
    texts.filter(|(_, text)| !text.is_empty()).collect()
}

/// What all members are published under.
fn common_references(members: &[(&Offer, String)]) -> Result<Vec<String>, Vec<Problem>> {
    let mut lists = members.iter().map(|(offer, _)| references_of(offer));
    let first = lists.next().unwrap_or_default();
    let common = lists.fold(first, |common, list| common.into_iter().filter(|it| list.contains(it)).collect());
    match common.is_empty() {
        true => Err(vec![
            Problem::at_key("", "the images have no reference in common, under which the list could be published")
                .help("set `names`, as in `names = [\"ghcr.io/acme/hello:{{ version }}\"]`"),
        ]),
        false => Ok(common),
    }
}

/// The repositories of all members, in their order, each once.
fn repositories(members: &[(&Offer, String)]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for reference in members.iter().flat_map(|(offer, _)| references_of(offer)) {
        let Ok(reference) = reference.parse::<Reference>() else { continue };
        if !names.contains(&reference.name()) {
            names.push(reference.name());
        }
    }
    names
}
