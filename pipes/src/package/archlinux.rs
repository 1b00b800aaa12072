//! Packages of Arch Linux: a tar by zstd, with `.PKGINFO`, `.MTREE`, `.INSTALL` and the files (alpm-package(7), PKGBUILD(5)).
//! Does not know the keys of the table.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use forge_plugin::Host;
use forge_plugin::schemas::Failure;
use md5::{Digest as _, Md5};
use ring::digest::{Context, SHA256};

use super::about::{About, Relates};
use super::format::{BadVersion, Format, Naming, Signing, check_parts};
use super::parcel::{Item, Parcel, Script, What};
use super::platforms::Machine;
use super::relation::Relation;
use super::tarball::{Dialect, Note, Tarball, failure, gzip, hex};
use super::version::{Spelled, Version};

/// The format.
pub struct ArchLinux;

/// Smaller than what zstd does by itself, at a fifth of the time of makepkg's 20.
const LEVEL: i32 = 12;

impl Format for ArchLinux {
    fn name(&self) -> &'static str {
        "archlinux"
    }

    fn extension(&self) -> &'static str {
        ".pkg.tar.zst"
    }

    fn machine(&self, machine: &Machine) -> &'static str {
        machine.archlinux
    }

    /// PKGBUILD(5), `pkgname`.
    fn naming(&self) -> Naming {
        let fits = |name: &str| {
            !name.is_empty()
                && !name.starts_with(['-', '.'])
                && name.chars().all(|it| it.is_ascii_alphanumeric() || "@._+-".contains(it))
        };
        Naming {
            fits,
            rule: "it is made of letters, digits, `@`, `.`, `_`, `+` and `-`, and begins with none of `-` and `.`",
        }
    }

    /// PKGBUILD(5), `pkgver`: no `-`, and letters behind a number sort before its end.
    fn spell(&self, version: &Version) -> Result<Spelled, BadVersion> {
        let prerelease = version.prerelease.replace('-', "_");
        let version = Version { prerelease, metadata: String::new(), ..version.clone() };
        check_parts(&version, "._+", ".", "archlinux")?;
        if version.number.is_empty() {
            return Err(BadVersion::new("version", "", "archlinux", "it has one character at least"));
        }
        let release = version.release.clone().unwrap_or_else(|| "1".to_owned());
        if !release.split('.').all(|it| !it.is_empty() && it.chars().all(|it| it.is_ascii_digit())) {
            let help = "it is a number; write `release` in `overrides.archlinux`";
            return Err(BadVersion::new("release", &release, "archlinux", help));
        }
        Ok(Spelled { version: version.joined("", ""), release, epoch: version.epoch })
    }

    fn title(&self, about: &About) -> String {
        format!("{}-{}-{}", about.package, about.version.with_release(), about.machine)
    }

    /// What may be there beside it can say why: `git: to fetch`.
    fn relation(&self, which: Relates, text: &str) -> Result<Option<String>, String> {
        let (name, reason) = match which {
            Relates::Recommends | Relates::Suggests => {
                text.split_once(": ").map_or((text, None), |(name, reason)| (name, Some(reason)))
            }
            _ => (text, None),
        };
        let is_line = reason.is_none_or(|it| !it.contains(char::is_control));
        let relation = Relation::parse(name).filter(|_| is_line).map(|it| it.tight());
        let whole = relation.map(|it| reason.map_or(it.clone(), |reason| format!("{it}: {}", reason.trim())));
        whole.map(Some).ok_or_else(|| "write `name` or `name >= 1.2`".to_owned())
    }

    /// pacman takes the numbers of the tar, which are not known here.
    fn has_owners(&self) -> bool {
        false
    }

    fn signing(&self) -> Signing {
        Signing::GpgBeside
    }

    fn write(&self, parcel: &Parcel<'_>, path: &Path, _: &dyn Host) -> Result<(), Failure> {
        let info = info(parcel);
        let install = install(parcel)?;
        let mut notes = vec![(".PKGINFO", info.into_bytes())];
        if !install.is_empty() {
            notes.push((".INSTALL", install.into_bytes()));
        }
        let tree = tree(&notes, parcel)?;
        notes.insert(0, (".MTREE", tree));
        let file = File::create(path).map_err(|error| Failure::file("write", path, &error))?;
        let packed = zstd::Encoder::new(BufWriter::new(file), LEVEL).map_err(failure)?;
        let mut tar = Tarball::new(packed, Dialect::Pax);
        for (path, bytes) in &notes {
            tar.note(&Note { path, mode: 0o644, time: parcel.time, bytes })?;
        }
        for item in &parcel.items {
            tar.put(item, |_| {})?;
        }
        tar.finish()?.finish().and_then(|mut file| file.flush()).map_err(failure)
    }
}

fn info(parcel: &Parcel<'_>) -> String {
    let about = parcel.about;
    let mut info = String::new();
    let mut put = |name: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(info, "{name} = {value}");
        }
    };
    put("pkgname", &about.package);
    put("pkgbase", &about.package);
    put("pkgver", &about.version.whole());
    put("pkgdesc", about.summary());
    put("url", about.homepage.as_deref().unwrap_or_default());
    put("builddate", &parcel.time.to_string());
    put("packager", about.maintainer.as_deref().unwrap_or("Unknown Packager"));
    put("size", &parcel.size().to_string());
    put("arch", &about.machine);
    put("license", about.license.as_deref().unwrap_or_default());
    let related = [
        ("replaces", Relates::Replaces),
        ("conflict", Relates::Conflicts),
        ("provides", Relates::Provides),
        ("depend", Relates::Dependencies),
        ("optdepend", Relates::Recommends),
        ("optdepend", Relates::Suggests),
    ];
    for (name, which) in related {
        about.related(which).iter().for_each(|it| put(name, it));
    }
    parcel.items.iter().filter(|it| it.is_config()).for_each(|it| put("backup", &it.path));
    info
}

/// The scripts, each a function. A function of nothing but comments would be none, hence the `:`.
fn install(parcel: &Parcel<'_>) -> Result<String, Failure> {
    let mut install = String::new();
    for (script, bytes) in &parcel.scripts {
        let name = match script {
            Script::PreInstall => "pre_install",
            Script::PostInstall => "post_install",
            Script::PreRemove => "pre_remove",
            Script::PostRemove => "post_remove",
            Script::PreUpgrade => "pre_upgrade",
            Script::PostUpgrade => "post_upgrade",
        };
        let text =
            std::str::from_utf8(bytes).map_err(|_| Failure::input(format!("the script of `{name}` is not UTF-8")))?;
        let _ = writeln!(install, "{name}() {{\n:\n{}\n}}\n", text.trim_end());
    }
    Ok(install)
}

/// What lies where, with what it hashes to (mtree(5)).
fn tree(notes: &[(&str, Vec<u8>)], parcel: &Parcel<'_>) -> Result<Vec<u8>, Failure> {
    let mut lines = String::from("#mtree\n");
    let time = parcel.time;
    for (path, bytes) in notes {
        let sums = sums(bytes.as_slice()).map_err(failure)?;
        let _ = writeln!(lines, "./{path} time={time}.0 mode=644 uid=0 gid=0 size={} type=file {sums}", bytes.len());
    }
    for item in &parcel.items {
        lines.push_str(&line(item)?);
    }
    let mut packed = gzip(Vec::new());
    packed.write_all(lines.as_bytes()).and_then(|()| packed.finish()).map_err(failure)
}

fn line(item: &Item) -> Result<String, Failure> {
    let mut line = format!("./{} time={}.0 mode={:o} uid=0 gid=0", escaped(&item.path), item.time, item.mode);
    let _ = match &item.what {
        What::Parent | What::Directory => write!(line, " type=dir"),
        What::Link { to } => write!(line, " type=link link={}", escaped(to)),
        What::File { from, size, .. } => {
            let read = File::open(from).and_then(sums).map_err(|error| Failure::file("read", from, &error))?;
            write!(line, " size={size} type=file {read}")
        }
        What::Ghost => Ok(()),
    };
    Ok(line + "\n")
}

/// What something hashes to. pacman before 6.1 looks at MD5 too.
fn sums(content: impl Read) -> io::Result<String> {
    let (mut md5, mut content) = (Md5::new(), content);
    let mut sha256 = Context::new(&SHA256);
    let mut chunk = vec![0; 1 << 16];
    loop {
        match content.read(&mut chunk)? {
            0 => break,
            count => {
                md5.update(&chunk[..count]);
                sha256.update(&chunk[..count]);
            }
        }
    }
    Ok(format!("md5digest={} sha256digest={}", hex(&md5.finalize()), hex(sha256.finish().as_ref())))
}

/// Blanks and the like in octal.
fn escaped(path: &str) -> String {
    let one = |byte: u8| match byte {
        b'!'..=b'~' if !b"\\#=".contains(&byte) => char::from(byte).to_string(),
        _ => format!("\\{byte:03o}"),
    };
    path.bytes().map(one).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use flate2::read::GzDecoder;
    use serde_json::json;

    use super::*;
    use crate::package::checks::{bytes, check_plan, listing, one_of_each};

    /// What is in a package, or its `.MTREE`.
    fn check(show: fn(&[u8]) -> String, expect: Expect) {
        let tar = zstd::decode_all(bytes(one_of_each("archlinux")).as_slice()).unwrap();
        expect.assert_eq(&show(&tar));
    }

    #[test]
    fn all_of_a_package() {
        check(
            |tar| listing(tar, &[".PKGINFO", ".INSTALL"]),
            expect![[r#"
                644 root:root 1767323045 820 .MTREE
                644 root:root 1767323045 359 .PKGINFO
                    pkgname = hello
                    pkgbase = hello
                    pkgver = 1.2.3-1
                    pkgdesc = Says hello
                    url = https://example.org
                    builddate = 1767323045
                    packager = Ada <ada@example.org>
                    size = 74
                    arch = x86_64
                    license = MIT
                    replaces = hallo<1
                    conflict = hallo
                    provides = greeter=1.2.3
                    depend = zlib>=1.2
                    depend = git
                    optdepend = less
                    backup = etc/hello/hello.conf
                    backup = etc/hello/kept.conf
                644 root:root 1767323045 115 .INSTALL
                    post_install() {
                    :
                    #!/bin/sh
                    exit 0
                    }
                    pre_remove() {
                    :
                    #!/bin/sh
                    exit 0
                    }
                    post_upgrade() {
                    :
                    #!/bin/sh
                    exit 0
                    }
                755 root:root 1767323045 0 etc/
                755 root:root 1767323045 0 etc/hello/
                640 root:root 1767323045 6 etc/hello/hello.conf
                644 root:root 1767323045 6 etc/hello/kept.conf
                755 root:root 1767323045 0 opt/
                755 root:root 1767323045 0 opt/hello/
                755 root:root 1767323045 0 opt/hello/docs/
                644 root:root 1767323045 4 opt/hello/docs/a.md
                777 root:root 1767323045 0 opt/hello/docs/link.md -> a.md
                755 root:root 1767323045 0 opt/hello/docs/more/
                644 root:root 1767323045 4 opt/hello/docs/more/b.md
                755 root:root 1767323045 0 usr/
                755 root:root 1767323045 0 usr/bin/
                755 root:root 1767323045 23 usr/bin/hello
                777 root:root 1767323045 0 usr/bin/hi -> hello
                755 root:root 1767323045 0 usr/libexec/
                755 root:root 1767323045 0 usr/libexec/hello/
                755 root:root 981173106 17 usr/libexec/hello/run-amd64
                755 root:root 1767323045 0 usr/share/
                755 root:root 1767323045 0 usr/share/doc/
                755 root:root 1767323045 0 usr/share/doc/hello/
                644 root:root 1767323045 4 usr/share/doc/hello/a.md
                777 root:root 1767323045 0 usr/share/doc/hello/link.md -> a.md
                755 root:root 1767323045 0 usr/share/doc/hello/more/
                644 root:root 1767323045 4 usr/share/doc/hello/more/b.md
                755 root:root 1767323045 0 usr/share/licenses/
                755 root:root 1767323045 0 usr/share/licenses/hello/
                644 root:root 1767323045 6 usr/share/licenses/hello/LICENSE
                755 root:root 1767323045 0 var/
                755 root:root 1767323045 0 var/lib/
                750 root:root 1767323045 0 var/lib/hello/
            "#]],
        );
    }

    #[test]
    fn what_it_says_of_its_files() {
        let tree = |tar: &[u8]| {
            let mut tree = String::new();
            let mut archive = tar::Archive::new(tar);
            let first = archive.entries().unwrap().next().unwrap().unwrap();
            GzDecoder::new(first).read_to_string(&mut tree).unwrap();
            tree
        };
        check(
            tree,
            expect![[r#"
                #mtree
                ./.PKGINFO time=1767323045.0 mode=644 uid=0 gid=0 size=359 type=file md5digest=f18266549e28e50877695164d5f3229f sha256digest=6d3ad2a1ca5cf34adcf750642ced17593babaf8d2bfbce454425a2deae082bf3
                ./.INSTALL time=1767323045.0 mode=644 uid=0 gid=0 size=115 type=file md5digest=131cb30ac38fd34c6e6181f86244571d sha256digest=3515ff422417d7a79f4285f1a8eed8ab097d3f0d196a87803bc8996e270591b2
                ./etc time=1767323045.0 mode=755 uid=0 gid=0 type=dir
                ./etc/hello time=1767323045.0 mode=755 uid=0 gid=0 type=dir
                ./etc/hello/hello.conf time=1767323045.0 mode=640 uid=0 gid=0 size=6 type=file md5digest=9358f2568f3316fe7e78a4fa7707c414 sha256digest=cb78bd8a17f7b751fe0d4663366dcbc257204033ef7ddd64b1f2969573b5b2e2
                ./etc/hello/kept.conf time=1767323045.0 mode=644 uid=0 gid=0 size=6 type=file md5digest=9358f2568f3316fe7e78a4fa7707c414 sha256digest=cb78bd8a17f7b751fe0d4663366dcbc257204033ef7ddd64b1f2969573b5b2e2
                ./opt time=1767323045.0 mode=755 uid=0 gid=0 type=dir
                ./opt/hello time=1767323045.0 mode=755 uid=0 gid=0 type=dir
                ./opt/hello/docs time=1767323045.0 mode=755 uid=0 gid=0 type=dir
                ./opt/hello/docs/a.md time=1767323045.0 mode=644 uid=0 gid=0 size=4 type=file md5digest=6e980849a5f14634773f0b41cff2183c sha256digest=fd99dedae7c3f7532f8a65d60f811a05dc9dc3e1c5936b0c554c98aafdad8c10
                ./opt/hello/docs/link.md time=1767323045.0 mode=777 uid=0 gid=0 type=link link=a.md
                ./opt/hello/docs/more time=1767323045.0 mode=755 uid=0 gid=0 type=dir
                ./opt/hello/docs/more/b.md time=1767323045.0 mode=644 uid=0 gid=0 size=4 type=file md5digest=98f28f51a49393f82505007a42573d8e sha256digest=d872451e4b3cda63d8cd50d1ea4bd9af3fbe0e8255bd3f9a6a16c84fcae54f7f
                ./usr time=1767323045.0 mode=755 uid=0 gid=0 type=dir
                ./usr/bin time=1767323045.0 mode=755 uid=0 gid=0 type=dir
                ./usr/bin/hello time=1767323045.0 mode=755 uid=0 gid=0 size=23 type=file md5digest=8c44a372f4c4977b701d65ee7f7c68d6 sha256digest=18e1d2ef00cefbe708061baad55d3ecb9c1c3b7a180d39b493360d91611b9166
                ./usr/bin/hi time=1767323045.0 mode=777 uid=0 gid=0 type=link link=hello
                ./usr/libexec time=1767323045.0 mode=755 uid=0 gid=0 type=dir
                ./usr/libexec/hello time=1767323045.0 mode=755 uid=0 gid=0 type=dir
                ./usr/libexec/hello/run-amd64 time=981173106.0 mode=755 uid=0 gid=0 size=17 type=file md5digest=33e4fd94e2560e008e2c3b431d0e3419 sha256digest=306c6ca7407560340797866e077e053627ad409277d1b9da58106fce4cf717cb
                ./usr/share time=1767323045.0 mode=755 uid=0 gid=0 type=dir
                ./usr/share/doc time=1767323045.0 mode=755 uid=0 gid=0 type=dir
                ./usr/share/doc/hello time=1767323045.0 mode=755 uid=0 gid=0 type=dir
                ./usr/share/doc/hello/a.md time=1767323045.0 mode=644 uid=0 gid=0 size=4 type=file md5digest=6e980849a5f14634773f0b41cff2183c sha256digest=fd99dedae7c3f7532f8a65d60f811a05dc9dc3e1c5936b0c554c98aafdad8c10
                ./usr/share/doc/hello/link.md time=1767323045.0 mode=777 uid=0 gid=0 type=link link=a.md
                ./usr/share/doc/hello/more time=1767323045.0 mode=755 uid=0 gid=0 type=dir
                ./usr/share/doc/hello/more/b.md time=1767323045.0 mode=644 uid=0 gid=0 size=4 type=file md5digest=98f28f51a49393f82505007a42573d8e sha256digest=d872451e4b3cda63d8cd50d1ea4bd9af3fbe0e8255bd3f9a6a16c84fcae54f7f
                ./usr/share/licenses time=1767323045.0 mode=755 uid=0 gid=0 type=dir
                ./usr/share/licenses/hello time=1767323045.0 mode=755 uid=0 gid=0 type=dir
                ./usr/share/licenses/hello/LICENSE time=1767323045.0 mode=644 uid=0 gid=0 size=6 type=file md5digest=9358f2568f3316fe7e78a4fa7707c414 sha256digest=cb78bd8a17f7b751fe0d4663366dcbc257204033ef7ddd64b1f2969573b5b2e2
                ./var time=1767323045.0 mode=755 uid=0 gid=0 type=dir
                ./var/lib time=1767323045.0 mode=755 uid=0 gid=0 type=dir
                ./var/lib/hello time=1767323045.0 mode=750 uid=0 gid=0 type=dir
            "#]],
        );
    }

    #[test]
    fn paths_in_a_tree() {
        assert_eq!(escaped("usr/share/a b#c\\d=é"), "usr/share/a\\040b\\043c\\134d\\075\\303\\251");
    }

    #[test]
    fn what_arch_does_not_let_pass() {
        check_plan(
            json!({
                "formats": ["archlinux"], "package": ".hello", "version": "1:2", "release": "a",
                "dependencies": ["a: b"], "suggests": ["git: to fetch", "a\nb: c"],
            }),
            expect![[r#"
                package: `.hello` can't be the name of a package in archlinux
                    it is made of letters, digits, `@`, `.`, `_`, `+` and `-`, and begins with none of `-` and `.`; say another with `package`
                version: `1:2` can't be in the version of archlinux packages
                    letters, digits and `.` `_` `+` can; write `version` in `overrides.archlinux`
                dependencies[0]: archlinux can't say `a: b` of packages
                    write `name` or `name >= 1.2`
                suggests[1]: archlinux can't say `a\nb: c` of packages
                    write `name` or `name >= 1.2`
            "#]],
        );
        check_plan(
            json!({ "formats": ["archlinux"], "release": "1.1", "version": "1.2.3-rc.1+x", "epoch": 2 }),
            expect![[r#"
            linux/amd64/archlinux: hello-1.2.3rc.1-1.1-x86_64.pkg.tar.zst
        "#]],
        );
        check_plan(
            json!({ "formats": ["archlinux"], "release": "x" }),
            expect![[r#"
            release: `x` can't be in the version of archlinux packages
                it is a number; write `release` in `overrides.archlinux`
        "#]],
        );
    }
}
