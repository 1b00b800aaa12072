//! Programs of the machine that build a Dockerfile by running it. Whichever it was, a docker archive of the image is what it leaves.
//! Does not know what becomes of the archive; what forge can do without any of them, it does itself.

mod buildah;
mod buildx;
mod docker;
mod podman;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use forge_plugin::Host;
use forge_plugin::schemas::{Command, Failure, Platform, Tool};

/// A program that builds Dockerfiles.
pub trait Engine: Sync {
    /// As a table names it.
    fn name(&self) -> &'static str;

    /// What tells its version.
    fn version(&self) -> Tool;

    /// What fails where it can't be used: it is not installed, or its daemon does not answer.
    fn ready(&self) -> Command {
        let Tool { program, version } = self.version();
        Command::new(std::iter::once(program).chain(version))
    }

    /// Builds an image, and leaves a docker archive of it.
    fn build(&self, job: &Job<'_>, host: &dyn Host) -> Result<(), Failure>;
}

/// All of them, in the order in which `auto` asks for them: those that can do more come first.
pub const ENGINES: &[&dyn Engine] = &[&buildx::Buildx, &docker::Docker, &podman::Podman, &buildah::Buildah];

/// The engine of this name.
pub fn named(name: &str) -> Option<&'static dyn Engine> {
    ENGINES.iter().find(|it| it.name() == name).copied()
}

/// An image to build.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// For which platform.
    pub platform: &'a Platform,
    /// The Dockerfile.
    pub dockerfile: &'a Path,
    /// What it copies from.
    pub context: &'a Path,
    /// The stage that is the image; the last where none is given.
    pub target: Option<&'a str>,
    /// Values of its `ARG`s.
    pub build_args: &'a BTreeMap<String, String>,
    /// The secrets that it mounts, by id. Each is in the environment, under its id in capitals.
    pub secrets: &'a BTreeSet<String>,
    /// What the user adds.
    pub flags: &'a [String],
    /// Where the id of the image is to be written.
    pub id_file: &'a Path,
    /// Where the archive is to be written.
    pub archive: &'a Path,
}

impl Job<'_> {
    /// The arguments that all of them take, but for the context, which comes last.
    fn arguments(&self) -> Vec<String> {
        let mut arguments: Vec<String> = Vec::new();
        let mut add = |flag: &str, value: String| arguments.extend([flag.to_owned(), value]);
        add("--platform", self.platform.to_string());
        add("--file", shown(self.dockerfile));
        self.target.into_iter().for_each(|target| add("--target", target.to_owned()));
        self.build_args.iter().for_each(|(name, value)| add("--build-arg", format!("{name}={value}")));
        self.secrets.iter().for_each(|id| add("--secret", format!("id={id},env={}", id.to_uppercase())));
        arguments.extend(self.flags.iter().cloned());
        arguments
    }

    /// Runs `words` with all that is asked for, and answers the id of the image.
    fn build(&self, words: &[&str], host: &dyn Host) -> Result<String, Failure> {
        let id_file = ["--iidfile".to_owned(), shown(self.id_file)];
        let argv = words.iter().map(|it| (*it).to_owned()).chain(id_file).chain(self.arguments());
        host.exec_ok(&quiet(Command::new(argv.chain([shown(self.context)]))))?;
        let id = fs::read_to_string(self.id_file).map_err(|error| Failure::file("read", self.id_file, &error))?;
        Ok(id.trim().to_owned())
    }
}

/// Without the attestations that BuildKit adds: what forge attests, it attests itself.
fn quiet(command: Command) -> Command {
    command.env("BUILDX_NO_DEFAULT_ATTESTATIONS", "1")
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn tool(program: &str, version: &[&str]) -> Tool {
    Tool { program: program.to_owned(), version: version.iter().map(|it| (*it).to_owned()).collect() }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use forge_plugin::schemas::Exit;
    use forge_plugin::testing::FakeHost;

    use super::*;

    /// What an engine starts to build one image. It is told that the builder has this driver.
    fn check(name: &str, driver: &str, expect: Expect) {
        let dir = tempfile::tempdir().unwrap();
        let (id_file, said) = (dir.path().join("id"), format!("Name: default\nDriver: {driver}\n\nNodes:\n"));
        fs::write(&id_file, "sha256:1234\n").unwrap();
        let host = FakeHost::new().on_exec(move |_| Exit { code: Some(0), stdout: said.clone(), ..Exit::default() });
        let job = Job {
            platform: &"linux/arm/v7".parse().unwrap(),
            dockerfile: Path::new("/step/Dockerfile"),
            context: Path::new("/step/context"),
            target: Some("image"),
            build_args: &[("A".to_owned(), "1 2".to_owned())].into(),
            secrets: &["npm_token".to_owned()].into(),
            flags: &["--network=none".to_owned()],
            id_file: &id_file,
            archive: Path::new("/step/image.tar"),
        };
        named(name).unwrap().build(&job, &host).unwrap();
        let record = host.record();
        let lines = record.commands.iter().map(|it| it.argv.join(" ").replace(&shown(dir.path()), "DIR"));
        expect.assert_eq(&lines.collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn what_each_is_asked() {
        check(
            "docker",
            "",
            expect![[r#"
            docker build --iidfile DIR/id --platform linux/arm/v7 --file /step/Dockerfile --target image --build-arg A=1 2 --secret id=npm_token,env=NPM_TOKEN --network=none /step/context
            docker save --output /step/image.tar sha256:1234"#]],
        );
        check(
            "buildx",
            "docker",
            expect![[r#"
            docker buildx inspect
            docker buildx build --load --iidfile DIR/id --platform linux/arm/v7 --file /step/Dockerfile --target image --build-arg A=1 2 --secret id=npm_token,env=NPM_TOKEN --network=none /step/context
            docker save --output /step/image.tar sha256:1234"#]],
        );
        check(
            "buildx",
            "docker-container",
            expect![[r#"
            docker buildx inspect
            docker buildx build --output=type=docker,dest=/step/image.tar --iidfile DIR/id --platform linux/arm/v7 --file /step/Dockerfile --target image --build-arg A=1 2 --secret id=npm_token,env=NPM_TOKEN --network=none /step/context"#]],
        );
        check(
            "podman",
            "",
            expect![[r#"
            podman build --format=docker --identity-label=false --iidfile DIR/id --platform linux/arm/v7 --file /step/Dockerfile --target image --build-arg A=1 2 --secret id=npm_token,env=NPM_TOKEN --network=none /step/context
            podman save --quiet --format=docker-archive --output /step/image.tar sha256:1234"#]],
        );
        check(
            "buildah",
            "",
            expect![[r#"
            buildah build --layers --format=docker --identity-label=false --iidfile DIR/id --platform linux/arm/v7 --file /step/Dockerfile --target image --build-arg A=1 2 --secret id=npm_token,env=NPM_TOKEN --network=none /step/context
            buildah push --quiet sha256:1234 docker-archive:/step/image.tar"#]],
        );
    }
}
