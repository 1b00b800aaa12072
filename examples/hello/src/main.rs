//! Says what it is: its name, its version, the commit it was built from, and the platform it was built for.

fn main() {
    let version = option_env!("FORGE_VERSION").unwrap_or(env!("CARGO_PKG_VERSION"));
    let commit = option_env!("FORGE_COMMIT").unwrap_or("unknown");
    let platform = option_env!("FORGE_PLATFORM").unwrap_or("unknown");
    println!("{} {version} ({commit}) {platform}", env!("CARGO_PKG_NAME"));
}
