//! What is said of images that others stand on or copy from: names in a Dockerfile that mean something else, and tables of the project.
//! Does not know what is made of them.

use std::collections::BTreeSet;

use forge_plugin::Given;
use forge_plugin::schemas::kind::{Image, Kind};
use forge_plugin::schemas::{Platform, Problem, Selector};

use crate::docker::base::Base;
use crate::docker::making::{Making, Names};
use crate::docker::settings::Settings;

/// The images of other tables that a table takes, each for every platform.
pub fn selectors(settings: &Settings, platforms: &[Platform]) -> Vec<Selector> {
    let base = settings.base.iter().filter(|it| !it.is_template()).map(|it| ("base".to_owned(), it.text()));
    let contexts = settings.contexts.iter().map(|(name, text)| (key(name), text.as_str()));
    let mut selectors = Vec::new();
    for (key, text) in base.chain(contexts) {
        let Ok(Base::Table(id)) = Base::parse(text) else { continue };
        selectors.extend(platforms.iter().map(|platform| Selector {
            tables: vec![id.clone()],
            platforms: vec![platform.clone()],
            key: key.clone(),
            ..Selector::of_kind(Image::NAME)
        }));
    }
    selectors
}

/// The contexts that are no images.
pub fn mistakes(settings: &Settings) -> Vec<Problem> {
    let mistake = |(name, text): (&String, &String)| {
        let bad = Base::parse(text).err()?;
        Some(Problem { help: bad.help, ..Problem::at_key(key(name), bad.message) })
    };
    settings.contexts.iter().filter_map(mistake).collect()
}

/// The contexts that the image makes no use of: as names are easily mistyped, and another image would take their place.
pub fn unused(settings: &Settings, used: &BTreeSet<String>, dockerfile: &str) -> Vec<Problem> {
    let unused = settings.contexts.keys().filter(|name| !used.contains(*name));
    let problem = |name: &String| {
        let message = format!("`{dockerfile}` names no image `{name}` that is needed");
        Problem::at_key(key(name), message)
            .help("write it as in `FROM` or `--from`, tag and all; names of stages are those of stages")
    };
    unused.map(problem).collect()
}

/// The images of other tables that nobody makes. Those of the platforms of the table are asked for by [`selectors`], so that the engine
/// tells what is wrong with them.
pub fn missing(making: &Making, given: &Given<'_>, platform: &Platform) -> Vec<Problem> {
    let mut problems = Vec::new();
    for named in &making.bases {
        let Base::Table(id) = &named.base else { continue };
        let artifact = Names::new(id, &named.platform).image();
        let is_offered = given.offers.iter().any(|it| it.kind == Image::NAME && it.name == artifact);
        if !is_offered && named.platform == *platform {
            let message = format!("no table `{id}` makes an image for `{platform}`");
            let help = "write the id of a `docker` table as it is, and not as a template";
            problems.push(Problem { place: named.place.clone(), message, help: Some(help.to_owned()) });
        } else if !is_offered {
            let message = format!("the table `{id}` is asked for its image for `{}`", named.platform);
            let help = format!("leave `--platform` out, which gives that for `{platform}`");
            problems.push(Problem { place: named.place.clone(), message, help: Some(help) });
        }
    }
    problems
}

fn key(name: &str) -> String {
    format!("contexts.{name}")
}
