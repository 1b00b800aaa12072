//! Which platform a program is for, from its first bytes: ELF, Mach-O, PE and WebAssembly.
//! Does not know variants, nor which Unix an ELF file is for: most do not say.

use forge_plugin::schemas::Platform;

/// How many bytes of a file are enough.
pub const ENOUGH: usize = 4096;

/// What the first bytes of a program say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    format: Format,
    /// In OCI's words; several in a universal binary. Empty for a machine that OCI has no word for.
    arches: Vec<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Elf,
    MachO,
    Pe,
    Wasm,
}

/// Reads the header. None for what is no program of a known form: a script, say.
pub fn read(bytes: &[u8]) -> Option<Header> {
    match bytes.get(..4)? {
        b"\x7fELF" => elf(bytes),
        b"\0asm" => Some(Header { format: Format::Wasm, arches: vec!["wasm"] }),
        [0xcf, 0xfa, 0xed, 0xfe] | [0xce, 0xfa, 0xed, 0xfe] => {
            Some(Header { format: Format::MachO, arches: mach_o_arch(u32_le(bytes, 4)?).into_iter().collect() })
        }
        [0xca, 0xfe, 0xba, 0xbe] => universal(bytes),
        [b'M', b'Z', ..] => pe(bytes),
        _ => None,
    }
}

impl Header {
    /// Whether the program can be one for `platform`.
    pub fn fits(&self, platform: &Platform) -> bool {
        let format = match platform.os() {
            "darwin" | "ios" => Format::MachO,
            "windows" => Format::Pe,
            "js" | "wasip1" => Format::Wasm,
            _ => Format::Elf,
        };
        let is_universal = *platform == Platform::universal() && self.arches.len() > 1;
        format == self.format && (self.arches.is_empty() || self.arches.contains(&platform.arch()) || is_universal)
    }

    /// What it is, in words: `an ELF program for arm64`.
    pub fn in_words(&self) -> String {
        let format = match self.format {
            Format::Elf => "an ELF program",
            Format::MachO => "a Mach-O program (macOS)",
            Format::Pe => "a PE program (Windows)",
            Format::Wasm => "a WebAssembly module",
        };
        match self.arches.is_empty() {
            true => format.to_owned(),
            false => format!("{format} for {}", self.arches.join(" and ")),
        }
    }
}

fn elf(bytes: &[u8]) -> Option<Header> {
    let (wide, little) = (*bytes.get(4)? == 2, *bytes.get(5)? == 1);
    let pair = [*bytes.get(18)?, *bytes.get(19)?];
    let machine = if little { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) };
    let arch = match (machine, wide, little) {
        (3, ..) => Some("386"),
        (8, false, false) => Some("mips"),
        (8, false, true) => Some("mipsle"),
        (8, true, false) => Some("mips64"),
        (8, true, true) => Some("mips64le"),
        (21, _, true) => Some("ppc64le"),
        (21, _, false) => Some("ppc64"),
        (22, ..) => Some("s390x"),
        (40, ..) => Some("arm"),
        (62, ..) => Some("amd64"),
        (183, ..) => Some("arm64"),
        (243, ..) => Some("riscv64"),
        (258, ..) => Some("loong64"),
        _ => None,
    };
    Some(Header { format: Format::Elf, arches: arch.into_iter().collect() })
}

fn mach_o_arch(cpu: u32) -> Option<&'static str> {
    match cpu {
        7 => Some("386"),
        0x0100_0007 => Some("amd64"),
        12 => Some("arm"),
        0x0100_000c => Some("arm64"),
        _ => None,
    }
}

/// A universal binary: a count, then entries of 20 bytes that start with the CPU. Java's class files share the magic;
/// their "count" is a version, which is 45 at least.
fn universal(bytes: &[u8]) -> Option<Header> {
    let count = u32_be(bytes, 4).filter(|count| *count < 45)?;
    let cpus = (0..count as usize).filter_map(|at| u32_be(bytes, 8 + 20 * at));
    Some(Header { format: Format::MachO, arches: cpus.filter_map(mach_o_arch).collect() })
}

fn pe(bytes: &[u8]) -> Option<Header> {
    let start = usize::try_from(u32_le(bytes, 0x3c)?).ok()?;
    let header = bytes.get(start..start.checked_add(6)?)?;
    let machine = header.strip_prefix(b"PE\0\0")?;
    let arch = match u16::from_le_bytes([machine[0], machine[1]]) {
        0x014c => Some("386"),
        0x01c4 => Some("arm"),
        0x8664 => Some("amd64"),
        0xaa64 => Some("arm64"),
        _ => None,
    };
    Some(Header { format: Format::Pe, arches: arch.into_iter().collect() })
}

fn u32_le(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn u32_be(bytes: &[u8], at: usize) -> Option<u32> {
    u32_le(bytes, at).map(u32::swap_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], platform: &str, expect: &str) {
        let actual = match read(bytes) {
            None => "unknown".to_owned(),
            Some(header) => format!("{}: {}", header.in_words(), header.fits(&platform.parse().unwrap())),
        };
        assert_eq!(actual, expect);
    }

    fn elf_of(wide: u8, little: u8, machine: [u8; 2]) -> Vec<u8> {
        let mut bytes = b"\x7fELF".to_vec();
        bytes.extend([wide, little]);
        bytes.resize(18, 0);
        bytes.extend(machine);
        bytes
    }

    #[test]
    fn what_each_form_says() {
        check(&elf_of(2, 1, [62, 0]), "linux/amd64", "an ELF program for amd64: true");
        check(&elf_of(2, 1, [183, 0]), "linux/amd64", "an ELF program for arm64: false");
        check(&elf_of(2, 2, [0, 22]), "linux/s390x", "an ELF program for s390x: true");
        check(&elf_of(1, 1, [40, 0]), "linux/arm/v6", "an ELF program for arm: true");
        check(&elf_of(2, 1, [62, 0]), "darwin/amd64", "an ELF program for amd64: false");
        check(&elf_of(2, 1, [255, 255]), "linux/amd64", "an ELF program: true");
        check(b"\xcf\xfa\xed\xfe\x0c\0\0\x01", "darwin/arm64", "a Mach-O program (macOS) for arm64: true");
        check(b"\0asm\x01\0\0\0", "wasip1/wasm", "a WebAssembly module for wasm: true");
        check(b"#!/bin/sh\n", "linux/amd64", "unknown");
        check(b"\x7fE", "linux/amd64", "unknown");
    }

    #[test]
    fn a_universal_binary_is_for_several() {
        let mut bytes = b"\xca\xfe\xba\xbe\0\0\0\x02".to_vec();
        bytes.extend([&[1, 0, 0, 7][..], &[0; 16], &[1, 0, 0, 12], &[0; 16]].concat());
        check(&bytes, "darwin/arm64", "a Mach-O program (macOS) for amd64 and arm64: true");
        check(&bytes, "darwin/all", "a Mach-O program (macOS) for amd64 and arm64: true");
        check(b"\xcf\xfa\xed\xfe\x0c\0\0\x01", "darwin/all", "a Mach-O program (macOS) for arm64: false");
        check(b"\xca\xfe\xba\xbe\0\0\0\x34", "darwin/arm64", "unknown");
    }

    #[test]
    fn the_second_header_of_windows() {
        let mut bytes = b"MZ".to_vec();
        bytes.resize(0x3c, 0);
        bytes.extend(0x40_u32.to_le_bytes());
        bytes.extend(b"PE\0\0\x64\x86");
        check(&bytes, "windows/amd64", "a PE program (Windows) for amd64: true");
        check(&bytes, "windows/arm64", "a PE program (Windows) for amd64: false");
        bytes[0x3c..0x40].copy_from_slice(&u32::MAX.to_le_bytes());
        check(&bytes, "windows/amd64", "unknown");
    }
}
