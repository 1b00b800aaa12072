//! The projects that `forge plugins new` writes: a plugin that builds, its test, and a project that uses it, in each
//! language. Does not write files.

use std::path::Path;

/// What stands for the name in the files of a template, and for its pipe's.
const NAME: [&str; 2] = ["acme-sample", "acme_sample"];
/// How a crate names the SDK that is published.
const PUBLISHED: [&str; 2] = ["forge-plugin = \"0.1\"", "forge-plugin = { version = \"0.1\""];

/// A template for one language.
pub struct Template {
    /// What the language is called on a command line.
    pub language: &'static str,
    /// What it is called.
    pub title: &'static str,
    /// What builds the plugin, in its folder.
    pub build: &'static str,
    /// What tests it.
    pub test: &'static str,
    /// Where the library is then.
    library: &'static str,
    files: &'static [(&'static str, &'static str)],
}

/// All of them.
pub const TEMPLATES: &[Template] = &[
    Template {
        language: "rust",
        title: "Rust",
        build: "cargo build",
        test: "cargo test",
        library: "../target/debug",
        files: &[
            ("Cargo.toml", include_str!("../templates/rust/manifest.toml")),
            ("src/lib.rs", include_str!("../templates/rust/src/lib.rs")),
        ],
    },
    Template {
        language: "c",
        title: "C",
        build: "make",
        test: "make test",
        library: "../lib",
        files: &[
            ("Makefile", include_str!("../templates/c/Makefile")),
            ("plugin.c", include_str!("../templates/c/plugin.c")),
            ("test.c", include_str!("../templates/c/test.c")),
            ("include/forge_json.h", include_str!("../include/forge_json.h")),
            HEADER,
        ],
    },
    Template {
        language: "go",
        title: "Go",
        build: "go build -buildmode=c-shared -o lib/libacme_sample.so .",
        test: "go test",
        library: "../lib",
        files: &[
            ("go.mod", include_str!("../templates/go/go.mod")),
            ("main.go", include_str!("../templates/go/main.go")),
            ("main_test.go", include_str!("../templates/go/main_test.go")),
            ("forge/go.mod", include_str!("../go/go.mod")),
            ("forge/call.go", include_str!("../go/call.go")),
            ("forge/doc.go", include_str!("../go/doc.go")),
            ("forge/export.go", include_str!("../go/export.go")),
            ("forge/forge_plugin.h", include_str!("../go/forge_plugin.h")),
            ("forge/host.go", include_str!("../go/host.go")),
            ("forge/line.c", include_str!("../go/line.c")),
            ("forge/line.go", include_str!("../go/line.go")),
            ("forge/line.h", include_str!("../go/line.h")),
            ("forge/message.go", include_str!("../go/message.go")),
            ("forge/pipe.go", include_str!("../go/pipe.go")),
            ("forge/platform.go", include_str!("../go/platform.go")),
            ("forge/platform_amd64.go", include_str!("../go/platform_amd64.go")),
            ("forge/platform_arm64.go", include_str!("../go/platform_arm64.go")),
            ("forge/platform_darwin.go", include_str!("../go/platform_darwin.go")),
            ("forge/platform_linux.go", include_str!("../go/platform_linux.go")),
            ("forge/platform_windows.go", include_str!("../go/platform_windows.go")),
            ("forge/plugintest/plugintest.go", include_str!("../go/plugintest/plugintest.go")),
            ("forge/schema.go", include_str!("../go/schema.go")),
            ("forge/typed.go", include_str!("../go/typed.go")),
        ],
    },
    Template {
        language: "zig",
        title: "Zig",
        build: "zig build --prefix .",
        test: "zig build test",
        library: "../lib",
        files: &[
            ("build.zig", include_str!("../templates/zig/build.zig")),
            ("plugin.zig", include_str!("../templates/zig/plugin.zig")),
            HEADER,
        ],
    },
];

const HEADER: (&str, &str) = ("include/forge_plugin.h", include_str!("../include/forge_plugin.h"));

/// What is the same in every language.
const SHARED: &[(&str, &str)] = &[
    ("README.md", include_str!("../templates/README.md")),
    ("example/forge.toml", include_str!("../templates/forge.toml")),
    (".gitignore", include_str!("../templates/gitignore")),
];

impl Template {
    /// The files of a plugin of this name, by their paths. With `sdk`, a crate takes forge's crate `forge-plugin` from
    /// that folder, and not from where crates are published.
    pub fn files(&self, name: &str, sdk: Option<&Path>) -> Vec<(&'static str, String)> {
        let files = SHARED.iter().chain(self.files);
        files.map(|(path, text)| (*path, self.named(path, text, name, sdk))).collect()
    }

    /// What builds the plugin of this name.
    pub fn build(&self, name: &str) -> String {
        renamed(self.build, name)
    }

    fn named(&self, path: &str, text: &str, name: &str, sdk: Option<&Path>) -> String {
        let text = match (path, sdk) {
            ("README.md", _) => {
                text.replace("LANGUAGE", self.title).replace("BUILD", self.build).replace("TEST", self.test)
            }
            ("example/forge.toml", _) => text.replace("../lib", self.library),
            ("Cargo.toml", Some(sdk)) => {
                let path = format!("path = {:?}", sdk.display().to_string());
                let [short, long] = PUBLISHED;
                text.replace(short, &format!("forge-plugin = {{ {path} }}"))
                    .replace(long, &format!("forge-plugin = {{ {path}"))
            }
            _ => text.to_owned(),
        };
        renamed(&text, name)
    }
}

/// The name of the pipe of a plugin.
pub fn pipe_of(name: &str) -> String {
    name.replace('-', "_")
}

fn renamed(text: &str, name: &str) -> String {
    text.replace(NAME[0], name).replace(NAME[1], &pipe_of(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_replaced() {
        for template in TEMPLATES {
            for (path, text) in template.files("acme-upload", Some(Path::new("/sdk"))) {
                assert!(!text.contains("sample\"") && !NAME.iter().any(|name| text.contains(name)), "{path}");
                assert!(path != "Cargo.toml" || text.matches("path = \"/sdk\"").count() == 2, "{text}");
                assert!(
                    path != "README.md" || text.contains(&format!("$ {}", template.build("acme-upload"))),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn the_module_in_go_is_whole() {
        let go = TEMPLATES.iter().find(|it| it.language == "go").unwrap();
        let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("go");
        for entry in std::fs::read_dir(ours).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            let is_there = go.files.iter().any(|(path, _)| *path == format!("forge/{name}"));
            assert!(is_there || name.ends_with("_test.go") || name == "plugintest", "{name}");
        }
    }
}
