//! Tests of the pipe: from a table to steps or problems, and from steps to images in a host in memory.
//! Does not test the parts again: words, references, layers and the rest have their own.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};

use expect_test::{Expect, expect};
use forge_plugin::schemas::kind::Binary;
use forge_plugin::schemas::{Artifact, Digest, HttpResponse, Place, Platform, Problem, SourceText, Step};
use forge_plugin::testing::{FakeHost, plan_table, run_step, sample_facts, takes_table};
use serde_json::{Value, json};

use crate::docker::Docker;
use crate::oci::config::Config;
use crate::oci::layer::{self, Content, Entry};
use crate::oci::manifest::{Descriptor, Document, Family, Index, Manifest, PlatformFields};

fn platform(text: &str) -> Platform {
    text.parse().unwrap()
}

/// Two programs, each for two platforms.
fn host() -> FakeHost {
    let mut host = FakeHost::new();
    for arch in ["linux/amd64", "linux/arm64"] {
        let detail = Binary { file_name: "hello".to_owned() };
        let name = format!("hello_{}/hello", platform(arch).slug());
        host = host.with_input(&name, Some(platform(arch)), &detail, format!("hello for {arch}"));
    }
    host.with_source("LICENSE", "a licence")
        .with_source("etc/a.conf", "a")
        .with_source("etc/sub/b.conf", "b")
        .with_source("one/only", "1")
}

fn with_defaults(settings: Value) -> Value {
    let mut all = json!({ "id": "image", "images": ["ghcr.io/acme/hello"] });
    all.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    all
}

fn plan(settings: &Value, dockerfile: Option<&str>, host: &FakeHost) -> Result<Vec<Step>, Vec<Problem>> {
    let settings = with_defaults(settings.clone());
    let path = settings.get("dockerfile").and_then(Value::as_str).unwrap_or_default().to_owned();
    let source = dockerfile.map(|text| SourceText { path, text: text.to_owned(), ..SourceText::default() });
    plan_table::<Docker>(&settings, &sample_facts(), &host.offers(), source.as_slice())
}

/// What is wrong with a table, or nothing.
fn check_problems(settings: Value, dockerfile: Option<&str>, expect: Expect) {
    let problems = match takes_table::<Docker>(&with_defaults(settings.clone())) {
        Ok(_) => plan(&settings, dockerfile, &host()).err().unwrap_or_default(),
        Err(problems) => problems,
    };
    let mut lines = String::new();
    for Problem { place, message, help } in problems {
        let place = match place {
            Place::Key(key) => key,
            Place::File { path, start, end } => {
                let text = dockerfile.unwrap_or_default();
                format!("{path}:{} `{}`", text[..start].matches('\n').count() + 1, &text[start..end])
            }
        };
        writeln!(lines, "{place}: {message}\n    {}", help.as_deref().unwrap_or("-")).unwrap();
    }
    expect.assert_eq(&lines);
}

/// The images that a table makes.
fn check_images(settings: Value, dockerfile: Option<&str>, mut host: FakeHost, expect: Expect) {
    let steps = plan(&settings, dockerfile, &host).unwrap();
    let mut shown = String::new();
    for step in &steps {
        writeln!(shown, "{} takes {:?} {:?}", step.name, step.takes, step.memory).unwrap();
        for read in &step.reads {
            writeln!(shown, "  reads {}", read.path).unwrap();
        }
        match run_step::<Docker>(step, &mut host) {
            Ok(made) => made.iter().for_each(|artifact| show(artifact, &mut shown)),
            Err(failure) => {
                writeln!(shown, "  failed: {failure} {:?} {:?}", failure.causes, failure.help).unwrap();
                break;
            }
        }
    }
    expect.assert_eq(&shown);
}

fn show(artifact: &Artifact, shown: &mut String) {
    writeln!(shown, "  {} {} {}", artifact.kind, artifact.name, artifact.detail).unwrap();
    let bytes = fs::read(&artifact.path).unwrap();
    if artifact.kind != "image" {
        return;
    }
    let Ok(Document::Manifest(manifest)) = Document::parse(&bytes) else { panic!("no manifest") };
    let held =
        |digest: Digest| artifact.blobs.iter().find(|it| it.digest == digest).map(|it| fs::read(&it.path).unwrap());
    let read = |digest: Digest| held(digest).unwrap();
    writeln!(shown, "  {} {:?}", manifest.media_type, manifest.annotations).unwrap();
    let config: Value = serde_json::from_slice(&read(manifest.config.digest)).unwrap();
    writeln!(
        shown,
        "  {} {}/{} {}",
        manifest.config.media_type, config["os"], config["architecture"], config["created"]
    )
    .unwrap();
    for (name, value) in config["config"].as_object().unwrap() {
        writeln!(shown, "    {name} {value}").unwrap();
    }
    for entry in config["history"].as_array().unwrap() {
        writeln!(shown, "    {} {}", entry["created_by"].as_str().unwrap(), entry["empty_layer"] != true).unwrap();
    }
    assert_eq!(config["rootfs"]["diff_ids"].as_array().unwrap().len(), manifest.layers.len());
    for (descriptor, diff_id) in manifest.layers.iter().zip(config["rootfs"]["diff_ids"].as_array().unwrap()) {
        let Some(mut tar) = held(descriptor.digest) else {
            writeln!(shown, "  {} elsewhere", descriptor.media_type).unwrap();
            continue;
        };
        if descriptor.media_type.ends_with("gzip") {
            let gzipped = std::mem::take(&mut tar);
            flate2::read::MultiGzDecoder::new(&gzipped[..]).read_to_end(&mut tar).unwrap();
        }
        assert_eq!(json!(Digest::of(&tar)), *diff_id);
        writeln!(shown, "  {}", descriptor.media_type).unwrap();
        for entry in tar::Archive::new(&tar[..]).entries().unwrap() {
            let entry = entry.unwrap();
            let (header, path) = (entry.header(), entry.path().unwrap());
            let (uid, gid) = (header.uid().unwrap(), header.gid().unwrap());
            writeln!(shown, "    {:o} {uid}:{gid} {}", header.mode().unwrap(), path.display()).unwrap();
        }
    }
}

/// An image as a registry or a layout holds it: manifest, and everything by digest.
fn base_image(family: Family) -> (Vec<u8>, BTreeMap<Digest, Vec<u8>>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("layer");
    let entry = |path: &str, mode, content| Entry { path: path.to_owned(), mode, uid: 0, gid: 0, content };
    let entries = vec![
        entry("usr", 0o755, Content::Directory),
        entry("usr/bin", 0o755, Content::Directory),
        entry("bin", 0o777, Content::Link("usr/bin".to_owned())),
        entry("tmp", 0o1777, Content::Directory),
    ];
    layer::write(entries, layer::Style::default(), &path, &|| false).unwrap();
    let mut tar = Vec::new();
    flate2::read::MultiGzDecoder::new(&fs::read(&path).unwrap()[..]).read_to_end(&mut tar).unwrap();
    // Not compressed it is text, as the fake registry's answers are.
    let media_type = match family {
        Family::Oci => "application/vnd.oci.image.layer.v1.tar",
        Family::Docker => "application/vnd.docker.image.rootfs.diff.tar",
    };
    let layer = Descriptor::of(media_type, &tar);
    let mut config = Config::scratch(&platform("linux/amd64"));
    config.set_env("LANG", "C");
    config.set_runtime("Cmd", json!(["sh"]));
    config.set_runtime("WorkingDir", json!("/srv"));
    config.add_history("1970-01-01T00:00:00Z", "the base", Some(layer.digest));
    let config = config.to_bytes();
    let manifest = Manifest::new(family, Descriptor::of(family.config(), &config), vec![layer]).to_bytes();
    let descriptor = Descriptor {
        platform: Some(PlatformFields::from(&platform("linux/amd64"))),
        ..Descriptor::of(family.manifest(), &manifest)
    };
    let index = Index::new(family, vec![descriptor]).to_bytes();
    let all = [tar, config, manifest];
    (index, all.into_iter().map(|content| (Digest::of(&content), content)).collect())
}

fn with_layout(mut host: FakeHost, dir: &str) -> FakeHost {
    let (index, blobs) = base_image(Family::Oci);
    host = host.with_source(&format!("{dir}/index.json"), index);
    for (digest, content) in blobs {
        host = host.with_source(&format!("{dir}/blobs/sha256/{}", digest.hex()), content);
    }
    host
}

#[test]
fn on_scratch_by_keys() {
    check_images(
        json!({ "tags": ["{{ version }}", "v{{ major }}"], "platforms": ["linux/amd64"],
            "files": [{ "src": "etc", "dst": "/etc/hello", "mode": "0600" }, { "src": "LICENSE", "dst": "/licence" }, { "src": "one", "dst": "/one" }],
            "env": { "A": "{{ arch }}" }, "cmd": ["--help"], "user": "65532", "ports": ["8080"], "labels": { "x": "y" },
            "annotations": { "a": "{{ platform }}" } }),
        None,
        host(),
        expect![[r#"
            linux/amd64 takes ["hello_linux_amd64/hello"] Content
              reads etc
              reads LICENSE
              reads one
              image image_linux_amd64.image.json {"media_type":"application/vnd.oci.image.manifest.v1+json","references":["ghcr.io/acme/hello:1.2.3","ghcr.io/acme/hello:v1"]}
              application/vnd.oci.image.manifest.v1+json {"a": "linux/amd64"}
              application/vnd.oci.image.config.v1+json "linux"/"amd64" "2026-01-02T03:04:05Z"
                ArgsEscaped true
                Cmd ["--help"]
                Entrypoint ["/usr/local/bin/hello"]
                Env ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin","A=amd64"]
                ExposedPorts {"8080/tcp":{}}
                Labels {"org.opencontainers.image.created":"2026-01-02T03:04:05Z","org.opencontainers.image.revision":"4805ca7d3b1f0c2e9a6858d1f7b2a04c6e93d1b5","org.opencontainers.image.title":"hello","org.opencontainers.image.version":"1.2.3","x":"y"}
                User "65532"
                WorkingDir "/"
                LABEL org.opencontainers.image.created=2026-01-02T03:04:05Z org.opencontainers.image.revision=4805ca7d3b1f0c2e9a6858d1f7b2a04c6e93d1b5 org.opencontainers.image.title=hello org.opencontainers.image.version=1.2.3 false
                COPY files /etc/hello /licence /one true
                COPY hello /usr/local/bin/ true
                ENV A=amd64 false
                USER 65532 false
                EXPOSE 8080/tcp false
                ENTRYPOINT ["/usr/local/bin/hello"] false
                CMD ["--help"] false
                LABEL x=y false
              application/vnd.oci.image.layer.v1.tar+gzip
                755 0:0 etc/
                755 0:0 etc/hello/
                600 0:0 etc/hello/a.conf
                755 0:0 etc/hello/sub/
                600 0:0 etc/hello/sub/b.conf
                644 0:0 licence
                755 0:0 one/
                644 0:0 one/only
              application/vnd.oci.image.layer.v1.tar+gzip
                755 0:0 usr/
                755 0:0 usr/local/
                755 0:0 usr/local/bin/
                755 0:0 usr/local/bin/hello
        "#]],
    );
}

#[test]
fn all_of_the_project_and_commands_taken_back() {
    check_images(
        json!({ "dockerfile": "Dockerfile", "platforms": ["linux/amd64"] }),
        Some("FROM scratch\nENTRYPOINT [\"x\"]\nCMD y\nCOPY . /src/\nENTRYPOINT []\ncmd [ ]\n"),
        host(),
        expect![[r#"
            linux/amd64 takes [] Content
              reads .
              image image_linux_amd64.image.json {"media_type":"application/vnd.oci.image.manifest.v1+json","references":["ghcr.io/acme/hello:1.2.3"]}
              application/vnd.oci.image.manifest.v1+json {}
              application/vnd.oci.image.config.v1+json "linux"/"amd64" "2026-01-02T03:04:05Z"
                ArgsEscaped true
                Env ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
                Labels {"org.opencontainers.image.created":"2026-01-02T03:04:05Z","org.opencontainers.image.revision":"4805ca7d3b1f0c2e9a6858d1f7b2a04c6e93d1b5","org.opencontainers.image.title":"hello","org.opencontainers.image.version":"1.2.3"}
                WorkingDir "/"
                LABEL org.opencontainers.image.created=2026-01-02T03:04:05Z org.opencontainers.image.revision=4805ca7d3b1f0c2e9a6858d1f7b2a04c6e93d1b5 org.opencontainers.image.title=hello org.opencontainers.image.version=1.2.3 false
                ENTRYPOINT ["x"] false
                CMD y false
                COPY . /src/ true
                ENTRYPOINT [] false
                cmd [ ] false
              application/vnd.oci.image.layer.v1.tar+gzip
                755 0:0 src/
                644 0:0 src/LICENSE
                755 0:0 src/etc/
                644 0:0 src/etc/a.conf
                755 0:0 src/etc/sub/
                644 0:0 src/etc/sub/b.conf
                755 0:0 src/one/
                644 0:0 src/one/only
        "#]],
    );
}

#[test]
fn on_scratch_by_a_dockerfile() {
    check_images(
        json!({ "dockerfile": "Dockerfile", "build_args": { "DIR": "/opt" }, "platforms": ["linux/amd64"] }),
        Some(
            "# syntax=docker/dockerfile:1\nARG DIR\nFROM scratch\nARG TARGETPLATFORM DIR\n\
             COPY --chmod=700 --chown=5:6 $TARGETPLATFORM/hello ${DIR}/bin/\nWORKDIR /srv\nCOPY etc \\\n  conf/\n\
             ENV DIR=/env\nARG DIR=/arg\nENV B=\"x y\" PATH=$DIR/bin:$PATH\nENTRYPOINT [\"hello\"]\nCMD echo hi\nEXPOSE 80/tcp 53/udp\n\
             HEALTHCHECK --interval=30s CMD [\"hello\", \"--check\"]\nVOLUME /data\nSTOPSIGNAL SIGINT\nLABEL k=v\n",
        ),
        host(),
        expect![[r#"
            linux/amd64 takes ["hello_linux_amd64/hello"] Content
              reads etc
              image image_linux_amd64.image.json {"media_type":"application/vnd.oci.image.manifest.v1+json","references":["ghcr.io/acme/hello:1.2.3"]}
              application/vnd.oci.image.manifest.v1+json {}
              application/vnd.oci.image.config.v1+json "linux"/"amd64" "2026-01-02T03:04:05Z"
                ArgsEscaped true
                Cmd ["/bin/sh","-c","echo hi"]
                Entrypoint ["hello"]
                Env ["PATH=/opt/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin","DIR=/env","B=x y"]
                ExposedPorts {"53/udp":{},"80/tcp":{}}
                Healthcheck {"Interval":30000000000,"Test":["CMD","hello","--check"]}
                Labels {"k":"v","org.opencontainers.image.created":"2026-01-02T03:04:05Z","org.opencontainers.image.revision":"4805ca7d3b1f0c2e9a6858d1f7b2a04c6e93d1b5","org.opencontainers.image.title":"hello","org.opencontainers.image.version":"1.2.3"}
                StopSignal "SIGINT"
                Volumes {"/data":{}}
                WorkingDir "/srv"
                LABEL org.opencontainers.image.created=2026-01-02T03:04:05Z org.opencontainers.image.revision=4805ca7d3b1f0c2e9a6858d1f7b2a04c6e93d1b5 org.opencontainers.image.title=hello org.opencontainers.image.version=1.2.3 false
                COPY --chmod=700 --chown=5:6 $TARGETPLATFORM/hello ${DIR}/bin/ true
                WORKDIR /srv true
                COPY etc conf/ true
                ENV DIR=/env false
                ENV B="x y" PATH=$DIR/bin:$PATH false
                ENTRYPOINT ["hello"] false
                CMD echo hi false
                EXPOSE 80/tcp 53/udp false
                HEALTHCHECK --interval=30s CMD ["hello", "--check"] false
                VOLUME /data false
                STOPSIGNAL SIGINT false
                LABEL k=v false
              application/vnd.oci.image.layer.v1.tar+gzip
                700 5:6 opt/
                700 5:6 opt/bin/
                700 5:6 opt/bin/hello
              application/vnd.oci.image.layer.v1.tar+gzip
                755 0:0 srv/
              application/vnd.oci.image.layer.v1.tar+gzip
                755 0:0 srv/
                755 0:0 srv/conf/
                644 0:0 srv/conf/a.conf
                755 0:0 srv/conf/sub/
                644 0:0 srv/conf/sub/b.conf
        "#]],
    );
}

/// A tar of these files, and of a link to each that is followed by `->`.
fn tar_of(files: &[(&str, &str)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_mode(if name.ends_with('/') { 0o750 } else { 0o640 });
        header.set_uid(1000);
        header.set_gid(100);
        header.set_mtime(7);
        header.set_size(0);
        if let Some(to) = content.strip_prefix("-> ") {
            header.set_entry_type(tar::EntryType::Symlink);
            tar.append_link(&mut header, name, to).unwrap();
            continue;
        }
        if name.ends_with('/') {
            header.set_entry_type(tar::EntryType::Directory);
        }
        header.set_size(content.len() as u64);
        tar.append_data(&mut header, name, content.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(content).unwrap();
    gzip.finish().unwrap()
}

/// The layers of an image of this Dockerfile, in a project with archives.
fn check_layers(dockerfile: &str, expect: Expect) {
    let tree =
        tar_of(&[("./", ""), ("tmp/", ""), ("tmp/x/", ""), ("tmp/x/a", "aa"), ("usr/bin/sh", "-> /bin/busybox")]);
    let mut host = with_layout(host(), "base")
        .with_source("tree.tar", tree.clone())
        // Docker goes by what a file is, not by its name.
        .with_source("packed/tree.data", gzip(&tree))
        .with_source("packed/other.data", gzip(&tar_of(&[("other", "o")])))
        .with_source("empty.tar.gz", "")
        .with_source("tree.tar.xz", b"\xfd7zXZ\0")
        .with_source("out.tar", tar_of(&[("etc", "-> /etc"), ("etc/passwd", "root")]))
        .with_source("over.tar", tar_of(&[("usr", "a file")]));
    let steps = plan(&json!({ "dockerfile": "D", "platforms": ["linux/amd64"] }), Some(dockerfile), &host).unwrap();
    let mut shown = String::new();
    for step in &steps {
        match run_step::<Docker>(step, &mut host) {
            Ok(made) => made.iter().for_each(|artifact| show(artifact, &mut shown)),
            Err(failure) => writeln!(shown, "  failed: {failure}").unwrap(),
        }
    }
    // What stands in the config is another test's.
    let (mut layers, mut in_layer) = (String::new(), false);
    for line in shown.lines() {
        in_layer = if line.starts_with("  application/") { line.contains("layer") } else { in_layer };
        if in_layer || line.starts_with("  failed") {
            writeln!(layers, "{}", &line[2..]).unwrap();
        }
    }
    expect.assert_eq(&layers);
}

/// In the words of the Dockerfile reference: a local archive is "extracted as a directory", into the union of what is there
/// and of what is in it, "with conflicts resolved in favor" of the archive, and whether it is one is told "solely based on
/// the contents of the file".
#[test]
fn archives_that_are_unpacked() {
    check_layers(
        "FROM scratch\nADD tree.tar /opt/app\n",
        expect![[r#"
            application/vnd.oci.image.layer.v1.tar+gzip
              755 0:0 opt/
              755 0:0 opt/app/
              750 1000:100 opt/app/tmp/
              750 1000:100 opt/app/tmp/x/
              640 1000:100 opt/app/tmp/x/a
              755 0:0 opt/app/usr/
              755 0:0 opt/app/usr/bin/
              777 1000:100 opt/app/usr/bin/sh
        "#]],
    );
    check_layers(
        "FROM scratch\nADD --chown=5:6 --chmod=700 packed/*.data /opt/app/\n",
        expect![[r#"
            application/vnd.oci.image.layer.v1.tar+gzip
              755 5:6 opt/
              755 5:6 opt/app/
              640 5:6 opt/app/other
              750 5:6 opt/app/tmp/
              750 5:6 opt/app/tmp/x/
              640 5:6 opt/app/tmp/x/a
              755 5:6 opt/app/usr/
              755 5:6 opt/app/usr/bin/
              777 5:6 opt/app/usr/bin/sh
        "#]],
    );
    check_layers(
        "FROM oci:base\nADD tree.tar /\n",
        expect![[r#"
              application/vnd.oci.image.layer.v1.tar
                777 0:0 bin
                1777 0:0 tmp/
                755 0:0 usr/
                755 0:0 usr/bin/
              application/vnd.oci.image.layer.v1.tar+gzip
                750 1000:100 tmp/
                750 1000:100 tmp/x/
                640 1000:100 tmp/x/a
                755 0:0 usr/
                755 0:0 usr/bin/
                777 1000:100 usr/bin/sh
        "#]],
    );
    check_layers(
        "FROM scratch\nADD tree.tar /opt\nADD tree.tar LICENSE /opt/x/\n",
        expect![[r#"
            application/vnd.oci.image.layer.v1.tar+gzip
              755 0:0 opt/
              750 1000:100 opt/tmp/
              750 1000:100 opt/tmp/x/
              640 1000:100 opt/tmp/x/a
              755 0:0 opt/usr/
              755 0:0 opt/usr/bin/
              777 1000:100 opt/usr/bin/sh
            application/vnd.oci.image.layer.v1.tar+gzip
              755 0:0 opt/
              755 0:0 opt/x/
              644 0:0 opt/x/LICENSE
              750 1000:100 opt/x/tmp/
              750 1000:100 opt/x/tmp/x/
              640 1000:100 opt/x/tmp/x/a
              755 0:0 opt/x/usr/
              755 0:0 opt/x/usr/bin/
              777 1000:100 opt/x/usr/bin/sh
        "#]],
    );
}

#[test]
fn archives_that_are_copied() {
    check_layers(
        "FROM scratch\nCOPY tree.tar /a.tar\nADD empty.tar.gz /opt\nADD packed /in\n",
        expect![[r#"
              application/vnd.oci.image.layer.v1.tar+gzip
                644 0:0 a.tar
              application/vnd.oci.image.layer.v1.tar+gzip
                644 0:0 opt
              application/vnd.oci.image.layer.v1.tar+gzip
                755 0:0 in/
                644 0:0 in/other.data
                644 0:0 in/tree.data
        "#]],
    );
    check_layers(
        "FROM scratch\nADD --unpack=false tree.tar.xz /opt/\n",
        expect![[r#"
              application/vnd.oci.image.layer.v1.tar+gzip
                755 0:0 opt/
                644 0:0 opt/tree.tar.xz
        "#]],
    );
}

#[test]
fn archives_that_are_refused() {
    check_layers(
        "FROM scratch\nADD tree.tar.xz /\n",
        expect![[r#"
            application/vnd.oci.image.layer.v1.tar+gzip
              644 0:0 tree.tar.xz
        "#]],
    );
    check_layers(
        "FROM scratch\nADD out.tar /opt\n",
        expect![[r#"
              failed: `out.tar` can't be unpacked: `etc/passwd` leads out of `/opt`, through a link
        "#]],
    );
    check_layers(
        "FROM oci:base\nADD over.tar /\n",
        expect![[r#"
              failed: `over.tar` can't be unpacked: `usr` has no place in the image: `/usr` is a directory, which a file can't replace
        "#]],
    );
}

#[test]
fn stages() {
    check_images(
        json!({ "dockerfile": "Dockerfile", "platforms": ["linux/amd64"], "ids": [] }),
        Some(
            "ARG FROM=oci:base\nFROM golang AS Unused\nRUN make\nFROM scratch AS files\nARG X=1\nCOPY --chown=7:8 etc /app/\n\
             FROM $FROM AS certs\nWORKDIR /certs\nFROM Files\nARG X\nENV X=$X\nCOPY --from=1 /app/a* /one/\n\
             COPY --from=certs --chmod=700 /bin/ /certs /two/\nCOPY --from=oci:base --chown=5 /tmp /three\n",
        ),
        with_layout(host(), "base"),
        expect![[r#"
            base/linux/amd64 takes [] Content
              reads base
              base_image image_linux_amd64.base.json {"name":"oci:base","tree":"sha256:c6189299df30aa7def7ef227590fe2892c9c9c014502d7fd3cdbb94c8d852b3b"}
            stage/files/linux/amd64 takes [] Content
              reads etc
              base_image image_linux_amd64.stage_files.json {"name":"the stage `files`"}
            stage/certs/linux/amd64 takes ["image_linux_amd64.base.json"] Content
              base_image image_linux_amd64.stage_certs.json {"name":"the stage `certs`"}
            linux/amd64 takes ["image_linux_amd64.stage_files.json", "image_linux_amd64.stage_certs.json", "image_linux_amd64.base.json"] Content
              image image_linux_amd64.image.json {"media_type":"application/vnd.oci.image.manifest.v1+json","references":["ghcr.io/acme/hello:1.2.3"]}
              application/vnd.oci.image.manifest.v1+json {}
              application/vnd.oci.image.config.v1+json "linux"/"amd64" "2026-01-02T03:04:05Z"
                Env ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin","X=1"]
                Labels {"org.opencontainers.image.created":"2026-01-02T03:04:05Z","org.opencontainers.image.revision":"4805ca7d3b1f0c2e9a6858d1f7b2a04c6e93d1b5","org.opencontainers.image.title":"hello","org.opencontainers.image.version":"1.2.3"}
                WorkingDir "/"
                COPY --chown=7:8 etc /app/ true
                LABEL org.opencontainers.image.created=2026-01-02T03:04:05Z org.opencontainers.image.revision=4805ca7d3b1f0c2e9a6858d1f7b2a04c6e93d1b5 org.opencontainers.image.title=hello org.opencontainers.image.version=1.2.3 false
                ENV X=$X false
                COPY --from=1 /app/a* /one/ true
                COPY --from=certs --chmod=700 /bin/ /certs /two/ true
                COPY --from=oci:base --chown=5 /tmp /three true
              application/vnd.oci.image.layer.v1.tar+gzip
                755 7:8 app/
                644 7:8 app/a.conf
                755 7:8 app/sub/
                644 7:8 app/sub/b.conf
              application/vnd.oci.image.layer.v1.tar+gzip
                755 0:0 one/
                644 7:8 one/a.conf
              application/vnd.oci.image.layer.v1.tar+gzip
                700 0:0 two/
              application/vnd.oci.image.layer.v1.tar+gzip
                755 5:5 three/
        "#]],
    );
    check_images(
        json!({ "dockerfile": "Dockerfile", "platforms": ["linux/amd64"], "ids": [], "target": "files" }),
        Some("FROM scratch AS files\nCOPY LICENSE /\nFROM files\nRUN x\n"),
        host(),
        expect![[r#"
            linux/amd64 takes [] Content
              reads LICENSE
              image image_linux_amd64.image.json {"media_type":"application/vnd.oci.image.manifest.v1+json","references":["ghcr.io/acme/hello:1.2.3"]}
              application/vnd.oci.image.manifest.v1+json {}
              application/vnd.oci.image.config.v1+json "linux"/"amd64" "2026-01-02T03:04:05Z"
                Env ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
                Labels {"org.opencontainers.image.created":"2026-01-02T03:04:05Z","org.opencontainers.image.revision":"4805ca7d3b1f0c2e9a6858d1f7b2a04c6e93d1b5","org.opencontainers.image.title":"hello","org.opencontainers.image.version":"1.2.3"}
                WorkingDir "/"
                LABEL org.opencontainers.image.created=2026-01-02T03:04:05Z org.opencontainers.image.revision=4805ca7d3b1f0c2e9a6858d1f7b2a04c6e93d1b5 org.opencontainers.image.title=hello org.opencontainers.image.version=1.2.3 false
                COPY LICENSE / true
              application/vnd.oci.image.layer.v1.tar+gzip
                644 0:0 LICENSE
        "#]],
    );
    check_images(
        json!({ "dockerfile": "Dockerfile", "platforms": ["linux/amd64"], "ids": [] }),
        Some("FROM scratch AS files\nCOPY LICENSE /\nFROM scratch\nCOPY --from=files /license /\n"),
        host(),
        expect![[r#"
            stage/files/linux/amd64 takes [] Content
              reads LICENSE
              base_image image_linux_amd64.stage_files.json {"name":"the stage `files`"}
            linux/amd64 takes ["image_linux_amd64.stage_files.json"] Content
              failed: nothing in `files` is `/license` [] None
        "#]],
    );
}

#[test]
fn on_a_layout() {
    check_images(
        json!({ "dockerfile": "Dockerfile", "platforms": ["linux/amd64"] }),
        Some("FROM oci:base\nCOPY hello /bin/\nCOPY LICENSE .\nENV PATH=/x:$PATH L=$LANG\nENTRYPOINT [\"hello\"]\n"),
        with_layout(host(), "base"),
        expect![[r#"
            base/linux/amd64 takes [] Content
              reads base
              base_image image_linux_amd64.base.json {"name":"oci:base","tree":"sha256:c6189299df30aa7def7ef227590fe2892c9c9c014502d7fd3cdbb94c8d852b3b"}
            linux/amd64 takes ["image_linux_amd64.base.json", "hello_linux_amd64/hello"] Content
              reads LICENSE
              image image_linux_amd64.image.json {"media_type":"application/vnd.oci.image.manifest.v1+json","references":["ghcr.io/acme/hello:1.2.3"]}
              application/vnd.oci.image.manifest.v1+json {}
              application/vnd.oci.image.config.v1+json "linux"/"amd64" "2026-01-02T03:04:05Z"
                Entrypoint ["hello"]
                Env ["PATH=/x:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin","LANG=C","L=C"]
                Labels {"org.opencontainers.image.created":"2026-01-02T03:04:05Z","org.opencontainers.image.revision":"4805ca7d3b1f0c2e9a6858d1f7b2a04c6e93d1b5","org.opencontainers.image.title":"hello","org.opencontainers.image.version":"1.2.3"}
                WorkingDir "/srv"
                the base true
                LABEL org.opencontainers.image.created=2026-01-02T03:04:05Z org.opencontainers.image.revision=4805ca7d3b1f0c2e9a6858d1f7b2a04c6e93d1b5 org.opencontainers.image.title=hello org.opencontainers.image.version=1.2.3 false
                COPY hello /bin/ true
                COPY LICENSE . true
                ENV PATH=/x:$PATH L=$LANG false
                ENTRYPOINT ["hello"] false
              application/vnd.oci.image.layer.v1.tar
                777 0:0 bin
                1777 0:0 tmp/
                755 0:0 usr/
                755 0:0 usr/bin/
              application/vnd.oci.image.layer.v1.tar+gzip
                755 0:0 usr/
                755 0:0 usr/bin/
                755 0:0 usr/bin/hello
              application/vnd.oci.image.layer.v1.tar+gzip
                755 0:0 srv/
                644 0:0 srv/LICENSE
        "#]],
    );
    check_images(
        json!({ "base": "oci:base:latest", "platforms": ["linux/amd64"] }),
        None,
        with_layout(host(), "base"),
        expect![[r#"
            base/linux/amd64 takes [] Content
              reads base
              failed: `oci:base:latest` can't be the base ["nothing in it is named `latest`; nothing has a name"] None
        "#]],
    );
}

#[test]
fn what_lies_in_a_base_is_known_without_unpacking_it() {
    let mut host = with_layout(host(), "base");
    let settings = json!({ "base": "oci:base", "platforms": ["linux/amd64"], "bin_dir": "/bin" });
    let steps = plan(&settings, None, &host).unwrap();
    let base = run_step::<Docker>(&steps[0], &mut host).unwrap().remove(0);
    let Ok(Document::Manifest(manifest)) = Document::parse(&fs::read(&base.path).unwrap()) else {
        panic!("no manifest")
    };
    let layer = base.blobs.iter().find(|it| it.digest == manifest.layers[0].digest).unwrap();
    fs::write(&layer.path, "no tar any more").unwrap();
    let image = run_step::<Docker>(&steps[1], &mut host).unwrap().remove(0);
    let top =
        image.blobs.iter().rfind(|it| it.digest != layer.digest && !fs::read(&it.path).unwrap().starts_with(b"{"));
    let tar = flate2::read::MultiGzDecoder::new(fs::File::open(&top.unwrap().path).unwrap());
    let mut tar = tar::Archive::new(tar);
    let paths = tar.entries().unwrap().map(|it| it.unwrap().path().unwrap().display().to_string());
    assert_eq!(paths.collect::<Vec<_>>(), ["usr/", "usr/bin/", "usr/bin/hello"], "the link in the base is followed");
}

#[test]
fn on_an_image_of_a_registry() {
    let (index, blobs) = base_image(Family::Docker);
    let on_http = move |request: &forge_plugin::schemas::HttpRequest| {
        let last = request.url.rsplit('/').next().unwrap();
        let body = match last.parse::<Digest>() {
            Ok(digest) => blobs.get(&digest).cloned(),
            Err(_) => (last == "1").then(|| index.clone()),
        };
        match body {
            Some(body) => {
                HttpResponse { status: 200, body: String::from_utf8(body).unwrap(), ..HttpResponse::default() }
            }
            None => HttpResponse { status: 404, ..HttpResponse::default() },
        }
    };
    check_images(
        json!({ "base": "ghcr.io/acme/base:1", "platforms": ["linux/amd64"] }),
        None,
        host().on_http(on_http.clone()),
        expect![[r#"
            name/ghcr.io/acme/base:1 takes [] Never
              base_manifest image.bases/ghcr.io/acme/base_1.json {"name":"ghcr.io/acme/base:1"}
            base/linux/amd64/manifest takes ["image.bases/ghcr.io/acme/base_1.json"] Content
              base_image image_linux_amd64.base_manifest.json {"mounts":["ghcr.io/acme/base"],"name":"ghcr.io/acme/base:1"}
            base/linux/amd64 takes ["image_linux_amd64.base_manifest.json"] Content
              base_image image_linux_amd64.base.json {"mounts":["ghcr.io/acme/base"],"name":"ghcr.io/acme/base:1","tree":"sha256:c6189299df30aa7def7ef227590fe2892c9c9c014502d7fd3cdbb94c8d852b3b"}
            linux/amd64 takes ["image_linux_amd64.base_manifest.json", "hello_linux_amd64/hello"] Content
              image image_linux_amd64.image.json {"media_type":"application/vnd.docker.distribution.manifest.v2+json","mounts":["ghcr.io/acme/base"],"references":["ghcr.io/acme/hello:1.2.3"]}
              application/vnd.docker.distribution.manifest.v2+json {}
              application/vnd.docker.container.image.v1+json "linux"/"amd64" "2026-01-02T03:04:05Z"
                Entrypoint ["/usr/local/bin/hello"]
                Env ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin","LANG=C"]
                Labels {"org.opencontainers.image.created":"2026-01-02T03:04:05Z","org.opencontainers.image.revision":"4805ca7d3b1f0c2e9a6858d1f7b2a04c6e93d1b5","org.opencontainers.image.title":"hello","org.opencontainers.image.version":"1.2.3"}
                WorkingDir "/srv"
                the base true
                LABEL org.opencontainers.image.created=2026-01-02T03:04:05Z org.opencontainers.image.revision=4805ca7d3b1f0c2e9a6858d1f7b2a04c6e93d1b5 org.opencontainers.image.title=hello org.opencontainers.image.version=1.2.3 false
                COPY hello /usr/local/bin/ true
                ENTRYPOINT ["/usr/local/bin/hello"] false
              application/vnd.docker.image.rootfs.diff.tar elsewhere
              application/vnd.docker.image.rootfs.diff.tar.gzip
                755 0:0 usr/
                755 0:0 usr/local/
                755 0:0 usr/local/bin/
                755 0:0 usr/local/bin/hello
        "#]],
    );
    check_images(
        json!({ "base": "ghcr.io/acme/base:2", "platforms": ["linux/amd64"] }),
        None,
        host().on_http(on_http.clone()),
        expect![[r#"
            name/ghcr.io/acme/base:2 takes [] Never
              failed: the registry does not give `ghcr.io/acme/base:2`: status 404 [] Some("is the name of the base right, and its tag?")
        "#]],
    );
    check_images(
        json!({ "base": "ghcr.io/acme/base:1", "platforms": ["linux/arm64"] }),
        None,
        host().on_http(on_http),
        expect![[r#"
            name/ghcr.io/acme/base:1 takes [] Never
              base_manifest image.bases/ghcr.io/acme/base_1.json {"name":"ghcr.io/acme/base:1"}
            base/linux/arm64/manifest takes ["image.bases/ghcr.io/acme/base_1.json"] Content
              failed: `ghcr.io/acme/base:1` can't be the base ["it has no image for `linux/arm64`, only for `linux/amd64`"] None
        "#]],
    );
}

#[test]
fn mistakes_in_keys() {
    check_problems(
        json!({ "platforms": ["linux/x86_64", "linux/amd64", "linux/amd64", "darwin/arm64"] }),
        None,
        expect![[r#"
            platforms[0]: `linux/x86_64` has an unknown architecture, `x86_64`
                OCI calls it `amd64`
            platforms[2]: `linux/amd64` stands here twice
                leave one out
            platforms[3]: an image for `darwin/arm64` can't be made
                images are made for linux; those of other systems have layers of another form
        "#]],
    );
    check_problems(
        json!({ "images": ["ghcr.io/Acme/hello", "acme/hello:1"], "tags": ["{{ nope }}", "1+2"], "base": "Alpine",
            "files": [{ "src": "../x", "dst": "y", "mode": "rw" }], "ports": ["http"], "bin_dir": "bin" }),
        None,
        expect![[r#"
            base: `Alpine` is not a repository: it has capital letters
                write `alpine`
            files[0].dst: `y` is not an absolute path
                write `/y`
            files[0].mode: `rw` is not a mode
                write it in octal, as in `"0644"`
            files[0].src: `../x` lies outside of the project
                name the files and directories that the image needs
            bin_dir: `bin` is not an absolute path
                write `/bin`
            ports[0]: `http` is not a port
                write a port as in `"8080"` or `"53/udp"`
            tags[0]: undefined name `nope`
                -
            images[0]: `Acme/hello` is not a repository: it has capital letters in `ghcr.io/Acme/hello`
                write `acme/hello`
            images[1]: `acme/hello:1` has a tag
                write `tags = ["1"]`, and the repository alone here
        "#]],
    );
    check_problems(
        json!({ "dockerfile": "Dockerfile", "base": "alpine", "ports": ["80"], "images": [] }),
        Some("FROM scratch\n"),
        expect![[r#"
            base: `base` stands beside `dockerfile`
                write `FROM` in the Dockerfile, or leave `dockerfile` out
            ports: `ports` stands beside `dockerfile`
                write `EXPOSE` in the Dockerfile, or leave `dockerfile` out
            images: no images
                at least one must be there, and not be empty
        "#]],
    );
    check_problems(
        json!({ "build_args": { "A": "1" }, "tags": [""] }),
        None,
        expect![[r#"
        build_args: `build_args` without `dockerfile`
            only a Dockerfile has `ARG`s
        tags: no tags
            at least one must be there, and not be empty
    "#]],
    );
}

#[test]
fn mistakes_in_stages() {
    let text = "FROM scratch AS a\nCOPY --from=b /x /\nFROM scratch AS b\nCOPY --from=3 /x /\nCOPY --from=scratch /x /\n\
                COPY --from=a /x /\nFROM --platform=linux/s390x b\nCOPY --from=b /y /\n";
    check_problems(
        json!({ "dockerfile": "D" }),
        Some(text),
        expect![[r#"
        D:2 `b`: no stage before this one is `b`
            a stage copies from those that stand above it
        D:4 `3`: no stage before this one is `3`
            a stage copies from those that stand above it
        D:5 `scratch`: nothing lies in `scratch`
            name a stage or an image
    "#]],
    );
    check_problems(
        json!({ "dockerfile": "D", "target": "bb" }),
        Some(text),
        expect![[r#"
        target: `D` has no stage `bb`
            -
    "#]],
    );
    check_problems(
        json!({ "target": "a" }),
        None,
        expect![[r#"
        target: `target` without `dockerfile`
            only a Dockerfile has stages
    "#]],
    );
    check_problems(
        json!({ "dockerfile": "D" }),
        Some("FROM --platform=linux/x --x=y scratch AS x\nRUN x\nFROM --platform=linux/s390x x\n"),
        expect![[r#"
            D:1 `--platform=linux/x`: `linux/x` has an unknown architecture, `x`
                known are amd64, arm64, arm, 386, riscv64, ppc64le, ppc64, s390x, loong64, mips, mipsle, mips64, mips64le, wasm
            D:1 `--x=y`: `FROM` has no option `--x`
                known is `--platform`
            D:2 `x`: `x` needs an engine that runs programs
                forge runs no program; it does `mkdir`, `chmod`, `chown`, `ln -s`, `cp`, `mv`, `rm`, `touch`, `true`, `echo` and `printf` to a file, busybox's `adduser` and `addgroup`, Debian's `useradd` and `groupadd`, and Alpine's `apk add`, `apk del` and `apk update`, one after the other; for all else set `engine = "auto"`, and a program of this machine builds it (`buildx`, `docker`, `podman` or `buildah`)
        "#]],
    );
}

#[test]
fn mistakes_in_a_dockerfile() {
    let check = |text, expect| check_problems(json!({ "dockerfile": "D" }), Some(text), expect);
    check(
        "FROM scratch\nRUN apt-get update\nCOPY --from=x a b\nADD https://a/b /\nCOPY $TARGETARC/hello /\nONBUILD USER x\n\
         ADD --keep-git-dir a /\nCOPY --chown=me a /\nCOPY .. /\nEXPOSE http\nENV A\nHEALTHCHECK --interval=30 CMD x\n",
        expect![[r#"
            D:5 `$TARGETARC`: no variable `TARGETARC`
                write `ARG TARGETARCH` before it
            D:8 `--chown=me`: `me` is not the number of an owner
                write numbers, as in `--chown=65532:65532`
            D:9 `..`: `..` lies outside of the project
                name the files and directories that the image needs
            D:10 `http`: `http` is not a port
                write a port as in `8080` or `53/udp`
            D:11 `A`: `A` has no value
                write `NAME=VALUE`
            D:12 `--interval=30`: `30` is not a duration
                as in `--interval=30s`
            D:2 `apt-get`: `apt-get` needs an engine that runs programs
                forge runs no program; it does `mkdir`, `chmod`, `chown`, `ln -s`, `cp`, `mv`, `rm`, `touch`, `true`, `echo` and `printf` to a file, busybox's `adduser` and `addgroup`, Debian's `useradd` and `groupadd`, and Alpine's `apk add`, `apk del` and `apk update`, one after the other; for all else set `engine = "auto"`, and a program of this machine builds it (`buildx`, `docker`, `podman` or `buildah`)
            D:7 `--keep-git-dir`: `ADD --keep-git-dir` is not supported
                set `engine = "auto"`, and a program of this machine builds it (`buildx`, `docker`, `podman` or `buildah`); or copy files that lie in the project
        "#]],
    );
    check("FROM alpine AS a\nRUN x\nFROM scratch\nCOPY hello /\n", expect![""]);
    check(
        "FROM alpine AS a\nONBUILD RUN x\nFROM a\nCOPY hello /\n",
        expect![[r#"
            D:2 `x`: `x` needs an engine that runs programs
                forge runs no program; it does `mkdir`, `chmod`, `chown`, `ln -s`, `cp`, `mv`, `rm`, `touch`, `true`, `echo` and `printf` to a file, busybox's `adduser` and `addgroup`, Debian's `useradd` and `groupadd`, and Alpine's `apk add`, `apk del` and `apk update`, one after the other; for all else set `engine = "auto"`, and a program of this machine builds it (`buildx`, `docker`, `podman` or `buildah`)
        "#]],
    );
    check("FROM alpine\nSHELL [\"/bin/ash\", \"-c\"]\nCMD x\nONBUILD COPY x /\n", expect![""]);
    check(
        "FROM Alpine\n",
        expect![[r#"
            D:1 `Alpine`: `Alpine` is not a repository: it has capital letters
                write `alpine`
        "#]],
    );
    check(
        "ARG X\nFROM $X\n",
        expect![[r#"
        D:2 `$X`: `$X` is empty
            give its `ARG` a default, or a value in `build_args`
    "#]],
    );
    check(
        "FORM scratch\n",
        expect![[r#"
            D:1 `FORM scratch`: unknown instruction `FORM`
                did you mean `FROM`?
        "#]],
    );
    check(
        "",
        expect![[r#"
            D:1 ``: expected at least one FROM instruction
                begin with what it stands on, as in `FROM scratch`
        "#]],
    );
    check_problems(
        json!({ "dockerfile": "D", "build_args": { "VERSIN": "1" } }),
        Some("FROM scratch\nARG VERSION\n"),
        expect![[r#"
            build_args.VERSIN: `D` has no `ARG VERSIN`
                it has `ARG VERSION`
        "#]],
    );
}

/// Every text is a Dockerfile or has problems, each at bytes of the text.
fn check_total(text: &str, host: &FakeHost) {
    let problems = plan(&json!({ "dockerfile": "D" }), Some(text), host).err().unwrap_or_default();
    for problem in problems {
        if let Place::File { start, end, .. } = problem.place {
            assert!(text.get(start..end).is_some(), "{start}..{end} of {text:?}");
        }
    }
}

#[test]
fn any_text_is_read_or_refused() {
    let text = "\u{feff}# escape=`\nARG A=\"b c\" `\n  D\nFROM --platform=$TARGETPLATFORM scratch AS x\nCOPY [\"a\", \"/b é\"]\n\
        ENV A=${B:-c} D='e'\nHEALTHCHECK --interval=1s CMD a\nEXPOSE 1-2/udp\nLABEL a=\"b\" `\n # c\n d=e\nCOPY <<E /x\ny\nE\nCMD [\"a\"]\n";
    let host = host();
    for (at, char) in text.char_indices() {
        check_total(&text[..at], &host);
        check_total(&format!("{}{}", &text[..at], &text[at + char.len_utf8()..]), &host);
        for odd in ["\"", "'", "$", "${", "\\", "`", "\n", "[", "<<", "é", "\0", " "] {
            check_total(&format!("{}{odd}{}", &text[..at], &text[at..]), &host);
        }
    }
}

#[test]
fn what_a_table_takes() {
    let wants = takes_table::<Docker>(&with_defaults(json!({ "ids": ["hello"], "dockerfile": "D" }))).unwrap();
    let selectors: Vec<String> = wants
        .selectors
        .iter()
        .map(|it| format!("{} {:?} {:?} {}", it.kinds[0], it.tables, it.platforms, it.key))
        .collect();
    expect![[r#"
        binary ["hello"] [Platform { os: "linux", arch: "amd64", variant: None }, Platform { os: "linux", arch: "arm64", variant: None }] ids[0]
        binary ["hello"] [Platform { os: "linux", arch: "amd64", variant: None }] platforms[0]
        binary ["hello"] [Platform { os: "linux", arch: "arm64", variant: None }] platforms[1]"#]].assert_eq(&selectors.join("\n"));
    assert_eq!(wants.sources[0].path, "D");
}
