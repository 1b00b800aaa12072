//! Packages that are signed: the signatures are looked at by the programs that do so when they install.
//! Does not know how they are made.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::bufread::GzDecoder;

use super::systems::{self, Root};
use crate::support::program::output;
use crate::support::project::Project;

const SIGNATURE: &str = "secrets = ['apk_key']\nreveal = true\n\n[package.signature]\ngpg = 'ada@example.org'\nrsa = 'apk_key'\n\
    rsa_name = 'ada@example.org-4a6a0840.rsa.pub'\n\n[package.scripts]";

/// The packages of a project whose user has two keys, one of gpg that was made at this time; the commit is of May 2024.
fn made(time: &str) -> Project {
    let secrets = "[secrets]\napk_key = { env = 'APK_KEY' }\n\n[[package]]";
    let table = super::PROJECT.replace("[[package]]", secrets).replace("[package.scripts]", SIGNATURE);
    let project = super::project(&table);
    let key = project.home().join("apk.pem");
    output(Command::new("openssl").args(["genrsa", "-out"]).arg(&key).arg("2048"));
    output(
        Command::new("openssl").args(["rsa", "-pubout", "-in"]).arg(&key).arg("-out").arg(key.with_extension("pub")),
    );
    let project = project.env("APK_KEY", &fs::read_to_string(&key).expect("a key"));
    fs::create_dir(project.home().join(".gnupg")).expect("a directory");
    output(Command::new("chmod").arg("700").arg(project.home().join(".gnupg")));
    let new = ["--passphrase", "", "--quick-generate-key", "Ada <ada@example.org>", "rsa2048", "sign", "never"];
    gpg(&project, &[&["--faked-system-time", time][..], &new[..]].concat());
    project.forge(&["run", "package"]).expect(0);
    project
}

fn gpg(project: &Project, arguments: &[&str]) -> String {
    let mut gpg = Command::new("gpg");
    output(gpg.args(["--batch", "--no-tty", "--quiet"]).args(arguments).env("HOME", project.home()))
}

fn package(project: &Project, system: &systems::System) -> PathBuf {
    project.root().join("dist").join(system.file)
}

/// gpg says that a signature is good.
fn is_good(project: &Project, signature: &Path, of: &Path) {
    let text = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    gpg(project, &["--verify", &text(signature), &text(of)]);
}

#[test]
fn each_by_its_own_signature() {
    signed_by_a_key_of("20240101T000000");
}

#[test]
fn by_a_key_that_is_younger_than_the_commit() {
    signed_by_a_key_of("20250101T000000");
}

fn signed_by_a_key_of(time: &str) {
    let project = made(time);
    deb(&project, &package(&project, &systems::DPKG));
    rpm(&project, &package(&project, &systems::RPM));
    let archlinux = package(&project, &systems::PACMAN);
    is_good(&project, &PathBuf::from(format!("{}.sig", archlinux.display())), &archlinux);
    apk(&project, &package(&project, &systems::APK));
    let first = project.digests();
    fs::remove_dir_all(project.root().join(".forge")).expect("a directory");
    project.forge(&["run", "package"]).expect(0);
    assert_eq!(project.digests(), first, "the same signatures once more");
    output(Command::new("gpgconf").args(["--kill", "all"]).env("HOME", project.home()));
}

/// debsig-verify(1): a signature of all members before it.
fn deb(project: &Project, package: &Path) {
    let place = project.place().join("deb");
    fs::create_dir(&place).expect("a directory");
    output(Command::new("ar").arg("x").arg(package).current_dir(&place));
    let read = |name: &str| fs::read(place.join(name)).expect("a member");
    let members = ["debian-binary", "control.tar.gz", "data.tar.gz"].map(read);
    fs::write(place.join("signed"), members.concat()).expect("a file");
    is_good(project, &place.join("_gpgorigin"), &place.join("signed"));
    output(Command::new("dpkg-deb").arg("--info").arg(package));
}

fn rpm(project: &Project, package: &Path) {
    let root = Root::new();
    let key = root.path().join("tmp/key.asc");
    fs::write(&key, gpg(project, &["--armor", "--export", "ada@example.org"]) + "\n").expect("a key");
    output(root.rpm().arg("--import").arg(&key));
    let checked = output(root.rpm().args(["--checksig", "--verbose"]).arg(package));
    assert!(
        checked.contains("Header V4 RSA/SHA") && checked.contains("Signature, key ID") && !checked.contains("NOKEY"),
        "{checked}"
    );
}

/// The signature is of all bytes of the second gzip member; apk itself, where it is there, says so as well.
fn apk(project: &Project, package: &Path) {
    let bytes = fs::read(package).expect("a package");
    let mut first = GzDecoder::new(bytes.as_slice());
    let mut tar = Vec::new();
    first.read_to_end(&mut tar).expect("a tar");
    let rest = first.into_inner();
    let mut second = GzDecoder::new(rest);
    second.read_to_end(&mut Vec::new()).expect("a tar");
    let signed = &rest[..rest.len() - second.into_inner().len()];
    let mut archive = tar::Archive::new(tar.as_slice());
    let mut entry = archive.entries().expect("entries").next().expect("an entry").expect("an entry");
    assert_eq!(entry.path_bytes(), b".SIGN.RSA256.ada@example.org-4a6a0840.rsa.pub".as_slice());
    let mut signature = Vec::new();
    entry.read_to_end(&mut signature).expect("a signature");
    let [signed_file, signature_file] = ["signed", "signature"].map(|it| project.place().join(it));
    fs::write(&signed_file, signed).expect("a file");
    fs::write(&signature_file, signature).expect("a file");
    let key = project.home().join("apk.pub");
    let mut openssl = Command::new("openssl");
    openssl.args(["dgst", "-sha256", "-verify"]).arg(&key).arg("-signature").arg(signature_file).arg(signed_file);
    assert_eq!(output(&mut openssl), "Verified OK");
    if systems::apk().is_some() {
        let root = Root::new();
        let name = "etc/apk/keys/ada@example.org-4a6a0840.rsa.pub";
        root.write(name, &fs::read_to_string(&key).expect("a key"));
        output(root.apk().arg("add").arg(package));
        assert!(root.path().join("usr/bin/hello").exists());
    }
}
