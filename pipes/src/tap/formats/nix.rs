//! A package for Nix that fetches programs which are built already (nixpkgs manual, "Fetchers").
//! Does not know what is in the archives, but for the programs.

use forge_plugin::schemas::Platform;

use super::quote::NIX;
use super::{ANY, File, Manager};

pub const MANAGER: Manager = Manager {
    name: "nix",
    about: "a package for Nix, `pkgs/NAME/default.nix`",
    platforms: &["linux/amd64", "linux/arm64", "linux/386", "linux/arm", "darwin/amd64", "darwin/arm64", "darwin/all"],
    archives: ANY,
    word: system,
    needs: &["description"],
    directory: |about| format!("pkgs/{}", about.name),
    files: |_| vec![File { name: "default.nix".to_owned(), text: format!("{NIX}{TEXT}") }],
};

fn system(platform: &Platform) -> String {
    let cpu = match (platform.arch(), platform.variant()) {
        ("amd64", _) => "x86_64",
        ("arm64", _) => "aarch64",
        ("386", _) => "i686",
        ("arm", Some("v5")) => "armv5tel",
        ("arm", Some("v6")) => "armv6l",
        ("arm", _) => "armv7l",
        (other, _) => other,
    };
    format!("{cpu}-{}", platform.os())
}

const TEXT: &str = r##"{%- macro source(system, it) %}
    {{ system }} = {
      url = {{ nix(it.url) }};
      sha256 = "{{ it.sha256 }}";
      programs = [
{%- for program in it.programs %}
        { path = {{ nix(program.path) }}; name = {{ nix(program.name) }}; }
{%- endfor %}
      ];
    };
{%- endmacro -%}
{ lib, stdenvNoCC, fetchurl, unzip, zstd }:

let
  sources = {
{%- for it in archives %}
{%- for system in it.words %}
{{- source(system, it) }}
{%- endfor %}
{%- endfor %}
  };
  system = stdenvNoCC.hostPlatform.system;
  source = sources.${system} or (throw {{ nix(name, " is not built for ${system}") }});
in
stdenvNoCC.mkDerivation {
  pname = {{ nix(name) }};
  version = {{ nix(version) }};

  src = fetchurl { inherit (source) url sha256; };
  sourceRoot = ".";
  dontUnpack = {{ "true" if archives[0].format == "binary" else "false" }};
  nativeBuildInputs = [ unzip zstd ];

  installPhase = lib.concatMapStringsSep "\n" (program: ''
    install -D -m 755 ${if {{ "true" if archives[0].format == "binary" else "false" }} then "$src" else lib.escapeShellArg program.path} "$out/bin/"${lib.escapeShellArg program.name}
  '') source.programs;

  meta = {
    description = {{ nix(description) }};
{%- if homepage %}
    homepage = {{ nix(homepage) }};
{%- endif %}
{%- if license %}
    license = lib.getLicenseFromSpdxId {{ nix(license) }};
{%- endif %}
    mainProgram = {{ nix(archives[0].programs[0].name) }};
    platforms = builtins.attrNames sources;
    sourceProvenance = [ lib.sourceTypes.binaryNativeCode ];
  };
}
"##;
