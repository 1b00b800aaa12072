//! What a release page gets: archives, the sources, and checksums of these, unpacked and checked by the programs that users have.
//! Does not know how archives are written.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::forge::{Ended, through};
use crate::support::program::{emulated, output};
use crate::support::project::Project;

const PROJECT: &str = r#"
[project]
name = "hello"

[[build]]
id = "hello"
tool = "go"
platforms = ["linux/amd64", "linux/arm64", "linux/arm/v7", "windows/amd64"]

[[build]]
id = "bye"
tool = "go"
main = "./bye"
binary = "bye"
platforms = ["linux/amd64", "linux/arm64", "linux/arm/v7", "windows/amd64"]

[[archive]]
id = "default"
formats = ["tar.gz", "tar.xz", "tar.zst", "tar", "zip"]
overrides = [{ os = "windows", formats = ["zip"] }]
directory = true
files = ["LICENSE", "docs", { src = "docs/*.md", dst = "doc", mode = "0600" }]

[[archive]]
id = "alone"
ids = ["hello"]
formats = ["binary", "gz", "xz", "zst"]

[[archive]]
id = "manual"
meta = true
name = "{{ name }}-manual"
files = [{ src = "docs/**/*", strip_parent = true }]

[[source]]

[[checksum]]

[[checksum]]
id = "each"
ids = ["default", "hello"]
algorithm = "sha512"
split = true
"#;

/// A tar can't say in its header what is called so.
const LONG: &str = "a_name_that_is_longer_than_the_hundred_bytes_that_a_header_has_room_for_when_it_is_written_with_all_its_directories.md";

fn hello() -> Project {
    let project = Project::of_text(PROJECT);
    let program = |what: &str| format!("package main\n\nimport \"fmt\"\n\nfunc main() {{ fmt.Println(\"{what}\") }}\n");
    project.write("go.mod", "module example.org/hello\n\ngo 1.21\n");
    project.write("main.go", &program("hello"));
    project.write("bye/main.go", &program("bye"));
    project.write("LICENSE", "free\n");
    project.write("docs/manual.md", "how\n");
    project.write(&format!("docs/more/{LONG}"), "more\n");
    project.write("docs/run.sh", "#!/bin/sh\n");
    output(Command::new("chmod").args(["775", "docs/run.sh"]).current_dir(project.root()));
    std::os::unix::fs::symlink("manual.md", project.root().join("docs/link.md")).expect("a link");
    project.tagged("v1.2.3")
}

/// What is unpacked into an empty directory by a program that is given the archive.
struct Unpacked {
    place: tempfile::TempDir,
}

impl Unpacked {
    fn by(program: &[&str], archive: &Path) -> Unpacked {
        let place = tempfile::tempdir().expect("a temporary directory");
        output(Command::new(program[0]).args(&program[1..]).arg(archive).current_dir(place.path()));
        Unpacked { place }
    }

    /// Every file and link: mode, time and path.
    fn list(&self) -> String {
        let mut find = Command::new("find");
        find.args([".", "!", "-type", "d", "-printf", "%m %TY-%Tm-%TdT%TH:%TM:%TSZ %P %l\n"]);
        let found = output(find.current_dir(self.place.path()).env("TZ", "UTC"));
        let mut lines: Vec<String> = found.lines().map(|it| it.trim_end().replace(".0000000000Z", "Z")).collect();
        lines.sort_by_key(|line| line.split(' ').nth(2).map(str::to_owned));
        lines.join("\n").replace(LONG, "LONG")
    }

    fn path(&self, path: &str) -> PathBuf {
        self.place.path().join(path)
    }
}

const FILES: &str = "\
644 2024-05-06T07:08:09Z DIR/LICENSE
755 2024-05-06T07:08:09Z DIR/bye
600 2024-05-06T07:08:09Z DIR/doc/link.md
600 2024-05-06T07:08:09Z DIR/doc/manual.md
777 2024-05-06T07:08:09Z DIR/docs/link.md manual.md
644 2024-05-06T07:08:09Z DIR/docs/manual.md
644 2024-05-06T07:08:09Z DIR/docs/more/LONG
755 2024-05-06T07:08:09Z DIR/docs/run.sh
755 2024-05-06T07:08:09Z DIR/hello";

/// Programs that unpack, by the ending of what they are given. GNU tar and Info-ZIP are what Linux has, Python has readers of its own.
const UNPACKERS: &[(&str, &[&str])] = &[
    ("tar.gz", &["tar", "--no-same-owner", "-xpzf"]),
    ("tar.xz", &["tar", "--no-same-owner", "-xpJf"]),
    ("tar.zst", &["tar", "--no-same-owner", "--zstd", "-xpf"]),
    ("tar", &["tar", "--no-same-owner", "-xpf"]),
    ("zip", &["unzip", "-q"]),
];

#[test]
fn unpacked_by_what_users_have_and_run() {
    let project = hello();
    project.forge(&["run", "release"]).expect(0);
    let dist = project.root().join("dist");
    for (platform, arch) in [("linux_amd64", "x86_64"), ("linux_arm64", "aarch64"), ("linux_armv7", "arm")] {
        for (format, unpacker) in UNPACKERS {
            let name = format!("hello_1.2.3_{platform}");
            let unpacked = Unpacked::by(unpacker, &dist.join(format!("{name}.{format}")));
            let list = unpacked.list();
            assert_eq!(timed(&list, format), timed(&FILES.replace("DIR", &name), format), "{format}");
            assert!(list.contains("/docs/link.md manual.md"), "{format}: a link stays one");
            for program in ["hello", "bye"] {
                let path = unpacked.path(&format!("{name}/{program}"));
                assert_eq!(output(&mut emulated(arch, path)), program);
            }
        }
        assert_eq!(output(&mut emulated(arch, dist.join(format!("hello_1.2.3_{platform}")))), "hello");
    }
    assert!(dist.join("hello_1.2.3_windows_amd64.exe").is_file(), "a program for Windows keeps its ending");
    let unpacked = Unpacked::by(&["unzip", "-q"], &dist.join("hello_1.2.3_windows_amd64.zip"));
    assert!(unpacked.list().contains("/hello.exe"), "{}", unpacked.list());
    programs_alone(&dist);
    checked_by_python(&dist);
    sources_and_manual(&project);
    sums(&dist);
}

/// What has a time, once it is unpacked: unzip gives links none.
fn timed(list: &str, format: &str) -> String {
    let has_time = |line: &&str| format != "zip" || !line.starts_with("777 ");
    list.lines().filter(has_time).collect::<Vec<_>>().join("\n")
}

/// Compressed alone, they are what they are as they are.
fn programs_alone(dist: &Path) {
    let plain = fs::read(dist.join("hello_1.2.3_linux_amd64")).expect("the program");
    for (ending, program) in [("gz", "gzip"), ("xz", "xz"), ("zst", "zstd")] {
        let packed = dist.join(format!("hello_1.2.3_linux_amd64.{ending}"));
        let unpacked = Command::new(program).arg("-dc").arg(packed).output().expect("it can be started");
        assert!(unpacked.status.success() && unpacked.stdout == plain, "{program}");
    }
}

const PYTHON: &str = "
import lzma, sys, tarfile, zipfile, zlib
dist, name = sys.argv[1], 'hello_1.2.3_linux_amd64'
for ending in ['tar.gz', 'tar.xz', 'tar']:
    with tarfile.open(f'{dist}/{name}.{ending}') as tar:
        members = tar.getmembers()
        names = [it.name for it in members]
        assert names == sorted(names), names
        assert {(it.uid, it.gid, it.uname, it.gname) for it in members} == {(0, 0, 'root', 'root')}
        assert {it.mtime for it in members} == {1714979289}
with zipfile.ZipFile(f'{dist}/{name}.zip') as zip:
    assert zip.testzip() is None
    assert [it.filename for it in zip.infolist()] == names
    assert {it.date_time for it in zip.infolist()} == {(2024, 5, 6, 7, 8, 8)}
# One member, one stream: decoders that stop behind the first one have all of it.
for ending, decoder in [('gz', zlib.decompressobj(31)), ('xz', lzma.LZMADecompressor())]:
    plain = decoder.decompress(open(f'{dist}/{name}.tar.{ending}', 'rb').read())
    assert decoder.eof and not decoder.unused_data and plain == open(f'{dist}/{name}.tar', 'rb').read(), ending
";

fn checked_by_python(dist: &Path) {
    output(Command::new("python3").args(["-c", PYTHON]).arg(dist));
}

fn sources_and_manual(project: &Project) {
    let dist = project.root().join("dist");
    let manual = Unpacked::by(&["tar", "-xzf"], &dist.join("hello-manual.tar.gz"));
    assert!(manual.path("manual.md").is_file() && manual.path(LONG).is_file(), "{}", manual.list());
    let ours = Unpacked::by(&["tar", "-xpzf"], &dist.join("hello-1.2.3.tar.gz"));
    let tar = project.place().join("git.tar");
    let mut git = Command::new("git");
    git.args(["-c", "tar.umask=0022", "archive", "--prefix=hello-1.2.3/", "-o"]).arg(&tar).args(["v1.2.3"]);
    output(git.current_dir(project.root()));
    assert_eq!(ours.list(), Unpacked::by(&["tar", "-xpf"], &tar).list(), "what git itself has");
}

fn sums(dist: &Path) {
    let said = output(Command::new("sha256sum").args(["-c", "hello_1.2.3_checksums.txt"]).current_dir(dist));
    // 3 platforms in 5 formats and Windows in one; 4 programs in 4 formats; the manual and the sources.
    assert_eq!(said.lines().count(), 3 * 5 + 1 + 4 * 4 + 2, "{said}");
    let mut check = Command::new("sh");
    check.args(["-c", "cat *.sha512 | sha512sum -c"]).current_dir(dist);
    assert_eq!(output(&mut check).lines().count(), 3 * 5 + 1 + 1, "those of two tables");
}

#[test]
fn the_same_bytes_by_another_umask_elsewhere() {
    let ours = hello();
    ours.forge(&["run", "release", "--jobs", "1"]).expect(0);
    let theirs = hello();
    output(Command::new("chmod").args(["-R", "go-rwx", "."]).current_dir(theirs.root()));
    let mut shell = Command::new("sh");
    shell.args(["-c", "umask 0077; exec \"$@\"", "sh"]);
    let mut shell = through(shell, &theirs.command(&["run", "release", "--jobs", "7"]));
    shell.env("TZ", "Pacific/Kiritimati").env("RAYON_NUM_THREADS", "5");
    Ended::of(&mut shell).expect(0);
    assert!(ours.digests().len() > 40, "{:#?}", ours.digests());
    assert_eq!(ours.digests(), theirs.digests());
}
