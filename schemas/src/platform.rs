//! A platform in OCI's words: `os/arch` or `os/arch/variant` (image-spec, "Platform Variants").
//! Does not know what any compiler calls it: that is the build pipe's map.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Where a program runs. Always in normal form: `linux/arm` is `linux/arm/v7`, `linux/arm64/v8` is `linux/arm64`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Platform {
    os: Cow<'static, str>,
    arch: Cow<'static, str>,
    variant: Option<Cow<'static, str>>,
}

/// Why a text is no platform. Displays as a phrase for the user, `help` says what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadPlatform {
    message: String,
    /// What to write instead, where that is known.
    pub help: Option<String>,
}

// The values of GOOS and GOARCH, which image-spec takes over.
const OSES: &[&str] = &[
    "linux",
    "darwin",
    "windows",
    "freebsd",
    "netbsd",
    "openbsd",
    "android",
    "ios",
    "illumos",
    "solaris",
    "dragonfly",
    "aix",
    "plan9",
    "wasip1",
    "js",
];
const ARCHES: &[&str] = &[
    "amd64", "arm64", "arm", "386", "riscv64", "ppc64le", "ppc64", "s390x", "loong64", "mips", "mipsle", "mips64",
    "mips64le", "wasm",
];
// The programs of several architectures in one file, as macOS has them.
const ALL: &str = "all";
// What other tools call the same things.
const FOREIGN: &[(&str, &str)] = &[
    ("x86_64", "amd64"),
    ("x64", "amd64"),
    ("aarch64", "arm64"),
    ("armv8", "arm64"),
    ("i386", "386"),
    ("i686", "386"),
    ("x86", "386"),
    ("armv7", "arm/v7"),
    ("armhf", "arm/v7"),
    ("armv6", "arm/v6"),
    ("armel", "arm/v6"),
    ("loongarch64", "loong64"),
    ("powerpc64le", "ppc64le"),
    ("macos", "darwin"),
    ("macosx", "darwin"),
    ("osx", "darwin"),
    ("win", "windows"),
    ("win32", "windows"),
];

impl Platform {
    /// The operating system, in the words of GOOS.
    pub fn os(&self) -> &str {
        &self.os
    }

    /// The architecture, in the words of GOARCH.
    pub fn arch(&self) -> &str {
        &self.arch
    }

    /// The variant of the architecture (`v7`), where it is not the default one.
    pub fn variant(&self) -> Option<&str> {
        self.variant.as_deref()
    }

    /// From the three fields of an image's config or of a descriptor; they are brought to normal form.
    pub fn from_parts(os: &str, arch: &str, variant: Option<&str>) -> Result<Platform, BadPlatform> {
        match variant {
            Some(variant) if !variant.is_empty() => format!("{os}/{arch}/{variant}").parse(),
            _ => format!("{os}/{arch}").parse(),
        }
    }

    /// The platform as one word of a file name: `linux_arm_v7`.
    pub fn slug(&self) -> String {
        self.to_string().replace('/', "_")
    }

    /// macOS, whatever the processor: `darwin/all`.
    pub fn universal() -> Platform {
        Platform { os: Cow::Borrowed("darwin"), arch: Cow::Borrowed(ALL), variant: None }
    }

    /// Every os and arch that parses, for suggestions.
    pub fn known() -> impl Iterator<Item = (&'static str, &'static str)> {
        OSES.iter().flat_map(|os| ARCHES.iter().map(move |arch| (*os, *arch)))
    }
}

impl FromStr for Platform {
    type Err = BadPlatform;

    fn from_str(text: &str) -> Result<Platform, BadPlatform> {
        let mut parts = text.split('/');
        let (Some(os), Some(arch), variant, None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(BadPlatform {
                message: format!("`{text}` is not a platform"),
                help: Some("write os/arch or os/arch/variant, as in `linux/arm64` or `linux/arm/v7`".to_owned()),
            });
        };
        let os = known(OSES, os).ok_or_else(|| unknown(text, "operating system", os, OSES))?;
        let (word, is_all) = (arch, os == "darwin" && arch == ALL);
        let arch = known(ARCHES, word).or(is_all.then_some(ALL));
        let arch = arch.ok_or_else(|| unknown(text, "architecture", word, ARCHES))?;
        let variant = normal_variant(text, arch, variant)?;
        Ok(Platform { os: Cow::Borrowed(os), arch: Cow::Borrowed(arch), variant })
    }
}

fn known(words: &'static [&'static str], word: &str) -> Option<&'static str> {
    words.iter().copied().find(|it| *it == word)
}

fn unknown(text: &str, what: &str, word: &str, words: &[&str]) -> BadPlatform {
    let foreign = FOREIGN.iter().find(|(theirs, _)| theirs.eq_ignore_ascii_case(word));
    let help = match foreign {
        Some((_, ours)) => format!("OCI calls it `{ours}`"),
        None => format!("known are {}", words.join(", ")),
    };
    BadPlatform { message: format!("`{text}` has an unknown {what}, `{word}`"), help: Some(help) }
}

fn normal_variant(text: &str, arch: &str, variant: Option<&str>) -> Result<Option<Cow<'static, str>>, BadPlatform> {
    let allowed: &[&str] = match arch {
        "arm" => &["v5", "v6", "v7", "v8"],
        "arm64" => &["v8", "v9"],
        "amd64" => &["v1", "v2", "v3", "v4"],
        _ => &[],
    };
    let Some(variant) = variant else {
        return Ok((arch == "arm").then_some(Cow::Borrowed("v7")));
    };
    let Some(variant) = allowed.iter().find(|it| **it == variant) else {
        let help = match allowed {
            [] => format!("`{arch}` has no variants"),
            _ => format!("the variants of `{arch}` are {}", allowed.join(", ")),
        };
        return Err(BadPlatform { message: format!("`{text}` has an unknown variant, `{variant}`"), help: Some(help) });
    };
    let default = matches!((arch, *variant), ("arm64", "v8") | ("amd64", "v1"));
    Ok((!default).then_some(Cow::Borrowed(variant)))
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.arch)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for BadPlatform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for BadPlatform {}

impl TryFrom<String> for Platform {
    type Error = BadPlatform;

    fn try_from(text: String) -> Result<Platform, BadPlatform> {
        text.parse()
    }
}

impl From<Platform> for String {
    fn from(platform: Platform) -> String {
        platform.to_string()
    }
}

impl JsonSchema for Platform {
    fn schema_name() -> Cow<'static, str> {
        "Platform".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A platform in OCI's words: `os/arch` or `os/arch/variant`",
            "examples": ["linux/amd64", "linux/arm/v7", "darwin/arm64"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &str) {
        let actual = match text.parse::<Platform>() {
            Ok(platform) => platform.to_string(),
            Err(bad) => format!("{bad}; {}", bad.help.clone().unwrap_or_default()),
        };
        assert_eq!(actual, expect);
    }

    #[test]
    fn normal_form() {
        check("linux/amd64", "linux/amd64");
        check("linux/amd64/v1", "linux/amd64");
        check("linux/amd64/v3", "linux/amd64/v3");
        check("linux/arm", "linux/arm/v7");
        check("linux/arm/v6", "linux/arm/v6");
        check("linux/arm64/v8", "linux/arm64");
    }

    #[test]
    fn what_is_wrong_and_what_to_write() {
        check("linux/x86_64", "`linux/x86_64` has an unknown architecture, `x86_64`; OCI calls it `amd64`");
        check("macos/arm64", "`macos/arm64` has an unknown operating system, `macos`; OCI calls it `darwin`");
        check("linux/riscv64/v2", "`linux/riscv64/v2` has an unknown variant, `v2`; `riscv64` has no variants");
        check(
            "linux",
            "`linux` is not a platform; write os/arch or os/arch/variant, as in `linux/arm64` or `linux/arm/v7`",
        );
        check("linux/arm/v9", "`linux/arm/v9` has an unknown variant, `v9`; the variants of `arm` are v5, v6, v7, v8");
    }
}
