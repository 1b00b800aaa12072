//! Rows H: secrets, which must not be seen.
//! Each plants a canary, lets a release do what it likes with it, and looks for it in every file and stream that is left.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::support::forge::Ended;
use crate::support::project::Project;
use crate::support::registry::Registry;

/// Has something in it for every way of writing things down.
const CANARY: &str = "cAnary/7+\"q&=\\x~?é-0123456789";
/// Of several lines, as keys are.
const KEY: &str = "-----BEGIN CANARY KEY-----\nQ0FOQVJZLWtleS1saW5lLW9uZS0xMjM0NTY3ODkw\nQ0FOQVJZLWtleS1saW5lLXR3by1hYmNkZWZnaGlq\n-----END CANARY KEY-----";

/// Where secrets show, in any file below these directories or any of these texts.
fn seen(directories: &[&Path], texts: &[&str], secrets: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let needles: Vec<String> = secrets.iter().flat_map(|secret| written(secret)).collect();
    for (at, text) in texts.iter().enumerate() {
        found.extend(shows(text.as_bytes(), &needles).map(|needle| format!("text {at}: {needle}")));
    }
    for file in directories.iter().flat_map(|it| files(it)) {
        let bytes = fs::read(&file).expect("a file can be read");
        found.extend(shows(&bytes, &needles).map(|needle| format!("{}: {needle}", file.display())));
        let name = file.display().to_string();
        found.extend(shows(name.as_bytes(), &needles).map(|needle| format!("the name {name}: {needle}")));
    }
    found
}

/// How a secret may be written: written down here anew, so that the forms that forge knows are not taken at their word.
fn written(secret: &str) -> Vec<String> {
    let mut forms = Vec::new();
    for line in secret.lines() {
        let json = serde_json::to_string(line).expect("a text is JSON");
        forms.extend([line.to_owned(), json[1..json.len() - 1].to_owned()]);
        let form: String = url::form_urlencoded::byte_serialize(line.as_bytes()).collect();
        forms.extend([form.replace('+', "%20"), form]);
        // Without the letters in which a neighbour has a part.
        let shifted = |before: usize| ["\0".repeat(before), line.to_owned(), "\0".repeat(before)].concat();
        let middle = |text: String| text[4..text.len() - 4].to_owned();
        forms.extend((0..3).map(|before| middle(STANDARD_NO_PAD.encode(shifted(before)))));
        forms.extend((0..3).map(|before| middle(URL_SAFE_NO_PAD.encode(shifted(before)))));
    }
    forms.into_iter().map(|it| it.to_ascii_lowercase()).collect()
}

fn shows<'n>(bytes: &[u8], needles: &'n [String]) -> impl Iterator<Item = &'n String> {
    let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
    needles.iter().filter(move |needle| text.contains(needle.as_str()))
}

fn files(directory: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() && !path.is_symlink() { files(&path) } else { vec![path] }).collect()
}

/// Runs forge three times over, as people and as programs see it, and fails where a secret shows anywhere.
#[track_caller]
fn nothing_is_seen(project: &Project, names: &[&str], secrets: &[&str], code: i32) -> Vec<Ended> {
    let ways: [&[&str]; 3] = [&["--verbose"], &["--json"], &[]];
    let runs = ways.map(|way| {
        let ended = project.forge(&[&["run"], names, way].concat()).expect(code);
        let (forge, dist) = (project.root().join(".forge"), project.root().join("dist"));
        let found = seen(&[&forge, &dist, &project.home()], &[&ended.stdout, &ended.stderr], secrets);
        assert!(found.is_empty(), "after {way:?}:\n{}", found.join("\n"));
        // Each begins anew.
        for directory in [forge.join("record"), forge.join("store"), dist] {
            let _ = fs::remove_dir_all(&directory).or_else(|_| fs::remove_file(&directory));
        }
        ended
    });
    runs.into()
}

/// A project whose one program is this script; `$1` is what it must make.
fn project(script: &str, table: &str) -> Project {
    let text = format!(
        "[project]\nname = \"hello\"\n\n\
         [secrets]\nnpm_token = {{ env = \"CANARY\" }}\nkey = {{ file = \"../key.pem\" }}\n\
         other = {{ env = \"OTHER\" }}\n\n\
         [[build]]\ntool = \"command\"\nargv = [\"bash\", \"evil.sh\", \"{{{{ output }}}}\"]\n\
         platforms = [\"linux/amd64\"]\n{table}"
    );
    let project = Project::of_text(&text).env("CANARY", CANARY).env("OTHER", "another-CANARY-4711");
    project.write("evil.sh", script);
    project.write("../key.pem", &format!("{KEY}\n"));
    project
}

const GRANTED: &str = "secrets = [\"npm_token\", \"key\"]\n";
const MAKES: &str = "\nprintf '#!/bin/sh\\n' > \"$1\"\n";

#[test]
fn h1_a_program_prints_its_secret_in_every_form() {
    let script = r#"
        say() { printf '%s\n' "$1"; printf '%s\n' "$1" >&2; }
        say "plain: $NPM_TOKEN"
        say "twice: $NPM_TOKEN$NPM_TOKEN"
        say "quoted: '$NPM_TOKEN'"
        say "shouted: $(printf %s "$NPM_TOKEN" | tr a-z A-Z)"
        # In two writes, and byte by byte. That any cut will do is shown beside the code.
        printf 'split: %s' "${NPM_TOKEN:0:9}"; printf '%s\n' "${NPM_TOKEN:9}"
        printf 'bytes: '; for at in $(seq 0 ${#NPM_TOKEN}); do printf %s "${NPM_TOKEN:$at:1}"; done; echo
        # Across the end of a line that is too long to be one, and of what is read at once.
        for before in 65500 65530 65535 65536 8180 131060; do head -c $before /dev/zero | tr '\0' x; say "$NPM_TOKEN"; done
        for shift in '' u: us: user:; do say "base64: $(printf '%s%s!' "$shift" "$NPM_TOKEN" | base64 -w0)"; done
        say "base64 url: $(printf '%s' "$NPM_TOKEN" | base64 -w0 | tr '+/' '-_')"
        say "$KEY"
        say "$(printf '%s' "$KEY" | base64)"
        say "indented: $(printf '%s' "$KEY" | sed 's/^/    /')"
        python3 - <<'PYTHON'
import json, os, sys, urllib.parse
token = os.environ["NPM_TOKEN"]
for out in (sys.stdout, sys.stderr):
    for text in (token, os.environ["KEY"]):
        print("url:", urllib.parse.quote(text), urllib.parse.quote(text, safe=""), urllib.parse.quote_plus(text), file=out)
        print("url, small:", urllib.parse.quote(text, safe="").lower(), file=out)
        print("json:", json.dumps({"token": text}), json.dumps(text, ensure_ascii=False), file=out)
PYTHON
    "#;
    let project = project(&format!("{script}{MAKES}"), GRANTED);
    let runs = nothing_is_seen(&project, &["build", "--snapshot"], &[CANARY, KEY], 0);
    let told = &runs[0].stderr;
    for line in ["plain: ***", "twice: ******", "quoted: '***'", "shouted: ***", "split: ***", "bytes: ***", "url: "] {
        assert!(told.contains(line), "`{line}` is not in what was told:\n{told}");
    }
}

#[test]
fn h1_a_program_fails_with_its_secret() {
    let script = "echo \"error: bad token $NPM_TOKEN\" >&2; exit 1";
    let runs = nothing_is_seen(&project(script, GRANTED), &["build", "--snapshot"], &[CANARY], 1);
    assert!(runs[2].stderr.contains("| error: bad token ***"), "{}", runs[2].stderr);
}

#[test]
fn h2_a_secret_is_in_nothing_that_is_left_of_a_release() {
    let mut registry = Registry::start();
    let script = format!("echo \"$NPM_TOKEN\"; echo \"$KEY\" >&2{MAKES}");
    let images = format!(
        "[[docker]]\nimages = [\"{0}/hello\"]\ntags = [\"latest\"]\nplatforms = [\"linux/amd64\"]\n\
         secrets = [\"npm_token\"]\n\n\
         [[publish]]\nto = \"registry\"\n\n\
         [registries.\"{0}\"]\nusername = \"anna\"\nsecret = \"npm_token\"\n",
        registry.address()
    );
    let project = project(&script, &format!("{GRANTED}\n{images}")).tagged("v1.0.0");
    nothing_is_seen(&project, &["release"], &[CANARY, KEY, "another-CANARY-4711"], 0);
    let requests = registry.requests();
    assert!(requests.iter().any(|it| it.starts_with("PUT /v2/hello/manifests/latest")), "{requests:?}");
    let found = seen(&[registry.directory()], &[&requests.join("\n")], &[CANARY, KEY]);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// A registry that tells everyone what they have sent. Its address.
fn echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let lines = BufReader::new(stream.try_clone().expect("a stream")).lines().map_while(Result::ok);
            let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            let sent = head.iter().find_map(|line| line.split_once("Basic ")).and_then(|it| STANDARD.decode(it.1).ok());
            let asks = head.first().is_some_and(|line| line.starts_with("HEAD "));
            let (status, told) = match sent {
                // What has no body can tell nothing.
                Some(_) if asks => ("404 Not Found", String::new()),
                Some(sent) => ("403 Forbidden", format!("you sent {}", String::from_utf8_lossy(&sent))),
                None => ("401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"", String::new()),
            };
            let body = serde_json::json!({ "errors": [{ "code": "DENIED", "message": told }] }).to_string();
            let (body, size) = if asks { ("", 0) } else { (body.as_str(), body.len()) };
            let answer = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {size}\r\n\r\n{body}");
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}

#[test]
fn h2_a_registry_that_echoes_the_password() {
    let server = echo();
    let images = format!(
        "[[docker]]\nimages = [\"{server}/hello\"]\ntags = [\"latest\"]\nplatforms = [\"linux/amd64\"]\n\
         [[publish]]\nto = \"registry\"\n\n\
         [registries.\"{server}\"]\nusername = \"anna\"\nsecret = \"npm_token\"\n"
    );
    let project = project(MAKES, &format!("\n{images}")).tagged("v1.0.0");
    let runs = nothing_is_seen(&project, &["release"], &[CANARY], 1);
    assert!(runs[2].stderr.contains("you sent anna:***"), "{}", runs[2].stderr);
}

#[test]
fn h2_what_is_made_of_a_secret_is_refused() {
    for script in ["printf '%s' \"$NPM_TOKEN\" > \"$1\"", "printf 'x%s' \"$KEY\" | base64 -w0 > \"$1\""] {
        let project = project(script, GRANTED);
        let runs = nothing_is_seen(&project, &["build", "--snapshot"], &[CANARY, KEY], 1);
        assert!(runs[2].stderr.contains("which the step has made"), "{}", runs[2].stderr);
    }
}

#[test]
fn h2_a_secret_decides_nothing() {
    let project = project(&format!("echo \"$NPM_TOKEN\"{MAKES}"), GRANTED);
    project.forge(&["run", "build", "--snapshot"]).expect(0);
    let mut again = project.command(&["run", "build", "--snapshot"]);
    let again = Ended::of(again.env("CANARY", "another token altogether")).expect(0);
    assert!(again.stderr.contains("nothing to do"), "{}", again.stderr);
}

#[test]
fn h3_a_program_sees_no_more_than_it_was_granted() {
    let secrets = [
        ("CARGO_REGISTRY_TOKEN", "canary-crates"),
        ("CARGO_REGISTRIES_ACME_TOKEN", "canary-acme"),
        ("GITHUB_TOKEN", "canary-github"),
        ("AWS_SECRET_ACCESS_KEY", "canary-aws"),
        ("npm_config_//r/:_authToken", "canary-npm"),
        ("DATABASE_URL", "canary-database"),
        ("EDITOR", "canary-editor"),
    ];
    let script = format!("env{MAKES}");
    let project =
        secrets.iter().fold(project(&script, "secrets = [\"key\"]\n"), |it, (name, value)| it.env(name, value));
    let ended = project.forge(&["run", "build", "--snapshot", "--verbose"]).expect(0);
    let lines = ended.stderr.lines().filter_map(|line| line.split_once(" | ").map(|it| it.1));
    let environment: BTreeMap<&str, &str> = lines.filter_map(|line| line.split_once('=')).collect();
    assert_eq!(environment["KEY"], "***");
    assert!(environment.contains_key("PATH") && environment.contains_key("HOME"), "{environment:?}");
    let names: Vec<&str> = environment.keys().copied().collect();
    for hidden in ["CANARY", "NPM_TOKEN", "OTHER"].into_iter().chain(secrets.iter().map(|it| it.0)) {
        assert!(!names.contains(&hidden), "{hidden} in {names:?}");
    }
    let all = secrets.map(|it| it.1);
    let found = seen(&[&project.root().join(".forge")], &[&ended.stderr], &[&[CANARY, KEY], &all[..]].concat());
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn h4_a_short_secret_is_told_of_and_left() {
    let project = project(&format!("echo \"pin $NPM_TOKEN, 1234 of them\"{MAKES}"), GRANTED).env("CANARY", "1234");
    let ended = project.forge(&["run", "build", "--snapshot", "--verbose"]).expect(0);
    assert!(ended.stderr.contains("the secret `npm_token` is too short to be masked"), "{}", ended.stderr);
    assert!(ended.stderr.contains("pin 1234, 1234 of them"), "{}", ended.stderr);
}

#[test]
fn h5_the_password_of_a_proxy() {
    let script = format!("echo \"$HTTPS_PROXY\"; echo \"can't reach ${{GOPROXY%%,*}}\" >&2{MAKES}");
    let project = project(&script, "")
        .env("HTTPS_PROXY", "http://anna:proxy%2Dcanary@127.0.0.1:1")
        .env("GOPROXY", "https://anna:goproxy-canary@proxy.example,direct");
    let runs = nothing_is_seen(&project, &["build", "--snapshot"], &["proxy%2Dcanary", "goproxy-canary"], 0);
    assert!(runs[0].stderr.contains("| http://anna:***@127.0.0.1:1"), "{}", runs[0].stderr);
}

#[test]
fn h_the_search_finds_what_is_there() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let check = |content: &str| {
        fs::write(place.path().join("made"), content).expect("a file can be written");
        !seen(&[place.path()], &[], &[CANARY, KEY]).is_empty()
    };
    assert!(!check("nothing"));
    assert!(check(&format!("x{CANARY}x")));
    assert!(check(&CANARY.to_ascii_uppercase()));
    assert!(check(&STANDARD.encode(CANARY)));
    assert!(check(&STANDARD.encode(format!("anna:{CANARY}"))));
    assert!(check(&URL_SAFE_NO_PAD.encode(format!("x{CANARY}"))));
    assert!(check(&serde_json::json!({ "a": CANARY }).to_string()));
    assert!(check("Q0FOQVJZLWtleS1saW5lLXR3by1hYmNkZWZnaGlq"));
    assert!(!seen(&[], &[CANARY], &[CANARY]).is_empty());
}
