//! The pipe `publish` through the engine's HTTP client, at a real registry.
//! Does not know how artifacts are made: these are made here.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Barrier};

use forge_engine::registries::Registries;
use forge_engine::run::http::Http;
use forge_pipes::oci::manifest::{Descriptor, Family, Index, Manifest, PlatformFields};
use forge_pipes::publish::Publish;
use forge_plugin::testing::{FakeHost, plan_table, run_step, sample_facts};
use forge_schemas::kind::{Image, Kind as _, ManifestList, Member, Publication};
use forge_schemas::{Digest, Memory, Platform, Step};
use serde_json::json;

use crate::support::registry::Registry;

/// Two images and their list, published under these references.
fn host(references: &[String], mounts: &[String]) -> FakeHost {
    let http = Http::new(Registries::new(), Path::new("/"), Arc::new(|_| None));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let send = move |request: &_| runtime.block_on(http.send(request, std::future::pending())).unwrap();
    let mut host = FakeHost::new().on_http(send);
    let (mut descriptors, mut members, mut blobs) = (Vec::new(), Vec::new(), Vec::new());
    for arch in ["amd64", "arm64"] {
        let platform: Platform = format!("linux/{arch}").parse().unwrap();
        let config = json!({ "architecture": arch, "os": "linux", "rootfs": { "type": "layers", "diff_ids": [] } });
        let (config, layer) = (config.to_string().into_bytes(), format!("layer of {arch}").into_bytes());
        let layers = vec![Descriptor::of(Family::Oci.layer(), &layer)];
        let manifest = Manifest::new(Family::Oci, Descriptor::of(Family::Oci.config(), &config), layers).to_bytes();
        let mut descriptor = Descriptor::of(Family::Oci.manifest(), &manifest);
        descriptor.platform = Some(PlatformFields::from(&platform));
        let image = format!("image_{arch}");
        members.push(Member { image: image.clone(), platform: platform.clone(), digest: Some(descriptor.digest) });
        descriptors.push(descriptor);
        let detail = json!({ "references": references, "mounts": mounts });
        host = host.with_artifact(&image, Image::NAME, Some(platform), detail, &manifest, &[&config, &layer]);
        blobs.extend([config, layer, manifest]);
    }
    let list = Index::new(Family::Oci, descriptors).to_bytes();
    let blobs: Vec<&[u8]> = blobs.iter().map(Vec::as_slice).collect();
    let detail = json!({ "references": references, "members": members, "mounts": mounts });
    host.with_artifact("list", ManifestList::NAME, None, detail, &list, &blobs)
}

/// Runs those steps that are not remembered, or all.
fn publish(host: &mut FakeHost, which: impl Fn(&Step) -> bool) {
    let steps = plan_table::<Publish>(&json!({ "to": "registry" }), &sample_facts(), &host.offers(), &[]).unwrap();
    host.record().emitted.clear();
    for step in steps.iter().filter(|step| which(step)) {
        run_step::<Publish>(step, host).unwrap();
    }
}

/// How many requests of each method there were since the last time.
fn counted(host: &FakeHost) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for request in host.record().requests.drain(..) {
        *counts.entry(request.method.as_str()).or_default() += 1;
    }
    counts
}

#[test]
fn few_requests_and_none_too_many() {
    let registry = Registry::start();
    let reference = |tag: &str| format!("{}/acme/hello:{tag}", registry.address());
    let references = ["1.2.3", "latest"].map(reference);
    let mut host = host(&references, &[]);
    publish(&mut host, |_| true);
    // For each image: a question for itself and one for each of its two blobs, two uploads of two requests, a manifest.
    // Then a question for the list, and itself; then for each tag a question, a manifest, and a question whether it was kept.
    assert_eq!(counted(&host), [("HEAD", 2 + 4 + 1 + 2 * 2), ("POST", 4), ("PUT", 4 + 2 + 1 + 2)].into());

    // The second time one request a tag, and nothing uploaded.
    publish(&mut host, |step| step.memory == Memory::Never);
    assert_eq!(counted(&host), [("HEAD", references.len())].into());

    // Where nothing is remembered, one request more for each image and one for the list; still nothing uploaded.
    publish(&mut host, |_| true);
    assert_eq!(counted(&host), [("HEAD", 2 + 1 + references.len())].into());

    let raw = skopeo(&["inspect", "--tls-verify=false", "--raw", &format!("docker://{}", references[1])]);
    assert_eq!(Digest::of(raw.as_bytes()), published_digest(&host));
    let inspect = ["inspect", "--tls-verify=false", "--override-arch=arm64", "--format={{.Architecture}}"];
    let reference = format!("docker://{}", references[0]);
    assert_eq!(skopeo(&[&inspect[..], &[&reference]].concat()).trim(), "arm64");
}

#[test]
fn what_lies_in_another_repository_is_not_sent() {
    let registry = Registry::start();
    let name = |repository: &str| format!("{}/acme/{repository}", registry.address());
    publish(&mut host(&[format!("{}:1", name("base"))], &[]), |_| true);
    let mut host = host(&[format!("{}:1", name("hello"))], &[name("base")]);
    publish(&mut host, |_| true);
    // All four blobs are mounted, so that nothing is put but manifests.
    assert_eq!(counted(&host), [("HEAD", 2 + 4 + 1 + 2), ("POST", 4), ("PUT", 2 + 1 + 1)].into());
}

/// As images are that stand on one base, or have the same files.
#[test]
fn what_several_push_at_once_is_sent_once() {
    let mut registry = Registry::start();
    let references = [format!("{}/acme/hello:1", registry.address())];
    let ready = Barrier::new(3);
    std::thread::scope(|scope| {
        for mut host in [(); 3].map(|()| host(&references, &[])) {
            let ready = &ready;
            scope.spawn(move || {
                ready.wait();
                publish(&mut host, |step| step.memory != Memory::Never);
            });
        }
    });
    let begun = registry.requests().into_iter().filter(|it| it.starts_with("POST"));
    assert_eq!(begun.count(), 4);
}

#[test]
fn what_the_registry_has_lost_is_pushed_again() {
    let registry = Registry::start();
    let references = [format!("{}/acme/hello:1", registry.address())];
    let mut host = host(&references, &[]);
    publish(&mut host, |_| true);
    std::fs::remove_dir_all(registry.directory().join("blobs")).unwrap();
    publish(&mut host, |step| step.memory == Memory::Never);
    let raw = skopeo(&["inspect", "--tls-verify=false", "--raw", &format!("docker://{}", references[0])]);
    assert_eq!(Digest::of(raw.as_bytes()), published_digest(&host));
}

#[test]
fn a_layout_that_others_read() {
    let mut host = host(&["x.example/acme/hello:1".to_owned()], &[]);
    let settings = json!({ "to": "layout" });
    let steps = plan_table::<Publish>(&settings, &sample_facts(), &host.offers(), &[]).unwrap();
    run_step::<Publish>(&steps[0], &mut host).unwrap();
    let layout = format!("oci:{}:x.example/acme/hello:1", forge_plugin::Host::root(&host).join("dist/oci").display());
    let inspect = ["inspect", "--override-arch=arm64", "--format={{.Architecture}}", &layout];
    assert_eq!(skopeo(&inspect).trim(), "arm64");
}

/// What the last receipt says.
fn published_digest(host: &FakeHost) -> Digest {
    let record = host.record();
    record.emitted.iter().rev().find_map(|artifact| artifact.detail::<Publication>()?.digest).unwrap()
}

fn skopeo(arguments: &[&str]) -> String {
    let output = Command::new("skopeo").args(arguments).output().expect("skopeo is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
