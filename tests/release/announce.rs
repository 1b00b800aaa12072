//! Announcements: to a server on loopback, once, and last.
//! Does not know the services: what each is sent is a test of the pipe.

use std::io::Read as _;
use std::net::TcpListener;

use rustix::process::Signal;

use crate::support::forge::Running;
use crate::support::git_server::Bare;
use crate::support::project::Project;
use crate::support::script::{Script, answer};

/// A project that pushes a cask and then announces to this address.
fn project(bare: &Bare, table: &str) -> Project {
    let project = Project::of_text(&format!(
        "[project]\nname = \"hello\"\n\n[secrets]\nhook = {{ env = \"HOOK\" }}\n\n\
         [[build]]\ntool = \"prebuilt\"\npath = \"hello.sh\"\nplatforms = [\"linux/amd64\"]\n\n[[archive]]\n\n\
         [[tap]]\nformat = \"homebrew_cask\"\ndescription = \"Greets\"\nhomepage = \"https://example.org\"\n\
         url = \"https://example.org/{{{{ artifact }}}}\"\nrepository = \"{}\"\n\n\
         [[announce]]\nto = \"slack\"\nsecret_url = \"hook\"\nsecrets = [\"hook\"]\nreveal = true\n{table}",
        bare.path().display()
    ));
    project.write("hello.sh", "#!/bin/sh\necho hello\n");
    project.write(".gitignore", "/dist\n/.forge\n");
    project.tagged("v1.2.3")
}

fn hook(address: &str) -> String {
    format!("http://{address}/services/T0/B0/s3cret-path")
}

#[test]
fn once_and_last() {
    let bare = Bare::new();
    // As Slack answers.
    let server = Script::start(vec![answer("200 OK", &["Content-Type: text/html"], "ok")]);
    let project = project(&bare, "").env("HOOK", &format!("{}?wait=true", hook(server.address())));
    let ended = project.forge(&["run", "release", "--json"]).expect(0);
    let request = server.next();
    assert!(request.starts_with("POST /services/T0/B0/s3cret-path?wait=true "), "{request}");
    assert!(request.ends_with("{\"text\":\"hello 1.2.3 is out\"}"), "{request}");
    assert_eq!(ended.tasks("task_started").last().map(String::as_str), Some("announce:hello"));
    // The server has no further answer: a second request would fail the run.
    project.forge(&["run", "release"]).expect(0);
    let found = std::process::Command::new("grep").args(["-r", "s3cret", "."]).current_dir(project.root()).output();
    assert!(found.expect("grep starts").stdout.is_empty(), "the address is shown nowhere");
}

#[test]
fn a_refusal_is_told_and_said_again() {
    let bare = Bare::new();
    let server = Script::start(vec![answer("404 Not Found", &[], "no_team"), answer("200 OK", &[], "ok")]);
    let project = project(&bare, "").env("HOOK", &hook(server.address()));
    let refused = project.forge(&["run", "release"]).expect(1);
    assert!(refused.stderr.contains("`slack` says 404"), "{}", refused.stderr);
    assert!(refused.stderr.contains("no_team"), "{}", refused.stderr);
    project.forge(&["run", "release"]).expect(0);
    assert_eq!(server.rest().len(), 2);
}

#[test]
fn where_nobody_listens_nothing_was_said() {
    let bare = Bare::new();
    let project = project(&bare, "").env("HOOK", &hook("127.0.0.1:1"));
    let unheard = project.forge(&["run", "release"]).expect(1);
    assert!(unheard.stderr.contains("can't connect to `127.0.0.1:1`"), "{}", unheard.stderr);
    assert!(!unheard.stderr.contains("is not known"), "{}", unheard.stderr);
    let project = project.env("HOOK", "what is no address");
    let unsent = project.forge(&["run", "release"]).expect(1);
    assert!(unsent.stderr.contains("the secret `hook` is no address of a web server"), "{}", unsent.stderr);
    let server = Script::start(vec![answer("200 OK", &[], "ok")]);
    project.env("HOOK", &hook(server.address())).forge(&["run", "release"]).expect(0);
    assert_eq!(server.rest().len(), 1);
}

#[test]
fn a_lost_reply_is_not_said_again() {
    check_unknown(String::new());
}

#[test]
fn what_became_of_it_behind_a_gateway_nobody_knows() {
    check_unknown(answer("504 Gateway Timeout", &[], "too slow"));
}

/// It may have been heard, so it is not said again.
fn check_unknown(reply: String) {
    let bare = Bare::new();
    let server = Script::start(vec![reply]);
    let project = project(&bare, "").env("HOOK", &hook(server.address()));
    let lost = project.forge(&["run", "release"]).expect(1);
    assert!(lost.stderr.contains("whether it was announced is not known"), "{}", lost.stderr);
    let again = project.forge(&["run", "release"]).expect(0);
    assert!(again.stderr.contains("look whether it was heard"), "{}", again.stderr);
    assert_eq!(server.rest().len(), 1);
}

#[test]
fn killed_while_it_is_said() {
    let bare = Bare::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback works");
    let address = listener.local_addr().expect("loopback works").to_string();
    let project = project(&bare, "").env("HOOK", &hook(&address));
    let running = Running::start(&mut project.command(&["run", "release", "--json"]));
    let (mut stream, _) = listener.accept().expect("forge connects");
    stream.read_exact(&mut [0; 5]).expect("forge sends");
    running.signal(Signal::KILL);
    drop((running, stream));
    let again = project.forge(&["run", "release"]).expect(0);
    assert!(again.stderr.contains("look whether it was heard"), "{}", again.stderr);
    listener.set_nonblocking(true).expect("loopback works");
    assert!(listener.accept().is_err(), "nobody connects again");
    let quiet = project.forge(&["run", "release"]).expect(0);
    assert!(!quiet.stderr.contains("look whether it was heard"), "{}", quiet.stderr);
}
