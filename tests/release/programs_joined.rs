//! Programs that are changed after they were built: joined for macOS, and packed.
//! Does not start those of macOS: Go's own reader of universal binaries judges them.

use std::path::Path;
use std::process::Command;

use crate::support::program::output;
use crate::support::project::Project;

/// Prints what a universal binary holds: processor, whether the part is the program that was built, and whether it reads as one.
const JUDGE: &str = r#"package main

import (
	"bytes"
	"debug/macho"
	"fmt"
	"io"
	"os"
)

func main() {
	fat, err := macho.OpenFat(os.Args[1])
	if err != nil {
		panic(err)
	}
	whole, _ := os.ReadFile(os.Args[1])
	for at, arch := range fat.Arches {
		built, _ := os.ReadFile(os.Args[2+at])
		part := whole[arch.Offset : arch.Offset+arch.Size]
		symbols, err := arch.ImportedLibraries()
		_, read := io.Copy(io.Discard, arch.Section("__text").Open())
		fmt.Println(arch.Cpu, bytes.Equal(part, built), len(symbols) > 0, err == nil && read == nil)
	}
}
"#;

const TABLES: &str = "[project]\nname = \"hello\"\n\n[[build]]\nid = \"go\"\ntool = \"go\"\n";

fn project(tables: &str) -> Project {
    let project = Project::of_text(&format!("{TABLES}{tables}"));
    project.write("go.mod", "module example.org/hello\n\ngo 1.21\n");
    project.write("main.go", "package main\n\nimport \"net\"\n\nfunc main() { println(\"hello\", net.FlagUp) }\n");
    project
}

/// Whether the archive has this program in it.
fn check_archive(dist: &Path, archive: &str, program: &str) {
    let sum = |script: String| output(Command::new("sh").arg("-c").arg(script).current_dir(dist));
    assert_eq!(sum(format!("tar xzOf {archive} hello | sha256sum")), sum(format!("sha256sum < {program}")));
}

#[test]
fn one_for_all_processors_of_macos() {
    let project = project(
        "platforms = [\"darwin/amd64\", \"darwin/arm64\", \"linux/amd64\"]\n\n[[universal]]\nreplace = true\n\n[[archive]]\n",
    );
    project.write("judge/main.go", JUDGE);
    project.forge(&["run", "release", "--snapshot"]).expect(0);
    let dist = project.root().join("dist");
    let archives = output(Command::new("sh").arg("-c").arg("ls *.tar.gz").current_dir(&dist));
    assert_eq!(archives, "hello_0.0.0-SNAPSHOT-none_darwin_all.tar.gz\nhello_0.0.0-SNAPSHOT-none_linux_amd64.tar.gz");
    check_archive(&dist, archives.lines().next().expect("one"), "hello_darwin_all/hello");
    let parts = ["hello_darwin_all/hello", "go_darwin_amd64/hello", "go_darwin_arm64/hello"];
    let judged = output(
        Command::new("go").args(["run", "./judge"]).args(parts.map(|it| dist.join(it))).current_dir(project.root()),
    );
    assert_eq!(judged, "CpuAmd64 true true true\nCpuArm64 true true true");
}

/// UPX is not in every Debian: where it is, its path is in `FORGE_TEST_UPX`.
#[test]
fn packed_programs_run() {
    let Ok(upx) = std::env::var("FORGE_TEST_UPX") else {
        return eprintln!("no UPX: set FORGE_TEST_UPX to its path");
    };
    let project = project(&format!(
        "platforms = [\"linux/amd64\", \"windows/amd64\", \"darwin/arm64\"]\n\n[[upx]]\nid = \"small\"\nprogram = \"{upx}\"\nlevel = \"best\"\n\n[[archive]]\n"
    ));
    project.forge(&["run", "release", "--snapshot"]).expect(0);
    let dist = project.root().join("dist");
    let size = |path: &str| std::fs::metadata(dist.join(path)).expect("it is there").len();
    for platform in ["linux_amd64/hello", "windows_amd64/hello.exe"] {
        assert!(size(&format!("small_{platform}")) < size(&format!("go_{platform}")), "{platform} is smaller");
    }
    let said = Command::new(dist.join("small_linux_amd64/hello")).output().expect("it starts");
    assert_eq!(String::from_utf8_lossy(&said.stderr), "hello 1\n");
    check_archive(&dist, "hello_0.0.0-SNAPSHOT-none_linux_amd64.tar.gz", "small_linux_amd64/hello");
    let again = project.forge(&["run", "release", "--snapshot"]).expect(0);
    assert!(again.stderr.contains("nothing to do"), "{}", again.stderr);
}
