//! Wheels on indexes of Python packages, pypiserver and devpi, by twine, as their authors have made them.
//! Does not know other destinations.

use std::fs;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::forge::{Ended, Running};
use crate::support::killed::kill_release_at;
use crate::support::package_servers::{Served, path_with, python_programs};
use crate::support::project::Project;
use crate::support::proxy::{Fault, Proxy};

const TOKEN: &str = "pypi-token-of-the-tests";

const FILE: &str = r#"
[project]
name = "hello"

[secrets]
pypi_token = { env = "CI_TOKEN" }

[[hook]]
id = "wheel"
argv = ["python3", "wheel.py", "hello_world", "1.2.3", "{{ out }}"]
sources = ["wheel.py"]
makes = [{ name = "hello_world-1.2.3-py3-none-any.whl" }]

[[hook]]
id = "second"
argv = ["python3", "wheel.py", "hello_world", "1.2.3", "{{ out }}", "py2"]
sources = ["wheel.py"]
makes = [{ name = "hello_world-1.2.3-py2-none-any.whl" }]

[[publish]]
to = "pypi"
token = "pypi_token"
secrets = ["pypi_token"]
index = "http://ADDRESS/simple"
"#;

const RELEASED: &[&str] = &["hello_world-1.2.3-py2-none-any.whl", "hello_world-1.2.3-py3-none-any.whl"];

fn project(address: &str, token: &str) -> Project {
    project_of(&FILE.replace("ADDRESS", address), token)
}

/// For an index of devpi's.
fn devpi_project(address: &str, index: &str, token: &str) -> Project {
    let place = format!("ADDRESS/ada/{index}/+simple/\"\nusername = \"ada");
    project_of(&FILE.replace("ADDRESS/simple", &place).replace("ADDRESS", address), token)
}

fn project_of(text: &str, token: &str) -> Project {
    let project = Project::of_text(text).env("CI_TOKEN", token);
    project.write("wheel.py", include_str!("wheel.py"));
    project.env("PATH", &path_with(&python_programs())).tagged("v1.2.3")
}

fn release(project: &Project) -> Ended {
    project.forge(&["run", "release", "--json"])
}

/// What the index has.
fn files(index: &Served) -> Vec<String> {
    let entries = fs::read_dir(index.directory().join("packages")).expect("its directory");
    let mut names: Vec<String> =
        entries.map(|it| it.expect("an entry").file_name().into_string().expect("a name")).collect();
    names.sort();
    names
}

/// How many files were sent.
fn sent(proxy: &Proxy) -> usize {
    proxy.seen().iter().filter(|it| it.line.starts_with("POST")).count()
}

#[test]
fn what_is_uploaded_is_not_sent_again() {
    let index = Served::pypiserver();
    let proxy = Proxy::start(index.address());
    let project = project(proxy.address(), TOKEN);
    let ended = release(&project).expect(0);
    assert!(!format!("{}{}", ended.stdout, ended.stderr).contains(TOKEN));
    assert_eq!(files(&index), RELEASED);
    assert_eq!(sent(&proxy), 2);
    release(&project).expect(0);
    // Nor where nothing is remembered.
    fs::remove_dir_all(project.root().join(".forge")).expect("it is there");
    release(&project).expect(0);
    assert_eq!(sent(&proxy), 0);
}

/// What an index of devpi's has.
fn devpi_files(devpi: &Served, index: &str) -> Vec<String> {
    let answer = devpi.ask("GET", &format!("/ada/{index}/+simple/hello-world/"), "", "");
    let mut names: Vec<String> =
        RELEASED.iter().filter(|it| answer.contains(&format!("/{it}#sha256="))).map(|it| (*it).to_owned()).collect();
    names.sort();
    names
}

#[test]
fn devpi_takes_it_once_whatever_happens() {
    let devpi = Served::devpi(&["plain", "lost", "killed", "refused"], TOKEN);
    let proxy = Proxy::start(devpi.address());
    let project = devpi_project(proxy.address(), "plain", TOKEN);
    let ended = release(&project).expect(0);
    assert!(!format!("{}{}", ended.stdout, ended.stderr).contains(TOKEN));
    assert_eq!(devpi_files(&devpi, "plain"), RELEASED);
    assert_eq!(sent(&proxy), 2);
    release(&project).expect(0);
    fs::remove_dir_all(project.root().join(".forge")).expect("it is there");
    release(&project).expect(0);
    assert_eq!(sent(&proxy), 0);

    proxy.fault("POST", "/ada/lost/", 1..=1, Fault::LostReply);
    release(&devpi_project(proxy.address(), "lost", TOKEN)).expect(0);
    assert_eq!(devpi_files(&devpi, "lost"), RELEASED);

    let project = devpi_project(proxy.address(), "killed", TOKEN);
    kill_release_at(&project, &proxy, "POST", "/ada/killed/");
    release(&project).expect(0);
    assert_eq!(devpi_files(&devpi, "killed"), RELEASED);

    // Another file of a name that is there, and another password.
    let other = devpi_project(proxy.address(), "plain", TOKEN);
    other.write("wheel.py", &include_str!("wheel.py").replace("print('hello')", "print('hello!')"));
    other.git(&["commit", "--quiet", "--all", "--message=More of it"]);
    other.git(&["tag", "--force", "v1.2.3"]);
    let ended = release(&other).expect(1);
    assert!(ended.stdout.contains("is published already, and is another"), "{}", ended.stdout);
    let ended = release(&devpi_project(proxy.address(), "refused", "another-token-of-the-tests")).expect(1);
    let words = "may the token `pypi_token` upload to the project `hello-world`?";
    assert!(ended.stdout.contains(words), "{}", ended.stdout);
    assert!(!ended.stdout.contains("another-token-of-the-tests"));
    assert!(devpi_files(&devpi, "refused").is_empty());
}

/// A source distribution of all that lies in the project.
const SDIST: &str = r#"
[project]
name = "hello"

[secrets]
pypi_token = { env = "CI_TOKEN" }

[[hook]]
id = "sdist"
argv = ["sh", "-c", "mkdir -p $FORGE_OUT/hello-1.2.3/.forge && cp .forge/.gitignore $FORGE_OUT/hello-1.2.3/.forge && tar -C $FORGE_OUT -czf $FORGE_OUT/hello-1.2.3.tar.gz hello-1.2.3"]
makes = [{ name = "hello-1.2.3.tar.gz" }]

[[publish]]
to = "pypi"
token = "pypi_token"
secrets = ["pypi_token"]
index = "http://ADDRESS/simple"
"#;

#[test]
fn what_forge_makes_is_in_no_source_distribution() {
    let index = Served::pypiserver();
    let ended = release(&project_of(&SDIST.replace("ADDRESS", index.address()), TOKEN)).expect(1);
    let words = "what forge makes is in the source distribution `hello-1.2.3.tar.gz`: `.forge/";
    assert!(ended.stdout.contains(words), "{}", ended.stdout);
    assert!(files(&index).is_empty());
}

#[test]
fn another_file_of_that_name_stops_the_release() {
    let index = Served::pypiserver();
    let packages = index.directory().join("packages");
    fs::write(packages.join(RELEASED[0]), "theirs").expect("a file can be written");
    let ended = release(&project(index.address(), TOKEN)).expect(1);
    assert!(ended.stdout.contains("is published already, and is another"), "{}", ended.stdout);
    assert!(ended.stdout.contains("a version is never replaced there"), "{}", ended.stdout);
    assert_eq!(files(&index), RELEASED[..1]);
}

#[test]
fn a_token_that_may_not() {
    let index = Served::pypiserver();
    let ended = release(&project(index.address(), "another-token-of-the-tests")).expect(1);
    assert!(
        ended.stdout.contains("may the token `pypi_token` upload to the project `hello-world`?"),
        "{}",
        ended.stdout
    );
    assert!(!ended.stdout.contains("another-token-of-the-tests"));
    assert!(files(&index).is_empty());
}

#[test]
fn a_wheel_that_is_none_is_found_before_anything_is_published() {
    let index = Served::pypiserver();
    let project = project(index.address(), TOKEN);
    project.write("wheel.py", "import sys\nopen(sys.argv[3] + f'/hello_world-1.2.3-{(sys.argv + [\"py3\"])[4]}-none-any.whl', 'w').write('x')\n");
    project.retag("v1.2.4");
    let ended = project.forge(&["run", "--snapshot", "release", "--json"]).expect(1);
    assert!(ended.stdout.contains("`twine check` finds fault"), "{}", ended.stdout);
    assert!(files(&index).is_empty());
}

#[test]
fn c1_a_reply_is_lost() {
    let index = Served::pypiserver();
    let proxy = Proxy::start(index.address());
    let project = project(proxy.address(), TOKEN);
    proxy.fault("POST", "/", 1..=1, Fault::LostReply);
    release(&project).expect(0);
    assert_eq!(files(&index), RELEASED);
}

#[test]
fn a1_killed_at_each_upload() {
    for which in 1..=2 {
        let index = Served::pypiserver();
        let proxy = Proxy::start(index.address());
        let project = project(proxy.address(), TOKEN);
        proxy.fault("POST", "/", which..=which, Fault::Stall(None));
        let killed = Running::start(&mut project.command(&["run", "release", "--json"]));
        let mut uploads = 0;
        while uploads < which {
            uploads += sent(&proxy);
            thread::sleep(Duration::from_millis(5));
        }
        killed.signal(Signal::KILL);
        killed.end();
        proxy.heal();
        release(&project).expect(0);
        assert_eq!(files(&index), RELEASED, "{which}");
    }
}
