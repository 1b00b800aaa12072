//! Which kinds of artifacts a plugin may make: its own, which bear its name, and those of forge, as forge describes them.
//! Does not know any kind.

use serde_json::Value;

use super::{LoadError, Plugin};

/// The plugin with forge's own schema for each kind of forge's that it makes; or why it may not make one.
pub(super) fn settle(mut plugin: Plugin, others: &[Plugin]) -> Result<Plugin, LoadError> {
    if plugin.comes_with_forge() {
        return Ok(plugin);
    }
    let name = plugin.name.clone();
    for kind in plugin.info.pipes.iter_mut().flat_map(|pipe| &mut pipe.makes) {
        match kind.name.split_once('.') {
            Some((owner, own)) if owner == name && is_name(own) => {}
            Some((owner, _)) if owner == name => return Err(misnamed(&kind.name)),
            Some((owner, _)) => return Err(of_another(&kind.name, owner, &name)),
            None => match described(&kind.name, others) {
                // Whoever takes a `binary` relies on what that is, whoever has made it.
                Some(detail) => kind.detail = detail.clone(),
                None => return Err(unowned(&kind.name, &name)),
            },
        }
    }
    Ok(plugin)
}

/// What forge's own plugins say of this kind.
fn described<'a>(kind: &str, plugins: &'a [Plugin]) -> Option<&'a Value> {
    let own = plugins.iter().filter(|plugin| plugin.comes_with_forge()).flat_map(|plugin| &plugin.info.pipes);
    own.flat_map(|pipe| &pipe.makes).find(|it| it.name == kind).map(|it| &it.detail)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_')
}

fn misnamed(kind: &str) -> LoadError {
    LoadError::new(format!("it makes a kind `{kind}`, which is no name of one"))
        .help("tell the plugin's author: behind the dot are lower-case letters, digits and `_`")
}

fn of_another(kind: &str, owner: &str, name: &str) -> LoadError {
    LoadError::new(format!("it makes a kind `{kind}`, which only plugin `{owner}` may"))
        .help(format!("tell the plugin's author: a kind of its own is called `{name}.` and a name"))
}

fn unowned(kind: &str, name: &str) -> LoadError {
    LoadError::new(format!("it makes a kind `{kind}`, and forge has none of that name"))
        .help(format!("tell the plugin's author: a kind of its own is called `{name}.{kind}`"))
}
