//! Row C10: tokens that expire during a release, and credentials that do not let it in.
//! Does not know what is released.

use std::fs;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{RELEASE, Scene, answer};
use crate::registry_token::TokenServer;
use crate::support::certificates;
use crate::support::proxy::Fault;
use crate::support::registry::Registry;

/// A registry that asks for tokens of this server, in a scene whose user has a password.
fn guarded(start: impl FnOnce(&std::path::Path) -> TokenServer) -> (Scene, TokenServer) {
    let tokens = tempfile::tempdir().expect("a temporary directory");
    certificates::make(tokens.path());
    let server = start(tokens.path());
    let realm = format!("http://{}/token", server.address);
    let bundle = tokens.keep().join("ca.pem").display().to_string();
    let variables = [
        ("REGISTRY_AUTH", "token"),
        ("REGISTRY_AUTH_TOKEN_REALM", &*realm),
        ("REGISTRY_AUTH_TOKEN_SERVICE", "test"),
        ("REGISTRY_AUTH_TOKEN_ISSUER", "test"),
        ("REGISTRY_AUTH_TOKEN_ROOTCERTBUNDLE", &*bundle),
    ];
    let scene = Scene::before(Registry::start_with(|_| {}, &variables));
    log_in(&scene, "anna:pw");
    (scene, server)
}

/// As `docker login` would.
fn log_in(scene: &Scene, login: &str) {
    let (host, login) = (scene.proxy.address(), STANDARD.encode(login));
    let file = format!(r#"{{"auths": {{"{host}": {{"auth": "{login}"}}}}}}"#);
    fs::create_dir_all(scene.project.home().join(".docker")).expect("a directory can be made");
    fs::write(scene.project.home().join(".docker/config.json"), file).expect("a file can be written");
}

/// What a registry says when a token is not good any more.
fn expired(tokens: &TokenServer) -> Fault {
    let realm = format!("Bearer realm=\"http://{}/token\",service=\"test\"", tokens.address);
    let scope = "scope=\"repository:acme/small:pull,push\",error=\"invalid_token\"";
    answer("401 Unauthorized", &[&format!("WWW-Authenticate: {realm},{scope}")])
}

/// A release during which a token expires that was said to be good for so long: the requests that were refused with it.
fn refused_on_the_way(said: u64) -> usize {
    let (scene, tokens) = guarded(|directory| TokenServer::start_with(directory, 3, said));
    // An upload that is on its way for longer than the token lives, and the tags after it.
    let scene = scene
        .fault("PUT", "/blobs/uploads/", 1..=1, Fault::Late(Duration::from_secs(4)))
        .fault("PUT", "/manifests/latest", 1..=1, Fault::Late(Duration::from_secs(4)))
        .succeeds();
    assert!(tokens.asked().len() >= 3, "a token at the start, and one each time that it has expired");
    let seen = scene.proxy.seen();
    let refused = seen
        .iter()
        .filter(|it| it.line.ends_with(" 401") && it.head.to_lowercase().contains("\nauthorization: bearer"));
    let refused = refused.count();
    scene.converges();
    refused
}

#[test]
fn c10_a_token_that_really_expires_is_renewed_and_the_release_goes_on() {
    assert!(refused_on_the_way(300) >= 2, "it was sent, and refused");
    assert!(refused_on_the_way(3) >= 2, "it has expired on its way");
}

#[test]
fn c10_a_token_that_is_refused_in_the_middle_is_renewed_once() {
    let (scene, tokens) = guarded(TokenServer::start);
    let scene = scene.fault("PUT", "/manifests/sha256:", 1..=1, expired(&tokens)).succeeds();
    let asked = tokens.asked();
    assert!(
        (2..=3).contains(&asked.len()),
        "a token at the start, and one for each image whose token was refused: {asked:?}"
    );
    scene.converges();
}

#[test]
fn c10_a_token_that_is_never_good() {
    let (scene, tokens) = guarded(TokenServer::start);
    let scene = scene.fault("PUT", "/manifests/sha256:", 1..=usize::MAX, expired(&tokens));
    scene.fails(&["`HOST` refuses the credentials from ", "are they still good"]).converges();
}

#[test]
fn c10_a_login_that_is_refused_at_the_start_fails_before_anything_is_built() {
    let (scene, _tokens) = guarded(TokenServer::start);
    log_in(&scene, "anna:another password");
    let ended = scene.project.forge(&[&RELEASE[..], &["--json"]].concat()).expect(1);
    assert_eq!(ended.tasks("task_started"), [""; 0]);
    let scene = scene.fails(&["`HOST` refuses the credentials from ", "are they still good"]);
    assert!(!scene.project.root().join("dist/tool_linux_amd64").exists(), "nothing was built");
    log_in(&scene, "anna:pw");
    scene.converges();
}

#[test]
fn c10_a_push_that_is_forbidden() {
    let denied = r#"{"errors": [{"code": "DENIED", "message": "requested access to the resource is denied"}]}"#;
    let (scene, _tokens) = guarded(TokenServer::start);
    let scene =
        scene.fault("PUT", "/manifests/sha256:", 1..=usize::MAX, Fault::Answer("403 Forbidden", vec![], denied));
    let words = ["status 403", "DENIED: requested access", "the credentials for `HOST` may not push to `acme/small`"];
    let scene = scene.fails(&words);
    assert!(Scene::count(&scene.proxy.seen(), "PUT", "/manifests/") <= 2, "each image once");
    scene.converges();
}
