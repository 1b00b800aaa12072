//! A package of the Arch User Repository that installs programs which are built already (Arch wiki, "PKGBUILD", ".SRCINFO").
//! Does not know what is in the archives, but for the programs.

use super::{File, Manager};

pub const MANAGER: Manager = Manager {
    name: "aur",
    about: "a package `NAME-bin` for the Arch User Repository, `PKGBUILD` and `.SRCINFO`",
    platforms: &["linux/amd64", "linux/arm64", "linux/arm", "linux/386"],
    archives: &["tar.zst", "tar.xz", "tar.gz", "zip", "binary"],
    needs: &["description", "homepage", "license"],
    directory: |_| String::new(),
    files: |_| {
        let file = |name: &str, text: &str| File { name: name.to_owned(), text: format!("{CPU}{text}") };
        vec![file("PKGBUILD", PKGBUILD), file(".SRCINFO", SRCINFO)]
    },
};

const CPU: &str = r##"{%- macro cpu(it) %}
{%- if it.arch == "arm" %}arm{{ "v7h" if it.variant == "v7" else "v6h" }}{% else %}{{ {"amd64": "x86_64", "arm64": "aarch64", "386": "i686"}[it.arch] }}{% endif %}
{%- endmacro -%}
"##;

const PKGBUILD: &str = r##"{% if publisher %}# Maintainer: {{ publisher }}
{% endif -%}
pkgname='{{ name }}-bin'
pkgver='{{ version | replace("-", "_") }}'
pkgrel=1
pkgdesc='{{ description | replace("'", "'\\''") }}'
url='{{ homepage }}'
arch=({% for it in archives %}'{{ cpu(it) }}'{{ " " if not loop.last }}{% endfor %})
license=('{{ license }}')
provides=('{{ name }}')
conflicts=('{{ name }}')
options=('!strip')
{%- for it in archives %}
source_{{ cpu(it) }}=('{{ it.url }}')
sha256sums_{{ cpu(it) }}=('{{ it.sha256 }}')
{%- endfor %}

package() {
  case "$CARCH" in
{%- for it in archives %}
    {{ cpu(it) }})
{%- for program in it.programs %}
      install -Dm755 '{{ program.path }}' "$pkgdir/usr/bin/{{ program.name }}"
{%- endfor %}
      ;;
{%- endfor %}
  esac
}
"##;

const SRCINFO: &str = r##"pkgbase = {{ name }}-bin
	pkgdesc = {{ description }}
	pkgver = {{ version | replace("-", "_") }}
	pkgrel = 1
	url = {{ homepage }}
{%- for it in archives %}
	arch = {{ cpu(it) }}
{%- endfor %}
	license = {{ license }}
	provides = {{ name }}
	conflicts = {{ name }}
	options = !strip
{%- for it in archives %}
	source_{{ cpu(it) }} = {{ it.url }}
	sha256sums_{{ cpu(it) }} = {{ it.sha256 }}
{%- endfor %}

pkgname = {{ name }}-bin
"##;
