//! The plugins of `examples/plugins`, in four languages, through the same calls: they describe themselves, plan and act.
//! Knows what each of them is for; does not know forge's engine.

use std::path::Path;

use expect_test::{Expect, expect};
use forge_plugin::Plugin;
use forge_plugin::schemas::kind::Binary;
use forge_plugin::schemas::{
    Body, Effect, Failure, HttpRequest, HttpResponse, Method, Plan, Probe, Selector, TableName, Takes,
};
use forge_plugin::testing::{FakeHost, FakeRenderer, sample_facts};
use serde_json::{Value, json};

use crate::examples::{Example, done, workspace};
use crate::{child, end_as_forge_does};

/// The plugin, loaded, in a child, and linked in where it is a crate.
fn everywhere(folder: &str) -> Vec<Plugin> {
    let library = Example::of(folder).build(Path::new(env!("CARGO_TARGET_TMPDIR")));
    let linked = (folder == "upload").then(|| Plugin::linked(acme_upload::forge_plugin).unwrap());
    let plugins = [Plugin::open(&library).unwrap(), child::open(&library)].into_iter().chain(linked).collect();
    end_as_forge_does();
    plugins
}

/// Two programs, and a server that answers with this status.
fn host(status: u16) -> FakeHost {
    let binary = Binary { file_name: "hello".to_owned() };
    let host = ["linux/amd64", "darwin/arm64"].into_iter().fold(FakeHost::new(), |host, platform| {
        host.with_input(&format!("hello/{platform}"), Some(platform.parse().unwrap()), &binary, platform)
    });
    host.on_http(move |request| HttpResponse {
        status: if request.method == Method::Head { 404 } else { status },
        ..HttpResponse::default()
    })
}

/// The same from all; then as expected.
#[track_caller]
fn check(folder: &str, settings: &Value, host: impl Fn() -> FakeHost, expect: &Expect) {
    let transcripts: Vec<String> = everywhere(folder)
        .iter()
        .map(|plugin| {
            let broken: Vec<_> = plugin.conformance().into_iter().filter(|rule| rule.broken.is_some()).collect();
            assert_eq!(broken, []);
            transcript(plugin, settings, host())
        })
        .collect();
    for other in &transcripts {
        assert_eq!(transcripts[0], *other);
    }
    expect.assert_eq(&transcripts[0]);
}

/// All that the only pipe of a plugin does with these settings: what it asks for, sends, says and makes.
fn transcript(plugin: &Plugin, settings: &Value, mut host: FakeHost) -> String {
    let mut text = String::new();
    let mut say = |what: &str, said: String| text += &format!("{what}: {said}\n");
    let table = TableName::new(plugin.info().pipes[0].name.clone(), "a");
    let takes = plugin.takes(&Takes { table: table.clone(), settings: settings.clone() }).unwrap();
    say("takes", brief(&takes.selectors));
    let offers = host.offers().into_iter().filter(|it| takes.selectors.iter().any(|selector| selector.accepts(it)));
    let (settings, facts, offers) = (settings.clone(), sample_facts(), offers.collect());
    let plan = Plan { table: table.clone(), settings, facts, offers, sources: Vec::new() };
    let reply = plugin.plan(&plan, &FakeRenderer::new(&plan.facts)).unwrap();
    reply.problems.iter().for_each(|problem| say("problem", format!("{:?}: {}", problem.place, problem.message)));
    for step in &reply.steps {
        say("step", format!("{} takes {:?}, {:?}, {}", step.name, step.takes, step.effect, step.params));
        let mut run = host.begin(&table, step).unwrap();
        if step.effect == Effect::Publish {
            let (step, inputs, of_host) = (run.step.clone(), run.inputs.clone(), run.host.clone());
            run.found =
                plugin.probe(&Probe { table: table.clone(), step, inputs, host: of_host }, &host).unwrap().found;
        }
        run.found.iter().for_each(|found| say("found", found.to_string()));
        say("run", plugin.run(&run, &host).map_or_else(said, |()| "ok".to_owned()));
    }
    let record = host.record();
    record.requests.iter().for_each(|request| say("http", sent(request)));
    record.logs.iter().for_each(|(level, line)| say("log", format!("{level:?} {line}")));
    for made in &record.emitted {
        let content = std::fs::read_to_string(&made.path).unwrap();
        say("made", format!("{} {} {}\n{content}", made.kind, made.name, made.detail));
    }
    text
}

fn brief(selectors: &[Selector]) -> String {
    let line = |it: &Selector| format!("kinds {:?} tables {:?} at `{}`", it.kinds, it.tables, it.key);
    selectors.iter().map(line).collect::<Vec<_>>().join(", ")
}

fn said(failure: Failure) -> String {
    format!("{:?} {}", failure.class, failure.message)
}

fn sent(request: &HttpRequest) -> String {
    let body = match &request.body {
        Body::Empty => String::new(),
        Body::Text(text) => text.clone(),
        Body::File { path, .. } => std::fs::read_to_string(path).unwrap(),
    };
    format!("{} {} {:?} {body}", request.method.as_str(), request.url, request.headers)
}

#[test]
fn upload_in_rust() {
    let settings = json!({ "url": "https://files.example.org/1.2.3", "kinds": ["binary"], "ids": [] });
    check(
        "upload",
        &settings,
        || host(201),
        &expect![[r#"
        takes: kinds ["binary"] tables [] at `kinds`
        step: hello/linux/amd64 takes ["hello/linux/amd64"], Publish, {"url":"https://files.example.org/1.2.3/hello/linux/amd64"}
        found: https://files.example.org/1.2.3/hello/linux/amd64 is not there, and would be sha256:baf0239e48ff4c47ebac3ba02b5cf1506b69cd5a0c0d0c825a53ba65976fb942
        run: ok
        step: hello/darwin/arm64 takes ["hello/darwin/arm64"], Publish, {"url":"https://files.example.org/1.2.3/hello/darwin/arm64"}
        found: https://files.example.org/1.2.3/hello/darwin/arm64 is not there, and would be sha256:2b42ce3bed293705db91d71982cdd0ac166fc667348d213b7868fab1f74e1495
        run: ok
        http: HEAD https://files.example.org/1.2.3/hello/linux/amd64 {} 
        http: PUT https://files.example.org/1.2.3/hello/linux/amd64 {"x-checksum-sha256": "baf0239e48ff4c47ebac3ba02b5cf1506b69cd5a0c0d0c825a53ba65976fb942"} linux/amd64
        http: HEAD https://files.example.org/1.2.3/hello/darwin/arm64 {} 
        http: PUT https://files.example.org/1.2.3/hello/darwin/arm64 {"x-checksum-sha256": "2b42ce3bed293705db91d71982cdd0ac166fc667348d213b7868fab1f74e1495"} darwin/arm64
    "#]],
    );
    check(
        "upload",
        &json!({ "url": "https://files.example.org/" }),
        || host(503),
        &expect![[r#"
        takes: kinds ["binary"] tables [] at `kinds`
        step: hello/linux/amd64 takes ["hello/linux/amd64"], Publish, {"url":"https://files.example.org/hello/linux/amd64"}
        found: https://files.example.org/hello/linux/amd64 is not there, and would be sha256:baf0239e48ff4c47ebac3ba02b5cf1506b69cd5a0c0d0c825a53ba65976fb942
        run: Network PUT https://files.example.org/hello/linux/amd64 was answered with 503
        step: hello/darwin/arm64 takes ["hello/darwin/arm64"], Publish, {"url":"https://files.example.org/hello/darwin/arm64"}
        found: https://files.example.org/hello/darwin/arm64 is not there, and would be sha256:2b42ce3bed293705db91d71982cdd0ac166fc667348d213b7868fab1f74e1495
        run: Network PUT https://files.example.org/hello/darwin/arm64 was answered with 503
        http: HEAD https://files.example.org/hello/linux/amd64 {} 
        http: PUT https://files.example.org/hello/linux/amd64 {"x-checksum-sha256": "baf0239e48ff4c47ebac3ba02b5cf1506b69cd5a0c0d0c825a53ba65976fb942"} linux/amd64
        http: HEAD https://files.example.org/hello/darwin/arm64 {} 
        http: PUT https://files.example.org/hello/darwin/arm64 {"x-checksum-sha256": "2b42ce3bed293705db91d71982cdd0ac166fc667348d213b7868fab1f74e1495"} darwin/arm64
    "#]],
    );
}

#[test]
fn notify_in_c() {
    check(
        "notify",
        &json!({ "url": "https://hooks.example.org/\"x\"" }),
        || host(204),
        &expect![[r#"
        takes: kinds [] tables [] at `ids`
        step:  takes ["hello/linux/amd64", "hello/darwin/arm64"], Publish, {"url":"https://hooks.example.org/\"x\"","version":"1.2.3"}
        run: ok
        http: POST https://hooks.example.org/"x" {"content-type": "application/json"} {"version":"1.2.3","artifacts":[{"name":"hello/linux/amd64","digest":"sha256:baf0239e48ff4c47ebac3ba02b5cf1506b69cd5a0c0d0c825a53ba65976fb942"},{"name":"hello/darwin/arm64","digest":"sha256:2b42ce3bed293705db91d71982cdd0ac166fc667348d213b7868fab1f74e1495"}]}
        log: Info told the web hook
    "#]],
    );
    check(
        "notify",
        &json!({ "url": "https://hooks.example.org", "ids": ["test"] }),
        || host(410),
        &expect![[r#"
        takes: kinds [] tables ["test"] at `ids`
        step:  takes ["hello/linux/amd64", "hello/darwin/arm64"], Publish, {"url":"https://hooks.example.org","version":"1.2.3"}
        run: Tool the web hook does not take it
        http: POST https://hooks.example.org {"content-type": "application/json"} {"version":"1.2.3","artifacts":[{"name":"hello/linux/amd64","digest":"sha256:baf0239e48ff4c47ebac3ba02b5cf1506b69cd5a0c0d0c825a53ba65976fb942"},{"name":"hello/darwin/arm64","digest":"sha256:2b42ce3bed293705db91d71982cdd0ac166fc667348d213b7868fab1f74e1495"}]}
    "#]],
    );
}

#[test]
fn brew_in_go() {
    let settings = json!({
        "url": "https://dl.example.org/{{ version }}/{{ os }}-{{ arch }}", "description": "Greets",
        "homepage": "https://example.org", "license": "MIT",
    });
    check(
        "brew",
        &settings,
        || host(0),
        &expect![[r#"
        takes: kinds ["binary"] tables [] at `ids`
        step:  takes ["hello/linux/amd64", "hello/darwin/arm64"], Local, {"Class":"Hello","Description":"Greets","Downloads":[{"Arch":"intel","OS":"linux","SHA256":"","URL":"https://dl.example.org/1.2.3/linux-amd64"},{"Arch":"arm","OS":"macos","SHA256":"","URL":"https://dl.example.org/1.2.3/darwin-arm64"}],"Homepage":"https://example.org","License":"MIT","Program":"hello","Version":"1.2.3"}
        run: ok
        made: acme-brew.formula Formula/hello.rb {"class":"Hello","version":"1.2.3"}
        class Hello < Formula
          desc 'Greets'
          homepage 'https://example.org'
          version '1.2.3'
          license 'MIT'

          on_linux do
            on_intel do
              url 'https://dl.example.org/1.2.3/linux-amd64'
              sha256 'baf0239e48ff4c47ebac3ba02b5cf1506b69cd5a0c0d0c825a53ba65976fb942'
            end
          end

          on_macos do
            on_arm do
              url 'https://dl.example.org/1.2.3/darwin-arm64'
              sha256 '2b42ce3bed293705db91d71982cdd0ac166fc667348d213b7868fab1f74e1495'
            end
          end

          def install
            bin.install Dir["*"].first => 'hello'
          end
        end

    "#]],
    );
    let mut wrong = settings.clone();
    wrong["url"] = json!("https://{{ nobody }}");
    check(
        "brew",
        &wrong,
        || host(0),
        &expect![[r#"
        takes: kinds ["binary"] tables [] at `ids`
        problem: Key("url"): undefined name `nobody`
    "#]],
    );
    check(
        "brew",
        &settings,
        FakeHost::new,
        &expect![[r#"
        takes: kinds ["binary"] tables [] at `ids`
        problem: Key("ids"): none of these programs is for macOS or Linux on amd64 or arm64
    "#]],
    );
}

#[test]
fn shout_in_zig() {
    check(
        "shout",
        &json!({ "text": "hello" }),
        FakeHost::new,
        &expect![[r#"
        takes: 
        step:  takes [], Local, {"text":"hello"}
        run: ok
        made: acme-shout.text a/SHOUT.txt {}
        HELLO
    "#]],
    );
}

#[test]
fn the_module_in_go_tests_itself() {
    for folder in ["plugins/go", "examples/plugins/brew"] {
        let go = |arguments: &[&str]| {
            done(std::process::Command::new("go").args(arguments).current_dir(workspace().join(folder)));
        };
        go(&["vet", "./..."]);
        go(&["test", "./..."]);
    }
}

#[test]
fn the_module_in_go_has_the_header_as_it_is() {
    let [ours, theirs] = ["plugins/include/forge_plugin.h", "plugins/go/forge_plugin.h"].map(|it| workspace().join(it));
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::copy(&ours, &theirs).unwrap();
    }
    assert_eq!(std::fs::read_to_string(ours).unwrap(), std::fs::read_to_string(theirs).unwrap());
}

#[test]
fn a_library_exports_one_symbol() {
    let exports = |library: &Path| {
        let mut nm = std::process::Command::new("nm");
        let output = nm.args(["--dynamic", "--defined-only", "--format=just-symbols"]).arg(library).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    // Zig adds its own, weak ones, to what is built to be debugged.
    for folder in ["upload", "notify"] {
        let library = Example::of(folder).build(Path::new(env!("CARGO_TARGET_TMPDIR")));
        assert_eq!(exports(&library), "forge_plugin_entry_v1\n", "{folder}");
    }
    // So that no plugin finds a symbol of forge's own in place of its own.
    assert_eq!(exports(&crate::example("plugin_host")), "");
}

#[test]
fn a_second_plugin_in_go_does_not_come_into_a_process() {
    let brew = Example::of("brew").build(Path::new(env!("CARGO_TARGET_TMPDIR")));
    let dir = tempfile::tempdir().unwrap();
    let other = dir.path().join("other.so");
    std::fs::write(&other, [std::fs::read(&brew).unwrap(), b"another build".to_vec()].concat()).unwrap();
    Plugin::open(&brew).unwrap();
    end_as_forge_does();
    let error = Plugin::open(&other).unwrap_err();
    assert_eq!(error.message(), "it is in Go, and another plugin in Go is in this process");
    assert_eq!(child::open(&other).name(), "acme-brew");
}

#[test]
fn a_crate_that_aborts_does_not_compile() {
    let dir = tempfile::tempdir().unwrap();
    // Without what the crate depends on there are other errors, with either way to panic; this one is of one alone.
    let is_refused = |panic: &str| {
        let mut rustc = std::process::Command::new("rustc");
        rustc.args(["--crate-type=lib", "--edition=2024", "--emit=metadata", "-C", panic]).current_dir(dir.path());
        let output = rustc.arg(workspace().join("plugins/src/lib.rs")).output().unwrap();
        String::from_utf8_lossy(&output.stderr).contains("a plugin can't be built with `panic = \"abort\"`")
    };
    assert!(is_refused("panic=abort"));
    assert!(!is_refused("panic=unwind"));
}
