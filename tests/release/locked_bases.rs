//! What `forge.lock` says of bases: a tag that moves moves no image, nobody is asked, and `forge lock` takes the new one.
//! Does not know how images are made.

use std::process::Command;

use serde_json::Value;

use crate::support::program::{output, test_program};
use crate::support::project::Project;
use crate::support::proxy::Proxy;
use crate::support::registry::Registry;
use crate::support::small;

const BUILD: [&str; 3] = ["run", "docker", "--snapshot"];

fn project(base: &str) -> Project {
    let project = Project::of_text(
        "[project]\nname = 'on'\n[[build]]\ntool = 'command'\nargv = ['cp', 'on.sh', '{{ output }}']\n\
         platforms = ['linux/amd64', 'linux/arm64']\nsources = ['on.sh']\n\
         [[docker]]\nimages = ['example.org/on']\ntags = ['1']\nplatforms = ['linux/amd64', 'linux/arm64']\nbase = '{{ env.BASE }}'\n",
    );
    project.write("on.sh", "#!/bin/sh\n");
    project.env("BASE", base).tagged("v1.0.0")
}

/// The digests of the images.
fn images(project: &Project) -> Vec<Value> {
    let artifacts = project.json("dist/artifacts.json");
    let images = artifacts["artifacts"].as_array().expect("artifacts").iter().filter(|it| it["kind"] == "image");
    images.map(|it| it["digest"].clone()).collect()
}

#[test]
fn a_tag_that_moves_moves_nothing_until_it_is_locked_anew() {
    let registry = Registry::start();
    small::project(registry.address()).forge(&["run", "release"]).expect(0);
    let proxy = Proxy::start(registry.address());
    let base = format!("{}/acme/small:latest", proxy.address());
    let project = project(&base);
    project.forge(&["lock"]).expect(0);
    let lock = std::fs::read_to_string(project.root().join("forge.lock")).expect("a lock");
    let locked = registry.digest("acme/small", "latest");
    assert!(lock.contains(&format!("\"{base}\" = \"{locked}\"")), "{lock}");
    project.forge(&["lock", "--check"]).expect(0);
    project.forge(&BUILD).expect(0);
    let before = images(&project);

    small::changed("echo other tool", registry.address(), "v1.3.0").forge(&["run", "release"]).expect(0);
    assert_ne!(registry.digest("acme/small", "latest"), locked);
    drop(proxy.seen());
    project.forge(&BUILD).expect(0);
    assert_eq!(proxy.seen(), [], "nobody is asked");
    assert_eq!(images(&project), before);
    // Nor does a machine that has nothing yet take another one.
    std::fs::remove_dir_all(project.root().join(".forge")).expect("a folder");
    project.forge(&BUILD).expect(0);
    assert_eq!(images(&project), before);

    let said = project.forge(&["lock", "--check"]).expect(1).stdout;
    assert!(said.contains(&format!("`{base}`: {locked} is locked, sha256:")), "{said}");
    project.forge(&["lock"]).expect(0);
    project.forge(&BUILD).expect(0);
    assert_ne!(images(&project), before);

    // What can't be asked stays as it is locked.
    proxy.stop();
    let said = project.forge(&["lock"]).expect(0).stderr;
    assert!(said.contains(&format!("`{base}` stays as it is locked: ")), "{said}");
}

#[test]
fn what_another_platform_gets_makes_nothing_anew() {
    let registry = Registry::start();
    small::project(registry.address()).forge(&["run", "release"]).expect(0);
    let project = project(&format!("{}/acme/small:latest", registry.address()));
    project.forge(&BUILD).expect(0);
    let before = images(&project);
    let list = format!("{}/acme/small", registry.address());
    let member = |arch: &str| {
        let platform = format!("--platform=linux/{arch}");
        output(Command::new(test_program("crane")).args(["digest", "--insecure", &platform, &format!("{list}:latest")]))
    };
    let amd64 = member("amd64");
    small::changed("echo other tool", registry.address(), "v1.3.0").forge(&["run", "release"]).expect(0);
    // As registries have it while the platforms of an image are updated one by one.
    let mixed = format!("{list}:latest");
    let create = ["manifest", "index", "create", "--plain-http", &mixed, &amd64, &member("arm64")];
    output(Command::new(test_program("oras")).args(create));
    project.forge(&BUILD).expect(0);
    let after = images(&project);
    assert_eq!(before.iter().zip(&after).map(|(one, other)| one == other).collect::<Vec<_>>(), [true, false]);
}
