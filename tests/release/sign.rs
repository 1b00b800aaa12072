//! A release that is signed, and checked by those who would check it: `minisign`, `openssl`, `gpg`; and cosign, where `FORGE_TEST_COSIGN` names it
//! (version 3). Does not know how signatures are made.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

use crate::support::olareg::Olareg;
use crate::support::program::{output, test_program};
use crate::support::project::Project;
use crate::support::registry::Registry;
use crate::support::small;

/// A key that cosign has made for tests. Its password is `cosignpw`.
const SEALED: &str = include_str!("../../pipes/src/sign/cosign_test.key");
const PUBLIC: &str = include_str!("../../pipes/src/sign/cosign_test.pub");

const FILES: &str = r#"
[project]
name = "hello"

[secrets]
mini = { file = "../keys/mini.key" }
mini_word = { env = "MINI_WORD" }
sealed = { file = "../keys/cosign.key" }
sealed_word = { env = "SEALED_WORD" }
plain = { file = "../keys/plain.pem" }
gnupg = { file = "../keys/gpg.key" }
gnupg_word = { env = "GNUPG_WORD" }

[[build]]
id = "hello"
tool = "command"
argv = ["sh", "-c", "echo hello > $FORGE_OUTPUT"]
platforms = ["linux/amd64", "linux/arm64"]

[[archive]]

[[checksum]]

[[sign]]
id = "mini"
by = "minisign"
key = "mini"
password = "mini_word"
secrets = ["mini", "mini_word"]
reveal = true

[[sign]]
id = "cosign"
by = "cosign"
key = "sealed"
password = "sealed_word"
secrets = ["sealed", "sealed_word"]
reveal = true

[[sign]]
id = "bundle"
by = "cosign"
key = "plain"
bundle = true
secrets = ["plain"]
reveal = true

[[sign]]
id = "gpg"
by = "gpg"
key = "gnupg"
password = "gnupg_word"
kinds = ["archive"]
secrets = ["gnupg", "gnupg_word"]

[[sign]]
id = "openssl"
by = "command"
argv = "openssl dgst -sha256 -sign ../keys/plain.pem -out {{ signature }} {{ artifact }}"
kinds = ["binary"]
name = "{{ artifact }}_{{ arch }}.der"
"#;

const SUMS: &str = "hello_1.2.3_checksums.txt";

/// Keys as the tools make them, beside a project.
fn keys(project: &Project) -> PathBuf {
    let keys = project.root().parent().expect("a directory around it").join("keys");
    fs::create_dir_all(&keys).expect("a directory");
    fs::write(keys.join("cosign.key"), SEALED).expect("a file");
    fs::write(keys.join("cosign.pub"), PUBLIC).expect("a file");
    let shell = |script: &str| output(Command::new("sh").args(["-euc", script]).current_dir(&keys));
    shell("printf 'word of minisign\nword of minisign\n' | minisign -G -p mini.pub -s mini.key");
    shell(
        "openssl ecparam -name prime256v1 -genkey -noout -out plain.pem; openssl ec -in plain.pem -pubout -out plain.pub",
    );
    shell(
        "GNUPGHOME=$(mktemp -d /tmp/gXXXXXX); export GNUPGHOME; word='--batch --pinentry-mode loopback --passphrase gnupgword'
        gpg $word --faked-system-time 1750000000 --quick-gen-key 'Acme <a@acme.example>' rsa2048 sign never
        gpg $word --faked-system-time 1750000001 --quick-add-key $(gpg --with-colons -k | awk -F: '/^fpr/ {print $10; exit}') rsa2048 encr never
        gpg $word --armor --export-secret-keys >gpg.key; gpg --export >gpg.pub
        gpgconf --kill gpg-agent; rm -rf $GNUPGHOME",
    );
    keys
}

fn project() -> (Project, PathBuf) {
    let words = [("MINI_WORD", "word of minisign"), ("SEALED_WORD", "cosignpw"), ("GNUPG_WORD", "gnupgword")];
    let project =
        words.iter().fold(Project::of_text(FILES), |project, (name, word)| project.env(name, word)).tagged("v1.2.3");
    let keys = keys(&project);
    (project, keys)
}

/// All signatures, by name.
fn signatures(project: &Project) -> BTreeMap<String, Vec<u8>> {
    let names = fs::read_dir(project.root().join("dist")).expect("a directory");
    let names = names.map(|it| it.expect("an entry").file_name().into_string().expect("a name"));
    let is_signature = |name: &String| {
        [".minisig", ".sig", ".asc", ".json"].iter().any(|end| name.ends_with(end)) && name.starts_with("hello")
    };
    let read = |name: String| (name.clone(), fs::read(project.root().join("dist").join(name)).expect("a file"));
    names.filter(is_signature).map(read).collect()
}

/// Whether each accepts what lies in `dist`.
fn accepted(dist: &Path, keys: &Path) -> BTreeMap<&'static str, bool> {
    let run = |argv: &[&str], variables: &[(&str, &str)]| {
        let mut command = Command::new(argv[0]);
        command.args(&argv[1..]).current_dir(dist).envs(variables.iter().copied());
        command.output().expect("it starts").status.success()
    };
    let [mini, cosign, plain, gpg] =
        ["mini.pub", "cosign.pub", "plain.pub", "gpg.pub"].map(|it| keys.join(it).display().to_string());
    let text = fs::read_to_string(dist.join(format!("{SUMS}.sig"))).expect("a signature");
    fs::write(keys.join("sums.der"), BASE64.decode(text).expect("base64")).expect("a file");
    let bundle: Value =
        serde_json::from_slice(&fs::read(dist.join(format!("{SUMS}.sigstore.json"))).expect("a bundle")).expect("JSON");
    let of_bundle = BASE64.decode(bundle["messageSignature"]["signature"].as_str().expect("a signature"));
    fs::write(keys.join("bundle.der"), of_bundle.expect("base64")).expect("a file");
    let der = |key: &str, signature: &str, file: &str| {
        run(&["openssl", "dgst", "-sha256", "-verify", key, "-signature", signature, file], &[])
    };
    let of_keys = |name: &str| keys.join(name).display().to_string();
    let home = tempfile::tempdir().expect("a directory");
    let home = [("GNUPGHOME", home.path().to_str().expect("a name"))];
    let archive = "hello_1.2.3_linux_arm64.tar.gz";
    let mut accepted = BTreeMap::from([
        ("minisign", run(&["minisign", "-Vm", SUMS, "-p", &mini], &[])),
        ("openssl", der(&cosign, &of_keys("sums.der"), SUMS)),
        ("openssl of a bundle", der(&plain, &of_keys("bundle.der"), SUMS)),
        ("openssl of a command", der(&plain, "hello_arm64.der", "hello_linux_arm64/hello")),
        (
            "gpg",
            run(
                &[
                    "gpg",
                    "--batch",
                    "--no-default-keyring",
                    "--keyring",
                    &gpg,
                    "--verify",
                    &format!("{archive}.asc"),
                    archive,
                ],
                &home,
            ),
        ),
    ]);
    if let Ok(program) = std::env::var("FORGE_TEST_COSIGN") {
        let verify = |key: &str, option: &str, signature: &str| {
            run(&[&program, "verify-blob", "--insecure-ignore-tlog=true", "--key", key, option, signature, SUMS], &[])
        };
        accepted.insert("cosign", verify(&cosign, "--signature", &format!("{SUMS}.sig")));
        accepted.insert("cosign of a bundle", verify(&plain, "--bundle", &format!("{SUMS}.sigstore.json")));
    }
    accepted
}

#[test]
fn files_that_all_accept_and_none_when_they_are_changed() {
    let (project, keys) = project();
    project.forge(&["run", "release", "--json"]).expect(0);
    let dist = project.root().join("dist");
    let checked = accepted(&dist, &keys);
    assert!(checked.values().all(|it| *it), "{checked:?}");
    let first = signatures(&project);
    assert_eq!(first.len(), 5, "{:?}", first.keys());
    // Of the moment when the key was made that signs, which is younger than the commit; another key is younger still.
    let asc = dist.join("hello_1.2.3_linux_arm64.tar.gz.asc");
    let packets = output(Command::new("gpg").arg("--list-packets").arg(asc));
    assert!(packets.contains("created 1750000000,"), "{packets}");

    let again = project.forge(&["run", "release", "--json"]).expect(0);
    assert!(again.outcomes().iter().all(|it| it.ends_with("fresh")), "{:?}", again.outcomes());

    // Made anew, they are the same: nothing in them is of the clock or of chance.
    fs::remove_dir_all(project.root().join(".forge")).expect("what is remembered");
    let anew = project.forge(&["run", "release", "--json"]).expect(0);
    assert!(anew.outcomes().iter().all(|it| it.ends_with("done")), "{:?}", anew.outcomes());
    assert!(signatures(&project) == first, "signatures are others the second time");

    for name in [SUMS, "hello_1.2.3_linux_arm64.tar.gz", "hello_linux_arm64/hello"] {
        let path = dist.join(name);
        let mut bytes = fs::read(&path).expect("a file");
        bytes[0] ^= 1;
        fs::remove_file(&path).expect("it can be replaced");
        fs::write(&path, bytes).expect("a file");
    }
    let checked = accepted(&dist, &keys);
    assert!(checked.values().all(|it| !*it), "{checked:?}");
}

#[test]
fn a_wrong_password_and_what_is_no_key() {
    let (project, keys) = project();
    let words = |ended: crate::support::forge::Ended| format!("{}{}", ended.stdout, ended.stderr);
    let project = project.env("SEALED_WORD", "another word").env("GNUPG_WORD", "another word");
    fs::write(keys.join("mini.key"), PUBLIC).expect("a file");
    let told = words(project.forge(&["run", "release"]).expect(1));
    for expected in [
        "the password `sealed_word` does not open the key `sealed`",
        "the secret `mini` is no secret key of minisign",
        "is `gnupg_word` the password of that key?",
    ] {
        assert!(told.contains(expected), "{told}");
    }
    assert!(!told.contains("another word"), "{told}");
}

const IMAGES: &str = r#"
[secrets]
key = { env = "KEY" }

[[sign]]
by = "cosign"
key = "key"
kinds = ["image", "manifest_list"]
secrets = ["key"]
reveal = true
"#;

/// Whether what is attached to this digest is signed for it: as `openssl` sees it, and cosign.
fn image_is_signed(address: &str, digest: &str, place: &Path) {
    let oras = |arguments: &[&str]| output(Command::new(test_program("oras")).args(arguments));
    let image = format!("{address}/acme/small@{digest}");
    let found: Value =
        serde_json::from_str(&oras(&["discover", "--plain-http", "--format=json", &image])).expect("JSON");
    let found = found["referrers"].as_array().or(found["manifests"].as_array()).expect("a list").clone();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["artifactType"], "application/vnd.dev.sigstore.bundle.v0.3+json");
    let at = |digest: &Value| format!("{address}/acme/small@{}", digest.as_str().expect("a digest"));
    let manifest: Value =
        serde_json::from_str(&oras(&["manifest", "fetch", "--plain-http", &at(&found[0]["digest"])])).expect("JSON");
    let bundle = oras(&["blob", "fetch", "--plain-http", "--output=-", &at(&manifest["layers"][0]["digest"])]);
    let bundle: Value = serde_json::from_str(&bundle).expect("JSON");
    let bytes = |value: &Value| BASE64.decode(value.as_str().expect("a text")).expect("base64");
    let envelope = &bundle["dsseEnvelope"];
    let statement = String::from_utf8(bytes(&envelope["payload"])).expect("text");
    assert!(statement.contains(&format!("\"{}\"", digest.trim_start_matches("sha256:"))), "{statement}");
    let kind = envelope["payloadType"].as_str().expect("a type");
    let signed = format!("DSSEv1 {} {kind} {} {statement}", kind.len(), statement.len());
    fs::write(place.join("signed"), signed).expect("a file");
    fs::write(place.join("signature"), bytes(&envelope["signatures"][0]["sig"])).expect("a file");
    output(
        Command::new("openssl")
            .args(["dgst", "-sha256", "-verify", "key.pub", "-signature", "signature", "signed"])
            .current_dir(place),
    );
    if let Ok(cosign) = std::env::var("FORGE_TEST_COSIGN") {
        let options = ["verify", "--allow-http-registry", "--insecure-ignore-tlog=true", "--key", "key.pub", &image];
        let said = output(Command::new(cosign).args(options).current_dir(place));
        assert!(said.contains(digest), "{said}");
    }
}

/// An image, its list and their signatures on a registry: there before a tag is, and nothing to do the second time.
fn check_images(address: &str) {
    let place = tempfile::tempdir().expect("a directory");
    let shell = |script: &str| output(Command::new("sh").args(["-euc", script]).current_dir(place.path()));
    let key = shell("openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt | tee key.pem");
    shell("openssl pkey -in key.pem -pubout -out key.pub");
    let project = small::with(IMAGES, address).env("KEY", key.trim_end());
    project.forge(&["run", "release", "--json"]).expect(0);
    let crane = |more: &[&str]| {
        output(Command::new(test_program("crane")).args(["digest", "--insecure"]).args(more)).trim().to_owned()
    };
    let list = format!("{address}/acme/small:1.2.3");
    image_is_signed(address, &crane(&[&list]), place.path());
    image_is_signed(address, &crane(&["--platform=linux/arm64", &list]), place.path());
    let again = project.forge(&["run", "release", "--json"]).expect(0);
    let signed: Vec<String> = again.outcomes().into_iter().filter(|it| it.contains("sign:")).collect();
    assert!(!signed.is_empty() && signed.iter().all(|it| it.ends_with("fresh")), "{:?}", again.outcomes());
}

#[test]
fn images_on_a_registry_that_lists_signatures() {
    check_images(Olareg::start().address());
}

#[test]
fn images_on_a_registry_that_lists_nothing() {
    check_images(Registry::start().address());
}
