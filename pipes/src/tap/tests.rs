//! What is downloaded of several archives, on a host in memory.
//! Does not know templates: what is written is looked at where forge is tested as a whole.

use forge_plugin::testing::{FakeHost, plan_table, sample_facts};
use serde_json::json;

use super::*;

/// What a format takes of archives that are for these platforms, each called by it, or what is wrong.
fn check(format: &str, ending: &str, archives: &[&str], expect: &str) {
    let mut host = FakeHost::new();
    for (number, platform) in archives.iter().enumerate() {
        let detail = json!({ "format": ending, "binaries": ["hello"] });
        let name = format!("{number}:{platform}");
        host = host.with_artifact(&name, Archive::NAME, platform.parse().ok(), detail, b"", &[]);
    }
    let settings = json!({
        "format": format, "description": "Greets", "homepage": "https://x", "license": "MIT", "publisher": "Acme",
        "url": "https://x",
    });
    let told = match plan_table::<Tap>(&settings, &sample_facts(), &host.offers(), &[]) {
        Ok(steps) => match serde_json::from_value(steps[0].params.clone()).expect("params") {
            Params::Write { downloads, .. } => downloads.iter().map(|it| it.artifact.clone()).collect(),
            Params::Push(_) => Vec::new(),
        },
        Err(problems) => problems.iter().map(|it| it.message.clone()).collect(),
    };
    assert_eq!(told.join(" "), expect, "{format}");
}

#[test]
fn of_several_variants_the_one_that_runs_everywhere() {
    let linux =
        ["linux/amd64/v3", "linux/amd64", "linux/arm/v7", "linux/arm/v6", "linux/arm64", "linux/amd64/v2", "linux/386"];
    check("homebrew_cask", "tar.gz", &linux, "1:linux/amd64 4:linux/arm64");
    check("homebrew_formula", "tar.gz", &linux, "1:linux/amd64 3:linux/arm/v6 4:linux/arm64");
    check("krew", "tar.gz", &linux, "6:linux/386 1:linux/amd64 3:linux/arm/v6 4:linux/arm64");
    let each = "6:linux/386 1:linux/amd64 3:linux/arm/v6 2:linux/arm/v7 4:linux/arm64";
    check("nix", "tar.gz", &linux, each);
    check("aur", "tar.gz", &linux, each);
    let windows = ["windows/amd64/v3", "windows/amd64", "windows/arm64"];
    check("scoop", "zip", &windows, "1:windows/amd64 2:windows/arm64");
    check("winget", "zip", &windows, "1:windows/amd64 2:windows/arm64");
    check("winget", "zip", &["windows/amd64/v3", "windows/amd64/v2"], "1:windows/amd64/v2");
    check("nix", "tar.gz", &["linux/arm/v7", "linux/arm/v5", "linux/arm/v8"], "1:linux/arm/v5 0:linux/arm/v7");
}

#[test]
fn what_is_for_both_processors_of_a_mac_stands_for_each() {
    let mac = ["darwin/amd64", "darwin/arm64", "darwin/all", "darwin/amd64/v3"];
    for format in ["homebrew_cask", "homebrew_formula", "krew", "nix"] {
        check(format, "tar.gz", &mac, "2:darwin/all");
        check(format, "tar.gz", &mac[..2], "0:darwin/amd64 1:darwin/arm64");
    }
}

#[test]
fn two_for_one_variant_are_a_mistake_where_that_is_taken() {
    let twice = ["linux/amd64", "linux/amd64"];
    check("nix", "tar.gz", &twice, "`0:linux/amd64` and `1:linux/amd64` are both for linux/amd64");
    check("nix", "tar.gz", &["linux/amd64/v3", "linux/amd64/v3", "linux/amd64"], "2:linux/amd64");
}
