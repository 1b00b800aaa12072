//! A formula of Homebrew that installs programs which are built already (docs.brew.sh, "Formula Cookbook").
//! Does not know what is in the archives, but for the programs.

use super::quote::RUBY;
use super::{ANY, File, Manager, os_and_arch};

pub const MANAGER: Manager = Manager {
    name: "homebrew_formula",
    about: "a formula of Homebrew, `Formula/NAME.rb`",
    platforms: &["darwin/amd64", "darwin/arm64", "darwin/all", "linux/amd64", "linux/arm64", "linux/arm"],
    archives: ANY,
    word: os_and_arch,
    needs: &["description", "homepage"],
    directory: |_| "Formula".to_owned(),
    files: |about| vec![File { name: format!("{}.rb", about.name), text: format!("{RUBY}{TEXT}") }],
};

// Homebrew enters the only directory of an archive by itself, so a program is named without that.
const TEXT: &str = r##"{%- macro download(it, indent) %}
{{ indent }}url {{ ruby(it.url) }}
{{ indent }}sha256 "{{ it.sha256 }}"

{{ indent }}define_method(:install) do
{%- for program in it.programs %}
{%- set path = program.path | trim_prefix(it.directory ~ "/") if it.directory else program.path %}
{{ indent }}  bin.install {{ ruby(path) }}{% if path != program.name %} => {{ ruby(program.name) }}{% endif %}
{%- endfor %}
{{ indent }}end
{%- endmacro -%}
class {{ class }} < Formula
  desc {{ ruby(description) }}
  homepage {{ ruby(homepage) }}
  version {{ ruby(version) }}
{%- if license %}
  license {{ ruby(license) }}
{%- endif %}
{%- for system, block in [["darwin", "on_macos"], ["linux", "on_linux"]] %}
{%- set mine = archives | selectattr("os", "eq", system) | list %}
{%- if mine %}

  {{ block }} do
{%- for it in mine %}
{%- if it.arch == "all" %}
{{- download(it, "    ") }}
{%- else %}
    if Hardware::CPU.{{ "intel?" if it.arch == "amd64" else "arm?" }} && Hardware::CPU.is_{{ "32" if it.arch == "arm" else "64" }}_bit?
{{- download(it, "      ") }}
    end
{%- endif %}
{%- endfor %}
  end
{%- endif %}
{%- endfor %}
end
"##;
