//! The manifests of a package of winget, for Windows (schema 1.6.0 of microsoft/winget-pkgs): version, installer, locale.
//! Does not know what is in the archives, but for the programs.

use forge_plugin::schemas::Platform;

use super::super::names::About;
use super::{File, Manager};

pub const MANAGER: Manager = Manager {
    name: "winget",
    about: "three manifests of winget, below `manifests/`",
    platforms: &["windows/amd64", "windows/386", "windows/arm64"],
    archives: &["zip", "binary"],
    word: architecture,
    needs: &["description", "license", "publisher"],
    directory: |about| {
        let first: String = identifier(&about.publisher).to_lowercase().chars().take(1).collect();
        format!("manifests/{first}/{}/{}/{}", identifier(&about.publisher), identifier(&about.name), about.version)
    },
    files: |about| {
        let file = |part: &str, kind: &str, text: &str| File {
            name: format!("{}.{}{part}.yaml", identifier(&about.publisher), identifier(&about.name)),
            text: format!("{}{text}ManifestType: {kind}\nManifestVersion: 1.6.0\n", head(about)),
        };
        vec![
            file("", "version", "DefaultLocale: en-US\n"),
            file(".installer", "installer", INSTALLER),
            file(".locale.en-US", "defaultLocale", LOCALE),
        ]
    },
};

fn architecture(platform: &Platform) -> String {
    match platform.arch() {
        "amd64" => "x64",
        "386" => "x86",
        other => other,
    }
    .to_owned()
}

fn head(about: &About) -> String {
    let identifier = format!("{}.{}", identifier(&about.publisher), identifier(&about.name));
    format!("PackageIdentifier: {identifier}\nPackageVersion: {{{{ version | tojson }}}}\n")
}

/// A part of a package's identifier: without blanks and signs.
fn identifier(text: &str) -> String {
    text.chars().filter(|it| it.is_alphanumeric() || "-_+".contains(*it)).collect()
}

const INSTALLER: &str = r##"Installers:
{%- for it in archives %}
- Architecture: {{ it.words[0] }}
  InstallerUrl: {{ it.url | tojson }}
  InstallerSha256: {{ it.sha256 | upper }}
{%- if it.format == "zip" %}
  InstallerType: zip
  NestedInstallerType: portable
  NestedInstallerFiles:
{%- for program in it.programs %}
  - RelativeFilePath: {{ program.path | replace("/", "\\") | tojson }}
    PortableCommandAlias: {{ program.name | trim_suffix(".exe") | tojson }}
{%- endfor %}
{%- else %}
  InstallerType: portable
  Commands:
{%- for program in it.programs %}
  - {{ program.name | trim_suffix(".exe") | tojson }}
{%- endfor %}
{%- endif %}
{%- endfor %}
"##;

const LOCALE: &str = r##"PackageLocale: en-US
Publisher: {{ publisher | tojson }}
PackageName: {{ name | tojson }}
{%- if homepage %}
PackageUrl: {{ homepage | tojson }}
{%- endif %}
License: {{ license | tojson }}
ShortDescription: {{ description | tojson }}
"##;
