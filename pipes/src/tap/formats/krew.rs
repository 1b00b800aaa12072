//! The manifest of a plugin of kubectl, for Krew (krew.sigs.k8s.io, "Writing Krew plugin manifests").
//! Does not know what is in the archives, but for the program.

use super::{File, Manager, os_and_arch};

pub const MANAGER: Manager = Manager {
    name: "krew",
    about: "the manifest of a plugin for Krew, `plugins/NAME.yaml`",
    platforms: &["linux", "darwin", "windows"],
    archives: &["tar.gz", "zip"],
    word: os_and_arch,
    needs: &["description", "homepage"],
    directory: |_| "plugins".to_owned(),
    files: |about| vec![File { name: format!("{}.yaml", about.name), text: TEXT.to_owned() }],
};

const TEXT: &str = r##"apiVersion: krew.googlecontainertools.github.com/v1alpha2
kind: Plugin
metadata:
  name: {{ name | tojson }}
spec:
  version: {{ ("v" ~ version) | tojson }}
  homepage: {{ homepage | tojson }}
  shortDescription: {{ description | tojson }}
  description: {{ description | tojson }}
  platforms:
{%- for it in archives %}
{%- for arch in ["amd64", "arm64"] if it.arch == "all" or it.arch == arch or (it.arch not in ["amd64", "arm64"] and loop.first) %}
  - selector:
      matchLabels:
        os: {{ it.os }}
        arch: {{ arch if it.arch == "all" else it.arch }}
    uri: {{ it.url | tojson }}
    sha256: {{ it.sha256 }}
    bin: {{ it.programs[0].path | tojson }}
{%- endfor %}
{%- endfor %}
"##;
