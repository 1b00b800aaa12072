//! Files in a container of Azure Blob Storage: blocks first, which nobody sees, and blobs when all of them are there.
//! Does not know what is the same for all buckets: `support/bucket.rs` does.

use std::path::Path;

use crate::support::azure::{ACCOUNT, Azurite, SAS};
use crate::support::bucket::{
    RELEASED, Store as _, Ways, check_fault, check_kill, check_refused, check_release, check_replace, project,
    project_of, release, text,
};
use crate::support::certificates;
use crate::support::project::Project;
use crate::support::proxy::{Fault, Proxy};

const BLOCK: (&str, &str) = ("PUT", "comp=block&");
const BLOB: (&str, &str) = ("PUT", "comp=blocklist");
const ONE: &str = "hello/1.2.3/linuxone";
/// As CI gets one: good for the storage of Azure from 2020 to 2099, by Azure's issuer. The emulator reads it, and looks at no signature.
const TOKEN: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJodHRwczovL3N0b3JhZ2UuYXp1cmUuY29tIiwiaXNzIjoiaHR0cHM6Ly9zdHMud2luZG93cy5\
                     uZXQvYWIxZjcwOGQtNTBmNi00MDRjLWEwMDYtZDcxYjJhYzdhNjA2LyIsImlhdCI6MTU3NzgzNjgwMCwibmJmIjoxNTc3ODM2ODAwLCJleHAiOjQwNzA5MDg\
                     4MDB9.c2lnbmF0dXJl";

#[test]
fn blocks_first_and_blobs_when_all_are_there() {
    let store = Azurite::start();
    check_release(&store, &Ways { part: BLOCK, object: BLOB });
}

#[test]
fn what_is_said_about_a_blob_stands_beside_it() {
    let store = Azurite::start();
    let proxy = Proxy::start(store.address());
    let text = text(&store, proxy.address()).replace("echo one", ":") + "cache_control = \"no-cache\"\n";
    release(&project_of(&text, &store)).expect(0);
    // What each block hashes to, which the server compares.
    let blocks: Vec<_> = proxy.seen().into_iter().filter(|it| it.line.contains("comp=block&")).collect();
    assert!(blocks.len() == 3 && blocks.iter().all(|it| it.head.contains("content-md5: ")));
    // This one is empty, and has no block.
    let head = store.ask("GET", ONE, "a=b", "").head;
    for line in [
        "content-length: 0",
        "content-type: application/octet-stream",
        "cache-control: no-cache",
        "x-ms-meta-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ] {
        assert!(head.lines().any(|it| it == line), "no `{line}`: {head}");
    }
    let sums = store.ask("GET", "hello/1.2.3/hello_1.2.3_checksums.txt", "a=b", "").head;
    assert!(sums.contains("content-type: text/plain; charset=utf-8"), "{sums}");
}

#[test]
fn with_a_key_of_somebody_else_or_none_nothing_is_built() {
    let store = Azurite::start();
    let with_key = |key: &str| project(&store, store.address()).env("azure_key", key);
    let all = check_refused(&store, &with_key("YW5vdGhlciBrZXk="), "answers 403: AuthorizationFailure");
    assert!(!all.contains("YW5vdGhlciBrZXk="), "{all}");
    check_refused(&store, &with_key("no key at all"), "the secret `azure_key` is no access key of a storage account");
    for (by, secret, because) in [
        ("sas", "sv=2023-11-03&ss=b", "the secret `azure_key` is no shared access signature"),
        ("token", "{ \"accessToken\": \"eyJ0\" }", "the secret `azure_key` is no access token"),
    ] {
        let text = text(&store, store.address()).replace("\nkey = ", &format!("\n{by} = "));
        check_refused(&store, &project_of(&text, &store).env("azure_key", secret), because);
    }
}

#[test]
fn where_there_is_no_container_nothing_is_built() {
    let store = Azurite::start();
    let text = text(&store, store.address()).replace(store.container(), "elsewhere");
    check_refused(&store, &project_of(&text, &store), "answers 404: ContainerNotFound");
}

/// It may not list, and is told to nobody.
#[test]
fn by_a_shared_access_signature() {
    let store = Azurite::start();
    let proxy = Proxy::start(store.address());
    let text = text(&store, proxy.address()).replace("\nkey = ", "\nsas = ");
    let project = project_of(&text, &store).env("azure_key", SAS);
    let ended = release(&project).expect(0);
    assert_eq!(store.has(), RELEASED);
    let signature = SAS.rsplit_once("sig=").map(|(_, it)| it.trim_end_matches("%3D")).expect("a signature");
    let seen: Vec<String> = proxy.seen().into_iter().map(|it| it.line).collect();
    assert!(seen.iter().all(|it| it.contains(signature)), "{seen:#?}");
    assert!(seen.iter().any(|it| it.contains("comp=list&") && it.ends_with(" 403")), "{seen:#?}");
    proxy.stop();
    // What can't be reached is told, and its address is not.
    let gone = release(&project).expect(1);
    assert!(gone.stdout.contains("can't connect"), "{}", gone.stdout);
    let told = [ended.stdout, ended.stderr, gone.stdout, gone.stderr, everything_in(&project.root().join(".forge"))];
    assert!(told.iter().all(|it| !it.contains(signature)));
}

fn everything_in(directory: &Path) -> String {
    let files = ignore::WalkBuilder::new(directory).standard_filters(false).build();
    let files = files.map(|it| it.expect("a directory that can be listed").into_path()).filter(|it| it.is_file());
    files.map(|it| String::from_utf8_lossy(&std::fs::read(it).expect("a file can be read")).into_owned()).collect()
}

/// The emulator takes one only where TLS is spoken.
#[test]
fn by_the_token_of_an_identity() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    certificates::make(directory.path());
    let store = Azurite::start_for_tokens(directory.path());
    let registries =
        format!("\n[registries.\"{}\"]\nca = \"{}\"\n", store.address(), directory.path().join("ca.pem").display());
    let text = text(&store, store.address()).replace("\nkey = ", "\ntoken = ").replace("http://", "https://");
    let with = |token: &str| project_of(&format!("{text}{registries}"), &store).env("azure_key", token);
    check_refused(&store, &with("no-token-at-all"), "answers 403: AuthenticationFailed");
    release(&with(TOKEN)).expect(0);
    assert_eq!(store.has(), RELEASED);
}

#[test]
fn c1_a_reply_is_lost() {
    let store = Azurite::start();
    check_fault(&store, BLOCK, Fault::LostReply);
    check_fault(&store, BLOB, Fault::LostReply);
}

#[test]
fn c2_a_block_is_cut() {
    check_fault(&Azurite::start(), ("PUT", "two"), Fault::CutRequest(4_000_000));
}

#[test]
fn c3_the_server_has_no_time() {
    let store = Azurite::start();
    for way in [("HEAD", "/linuxone"), BLOCK, BLOB] {
        let busy = "<?xml version=\"1.0\"?><Error><Code>ServerBusy</Code></Error>";
        check_fault(&store, way, Fault::Answer("503 The server is busy.", vec![], busy));
    }
}

#[test]
fn c6_what_is_no_success_is_none() {
    let store = Azurite::start();
    for (way, answer) in [(BLOCK, "404 Not Found"), (BLOB, "404 Not Found"), (BLOCK, "307 Temporary Redirect")] {
        let proxy = Proxy::start(store.address());
        proxy.fault(way.0, way.1, 1..=9, Fault::Answer(answer, vec![], ""));
        let ended = release(&project(&store, proxy.address())).expect(1);
        assert!(ended.stdout.contains(&format!("answers {}", &answer[..3])), "{}", ended.stdout);
        assert_eq!(store.has(), [""; 0]);
    }
}

#[test]
fn a1_killed_at_each_effect() {
    let store = Azurite::start();
    for way in [
        ("PUT", "linuxone?comp=block&"),
        // The first and the second of two.
        ("PUT", "rc+1?comp=block&blockid=MDAwMDAt"),
        ("PUT", "rc+1?comp=block&blockid=MDAwMDEt"),
        ("PUT", "linuxone?comp=blocklist"),
        ("PUT", "checksums.txt?comp=blocklist"),
    ] {
        check_kill(&store, way);
    }
}

#[test]
fn blocks_that_are_gone_are_sent_again() {
    let store = Azurite::start();
    let proxy = Proxy::start(store.address());
    let project = project(&store, proxy.address());
    let no =
        Fault::Answer("409 Conflict", vec![], "<?xml version=\"1.0\"?><Error><Code>SnapshotsPresent</Code></Error>");
    proxy.fault("PUT", "linuxone?comp=blocklist", 1..=9, no);
    release(&project).expect(1);
    store.forget_blocks(ONE);
    proxy.heal();
    proxy.seen();
    release(&project).expect(0);
    let seen: Vec<String> = proxy.seen().into_iter().map(|it| it.line).collect();
    let asks = |end: &str| seen.iter().filter(|it| it.contains(&format!("linuxone?{end}"))).collect::<Vec<_>>();
    let lists = asks("comp=blocklist");
    assert!(lists.len() == 2 && lists[0].ends_with(" 400") && lists[1].ends_with(" 201"), "{seen:#?}");
    assert_eq!(asks("comp=block&").len(), 1, "{seen:#?}");
    assert_eq!(store.has(), RELEASED);
}

/// Its blocks are called by names of another length, which Azure takes for one blob only once it has been made or a week is over.
#[test]
fn what_another_program_has_begun_is_said() {
    let store = Azurite::start();
    assert!(store.ask("PUT", ONE, "comp=block&blockid=MQ%3D%3D", "one").head.contains(" 201 "));
    let ended = release(&project(&store, store.address())).expect(1);
    assert!(ended.stdout.contains("InvalidBlobOrBlock"), "{}", ended.stdout);
    assert!(ended.stdout.contains("another program has begun to send this"), "{}", ended.stdout);
}

#[test]
fn what_others_have_put_there_is_replaced_where_the_user_says_so() {
    let store = Azurite::start();
    check_replace(&store, &format!("http://{}/{ACCOUNT}/{}/", store.address(), store.container()));
}

#[test]
fn what_would_change_is_told() {
    let store = Azurite::start();
    let project = project(&store, store.address());
    release(&project).expect(0);
    let told = project.forge(&["plan", "release", "--diff"]).expect(0).stdout;
    assert_eq!(
        told.lines().filter(|it| it.starts_with("leave") && it.contains(store.container())).count(),
        3,
        "{told}"
    );
    let other = "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList></BlockList>";
    assert!(store.ask("PUT", ONE, "comp=blocklist", other).head.contains(" 201 "));
    let told = Project::forge(&project, &["plan", "release", "--diff"]);
    assert!(told.stdout.contains("an object is there that forge has not put there"), "{}", told.stdout);
}
