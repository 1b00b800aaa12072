//! What the pipe plans and writes, on a host in memory. What real programs say is looked at where forge is tested as a whole.
//! Does not know the formats by heart: validators do, there.

use std::fs;

use expect_test::{Expect, expect};
use forge_plugin::schemas::{Place, Platform};
use forge_plugin::testing::{FakeHost, plan_table, really_run, run_step, sample_facts};
use serde_json::{Value, json};

use super::*;

/// A program and an archive of it for each platform, an archive of sources, and an image.
fn host() -> FakeHost {
    let detail = |binaries: &[&str]| json!({ "format": "tar.gz", "binaries": binaries });
    let mut host = FakeHost::new().with_artifact("source.tar.gz", "archive", None, detail(&[]), b"sources", &[]);
    for platform in ["linux/amd64", "windows/amd64"] {
        let platform: Platform = platform.parse().unwrap();
        let ext = if platform.os() == "windows" { ".exe" } else { "" };
        let (slug, file_name) = (platform.slug(), format!("hello{ext}"));
        let binary = json!({ "file_name": &file_name });
        let name = format!("build_{slug}/{file_name}");
        host = host.with_artifact(&name, "binary", Some(platform.clone()), binary, slug.as_bytes(), &[]);
        let name = format!("hello_{slug}.tar.gz");
        host = host.with_artifact(&name, "archive", Some(platform.clone()), detail(&[&file_name]), b"packed", &[]);
    }
    let platform = "linux/amd64".parse().ok();
    host.with_artifact("image_linux_amd64.image.json", "image", platform, json!({ "references": [] }), b"{}", &[])
}

/// What each step of a table takes and makes, or what is wrong with it; and its steps.
fn planned(host: &FakeHost, settings: &Value) -> Result<Vec<Step>, String> {
    let mut offers = host.offers();
    for offer in &mut offers {
        if let (true, Some(platform)) = (["archive", "image"].contains(&offer.kind.as_str()), &offer.platform) {
            let ext = if platform.os() == "windows" { ".exe" } else { "" };
            offer.made_of = vec![format!("build_{}/hello{ext}", platform.slug())];
        }
    }
    plan_table::<Bill>(settings, &sample_facts(), &offers, &[]).map_err(|problems| {
        let line = |it: Problem| {
            let Place::Key(key) = it.place else { panic!("{:?}", it.place) };
            format!("{key}: {}; {}\n", it.message, it.help.unwrap_or_default())
        };
        problems.into_iter().map(line).collect()
    })
}

fn check(settings: &Value, expect: &Expect) {
    let text = match planned(&host(), settings) {
        Err(mistakes) => mistakes,
        Ok(steps) => {
            let line = |it: Step| {
                format!("{}: {} -> {} {}\n", it.name, it.takes.join(" "), it.makes[0].name, it.makes[0].detail)
            };
            steps.into_iter().map(line).collect()
        }
    };
    expect.assert_eq(&text);
}

#[test]
fn a_document_for_each() {
    check(
        &json!({}),
        &expect![[r#"
        hello_linux_amd64.tar.gz: hello_linux_amd64.tar.gz build_linux_amd64/hello -> hello_linux_amd64.tar.gz.spdx.json {"format":"spdx","media_type":"application/spdx+json","subject":"hello_linux_amd64.tar.gz"}
        hello_windows_amd64.tar.gz: hello_windows_amd64.tar.gz build_windows_amd64/hello.exe -> hello_windows_amd64.tar.gz.spdx.json {"format":"spdx","media_type":"application/spdx+json","subject":"hello_windows_amd64.tar.gz"}
    "#]],
    );
    check(
        &json!({ "kinds": ["binary", "image"], "formats": ["spdx", "cyclonedx"] }),
        &expect![[r#"
        hello_linux_amd64/spdx: build_linux_amd64/hello -> hello_linux_amd64.spdx.json {"format":"spdx","media_type":"application/spdx+json","subject":"build_linux_amd64/hello"}
        hello_linux_amd64/cyclonedx: build_linux_amd64/hello -> hello_linux_amd64.cdx.json {"format":"cyclonedx","media_type":"application/vnd.cyclonedx+json","subject":"build_linux_amd64/hello"}
        hello_windows_amd64/spdx: build_windows_amd64/hello.exe -> hello_windows_amd64.spdx.json {"format":"spdx","media_type":"application/spdx+json","subject":"build_windows_amd64/hello.exe"}
        hello_windows_amd64/cyclonedx: build_windows_amd64/hello.exe -> hello_windows_amd64.cdx.json {"format":"cyclonedx","media_type":"application/vnd.cyclonedx+json","subject":"build_windows_amd64/hello.exe"}
        image_linux_amd64/spdx: image_linux_amd64.image.json build_linux_amd64/hello -> image_linux_amd64.spdx.json {"format":"spdx","media_type":"application/spdx+json","subject":"image_linux_amd64.image.json"}
        image_linux_amd64/cyclonedx: image_linux_amd64.image.json build_linux_amd64/hello -> image_linux_amd64.cdx.json {"format":"cyclonedx","media_type":"application/vnd.cyclonedx+json","subject":"image_linux_amd64.image.json"}
    "#]],
    );
    check(
        &json!({ "command": ["syft", "{{ artifact }}"], "name": "{{ artifact }}.sbom.json" }),
        &expect![[r#"
        source.tar.gz: source.tar.gz -> source.tar.gz.sbom.json {"format":"spdx","media_type":"application/spdx+json","subject":"source.tar.gz"}
        hello_linux_amd64.tar.gz: hello_linux_amd64.tar.gz -> hello_linux_amd64.tar.gz.sbom.json {"format":"spdx","media_type":"application/spdx+json","subject":"hello_linux_amd64.tar.gz"}
        hello_windows_amd64.tar.gz: hello_windows_amd64.tar.gz -> hello_windows_amd64.tar.gz.sbom.json {"format":"spdx","media_type":"application/spdx+json","subject":"hello_windows_amd64.tar.gz"}
    "#]],
    );
}

#[test]
fn mistakes() {
    check(
        &json!({ "kinds": ["archive", "checksums"], "formats": ["spdx", "spdx"], "env": { "A": "b" }, "name": "sbom/{{ ext }}" }),
        &expect![[r#"
            kinds[1]: what a `checksums` consists of is not known; it is of archive, package, binary, image; of others a `command` may know it
            formats[1]: `spdx` stands here twice; leave one out
            env: there is no `command` that could see it; leave it out
            name: `sbom/spdx.json` can't be the name of a file; write a name without a directory
        "#]],
    );
    check(
        &json!({ "name": "sbom.json", "kinds": ["image"], "command": "syft '", "formats": [] }),
        &expect![[r#"
        kinds[0]: a `command` is given one file, which an image is not; leave it out here: `command` can look at archives, packages and programs
        formats: nothing is named; leave the key out for the default
    "#]],
    );
    check(
        &json!({ "name": "{{ ext }}" }),
        &expect![[r#"
        name: the documents about `hello_linux_amd64.tar.gz` and `hello_windows_amd64.tar.gz` would both be called `spdx.json`; tell them apart by `{{ artifact }}` and `{{ ext }}`
    "#]],
    );
    check(
        &json!({ "ids": ["nobody"] }),
        &expect![[r#"
        ids: there are no programs in what this takes, so that there is nothing to say of it; name tables with programs, or a `command` that looks for more
    "#]],
    );
}

/// What the first step of a table writes, or says of it.
fn written(settings: &Value) -> String {
    let mut host = host().on_exec(really_run);
    let steps = planned(&host, settings).unwrap();
    match run_step::<Bill>(&steps[0], &mut host) {
        Ok(made) => {
            let said: Value = serde_json::from_slice(&fs::read(&made[0].path).unwrap()).unwrap();
            format!("{said}\n{:?}", host.record().logs)
        }
        Err(failure) => format!("{}: {}", failure.message, failure.help.unwrap_or_default()),
    }
}

#[test]
fn a_program_that_says_nothing_is_listed_alone() {
    expect![[r#"
        {"$schema":"http://cyclonedx.org/schema/bom-1.6.schema.json","bomFormat":"CycloneDX","components":[{"bom-ref":"hello-1.2.3","hashes":[{"alg":"SHA-256","content":"6e42b235a426c6ab149ad1b1f5ae3c0894409575c45d47698630034658cf0963"}],"name":"hello","type":"application","version":"1.2.3"}],"dependencies":[{"dependsOn":["hello-1.2.3"],"ref":"hello-linux-amd64.tar.gz-1.2.3"},{"dependsOn":[],"ref":"hello-1.2.3"}],"metadata":{"component":{"bom-ref":"hello-linux-amd64.tar.gz-1.2.3","hashes":[{"alg":"SHA-256","content":"88cb8a087b6e8cebfc9ae5602f5a2159a6bcf923e7f2c56809bcda6cad1727a7"}],"name":"hello_linux_amd64.tar.gz","type":"file","version":"1.2.3"},"lifecycles":[{"phase":"post-build"}],"timestamp":"2026-01-02T03:04:05Z","tools":{"components":[{"name":"forge","type":"application","version":"0.1.0"}]}},"serialNumber":"urn:uuid:33b3385f-f3ca-80c3-918e-cc329bf1c13d","specVersion":"1.6","version":1}
        [(Warn, "`build_linux_amd64/hello` does not say what it was compiled from (Go or cargo-auditable would have written it there): it is listed alone")]"#]].assert_eq(&written(&json!({ "formats": ["cyclonedx"] })));
    expect![[r#"
        {"SPDXID":"SPDXRef-DOCUMENT","creationInfo":{"created":"2026-01-02T03:04:05Z","creators":["Tool: forge-0.1.0"]},"dataLicense":"CC0-1.0","documentNamespace":"https://spdx.org/spdxdocs/hello_linux_amd64.tar.gz-8d5f109d-f52b-81eb-9f61-00becc3ea218","name":"hello_linux_amd64.tar.gz","packages":[{"SPDXID":"SPDXRef-hello-linux-amd64.tar.gz-1.2.3","checksums":[{"algorithm":"SHA256","checksumValue":"88cb8a087b6e8cebfc9ae5602f5a2159a6bcf923e7f2c56809bcda6cad1727a7"}],"copyrightText":"NOASSERTION","downloadLocation":"NOASSERTION","filesAnalyzed":false,"licenseConcluded":"NOASSERTION","licenseDeclared":"NOASSERTION","name":"hello_linux_amd64.tar.gz","packageFileName":"hello_linux_amd64.tar.gz","primaryPackagePurpose":"ARCHIVE","supplier":"NOASSERTION","versionInfo":"1.2.3"},{"SPDXID":"SPDXRef-hello-1.2.3","checksums":[{"algorithm":"SHA256","checksumValue":"6e42b235a426c6ab149ad1b1f5ae3c0894409575c45d47698630034658cf0963"}],"copyrightText":"NOASSERTION","downloadLocation":"NOASSERTION","filesAnalyzed":false,"licenseConcluded":"NOASSERTION","licenseDeclared":"NOASSERTION","name":"hello","packageFileName":"hello","primaryPackagePurpose":"APPLICATION","supplier":"NOASSERTION","versionInfo":"1.2.3"}],"relationships":[{"relatedSpdxElement":"SPDXRef-hello-linux-amd64.tar.gz-1.2.3","relationshipType":"DESCRIBES","spdxElementId":"SPDXRef-DOCUMENT"},{"relatedSpdxElement":"SPDXRef-hello-1.2.3","relationshipType":"CONTAINS","spdxElementId":"SPDXRef-hello-linux-amd64.tar.gz-1.2.3"}],"spdxVersion":"SPDX-2.3"}
        [(Warn, "`build_linux_amd64/hello` does not say what it was compiled from (Go or cargo-auditable would have written it there): it is listed alone")]"#]].assert_eq(&written(&json!({})));
}

#[test]
fn a_command_that_writes_what_it_should_and_not() {
    let by = |script: &str| {
        written(
            &json!({ "ids": ["test"], "kinds": ["archive"], "command": ["sh", "-c", script, "sh", "{{ document }}"] }),
        )
    };
    let good = by("printf '{\"spdxVersion\":\"SPDX-2.3\",\"name\":\"%s\"}' $(cat $FORGE_ARTIFACT) > $1");
    expect![[r#"
        {"name":"sources","spdxVersion":"SPDX-2.3"}
        []"#]]
    .assert_eq(&good);
    expect![
        "the command has written no document: it must write to the path that `{{ document }}` and `FORGE_DOCUMENT` are"
    ]
    .assert_eq(&by("true"));
    expect!["what the command has written is no `spdx` document: let it write what `formats` says, or say there what it writes"].assert_eq(&by("echo '{\"bomFormat\":\"CycloneDX\"}' > $1"));
    expect!["`sh` ended with exit status 3: "].assert_eq(&by("exit 3"));
}
