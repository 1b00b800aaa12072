//! The files of the workspace as text, and what of them is code.
//! Reads no syntax: sources are formatted, so that a function ends where its indentation says.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

/// A tracked file.
pub struct File {
    /// Relative to the workspace, with `/`.
    pub path: String,
    /// All of it; empty for what is not text.
    pub text: String,
}

/// All files that git does not ignore, sorted by path.
pub static FILES: LazyLock<Vec<File>> = LazyLock::new(|| {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let walk = ignore::WalkBuilder::new(top)
        .hidden(false)
        .require_git(false)
        .git_global(false)
        .filter_entry(|it| it.file_name() != ".git")
        .build();
    let files = walk.map(Result::unwrap).filter(|entry| entry.file_type().is_some_and(|it| it.is_file()));
    let mut files: Vec<File> = files
        .map(|entry| File {
            path: entry.path().strip_prefix(top).unwrap().to_str().unwrap().replace('\\', "/"),
            text: fs::read_to_string(entry.path()).unwrap_or_default(),
        })
        .collect();
    files.sort_by(|one, other| one.path.cmp(&other.path));
    files
});

impl File {
    /// Whether it is a source.
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether it is compiled for tests alone.
    pub fn is_test(&self) -> bool {
        let (directory, name) = self.path.rsplit_once('/').unwrap_or(("", &self.path));
        let module = name.trim_end_matches(".rs");
        let declared = ["", "pub ", "pub(crate) "].map(|it| format!("#[cfg(test)]\n{it}mod {module};"));
        let parents = [format!("{directory}/mod.rs"), format!("{directory}/lib.rs"), format!("{directory}.rs")];
        directory.split('/').any(|it| it == "tests" || it == "benches")
            || FILES.iter().any(|it| parents.contains(&it.path) && declared.iter().any(|mine| it.text.contains(mine)))
    }

    /// All of it but the tests at its foot.
    pub fn without_tests(&self) -> &str {
        self.text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default()
    }

    /// Its lines but tests, comments and blank ones, each with its number.
    pub fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.without_tests().lines().enumerate();
        lines.filter(|(_, line)| !line.trim().is_empty() && !line.trim().starts_with("//")).map(|(at, it)| (at + 1, it))
    }

    /// The module of the engine that it belongs to: `plan` for `engine/plan/link.rs`.
    pub fn module(&self) -> Option<&str> {
        let path = self.path.strip_prefix("engine/")?;
        path.split('/').next().map(|it| it.trim_end_matches(".rs"))
    }
}

/// All of the sources but the rules themselves, which must name what they look for.
pub fn rust() -> impl Iterator<Item = &'static File> {
    FILES.iter().filter(|file| file.is_rust() && file.path != "tests/tidy.rs")
}

/// The sources that are no tests.
pub fn sources() -> impl Iterator<Item = &'static File> {
    FILES.iter().filter(|file| file.is_rust() && !file.is_test())
}

/// The file at this path, which there must be.
pub fn file(path: &str) -> &'static File {
    FILES.iter().find(|file| file.path == path).unwrap_or_else(|| panic!("there is no {path}"))
}

/// Every function of a file with a body, and how many lines it has.
pub fn functions(file: &File) -> Vec<(usize, String)> {
    let lines: Vec<&str> = file.without_tests().lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let is_function = ["fn ", "pub fn ", "pub(super) fn ", "pub(crate) fn ", "async fn ", "pub async fn "]
            .iter()
            .any(|it| code.starts_with(it));
        if !is_function || line.ends_with(';') || line.ends_with('}') {
            continue;
        }
        let indent = &line[..line.len() - code.len()];
        let rest = lines[at..].iter().position(|it| *it == format!("{indent}}}"));
        let name = code.split('(').next().unwrap_or_default();
        found.push((rest.unwrap_or(0) + 1, format!("{}:{} {name}", file.path, at + 1)));
    }
    found
}

/// Unsafe blocks and implementations that no comment above explains.
pub fn unexplained(file: &File) -> Vec<String> {
    let lines: Vec<&str> = file.without_tests().lines().collect();
    let is_unsafe = |line: &str| line.contains("unsafe {") || line.contains("unsafe impl");
    let places = lines.iter().enumerate().filter(|(_, line)| is_unsafe(line) && !line.trim().starts_with("//"));
    let bad = places.filter(|(at, _)| !lines[at.saturating_sub(6)..*at].iter().any(|it| it.contains("// SAFETY:")));
    bad.map(|(at, line)| format!("{}:{}: {}", file.path, at + 1, line.trim())).collect()
}
