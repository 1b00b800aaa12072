//! Packages of Debian: an ar of `debian-binary`, a tar about the package, a tar of its files, and perhaps a signature (deb(5)).
//! Does not know the keys of the table.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use forge_plugin::Host;
use forge_plugin::schemas::{Failure, Problem};
use md5::{Digest as _, Md5};

use super::about::{About, Relates};
use super::format::{BadVersion, Format, Naming, Signing, check_parts};
use super::parcel::{Item, Parcel, Script, Signer, What};
use super::platforms::Machine;
use super::relation::{Comparison, Relation};
use super::signing;
use super::tarball::{Dialect, Note, Tarball, failure, gzip, hex};
use super::version::{Spelled, Version};

/// The format.
pub struct Deb;

const VERSION: &[u8] = b"2.0\n";

impl Format for Deb {
    fn name(&self) -> &'static str {
        "deb"
    }

    fn extension(&self) -> &'static str {
        ".deb"
    }

    fn machine(&self, machine: &Machine) -> &'static str {
        machine.deb
    }

    /// Debian Policy, 5.6.1.
    fn naming(&self) -> Naming {
        let rule =
            "it is made of two or more of `a` to `z`, digits, `+`, `-` and `.`, and begins with a letter or digit";
        Naming { fits: is_name, rule }
    }

    /// Debian Policy, 5.6.12. A `~` sorts before the end.
    fn spell(&self, version: &Version) -> Result<Spelled, BadVersion> {
        check_parts(version, ".+~-", ".+~", "deb")?;
        if !version.number.starts_with(|it: char| it.is_ascii_digit()) || version.prerelease.ends_with('-') {
            let help = "it begins with a digit, and ends with none of `-`; write `version` in `overrides.deb`";
            return Err(BadVersion::new("version", &version.number, "deb", help));
        }
        let spelled = version.joined("~", "+");
        let release = version.release.clone().unwrap_or_default();
        Ok(Spelled { version: spelled, release, epoch: version.epoch })
    }

    fn title(&self, about: &About) -> String {
        format!("{}_{}_{}", about.package, about.version.with_release(), about.machine)
    }

    fn relation(&self, _: Relates, text: &str) -> Result<Option<String>, String> {
        let alternatives: Option<Vec<String>> = text.split('|').map(alternative).collect();
        let help = "write `name` or `name >= 1.2`, or several with `|` between them";
        alternatives.map(|it| Some(it.join(" | "))).ok_or_else(|| help.to_owned())
    }

    fn check(&self, about: &About) -> Vec<Problem> {
        let problem = Problem::at_key("maintainer", "a deb must say who answers for it");
        let help = "add `maintainer = \"Ada <ada@example.org>\"`";
        if about.maintainer.is_some() { Vec::new() } else { vec![problem.help(help)] }
    }

    fn signing(&self) -> Signing {
        Signing::Gpg
    }

    fn write(&self, parcel: &Parcel<'_>, path: &Path, host: &dyn Host) -> Result<(), Failure> {
        let data = host.dir().join("data.tar.gz");
        let sums = write_data(parcel, &data)?;
        let control = control(parcel, &sums)?;
        let written = || -> io::Result<()> {
            let mut archive = BufWriter::new(File::create(path)?);
            archive.write_all(b"!<arch>\n")?;
            member(&mut archive, "debian-binary", VERSION, parcel.time)?;
            member(&mut archive, "control.tar.gz", &control, parcel.time)?;
            member_of_file(&mut archive, "data.tar.gz", &data, parcel.time)?;
            archive.flush()
        };
        written().map_err(|error| Failure::file("write", path, &error))?;
        match parcel.signer {
            Some(Signer::Gpg { key }) => sign(key, &[VERSION, &control], &data, (path, parcel.time), host),
            _ => Ok(()),
        }
    }
}

fn is_name(name: &str) -> bool {
    let fits = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit();
    name.len() > 1 && name.starts_with(fits) && name.chars().all(|it| fits(it) || "+-.".contains(it))
}

/// `zlib1g (>= 1.2) [amd64]`.
fn alternative(text: &str) -> Option<String> {
    let (text, machines) = match text.split_once('[') {
        Some((text, machines)) => (text, Some(machines.trim().strip_suffix(']')?)),
        None => (text, None),
    };
    let Relation { name, range } = Relation::parse(text)?;
    let sign = |it: Comparison| match it {
        Comparison::Less => "<<",
        Comparison::Greater => ">>",
        other => other.sign(),
    };
    let mut spelled = name.to_owned();
    if let Some((comparison, version)) = range {
        let _ = write!(spelled, " ({} {version})", sign(comparison));
    }
    if let Some(machines) = machines {
        let fits = |it: char| it.is_ascii_alphanumeric() || "!- ".contains(it);
        machines.chars().all(fits).then_some(())?;
        let _ = write!(spelled, " [{machines}]");
    }
    Some(spelled)
}

/// The files, and what each of them hashes to, as `md5sum` tells it.
fn write_data(parcel: &Parcel<'_>, path: &Path) -> Result<String, Failure> {
    let file = File::create(path).map_err(|error| Failure::file("write", path, &error))?;
    let mut tar = Tarball::new(gzip(BufWriter::new(file)), Dialect::Gnu);
    let mut sums = String::new();
    for item in &parcel.items {
        let mut md5 = Md5::new();
        tar.put(item, |bytes| md5.update(bytes))?;
        if matches!(item.what, What::File { .. }) {
            let _ = writeln!(sums, "{}  {}", hex(&md5.finalize()), item.path);
        }
    }
    tar.finish()?.finish().and_then(|mut file| file.flush()).map_err(failure)?;
    Ok(sums)
}

fn control(parcel: &Parcel<'_>, sums: &str) -> Result<Vec<u8>, Failure> {
    let mut tar = Tarball::new(gzip(Vec::new()), Dialect::Gnu);
    let mut put = |path: &str, mode: u32, bytes: &[u8]| match bytes.is_empty() {
        true => Ok(()),
        false => tar.note(&Note { path, mode, time: parcel.time, bytes }),
    };
    put("control", 0o644, fields(parcel).as_bytes())?;
    put("md5sums", 0o644, sums.as_bytes())?;
    let conffiles = parcel.items.iter().filter(|it| it.is_config()).map(|it| format!("/{}\n", it.path));
    put("conffiles", 0o644, conffiles.collect::<String>().as_bytes())?;
    for (script, bytes) in &parcel.scripts {
        match script {
            Script::PreInstall => put("preinst", 0o755, bytes)?,
            Script::PostInstall => put("postinst", 0o755, bytes)?,
            Script::PreRemove => put("prerm", 0o755, bytes)?,
            Script::PostRemove => put("postrm", 0o755, bytes)?,
            // dpkg runs those of installing.
            Script::PreUpgrade | Script::PostUpgrade => {}
        }
    }
    tar.finish()?.finish().map_err(failure)
}

/// deb-control(5).
fn fields(parcel: &Parcel<'_>) -> String {
    let about = parcel.about;
    let mut fields = String::new();
    let mut put = |name: &str, value: Option<&str>| {
        if let Some(value) = value.filter(|it| !it.is_empty()) {
            let _ = writeln!(fields, "{name}: {value}");
        }
    };
    put("Package", Some(&about.package));
    put("Version", Some(&about.version.whole()));
    put("Section", about.section.as_deref());
    put("Priority", Some(about.priority.as_deref().unwrap_or("optional")));
    put("Architecture", Some(&about.machine));
    put("Maintainer", about.maintainer.as_deref());
    put("Installed-Size", Some(&parcel.items.iter().map(kibibytes).sum::<u64>().to_string()));
    for which in Relates::ALL {
        put(field(which), Some(&about.related(which).join(", ")));
    }
    put("Homepage", about.homepage.as_deref());
    put("Description", Some(&description(&about.description)));
    fields
}

fn field(which: Relates) -> &'static str {
    match which {
        Relates::Dependencies => "Depends",
        Relates::Recommends => "Recommends",
        Relates::Suggests => "Suggests",
        Relates::Conflicts => "Conflicts",
        Relates::Replaces => "Replaces",
        Relates::Provides => "Provides",
    }
}

/// As Debian counts (deb-substvars(5)): a file in whole KiB, and one for anything else.
fn kibibytes(item: &Item) -> u64 {
    match item.what {
        What::File { size, .. } => size.div_ceil(1024),
        What::Ghost => 0,
        _ => 1,
    }
}

/// The first line, and the others behind a blank; an empty one is a point (Debian Policy, 5.6.13).
fn description(text: &str) -> String {
    let lines = text.trim().lines().enumerate().map(|(at, line)| match (at, line.trim_end()) {
        (0, line) => line.to_owned(),
        (_, "") => "\n .".to_owned(),
        (_, line) => format!("\n {line}"),
    });
    lines.collect()
}

fn member(archive: &mut impl io::Write, name: &str, bytes: &[u8], time: u64) -> io::Result<()> {
    head(archive, name, bytes.len() as u64, time)?;
    archive.write_all(bytes)?;
    pad(archive, bytes.len() as u64)
}

fn member_of_file(archive: &mut impl io::Write, name: &str, path: &Path, time: u64) -> io::Result<()> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    head(archive, name, size, time)?;
    io::copy(&mut file, archive)?;
    pad(archive, size)
}

/// Of a member of an ar: name, time, owner, group, permissions and size, each at its column (deb(5)).
fn head(archive: &mut impl io::Write, name: &str, size: u64, time: u64) -> io::Result<()> {
    writeln!(archive, "{name:<16}{time:<12}{:<6}{:<6}{:<8}{size:<10}`", 0, 0, "100644")
}

/// Members begin at even places.
fn pad(archive: &mut impl io::Write, size: u64) -> io::Result<()> {
    if size % 2 == 1 { archive.write_all(b"\n") } else { Ok(()) }
}

/// Appends a signature of the members before it, as debsigs does.
fn sign(key: &str, parts: &[&[u8]], data: &Path, (path, time): (&Path, u64), host: &dyn Host) -> Result<(), Failure> {
    let signed = host.dir().join("signed");
    let gathered = || -> io::Result<()> {
        let mut all = File::create(&signed)?;
        parts.iter().try_for_each(|part| all.write_all(part))?;
        io::copy(&mut File::open(data)?, &mut all).map(drop)
    };
    gathered().map_err(|error| Failure::file("write", &signed, &error))?;
    let signature: PathBuf = signing::gpg(key, &signed, time, host)?;
    let appended = || -> io::Result<()> {
        let mut archive = fs::OpenOptions::new().append(true).open(path)?;
        member_of_file(&mut archive, "_gpgorigin", &signature, time)
    };
    appended().map_err(|error| Failure::file("write", path, &error))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use flate2::read::GzDecoder;
    use forge_plugin::Host as _;
    use serde_json::{Value, json};

    use crate::package::checks::{bytes, check_plan, host, listing, made, one_of_each};

    /// What is in a package.
    fn check(keys: Value, expect: Expect) {
        let package = bytes(keys);
        let mut rest = package.strip_prefix(b"!<arch>\n").unwrap();
        let mut shown = String::new();
        while let Some((head, behind)) = rest.split_at_checked(60) {
            let head = std::str::from_utf8(head).unwrap();
            let (name, size) = (head[..16].trim(), head[48..58].trim().parse::<usize>().unwrap());
            let (content, behind) = behind.split_at(size);
            shown += &format!("{name} {}\n", &head[16..48]);
            if name.ends_with(".gz") {
                let shows = ["./control", "./md5sums", "./conffiles"];
                listing(GzDecoder::new(content), &shows).lines().for_each(|line| shown += &format!("  {line}\n"));
            }
            rest = &behind[size % 2..];
        }
        assert!(rest.is_empty());
        expect.assert_eq(&shown);
    }

    #[test]
    fn all_of_a_package() {
        check(
            one_of_each("deb"),
            expect![[r#"
                debian-binary 1767323045  0     0     100644  
                control.tar.gz 1767323045  0     0     100644  
                  644 root:root 1767323045 325 ./control
                      Package: hello
                      Version: 1.2.3
                      Section: utils
                      Priority: optional
                      Architecture: amd64
                      Maintainer: Ada <ada@example.org>
                      Installed-Size: 31
                      Depends: zlib (>= 1.2), git
                      Recommends: less
                      Conflicts: hallo
                      Replaces: hallo (<< 1)
                      Provides: greeter (= 1.2.3)
                      Homepage: https://example.org
                      Description: Says hello
                       .
                       And little else.
                  644 root:root 1767323045 522 ./md5sums
                      9358f2568f3316fe7e78a4fa7707c414  etc/hello/hello.conf
                      9358f2568f3316fe7e78a4fa7707c414  etc/hello/kept.conf
                      6e980849a5f14634773f0b41cff2183c  opt/hello/docs/a.md
                      98f28f51a49393f82505007a42573d8e  opt/hello/docs/more/b.md
                      8c44a372f4c4977b701d65ee7f7c68d6  usr/bin/hello
                      33e4fd94e2560e008e2c3b431d0e3419  usr/libexec/hello/run-amd64
                      6e980849a5f14634773f0b41cff2183c  usr/share/doc/hello/a.md
                      98f28f51a49393f82505007a42573d8e  usr/share/doc/hello/more/b.md
                      9358f2568f3316fe7e78a4fa7707c414  usr/share/licenses/hello/LICENSE
                  644 root:root 1767323045 43 ./conffiles
                      /etc/hello/hello.conf
                      /etc/hello/kept.conf
                  755 root:root 1767323045 17 ./postinst
                  755 root:root 1767323045 17 ./prerm
                data.tar.gz 1767323045  0     0     100644  
                  755 root:root 1767323045 0 ./etc/
                  755 root:root 1767323045 0 ./etc/hello/
                  640 root:adm 1767323045 6 ./etc/hello/hello.conf
                  644 root:root 1767323045 6 ./etc/hello/kept.conf
                  755 root:root 1767323045 0 ./opt/
                  755 root:root 1767323045 0 ./opt/hello/
                  755 ada:root 1767323045 0 ./opt/hello/docs/
                  644 ada:root 1767323045 4 ./opt/hello/docs/a.md
                  777 ada:root 1767323045 0 ./opt/hello/docs/link.md -> a.md
                  755 ada:root 1767323045 0 ./opt/hello/docs/more/
                  644 ada:root 1767323045 4 ./opt/hello/docs/more/b.md
                  755 root:root 1767323045 0 ./usr/
                  755 root:root 1767323045 0 ./usr/bin/
                  755 root:root 1767323045 23 ./usr/bin/hello
                  777 root:root 1767323045 0 ./usr/bin/hi -> hello
                  755 root:root 1767323045 0 ./usr/libexec/
                  755 root:root 1767323045 0 ./usr/libexec/hello/
                  755 root:root 981173106 17 ./usr/libexec/hello/run-amd64
                  755 root:root 1767323045 0 ./usr/share/
                  755 root:root 1767323045 0 ./usr/share/doc/
                  755 root:root 1767323045 0 ./usr/share/doc/hello/
                  644 root:root 1767323045 4 ./usr/share/doc/hello/a.md
                  777 root:root 1767323045 0 ./usr/share/doc/hello/link.md -> a.md
                  755 root:root 1767323045 0 ./usr/share/doc/hello/more/
                  644 root:root 1767323045 4 ./usr/share/doc/hello/more/b.md
                  755 root:root 1767323045 0 ./usr/share/licenses/
                  755 root:root 1767323045 0 ./usr/share/licenses/hello/
                  644 root:root 1767323045 6 ./usr/share/licenses/hello/LICENSE
                  755 root:root 1767323045 0 ./var/
                  755 root:root 1767323045 0 ./var/lib/
                  750 root:root 1767323045 0 ./var/lib/hello/
            "#]],
        );
    }

    #[test]
    fn a_package_for_every_machine() {
        check(
            json!({ "formats": ["deb"], "ids": [], "platforms": null, "package": "hello-doc" }),
            expect![[r#"
            debian-binary 1767323045  0     0     100644  
            control.tar.gz 1767323045  0     0     100644  
              644 root:root 1767323045 168 ./control
                  Package: hello-doc
                  Version: 1.2.3
                  Priority: optional
                  Architecture: all
                  Maintainer: Ada <ada@example.org>
                  Installed-Size: 0
                  Description: Says hello
                   .
                   And little else.
            data.tar.gz 1767323045  0     0     100644  
        "#]],
        );
    }

    #[test]
    fn a_signature() {
        let mut host = host();
        let keys = json!({ "formats": ["deb"], "signature": { "gpg": "ada@example.org" } });
        let made = made(keys, &mut host).unwrap();
        let bytes = std::fs::read(&made[0].path).unwrap();
        let end = String::from_utf8_lossy(&bytes[bytes.len() - 70..]).into_owned();
        expect![[r#"
            _gpgorigin      1767323045  0     0     100644  9         `
            signature
        "#]]
        .assert_eq(&end);
        let argv = host.record().commands[1].argv.join(" ");
        expect!["gpg --batch --yes --no-tty --faked-system-time 1767323045! --status-fd 1 --local-user ada@example.org --output DIR/signed.sig --detach-sign DIR/signed"].assert_eq(&argv.replace(&host.dir().display().to_string(), "DIR"));
    }

    #[test]
    fn what_debian_does_not_let_pass() {
        check_plan(
            json!({
                "formats": ["deb"], "package": "Hello", "version": "x", "maintainer": null,
                "dependencies": ["a | b (>= 1) [amd64 arm64]", "a b", "a >> 1", "", "(a or b)", "a [b\nC: d]"],
            }),
            expect![[r#"
                package: `Hello` can't be the name of a package in deb
                    it is made of two or more of `a` to `z`, digits, `+`, `-` and `.`, and begins with a letter or digit; say another with `package`
                version: `x` can't be in the version of deb packages
                    it begins with a digit, and ends with none of `-`; write `version` in `overrides.deb`
                dependencies[1]: deb can't say `a b` of packages
                    write `name` or `name >= 1.2`, or several with `|` between them
                dependencies[3]: deb can't say `` of packages
                    write `name` or `name >= 1.2`, or several with `|` between them
                dependencies[4]: deb can't say `(a or b)` of packages
                    write `name` or `name >= 1.2`, or several with `|` between them
                dependencies[5]: deb can't say `a [b\nC: d]` of packages
                    write `name` or `name >= 1.2`, or several with `|` between them
            "#]],
        );
    }
}
