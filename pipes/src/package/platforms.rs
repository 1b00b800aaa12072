//! What each format calls a platform: one table.
//! Does not know formats beyond their names for machines.

use forge_plugin::schemas::Platform;

/// What a platform is called, by format.
pub struct Machine {
    arch: &'static str,
    /// Empty: any that has no line of its own.
    variant: &'static str,
    pub deb: &'static str,
    pub rpm: &'static str,
    pub apk: &'static str,
    pub archlinux: &'static str,
}

/// A package for every machine.
pub const ANY: Machine = Machine { arch: "", variant: "", deb: "all", rpm: "noarch", apk: "noarch", archlinux: "any" };

/// Empty, where a format has no name for it. deb: dpkg's `tupletable` and `cputable`; rpm: its `rpmrc`; apk: the architectures of
/// Alpine; archlinux: those of Arch Linux, Arch Linux ARM, and its ports.
const MACHINES: &[Machine] = &[
    row("amd64", "", ["amd64", "x86_64", "x86_64", "x86_64"]),
    row("386", "", ["i386", "i386", "x86", "i686"]),
    row("arm64", "", ["arm64", "aarch64", "aarch64", "aarch64"]),
    row("arm", "v5", ["armel", "armv5tel", "", "arm"]),
    row("arm", "v6", ["armhf", "armv6hl", "armhf", "armv6h"]),
    row("arm", "", ["armhf", "armv7hl", "armv7", "armv7h"]),
    row("riscv64", "", ["riscv64", "riscv64", "riscv64", "riscv64"]),
    row("ppc64le", "", ["ppc64el", "ppc64le", "ppc64le", "powerpc64le"]),
    row("ppc64", "", ["ppc64", "ppc64", "ppc64", "powerpc64"]),
    row("s390x", "", ["s390x", "s390x", "s390x", ""]),
    row("loong64", "", ["loong64", "loongarch64", "loongarch64", "loong64"]),
    row("mips", "", ["mips", "mips", "", ""]),
    row("mipsle", "", ["mipsel", "mipsel", "", ""]),
    row("mips64", "", ["mips64", "mips64", "mips64", ""]),
    row("mips64le", "", ["mips64el", "mips64el", "", ""]),
];

const fn row(arch: &'static str, variant: &'static str, names: [&'static str; 4]) -> Machine {
    let [deb, rpm, apk, archlinux] = names;
    Machine { arch, variant, deb, rpm, apk, archlinux }
}

/// The names of a platform. None, where it is not of Linux, or nobody packages for it.
pub fn machine(platform: &Platform) -> Option<&'static Machine> {
    let variant = platform.variant().unwrap_or_default();
    let fits = |it: &&Machine| it.arch == platform.arch() && (it.variant.is_empty() || it.variant == variant);
    MACHINES.iter().find(fits).filter(|_| is_packaged(platform))
}

/// Whether its system has any of these package managers.
pub fn is_packaged(platform: &Platform) -> bool {
    platform.os() == "linux"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(platform: &str, expect: &str) {
        let names = machine(&platform.parse().unwrap()).map(|it| [it.deb, it.rpm, it.apk, it.archlinux].join(" "));
        assert_eq!(names.unwrap_or_default(), expect, "of {platform}");
    }

    #[test]
    fn names_of_machines() {
        check("linux/amd64", "amd64 x86_64 x86_64 x86_64");
        check("linux/amd64/v3", "amd64 x86_64 x86_64 x86_64");
        check("linux/386", "i386 i386 x86 i686");
        check("linux/arm", "armhf armv7hl armv7 armv7h");
        check("linux/arm/v6", "armhf armv6hl armhf armv6h");
        check("linux/arm/v5", "armel armv5tel  arm");
        check("linux/arm64/v9", "arm64 aarch64 aarch64 aarch64");
        check("linux/s390x", "s390x s390x s390x ");
        check("linux/wasm", "");
        check("darwin/arm64", "");
    }
}
