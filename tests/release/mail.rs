//! Mails about a release: to a real server on loopback, once.
//! Does not know what else a mail may say: that is a test of the pipe.

use std::net::TcpListener;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::forge::{Ended, Running};
use crate::support::mail::MailServer;
use crate::support::project::Project;

const PASSWORD: &str = "s3cret-word";

/// A project that writes to two people by this server.
fn project(server: &MailServer, more: &str) -> Project {
    project_at(&format!("host = \"127.0.0.1\"\nport = {}\n{more}", server.port()))
}

fn project_at(server: &str) -> Project {
    let project = Project::of_text(&format!(
        "[project]\nname = \"hello\"\n\n[secrets]\nmail = {{ env = \"MAIL\" }}\n\n\
         [[announce]]\nto = \"smtp\"\nsecrets = [\"mail\"]\nreveal = true\n\
         from = \"Acme <releases@example.org>\"\nrecipients = [\"a@example.org\", \"Bea <b@example.org>\"]\n\
         message = \"One.\\n.\\nTwo: größer.\\n\"\n{server}"
    ));
    project.write(".gitignore", "/dist\n/.forge\n/ca.pem\n");
    project.tagged("v1.2.3").env("MAIL", PASSWORD)
}

const LOGIN: &str = "username = \"anna\"\npassword = \"mail\"\n";

fn with_ca(server: &MailServer, encryption: &str) -> Project {
    let project = project(server, &format!("encryption = \"{encryption}\"\nca = \"ca.pem\"\n{LOGIN}"));
    let authority = std::fs::read_to_string(server.authority()).expect("there is an authority");
    project.write("ca.pem", &authority);
    project
}

fn release(project: &Project, code: i32) -> Ended {
    project.forge(&["run", "release"]).expect(code)
}

/// A run that fails, and says all of this.
fn check_refusal(project: &Project, words: &[&str]) {
    let ended = release(project, 1);
    for word in words {
        assert!(ended.stderr.contains(word), "`{word}` is told:\n{}", ended.stderr);
    }
    assert!(!ended.stderr.contains(PASSWORD), "{}", ended.stderr);
}

/// Nobody hears of the release, and it is told why.
fn check_nobody(options: &Value, more: &str, words: &[&str]) {
    let server = MailServer::start(options);
    let project = project(&server, more);
    check_refusal(&project, words);
    assert_eq!(server.kept().len(), 0);
    // What is sure is tried anew.
    check_refusal(&project, words);
}

#[test]
fn once() {
    let server = MailServer::start(&json!({}));
    let project = project(&server, "");
    release(&project, 0);
    release(&project, 0);
    let kept = server.kept();
    assert_eq!(kept.len(), 1);
    let (envelope, mail) = kept[0].split_once('\n').expect("lines");
    assert_eq!(envelope, "releases@example.org to a@example.org b@example.org");
    assert!(mail.contains("\nTo: a@example.org, Bea <b@example.org>\n"), "{mail}");
    assert!(mail.contains("\nSubject: hello 1.2.3 is out\n"), "{mail}");
    assert!(mail.ends_with("\n\nOne.\n.\nTwo: gr=C3=B6=C3=9Fer.\n"), "{mail}");
}

#[test]
fn encrypted_and_with_a_password() {
    for encryption in ["starttls", "tls"] {
        let server = MailServer::start(&json!({ "encryption": encryption, "login": ["anna", PASSWORD] }));
        let project = with_ca(&server, encryption);
        release(&project, 0);
        assert_eq!(server.kept().len(), 1, "{encryption}");
        let found = std::process::Command::new("grep").args(["-r", PASSWORD, "."]).current_dir(project.root()).output();
        assert!(found.expect("grep starts").stdout.is_empty(), "the password is kept nowhere");
    }
}

#[test]
fn certificates_that_nobody_vouches_for() {
    for encryption in ["starttls", "tls"] {
        let more = format!("encryption = \"{encryption}\"\n{LOGIN}");
        let options = json!({ "encryption": encryption, "login": ["anna", PASSWORD] });
        check_nobody(&options, &more, &["no safe connection", "UnknownIssuer", "as `ca`"]);
    }
}

#[test]
fn servers_that_encrypt_otherwise() {
    let none = ["offers no encryption", "encryption = \"tls\""];
    check_nobody(&json!({}), "encryption = \"starttls\"\n", &none);
    let options = json!({ "encryption": "starttls" });
    check_nobody(&options, "", &["wants encryption", "530", "encryption = \"starttls\""]);
    check_nobody(&json!({}), "encryption = \"tls\"\n", &["no safe connection", "encryption = \"starttls\""]);
}

#[test]
fn refused_logins() {
    let options = json!({ "login": ["anna", "another"] });
    check_nobody(&options, LOGIN, &["refuses the login of `anna`", "535 5.7.8 no such login", "secret `mail`"]);
    check_nobody(&options, "", &["wants a login", "530"]);
    check_nobody(&json!({}), LOGIN, &["takes no password"]);
}

#[test]
fn refused_recipients_and_mails() {
    let one = json!({ "refused": ["b@example.org"] });
    check_nobody(&one, "", &["refuses to write to `b@example.org`\n", "550 5.1.1 no mailbox b@example.org here"]);
    let both = json!({ "refused": ["a@example.org", "b@example.org"] });
    check_nobody(&both, "", &["refuses to write to `a@example.org` and `b@example.org`"]);
    check_nobody(&json!({ "no": true }), "", &["refuses the mail", "554 5.7.1 looks like spam"]);
}

#[test]
fn what_is_put_off_is_tried_again() {
    for options in [json!({ "later": 1 }), json!({ "later_mail": 1 })] {
        let server = MailServer::start(&options);
        release(&project(&server, ""), 0);
        assert_eq!((server.kept().len(), server.heard().len()), (1, 4), "{options}");
    }
    let server = MailServer::start(&json!({ "later_mail": 3 }));
    let project = project(&server, "");
    check_refusal(&project, &["does not want to now", "452 4.3.1 no room now", "run it again then"]);
    release(&project, 0);
    assert_eq!(server.kept().len(), 1);
}

#[test]
fn nobody_listens() {
    let server = MailServer::start(&json!({}));
    let project = project(&server, "");
    drop(server);
    check_refusal(&project, &["can't connect to `127.0.0.1:", "refused", "does it take mail at that port?"]);
    let project = project_at("host = \"mail.invalid\"\n");
    check_refusal(&project, &["can't connect to `mail.invalid:587`", "is `mail.invalid` the right name"]);
}

#[test]
fn servers_of_another_kind() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback works");
    let port = listener.local_addr().expect("loopback works").port();
    // Closed when they are accepted.
    std::thread::spawn(move || listener.incoming().for_each(drop));
    let project = project_at(&format!("host = \"127.0.0.1\"\nport = {port}\n"));
    check_refusal(&project, &["does not greet as a mail server does", "encryption = \"tls\""]);
}

#[test]
fn certificates_of_another_name() {
    let server = MailServer::start(&json!({ "encryption": "tls" }));
    let project = with_ca(&server, "tls");
    let text = std::fs::read_to_string(project.root().join("forge.toml")).expect("there is a project file");
    project.write("forge.toml", &text.replace("host = \"127.0.0.1\"", "host = \"localhost\""));
    project.retag("v1.2.4");
    check_refusal(&project, &["no safe connection to `localhost:", "not valid for name", "write a name as `host`"]);
    assert_eq!(server.kept().len(), 0);
}

#[test]
fn a_lost_reply_is_not_sent_again() {
    let server = MailServer::start(&json!({ "end": "closed" }));
    let project = project(&server, "");
    check_refusal(&project, &["whether it was announced is not known", "has cut off the connection"]);
    let again = release(&project, 0);
    assert!(again.stderr.contains("look whether it was heard"), "{}", again.stderr);
    assert_eq!(server.kept().len(), 1);
}

#[test]
fn killed_before_and_after_it_was_sent() {
    // The server was told of a recipient: it can't have a mail, and another run sends it.
    let server = MailServer::start(&json!({ "stall": true }));
    let project = project(&server, "");
    kill_when(&project, &server, |server| server.heard().len() == 1);
    drop(server);
    let again = project.forge(&["run", "release"]).expect(1);
    assert!(again.stderr.contains("can't connect"), "it is tried again:\n{}", again.stderr);

    let server = MailServer::start(&json!({ "end": "silent" }));
    let project = self::project(&server, "");
    kill_when(&project, &server, |server| server.kept().len() == 1);
    let again = release(&project, 0);
    assert!(again.stderr.contains("look whether it was heard"), "{}", again.stderr);
    let quiet = release(&project, 0);
    assert!(!quiet.stderr.contains("look whether it was heard"), "{}", quiet.stderr);
    assert_eq!(server.kept().len(), 1);
}

#[test]
fn interrupted_while_a_server_is_silent() {
    check_interrupted(&json!({ "stall": true }), |it| !it.heard().is_empty(), "the run was interrupted while");
    let unknown = "whether it was announced is not known: the run was interrupted while";
    check_interrupted(&json!({ "end": "silent" }), |it| !it.kept().is_empty(), unknown);
}

fn check_interrupted(options: &Value, is_so: impl Fn(&MailServer) -> bool, told: &str) {
    let server = MailServer::start(options);
    let project = project(&server, "");
    let running = Running::start(&mut project.command(&["run", "release", "--json"]));
    server.wait(is_so);
    running.signal(Signal::INT);
    let ended = running.rest().expect(130);
    assert!(ended.stdout.contains(told), "{}", ended.stdout);
}

fn kill_when(project: &Project, server: &MailServer, is_so: impl Fn(&MailServer) -> bool) {
    let running = Running::start(&mut project.command(&["run", "release", "--json"]));
    server.wait(is_so);
    running.signal(Signal::KILL);
    running.end();
}
