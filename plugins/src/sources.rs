//! What a path that a step reads means: which files of a project it names, the same for who fingerprints and who copies.
//! Never names `.git`, `.forge` and `dist` at the top, nor what git ignores, unless that is what was asked for by name.

mod except;

use std::io;
use std::path::{Component, Path, PathBuf};

use globset::GlobBuilder;
use ignore::{DirEntry, WalkBuilder};

pub use except::{BadPattern, Except, lines};

/// Directories at the top that are never sources.
const NEVER: &[&str] = &[".git", ".forge", "dist"];

/// What `pattern` names below `root`: the file or directory of that name, or else the files and directories that it
/// matches as a glob. Sorted, relative to `root`; a directory stands for all that is in it. What is left out is not there.
pub fn matches(root: &Path, pattern: &str, except: &Except) -> io::Result<Vec<PathBuf>> {
    let path = normal(pattern);
    let mut found = match std::fs::metadata(root.join(&path)) {
        Ok(_) => vec![path],
        Err(_) if is_glob(pattern) => matching(root, &path, except)?,
        Err(error) => return Err(error),
    };
    // A directory that is left out is there for the sake of what is in it.
    found.retain(|path| !except.leaves_out(path) || files(root, path, except).is_ok_and(|it| !it.is_empty()));
    Ok(found)
}

/// The files at `path` below `root`: itself, or all that is in it. Sorted, relative to `root`. Links are not followed, but
/// for `path` itself.
pub fn files(root: &Path, path: &Path, except: &Except) -> io::Result<Vec<PathBuf>> {
    let mut files = if std::fs::metadata(root.join(path))?.is_dir() {
        let entries = walk(root, path, None, except)?;
        sorted(root, entries.iter().filter(|entry| !entry.file_type().is_some_and(|it| it.is_dir())))
    } else {
        vec![path.to_path_buf()]
    };
    files.retain(|file| !except.leaves_out(file));
    Ok(files)
}

/// Whether a path is a glob, unless there is a file of that very name.
pub fn is_glob(pattern: &str) -> bool {
    pattern.contains(['*', '?', '[', '{'])
}

/// The part of a pattern in which nothing is a glob: `docs` of `./docs/*.md`; of what is no glob, all of it.
pub fn fixed(pattern: &Path) -> PathBuf {
    let is_fixed = |part: &Component<'_>| !is_glob(&part.as_os_str().to_string_lossy());
    let parts = pattern.components().filter(|part| !matches!(part, Component::CurDir));
    parts.take_while(is_fixed).collect()
}

/// Whether a pattern names the file at `path`, relative to the project: itself, a directory that it is in, or as a glob.
/// Looks at no file.
pub fn names(pattern: &str, path: &Path) -> bool {
    let pattern = normal(pattern);
    if path.starts_with(&pattern) {
        return true;
    }
    let glob = GlobBuilder::new(&pattern.to_string_lossy()).literal_separator(true).build();
    glob.is_ok_and(|glob| path.ancestors().any(|it| glob.compile_matcher().is_match(it)))
}

/// Whether there can be a file that both patterns name, as far as patterns tell: what one of them leaves open may be.
pub fn meet(one: &str, other: &str) -> bool {
    let is_inside = |pattern: &str, other: &str| match is_glob(other) {
        false => names(pattern, &normal(other)) || fixed(Path::new(pattern)).starts_with(normal(other)),
        true => fixed(Path::new(other)).starts_with(fixed(Path::new(pattern))),
    };
    is_inside(one, other) || is_inside(other, one)
}

fn matching(root: &Path, pattern: &Path, except: &Except) -> io::Result<Vec<PathBuf>> {
    let glob = GlobBuilder::new(&pattern.to_string_lossy()).literal_separator(true).build();
    let glob = glob.map_err(io::Error::other)?.compile_matcher();
    // Only the part of the tree that the pattern can match is walked.
    let fixed = fixed(pattern);
    let rest = pattern.strip_prefix(&fixed).unwrap_or(pattern);
    let is_deep = rest.components().any(|part| part.as_os_str().to_string_lossy().contains("**"));
    let depth = (!is_deep).then(|| rest.components().count());
    if !root.join(&fixed).is_dir() {
        return Ok(Vec::new());
    }
    let entries = walk(root, &fixed, depth, except)?;
    let mut found = sorted(root, &entries);
    found.retain(|path| glob.is_match(path));
    // What is in a directory that matches goes with it.
    found.dedup_by(|path, before| path.starts_with(before));
    Ok(found)
}

fn sorted<'a>(root: &Path, entries: impl IntoIterator<Item = &'a DirEntry>) -> Vec<PathBuf> {
    let relative = |entry: &DirEntry| entry.path().strip_prefix(root).unwrap_or(entry.path()).to_path_buf();
    let mut paths: Vec<PathBuf> = entries.into_iter().map(relative).collect();
    paths.sort();
    paths
}

/// What is in a directory, but not itself; as deep as `depth`. Where nothing is taken in again, what is left out is not entered.
fn walk(root: &Path, directory: &Path, depth: Option<usize>, except: &Except) -> io::Result<Vec<DirEntry>> {
    let top = root.to_path_buf();
    let never = if except.has_exceptions() { Except::default() } else { except.clone() };
    let walk = WalkBuilder::new(root.join(directory))
        .max_depth(depth)
        .hidden(false)
        .git_global(false)
        .require_git(false)
        .filter_entry(move |entry| {
            let relative = entry.path().strip_prefix(&top).unwrap_or(entry.path());
            let is_never = NEVER.iter().any(|never| relative == Path::new(never)) || entry.file_name() == ".git";
            !is_never && !never.leaves_out(relative)
        })
        .build();
    let entries: Result<Vec<DirEntry>, _> = walk.filter(|it| it.as_ref().map_or(true, |it| it.depth() > 0)).collect();
    entries.map_err(io::Error::other)
}

fn normal(pattern: &str) -> PathBuf {
    Path::new(pattern).components().filter(|part| !matches!(part, Component::CurDir)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_patterns_can_both_name() {
        let check = |one: &str, other: &str, expect: bool| {
            assert_eq!(meet(one, other), expect, "{one} and {other}");
            assert_eq!(meet(other, one), expect, "{other} and {one}");
        };
        check("a/b.go", "./a/b.go", true);
        check("a", "a/b.go", true);
        check(".", "a/b.go", true);
        check("**/*.go", "gen/b.go", true);
        check("*.md", "gen/b.go", false);
        check("comp*", "completions/hello.bash", true);
        check("gen/*.go", "gen/b.c", false);
        check("gen/*.go", "gen", true);
        check("gen/*.go", "gen/*.json", true);
        check("gen/*.go", "docs/*.md", false);
        check("ab", "a", false);
    }

    fn check(pattern: &str, expect: &str) {
        check_without(pattern, &[], expect);
    }

    fn check_without(pattern: &str, except: &[&str], expect: &str) {
        let except = Except::new(except.iter().copied()).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let paths = [
            "a.txt",
            "src/main.rs",
            "src/deep/x.rs",
            "src/x.log",
            "target/out",
            ".git/HEAD",
            ".forge/store/x",
            "dist/y",
        ];
        for file in paths {
            let path = root.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, file).unwrap();
        }
        std::fs::create_dir(root.join("src/empty")).unwrap();
        std::fs::write(root.join(".gitignore"), "/target\n*.log\n").unwrap();
        let show = |paths: &[PathBuf]| paths.iter().map(|it| it.display().to_string()).collect::<Vec<_>>().join(" ");
        let actual = match matches(root, pattern, &except) {
            Ok(tops) => {
                let all: io::Result<Vec<Vec<PathBuf>>> = tops.iter().map(|top| files(root, top, &except)).collect();
                format!("{} = {}", show(&tops), show(&all.unwrap().concat()))
            }
            Err(error) => error.kind().to_string(),
        };
        assert_eq!(actual, expect, "of {pattern}");
    }

    #[test]
    fn what_is_left_out_is_not_there() {
        check_without("src", &["src/deep"], "src = src/main.rs");
        check_without("src", &["src", "!**/x.rs"], "src = src/deep/x.rs");
        check_without("src/*", &["src", "!**/x.rs"], "src/deep = src/deep/x.rs");
        check_without("src/*", &["src/deep"], "src/empty src/main.rs = src/main.rs");
        check_without("src", &["src"], " = ");
        check_without("src/main.rs", &["*", "!src/deep"], " = ");
        check_without(".", &["*.txt", ".gitignore", "src/*.rs"], " = src/deep/x.rs");
    }

    #[test]
    fn files_directories_and_globs() {
        check("a.txt", "a.txt = a.txt");
        check(".", " = .gitignore a.txt src/deep/x.rs src/main.rs");
        check("./src", "src = src/deep/x.rs src/main.rs");
        check("src/x.log", "src/x.log = src/x.log");
        check("src/*.rs", "src/main.rs = src/main.rs");
        check("src/**/*.rs", "src/deep/x.rs src/main.rs = src/deep/x.rs src/main.rs");
        check("s?c", "src = src/deep/x.rs src/main.rs");
        check("src/d*", "src/deep = src/deep/x.rs");
        check("*", ".gitignore a.txt src = .gitignore a.txt src/deep/x.rs src/main.rs");
        check("target", "target = target/out");
        check("dist", "dist = dist/y");
        check("nothing", "entity not found");
        check("no/*.rs", " = ");
    }
}
