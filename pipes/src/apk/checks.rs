//! Versions, and what comes and goes, compared with apk itself, on repositories made by chance: where forge gives an answer, it is
//! apk's. `FORGE_TEST_APK` names apk, of version 2.14.4 or a later 2.14; without it, nothing is compared, and the test says so.

use std::cmp::Ordering;
use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::database::Database;
use super::dependency::Dependency;
use super::index;
use super::package::Package;
use super::solve::{Order, Trouble};
use super::transaction::{Request, Transaction};
use super::version;

/// How many repositories are made; `FORGE_TEST_APK_ROUNDS` says another number.
const ROUNDS: u64 = 60;

fn apk() -> Option<PathBuf> {
    let apk = std::env::var_os("FORGE_TEST_APK");
    if apk.is_none() {
        println!("skipped: FORGE_TEST_APK names no apk");
    }
    apk.map(PathBuf::from)
}

fn rounds() -> u64 {
    std::env::var("FORGE_TEST_APK_ROUNDS").ok().and_then(|it| it.parse().ok()).unwrap_or(ROUNDS)
}

/// Numbers that look like chance, and are the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    fn one<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }

    fn is(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

#[test]
fn versions_as_apk_orders_them() {
    let Some(apk) = apk() else { return };
    let mut chance = Chance(1);
    let parts = [
        "", ".0", ".00", ".05", ".5", ".12", "a", "b", "_rc1", "_rc", "_alpha2", "_p1", "_git2", "-r0", "-r1", "-r10",
        "x", "-",
    ];
    for _ in 0..rounds() * 10 {
        let mut make = || (0..4).fold(chance.below(12).to_string(), |text, _| text + chance.one(&parts));
        let (one, other) = (make(), make());
        let output = Command::new(&apk).args(["version", "-t", &one, &other]).output().unwrap();
        let expect = String::from_utf8(output.stdout).unwrap();
        let actual = match version::compare(&one, &other) {
            Ordering::Less => "<",
            Ordering::Equal => "=",
            Ordering::Greater => ">",
        };
        assert_eq!(actual, expect.trim(), "of {one} and {other}");
        let is_valid = Command::new(&apk).args(["version", "--check", &one]).output().unwrap().status.success();
        assert_eq!(version::is_valid(&one), is_valid, "of {one}");
    }
}

#[test]
fn what_comes_and_goes_as_apk_has_it() {
    let Some(apk) = apk() else { return };
    let (mut answered, mut failed, mut untold) = (0, 0, 0);
    for seed in 0..rounds() * 10 {
        let mut chance = Chance(seed + 7);
        let place = tempfile::tempdir().unwrap();
        let index = repository(&mut chance);
        let packages = index::packages(&index).unwrap();
        write(&place.path().join("repository/x86_64/APKINDEX.tar.gz"), &archive(&index));
        let world = chance.one(&["", "a", "b", "a\nc", "v"]);
        let root = root(place.path(), world);
        // What is installed is what apk would install; its files are none of ours here.
        if !simulate(&apk, &root, &["add".to_owned()]).0 {
            continue;
        }
        let installed = install(&simulate(&apk, &root, &["add".to_owned()]).1, &packages);
        fs::write(root.join("lib/apk/db/installed"), &installed).unwrap();
        let database = Database::read(world, &installed, &[], "").unwrap();
        let (words, request) = request(&mut chance);
        let (success, output) = simulate(&apk, &root, &words);
        let shown = format!("seed {seed}: {words:?} with {world:?} on\n{index}\ninstalled\n{installed}\napk: {output}");
        match Transaction::plan(&database, &packages, &request, "1") {
            Ok(transaction) => {
                assert!(success, "{:?} of {shown}", changes(&transaction));
                let (mut actual, mut expect) = (changes(&transaction), sorted(&output));
                if transaction.order == Order::Loose {
                    actual.sort();
                    expect.sort();
                }
                assert_eq!(actual, expect, "of {shown}");
                answered += 1;
            }
            Err(Trouble::Fails(why)) => {
                assert!(!success, "{why} of {shown}");
                failed += 1;
            }
            Err(Trouble::Untold(_)) => untold += 1,
        }
    }
    println!("{answered} answered, {failed} fail with apk, too, {untold} not told");
    assert!(answered > untold, "{answered} of {}", answered + untold);
}

fn request(chance: &mut Chance) -> (Vec<String>, Request) {
    let names = ["a", "b", "c", "d", "e", "f", "v", "w", "a>1", "b<2", "c=2-r0", "d~1", "!e"];
    let mut words = vec!["add".to_owned()];
    for _ in 0..=chance.below(2) {
        let word = chance.one(&names).to_owned();
        if !words.contains(&word) {
            words.push(word);
        }
    }
    let wanted = words[1..].iter().map(|it| Dependency::parse(it).unwrap()).collect();
    (words, Request::Add { wanted, group: None })
}

/// An index with two or three versions of a few packages that need, provide and rule out each other.
fn repository(chance: &mut Chance) -> String {
    let mut index = String::new();
    for name in ["a", "b", "c", "d", "e", "f"] {
        for version in 1..=1 + chance.below(2) {
            let _ = write!(index, "C:{}\nP:{name}\nV:{version}-r0\nI:4096\n", sum(name, version));
            if chance.is(15) {
                let _ = writeln!(index, "k:{}", chance.below(3) * 10);
            }
            let mut depends: Vec<&str> = Vec::new();
            for _ in 0..chance.below(3) {
                let it = chance.one(&["a", "b", "c", "d", "e", "f", "v", "w", "b>1", "c=1-r0", "d<2", "!e", "v=1"]);
                if it.trim_start_matches('!').split(['<', '>', '=']).next() != Some(name) && !depends.contains(&it) {
                    depends.push(it);
                }
            }
            if !depends.is_empty() {
                let _ = writeln!(index, "D:{}", depends.join(" "));
            }
            if chance.is(30) {
                let _ = writeln!(index, "p:{}", chance.one(&["v", "v=1", "v=2", "w=1", "w", "v=1 w=1"]));
            }
            if chance.is(15) {
                let _ = writeln!(index, "i:{}", chance.one(&["a", "a b", "v", "c=1-r0", "b d"]));
            }
            index.push('\n');
        }
    }
    index
}

fn sum(name: &str, version: usize) -> String {
    super::signature::checksum(format!("{name}{version}").as_bytes())
}

fn root(place: &Path, world: &str) -> PathBuf {
    let root = place.join("root");
    for (path, text) in [
        ("etc/apk/world", world),
        ("etc/apk/arch", "x86_64\n"),
        ("etc/apk/repositories", &format!("{}\n", place.join("repository").display())),
        ("etc/apk/keys/none", ""),
        ("lib/apk/db/installed", ""),
        ("var/cache/apk/none", ""),
    ] {
        write(&root.join(path), text.as_bytes());
    }
    root
}

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// The index as repositories have it, signed by nobody.
fn archive(index: &str) -> Vec<u8> {
    let member = |name: &str, text: &str, end: usize| {
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_entry_type(tar::EntryType::Regular);
        tar.append_data(&mut header, name, text.as_bytes()).unwrap();
        let mut tar = tar.into_inner().unwrap();
        tar.truncate(tar.len() - end);
        let mut gzip = flate2::bufread::GzEncoder::new(tar.as_slice(), flate2::Compression::fast());
        let mut bytes = Vec::new();
        gzip.read_to_end(&mut bytes).unwrap();
        bytes
    };
    // The end of an archive stands in the last segment alone.
    [member(".SIGN.RSA.nobody.rsa.pub", "x", 1024), member("APKINDEX", index, 0)].concat()
}

/// Whether it works, and what would be done.
fn simulate(apk: &Path, root: &Path, words: &[String]) -> (bool, String) {
    let mut command = Command::new(apk);
    command.arg("--root").arg(root).args(["--allow-untrusted", "--simulate"]).args(words);
    let output = command.output().unwrap();
    let shown = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(shown).unwrap())
}

/// The records of what apk would install.
fn install(output: &str, packages: &[Package]) -> String {
    let mut records: Vec<&Package> = Vec::new();
    for line in output.lines().filter(|line| line.contains("Installing")) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let version = words[3].trim_matches(['(', ')']);
        records.extend(packages.iter().find(|it| it.name == words[2] && it.version == version));
    }
    records.iter().map(|it| format!("{}\n", it.lines())).collect()
}

fn changes(transaction: &Transaction) -> Vec<String> {
    let mut remove: Vec<String> = transaction.remove.iter().map(|name| format!("Purging {name}")).collect();
    remove.sort();
    let install = transaction.install.iter().map(|it| format!("Installing {} ({})", it.name, it.version));
    remove.into_iter().chain(install).collect()
}

/// What apk says that it does: what goes, in any order, and what comes, in its own.
fn sorted(output: &str) -> Vec<String> {
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let lines: Vec<Vec<String>> = output.lines().filter(|it| it.starts_with('(')).map(words).collect();
    let is_purge = |it: &&Vec<String>| it[1] == "Purging";
    let mut remove: Vec<String> = lines.iter().filter(is_purge).map(|it| format!("Purging {}", it[2])).collect();
    remove.sort();
    remove.into_iter().chain(lines.iter().filter(|it| !is_purge(it)).map(|it| it[1..].join(" "))).collect()
}
