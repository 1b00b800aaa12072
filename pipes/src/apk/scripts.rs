//! The scripts that packages bring, and how apk keeps them.
//! Does not know what they do.

/// When a script is run. Ordered as apk keeps them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Script {
    PreInstall,
    PostInstall,
    PreDeinstall,
    PostDeinstall,
    PreUpgrade,
    PostUpgrade,
    Trigger,
}

const ALL: &[(Script, &str)] = &[
    (Script::PreInstall, "pre-install"),
    (Script::PostInstall, "post-install"),
    (Script::PreDeinstall, "pre-deinstall"),
    (Script::PostDeinstall, "post-deinstall"),
    (Script::PreUpgrade, "pre-upgrade"),
    (Script::PostUpgrade, "post-upgrade"),
    (Script::Trigger, "trigger"),
];

impl Script {
    /// `post-install`
    pub fn name(self) -> &'static str {
        ALL.iter().find(|(it, _)| *it == self).map_or("", |(_, name)| name)
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Script> {
        ALL.iter().find(|(_, it)| *it == name).map(|(script, _)| *script)
    }
}

const BLOCK: usize = 512;

/// A tar as apk writes it, of names, times and texts. Its headers are of a form of their own: GNU's mark, and numbers that fill
/// their fields.
pub fn archive<'s>(entries: impl Iterator<Item = (String, u64, &'s [u8])>) -> Vec<u8> {
    let mut tar = Vec::new();
    for (name, time, text) in entries {
        tar.extend_from_slice(&header(&name, time, text.len() as u64));
        tar.extend_from_slice(text);
        tar.resize(tar.len().next_multiple_of(BLOCK), 0);
    }
    tar.resize(tar.len() + 2 * BLOCK, 0);
    tar
}

fn header(name: &str, time: u64, size: u64) -> [u8; BLOCK] {
    let mut header = [0; BLOCK];
    // A name that is too long is cut off.
    put(&mut header[..99], name.as_bytes());
    put(&mut header[100..], b"0000755");
    put(&mut header[108..], b"0000000");
    put(&mut header[116..], b"0000000");
    put(&mut header[124..136], format!("{size:012o}").as_bytes());
    put(&mut header[136..148], format!("{time:012o}").as_bytes());
    put(&mut header[148..], b"        0");
    put(&mut header[257..], b"ustar  ");
    put(&mut header[265..], b"root");
    put(&mut header[297..], b"root");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    put(&mut header[148..], format!("{sum:06o}\0 ").as_bytes());
    header
}

fn put(field: &mut [u8], bytes: &[u8]) {
    let length = bytes.len().min(field.len());
    field[..length].copy_from_slice(&bytes[..length]);
}
