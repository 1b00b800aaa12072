//! Packages of Alpine Linux: a signature, a tar about the package and a tar of its files, each a gzip member. How they are read is `crate::apk`.
//! Does not know the keys of the table.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

use forge_plugin::Host;
use forge_plugin::schemas::{Digester, Failure};
use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, digest};

use super::about::{About, Relates};
use super::format::{BadVersion, Format, Naming, Signing, check_parts};
use super::parcel::{Item, Parcel, Script, Signer, What};
use super::platforms::Machine;
use super::relation::Relation;
use super::signing;
use super::tarball::{Dialect, Note, Tarball, failure, gzip, hex};
use super::version::{Spelled, Version};
use crate::apk::version;

/// The format.
pub struct Apk;

/// What abuild-tar has in the header of each file.
const CHECKSUM: &str = "APK-TOOLS.checksum.SHA1";
/// What a tar ends with.
const END: usize = 1024;

impl Format for Apk {
    fn name(&self) -> &'static str {
        "apk"
    }

    fn extension(&self) -> &'static str {
        ".apk"
    }

    fn machine(&self, machine: &Machine) -> &'static str {
        machine.apk
    }

    fn naming(&self) -> Naming {
        Naming::OF_WORDS
    }

    fn spell(&self, version: &Version) -> Result<Spelled, BadVersion> {
        check_parts(version, "._+-", ".", "apk")?;
        let prerelease = prerelease(version)?;
        let metadata = metadata(version)?;
        let release = release(version)?;
        let spelled = format!("{}{prerelease}{metadata}", version.number);
        if !version.number.starts_with(|it: char| it.is_ascii_digit()) || !version::is_valid(&spelled) {
            let help = "write numbers with points between them, as in `1.2.3`, as `version` in `overrides.apk`";
            return Err(BadVersion::new("version", &version.number, "apk", help));
        }
        match version.epoch {
            Some(epoch) => Err(BadVersion::new(
                "epoch",
                &epoch.to_string(),
                "apk",
                "apk has no epochs; write it in `overrides` \
                 of the other formats",
            )),
            None => Ok(Spelled { version: spelled, release, epoch: None }),
        }
    }

    fn title(&self, about: &About) -> String {
        format!("{}_{}_{}", about.package, about.version.with_release(), about.machine)
    }

    /// A conflict is a dependency on its absence.
    fn relation(&self, which: Relates, text: &str) -> Result<Option<String>, String> {
        let (absent, name) = match (which, text.strip_prefix('!')) {
            (Relates::Recommends | Relates::Suggests, _) => return Ok(None),
            (Relates::Conflicts, None) => ("!", text),
            (Relates::Dependencies, Some(rest)) => ("!", rest),
            (_, Some(_)) => return Err("leave the `!` out".to_owned()),
            (_, None) => ("", text),
        };
        let relation =
            Relation::parse(name).filter(|it| it.range.is_none_or(|(_, version)| version::is_valid(version)));
        let help = "write `name` or `name >= 1.2`, with a version as apk has them";
        relation.map(|it| Some(format!("{absent}{}", it.tight()))).ok_or_else(|| help.to_owned())
    }

    fn signing(&self) -> Signing {
        Signing::Rsa
    }

    fn write(&self, parcel: &Parcel<'_>, path: &Path, host: &dyn Host) -> Result<(), Failure> {
        let data = host.dir().join("data.tar.gz");
        write_data(parcel, &data)?;
        let control = control(parcel, &hash(&data)?)?;
        let signature = match parcel.signer {
            Some(Signer::Rsa { secret, name }) => {
                segment(&[(format!(".SIGN.RSA256.{name}"), 0o644, signing::rsa(secret, &control, host)?)], parcel.time)?
            }
            _ => Vec::new(),
        };
        let written = || -> io::Result<()> {
            let mut file = BufWriter::new(File::create(path)?);
            file.write_all(&signature)?;
            file.write_all(&control)?;
            io::copy(&mut File::open(&data)?, &mut file)?;
            file.flush()
        };
        written().map_err(|error| Failure::file("write", path, &error))
    }
}

/// `rc.1` as `_rc1`: what comes before a version is one of four words, and a number.
fn prerelease(version: &Version) -> Result<String, BadVersion> {
    if let Some(snapshot) = version.snapshot {
        return Ok(format!("_alpha{snapshot}"));
    }
    let text = &version.prerelease;
    if text.is_empty() {
        return Ok(String::new());
    }
    let end = text.find(|it: char| !it.is_ascii_alphabetic()).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let number = rest.strip_prefix(['.', '-']).unwrap_or(rest);
    let is_known = ["alpha", "beta", "pre", "rc"].contains(&word);
    let is_number = number.chars().all(|it| it.is_ascii_digit()) && (rest.is_empty() || !number.is_empty());
    match is_known && is_number {
        true => Ok(format!("_{word}{number}")),
        false => {
            let help = "`alpha`, `beta`, `pre` and `rc` can, with a number; write `prerelease` in `overrides.apk`";
            Err(BadVersion::new("prerelease", text, "apk", help))
        }
    }
}

/// `git5` as `_git5`, and `5` as `_p5`: what comes behind a version is one of five words, and a number.
fn metadata(version: &Version) -> Result<String, BadVersion> {
    let text = &version.metadata;
    let end = text.find(|it: char| it.is_ascii_digit()).unwrap_or(text.len());
    let (word, number) = text.split_at(end);
    let word = if word.is_empty() { "p" } else { word.trim_end_matches(['.', '-']) };
    match (
        text.is_empty(),
        ["cvs", "svn", "git", "hg", "p"].contains(&word) && number.chars().all(|it| it.is_ascii_digit()),
    ) {
        (true, _) => Ok(String::new()),
        (_, true) => Ok(format!("_{word}{number}")),
        (_, false) => {
            let help = "`git`, `hg`, `svn`, `cvs` and `p` can, with a number; write `version_metadata = \"\"` in `overrides.apk`";
            Err(BadVersion::new("version_metadata", text, "apk", help))
        }
    }
}

fn release(version: &Version) -> Result<String, BadVersion> {
    let Some(release) = &version.release else { return Ok(String::new()) };
    let number = release.strip_prefix('r').unwrap_or(release);
    match !number.is_empty() && number.chars().all(|it| it.is_ascii_digit()) {
        true => Ok(format!("r{number}")),
        false => Err(BadVersion::new("release", release, "apk", "it is a number; write `release` in `overrides.apk`")),
    }
}

/// The files, each behind the checksum of its content, and links behind that of where they lead.
fn write_data(parcel: &Parcel<'_>, path: &Path) -> Result<(), Failure> {
    let file = File::create(path).map_err(|error| Failure::file("write", path, &error))?;
    let mut tar = Tarball::new(gzip(BufWriter::new(file)), Dialect::Pax);
    for item in &parcel.items {
        tar.put_with(item, checksum(item)?.map(|it| (CHECKSUM, it)).into_iter().collect(), |_| {})?;
    }
    tar.finish()?.finish().and_then(|mut file| file.flush()).map_err(failure)
}

fn checksum(item: &Item) -> Result<Option<String>, Failure> {
    let sum = match &item.what {
        What::File { from, .. } => sha1_of_file(from).map_err(|error| Failure::file("read", from, &error))?,
        What::Link { to } => digest(&SHA1_FOR_LEGACY_USE_ONLY, to.as_bytes()),
        _ => return Ok(None),
    };
    Ok(Some(hex(sum.as_ref())))
}

fn sha1_of_file(path: &Path) -> io::Result<ring::digest::Digest> {
    let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    let mut file = BufReader::new(File::open(path)?);
    let mut chunk = vec![0; 1 << 16];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(context.finish()),
            count => context.update(&chunk[..count]),
        }
    }
}

fn hash(path: &Path) -> Result<String, Failure> {
    let hashed = || -> io::Result<String> {
        let mut digester = Digester::default();
        io::copy(&mut File::open(path)?, &mut digester)?;
        Ok(digester.finish().0.hex())
    };
    hashed().map_err(|error| Failure::file("read", path, &error))
}

fn control(parcel: &Parcel<'_>, hash: &str) -> Result<Vec<u8>, Failure> {
    let mut files = vec![(".PKGINFO".to_owned(), 0o644, info(parcel, hash).into_bytes())];
    for (script, bytes) in &parcel.scripts {
        let name = match script {
            Script::PreInstall => ".pre-install",
            Script::PostInstall => ".post-install",
            Script::PreRemove => ".pre-deinstall",
            Script::PostRemove => ".post-deinstall",
            Script::PreUpgrade => ".pre-upgrade",
            Script::PostUpgrade => ".post-upgrade",
        };
        files.push((name.to_owned(), 0o755, bytes.clone()));
    }
    segment(&files, parcel.time)
}

/// A tar without its end, so that the next one goes on with it.
fn segment(files: &[(String, u32, Vec<u8>)], time: u64) -> Result<Vec<u8>, Failure> {
    let mut tar = Tarball::new(Vec::new(), Dialect::Pax);
    for (path, mode, bytes) in files {
        tar.note(&Note { path, mode: *mode, time, bytes })?;
    }
    let mut bytes = tar.finish()?;
    bytes.truncate(bytes.len().saturating_sub(END));
    let mut packed = gzip(Vec::new());
    packed.write_all(&bytes).and_then(|()| packed.finish()).map_err(failure)
}

/// As abuild writes it.
fn info(parcel: &Parcel<'_>, hash: &str) -> String {
    let about = parcel.about;
    let mut info = String::new();
    let mut put = |name: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(info, "{name} = {value}");
        }
    };
    put("pkgname", &about.package);
    put("pkgver", &about.version.with_release());
    // A line is all that it can have.
    put("pkgdesc", about.summary());
    put("url", about.homepage.as_deref().unwrap_or_default());
    put("builddate", &parcel.time.to_string());
    put("size", &parcel.size().to_string());
    put("arch", &about.machine);
    put("origin", &about.package);
    put("maintainer", about.maintainer.as_deref().unwrap_or_default());
    put("license", about.license.as_deref().unwrap_or_default());
    let related = [
        ("depend", Relates::Dependencies),
        ("depend", Relates::Conflicts),
        ("replaces", Relates::Replaces),
        ("provides", Relates::Provides),
    ];
    for (name, which) in related {
        about.related(which).iter().for_each(|it| put(name, it));
    }
    put("datahash", hash);
    info
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use flate2::bufread::{GzDecoder, MultiGzDecoder};
    use forge_plugin::testing::FakeHost;
    use serde_json::{Value, json};

    use crate::apk::archive::Archive;
    use crate::apk::signature;
    use crate::package::checks::{bytes, check_plan, host, listing, made, one_of_each};

    /// What is in a package, as its reader finds it.
    fn check(keys: Value, expect: Expect) {
        let package = bytes(keys);
        let mut control = GzDecoder::new(package.as_slice());
        let mut shown = listing(&mut control, &[".PKGINFO"]);
        let rest = control.into_inner();
        let sum = signature::checksum(&package[..package.len() - rest.len()]);
        shown += &listing(MultiGzDecoder::new(rest), &[]);
        expect.assert_eq(&shown);
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("it.apk");
        std::fs::write(&path, &package).unwrap();
        let read = Archive::open(&path, &sum, &place.path().join("tar")).unwrap();
        assert_eq!(
            read.entries.len() + read.scripts.len() + 1,
            shown.lines().filter(|it| !it.starts_with(' ')).count()
        );
    }

    #[test]
    fn all_of_a_package() {
        check(
            one_of_each("apk"),
            expect![[r#"
                644 root:root 1767323045 357 .PKGINFO
                    pkgname = hello
                    pkgver = 1.2.3
                    pkgdesc = Says hello
                    url = https://example.org
                    builddate = 1767323045
                    size = 74
                    arch = x86_64
                    origin = hello
                    maintainer = Ada <ada@example.org>
                    license = MIT
                    depend = zlib>=1.2
                    depend = git
                    depend = !hallo
                    replaces = hallo<1
                    provides = greeter=1.2.3
                    datahash = 3c3bc60f6ed679c38641527c1384e1eee80e0aadffceb362eb7cafd1bd8f4d8b
                755 root:root 1767323045 17 .post-install
                755 root:root 1767323045 17 .pre-deinstall
                755 root:root 1767323045 17 .post-upgrade
                755 root:root 1767323045 0 etc/
                755 root:root 1767323045 0 etc/hello/
                640 root:adm 1767323045 6 etc/hello/hello.conf
                644 root:root 1767323045 6 etc/hello/kept.conf
                755 root:root 1767323045 0 opt/
                755 root:root 1767323045 0 opt/hello/
                755 ada:root 1767323045 0 opt/hello/docs/
                644 ada:root 1767323045 4 opt/hello/docs/a.md
                777 ada:root 1767323045 0 opt/hello/docs/link.md -> a.md
                755 ada:root 1767323045 0 opt/hello/docs/more/
                644 ada:root 1767323045 4 opt/hello/docs/more/b.md
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
    fn a_secret_that_is_no_key() {
        let keys = json!({ "formats": ["apk"], "signature": { "rsa": "key" } });
        let failed = |host: FakeHost| made(keys.clone(), &mut { host }).unwrap_err();
        expect![[r#"
            the table does not reveal a secret `key`
        "#]]
        .assert_eq(&failed(host()));
        let text = "-----BEGIN PRIVATE KEY-----\nbm9uZQ==\n-----END PRIVATE KEY-----\n";
        expect![[r#"
            the secret `key` is not an RSA key of 2048 to 4096 bits, as PEM
                make one with `openssl genrsa -out key.pem 4096`
        "#]]
        .assert_eq(&failed(host().with_secret("key", text)));
    }

    #[test]
    fn what_alpine_does_not_let_pass() {
        check_plan(
            json!({
                "formats": ["apk"], "package": "-hello", "version": "1.2.3-dev.1+abc", "release": "a",
                "dependencies": ["a | b", "a>=1.x", "!b", "so:libc.so.6"], "provides": ["!c"], "recommends": ["what ever"],
            }),
            expect![[r#"
                package: `-hello` can't be the name of a package in apk
                    it is made of letters, digits, `.`, `_`, `+` and `-`, and begins with a letter, digit or `_`; say another with `package`
                version: `dev.1` can't be in the version of apk packages
                    `alpha`, `beta`, `pre` and `rc` can, with a number; write `prerelease` in `overrides.apk`
                dependencies[0]: apk can't say `a | b` of packages
                    write `name` or `name >= 1.2`, with a version as apk has them
                provides[0]: apk can't say `!c` of packages
                    leave the `!` out
            "#]],
        );
        check_plan(
            json!({ "formats": ["apk"], "epoch": 1 }),
            expect![[r#"
            epoch: `1` can't be in the version of apk packages
                apk has no epochs; write it in `overrides` of the other formats
        "#]],
        );
        check_plan(
            json!({ "formats": ["apk"], "version": "1.2.3_alpha1", "release": "r4" }),
            expect![[r#"
            linux/amd64/apk: hello_1.2.3_alpha1-r4_x86_64.apk
        "#]],
        );
    }
}
