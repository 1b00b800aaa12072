//! What `useradd` and `groupadd` make of an image, by forge, and by the programs themselves in the same tree.
//! Does not know what they should do. `FORGE_TEST_SHADOW` may name the tree of another Debian that has other versions of them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use super::buildkit::{base_image, copied, fill};
use crate::support::program::output;
use crate::support::project::Project;

const PROJECT: &str = "[project]\nname = 'x'\n[[docker]]\nid = 'image'\nids = []\nimages = ['x/y']\ndockerfile = 'Dockerfile'\n\
    platforms = ['linux/amd64']\n";
/// When the project was committed, in seconds since 1970.
const COMMITTED: &str = "1714979289";
/// What stands in the commands' way, or is changed by them.
const FILES: &[(&str, &str)] = &[
    (
        "etc/passwd",
        "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1::/usr/sbin:/usr/sbin/nologin\nold:x:1000:1000::/srv/old:\n\
      low:x:990:990::/:/bin/false\nnobody:x:65534:65534::/:/bin/sh",
    ),
    ("etc/group", "root:x:0:\ndaemon:x:1:\nadm:x:4:old\nusers:x:100:\nold:x:1000:\nlow:x:990:\nstaff:x:1001:\n"),
    ("etc/shadow", "root:*:19000:0:99999:7:::\ndaemon:*:19000:0:99999:7:::\n"),
    ("etc/gshadow", "root:*::\ndaemon:*::\nadm:*::old\nusers:*::\n"),
    ("etc/subuid", "b:300000:65536\na:165536:100\n"),
    ("etc/subgid", ""),
    ("etc/skel/.profile", "p\n"),
    ("etc/skel/sub/deep", "d\n"),
    ("srv/skel/only", "o\n"),
];

/// Commands that are run one after the other.
const CASES: &[&[&str]] = &[
    &[
        "useradd ann",
        "useradd -m -s /bin/bash -c 'Bob, of us' bob",
        "useradd -r sys",
        "useradd --system --user-group --create-home runuser",
        "useradd -u 10001 connect",
        "useradd -u 500 -U few",
        "useradd -r -u 20000 large",
        "useradd -r -g daemon -d /srv -s /usr/sbin/nologin worker",
        "useradd -N -G adm,staff,4 -m -d /opt/apps/carl -k /srv/skel carl",
        "useradd -l -M -u 3000000 many",
        "useradd -o -u 0 -g 0 toor",
        "useradd -F -r -p '$6$x$y' given",
        "useradd --uid=1500 --gid=100 --groups=adm --shell=/bin/zsh --comment= --home-dir=/nonexistent --no-log-init dave",
        "useradd -K UID_MIN=5000 -K UMASK=077 -m eve",
        "useradd -b /srv -m fay",
        "useradd -m -d /srv there",
        "useradd -rm -G users gus",
        "useradd -u 59999 top && useradd next && useradd after",
    ],
    &[
        "groupadd one",
        "groupadd -r two",
        "groupadd --gid 5000 three",
        "groupadd -f one",
        "groupadd -f -g 5000 four",
        "groupadd -o -g 5000 five",
        "groupadd -r -g 50 six && groupadd -K GID_MIN=7000 seven && groupadd -p x eight",
        "groupadd -g 10001 app && useradd -u 10001 -g app app",
        "groupadd -g 2000 taken && useradd -u 2000 free",
    ],
    &["rm /etc/gshadow /etc/shadow /etc/subuid /etc/subgid", "groupadd -p y g", "useradd -m h", "useradd -G g -p z i"],
    &[
        "rm /etc/default/useradd",
        "useradd -m j",
        "echo 'GROUP=staff' > /etc/default/useradd",
        "useradd -N k",
        "echo 'CREATE_HOME yes' >> /etc/login.defs && echo 'HOME_MODE 0700' >> /etc/login.defs",
        "useradd l",
        "useradd -r m",
    ],
];

/// Commands that the programs end with a failure.
const FAILING: &[&str] = &[
    "useradd old",
    "useradd staff",
    "useradd -u 1000 x",
    "useradd -g nope x",
    "useradd -G adm,nope x",
    "groupadd adm",
    "groupadd -g 4 x",
];

#[test]
fn useradd_and_groupadd_do_as_the_programs_do() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let rootfs = place.path().join("rootfs");
    if let Err(why) = check_root().and_then(|()| fill_with_shadow(&rootfs)) {
        println!("skipped: {why}");
        return;
    }
    let base = place.path().join("base");
    base_image(&rootfs, &base, &json!({}));
    for (at, commands) in CASES.iter().enumerate() {
        let lines: String = commands.iter().map(|it| format!("RUN {it}\n")).collect();
        let project = project_on(&base, &lines);
        let ended = project.forge(&["run", "docker", "--snapshot"]);
        assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
        let [ours, theirs] = ["ours", "theirs"].map(|it| place.path().join(format!("{it}{at}")));
        for tree in [&ours, &theirs] {
            output(Command::new("cp").arg("-a").arg(&rootfs).arg(tree));
        }
        for (layer, command) in layers(&project).iter().skip(1).zip(*commands) {
            output(Command::new("tar").args(["--extract", "--file"]).arg(layer).arg("--directory").arg(&ours));
            hide(&ours);
            assert_eq!(failure(&theirs, command), None, "`{command}` fails");
            let (ours, theirs) = (listed(&ours), listed(&theirs));
            let only = |of: &[String], other: &[String]| -> Vec<String> {
                of.iter().filter(|it| !other.contains(it)).cloned().collect()
            };
            assert!(ours == theirs, "{command}\n{:#?}\n{:#?}", only(&ours, &theirs), only(&theirs, &ours));
        }
    }
    for command in FAILING {
        assert!(failure(&rootfs, command).is_some(), "`{command}` does not fail");
        let ended = project_on(&base, &format!("RUN {command}\n")).forge(&["run", "docker", "--snapshot"]);
        let told = ended.stdout + &ended.stderr;
        assert!(ended.code == Some(1) && told.contains(&format!("`{command}` fails: ")), "{told}");
    }
}

fn check_root() -> Result<(), String> {
    let is_root = output(Command::new("id").arg("-u")) == "0";
    if is_root { Ok(()) } else { Err("only root can run programs in a tree".to_owned()) }
}

/// A base with shadow; why not, where its version is none that forge does.
fn fill_with_shadow(rootfs: &Path) -> Result<(), String> {
    match std::env::var("FORGE_TEST_SHADOW") {
        Ok(tree) => drop(output(Command::new("cp").arg("-a").arg(&tree).arg(rootfs))),
        Err(_) => fill(rootfs),
    }
    let version = version_in(&fs::read_to_string(rootfs.join("var/lib/dpkg/status")).expect("a list of packages"));
    for (path, text) in FILES {
        let path = rootfs.join(path);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        fs::write(path, text).expect("a file");
    }
    symlink("/etc/skel/sub/deep", rootfs.join("etc/skel/link")).expect("a link");
    fs::write(rootfs.join("etc/group-"), "").expect("a file");
    let is_done = version.starts_with("1:4.13+") || version.starts_with("1:4.17.4-");
    if is_done { Ok(()) } else { Err(format!("forge does not know `passwd` {version}")) }
}

/// Puts the programs of this machine into a tree.
pub(super) fn with_shadow(rootfs: &Path) {
    ["/usr/sbin/useradd", "/usr/sbin/groupadd"].iter().for_each(|it| with_libraries(it, rootfs));
    ["/etc/login.defs", "/etc/default/useradd"].iter().for_each(|it| copied(it, rootfs));
    let version = output(Command::new("dpkg-query").args(["--show", "--showformat=${Version}", "passwd"]));
    let status = format!("Package: dash\nVersion: 1\n\nPackage: passwd\nVersion: {version}\n");
    fs::write(rootfs.join("var/lib/dpkg/status"), status).expect("a file");
}

fn version_in(status: &str) -> String {
    let package = status.split("\n\n").find(|it| it.contains("Package: passwd\n")).expect("`passwd`");
    package.lines().find_map(|it| it.strip_prefix("Version: ")).expect("a version").to_owned()
}

fn with_libraries(program: &str, rootfs: &Path) {
    copied(program, rootfs);
    let libraries = output(Command::new("ldd").arg(program));
    libraries.split_whitespace().filter(|it| it.starts_with('/')).for_each(|it| copied(it, rootfs));
}

fn project_on(base: &Path, lines: &str) -> Project {
    let project = Project::of_text(PROJECT);
    project.write("Dockerfile", &format!("FROM oci:base\n{lines}"));
    project.write(".gitignore", "base\n");
    let project = project.tagged("v1.0.0");
    output(Command::new("cp").arg("-r").arg(base).arg(project.root().join("base")));
    project
}

fn layers(project: &Project) -> Vec<PathBuf> {
    let store = project.root().join(".forge/store/blobs");
    let artifacts = project.json("dist/artifacts.json");
    let mut images = artifacts["artifacts"].as_array().expect("artifacts").iter();
    let image = images.rfind(|it| it["kind"] == "image").expect("an image");
    let blob = |digest: &serde_json::Value| store.join(digest.as_str().expect("a digest").replace(':', "/"));
    let manifest = fs::read(blob(&image["digest"])).expect("a manifest");
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).expect("JSON");
    manifest["layers"].as_array().expect("layers").iter().map(|it| blob(&it["digest"])).collect()
}

/// Takes away what a layer says is gone.
fn hide(tree: &Path) {
    for gone in output(Command::new("find").arg(tree).args(["-name", ".wh.*"])).lines() {
        fs::remove_file(gone.replace("/.wh.", "/")).expect("a file");
        fs::remove_file(gone).expect("a file");
    }
}

/// What a command says that fails.
fn failure(tree: &Path, command: &str) -> Option<String> {
    // The C library asks `/proc` for what it can't ask the kernel.
    let script = "mount --bind /proc \"$1/proc\" && exec chroot \"$1\" /bin/sh -c \"$2\"";
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "sh", "-c", script, "sh"]).arg(tree).arg(command);
    unshare.env_clear().env("SOURCE_DATE_EPOCH", COMMITTED);
    unshare.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    let output = unshare.output().expect("`unshare` can be run");
    (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

/// All that lies in a tree, and of files what they hold.
fn listed(tree: &Path) -> Vec<String> {
    let find = |arguments: &[&str]| output(Command::new("find").current_dir(tree).arg(".").args(arguments));
    let nodes = find(&["-printf", "%y %m %U:%G %p %l\\n"]);
    let files = find(&["-path", "./usr", "-prune", "-o", "-type", "f", "-exec", "sha256sum", "{}", "+"]);
    let mut all: Vec<String> = nodes.lines().chain(files.lines()).map(str::to_owned).collect();
    all.sort();
    all
}
