//! The same Dockerfiles, made by forge and by BuildKit: layer by layer, and key by key of the config.
//! Does not know how either works. `FORGE_TEST_BUILDKIT` names a directory with `buildkitd` and `buildctl`; without it, nothing
//! is compared, and the test says so.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use forge_plugin::schemas::Digest;
use serde_json::{Value, json};

use super::accounts::with_shadow;
use crate::support::program::output;
use crate::support::project::Project;

const PROJECT: &str = "[project]\nname = 'x'\n[[docker]]\nid = 'image'\nids = []\nimages = ['x/y']\ndockerfile = 'Dockerfile'\n\
    platforms = ['linux/amd64']\nbuild_args = { BASE = 'oci:base' }\n";
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What stands below `ARG BASE` and is built on a base with Debian's coreutils.
const CASES: &[&str] = &[
    "FROM ${BASE}\nRUN mkdir -p /x/y /srv/z && mkdir -m 700 /q && mkdir /x/w\n",
    "FROM ${BASE}\nRUN true\n",
    "FROM scratch\nWORKDIR /a//b/\nWORKDIR c/\nCOPY a.txt .\nWORKDIR /d/./e/\n",
    "FROM ${BASE}\nRUN mkdir -p /usr/bin && chmod 755 /usr\n",
    "FROM ${BASE}\nRUN touch /usr/f && chmod +x /usr/f && chmod 4755 /usr/f && chown 5:6 /usr/f\n",
    "FROM ${BASE}\nRUN mkdir -p /app/d && ln -s d /app/l && touch /app/f && chown -R nobody:users /app && chown daemon: /srv\n",
    "FROM ${BASE}\nRUN ln -s /bin/sh /usr/zz && ln -sf /bin/x /usr/zz && ln -s a b /tmp && ln -sfn /srv /usr/zz\n",
    "FROM ${BASE}\nRUN mkdir /c && touch /c/a && chmod 600 /c/a && chown 7:8 /c/a && ln -s a /c/l && cp -r /c /d && cp -a /c /e \
     && cp -p /c/a /f && cp /c/a /g && cp /c/l /h && cp -a /c/l /i && cp -r /c /srv\n",
    "FROM ${BASE}\nRUN mkdir /c && touch /c/a && mv /c/a /c/b && mv /c /srv && touch /m && mv /m /c2\n",
    "FROM ${BASE}\nRUN touch /tmp/x && rm /tmp/x && rm -rf /etc/old /nope && rm -r /srv && mkdir /srv\n",
    "FROM ${BASE}\nRUN mkdir /shared/d && touch /shared/f /shared/d/g && ln -s x /shared/l && chown -R 5:6 /shared\n",
    "FROM ${BASE}\nRUN touch /f && chmod u=rwx,g=rx,o= /f && mkdir /d && chmod g+s,a+t /d && touch /d/x && mkdir /d/y\n",
    "FROM ${BASE}\nARG X=foo\nENV Y=\"a b\"\nRUN mkdir -p \"/z/$X\" \"/z/$Y\" /z/${X}bar '/z/$q'\nRUN [\"mkdir\", \"-p\", \"/w w/$X\"]\n",
    "FROM ${BASE}\nWORKDIR /app\nRUN mkdir a \\\n  # why\n && touch a/b ../c \\\n && chmod 700 .\n",
    "FROM ${BASE}\nCOPY forge.toml /opt/\nRUN chmod 700 /opt/forge.toml && chown -R 7:7 /opt && mv /opt/forge.toml /opt/f\n",
    "FROM ${BASE}\nENV L=env\nARG L=again\nENV M=$L\nRUN mkdir \"/r$L\"\nENV L=last\nARG L\nCOPY forge.toml /q$L\n",
    "FROM ${BASE}\nARG X=a\nCOPY <<EOF /e/\nx $X \"q\" '$X' \\$X \\\\ \n\ty\nEOF\nCOPY --chmod=755 --chown=5:6 <<-\"A\" <<'b.sh' /f/\n\t\t$X\nA\n$X \\n\nb.sh\n\
     COPY <<EOF /g\nEOF\n",
    "FROM ${BASE}\nCOPY --chmod=u=rwX,go-rwx conf /c\nCOPY --chmod=+x,o-r a.txt conf /d/\nCOPY --chmod=g+w docs/ /e/f/\n",
    "FROM ${BASE}\nCOPY --exclude=*.md --exclude=sub/b* conf /c\nCOPY --exclude=**/*.md docs a.txt /d/\nCOPY --exclude=*.md docs/a.md /e/\n\
     COPY --exclude=deep --exclude=!deep/*.txt docs /f/\n",
    "FROM ${BASE}\nCOPY --link a.txt /srv/x/\nRUN mkdir /tmp/x\nCOPY --link --chown=5:6 conf /tmp/y/z\nCOPY --link --chmod=700 a.txt /shared/\n\
     COPY --link=false a.txt /lib/\nCOPY --link b.txt /bin/\n",
    "FROM ${BASE}\nADD conf.tar /t/\nADD conf.tgz a.txt /z/\nADD --chown=5:6 --chmod=700 conf.tar b.txt /m/\n\
     ADD --unpack=false conf.tgz /u/\n",
    "FROM ${BASE}\nADD conf.tar.bz2 /b/\nADD conf.tar.xz conf.tar.zst /x/\nADD text.bz2 /t/\n",
    "FROM ${BASE}\nCOPY *.txt do* /w/\nCOPY c*/*.conf /v/\nCOPY {x}.* [ab].txt /x/\nCOPY a.tx? /y\nCOPY docs/**/*.md /s/\n",
    "FROM ${BASE}\nARG V=v1.2.3-rc.1\nENV A=${V#v} B=${V%%-*} C=${V/-/+} D=${V//[.]/_} E=${V//./_} F=${V%.*} G=${V##*.} H=${N:-x$V} I=${V:+y} \\\n J=${V%rc?1}\n",
    "FROM ${BASE}\nCOPY --chmod=700 forge.toml /n/x\nCOPY --chmod=600 --chown=5:6 forge.toml /m/x/y/\n",
    "FROM ${BASE} AS a\nRUN mkdir -p /d/e && touch /d/f /d/e/g && chown -R 5:6 /d && chmod 711 /d && ln -s f /d/l\nFROM ${BASE}\n\
     COPY --from=a /d /d\nCOPY --from=a /d/f /d/l /f/\nCOPY --from=a --chown=7:8 --chmod=750 /d /g\nCOPY --from=a /d/* /i/\n",
    "FROM ${BASE}\nRUN mkdir /g && touch /g/a /g/.b /g/-c; chmod 700 /g/* && touch /g/d* && rm /g/?? || true\n",
    "FROM ${BASE}\nRUN rm -rf /etc/o* /nope/* /s?v && cp -r /et*/pass* /x\n",
    "FROM ${BASE}\nRUN set -eux; echo a  'b  c' > /e && echo -n x >> /e && printf '%s: %s\\n\\tz' a b c >/p\n",
    "FROM ${BASE}\nRUN echo 'app:x:10:11::/:/bin/sh' >> /etc/passwd && chown app /srv && echo new > /etc/nsswitch.conf 2>/dev/null\n",
    "FROM ${BASE}\nRUN <<EOF\nset -e\n# why\nmkdir /t # here\ntouch /t/a \\\n  /t/b; chmod 700 /t/*\n\necho done\nEOF\nRUN <<-'E'\n\tmkdir /u\n\tE\n",
    "FROM ${BASE}\nRUN --network=none --mount=type=cache,target=/var/lib --mount=type=tmpfs,target=/tmp mkdir /v\n",
    "FROM ${BASE} AS a\nSHELL [\"/bin/sh\", \"-ec\"]\nRUN mkdir /s\nFROM a\nENTRYPOINT a b\nONBUILD COPY x /\nONBUILD RUN y && z\n",
    "FROM ${BASE} AS w\nWORKDIR /w\nFROM ${BASE} AS a\nARG Y=1\nONBUILD ARG X=x\nONBUILD COPY --from=w /w /o/w$X$Y\nONBUILD RUN mkdir /o/r && touch /o/f$X\n\
     FROM a AS b\nENV Z=$X\nWORKDIR /$Z\nFROM b\nRUN mkdir /v$X\n",
    "FROM ${BASE}\nSHELL [\"/bin/sh\", \"-ec\"]\nCMD a && \\\n  # no\n  b 'c'\nHEALTHCHECK --interval=5s CMD c \\\n -d\n",
    "FROM ${BASE}\nRUN groupadd -r app && useradd -r -g app -u 1234 -d /app -s /bin/false app && mkdir /app && chown app: /app\n\
     RUN useradd -m me && groupadd us\n",
    "FROM scratch\nCOPY --parents docs/deep/b.md conf/*.conf a.txt /p/\nCOPY --parents docs/deep/b.md /o\nCOPY --parents ./docs/./deep/*.txt /q/\n\
     COPY --parents --chown=5:6 --chmod=700 conf/sub /r/\nCOPY --parents **/*.md /s/\nCOPY --parents --exclude=**/*.md docs /t/\n\
     COPY --parents conf/link docs/a.md /u/\n",
    "FROM ${BASE} AS a\nRUN mkdir -p /d/e/f && touch /d/e/f/g && chmod 711 /d/e && chown 5:6 /d/e/f\nFROM scratch\n\
     COPY --parents --from=a /d/e/f/g /x/\nCOPY --from=a --parents /d/./e/f /y/\nCOPY --from=a --parents /d/*/f /z/\n",
    "FROM ${BASE} AS a\nRUN mkdir -p /d/e && touch /d/f && chmod 711 /d && chown 7:8 /d\nFROM ${BASE}\n\
     RUN --mount=type=bind,from=a,source=/d,target=/mnt/x cp -r /mnt/x /out && cp -a /mnt/x /out2 && cp /mnt/x/f /srv && mkdir /q\n\
     RUN --mount=target=/src --mount=type=cache,target=/var/new/cache cp /src/a.txt /y && cp -r /src/docs/. /tmp && cp -a /src/conf /w\n\
     RUN --mount=source=a.txt,target=/srv/one/a cp /srv/one/a /z && mkdir /srv/one/b\n\
     RUN --mount=source=docs,target=/tmp/deep,rw cp /tmp/deep/a.md /v\n\
     WORKDIR /k\nRUN --mount=source=conf,target=sub cp sub/*.conf . && touch c\n",
    "FROM ${BASE} AS one\nRUN touch /1\nFROM one AS two\nARG L=x\nRUN touch /2 && rm /1\nFROM scratch\nCOPY --from=two /2 /1/\nCMD a b\n",
];

/// Files of the project.
const FILES: &[(&str, &str)] = &[
    ("a.txt", "a"),
    ("b.txt", "b"),
    ("{x}.cfg", "x"),
    ("conf/a.conf", "a"),
    ("conf/run.sh", "#!/bin/sh\n"),
    ("conf/sub/b.conf", "b"),
    ("conf/sub/c.md", "c"),
    ("docs/a.md", "a"),
    ("docs/deep/b.md", "b"),
    ("docs/deep/c.txt", "c"),
    ("text.bz2", "BZh is how some text begins"),
];

/// How `tar` packs some of them, and the archive's name.
const PACKED: &[(&str, &str)] = &[
    ("--no-auto-compress", "conf.tar"),
    ("--gzip", "conf.tgz"),
    ("--bzip2", "conf.tar.bz2"),
    ("--xz", "conf.tar.xz"),
    ("--zstd", "conf.tar.zst"),
];

/// What a `.dockerignore` says, and a Dockerfile.
const IGNORED: &[(&str, &str)] = &[
    ("**/*.md\n#x\n/conf/sub/\n", "FROM scratch\nCOPY docs /docs/\nCOPY conf /conf/\n"),
    ("*\n!docs\n docs/deep/*\n!docs/deep/c*\n", "FROM scratch\nCOPY . /all/\nCOPY docs/* /one/\n"),
    (
        "conf\n!conf/sub/*.conf\n!**/run.sh\n*.tar*\n*.tgz\n.git*\nforge.toml\nbase\n.forge\ndist\n",
        "FROM scratch\nCOPY ./ /all\n",
    ),
];

/// What a base says that is done first, and what stands on it.
const TRIGGERS: &[&str] = &["ENV T=t", "RUN mkdir /onbuild && chmod 700 /onbuild", "WORKDIR /onbuild", "USER 5:6"];
const TRIGGERED: &[&str] =
    &["FROM ${BASE} AS a\nENV U=$T\nCMD a\nFROM a\nWORKDIR x\nENTRYPOINT b c\nONBUILD ENV V=v\n", "FROM ${BASE}\n"];

#[test]
fn makes_the_same_as_forge() {
    let Ok(programs) = std::env::var("FORGE_TEST_BUILDKIT") else {
        println!("skipped: FORGE_TEST_BUILDKIT names no directory with `buildkitd` and `buildctl`");
        return;
    };
    let place = tempfile::tempdir().expect("a temporary directory");
    let buildkit = BuildKit::start(Path::new(&programs), place.path());
    let base = place.path().join("base");
    let digest = base_image(&place.path().join("rootfs"), &base, &json!({}));
    let (triggering, says) =
        (place.path().join("triggering"), json!({ "OnBuild": TRIGGERS, "Shell": ["/bin/sh", "-ec"] }));
    let other = base_image(&place.path().join("rootfs"), &triggering, &says);
    let ignored = IGNORED.iter().map(|(ignore, case)| (*case, Some(*ignore)));
    let cases = CASES.iter().map(|case| (*case, None)).chain(ignored).map(|it| (it, &base, digest));
    let triggered = TRIGGERED.iter().map(|case| ((*case, None), &triggering, other));
    let differing: Vec<String> = cases
        .chain(triggered)
        .filter_map(|((case, ignore), base, digest)| {
            let project = project_of(case, ignore, base);
            let why = difference(&project, Image::lines, || buildkit.image(&project, base, digest, &project.root()))?;
            Some(format!("{case}\n{why}"))
        })
        .collect();
    assert!(differing.is_empty(), "{} differ\n\n{}", differing.len(), differing.join("\n"));
}

/// A project with a Dockerfile and all that it may copy.
fn project_of(case: &str, ignore: Option<&str>, base: &Path) -> Project {
    let project = Project::of_text(PROJECT);
    project.write("Dockerfile", &format!("ARG BASE\n{case}"));
    project.write(".gitignore", "base\n");
    FILES.iter().for_each(|(path, text)| project.write(path, text));
    fs::set_permissions(project.root().join("conf/run.sh"), fs::Permissions::from_mode(0o755)).expect("a mode");
    symlink("a.conf", project.root().join("conf/link")).expect("a link");
    if let Some(ignore) = ignore {
        project.write("Dockerfile.dockerignore", ignore);
    }
    let tar = |option: &str, name: &str| {
        let mut tar = Command::new("tar");
        tar.args(["--create", "--numeric-owner", "--owner=7", "--group=8", option, "--file", name, "conf"]);
        output(tar.current_dir(project.root()));
    };
    PACKED.iter().for_each(|(option, name)| tar(option, name));
    let project = project.tagged("v1.0.0");
    output(Command::new("cp").arg("-r").arg(base).arg(project.root().join("base")));
    project
}

/// What differs between the image that forge makes and another; nothing where nothing does.
pub(super) fn difference(
    project: &Project,
    lines: fn(&Image) -> Vec<String>,
    theirs: impl FnOnce() -> Image,
) -> Option<String> {
    let ended = project.forge(&["run", "docker", "--snapshot"]);
    if ended.code != Some(0) {
        return Some(format!("{}{}", ended.stdout, ended.stderr));
    }
    let (ours, theirs) = (ours(project), theirs());
    let (ours, theirs) = (lines(&ours), lines(&theirs));
    let only = |of: &[String], other: &[String], sign: &str| {
        let lines = of.iter().filter(|line| !other.contains(line));
        lines.map(|line| format!("{sign} {line}\n")).collect::<String>()
    };
    (ours != theirs).then(|| only(&ours, &theirs, "- forge:") + &only(&theirs, &ours, "+ BuildKit:"))
}

/// A daemon, which ends with the test.
pub(super) struct BuildKit {
    daemon: Child,
    client: PathBuf,
    address: String,
}

impl BuildKit {
    pub(super) fn start(programs: &Path, place: &Path) -> BuildKit {
        let address = format!("unix://{}", place.join("buildkit.sock").display());
        let mut daemon = Command::new(programs.join("buildkitd"));
        daemon.arg("--root").arg(place.join("buildkit")).args(["--addr", &address, "--oci-worker-net=host"]);
        daemon.arg("--otel-socket-path").arg(place.join("otel.sock")).stdout(Stdio::null()).stderr(Stdio::null());
        let daemon = daemon.spawn().expect("`buildkitd` can be started");
        let buildkit = BuildKit { daemon, client: programs.join("buildctl"), address };
        let is_up = || buildkit.client().args(["debug", "workers"]).output().is_ok_and(|it| it.status.success());
        assert!((0..300).any(|_| is_up() || wait()), "`buildkitd` does not come up");
        buildkit
    }

    fn client(&self) -> Command {
        let mut client = Command::new(&self.client);
        client.args(["--addr", &self.address]);
        client
    }

    pub(super) fn image(&self, project: &Project, base: &Path, digest: Digest, dockerfile: &Path) -> Image {
        let made = project.place().join("theirs");
        let (root, dockerfile) = (project.root(), dockerfile.display());
        let root = root.display();
        let mut build = self.client();
        build.args([
            "build",
            "--no-cache",
            "--progress=plain",
            "--frontend=dockerfile.v0",
            "--opt=build-arg:BASE=base",
        ]);
        build.arg(format!("--local=context={root}")).arg(format!("--local=dockerfile={dockerfile}"));
        build.arg(format!("--opt=context:base=oci-layout://base@{digest}"));
        build.arg(format!("--oci-layout=base={}", base.display()));
        build.arg(format!("--output=type=oci,tar=false,dest={}", made.display()));
        output(&mut build);
        let index = parse(&fs::read(made.join("index.json")).expect("an index"));
        Image::read(&made, index["manifests"][0]["digest"].as_str().expect("a digest"))
    }
}

impl Drop for BuildKit {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.daemon.id().to_string()).status();
        let _ = self.daemon.wait();
    }
}

fn wait() -> bool {
    std::thread::sleep(std::time::Duration::from_millis(100));
    false
}

/// What is compared of an image.
#[derive(Debug, PartialEq)]
pub(super) struct Image {
    /// Of each layer, every entry with all but its time.
    layers: Vec<BTreeSet<String>>,
    config: Value,
    /// Which lines of the history have no layer; without those of `ARG`s, and of labels that nobody asked for.
    empty: Vec<bool>,
}

impl Image {
    /// All of it, line by line.
    pub(super) fn lines(&self) -> Vec<String> {
        let layers = self.layers.iter().enumerate();
        let entries = layers.flat_map(|(at, layer)| layer.iter().map(move |entry| format!("layer {at} {entry}")));
        let more = [format!("layers {}, empty {:?}", self.layers.len(), self.empty)];
        entries.chain(self.config_lines()).chain(more).collect()
    }

    fn config_lines(&self) -> impl Iterator<Item = String> {
        self.config.as_object().into_iter().flatten().map(|(key, value)| format!("{key} {value}"))
    }

    /// The file system that its layers make up, and its config.
    pub(super) fn whole(&self) -> Vec<String> {
        let mut files = BTreeMap::<String, String>::new();
        for entry in self.layers.iter().flatten() {
            let words: Vec<&str> = entry.split(' ').collect();
            // Either what `tar` lists, or a path and a digest.
            let path = if words[0].len() == 10 && words[1].contains('/') { words[3] } else { words[0] };
            let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
            match name.strip_prefix(".wh.") {
                Some(gone) => {
                    let gone = format!("{dir}/{gone}");
                    let gone = gone.trim_start_matches('/');
                    files.retain(|path, _| {
                        path.split(" ").next().is_some_and(|it| it.trim_end_matches("/") != gone)
                            && !path.starts_with(&format!("{gone}/"))
                    });
                }
                None => {
                    drop(files.insert(format!("{path} {}", if path == words[0] { "is" } else { "" }), entry.clone()))
                }
            }
        }
        files.into_values().chain(self.config_lines()).collect()
    }

    fn read(layout: &Path, digest: &str) -> Image {
        let blob = |digest: &Value| layout.join("blobs").join(digest.as_str().expect("a digest").replace(':', "/"));
        let manifest = parse(&fs::read(blob(&json!(digest))).expect("a manifest"));
        let config = parse(&fs::read(blob(&manifest["config"]["digest"])).expect("a config"));
        let layers = manifest["layers"].as_array().expect("layers").iter();
        let layers: Vec<BTreeSet<String>> = layers.map(|layer| entries(&blob(&layer["digest"]))).collect();
        let mut runtime = config["config"].clone();
        if let Some(fields) = runtime.as_object_mut() {
            fields.remove("Labels");
        }
        // A `WORKDIR` that is there is a layer of nothing for BuildKit.
        let mut made = layers.iter();
        let mut is_empty = |line: &Value| line["empty_layer"] == true || made.next().is_none_or(BTreeSet::is_empty);
        let mut empty = Vec::new();
        for line in config["history"].as_array().expect("a history") {
            let is_empty = is_empty(line);
            let line = line["created_by"].as_str().unwrap_or_default();
            if !line.starts_with("ARG ") && !line.starts_with("LABEL ") {
                empty.push(is_empty);
            }
        }
        Image { layers: layers.into_iter().filter(|it| !it.is_empty()).collect(), config: runtime, empty }
    }
}

fn ours(project: &Project) -> Image {
    let artifacts = project.json("dist/artifacts.json");
    let mut images = artifacts["artifacts"].as_array().expect("artifacts").iter();
    let image = images.rfind(|it| it["kind"] == "image").expect("an image");
    Image::read(&project.root().join(".forge/store"), image["digest"].as_str().expect("a digest"))
}

/// `drwxr-xr-x 0/0 0 usr/` and, of files, what they hold.
fn entries(layer: &Path) -> BTreeSet<String> {
    let list = output(Command::new("tar").args(["--list", "--verbose", "--numeric-owner", "--file"]).arg(layer));
    let without_time = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        format!("{} {}", words[..3].join(" "), words[5..].join(" ").trim_start_matches("./"))
    };
    let hash = "echo \"$TAR_FILENAME $(sha256sum)\"";
    let contents = output(Command::new("tar").args(["--extract", "--to-command", hash, "--file"]).arg(layer));
    list.lines()
        .map(without_time)
        .chain(contents.lines().map(|line| line.trim_start_matches("./").to_owned()))
        .collect()
}

/// A base with a shell and coreutils of this machine, as Debian lays them; the digest of its manifest.
pub(super) fn base_image(rootfs: &Path, layout: &Path, says: &Value) -> Digest {
    if !rootfs.exists() {
        fill(rootfs);
    }
    let tar = ["--create", "--numeric-owner", "--owner=0", "--group=0", "--file=layer.tar", "--directory"];
    let place = rootfs.parent().expect("a directory");
    output(Command::new("tar").current_dir(place).args(tar).arg(rootfs).arg("."));
    let tar = fs::read(place.join("layer.tar")).expect("a tar");
    layout_of(layout, &tar, says)
}

pub(super) fn fill(rootfs: &Path) {
    for dir in [
        "dev",
        "etc/old",
        "proc",
        "srv",
        "sys",
        "shared",
        "usr/bin",
        "usr/lib",
        "usr/lib64",
        "var/lib/dpkg/info",
        "tmp",
    ] {
        fs::create_dir_all(rootfs.join(dir)).expect("a directory");
    }
    let modes = [("tmp", 0o1777), ("shared", 0o2775)];
    modes.iter().for_each(|(dir, mode)| {
        fs::set_permissions(rootfs.join(dir), fs::Permissions::from_mode(*mode)).expect("a mode");
    });
    for (link, to) in [("bin", "usr/bin"), ("lib", "usr/lib"), ("lib64", "usr/lib64"), ("usr/bin/sh", "dash")] {
        symlink(to, rootfs.join(link)).expect("a link");
    }
    for program in ["dash", "mkdir", "chmod", "chown", "ln", "cp", "mv", "rm", "touch", "true"] {
        let program = format!("/bin/{program}");
        copied(&program, rootfs);
        let libraries = output(Command::new("ldd").arg(&program));
        libraries.split_whitespace().filter(|it| it.starts_with('/')).for_each(|it| copied(it, rootfs));
    }
    copied("/var/lib/dpkg/info/coreutils.list", rootfs);
    with_shadow(rootfs);
    let files = [
        ("etc/passwd", "root:x:0:0::/root:/bin/sh\ndaemon:x:1:2::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n"),
        ("etc/group", "root:x:0:\ndaemon:x:2:\nusers:x:100:\n"),
        ("etc/nsswitch.conf", "passwd: files\ngroup: files\n"),
    ];
    files.iter().for_each(|(path, text)| fs::write(rootfs.join(path), text).expect("a file"));
}

pub(super) fn copied(path: &str, rootfs: &Path) {
    let to = rootfs.join(path.trim_start_matches('/'));
    fs::create_dir_all(to.parent().expect("a directory")).expect("a directory");
    output(Command::new("cp").args(["--dereference", path]).arg(to));
}

fn layout_of(layout: &Path, tar: &[u8], says: &Value) -> Digest {
    let blobs = layout.join("blobs/sha256");
    fs::create_dir_all(&blobs).expect("a directory");
    let put = |kind: &str, content: &[u8]| {
        let digest = Digest::of(content);
        fs::write(blobs.join(digest.hex()), content).expect("a blob");
        json!({ "mediaType": format!("application/vnd.oci.image.{kind}"), "digest": digest, "size": content.len() })
    };
    let mut config = json!({ "os": "linux", "architecture": "amd64", "config": { "Env": [PATH], "Cmd": ["/bin/sh"] },
        "rootfs": { "type": "layers", "diff_ids": [Digest::of(tar)] }, "history": [{ "created_by": "the base" }] });
    config["config"].as_object_mut().expect("an object").extend(says.as_object().cloned().expect("an object"));
    let (layer, config) = (put("layer.v1.tar", tar), put("config.v1+json", config.to_string().as_bytes()));
    let manifest =
        json!({ "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config,
        "layers": [layer] })
        .to_string();
    let mut descriptor = put("manifest.v1+json", manifest.as_bytes());
    descriptor["platform"] = json!({ "os": "linux", "architecture": "amd64" });
    let index = json!({ "schemaVersion": 2, "manifests": [descriptor] }).to_string();
    fs::write(layout.join("index.json"), index).expect("an index");
    fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).expect("a layout");
    Digest::of(manifest.as_bytes())
}

fn parse(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).expect("JSON")
}
