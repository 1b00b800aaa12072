//! What is signed and how a step acts, seen by a host that writes it down.
//! Does not know whether signatures are good: `tests/release/sign.rs` asks those who would check them.

use expect_test::{Expect, expect};
use forge_plugin::schemas::kind::Kind as _;
use forge_plugin::schemas::{Exit, Platform};
use forge_plugin::testing::{FakeHost, plan_table, run_step, sample_facts};
use serde_json::json;

use super::*;

fn archive(host: FakeHost) -> FakeHost {
    host.with_artifact("hello.tar.gz", "archive", None, json!({ "format": "tar.gz" }), b"archive", &[])
}

fn sums(host: FakeHost) -> FakeHost {
    host.with_artifact("sums.txt", Checksums::NAME, None, json!({ "algorithm": "sha256" }), b"sums", &[])
}

fn image(host: FakeHost) -> FakeHost {
    let manifest = br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}"#;
    let platform: Option<Platform> = "linux/amd64".parse().ok();
    host.with_artifact("image.json", Image::NAME, platform, json!({ "references": [] }), manifest, &[])
}

/// The steps of a table, run: what each takes and made, or what is wrong.
fn check(mut host: FakeHost, settings: &Value, expect: &Expect) -> FakeHost {
    let text = match plan_table::<Sign>(settings, &sample_facts(), &host.offers(), &[]) {
        Err(problems) => problems
            .iter()
            .map(|it| format!("{:?}: {}; {}\n", it.place, it.message, it.help.as_deref().unwrap_or("")))
            .collect(),
        Ok(steps) => steps.iter().map(|step| ran(step, &mut host)).collect::<String>(),
    };
    expect.assert_eq(&text);
    host
}

fn ran(step: &Step, host: &mut FakeHost) -> String {
    let needs: Vec<&str> = step.secrets.iter().map(|it| it.name.as_str()).collect();
    let head = format!("{:?} of {:?}, by {needs:?}\n", step.name, step.takes);
    match run_step::<Sign>(step, host) {
        Ok(made) => {
            let line = |it: &Artifact| {
                let text = std::fs::read_to_string(&it.path).unwrap();
                format!("  {} {} {}: {}\n", it.kind, it.name, it.detail, text.lines().next().unwrap_or_default())
            };
            head + &made.iter().map(line).collect::<String>()
        }
        Err(failure) => {
            format!("{head}  {failure}; {}; {}\n", failure.causes.join("; "), failure.help.clone().unwrap_or_default())
        }
    }
}

const KEY: &str = include_str!("cosign_test.key");

fn with_key(host: FakeHost) -> FakeHost {
    host.with_secret("key", KEY).with_secret("word", "cosignpw")
}

#[test]
fn checksums_or_else_files() {
    let settings = json!({ "by": "cosign", "key": "key", "password": "word" });
    check(
        with_key(sums(archive(FakeHost::new()))),
        &settings,
        &expect![[r#"
        "" of ["sums.txt"], by ["key", "word"]
          signature sums.txt.sig {"by":"cosign","subject":"sums.txt"}: MEYCIQCv+Tr63JldscSEjMiDfRcUJz9dYQLDNR56oBPl6a7yyQIhAPZ77CorbYI5jQVmhNN5Yx21ZaJkpUlNFtdvgtLOdSNC
    "#]],
    );
    check(
        with_key(archive(FakeHost::new())),
        &settings,
        &expect![[r#"
        "" of ["hello.tar.gz"], by ["key", "word"]
          signature hello.tar.gz.sig {"by":"cosign","subject":"hello.tar.gz"}: MEQCIGLbHNzoBjYvli13vSUrbw80tNuCS8m82pPaWC5fQZp6AiAlUZ0maBdBnseLOCCHmHzNW7bI2oWfhijroCtzg8bb5Q==
    "#]],
    );
    let chosen =
        json!({ "by": "cosign", "key": "key", "password": "word", "kinds": ["archive", "image"], "bundle": true });
    let host = check(
        with_key(image(sums(archive(FakeHost::new())))),
        &chosen,
        &expect![[r#"
        "" of ["hello.tar.gz", "sums.txt", "image.json"], by ["key", "word"]
          signature hello.tar.gz.sigstore.json {"by":"cosign","subject":"hello.tar.gz"}: {"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","messageSignature":{"messageDigest":{"algorithm":"SHA2_256","digest":"DrPja/sk3Nm7HRvs4VMSFrWVOaj94X7oAiSvBlPJKqM="},"signature":"MEQCIGLbHNzoBjYvli13vSUrbw80tNuCS8m82pPaWC5fQZp6AiAlUZ0maBdBnseLOCCHmHzNW7bI2oWfhijroCtzg8bb5Q=="},"verificationMaterial":{"publicKey":{"hint":"Uqzz8B0R0XwbN7VEvKEWbqVh3uXf1VSdRnj4RsRgIf0="}}}
          signature sums.txt.sigstore.json {"by":"cosign","subject":"sums.txt"}: {"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","messageSignature":{"messageDigest":{"algorithm":"SHA2_256","digest":"IiDjxR8Jm1MIxw7ZGXevSIfHH+H49sP+2v58n2I/MB8="},"signature":"MEYCIQCv+Tr63JldscSEjMiDfRcUJz9dYQLDNR56oBPl6a7yyQIhAPZ77CorbYI5jQVmhNN5Yx21ZaJkpUlNFtdvgtLOdSNC"},"verificationMaterial":{"publicKey":{"hint":"Uqzz8B0R0XwbN7VEvKEWbqVh3uXf1VSdRnj4RsRgIf0="}}}
          attachment signatures/sign/image.json {"artifact_type":"application/vnd.dev.sigstore.bundle.v0.3+json","subject":"image.json"}: {"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"application/vnd.dev.sigstore.bundle.v0.3+json","config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","digest":"sha256:4240f0c00d4953ab88d74b157da441189383329553bed996d38fa479248b68ef","size":635}],"subject":{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:f20c43161d73848408ef247f0ec7111b19fe58ffebc0cbcaa0d2c8bda4967268","size":246},"annotations":{"dev.sigstore.bundle.content":"dsse-envelope","dev.sigstore.bundle.predicateType":"https://sigstore.dev/cosign/sign/v1"}}
    "#]],
    );
    assert_eq!(host.record().emitted[2].blobs.len(), 2);
}

#[test]
fn keys_that_do_not_open() {
    let host =
        || archive(FakeHost::new()).with_secret("key", KEY).with_secret("word", "another").with_secret("none", "text");
    check(
        host(),
        &json!({ "by": "cosign", "key": "key", "password": "word" }),
        &expect![[r#"
        "" of ["hello.tar.gz"], by ["key", "word"]
          the password `word` does not open the key `key`; ; try it with `cosign public-key --key cosign.key`
    "#]],
    );
    check(
        host(),
        &json!({ "by": "cosign", "key": "key" }),
        &expect![[r#"
        "" of ["hello.tar.gz"], by ["key"]
          the key `key` is encrypted, and no `password` is named; ; name the secret that is its password: `password = "cosign_password"`
    "#]],
    );
    check(
        host(),
        &json!({ "by": "cosign", "key": "none" }),
        &expect![[r#"
        "" of ["hello.tar.gz"], by ["none"]
          the secret `none` is no key that forge can sign with: it is no PEM text; ; make one with `cosign generate-key-pair`; others sign by the program: `by = "command"`
    "#]],
    );
    check(
        host(),
        &json!({ "by": "minisign", "key": "none" }),
        &expect![[r#"
        "" of ["hello.tar.gz"], by ["none"]
          the secret `none` is no secret key of minisign; ; it is to be the text of the file that `minisign -G` has written, both lines
    "#]],
    );
    check(
        host(),
        &json!({ "by": "minisign" }),
        &expect![[r#"
        Key(""): `minisign` wants a `key`; The secret that is the key: the text of the file that `minisign -G` writes. Granted by `secrets`, with `reveal = true`.
    "#]],
    );
    check(
        image(host()),
        &json!({ "by": "minisign", "key": "key", "kinds": ["image"] }),
        &expect![[r#"
        Key("kinds"): `image.json` is an image, and `minisign` signs files only; images are signed `by = "cosign"`
    "#]],
    );
}

/// A gpg whose key was made at this time, and that signs what is not older; another key of its owner encrypts.
fn gpg(made: u64) -> FakeHost {
    archive(FakeHost::new()).on_exec(move |command| {
        let after = |word: &str| command.argv.iter().skip_while(|it| *it != word).nth(1);
        let time: Option<u64> = after("--faked-system-time").map(|it| it.trim_end_matches('!').parse().unwrap());
        if time.is_some_and(|time| time < made) {
            return Exit { code: Some(2), stdout: gpg::NO_KEY_YET.to_owned(), ..Exit::default() };
        }
        if let Some(path) = after("--output") {
            std::fs::write(path, "signature").unwrap();
        }
        let stdout = format!("sec:u:255:22:ABC:{made}::::::sc\nssb:u:255:18:DEF:{}::::::e\n", made + 1);
        Exit { code: Some(0), stdout, ..Exit::default() }
    })
}

#[test]
fn what_gpg_is_told() {
    let table = json!({ "by": "gpg", "key": "key", "password": "word", "user": "ABC" });
    let told = |host: &FakeHost| {
        let short = |word: &String| match (word.contains("/forge-"), word.contains('/')) {
            (true, _) => "HOME".to_owned(),
            (_, true) => "PATH".to_owned(),
            _ => word.clone(),
        };
        let line =
            |command: &forge_plugin::schemas::Command| command.argv.iter().map(short).collect::<Vec<_>>().join(" ");
        host.record().commands.iter().map(line).collect::<Vec<_>>().join("\n") + "\n"
    };
    let host = check(
        gpg(1),
        &table,
        &expect![[r#"
        "" of ["hello.tar.gz"], by ["key", "word"]
          signature hello.tar.gz.asc {"by":"gpg","subject":"hello.tar.gz"}: signature
    "#]],
    );
    expect![[r#"
        sh -c printf '%s\n' "$KEY" | exec "$@" sh gpg --batch --no-tty --no-options --homedir HOME --import
        gpg --batch --no-tty --no-options --homedir HOME --with-colons --list-secret-keys ABC
        sh -c printf '%s\n' "$WORD" | exec "$@" sh gpg --batch --no-tty --no-options --homedir HOME --faked-system-time 1767323045! --no-comments --no-emit-version --yes --status-fd 1 --local-user ABC --pinentry-mode loopback --passphrase-fd 0 --armor --output PATH --detach-sign PATH
        gpgconf --homedir HOME --kill gpg-agent
    "#]].assert_eq(&told(&host));
    let host = check(
        gpg(4_000_000_000),
        &json!({ "by": "gpg", "armor": false }),
        &expect![[r#"
        "" of ["hello.tar.gz"], by []
          signature hello.tar.gz.sig {"by":"gpg","subject":"hello.tar.gz"}: signature
    "#]],
    );
    expect![[r#"
        gpg --batch --no-tty --with-colons --list-secret-keys
        gpg --batch --no-tty --faked-system-time 1767323045! --no-comments --no-emit-version --yes --status-fd 1 --output PATH --detach-sign PATH
        gpg --batch --no-tty --faked-system-time 4000000000! --no-comments --no-emit-version --yes --status-fd 1 --output PATH --detach-sign PATH
    "#]].assert_eq(&told(&host));
    let without = archive(FakeHost::new()).on_exec(|_| Exit {
        code: Some(2),
        stderr: "gpg: no such key".to_owned(),
        ..Exit::default()
    });
    check(
        without,
        &json!({ "by": "gpg", "user": "ABC" }),
        &expect![[r#"
            "" of ["hello.tar.gz"], by []
              gpg has no secret key that signs for `ABC`; gpg: no such key; `gpg --list-secret-keys` lists those that there are; a key of another machine is given by `key`
        "#]],
    );
}

#[test]
fn a_command_writes_where_it_is_told() {
    let writes = |names: &'static [&'static str]| {
        archive(FakeHost::new()).on_exec(move |command| {
            for name in names {
                std::fs::write(&command.env[*name], format!("{:?}", command.argv.len())).unwrap();
            }
            Exit { code: Some(0), ..Exit::default() }
        })
    };
    let table = json!({ "by": "command", "argv": "bin/sign {{ artifact }} {{ signature }}", "certificate": "{{ artifact }}.pem" });
    let host = check(
        writes(&["FORGE_SIGNATURE", "FORGE_CERTIFICATE"]),
        &table,
        &expect![[r#"
        "hello.tar.gz" of ["hello.tar.gz"], by []
          signature hello.tar.gz.sig {"by":"sign","subject":"hello.tar.gz"}: 3
          signature hello.tar.gz.pem {"by":"sign","subject":"hello.tar.gz"}: 3
    "#]],
    );
    let command = host.record().commands[0].clone();
    assert_eq!(command.argv[1..], [command.env["FORGE_ARTIFACT"].clone(), command.env["FORGE_SIGNATURE"].clone()]);
    assert!(command.argv[1].ends_with("/hello.tar.gz"), "{command:?}");
    check(
        writes(&["FORGE_SIGNATURE"]),
        &table,
        &expect![[r#"
        "hello.tar.gz" of ["hello.tar.gz"], by []
          the command has not written the certificate `hello.tar.gz.pem`; ; it is to write it to the path that `{{ certificate }}` names
    "#]],
    );
    check(
        writes(&[]),
        &json!({ "by": "command", "argv": ["sign"] }),
        &expect![[r#"
        "hello.tar.gz" of ["hello.tar.gz"], by []
          the command has not written the signature `hello.tar.gz.sig`; ; it is to write it to the path that `{{ signature }}` names
    "#]],
    );
}
