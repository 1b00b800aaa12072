//! Which platforms a table builds for: those that it names, or its tool's, without those that it ignores.
//! Does not know whether the tool can: it says so itself.

use forge_plugin::schemas::{Platform, Problem};

use super::settings::{Pattern, Settings};
use super::tool::Tool;

/// A platform to build for, and the key that asks for it.
pub struct Wanted {
    /// The platform.
    pub platform: Platform,
    /// `platforms[2]`, or `tool` where the tool's default asks.
    pub key: String,
}

/// The platforms of a table. What is wrong with them goes to `problems`.
pub fn of(settings: &Settings, tool: &dyn Tool, problems: &mut Vec<Problem>) -> Vec<Wanted> {
    let mut wanted = match &settings.platforms {
        Some(platforms) => named(platforms, problems),
        None => default(settings, tool, problems),
    };
    check_patterns(settings, problems);
    let before = wanted.len();
    wanted.retain(|wanted| !settings.ignore.iter().any(|pattern| pattern.fits(&wanted.platform)));
    if wanted.is_empty() && before > 0 {
        problems.push(Problem::at_key("ignore", "no platform is left to build for"));
    }
    wanted
}

fn named(texts: &[String], problems: &mut Vec<Problem>) -> Vec<Wanted> {
    if texts.is_empty() {
        problems.push(Problem::at_key("platforms", "no platform is named").help("leave the key out for the default"));
    }
    let mut wanted: Vec<Wanted> = Vec::with_capacity(texts.len());
    for (at, text) in texts.iter().enumerate() {
        let key = format!("platforms[{at}]");
        match text.parse::<Platform>() {
            Err(bad) => {
                let problem = Problem { help: bad.help.clone(), ..Problem::at_key(key, bad.to_string()) };
                problems.push(problem);
            }
            Ok(platform) => match wanted.iter().position(|it| it.platform == platform) {
                Some(earlier) => problems.push(twice(key, text, &texts[earlier])),
                None => wanted.push(Wanted { platform, key }),
            },
        }
    }
    wanted
}

fn twice(key: String, text: &str, earlier: &str) -> Problem {
    let message = match text == earlier {
        true => format!("platform `{text}` is named twice"),
        false => format!("platform `{text}` is the same as `{earlier}`"),
    };
    Problem::at_key(key, message).help("leave one of them out")
}

fn default(settings: &Settings, tool: &dyn Tool, problems: &mut Vec<Problem>) -> Vec<Wanted> {
    let platforms = tool.platforms(settings);
    if platforms.is_empty() {
        let message = format!("tool `{}` must be told for which platforms", tool.name());
        problems.push(Problem::at_key("tool", message).help("add `platforms = [\"linux/amd64\", …]`"));
    }
    let parsed = platforms.iter().filter_map(|text| text.parse().ok());
    parsed.map(|platform| Wanted { platform, key: "tool".to_owned() }).collect()
}

fn check_patterns(settings: &Settings, problems: &mut Vec<Problem>) {
    for (at, pattern) in settings.ignore.iter().enumerate() {
        problems.extend(check_pattern(pattern, &format!("ignore[{at}]")));
    }
    for (at, differing) in settings.overrides.iter().enumerate() {
        problems.extend(check_pattern(&differing.pattern(), &format!("overrides[{at}]")));
    }
}

/// A pattern whose words no platform has fits nothing, ever: a slip of the pen.
pub(crate) fn check_pattern(pattern: &Pattern, key: &str) -> Option<Problem> {
    let (os, arch) = (pattern.os.as_deref(), pattern.arch.as_deref());
    if pattern.is_empty() {
        return Some(Problem::at_key(key, "it names no platform").help("say which with `os`, `arch` or `variant`"));
    }
    let text = format!("{}/{}", os.unwrap_or("linux"), arch.unwrap_or("amd64"));
    let bad = text.parse::<Platform>().err()?;
    let word = if os.is_some_and(|os| Platform::known().all(|(known, _)| known != os)) { "os" } else { "arch" };
    let typed = if word == "os" { os } else { arch }.unwrap_or_default();
    let problem = Problem::at_key(format!("{key}.{word}"), format!("no platform has the {word} `{typed}`"));
    Some(Problem { help: bad.help, ..problem })
}
