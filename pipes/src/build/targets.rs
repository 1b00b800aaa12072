//! The one map from a platform to what each tool calls it.
//! Does not know which tool asks, nor whether the machine has what the target needs.

use forge_plugin::schemas::Platform;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which C library, or which toolchain's ABI, a program is linked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Libc {
    /// musl, linked into the program: it runs on every Linux.
    Musl,
    /// The GNU C library of the system on Linux; MinGW on Windows.
    Gnu,
    /// Microsoft's, on Windows.
    Msvc,
}

/// One platform, variants of amd64 and arm64 aside: these choose a CPU, see [`Cpu`].
struct Target {
    platform: &'static str,
    /// What rustc calls it, the default first.
    rust: &'static [&'static str],
    /// What zig calls it; empty where it can't.
    zig: &'static str,
    /// The CPU that zig must be told, where its default is another variant.
    zig_cpu: &'static str,
    /// What Go must be told beside GOOS and GOARCH. It has a port for every row.
    go: GoLevel,
}

/// A variable of the Go tool, and its value.
type GoLevel = Option<(&'static str, &'static str)>;

/// A variant that is the same target with more instructions.
struct Cpu {
    arch: &'static str,
    variant: &'static str,
    rust: &'static str,
    zig: &'static str,
    go: GoLevel,
}

const fn target(platform: &'static str, rust: &'static [&'static str], zig: &'static str, go: GoLevel) -> Target {
    Target { platform, rust, zig, zig_cpu: "", go }
}

const fn arm(
    platform: &'static str,
    rust: &'static [&'static str],
    zig: [&'static str; 2],
    goarm: &'static str,
) -> Target {
    Target { platform, rust, zig: zig[0], zig_cpu: zig[1], go: Some(("GOARM", goarm)) }
}

const AMD64: GoLevel = Some(("GOAMD64", "v1"));
const ARM64: GoLevel = Some(("GOARM64", "v8.0"));
const I386: GoLevel = Some(("GO386", "sse2"));

#[rustfmt::skip]
const TARGETS: &[Target] = &[
    target("linux/amd64", &["x86_64-unknown-linux-musl", "x86_64-unknown-linux-gnu"], "x86_64-linux-musl", AMD64),
    target("linux/arm64", &["aarch64-unknown-linux-musl", "aarch64-unknown-linux-gnu"], "aarch64-linux-musl", ARM64),
    arm("linux/arm/v7", &["armv7-unknown-linux-musleabihf", "armv7-unknown-linux-gnueabihf"], ["arm-linux-musleabihf", ""], "7"),
    arm("linux/arm/v6", &["arm-unknown-linux-musleabihf", "arm-unknown-linux-gnueabihf"], ["arm-linux-musleabihf", "arm1176jzf_s"], "6"),
    arm("linux/arm/v5", &["armv5te-unknown-linux-musleabi", "armv5te-unknown-linux-gnueabi"], ["arm-linux-musleabi", "arm926ej_s"], "5"),
    target("linux/386", &["i686-unknown-linux-musl", "i686-unknown-linux-gnu"], "x86-linux-musl", I386),
    target("linux/riscv64", &["riscv64gc-unknown-linux-musl", "riscv64gc-unknown-linux-gnu"], "riscv64-linux-musl", None),
    target("linux/ppc64le", &["powerpc64le-unknown-linux-musl", "powerpc64le-unknown-linux-gnu"], "powerpc64le-linux-musl", None),
    target("linux/ppc64", &["powerpc64-unknown-linux-gnu", "powerpc64-unknown-linux-musl"], "powerpc64-linux-musl", None),
    target("linux/s390x", &["s390x-unknown-linux-gnu", "s390x-unknown-linux-musl"], "s390x-linux-musl", None),
    target("linux/loong64", &["loongarch64-unknown-linux-musl", "loongarch64-unknown-linux-gnu"], "loongarch64-linux-musl", None),
    target("linux/mips", &["mips-unknown-linux-musl", "mips-unknown-linux-gnu"], "mips-linux-musleabi", None),
    target("linux/mipsle", &["mipsel-unknown-linux-musl", "mipsel-unknown-linux-gnu"], "mipsel-linux-musleabi", None),
    target("linux/mips64", &["mips64-unknown-linux-muslabi64", "mips64-unknown-linux-gnuabi64"], "mips64-linux-muslabi64", None),
    target("linux/mips64le", &["mips64el-unknown-linux-muslabi64", "mips64el-unknown-linux-gnuabi64"], "mips64el-linux-muslabi64", None),
    target("darwin/amd64", &["x86_64-apple-darwin"], "x86_64-macos", AMD64),
    target("darwin/arm64", &["aarch64-apple-darwin"], "aarch64-macos", ARM64),
    target("windows/amd64", &["x86_64-pc-windows-gnu", "x86_64-pc-windows-msvc"], "x86_64-windows-gnu", AMD64),
    target("windows/arm64", &["aarch64-pc-windows-gnullvm", "aarch64-pc-windows-msvc"], "aarch64-windows-gnu", ARM64),
    target("windows/386", &["i686-pc-windows-gnu", "i686-pc-windows-msvc"], "x86-windows-gnu", I386),
    target("freebsd/amd64", &["x86_64-unknown-freebsd"], "x86_64-freebsd", AMD64),
    target("freebsd/arm64", &["aarch64-unknown-freebsd"], "aarch64-freebsd", ARM64),
    arm("freebsd/arm/v7", &["armv7-unknown-freebsd"], ["arm-freebsd-eabihf", ""], "7"),
    arm("freebsd/arm/v6", &["armv6-unknown-freebsd"], ["", ""], "6"),
    target("freebsd/386", &["i686-unknown-freebsd"], "x86-freebsd", I386),
    target("netbsd/amd64", &["x86_64-unknown-netbsd"], "x86_64-netbsd", AMD64),
    target("netbsd/arm64", &["aarch64-unknown-netbsd"], "aarch64-netbsd", ARM64),
    arm("netbsd/arm/v7", &["armv7-unknown-netbsd-eabihf"], ["arm-netbsd-eabihf", ""], "7"),
    arm("netbsd/arm/v6", &["armv6-unknown-netbsd-eabihf"], ["", ""], "6"),
    target("netbsd/386", &["i686-unknown-netbsd"], "x86-netbsd", I386),
    target("openbsd/amd64", &["x86_64-unknown-openbsd"], "x86_64-openbsd", AMD64),
    target("openbsd/arm64", &["aarch64-unknown-openbsd"], "aarch64-openbsd", ARM64),
    arm("openbsd/arm/v7", &[], ["", ""], "7"),
    arm("openbsd/arm/v6", &[], ["", ""], "6"),
    target("openbsd/386", &["i686-unknown-openbsd"], "x86-openbsd", I386),
    target("openbsd/riscv64", &["riscv64gc-unknown-openbsd"], "riscv64-openbsd", None),
    target("openbsd/ppc64", &["powerpc64-unknown-openbsd"], "", None),
    target("android/amd64", &["x86_64-linux-android"], "x86_64-linux-android", AMD64),
    target("android/arm64", &["aarch64-linux-android"], "aarch64-linux-android", ARM64),
    arm("android/arm/v7", &["armv7-linux-androideabi"], ["arm-linux-androideabi", ""], "7"),
    target("android/386", &["i686-linux-android"], "x86-linux-android", I386),
    target("ios/amd64", &["x86_64-apple-ios"], "", AMD64),
    target("ios/arm64", &["aarch64-apple-ios"], "aarch64-ios", ARM64),
    target("illumos/amd64", &["x86_64-unknown-illumos"], "", AMD64),
    target("solaris/amd64", &["x86_64-pc-solaris"], "", AMD64),
    target("dragonfly/amd64", &["x86_64-unknown-dragonfly"], "", AMD64),
    target("aix/ppc64", &["powerpc64-ibm-aix"], "", None),
    target("plan9/amd64", &[], "", AMD64),
    arm("plan9/arm/v7", &[], ["", ""], "7"),
    arm("plan9/arm/v6", &[], ["", ""], "6"),
    arm("plan9/arm/v5", &[], ["", ""], "5"),
    target("plan9/386", &[], "", I386),
    target("wasip1/wasm", &["wasm32-wasip1"], "wasm32-wasi", None),
    target("js/wasm", &[], "", None),
];

#[rustfmt::skip]
const CPUS: &[Cpu] = &[
    Cpu { arch: "amd64", variant: "v2", rust: "x86-64-v2", zig: "x86_64_v2", go: Some(("GOAMD64", "v2")) },
    Cpu { arch: "amd64", variant: "v3", rust: "x86-64-v3", zig: "x86_64_v3", go: Some(("GOAMD64", "v3")) },
    Cpu { arch: "amd64", variant: "v4", rust: "x86-64-v4", zig: "x86_64_v4", go: Some(("GOAMD64", "v4")) },
    // rustc has no CPU of that name; what it builds for arm64 runs there.
    Cpu { arch: "arm64", variant: "v9", rust: "", zig: "generic+v9a", go: Some(("GOARM64", "v9.0")) },
];

/// What rustc calls a platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RustTarget {
    /// The triple.
    pub triple: String,
    /// The CPU that it must be told; empty for the target's own default.
    pub cpu: String,
}

/// What zig calls a platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZigTarget {
    /// The target: `aarch64-linux-musl`.
    pub target: String,
    /// The CPU that it must be told; empty for the target's own default.
    pub cpu: String,
}

/// What rustc calls `platform`, linked for `libc` or for the default one. None where it has no such target.
pub fn rust(platform: &Platform, libc: Option<Libc>) -> Option<RustTarget> {
    let (target, cpu) = find(platform)?;
    let triple = choose(target.rust, libc)?.to_owned();
    let cpu = cpu.map_or("", |cpu| cpu.rust).to_owned();
    Some(RustTarget { triple, cpu })
}

/// What zig calls `platform`, linked for `libc` or for musl. None where it has no such target.
pub fn zig(platform: &Platform, libc: Option<Libc>) -> Option<ZigTarget> {
    let (target, cpu) = find(platform)?;
    let name = match libc {
        Some(Libc::Gnu) => target.zig.replace("musl", "gnu"),
        Some(Libc::Msvc) => target.zig.replace("windows-gnu", "windows-msvc"),
        Some(Libc::Musl) | None => target.zig.to_owned(),
    };
    let cpu = cpu.map_or(target.zig_cpu, |cpu| cpu.zig).to_owned();
    (!name.is_empty()).then_some(ZigTarget { target: name, cpu })
}

/// The variables that tell Go of `platform`, in the order GOOS, GOARCH, variant. None where Go has no such port.
pub fn go(platform: &Platform) -> Option<Vec<(&'static str, String)>> {
    let (target, cpu) = find(platform)?;
    let level = cpu.map_or(target.go, |cpu| cpu.go);
    let mut variables = vec![("GOOS", platform.os().to_owned()), ("GOARCH", platform.arch().to_owned())];
    variables.extend(level.map(|(name, value)| (name, value.to_owned())));
    Some(variables)
}

fn find(platform: &Platform) -> Option<(&'static Target, Option<&'static Cpu>)> {
    let cpu = CPUS.iter().find(|cpu| cpu.arch == platform.arch() && Some(cpu.variant) == platform.variant());
    let name = match cpu {
        Some(_) => format!("{}/{}", platform.os(), platform.arch()),
        None => platform.to_string(),
    };
    TARGETS.iter().find(|target| target.platform == name).map(|target| (target, cpu))
}

/// The first of `triples` that is linked for `libc`. The default where `libc` is no choice on that system: one table may
/// build for several.
fn choose(triples: &[&'static str], libc: Option<Libc>) -> Option<&'static str> {
    let word = match libc {
        None => "",
        Some(Libc::Musl) => "musl",
        Some(Libc::Gnu) => "gnu",
        Some(Libc::Msvc) => "msvc",
    };
    triples.iter().find(|triple| triple.contains(word)).or_else(|| triples.first()).copied()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn line(platform: &str, libc: Option<Libc>) -> String {
        let platform = platform.parse().unwrap();
        let rust = rust(&platform, libc).map_or_else(|| "-".to_owned(), |it| format!("{} {}", it.triple, it.cpu));
        let zig = zig(&platform, libc).map_or_else(|| "-".to_owned(), |it| format!("{} {}", it.target, it.cpu));
        let go = go(&platform).map_or_else(
            || "-".to_owned(),
            |it| it.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" "),
        );
        format!("{platform}: {} | {} | {go}\n", rust.trim_end(), zig.trim_end())
    }

    fn check(platforms: &[&str], libc: Option<Libc>, expect: &Expect) {
        let lines: String = platforms.iter().map(|platform| line(platform, libc)).collect();
        expect.assert_eq(&lines);
    }

    #[test]
    fn every_tools_own_name() {
        let platforms = [
            "linux/amd64",
            "linux/amd64/v3",
            "linux/arm64",
            "linux/arm64/v9",
            "linux/arm/v7",
            "linux/arm/v6",
            "linux/386",
            "darwin/arm64",
            "windows/amd64",
            "windows/arm64",
            "plan9/386",
            "linux/wasm",
        ];
        check(
            &platforms,
            None,
            &expect![[r#"
            linux/amd64: x86_64-unknown-linux-musl | x86_64-linux-musl | GOOS=linux GOARCH=amd64 GOAMD64=v1
            linux/amd64/v3: x86_64-unknown-linux-musl x86-64-v3 | x86_64-linux-musl x86_64_v3 | GOOS=linux GOARCH=amd64 GOAMD64=v3
            linux/arm64: aarch64-unknown-linux-musl | aarch64-linux-musl | GOOS=linux GOARCH=arm64 GOARM64=v8.0
            linux/arm64/v9: aarch64-unknown-linux-musl | aarch64-linux-musl generic+v9a | GOOS=linux GOARCH=arm64 GOARM64=v9.0
            linux/arm/v7: armv7-unknown-linux-musleabihf | arm-linux-musleabihf | GOOS=linux GOARCH=arm GOARM=7
            linux/arm/v6: arm-unknown-linux-musleabihf | arm-linux-musleabihf arm1176jzf_s | GOOS=linux GOARCH=arm GOARM=6
            linux/386: i686-unknown-linux-musl | x86-linux-musl | GOOS=linux GOARCH=386 GO386=sse2
            darwin/arm64: aarch64-apple-darwin | aarch64-macos | GOOS=darwin GOARCH=arm64 GOARM64=v8.0
            windows/amd64: x86_64-pc-windows-gnu | x86_64-windows-gnu | GOOS=windows GOARCH=amd64 GOAMD64=v1
            windows/arm64: aarch64-pc-windows-gnullvm | aarch64-windows-gnu | GOOS=windows GOARCH=arm64 GOARM64=v8.0
            plan9/386: - | - | GOOS=plan9 GOARCH=386 GO386=sse2
            linux/wasm: - | - | -
        "#]],
        );
    }

    #[test]
    fn another_c_library() {
        check(
            &["linux/arm/v7", "windows/amd64", "darwin/arm64"],
            Some(Libc::Gnu),
            &expect![[r#"
            linux/arm/v7: armv7-unknown-linux-gnueabihf | arm-linux-gnueabihf | GOOS=linux GOARCH=arm GOARM=7
            windows/amd64: x86_64-pc-windows-gnu | x86_64-windows-gnu | GOOS=windows GOARCH=amd64 GOAMD64=v1
            darwin/arm64: aarch64-apple-darwin | aarch64-macos | GOOS=darwin GOARCH=arm64 GOARM64=v8.0
        "#]],
        );
        check(
            &["linux/amd64", "windows/amd64"],
            Some(Libc::Msvc),
            &expect![[r#"
            linux/amd64: x86_64-unknown-linux-musl | x86_64-linux-musl | GOOS=linux GOARCH=amd64 GOAMD64=v1
            windows/amd64: x86_64-pc-windows-msvc | x86_64-windows-msvc | GOOS=windows GOARCH=amd64 GOAMD64=v1
        "#]],
        );
    }

    /// `find` compares texts, so a row that is not in normal form would never be found.
    #[test]
    fn rows_are_in_normal_form_and_there_once() {
        for (at, target) in TARGETS.iter().enumerate() {
            assert_eq!(target.platform.parse::<Platform>().unwrap().to_string(), target.platform);
            assert!(TARGETS[..at].iter().all(|earlier| earlier.platform != target.platform), "{}", target.platform);
        }
    }
}
