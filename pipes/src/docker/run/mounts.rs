//! Options of `RUN`: those that change nothing in what commands do to the image.
//! Does not mount anything: what is mounted must not be touched.

use parse_dockerfile::Flag;

use crate::docker::beyond::Mounted;
use crate::docker::dockerfile::Reader;

const HELP: &str = "leave it out, where the commands do not need it; or set `engine = \"auto\"`, and a program of this machine builds it (`buildx`, \
    `docker`, `podman` or `buildah`)";
/// Options that say what is so anyway.
const USUAL: &[(&str, &str)] = &[("network", "default"), ("network", "none"), ("security", "sandbox")];

/// The directories that are others than those of the image, from its root on.
pub(super) fn read(reader: &mut Reader<'_>, options: &[Flag<'_>]) -> Option<Vec<String>> {
    let (mut mounted, mut beyond) = (Vec::new(), 0);
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
            None => {
                only_by_engine(reader, flag);
                beyond += 1;
            }
        }
    }
    (beyond == 0).then_some(mounted)
}

/// What only an engine can mount, and what it must be given for that.
fn only_by_engine(reader: &mut Reader<'_>, flag: &Flag<'_>) {
    let message = format!("`RUN --{}` of this kind is not supported", flag.name.value);
    match reader.beyond.mount(flag) {
        Mounted::Project => reader.beyond_in_project::<()>(flag.span(), message),
        Mounted::Other => reader.beyond(flag.span(), message, HELP),
    };
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
