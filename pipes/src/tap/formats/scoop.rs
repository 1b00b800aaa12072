//! A manifest of Scoop, for Windows (its wiki, "App Manifests").
//! Does not know what is in the archives, but for the programs.

use super::{File, Manager};

pub const MANAGER: Manager = Manager {
    name: "scoop",
    about: "a manifest of Scoop, `bucket/NAME.json`",
    platforms: &["windows/amd64", "windows/386", "windows/arm64"],
    archives: &["zip", "tar.gz", "tar.xz", "tar.zst", "binary"],
    needs: &["description", "homepage", "license"],
    directory: |_| "bucket".to_owned(),
    files: |about| vec![File { name: format!("{}.json", about.name), text: TEXT.to_owned() }],
};

const TEXT: &str = r##"{
  "version": "{{ version }}",
  "description": {{ description | tojson }},
  "homepage": "{{ homepage }}",
  "license": {{ license | tojson }},
  "architecture": {
{%- for it in archives %}
    "{{ {"amd64": "64bit", "386": "32bit", "arm64": "arm64"}[it.arch] }}": {
      "url": "{{ it.url }}",
      "hash": "{{ it.sha256 }}",
      "bin": [
{%- for program in it.programs %}
        ["{{ program.path | replace("/", "\\\\") }}", "{{ program.name | trim_suffix(".exe") }}"]{{ "," if not loop.last }}
{%- endfor %}
      ]
    }{{ "," if not loop.last }}
{%- endfor %}
  }
}
"##;
