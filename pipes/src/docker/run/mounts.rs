//! Options of `RUN`: those that change nothing in what commands do to the image.
//! Does not mount anything: what is mounted must not be touched.

use parse_dockerfile::Flag;

use crate::docker::dockerfile::Reader;

const HELP: &str = "leave it out, where the commands do not need it";
/// Options that say what is so anyway.
const USUAL: &[(&str, &str)] = &[("network", "default"), ("network", "none"), ("security", "sandbox")];

/// The directories that are others than those of the image, from its root on.
pub(super) fn read(reader: &mut Reader<'_>, options: &[Flag<'_>]) -> Option<Vec<String>> {
    let mut mounted = Vec::new();
    for flag in options {
        let value = match &flag.value {
            Some(value) => reader.word(value)?,
            None => String::new(),
        };
        let name = flag.name.value.as_ref();
        if USUAL.contains(&(name, value.as_str())) {
            continue;
        }
        match target(&value).filter(|_| name == "mount") {
            Some(target) => mounted.push(target),
            None => return reader.refuse(flag.span(), format!("`RUN --{name}` of this kind is not supported"), HELP),
        }
    }
    Some(mounted)
}

/// Where a directory is mounted that is empty or a cache, and is gone afterwards.
fn target(mount: &str) -> Option<String> {
    let fields: Vec<(&str, &str)> = mount.split(',').map(|it| it.split_once('=').unwrap_or((it, ""))).collect();
    let value = |names: &[&str]| fields.iter().find(|(name, _)| names.contains(name)).map(|(_, value)| *value);
    let is_fleeting = matches!(value(&["type"]), Some("cache" | "tmpfs"));
    // A source would bring files of elsewhere.
    let is_plain = value(&["from", "source"]).is_none();
    let target =
        value(&["target", "dst", "destination"]).filter(|it| it.starts_with('/') && is_fleeting && is_plain)?;
    Some(target.trim_matches('/').to_owned())
}
