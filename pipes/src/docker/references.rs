//! What an image is published under: every repository with every tag.
//! Does not ask a registry.

use forge_plugin::schemas::Problem;
use forge_plugin::{Given, PlatformNames, Template};

use crate::docker::settings::Settings;
use crate::oci::reference::Reference;

/// All references, in the order of the table, or all that is wrong with them.
pub fn references(
    settings: &Settings,
    given: &Given<'_>,
    names: &PlatformNames,
) -> Result<Vec<Reference>, Vec<Problem>> {
    let mut problems = Vec::new();
    let images = render_all("images", &settings.images, given, names, &mut problems);
    let tags = match &settings.tags {
        Some(tags) => render_all("tags", tags, given, names, &mut problems),
        // A version may have a `+`, a tag may not.
        None => vec![("tags".to_owned(), given.facts.version.replace('+', "-"))],
    };
    let images: Vec<Reference> = images.iter().filter_map(|(key, text)| repository(key, text, &mut problems)).collect();
    let mut references = Vec::new();
    for image in &images {
        for (key, tag) in &tags {
            match image.with_tag(tag) {
                Ok(reference) if references.contains(&reference) => {}
                Ok(reference) => references.push(reference),
                Err(bad) => {
                    let help = match tag.contains('+') {
                        true => Some("write it without: `{{ version | replace(\"+\", \"-\") }}`".to_owned()),
                        false => bad.help.clone(),
                    };
                    problems.push(Problem { help, ..Problem::at_key(key.as_str(), bad.to_string()) });
                }
            }
        }
    }
    for (key, list) in [("images", images.is_empty()), ("tags", tags.is_empty())] {
        if list && problems.is_empty() {
            problems
                .push(Problem::at_key(key, format!("no {key}")).help("at least one must be there, and not be empty"));
        }
    }
    if problems.is_empty() { Ok(references) } else { Err(problems) }
}

fn repository(key: &str, text: &str, problems: &mut Vec<Problem>) -> Option<Reference> {
    let problem = match text.parse::<Reference>() {
        Err(bad) => Problem { help: bad.help.clone(), ..Problem::at_key(key, bad.to_string()) },
        Ok(reference) => match (reference.tag(), reference.digest()) {
            (None, None) => return Some(reference),
            (Some(tag), _) => Problem::at_key(key, format!("`{text}` has a tag"))
                .help(format!("write `tags = [\"{tag}\"]`, and the repository alone here")),
            (None, Some(_)) => Problem::at_key(key, format!("`{text}` has a digest"))
                .help("the digest is that of what is made; write the repository alone"),
        },
    };
    problems.push(problem);
    None
}

/// Each text with its key; those that come out empty are left out.
fn render_all(
    key: &str,
    templates: &[Template],
    given: &Given<'_>,
    names: &PlatformNames,
    problems: &mut Vec<Problem>,
) -> Vec<(String, String)> {
    let mut rendered = Vec::new();
    for (at, template) in templates.iter().enumerate() {
        let key = format!("{key}[{at}]");
        match given.render(&key, template, names) {
            Ok(text) if text.trim().is_empty() => {}
            Ok(text) => rendered.push((key, text.trim().to_owned())),
            Err(problem) => problems.push(problem),
        }
    }
    rendered
}
