//! Whether this executable can map a library at all, and for which platform the plugins must be built that it uses.
//! Does not know any of them.

use super::error::LoadError;
use crate::abi;

/// One that is linked statically has no loader in it. What it is linked with, pipes among it, works as ever.
const CAN: bool = cfg!(not(target_feature = "crt-static"));

/// What plugins are built for. Where this forge can't map them, another one does, which is linked with glibc.
pub(super) fn platform() -> String {
    if CAN { abi::platform() } else { format!("{}-{}-gnu", std::env::consts::OS, std::env::consts::ARCH) }
}

/// Whether children must be those of another executable.
pub fn needs_another_host() -> bool {
    !CAN
}

/// Whether a library can be mapped into this process.
pub(super) fn check() -> Result<(), LoadError> {
    if CAN {
        return Ok(());
    }
    Err(LoadError::new("this forge is linked statically, and can map no library")
        .help("let the plugin live in a child: without `isolation`, and with `FORGE_PLUGIN_HOST` set"))
}
