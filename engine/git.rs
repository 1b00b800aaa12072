//! stub
use crate::diagnostic::Diagnostic;
use forge_schemas::Facts;
pub struct Repository;
pub fn read(_: &std::path::Path) -> Repository {
    Repository
}
pub fn release(name: &str, r: &Repository) -> (Facts, Vec<Diagnostic>) {
    (snapshot(name, r), vec![])
}
pub fn snapshot(name: &str, _: &Repository) -> Facts {
    Facts {
        name: name.into(),
        version: "0.0.0".into(),
        major: 0,
        minor: 0,
        patch: 0,
        prerelease: String::new(),
        tag: String::new(),
        commit: "none".into(),
        short_commit: "none".into(),
        commit_time: "1970-01-01T00:00:00Z".into(),
        commit_timestamp: 0,
        branch: String::new(),
        dirty: false,
        snapshot: true,
    }
}
