//! Paths into the project, as users write them in a table: relative to the project file, and below it.
//! Does not know what lies there.

use std::path::{Component, Path};

use forge_plugin::schemas::Problem;

/// Whether a path leads nowhere but to what is below the directory that it starts in.
pub fn is_inside(path: &str) -> bool {
    Path::new(path).components().all(|it| matches!(it, Component::Normal(_) | Component::CurDir))
}

/// What is wrong with a path, which stands at this key, that leads out of the project.
pub fn outside(key: impl Into<String>, path: &str) -> Option<Problem> {
    (!is_inside(path)).then(|| {
        let problem = Problem::at_key(key, format!("`{path}` is not below the directory of the project file"));
        problem.help("write it relative to the project file, without `..`")
    })
}
