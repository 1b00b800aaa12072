//! A manifest of Scoop, for Windows (its wiki, "App Manifests").
//! Does not know what is in the archives, but for the programs.

use forge_plugin::schemas::Platform;

use super::{File, Manager};

pub const MANAGER: Manager = Manager {
    name: "scoop",
    about: "a manifest of Scoop, `bucket/NAME.json`",
    platforms: &["windows/amd64", "windows/386", "windows/arm64"],
    archives: &["zip", "tar.gz", "tar.xz", "tar.zst", "binary"],
    word: architecture,
    needs: &["description", "homepage", "license"],
    directory: |_| "bucket".to_owned(),
    files: |about| vec![File { name: format!("{}.json", about.name), text: TEXT.to_owned() }],
};

fn architecture(platform: &Platform) -> String {
    match platform.arch() {
        "amd64" => "64bit",
        "386" => "32bit",
        other => other,
    }
    .to_owned()
}

const TEXT: &str = r##"{
  "version": {{ version | tojson }},
  "description": {{ description | tojson }},
  "homepage": {{ homepage | tojson }},
  "license": {{ license | tojson }},
  "architecture": {
{%- for it in archives %}
    "{{ it.words[0] }}": {
      "url": {{ it.url | tojson }},
      "hash": "{{ it.sha256 }}",
      "bin": [
{%- for program in it.programs %}
        [{{ program.path | replace("/", "\\") | tojson }}, {{ program.name | trim_suffix(".exe") | tojson }}]{{ "," if not loop.last }}
{%- endfor %}
      ]
    }{{ "," if not loop.last }}
{%- endfor %}
  }
}
"##;
