//! Dockerfiles that people write, made by forge and by BuildKit on bases that stand in for theirs.
//! Does not count what forge refuses as a difference, and says why it does. `FORGE_TEST_BUILDKIT` and `FORGE_TEST_CORPUS` say where
//! the two are; without them nothing is compared, and the test says so.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use super::buildkit::{BuildKit, Image, base_image, difference, fill};
use crate::support::program::output;
use crate::support::project::Project;

const PROJECT: &str = "[project]\nname = 'x'\n[[docker]]\nid = 'image'\nids = []\nimages = ['x/y']\ndockerfile = 'Dockerfile'\n\
    platforms = ['linux/amd64']\n";
/// What is called otherwise by the two, and stands for every image that a file names.
const OURS: &str = "oci:base";
const THEIRS: &str = "base";
/// As often as a file may ask for one more thing.
const TRIES: usize = 12;
/// What busybox does in a base of that sort. That of Debian knows no accounts.
const BUSYBOX: &[&str] = &["sh", "mkdir", "chmod", "chown", "ln", "cp", "mv", "rm", "touch", "true"];

#[test]
fn files_of_others_are_made_as_buildkit_makes_them() {
    let (Ok(programs), Ok(corpus)) = (std::env::var("FORGE_TEST_BUILDKIT"), std::env::var("FORGE_TEST_CORPUS")) else {
        println!("skipped: FORGE_TEST_BUILDKIT and FORGE_TEST_CORPUS do not say where BuildKit and Dockerfiles are");
        return;
    };
    let place = tempfile::tempdir().expect("a temporary directory");
    let buildkit = BuildKit::start(Path::new(&programs), place.path());
    let (debian, busybox) = (place.path().join("debian"), place.path().join("busybox"));
    fill(&debian);
    fill_with_busybox(&busybox, &debian);
    let (mut differing, mut same) = (Vec::new(), 0);
    for file in files(Path::new(&corpus)) {
        let text = fs::read_to_string(&file).expect("a text");
        let rootfs = if text.contains("alpine") || text.contains("usybox") { &busybox } else { &debian };
        let told = match compare(&text, rootfs, &buildkit) {
            Compared::Same => "the same".to_owned(),
            Compared::Refused(why) => why,
            Compared::Different(how) => {
                differing.push(format!("{}\n{how}", file.display()));
                "different".to_owned()
            }
        };
        same += usize::from(told == "the same");
        println!("{:70} {told}", file.strip_prefix(&corpus).unwrap_or(&file).display().to_string());
    }
    println!("\n{same} are the same");
    assert!(same > 0 && differing.is_empty(), "{} differ\n\n{}", differing.len(), differing.join("\n"));
}

enum Compared {
    Same,
    Refused(String),
    Different(String),
}

/// Compares what the two make of a file, with all in place that it copies.
fn compare(text: &str, rootfs: &Path, buildkit: &BuildKit) -> Compared {
    let project = Project::of_text(PROJECT);
    let own = project.place().join("rootfs");
    output(Command::new("cp").arg("-a").arg(rootfs).arg(&own));
    project.write("Dockerfile", &standing_on(text, OURS));
    project.write("theirs/Dockerfile", &standing_on(text, THEIRS));
    project.write(".gitignore", "base\ntheirs\n.forge\ndist\n");
    project.write(".dockerignore", "base\ntheirs\n.forge\ndist\n.git\n");
    let project = project.tagged("v1.0.0");
    let base = project.root().join("base");
    let mut digest = base_image(&own, &base, &json!({}));
    for _ in 0..TRIES {
        let ended = project.forge(&["run", "docker", "--snapshot"]);
        if ended.code == Some(0) {
            let theirs = || buildkit.image(&project, &base, digest, &project.root().join("theirs"));
            return difference(&project, Image::whole, theirs).map_or(Compared::Same, Compared::Different);
        }
        let told = ended.stdout + &ended.stderr;
        let files: Vec<String> = quoted(&told, "there is no file `");
        let in_base = quoted(&told, "` is `");
        if files.is_empty() && in_base.is_empty() {
            let line = told
                .lines()
                .find(|line| line.starts_with("error") || line.contains("fails: ") || line.contains("can't"));
            return Compared::Refused(line.unwrap_or(&told).trim().to_owned());
        }
        files.iter().for_each(|path| project.write(&path.replace(['*', '?'], "x"), path));
        for path in in_base {
            let to = own.join(path.trim_start_matches('/'));
            fs::create_dir_all(to.parent().expect("a directory")).expect("a directory");
            fs::write(to, path).expect("a file");
            fs::remove_dir_all(&base).expect("the base was there");
            digest = base_image(&own, &base, &json!({}));
        }
    }
    Compared::Refused("it wants ever more files".to_owned())
}

/// What stands between this and the next backquote, wherever it is told.
fn quoted(told: &str, before: &str) -> Vec<String> {
    let ends = told.match_indices(before).map(|(at, _)| &told[at + before.len()..]);
    ends.filter_map(|rest| rest.split('`').next()).map(str::to_owned).collect()
}

/// The same file, on `base` where it names an image.
fn standing_on(text: &str, base: &str) -> String {
    let mut stages: Vec<String> = Vec::new();
    let mut lines = String::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let mut words: Vec<String> = words.iter().map(|it| (*it).to_owned()).collect();
        let is = |word: &str| words.first().is_some_and(|it| it.eq_ignore_ascii_case(word));
        if is("FROM") {
            let image = words.iter().skip(1).position(|it| !it.starts_with("--")).map_or(0, |at| at + 1);
            let name = words[image].to_lowercase();
            let is_made = name == "scratch" || stages.contains(&name) || name.contains("_$");
            if !is_made {
                base.clone_into(&mut words[image]);
            }
            let named = words.get(image + 1).filter(|it| it.eq_ignore_ascii_case("AS")).and(words.get(image + 2));
            stages.push(named.map_or(stages.len().to_string(), |it| it.to_lowercase()));
        } else if is("COPY") {
            let from = |it: &String| it.strip_prefix("--from=").map(str::to_lowercase);
            let other = |it: &String| from(it).is_some_and(|it| !stages.contains(&it) && it.parse::<usize>().is_err());
            words.iter_mut().filter(|it| other(it)).for_each(|it| *it = format!("--from={base}"));
        } else if line.starts_with("# syntax") {
            // Another frontend would be fetched.
            continue;
        } else {
            lines += line;
            lines.push('\n');
            continue;
        }
        lines += &words.join(" ");
        lines.push('\n');
    }
    lines
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> =
        fs::read_dir(dir).expect("a directory").map(|it| it.expect("an entry").path()).collect();
    all.sort();
    let is_one = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        name.contains("dockerfile") && !name.ends_with("ignore")
    };
    all.into_iter()
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path].into_iter().filter(is_one).collect() })
        .collect()
}

/// A base as Alpine's is, in small.
fn fill_with_busybox(rootfs: &Path, debian: &Path) {
    for dir in ["bin", "dev", "etc", "proc", "root", "srv", "sys", "tmp", "usr/bin"] {
        fs::create_dir_all(rootfs.join(dir)).expect("a directory");
    }
    let busybox = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|it| Path::new(it).exists());
    output(
        Command::new("cp")
            .args(["--dereference", busybox.expect("busybox is on this machine")])
            .arg(rootfs.join("bin/busybox")),
    );
    for program in BUSYBOX {
        symlink("/bin/busybox", rootfs.join("bin").join(program)).expect("a link");
    }
    for file in ["etc/passwd", "etc/group"] {
        fs::copy(debian.join(file), rootfs.join(file)).expect("a file");
    }
}
