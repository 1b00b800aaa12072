//! Layers of images that others stand on: they come here where somebody reads them, and to other registries where those lack them.
//! Does not know which steps that takes: it looks at what went over the wire, and at what others can read.

use std::fs;

use serde_json::Value;

use crate::support::olareg::Olareg;
use crate::support::program::run;
use crate::support::project::Project;
use crate::support::proxy::Proxy;
use crate::support::registry::Registry;
use crate::support::small;

const RELEASE: [&str; 2] = ["run", "release"];

/// Two images on this base, and the list over them, for this registry. `more` are keys of the image's table.
fn project(base: &str, registry: &str, more: &str) -> Project {
    let project = Project::of_text(&format!(
        "[project]\nname = 'on'\n[[build]]\ntool = 'command'\nargv = ['cp', 'on.sh', '{{{{ output }}}}']\n\
         platforms = ['linux/amd64', 'linux/arm64']\nsources = ['on.sh']\n\
         [[docker]]\nid = 'image'\nimages = ['{registry}/acme/on']\ntags = ['1']\nplatforms = ['linux/amd64', 'linux/arm64']\n\
         base = '{base}'\n{more}\n[[docker_manifest]]\nid = 'list'\nimage = 'image'\n[[publish]]\nid = 'all'\nto = 'registry'\n"
    ));
    project.write("on.sh", "#!/bin/sh\n");
    project.write("Dockerfile", "FROM scratch\n");
    project.tagged("v1.0.0")
}

/// A registry with a base in it, which names its layers: `small`, released.
struct Bases {
    registry: Registry,
    layers: Vec<String>,
}

impl Bases {
    fn new() -> Bases {
        let registry = Registry::start();
        small::project(registry.address()).forge(&RELEASE).expect(0);
        let mut layers = Vec::new();
        let list = registry.manifest("acme/small:latest");
        for member in list["manifests"].as_array().expect("a list") {
            let digest = member["digest"].as_str().expect("a digest");
            layers.extend(layers_of(&registry.manifest(&format!("acme/small@{digest}"))));
        }
        Bases { registry, layers }
    }

    /// What was asked about its layers since the last time.
    fn asked(&self, proxy: &Proxy) -> Vec<String> {
        let seen = proxy.seen();
        let lines: Vec<&str> = seen.iter().map(|it| it.line.as_str()).collect();
        // A registry that several images reach at once sometimes fails, and is asked again.
        let mut methods: Vec<String> = (0..lines.len())
            .filter(|at| self.layer_of(lines[*at]).is_some() && !status(lines[*at]).starts_with('5'))
            .filter(|at| !self.was_lost(&lines[..*at], lines[*at]))
            .map(|at| method(lines[at]).to_owned())
            .collect();
        methods.sort();
        methods
    }

    /// The layer that a request is about, where it is about one of these.
    fn layer_of(&self, line: &str) -> Option<&String> {
        self.layers.iter().find(|it| line.contains(it.trim_start_matches("sha256:")))
    }

    /// Whether this mounts a layer again: what two images put at once, this registry does not find for a moment. Then it
    /// refuses the manifest, and gets all that the image consists of once more.
    fn was_lost(&self, before: &[&str], line: &str) -> bool {
        let is_refused = |it: &&str| it.starts_with("PUT ") && it.contains("/manifests/") && status(it) == "400";
        let had = |it: &&str| {
            self.layer_of(it) == self.layer_of(line)
                && matches!((method(it), status(it)), ("HEAD", "200") | ("mount", "201"))
        };
        method(line) == "mount" && before.iter().any(is_refused) && before.iter().any(had)
    }
}

fn method(line: &str) -> &str {
    if line.contains("mount=") { "mount" } else { line.split(' ').next().unwrap_or_default() }
}

fn status(line: &str) -> &str {
    line.rsplit(' ').next().unwrap_or_default()
}

fn layers_of(manifest: &Value) -> Vec<String> {
    let layers = manifest["layers"].as_array().expect("layers").iter();
    layers.map(|it| it["digest"].as_str().expect("a digest").to_owned()).collect()
}

/// The digests of what was made of these kinds.
fn made(project: &Project, kind: &str) -> Vec<String> {
    project.digests().into_iter().filter(|it| it.starts_with(&format!("{kind} "))).collect()
}

/// How many of these layers the store has.
fn stored(project: &Project, layers: &[String]) -> usize {
    let blobs = project.root().join(".forge/store/blobs/sha256");
    layers.iter().filter(|it| blobs.join(it.trim_start_matches("sha256:")).exists()).count()
}

/// Whether others can read the image for each platform whole: every layer is fetched and compared with its digest.
#[track_caller]
fn check_whole(registry: &str, repository: &str) {
    let place = tempfile::tempdir().expect("a temporary directory");
    let (from, to) = (format!("docker://{registry}/{repository}:1"), format!("oci:{}", place.path().display()));
    run(["skopeo", "copy", "--quiet", "--all", "--src-tls-verify=false", &from, &to]);
}

#[test]
fn what_the_registry_has_is_mounted_and_never_fetched() {
    let bases = Bases::new();
    let proxy = Proxy::start(bases.registry.address());
    let project = project(&format!("{}/acme/small:latest", proxy.address()), proxy.address(), "");
    project.forge(&RELEASE).expect(0);
    assert_eq!(bases.asked(&proxy), ["HEAD", "HEAD", "mount", "mount"]);
    assert_eq!(stored(&project, &bases.layers), 0);
    check_whole(bases.registry.address(), "acme/on");
    // What the record and the lists name is there; what is elsewhere is not missed.
    project.forge(&["store", "verify"]).expect(0);
    let shown = project.forge(&["images"]).expect(0).stdout;
    assert!(shown.contains("image_linux_arm64.image.json"), "{shown}");
    let is_shown = |layer: &String, place: &str| shown.lines().any(|it| it.contains(layer) && it.contains(place));
    assert!(bases.layers.iter().all(|it| is_shown(it, " in the registry")), "{shown}");
    project.forge(&["clean"]).expect(0);
    drop(proxy.seen());
    project.forge(&RELEASE).expect(0);
    assert_eq!(bases.asked(&proxy), [""; 0]);

    // Another program: the registry is asked whether it has the layers below, and no more.
    project.write("on.sh", "#!/bin/sh\necho other\n");
    project.retag("v1.0.1");
    project.forge(&RELEASE).expect(0);
    assert_eq!(bases.asked(&proxy), ["HEAD", "HEAD"]);
    assert_eq!(stored(&project, &bases.layers), 0);
}

#[test]
fn the_image_is_the_same_whether_its_base_is_here_or_not() {
    let bases = Bases::new();
    let proxy = Proxy::start(bases.registry.address());
    let base = format!("{}/acme/small:latest", proxy.address());
    let project = project(&base, proxy.address(), "");
    project.forge(&RELEASE).expect(0);
    let (images, lists) = (made(&project, "image"), made(&project, "manifest_list"));
    assert_eq!(images.len(), 2);
    drop(proxy.seen());

    // Without a publication the base is brought here, and others can read the store; the image stays as it is.
    let events = project.forge(&["run", "docker", "docker_manifest", "--json"]).expect(0);
    assert!(events.outcomes().contains(&"docker:image/linux/amd64 fresh".to_owned()), "{:?}", events.outcomes());
    assert_eq!(bases.asked(&proxy), ["GET", "GET"]);
    assert_eq!((made(&project, "image"), made(&project, "manifest_list")), (images, lists));
    assert_eq!(stored(&project, &bases.layers), bases.layers.iter().collect::<std::collections::BTreeSet<_>>().len());
    let place = tempfile::tempdir().expect("a temporary directory");
    let from = format!("oci:{}:list.index.json", project.root().join(".forge/store").display());
    run(["skopeo", "copy", "--quiet", "--all", &from, &format!("oci:{}", place.path().display())]);
    assert!(!project.forge(&["images"]).expect(0).stdout.contains("in the registry"));
    project.forge(&["run", "docker", "docker_manifest"]).expect(0);
    assert_eq!(bases.asked(&proxy), [""; 0]);
    project.forge(&["store", "verify"]).expect(0);
}

#[test]
fn another_registry_gets_what_it_lacks() {
    let (bases, other) = (Bases::new(), Olareg::start());
    let from = Proxy::start(bases.registry.address());
    let to = Proxy::start(other.address());
    let project = project(&format!("{}/acme/small:latest", from.address()), to.address(), "");
    project.forge(&["run", "docker", "--snapshot"]).expect(0);
    assert_eq!(bases.asked(&from), ["GET", "GET"]);
    // They are here already.
    project.forge(&RELEASE).expect(0);
    assert_eq!(bases.asked(&from), [""; 0]);
    assert_eq!(bases.asked(&to), ["HEAD", "HEAD", "PUT", "PUT"]);
    check_whole(other.address(), "acme/on");

    // Where they are not, they pass through, and stay nowhere; nothing else of what it needs is made again.
    let third = Registry::start();
    let project = self::project(&format!("{}/acme/small:latest", from.address()), third.address(), "");
    project.forge(&["run", "docker_manifest"]).expect(0);
    for layer in &bases.layers {
        let blob = project.root().join(".forge/store/blobs/sha256").join(layer.trim_start_matches("sha256:"));
        drop(fs::remove_file(blob));
    }
    drop(from.seen());
    project.forge(&["run", "publish", "--only"]).expect(0);
    assert_eq!(bases.asked(&from), ["GET", "GET"]);
    assert_eq!(stored(&project, &bases.layers), 0);
    check_whole(third.address(), "acme/on");
}

#[test]
fn what_reads_the_base_fetches_it_once() {
    let bases = Bases::new();
    let proxy = Proxy::start(bases.registry.address());
    let project = project(&format!("{}/acme/small:latest", proxy.address()), proxy.address(), "bin_dir = '/opt/on'");
    project.forge(&RELEASE).expect(0);
    let asked = bases.asked(&proxy);
    assert_eq!(asked, ["GET", "GET", "HEAD", "HEAD", "mount", "mount"]);
    project.write("on.sh", "#!/bin/sh\necho other\n");
    project.retag("v1.0.1");
    project.forge(&RELEASE).expect(0);
    assert_eq!(bases.asked(&proxy), ["HEAD", "HEAD"]);
}

#[test]
fn a_key_says_that_nobody_reads_it() {
    let bases = Bases::new();
    let proxy = Proxy::start(bases.registry.address());
    let keys = "bin_dir = '/opt/on'\nlink = true\nfiles = [{ src = 'on.sh', dst = '/etc/on/' }]";
    let project = project(&format!("{}/acme/small:latest", proxy.address()), proxy.address(), keys);
    project.forge(&RELEASE).expect(0);
    assert_eq!(bases.asked(&proxy), ["HEAD", "HEAD", "mount", "mount"]);
    check_whole(bases.registry.address(), "acme/on");
}

/// What is asked about the layers of the base for an image of this Dockerfile, in which `BASE` names it.
#[track_caller]
fn check(bases: &Bases, dockerfile: &str, keys: &str, expect: &[&str]) {
    let proxy = Proxy::start(bases.registry.address());
    let base = format!("{}/acme/small:latest", proxy.address());
    let project = project(&base, proxy.address(), keys);
    if !dockerfile.is_empty() {
        let text = fs::read_to_string(project.root().join("forge.toml")).expect("a project file");
        project.write("forge.toml", &text.replace(&format!("base = '{base}'"), "dockerfile = 'Dockerfile'"));
        project.write("Dockerfile", &dockerfile.replace("BASE", &base));
    }
    // Where no other test has put it.
    let to = format!("{}/acme/on-{}", proxy.address(), proxy.address().rsplit(':').next().expect("a port"));
    let text = fs::read_to_string(project.root().join("forge.toml")).expect("a project file");
    project.write("forge.toml", &text.replace(&format!("{}/acme/on'", proxy.address()), &format!("{to}'")));
    project.retag("v1.0.1");
    project.forge(&RELEASE).expect(0);
    assert_eq!(bases.asked(&proxy), expect, "{dockerfile}{keys}");
}

#[test]
fn who_reads_a_base() {
    let bases = Bases::new();
    let (unread, read) = (["HEAD", "HEAD", "mount", "mount"], ["GET", "GET", "HEAD", "HEAD", "mount", "mount"]);
    check(&bases, "FROM BASE\nENV A=b\nWORKDIR /\nCOPY --link on.sh /opt/\n", "", &unread);
    check(&bases, "FROM BASE AS a\nENV A=b\nFROM a\nCOPY --link --chown=1:2 on.sh /opt/\n", "", &unread);
    check(&bases, "FROM BASE\nCOPY on.sh /opt/\n", "", &read);
    check(&bases, "FROM BASE\nCOPY --link --chmod=700 on.sh /opt/\n", "", &read);
    check(&bases, "FROM BASE\nWORKDIR /opt\n", "", &read);
    check(&bases, "FROM scratch\nCOPY --from=BASE /usr/local/bin/* /\n", "", &["GET", "GET"]);
    check(&bases, "FROM BASE AS a\nENV A=b\nFROM scratch\nCOPY --from=a /usr/local/bin/* /\n", "", &["GET", "GET"]);
    check(&bases, "", "hooks = { after = [['test', '-e', '{{ layout }}/index.json']] }", &read);
}

#[test]
fn what_a_base_has_done_by_those_that_stand_on_it_may_read_it() {
    let bases = Bases::new();
    let registry = bases.registry.address();
    let text = |name: &str| {
        format!(
            "[project]\nname = '{name}'\n[[docker]]\nids = []\nimages = ['{registry}/{name}']\ntags = ['1']\n\
             platforms = ['linux/amd64']\ndockerfile = 'Dockerfile'\n[[publish]]\nto = 'registry'\n"
        )
    };
    let onbuild = Project::of_text(&text("onbuild"));
    onbuild.write("Dockerfile", "FROM scratch\nCOPY Dockerfile /etc/passwd\nONBUILD WORKDIR /made\n");
    onbuild.tagged("v1.0.0").forge(&RELEASE).expect(0);
    let project = Project::of_text(&text("on"));
    project.write("Dockerfile", &format!("FROM {registry}/onbuild:1\nENV A=b\n"));
    let project = project.tagged("v1.0.0");
    project.forge(&RELEASE).expect(0);
    assert_eq!(layers_of(&bases.registry.manifest("on:1")).len(), 2);
    check_whole(registry, "on");
}

#[test]
fn a_layout_has_all_of_it() {
    let bases = Bases::new();
    let proxy = Proxy::start(bases.registry.address());
    let project = project(&format!("{}/acme/small:latest", proxy.address()), proxy.address(), "");
    let text = fs::read_to_string(project.root().join("forge.toml")).expect("a project file");
    project.write("forge.toml", &format!("{text}[[publish]]\nid = 'tar'\nto = 'layout'\npath = 'dist/on.tar'\n"));
    project.retag("v1.0.1");
    project.forge(&RELEASE).expect(0);
    let asked = bases.asked(&proxy);
    assert_eq!(asked.iter().filter(|it| *it == "GET").count(), 2, "{asked:?}");
    let place = tempfile::tempdir().expect("a temporary directory");
    let from = format!("oci-archive:{}", project.root().join("dist/on.tar").display());
    run(["skopeo", "copy", "--quiet", "--all", &from, &format!("oci:{}", place.path().display())]);
}

#[test]
fn a_base_that_is_gone_is_told_of() {
    let (bases, other) = (Bases::new(), Registry::start());
    let from = Proxy::start(bases.registry.address());
    let tables = format!("[registries.\"{}\"]\npatience = 1\n", from.address());
    let project = project(&format!("{}/acme/small:latest", from.address()), other.address(), "");
    let text = fs::read_to_string(project.root().join("forge.toml")).expect("a project file");
    project.write("forge.toml", &format!("{text}{tables}"));
    project.retag("v1.0.1");
    let gone = crate::support::proxy::Fault::Answer("404 Not Found", Vec::new(), "");
    from.fault("GET", "/blobs/sha256:", 3..=usize::MAX, gone);
    let said = project.forge(&RELEASE).expect(1).stderr;
    for words in ["stands on a base that was never fetched", "is that still there, and may one read it?"] {
        assert!(said.contains(words), "`{words}` is missing\n{said}");
    }
    assert!(other.contents().tags().is_empty());
    from.heal();
    project.forge(&RELEASE).expect(0);
    check_whole(other.address(), "acme/on");
}
