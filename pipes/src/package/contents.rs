//! What is laid in a package, found: directories and globs become files, each with its path, and what they lie in comes along.
//! Does not know formats, but for who has ghosts.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use forge_plugin::Host;
use forge_plugin::schemas::Failure;
use forge_plugin::sources::{self, Except, fixed, is_glob};

use super::laid::{Into, Laid, Source};
use super::parcel::{Item, What};

/// Everything in a package, by path.
pub fn gather(laid: &[Laid], time: u64, host: &dyn Host) -> Result<Vec<Item>, Failure> {
    let mut items = Items { found: BTreeMap::new(), time };
    for one in laid {
        match &one.source {
            Source::Program(name) => items.file(one, &one.path, program(name, host)?)?,
            Source::Files { pattern, into, .. } => items.files(one, pattern, *into, host.root())?,
            Source::Tree(pattern) => items.tree(one, pattern, host.root())?,
            Source::Directory => items.put(one, &one.path, 0o755, What::Directory)?,
            Source::Link(to) => items.put(one, &one.path, 0o777, What::Link { to: to.clone() })?,
            Source::Ghost => items.put(one, &one.path, 0o644, What::Ghost)?,
        }
    }
    items.with_parents()
}

fn program(name: &str, host: &dyn Host) -> Result<PathBuf, Failure> {
    let found = host.inputs().iter().find(|it| it.name == name);
    found.map(|it| it.path.clone()).ok_or_else(|| Failure::bug(format!("the step does not take `{name}`")))
}

struct Items {
    found: BTreeMap<String, Item>,
    time: u64,
}

impl Items {
    fn files(&mut self, one: &Laid, pattern: &str, into: Into, root: &Path) -> Result<(), Failure> {
        let above = fixed(Path::new(pattern));
        for top in tops(root, pattern)? {
            let path = root.join(&top);
            let meta = fs::metadata(&path).map_err(|error| Failure::file("read", &path, &error))?;
            let is_one = !meta.is_dir() && !is_glob(pattern);
            match (is_one, into) {
                (true, Into::Itself) => self.file(one, &one.path, path)?,
                (true, Into::Directory) => self.file(one, &below(&one.path, &name(&top)?), path)?,
                (false, _) => {
                    for file in inside(root, &top)? {
                        let kept = relative(&file, &above)?;
                        self.found_at(one, &below(&one.path, &kept), root.join(&file))?;
                    }
                }
            }
        }
        Ok(())
    }

    /// A directory with what is in it; the directories are the package's, unless every system has them.
    fn tree(&mut self, one: &Laid, pattern: &str, root: &Path) -> Result<(), Failure> {
        let top = root.join(pattern);
        if !top.is_dir() {
            let help = "lay a file with type `file`";
            return Err(Failure::input(format!("`{pattern}` is not a directory")).help(help));
        }
        self.directory(one, &one.path)?;
        for file in inside(root, Path::new(pattern))? {
            let kept = relative(&file, Path::new(pattern))?;
            for (end, _) in kept.match_indices('/') {
                self.directory(one, &below(&one.path, &kept[..end]))?;
            }
            self.found_at(one, &below(&one.path, &kept), root.join(&file))?;
        }
        Ok(())
    }

    fn directory(&mut self, one: &Laid, path: &str) -> Result<(), Failure> {
        let is_there = self.found.get(path).is_some_and(Item::is_directory);
        match is_there || path.is_empty() || EVERYWHERE.contains(&path) {
            true => Ok(()),
            false => self.put(&Laid { mode: None, ..one.clone() }, path, 0o755, What::Directory),
        }
    }

    /// A file or a link, whichever lies there.
    fn found_at(&mut self, one: &Laid, path: &str, from: PathBuf) -> Result<(), Failure> {
        match fs::read_link(&from) {
            Ok(to) => {
                let to = to.to_str().ok_or_else(|| not_utf8(&from))?.to_owned();
                self.put(&Laid { mode: None, ..one.clone() }, path, 0o777, What::Link { to })
            }
            Err(_) => self.file(one, path, from),
        }
    }

    fn file(&mut self, one: &Laid, path: &str, from: PathBuf) -> Result<(), Failure> {
        let meta = fs::metadata(&from).map_err(|error| Failure::file("read", &from, &error))?;
        let mode = if meta.permissions().mode() & 0o100 == 0 { 0o644 } else { 0o755 };
        self.put(one, path, mode, What::File { from, size: meta.len(), mark: one.mark() })
    }

    fn put(&mut self, one: &Laid, path: &str, mode: u32, what: What) -> Result<(), Failure> {
        if path.contains(char::is_control) {
            let help = "no format can say such a name; give the file another";
            return Err(Failure::input(format!("`/{}` is no path for a package", path.escape_debug())).help(help));
        }
        let item = Item {
            path: path.to_owned(),
            mode: one.mode.unwrap_or(mode),
            owner: one.owner.clone(),
            group: one.group.clone(),
            time: one.time.unwrap_or(self.time),
            what,
        };
        match self.found.insert(path.to_owned(), item) {
            Some(_) => Err(collision(path)),
            None => Ok(()),
        }
    }

    fn with_parents(mut self) -> Result<Vec<Item>, Failure> {
        let paths: Vec<String> = self.found.keys().cloned().collect();
        for (path, end) in paths.iter().flat_map(|path| path.match_indices('/').map(move |(end, _)| (path, end))) {
            let parent = &path[..end];
            match self.found.get(parent) {
                Some(item) if !item.is_directory() => return Err(collision(parent)),
                Some(_) => {}
                None => drop(self.found.insert(parent.to_owned(), parent_item(parent, self.time))),
            }
        }
        Ok(self.found.into_values().collect())
    }
}

fn parent_item(path: &str, time: u64) -> Item {
    let root = || "root".to_owned();
    Item { path: path.to_owned(), mode: 0o755, owner: root(), group: root(), time, what: What::Parent }
}

fn collision(path: &str) -> Failure {
    Failure::input(format!("two things lie at `/{path}`")).help("leave one of them out of `contents`")
}

fn tops(root: &Path, pattern: &str) -> Result<Vec<PathBuf>, Failure> {
    let tops = match sources::matches(root, pattern, &Except::default()) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        tops => tops.map_err(|error| Failure::file("read", &root.join(pattern), &error))?,
    };
    match tops.is_empty() {
        true => Err(Failure::input(format!("nothing in the project is `{pattern}`"))),
        false => Ok(tops),
    }
}

fn inside(root: &Path, top: &Path) -> Result<Vec<PathBuf>, Failure> {
    sources::files(root, top, &Except::default()).map_err(|error| Failure::file("read", &root.join(top), &error))
}

fn relative(file: &Path, above: &Path) -> Result<String, Failure> {
    let above: PathBuf = above.components().filter(|it| !matches!(it, std::path::Component::CurDir)).collect();
    let kept = file.strip_prefix(above).unwrap_or(file);
    kept.to_str().map(str::to_owned).ok_or_else(|| not_utf8(file))
}

fn name(file: &Path) -> Result<String, Failure> {
    file.file_name().and_then(|it| it.to_str()).map(str::to_owned).ok_or_else(|| not_utf8(file))
}

fn not_utf8(file: &Path) -> Failure {
    Failure::input(format!("the name of `{}` is not UTF-8", file.display()))
}

fn below(directory: &str, path: &str) -> String {
    if directory.is_empty() { path.to_owned() } else { format!("{directory}/{path}") }
}

/// Directories that every system has, and no package of ours: those of the Filesystem Hierarchy Standard 3.0, and what Linux
/// distributions have in `/usr/share` and `/usr/lib`.
const EVERYWHERE: &[&str] = &[
    "bin",
    "boot",
    "dev",
    "etc",
    "etc/default",
    "etc/init.d",
    "etc/logrotate.d",
    "etc/opt",
    "etc/profile.d",
    "etc/systemd",
    "etc/systemd/system",
    "home",
    "lib",
    "lib/systemd",
    "lib/systemd/system",
    "lib64",
    "media",
    "mnt",
    "opt",
    "root",
    "run",
    "sbin",
    "srv",
    "tmp",
    "usr",
    "usr/bin",
    "usr/include",
    "usr/lib",
    "usr/lib/systemd",
    "usr/lib/systemd/system",
    "usr/lib/systemd/user",
    "usr/lib/sysusers.d",
    "usr/lib/tmpfiles.d",
    "usr/lib64",
    "usr/libexec",
    "usr/local",
    "usr/local/bin",
    "usr/local/lib",
    "usr/local/share",
    "usr/sbin",
    "usr/share",
    "usr/share/applications",
    "usr/share/bash-completion",
    "usr/share/bash-completion/completions",
    "usr/share/doc",
    "usr/share/fish",
    "usr/share/fish/vendor_completions.d",
    "usr/share/icons",
    "usr/share/info",
    "usr/share/licenses",
    "usr/share/locale",
    "usr/share/man",
    "usr/share/man/man1",
    "usr/share/man/man5",
    "usr/share/man/man7",
    "usr/share/man/man8",
    "usr/share/pixmaps",
    "usr/share/zsh",
    "usr/share/zsh/site-functions",
    "usr/share/zsh/vendor-completions",
    "var",
    "var/cache",
    "var/lib",
    "var/lock",
    "var/log",
    "var/opt",
    "var/run",
    "var/spool",
    "var/tmp",
];

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::{Value, json};

    use crate::package::checks::{bytes, host, listing, made};

    /// What lies in a package of Arch Linux, or why not.
    fn check(contents: Value, expect: Expect) {
        let keys = json!({ "formats": ["archlinux"], "contents": contents, "ids": [] });
        let shown = match made(keys.clone(), &mut host()) {
            Ok(_) => listing(zstd::decode_all(bytes(keys).as_slice()).unwrap().as_slice(), &[]),
            Err(why) => why,
        };
        let lines = shown.lines().filter(|it| !it.contains(" .PKGINFO") && !it.contains(" .MTREE"));
        expect.assert_eq(&lines.map(|it| format!("{it}\n")).collect::<String>().replace(" root:root 1767323045", ""));
    }

    #[test]
    fn files_directories_globs_and_trees() {
        check(
            json!([{ "src": "run.sh", "dst": "/a/b" }, { "src": "./run.sh", "dst": "/a/c/" }]),
            expect![[r#"
            755 0 a/
            755 17 a/b
            755 0 a/c/
            755 17 a/c/run.sh
            755 0 usr/
            755 0 usr/bin/
            755 23 usr/bin/hello
        "#]],
        );
        check(
            json!([{ "src": "docs", "dst": "/a" }]),
            expect![[r#"
            755 0 a/
            644 4 a/a.md
            777 0 a/link.md -> a.md
            755 0 a/more/
            644 4 a/more/b.md
            755 0 usr/
            755 0 usr/bin/
            755 23 usr/bin/hello
        "#]],
        );
        check(
            json!([{ "src": "docs/*.md", "dst": "/a", "mode": "0600" }]),
            expect![[r#"
            755 0 a/
            600 4 a/a.md
            777 0 a/link.md -> a.md
            755 0 usr/
            755 0 usr/bin/
            755 23 usr/bin/hello
        "#]],
        );
        check(
            json!([{ "src": "docs/**/b.md", "dst": "/" }]),
            expect![[r#"
            755 0 more/
            644 4 more/b.md
            755 0 usr/
            755 0 usr/bin/
            755 23 usr/bin/hello
        "#]],
        );
        check(
            json!([{ "src": "docs", "dst": "/usr/share", "type": "tree", "mode": "0600" }]),
            expect![[r#"
            755 0 usr/
            755 0 usr/bin/
            755 23 usr/bin/hello
            755 0 usr/share/
            600 4 usr/share/a.md
            777 0 usr/share/link.md -> a.md
            755 0 usr/share/more/
            600 4 usr/share/more/b.md
        "#]],
        );
    }

    #[test]
    fn what_is_not_there_or_twice() {
        check(
            json!([{ "src": "none/*", "dst": "/a" }]),
            expect![[r#"
                nothing in the project is `none/*`
            "#]],
        );
        check(
            json!([{ "src": "run.sh", "dst": "/a", "type": "tree" }]),
            expect![[r#"
            `run.sh` is not a directory
                lay a file with type `file`
        "#]],
        );
        check(
            json!([{ "src": "odd", "dst": "/a" }]),
            expect![[r#"
            `/a/a\nb` is no path for a package
                no format can say such a name; give the file another
        "#]],
        );
        check(
            json!([{ "src": "docs", "dst": "/a" }, { "src": "run.sh", "dst": "/a/a.md" }]),
            expect![[r#"
            two things lie at `/a/a.md`
                leave one of them out of `contents`
        "#]],
        );
        check(
            json!([{ "src": "docs", "dst": "/a" }, { "src": "run.sh", "dst": "/a" }]),
            expect![[r#"
                contents[1].dst: two things lie at `/a`
                    leave one out, or lay it elsewhere; two directories may lie in one whose `dst` ends with `/`
            "#]],
        );
        check(
            json!([{ "src": "docs/*.md", "dst": "/a" }, { "src": "run.sh", "dst": "/a" }]),
            expect![[r#"
            two things lie at `/a`
                leave one of them out of `contents`
        "#]],
        );
    }
}
