//! What package managers read, read by their own programs; and git repositories, to which it is pushed.
//! Does not know how forge pushes: it looks at what is there then.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::forge::Running;
use crate::support::git_server::{Bare, GitServer};
use crate::support::program::output;
use crate::support::project::Project;

/// A project with one program and a cask for it, which goes into this repository.
fn project(repository: &str, more: &str) -> Project {
    let project = Project::of_text(&format!(
        "[project]\nname = \"hello\"\n\n[[build]]\ntool = \"prebuilt\"\npath = \"hello.sh\"\nplatforms = [\"linux/amd64\"]\n\n[[archive]]\n\n\
         [[tap]]\nformat = \"homebrew_cask\"\ndescription = \"Greets\"\nhomepage = \"https://example.org\"\n\
         url = \"https://example.org/{{{{ artifact }}}}\"\nrepository = \"{repository}\"\nauthor = \"Ada <ada@example.org>\"\n{more}"
    ));
    project.write("hello.sh", "#!/bin/sh\necho hello\n");
    project.write(".gitignore", "/dist\n/.forge\n");
    project.tagged("v1.2.3")
}

/// The commits on a branch: author, time, message.
fn commits(bare: &Bare, branch: &str) -> String {
    bare.git(&["log", "--format=%an <%ae> %at %s", branch])
}

const OURS: &str = "Ada <ada@example.org> 1714979289 hello 1.2.3";

#[test]
fn managers_read_what_is_for_them() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/tap/formats");
    let project = Project::copy(&cases).tagged("v1.2.3");
    let git = |words: &[&str]| output(Command::new("git").arg("-C").arg(project.root()).args(words));
    git(&["remote", "add", "origin", "https://github.com/acme/hello.git"]);
    project.forge(&["run", "tap"]).expect(0);
    let tap = project.root().join("dist/tap");
    for file in ["cask/Casks/hello.rb", "formula/Formula/hello.rb", "alone/Formula/hello.rb"] {
        assert_eq!(output(Command::new("ruby").arg("-c").arg(tap.join(file))), "Syntax OK");
    }
    output(Command::new("nix-instantiate").arg("--parse").arg(tap.join("nix/pkgs/hello/default.nix")));
    let scoop = project.json("dist/tap/scoop/bucket/hello.json");
    assert_eq!(scoop["architecture"]["64bit"]["bin"][0][1], "hello");
    // Arch's own program writes the same of the package's build file. It does not work for root.
    let aur = tap.join("aur");
    let place = tempfile::tempdir().expect("a temporary directory");
    let script = format!(
        "cp '{}/PKGBUILD' . && chmod a+rwX . PKGBUILD && setpriv --reuid=65534 --clear-groups makepkg --printsrcinfo",
        aur.display()
    );
    let theirs = output(Command::new("sh").args(["-c", &script]).current_dir(place.path()));
    let ours = std::fs::read_to_string(aur.join(".SRCINFO")).expect("it is there");
    assert_eq!(theirs, ours.trim_end());
}

#[test]
fn once_and_on_top_of_others() {
    let bare = Bare::new();
    let project = project(&bare.path().display().to_string(), "");
    project.forge(&["run", "release"]).expect(0);
    assert_eq!(commits(&bare, "main").lines().next(), Some(OURS));
    let cask = bare.git(&["show", "main:Casks/hello.rb"]);
    assert!(cask.contains("version \"1.2.3\""), "{cask}");
    let first = bare.git(&["rev-parse", "main"]);
    project.forge(&["run", "release"]).expect(0);
    assert_eq!(bare.git(&["rev-parse", "main"]), first, "what is there is not put there again");
    bare.commit("Casks/other.rb", "of another\n");
    project.write("hello.sh", "#!/bin/sh\necho more\n");
    project.retag("v1.3.0");
    project.forge(&["run", "release"]).expect(0);
    assert_eq!(bare.git(&["log", "--format=%s", "main"]), "hello 1.3.0\nof another\nhello 1.2.3\nof another");
}

#[test]
fn a_branch_for_a_pull_request() {
    let bare = Bare::new();
    let project = project(&bare.path().display().to_string(), "review_branch = \"hello-{{ version }}\"\n");
    for _ in 0..2 {
        project.forge(&["run", "release"]).expect(0);
        assert_eq!(bare.git(&["log", "--format=%s", "hello-1.2.3"]), "hello 1.2.3\nof another");
        assert_eq!(bare.git(&["log", "--format=%s", "main"]), "of another");
    }
}

#[test]
fn somebody_is_faster() {
    let bare = Bare::new();
    let project = project(&bare.path().display().to_string(), "");
    // The first push is refused; then it is taken.
    bare.hook("pre-receive", "[ -e seen ] || { touch seen; echo 'try again' >&2; exit 1; }");
    project.forge(&["run", "release"]).expect(0);
    assert_eq!(bare.git(&["log", "--format=%s", "main"]), "hello 1.2.3\nof another");
}

#[test]
fn a_protected_branch_and_then_none() {
    let bare = Bare::new();
    let project = project(&bare.path().display().to_string(), "");
    bare.hook("pre-receive", "echo 'protected branch' >&2; exit 1");
    let ended = project.forge(&["run", "release"]).expect(1);
    assert!(ended.stderr.contains("did not take the commit, 4 times"), "{}", ended.stderr);
    assert!(ended.stderr.contains("protected branch"), "{}", ended.stderr);
    assert_eq!(commits(&bare, "main").lines().count(), 1);
    bare.hook("pre-receive", "exit 0");
    project.forge(&["run", "release"]).expect(0);
    assert_eq!(commits(&bare, "main").lines().next(), Some(OURS));
}

#[test]
fn killed_after_the_push_and_before() {
    for hook in ["pre-receive", "post-receive"] {
        let bare = Bare::new();
        let project = project(&bare.path().display().to_string(), "");
        bare.hook(hook, "touch reached; sleep 30");
        let running = Running::start(&mut project.command(&["run", "release", "--json"]));
        let began = Instant::now();
        while !bare.path().join("reached").exists() {
            assert!(began.elapsed() < Duration::from_secs(60), "the hook `{hook}` is reached");
            std::thread::sleep(Duration::from_millis(20));
        }
        running.signal(Signal::KILL);
        drop(running);
        bare.hook(hook, "exit 0");
        project.forge(&["run", "release"]).expect(0);
        assert_eq!(commits(&bare, "main").lines().next(), Some(OURS), "{hook}");
        assert_eq!(commits(&bare, "main").lines().count(), 2, "{hook}: once");
    }
}

#[test]
fn a_token_over_http_is_shown_nowhere() {
    const TOKEN: &str = "ghp_Zm9yZ2V0aGlz";
    let bare = Bare::new();
    let server = GitServer::start(bare.parent(), "x-access-token", TOKEN);
    let project = project(
        &format!("{}/tap.git", server.url()),
        "token = \"tap_token\"\nsecrets = [\"tap_token\"]\n\n[secrets]\ntap_token = { env = \"TAP\" }\n",
    );
    let refused = project.forge(&["run", "release", "--verbose"]);
    assert_ne!(refused.code, Some(0), "a secret that is not there is told");
    let project = project.env("TAP", "wrong");
    let refused = project.forge(&["run", "release"]).expect(1);
    assert!(refused.stderr.contains("can't be cloned"), "{}", refused.stderr);
    let project = project.env("TAP", TOKEN);
    let ended = project.forge(&["run", "release", "--verbose"]).expect(0);
    assert_eq!(commits(&bare, "main").lines().next(), Some(OURS));
    let found =
        Command::new("grep").args(["-r", TOKEN, "."]).current_dir(project.root()).output().expect("grep starts");
    assert!(found.stdout.is_empty() && !ended.stderr.contains(TOKEN), "{}", String::from_utf8_lossy(&found.stdout));
}

/// `"`, `'`, `\`, and what Ruby, Nix, a shell and YAML would replace, take away or stumble over.
#[test]
fn what_is_written_is_text_to_each_language() {
    const TEXT: &str = r##"It's "#{1}" #$0 #@a ${x} $$ `id` \n & <b> # : %"##;
    const HOMEPAGE: &str = "https://example.org/?a=1&b=2#{c}";
    const LICENSE: &str = r##"O'Neil "#{2}" ${y}"##;
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/tap/quoting");
    let project = Project::copy(&cases).tagged("v1.2.3");
    let git = |words: &[&str]| output(Command::new("git").arg("-C").arg(project.root()).args(words));
    git(&["remote", "add", "origin", "https://github.com/acme/hello.git"]);
    project.forge(&["run", "tap"]).expect(0);
    let tap = project.root().join("dist/tap");
    // A class and a cask that say what they are told, and overlook the rest.
    const BREW: &str = "class Formula\n  def self.name(*) = nil\n  def self.method_missing(word, value = nil, *)\n    puts value if %i[desc homepage license].include?(word)\n  end\nend\n\
        def cask(*, &block) = Formula.class_eval(&block)\nload ARGV[0]";
    let ruby = |file: &str| output(Command::new("ruby").args(["-e", BREW]).arg(tap.join(file)));
    assert_eq!(ruby("homebrew_cask/Casks/hello.rb"), format!("{TEXT}\n{HOMEPAGE}"));
    assert_eq!(ruby("homebrew_formula/Formula/hello.rb"), format!("{TEXT}\n{HOMEPAGE}\n{LICENSE}"));

    let nix = tap.join("nix/pkgs/hello/default.nix");
    let meta = format!(
        "let x = (import {}) {{ lib = {{ concatMapStringsSep = a: b: c: a; getLicenseFromSpdxId = a: a; sourceTypes.binaryNativeCode = 1; }}; \
         stdenvNoCC = {{ mkDerivation = a: a; hostPlatform.system = \"x86_64-linux\"; }}; fetchurl = a: a; unzip = 1; zstd = 1; }}; \
         in [ x.meta.description x.meta.homepage x.meta.license ]",
        nix.display()
    );
    let told = output(Command::new("nix-instantiate").args(["--eval", "--strict", "--json", "--expr", &meta]));
    assert_eq!(told, serde_json::json!([TEXT, HOMEPAGE, LICENSE]).to_string());

    let scoop = project.json("dist/tap/scoop/bucket/hello.json");
    assert_eq!([&scoop["description"], &scoop["homepage"], &scoop["license"]], [TEXT, HOMEPAGE, LICENSE]);
    let yaml = |file: &str, keys: &str| {
        let script = format!("it = YAML.load_file(ARGV[0]); puts {keys}");
        output(Command::new("ruby").args(["-ryaml", "-e", &script]).arg(tap.join(file)))
    };
    let krew = yaml("krew/plugins/hello.yaml", "it['spec'].values_at('shortDescription', 'description', 'homepage')");
    assert_eq!(krew, format!("{TEXT}\n{TEXT}\n{HOMEPAGE}"));
    let locale = "winget/manifests/a/Acme/hello/1.2.3/Acme.hello.locale.en-US.yaml";
    let winget = yaml(locale, "it.values_at('ShortDescription', 'PackageUrl', 'License')");
    assert_eq!(winget, format!("{TEXT}\n{HOMEPAGE}\n{LICENSE}"));

    let pkgbuild = "source \"$0\" && printf '%s\\n' \"$pkgdesc\" \"$url\" \"${license[@]}\"";
    let aur = output(Command::new("bash").args(["-c", pkgbuild]).arg(tap.join("aur/PKGBUILD")));
    assert_eq!(aur, format!("{TEXT}\n{HOMEPAGE}\n{LICENSE}"));
}
