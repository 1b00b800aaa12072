//! Wheels on an index of Python packages: pypiserver, by twine, as their authors have made them.
//! Does not know other destinations.

use std::fs;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::forge::{Ended, Running};
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
    let project = Project::of_text(&FILE.replace("ADDRESS", address)).env("CI_TOKEN", token);
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
