//! A package of the Arch User Repository that installs programs which are built already (Arch wiki, "PKGBUILD", ".SRCINFO").
//! Does not know what is in the archives, but for the programs.

use forge_plugin::schemas::Platform;

use super::quote::{LINE, SHELL};
use super::{File, Manager};

pub const MANAGER: Manager = Manager {
    name: "aur",
    about: "a package `NAME-bin` for the Arch User Repository, `PKGBUILD` and `.SRCINFO`",
    platforms: &["linux/amd64", "linux/arm64", "linux/arm", "linux/386"],
    archives: &["tar.zst", "tar.xz", "tar.gz", "zip", "binary"],
    word: cpu,
    needs: &["description", "homepage", "license"],
    directory: |_| String::new(),
    files: |_| {
        let file = |name: &str, text: &str| File { name: name.to_owned(), text: format!("{LINE}{SHELL}{text}") };
        vec![file("PKGBUILD", PKGBUILD), file(".SRCINFO", SRCINFO)]
    },
};

fn cpu(platform: &Platform) -> String {
    match (platform.arch(), platform.variant()) {
        ("amd64", _) => "x86_64",
        ("arm64", _) => "aarch64",
        ("386", _) => "i686",
        ("arm", Some("v5")) => "arm",
        ("arm", Some("v6")) => "armv6h",
        ("arm", _) => "armv7h",
        (other, _) => other,
    }
    .to_owned()
}

const PKGBUILD: &str = r##"{% if publisher %}# Maintainer: {{ line(publisher) }}
{% endif -%}
pkgname={{ shell(name ~ "-bin") }}
pkgver={{ shell(version | replace("-", "_")) }}
pkgrel=1
pkgdesc={{ shell(line(description)) }}
url={{ shell(homepage) }}
arch=({% for it in archives %}'{{ it.words[0] }}'{{ " " if not loop.last }}{% endfor %})
license=({{ shell(license) }})
provides=({{ shell(name) }})
conflicts=({{ shell(name) }})
options=('!strip')
{%- for it in archives %}
source_{{ it.words[0] }}=({{ shell(it.url) }})
sha256sums_{{ it.words[0] }}=('{{ it.sha256 }}')
{%- endfor %}

package() {
  case "$CARCH" in
{%- for it in archives %}
    {{ it.words[0] }})
{%- for program in it.programs %}
      install -Dm755 {{ shell(program.path) }} "$pkgdir"/usr/bin/{{ shell(program.name) }}
{%- endfor %}
      ;;
{%- endfor %}
  esac
}
"##;

const SRCINFO: &str = r##"pkgbase = {{ name }}-bin
	pkgdesc = {{ line(description) }}
	pkgver = {{ version | replace("-", "_") }}
	pkgrel = 1
	url = {{ homepage }}
{%- for it in archives %}
	arch = {{ it.words[0] }}
{%- endfor %}
	license = {{ license }}
	provides = {{ name }}
	conflicts = {{ name }}
	options = !strip
{%- for it in archives %}
	source_{{ it.words[0] }} = {{ it.url }}
	sha256sums_{{ it.words[0] }} = {{ it.sha256 }}
{%- endfor %}

pkgname = {{ name }}-bin
"##;
