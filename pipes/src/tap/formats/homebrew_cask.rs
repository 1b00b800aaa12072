//! A cask of Homebrew, as macOS and Linux install programs that are built already (docs.brew.sh, "Cask Cookbook").
//! Does not know what is in the archives, but for the programs.

use super::quote::RUBY;
use super::{ANY, File, Manager, os_and_arch};

pub const MANAGER: Manager = Manager {
    name: "homebrew_cask",
    about: "a cask of Homebrew, `Casks/NAME.rb`",
    platforms: &["darwin/amd64", "darwin/arm64", "darwin/all", "linux/amd64", "linux/arm64"],
    archives: ANY,
    word: os_and_arch,
    needs: &["description", "homepage"],
    directory: |_| "Casks".to_owned(),
    files: |about| vec![File { name: format!("{}.rb", about.name), text: format!("{RUBY}{TEXT}") }],
};

const TEXT: &str = r##"{%- macro download(it, indent) %}
{{ indent }}sha256 "{{ it.sha256 }}"
{{ indent }}url {{ ruby(it.url) }}
{%- for program in it.programs %}
{{ indent }}binary {{ ruby(program.path) }}{% if program.path | base_name != program.name %}, target: {{ ruby(program.name) }}{% endif %}
{%- endfor %}
{%- endmacro -%}
cask {{ ruby(name) }} do
  version {{ ruby(version) }}

  name {{ ruby(name) }}
  desc {{ ruby(description) }}
  homepage {{ ruby(homepage) }}
{%- for system, block in [["darwin", "on_macos"], ["linux", "on_linux"]] %}
{%- set mine = archives | selectattr("os", "eq", system) | list %}
{%- if mine %}

  {{ block }} do
{%- for it in mine %}
{%- if it.arch == "all" %}
{{- download(it, "    ") }}
{%- else %}
    on_{{ "arm" if it.arch == "arm64" else "intel" }} do
{{- download(it, "      ") }}
    end
{%- endif %}
{%- endfor %}
  end
{%- endif %}
{%- endfor %}

  livecheck do
    skip "Each release brings a new cask"
  end
end
"##;
