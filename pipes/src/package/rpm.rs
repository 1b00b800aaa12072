//! Packages of RPM: lead, signatures, header and a cpio of the files, as version 4 of the format has them. The library `rpm` writes them.
//! Does not know the keys of the table.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;

use ::rpm::{
    BuildConfig, CompressionWithLevel, Dependency, FileOptions, FileOptionsBuilder, Package, PackageBuilder, Scriptlet,
    Timestamp,
};
use forge_plugin::Host;
use forge_plugin::schemas::Failure;

use super::about::{About, Relates};
use super::format::{BadVersion, Format, Naming, Signing, check_parts};
use super::parcel::{Item, Mark, Parcel, Script, Signer, What};
use super::platforms::Machine;
use super::relation::{Comparison, Relation, range};
use super::signing;
use super::version::{Spelled, Version};

/// The format.
pub struct Rpm;

impl Format for Rpm {
    fn name(&self) -> &'static str {
        "rpm"
    }

    fn extension(&self) -> &'static str {
        ".rpm"
    }

    fn machine(&self, machine: &Machine) -> &'static str {
        machine.rpm
    }

    fn naming(&self) -> Naming {
        Naming::OF_WORDS
    }

    /// No `-`, since it separates name, version and release. A `~` sorts before the end.
    fn spell(&self, version: &Version) -> Result<Spelled, BadVersion> {
        let plain = |text: &str| text.replace('-', "_");
        let (prerelease, metadata) = (plain(&version.prerelease), plain(&version.metadata));
        let version = Version { prerelease, metadata, ..version.clone() };
        check_parts(&version, "._+~^", "._+~^", "rpm")?;
        if version.number.is_empty() {
            return Err(BadVersion::new("version", "", "rpm", "it has one character at least"));
        }
        let release = version.release.clone().unwrap_or_else(|| "1".to_owned());
        Ok(Spelled { version: version.joined("~", "+"), release, epoch: version.epoch })
    }

    fn title(&self, about: &About) -> String {
        format!("{}-{}.{}", about.package, about.version.with_release(), about.machine)
    }

    fn relation(&self, _: Relates, text: &str) -> Result<Option<String>, String> {
        let text = text.trim();
        let is_rich = text.starts_with('(') && text.ends_with(')') && !text.contains(char::is_control);
        if is_rich || split(text).is_some() {
            return Ok(Some(text.to_owned()));
        }
        Err("write `name` or `name >= 1.2`, or what rpm has in parentheses, as in `(a or b)`".to_owned())
    }

    fn has_ghosts(&self) -> bool {
        true
    }

    fn signing(&self) -> Signing {
        Signing::Rpmsign
    }

    fn write(&self, parcel: &Parcel<'_>, path: &Path, host: &dyn Host) -> Result<(), Failure> {
        let file = File::create(path).map_err(|error| Failure::file("write", path, &error))?;
        let mut file = BufWriter::new(file);
        build(parcel)?.write(&mut file).map_err(refused)?;
        file.flush().map_err(|error| Failure::file("write", path, &error))?;
        match parcel.signer {
            Some(Signer::Gpg { key }) => signing::rpmsign(key, path, parcel.time, host),
            _ => Ok(()),
        }
    }
}

/// What the library says against it.
fn refused(error: ::rpm::Error) -> Failure {
    Failure::input("the package can't be written").cause(error.to_string())
}

/// `perl(Config) >= 1`: in names of rpm, parentheses may stand.
fn split(text: &str) -> Option<Dependency> {
    let Relation { name, range } = Relation::parse(text).or_else(|| with_parentheses(text))?;
    Some(match range {
        None => Dependency::any(name),
        Some((Comparison::Less, version)) => Dependency::less(name, version),
        Some((Comparison::AtMost, version)) => Dependency::less_eq(name, version),
        Some((Comparison::Equal, version)) => Dependency::eq(name, version),
        Some((Comparison::AtLeast, version)) => Dependency::greater_eq(name, version),
        Some((Comparison::Greater, version)) => Dependency::greater(name, version),
    })
}

fn with_parentheses(text: &str) -> Option<Relation<'_>> {
    let text = text.trim();
    let (name, rest) = text.split_at(text.rfind(')')? + 1);
    let is_name = |it: char| it.is_ascii_alphanumeric() || "()+-._:/".contains(it);
    if name.starts_with('(') || !name.chars().all(is_name) {
        return None;
    }
    let range = if rest.is_empty() { None } else { Some(range(rest)?) };
    Some(Relation { name, range })
}

fn build(parcel: &Parcel<'_>) -> Result<Package, Failure> {
    let about = parcel.about;
    let Spelled { version, release, epoch } = &about.version;
    let license = about.license.as_deref().unwrap_or_default();
    let mut builder = PackageBuilder::new(&about.package, version, license, &about.machine, about.summary());
    let config = BuildConfig::v4().source_date(stamp(parcel.time)).compression(CompressionWithLevel::Gzip(6));
    builder.using_config(config).release(release.as_str()).description(about.description.as_str());
    if let Some(epoch) = epoch {
        builder.epoch(*epoch);
    }
    if let Some(homepage) = &about.homepage {
        builder.url(homepage.as_str());
    }
    if let Some(vendor) = &about.vendor {
        builder.vendor(vendor.as_str());
    }
    if let Some(maintainer) = &about.maintainer {
        builder.packager(maintainer.as_str());
    }
    if let Some(section) = &about.section {
        builder.group(section.as_str());
    }
    relate(&mut builder, about);
    for (script, bytes) in &parcel.scripts {
        run(&mut builder, *script, bytes)?;
    }
    for item in &parcel.items {
        lay(&mut builder, item)?;
    }
    builder.build().map_err(refused)
}

fn stamp(time: u64) -> Timestamp {
    Timestamp::from(u32::try_from(time).unwrap_or(u32::MAX))
}

fn relate(builder: &mut PackageBuilder, about: &About) {
    for which in Relates::ALL {
        for text in about.related(which) {
            // A rich one is a name in the header.
            let dependency = split(text).unwrap_or_else(|| Dependency::any(text.as_str()));
            match which {
                Relates::Dependencies => builder.requires(dependency),
                Relates::Recommends => builder.recommends(dependency),
                Relates::Suggests => builder.suggests(dependency),
                Relates::Conflicts => builder.conflicts(dependency),
                Relates::Replaces => builder.obsoletes(dependency),
                Relates::Provides => builder.provides(dependency),
            };
        }
    }
}

fn run(builder: &mut PackageBuilder, script: Script, bytes: &[u8]) -> Result<(), Failure> {
    let text = String::from_utf8(bytes.to_vec());
    let text = text.map_err(|_| Failure::input("a script is not UTF-8, and rpm keeps them as text"))?;
    let script_text = Scriptlet::new(text).prog(vec!["/bin/sh"]);
    match script {
        Script::PreInstall => drop(builder.pre_install_script(script_text)),
        Script::PostInstall => drop(builder.post_install_script(script_text)),
        Script::PreRemove => drop(builder.pre_uninstall_script(script_text)),
        Script::PostRemove => drop(builder.post_uninstall_script(script_text)),
        // rpm runs those of installing.
        Script::PreUpgrade | Script::PostUpgrade => {}
    }
    Ok(())
}

/// Content is handed over as bytes: of files, the library would make links of those that are linked here.
fn lay(builder: &mut PackageBuilder, item: &Item) -> Result<(), Failure> {
    let path = format!("/{}", item.path);
    let laid = match &item.what {
        // rpm knows no directories that are nobody's: it makes what is missing.
        What::Parent => return Ok(()),
        What::Directory => builder.with_dir_entry(options(FileOptions::dir(path), item)),
        What::Link { to } => builder.with_symlink(options(FileOptions::symlink(path, to.as_str()), item)),
        What::Ghost => builder.with_ghost(options(FileOptions::ghost(path), item)),
        What::File { from, mark, .. } => {
            let content = fs::read(from).map_err(|error| Failure::file("read", from, &error))?;
            builder.with_file_contents(content, marked(options(FileOptions::new(path), item), *mark))
        }
    };
    laid.map(drop).map_err(refused)
}

fn options(options: FileOptionsBuilder, item: &Item) -> FileOptionsBuilder {
    let options = options.user(item.owner.as_str()).group(item.group.as_str()).modified_at(stamp(item.time));
    // There are no more than twelve bits.
    options.permissions(u16::try_from(item.mode & 0o7777).unwrap_or(0o644))
}

fn marked(options: FileOptionsBuilder, mark: Mark) -> FileOptionsBuilder {
    match mark {
        Mark::Plain => options,
        Mark::Config => options.config(),
        Mark::ConfigNoReplace => options.config().noreplace(),
        Mark::Doc => options.doc(),
        Mark::License => options.license(),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::{Value, json};

    use super::*;
    use crate::package::checks::{bytes, check_plan, host, made, one_of_each};

    /// What is in a package, as the library reads it.
    fn check(keys: Value, expect: Expect) {
        let package = Package::parse(&mut bytes(keys).as_slice()).unwrap();
        let it = &package.metadata;
        let mut shown = format!(
            "{} {} {} {} {} {:?}\n{} / {}\n{:?} {:?}\n",
            it.get_name().unwrap(),
            it.get_version().unwrap(),
            it.get_release().unwrap(),
            it.get_arch().unwrap(),
            it.get_license().unwrap(),
            it.get_build_time().unwrap(),
            it.get_summary().unwrap(),
            it.get_description().unwrap(),
            it.get_vendor().unwrap(),
            it.get_build_host().ok(),
        );
        for file in it.get_file_entries().unwrap() {
            let (mode, time, flags) = (file.mode().raw_mode(), file.modified_at(), file.flags());
            let path = file.path().display().to_string();
            shown += &format!("{mode:o} {}:{} {time:?} {flags:?} {path}\n", file.user(), file.group());
        }
        for (what, all) in [
            ("requires", it.get_requires()),
            ("recommends", it.get_recommends()),
            ("conflicts", it.get_conflicts()),
            ("obsoletes", it.get_obsoletes()),
            ("provides", it.get_provides()),
        ] {
            let all: Vec<String> =
                all.unwrap().iter().map(|it| format!("{} {:?} {}", it.name, it.flags, it.version)).collect();
            shown += &format!("{what} {}\n", all.join(", "));
        }
        expect.assert_eq(&shown);
    }

    #[test]
    fn all_of_a_package() {
        check(
            one_of_each("rpm"),
            expect![[r#"
            hello 1.2.3 1 x86_64 MIT 1767323045
            Says hello / Says hello

            And little else.
            "Acme" None
            100640 root:adm Timestamp(1767323045) FileFlags(CONFIG) /etc/hello/hello.conf
            100644 root:root Timestamp(1767323045) FileFlags(CONFIG | NOREPLACE) /etc/hello/kept.conf
            40755 ada:root Timestamp(1767323045) FileFlags(0x0) /opt/hello/docs
            100644 ada:root Timestamp(1767323045) FileFlags(0x0) /opt/hello/docs/a.md
            120777 ada:root Timestamp(1767323045) FileFlags(0x0) /opt/hello/docs/link.md
            40755 ada:root Timestamp(1767323045) FileFlags(0x0) /opt/hello/docs/more
            100644 ada:root Timestamp(1767323045) FileFlags(0x0) /opt/hello/docs/more/b.md
            100755 root:root Timestamp(1767323045) FileFlags(0x0) /usr/bin/hello
            120777 root:root Timestamp(1767323045) FileFlags(0x0) /usr/bin/hi
            100755 root:root Timestamp(981173106) FileFlags(0x0) /usr/libexec/hello/run-amd64
            100644 root:root Timestamp(1767323045) FileFlags(DOC) /usr/share/doc/hello/a.md
            120777 root:root Timestamp(1767323045) FileFlags(0x0) /usr/share/doc/hello/link.md
            100644 root:root Timestamp(1767323045) FileFlags(DOC) /usr/share/doc/hello/more/b.md
            100644 root:root Timestamp(1767323045) FileFlags(LICENSE) /usr/share/licenses/hello/LICENSE
            40750 root:root Timestamp(1767323045) FileFlags(0x0) /var/lib/hello
            100644 root:root Timestamp(1767323045) FileFlags(GHOST) /var/log/hello.log
            requires /bin/sh DependencyFlags(INTERP | SCRIPT_POST) , /bin/sh DependencyFlags(INTERP | SCRIPT_PREUN) , config(hello) DependencyFlags(EQUAL | CONFIG) 1.2.3-1, git DependencyFlags(0x0) , rpmlib(CompressedFileNames) DependencyFlags(LESS | EQUAL | RPMLIB) 3.0.4-1, rpmlib(FileDigests) DependencyFlags(LESS | EQUAL | RPMLIB) 4.6.0-1, rpmlib(PayloadFilesHavePrefix) DependencyFlags(LESS | EQUAL | RPMLIB) 4.0-1, zlib DependencyFlags(GREATER | EQUAL) 1.2
            recommends group(adm) DependencyFlags(SCRIPT_PRE | SCRIPT_POSTUN) , less DependencyFlags(0x0) , user(ada) DependencyFlags(SCRIPT_PRE | SCRIPT_POSTUN) 
            conflicts hallo DependencyFlags(0x0) 
            obsoletes hallo DependencyFlags(LESS) 1
            provides config(hello) DependencyFlags(EQUAL | CONFIG) 1.2.3-1, greeter DependencyFlags(EQUAL) 1.2.3, hello DependencyFlags(EQUAL) 1.2.3-1, hello(x86-64) DependencyFlags(EQUAL) 1.2.3-1
        "#]],
        );
    }

    #[test]
    fn a_signature_is_made_by_rpms_own_program() {
        let mut host = host();
        made(json!({ "formats": ["rpm"], "signature": { "gpg": "ada@example.org" } }), &mut host).unwrap();
        let argv = host.record().commands[1].argv.join(" ");
        expect![[r#"rpmsign --define _gpg_name ada@example.org --define __gpg_sign_cmd /usr/bin/env env gpg --batch --no-tty --no-armor --faked-system-time 1767323045! --local-user "%{_gpg_name}" --output %{__signature_filename} --detach-sign %{?__plaintext_filename} --addsign DIR/package"#]].assert_eq(&argv.replace(&host.dir().display().to_string(), "DIR"));
    }

    #[test]
    fn what_rpm_does_not_let_pass() {
        check_plan(
            json!({
                "formats": ["rpm"], "package": "+x", "version": "1-x", "release": "1-2",
                "dependencies": ["(a or b)", "perl(Config) >= 1", "pkgconfig(zlib)", "a | b", "a b"],
            }),
            expect![[r#"
                package: `+x` can't be the name of a package in rpm
                    it is made of letters, digits, `.`, `_`, `+` and `-`, and begins with a letter, digit or `_`; say another with `package`
                version: `1-x` can't be in the version of rpm packages
                    letters, digits and `.` `_` `+` `~` `^` can; write `version` in `overrides.rpm`
                dependencies[3]: rpm can't say `a | b` of packages
                    write `name` or `name >= 1.2`, or what rpm has in parentheses, as in `(a or b)`
                dependencies[4]: rpm can't say `a b` of packages
                    write `name` or `name >= 1.2`, or what rpm has in parentheses, as in `(a or b)`
            "#]],
        );
    }
}
