//! The child of the tests: what `forge plugin-host` is to forge.

fn main() {
    forge_plugin::plugin_host()
}
