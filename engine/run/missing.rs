//! What the tasks that are to run will need of this machine, and is not there: secrets, tools and room on the disk.
//! Asks nobody else.

use std::collections::{BTreeMap, BTreeSet};

use forge_schemas::{Failure, FailureClass, Tool};
use serde_json::Value;

use super::Run;
use super::secrets::Secrets;
use crate::plan::{Plan, TaskId};
use crate::registries::{Registries, canonical};

/// Something that is missing, and the tasks that would fail for it.
pub type Missing = (Vec<TaskId>, Failure);

impl Run<'_> {
    /// All that is missing.
    pub(super) fn missing(&self) -> Vec<Missing> {
        let waiting: Vec<TaskId> = self.schedule.waiting().collect();
        let mut missing = secrets(self.plan, &waiting, &self.world.secrets, &self.world.registries);
        missing.extend(self.missing_tools(&waiting));
        missing.extend(self.full_disk(waiting));
        missing
    }

    fn missing_tools(&self, waiting: &[TaskId]) -> Vec<Missing> {
        let mut wanted: BTreeMap<&Tool, Vec<TaskId>> = BTreeMap::new();
        for id in waiting {
            for tool in &self.plan.task(*id).step.tools {
                wanted.entry(tool).or_default().push(*id);
            }
        }
        let tools = &self.shared.tools;
        let check = |tool: &Tool| tools.property(tool, &self.hashes).and_then(|_| tools.check(tool)).err();
        wanted.into_iter().filter_map(|(tool, ids)| check(tool).map(|failure| (ids, failure))).collect()
    }

    // What they made the last time says how much they make. Of what nobody has made yet, nobody knows.
    fn full_disk(&self, waiting: Vec<TaskId>) -> Option<Missing> {
        let store = self.world.folder.store();
        let disk = rustix::fs::statvfs(&store).ok()?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        let tasks = waiting.iter().map(|id| self.plan.task(*id));
        let names: BTreeSet<&str> = tasks.flat_map(|task| &task.step.makes).map(|it| it.name.as_str()).collect();
        let made = self.dist.list().artifacts;
        let need: u64 = made.iter().filter(|it| names.contains(it.name.as_str())).map(|it| it.size).sum();
        let failure = || {
            let message = format!("the disk is full: can't make {need} bytes, as the last time, where {free} are free");
            let help = format!("make room where `{}` is (`forge clean` may help), and run it again", store.display());
            Failure::new(FailureClass::Machine, message).help(help)
        };
        (free < need).then(|| (waiting, failure()))
    }
}

/// The secrets that these tasks are granted, or that a registry which they speak to is opened with, and that are not set.
pub fn secrets(plan: &Plan, tasks: &[TaskId], secrets: &Secrets, registries: &Registries) -> Vec<Missing> {
    let mut wanted: BTreeMap<&str, (Vec<TaskId>, Vec<String>)> = BTreeMap::new();
    let mut want = |name, id, by: String| {
        let (ids, who) = wanted.entry(name).or_default();
        ids.push(id);
        if who.is_empty() {
            who.push(by);
        }
    };
    let with_secret = registries.iter().filter_map(|(host, it)| Some((host, it.secret.as_ref()?)));
    let unset: Vec<(&String, &String)> = with_secret.filter(|(_, name)| secrets.why_not_set(name).is_some()).collect();
    for id in tasks {
        let task = plan.task(*id);
        for name in task.secrets.iter().filter(|name| secrets.why_not_set(name).is_some()) {
            want(name.as_str(), *id, format!("`{task}` is granted `{name}`"));
        }
        if unset.is_empty() {
            continue;
        }
        let params = task.step.params.value();
        for (host, name) in unset.iter().filter(|(host, _)| names(&params, host)) {
            want(name.as_str(), *id, format!("`[registries.\"{host}\"]` names it"));
        }
    }
    wanted.into_iter().map(|(name, (ids, who))| (ids, not_set(name, &who, secrets))).collect()
}

fn not_set(name: &str, who: &[String], secrets: &Secrets) -> Failure {
    let why = secrets.why_not_set(name).unwrap_or_default();
    let failure = Failure::input(format!("the secret `{name}` is not set"))
        .help(format!("set it, or say in `[secrets]` where `{name}` comes from"));
    who.iter().fold(failure, |failure, who| failure.cause(format!("{who}, and {why}")))
}

// What a step's params mean its pipe alone knows. That they name something at a host is seen as people would see it: by an
// address that begins with it.
fn names(params: &Value, host: &str) -> bool {
    match params {
        Value::String(text) => {
            let address = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or(text);
            address.split_once('/').is_some_and(|(at, _)| canonical(at) == canonical(host))
        }
        Value::Array(items) => items.iter().any(|it| names(it, host)),
        Value::Object(fields) => fields.values().any(|it| names(it, host)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn params_that_name_a_host() {
        let check = |params: Value, host: &str, expect: bool| assert_eq!(names(&params, host), expect, "{params}");
        check(json!({ "base": { "reference": "ghcr.io/acme/hello:1" } }), "ghcr.io", true);
        check(json!(["x", "https://ghcr.io/v2/"]), "ghcr.io", true);
        check(json!("localhost:5000/hello"), "localhost:5000", true);
        check(json!("docker.io/library/alpine"), "registry-1.docker.io", true);
        check(json!("ghcr.io"), "ghcr.io", false);
        check(json!("src/ghcr.io/x"), "ghcr.io", false);
        check(json!("localhost:5001/hello"), "localhost:5000", false);
        check(json!({ "ghcr.io/": 1 }), "ghcr.io", false);
    }
}
