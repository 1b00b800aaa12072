//! A project whose files go into a bucket, and what is true of all buckets: harm that is done to a release, and what is there after it.
//! Does not know whose bucket it is.

use super::forge::Ended;
use super::killed::kill_release_at;
use super::project::Project;
use super::proxy::{Fault, Proxy, Seen};

/// A store with a bucket, in which nothing is at first.
pub trait Store {
    /// Starts one.
    fn start() -> Self;
    /// One with another bucket.
    fn another(&self) -> Self;
    /// Host and port.
    fn address(&self) -> &str;
    /// What stands in the table `[[publish]]` of a project that gets to it by this host and port.
    fn table(&self, address: &str) -> String;
    /// The secrets that are named there, which are called as their variables.
    fn secrets(&self) -> Vec<(&'static str, String)>;
    /// What others find in the bucket: key and digest of each object.
    fn has(&self) -> Vec<String>;
}

/// How a store is asked for things, in words of the requests: a method, and what is part of the address.
pub struct Ways {
    /// To take a part.
    pub part: (&'static str, &'static str),
    /// To make an object of its parts.
    pub object: (&'static str, &'static str),
}

const BUILDS: &str = r#"
[[build]]
id = "one"
binary = "one"
tool = "command"
argv = ["sh", "-c", "echo one > $FORGE_OUTPUT"]
platforms = ["linux/amd64"]

[[build]]
id = "two"
binary = "two~rc+1"
tool = "command"
argv = ["sh", "-c", "head -c 9000000 /dev/zero > $FORGE_OUTPUT"]
platforms = ["linux/amd64"]

[[checksum]]
kinds = ["binary"]

[[publish]]
kinds = ["binary"]
path = "{{ name }}/{{ version }}/{{ os }}{{ artifact }}"
reveal = true
"#;

/// What is there after a release.
pub const RELEASED: &[&str] = &[
    "hello/1.2.3/hello_1.2.3_checksums.txt 76950116fe5daaf1757370fff3b4498a352bf4f4169d91b02df83a258a0a6068",
    "hello/1.2.3/linuxone 2c8b08da5ce60398e1f19af0e5dccc744df274b826abe585eaba68c525434806",
    "hello/1.2.3/linuxtwo~rc+1 177ffe9ef4bc54e6880afccabfbdb0273a15b89c0e663eabeeb8e9cda211f21f",
];

/// The project, released to a store that is got at by this host and port.
pub fn project(store: &impl Store, address: &str) -> Project {
    project_of(&text(store, address), store)
}

/// The same with another text.
pub fn project_of(text: &str, store: &impl Store) -> Project {
    let project = Project::of_text(text);
    store.secrets().iter().fold(project, |project, (name, value)| project.env(name, value)).tagged("v1.2.3")
}

/// Its project file.
pub fn text(store: &impl Store, address: &str) -> String {
    let names: Vec<&str> = store.secrets().iter().map(|(name, _)| *name).collect();
    let secrets: String = names.iter().map(|name| format!("{name} = {{ env = \"{name}\" }}\n")).collect();
    let head = format!("[project]\nname = \"hello\"\n\n[secrets]\n{secrets}");
    format!("{head}{BUILDS}secrets = {names:?}\n{}\n", store.table(address))
}

/// Releases it.
pub fn release(project: &Project) -> Ended {
    project.forge(&["run", "release", "--json"])
}

/// A release: parts first, objects when all are there, and what it hashes to last. Another finds nothing to do.
#[track_caller]
pub fn check_release(store: &impl Store, ways: &Ways) {
    let proxy = Proxy::start(store.address());
    let project = project(store, proxy.address());
    let seen = || -> Vec<String> { proxy.seen().into_iter().map(|it| it.line).collect() };
    release(&project).expect(0);
    assert_eq!(store.has(), RELEASED);
    let lines = seen();
    let asks = |line: &&String, way: (&str, &str)| line.starts_with(way.0) && line.contains(way.1);
    let last_part = lines.iter().rposition(|it| asks(&it, ways.part)).expect("a part");
    let objects: Vec<usize> = (0..lines.len()).filter(|it| asks(&&lines[*it], ways.object)).collect();
    assert!(objects.len() == 3 && last_part < objects[0], "{lines:#?}");
    // Sums come last: who finds them finds all.
    assert!(lines[objects[2]].contains("checksums"), "{lines:#?}");

    // Nothing to do: what is there is asked, and nothing is changed.
    release(&project).expect(0);
    let lines = seen();
    assert!(!lines.is_empty() && lines.iter().all(|it| it.starts_with("HEAD")), "{lines:#?}");

    // Nor where nothing is remembered: no part is sent in vain.
    std::fs::remove_dir_all(project.root().join(".forge")).expect("what is remembered");
    release(&project).expect(0);
    let lines = seen();
    assert!(!lines.is_empty() && lines.iter().all(|it| it.starts_with("HEAD") || it.starts_with("GET")), "{lines:#?}");
    assert_eq!(store.has(), RELEASED);
}

/// A release that ends before anything is built, because of this. Answers all that it has said.
#[track_caller]
pub fn check_refused(store: &impl Store, project: &Project, because: &str) -> String {
    let ended = release(project).expect(1);
    let all = format!("{}{}", ended.stdout, ended.stderr);
    assert!(all.contains(because), "{all}");
    assert!(ended.outcomes().iter().all(|it| !it.ends_with(" done")), "{all}");
    assert_eq!(store.has(), [""; 0]);
    all
}

/// One release through a proxy that does this; then another run, if the first has failed.
#[track_caller]
pub fn check_fault<S: Store>(store: &S, (method, place): (&'static str, &'static str), fault: Fault) -> S {
    let store = store.another();
    let proxy = Proxy::start(store.address());
    let project = project(&store, proxy.address());
    proxy.fault(method, place, 1..=1, fault);
    let ended = release(&project);
    let is_asked = |it: &Seen| it.line.starts_with(method) && it.line.contains(place);
    assert!(proxy.seen().iter().any(is_asked), "{method} {place} was never asked");
    if ended.code != Some(0) {
        proxy.heal();
        release(&project).expect(0);
    }
    assert_eq!(store.has(), RELEASED, "{method} {place}");
    store
}

/// A release that is killed when this is asked for, and another run.
#[track_caller]
pub fn check_kill<S: Store>(store: &S, (method, place): (&'static str, &'static str)) -> S {
    let store = store.another();
    let proxy = Proxy::start(store.address());
    let project = project(&store, proxy.address());
    kill_release_at(&project, &proxy, method, place);
    release(&project).expect(0);
    assert_eq!(store.has(), RELEASED, "{method} {place}");
    store
}

/// What others have put there is replaced only where the user says so. Objects are called by `url` and their key.
#[track_caller]
pub fn check_replace(store: &impl Store, url: &str) {
    release(&project(store, store.address())).expect(0);
    let other = project_of(&text(store, store.address()).replace("echo one", "echo other"), store);
    let ended = release(&other).expect(1);
    assert!(ended.stdout.contains("is there, and"), "{}", ended.stdout);
    assert_eq!(store.has(), RELEASED);
    let of = |name: &str| format!("{url}hello/1.2.3/{name}");
    let (one, sums) = (of("linuxone"), of("hello_1.2.3_checksums.txt"));
    other.forge(&["run", "release", "--json", "--replace", &one, "--replace", &sums]).expect(0);
    assert_ne!(store.has()[1], RELEASED[1]);
    assert_eq!(store.has()[2], RELEASED[2]);
}
