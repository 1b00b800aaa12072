//! A package for Nix that fetches programs which are built already (nixpkgs manual, "Fetchers").
//! Does not know what is in the archives, but for the programs.

use super::{ANY, File, Manager};

pub const MANAGER: Manager = Manager {
    name: "nix",
    about: "a package for Nix, `pkgs/NAME/default.nix`",
    platforms: &["linux/amd64", "linux/arm64", "linux/386", "linux/arm", "darwin/amd64", "darwin/arm64", "darwin/all"],
    archives: ANY,
    needs: &["description"],
    directory: |about| format!("pkgs/{}", about.name),
    files: |_| vec![File { name: "default.nix".to_owned(), text: TEXT.to_owned() }],
};

const TEXT: &str = r##"{%- macro source(system, it) %}
    {{ system }} = {
      url = "{{ it.url }}";
      sha256 = "{{ it.sha256 }}";
      programs = [
{%- for program in it.programs %}
        { path = "{{ program.path }}"; name = "{{ program.name }}"; }
{%- endfor %}
      ];
    };
{%- endmacro -%}
{ lib, stdenvNoCC, fetchurl, unzip, zstd }:

let
  sources = {
{%- for it in archives %}
{%- if it.arch == "all" %}
{{- source("x86_64-darwin", it) }}
{{- source("aarch64-darwin", it) }}
{%- else %}
{%- set cpu = {"amd64": "x86_64", "arm64": "aarch64", "386": "i686", "arm": "armv7l" if it.variant != "v6" else "armv6l"}[it.arch] %}
{{- source(cpu ~ "-" ~ it.os, it) }}
{%- endif %}
{%- endfor %}
  };
  system = stdenvNoCC.hostPlatform.system;
  source = sources.${system} or (throw "{{ name }} is not built for ${system}");
in
stdenvNoCC.mkDerivation {
  pname = "{{ name }}";
  version = "{{ version }}";

  src = fetchurl { inherit (source) url sha256; };
  sourceRoot = ".";
  dontUnpack = {{ "true" if archives[0].format == "binary" else "false" }};
  nativeBuildInputs = [ unzip zstd ];

  installPhase = lib.concatMapStringsSep "\n" (program: ''
    install -D -m 755 ${if {{ "true" if archives[0].format == "binary" else "false" }} then "$src" else program.path} "$out/bin/${program.name}"
  '') source.programs;

  meta = {
    description = {{ description | tojson }};
{%- if homepage %}
    homepage = "{{ homepage }}";
{%- endif %}
{%- if license %}
    license = lib.getLicenseFromSpdxId {{ license | tojson }};
{%- endif %}
    mainProgram = "{{ archives[0].programs[0].name }}";
    platforms = builtins.attrNames sources;
    sourceProvenance = [ lib.sourceTypes.binaryNativeCode ];
  };
}
"##;
