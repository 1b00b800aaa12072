//! `ADD` of files that a server has: what comes into the image, and when it is fetched again.
//! Does not know how they are fetched.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use forge_plugin::schemas::Digest;
use serde_json::json;

use super::buildkit::{BuildKit, Image, base_image, difference};
use crate::support::project::Project;

const PROJECT: &str = "[project]\nname = 'x'\n[[docker]]\nid = 'image'\nids = []\nimages = ['x/y']\ndockerfile = 'Dockerfile'\n\
    platforms = ['linux/amd64']\nbuild_args = { BASE = 'oci:base' }\n";

/// A server on loopback, which ends with the test.
struct Server {
    program: Child,
    address: String,
}

impl Server {
    /// Of all that lies in a directory.
    fn start(directory: &Path) -> Server {
        let mut python = Command::new("python3");
        python.args(["-u", "-m", "http.server", "--bind", "127.0.0.1", "--directory"]).arg(directory).arg("0");
        let mut program =
            python.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("`python3` can be started");
        let mut line = String::new();
        let said = program.stdout.take().expect("what it says");
        BufReader::new(said).read_line(&mut line).expect("a line");
        // Serving HTTP on 127.0.0.1 port 8000 (http://127.0.0.1:8000/) ...
        let address = line.split(['(', ')']).nth(1).expect("an address").to_owned();
        Server { program, address }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

fn project_on(server: &Server, base: &Path, lines: &str) -> Project {
    let project = Project::of_text(PROJECT);
    let lines = lines.replace("SERVER/", &server.address);
    project.write("Dockerfile", &format!("ARG BASE\nFROM ${{BASE}}\n{lines}"));
    project.write(".gitignore", "base\n");
    let project = project.tagged("v1.0.0");
    let copied = Command::new("cp").arg("-r").arg(base).arg(project.root().join("base")).status();
    assert!(copied.expect("`cp` can be run").success());
    project
}

fn run(project: &Project) -> String {
    let ended = project.forge(&["run", "docker", "--snapshot"]);
    format!("{:?} {}{}", ended.code, ended.stdout, ended.stderr)
}

#[test]
fn files_are_added_from_a_server() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let (files, base): (PathBuf, PathBuf) = (place.path().join("files"), place.path().join("base"));
    fs::create_dir_all(files.join("dir")).expect("a directory");
    fs::write(files.join("dir/tool"), "tool").expect("a file");
    fs::write(files.join("empty"), "").expect("a file");
    let digest = base_image(&place.path().join("rootfs"), &base, &json!({}));
    let server = Server::start(&files);
    let checksum = Digest::of(b"tool");
    let lines = format!(
        "ADD SERVER/dir/tool /srv/\nADD --chmod=755 --chown=5:6 --checksum={checksum} SERVER/dir/tool /opt/other\n\
         ADD SERVER/dir/tool?x=y SERVER/empty /tmp/new/\n"
    );
    let project = project_on(&server, &base, &lines);
    let told = run(&project);
    assert!(told.starts_with("Some(0)"), "{told}");
    let first = project.digests();
    if let Ok(programs) = std::env::var("FORGE_TEST_BUILDKIT") {
        let buildkit = BuildKit::start(Path::new(&programs), place.path());
        let theirs = || buildkit.image(&project, &base, digest, &project.root());
        assert_eq!(difference(&project, Image::lines, theirs), None);
    }
    assert_eq!((run(&project), project.digests()).1, first);
    // What a checksum says is not asked for again; all else is.
    fs::write(files.join("dir/tool"), "another").expect("a file");
    let told = run(&project);
    assert!(told.starts_with("Some(0)") && project.digests() != first, "{told}");
    let wrong = format!("ADD --checksum={checksum} SERVER/dir/tool /\n");
    let told = run(&project_on(&server, &base, &wrong));
    assert!(told.starts_with("Some(1)") && told.contains(&checksum.to_string()), "{told}");
    fs::remove_file(files.join("dir/tool")).expect("a file");
    let told = run(&project);
    assert!(told.starts_with("Some(1)") && told.contains("can't be had: status 404"), "{told}");
}
