//! The config of an image (image-spec, "OCI Image Configuration"): how a container starts, and which layers it stands on.
//! Does not know which of its fields matter: what it does not know of a base's config it keeps.

use forge_plugin::schemas::{Digest, Platform};
use serde_json::{Map, Value, json};

/// What a container gets as `PATH` where nothing else is said, as Docker has it.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The fields of a config that tell of the image.
const FIELDS: &[&str] =
    &["architecture", "author", "config", "created", "history", "os", "os.features", "os.version", "rootfs", "variant"];

/// The same, of how a container starts: those of the specification, and those that Docker adds.
const RUNTIME: &[&str] = &[
    "ArgsEscaped",
    "Cmd",
    "Entrypoint",
    "Env",
    "ExposedPorts",
    "Healthcheck",
    "Labels",
    "OnBuild",
    "Shell",
    "StopSignal",
    "User",
    "Volumes",
    "WorkingDir",
];

/// A config, as a JSON object with sorted keys.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    fields: Map<String, Value>,
}

impl Config {
    /// Of an image of nothing.
    pub fn scratch(platform: &Platform) -> Config {
        let mut fields = Map::new();
        fields.insert("os".to_owned(), json!(platform.os()));
        fields.insert("architecture".to_owned(), json!(platform.arch()));
        if let Some(variant) = platform.variant() {
            fields.insert("variant".to_owned(), json!(variant));
        }
        fields.insert("config".to_owned(), json!({ "Env": [format!("PATH={DEFAULT_PATH}")], "WorkingDir": "/" }));
        fields.insert("rootfs".to_owned(), json!({ "type": "layers", "diff_ids": [] }));
        Config { fields }
    }

    /// Reads a config.
    pub fn parse(bytes: &[u8]) -> Result<Config, String> {
        let fields = serde_json::from_slice(bytes).map_err(|error| format!("not an image's config: {error}"))?;
        Ok(Config { fields })
    }

    /// Its bytes: the same for the same config.
    pub fn to_bytes(&self) -> Vec<u8> {
        Value::Object(self.fields.clone()).to_string().into_bytes()
    }

    /// Where the image runs; none where it does not say, or says something unknown.
    pub fn platform(&self) -> Option<Platform> {
        let field = |name: &str| self.fields.get(name).and_then(Value::as_str);
        Platform::from_parts(field("os")?, field("architecture")?, field("variant")).ok()
    }

    /// The build of Windows that it needs.
    pub fn os_version(&self) -> Option<&str> {
        self.fields.get("os.version").and_then(Value::as_str)
    }

    /// Where a container starts, if anything says so.
    pub fn workdir(&self) -> Option<&str> {
        self.fields.get("config")?["WorkingDir"].as_str().filter(|it| !it.is_empty())
    }

    /// Whether it holds instructions for images that stand on it (`ONBUILD`).
    pub fn take_triggers(&mut self) -> Vec<String> {
        let taken = self.fields.get("config").is_some_and(Value::is_object).then(|| self.runtime().remove("OnBuild"));
        let triggers = taken.flatten().and_then(|it| it.as_array().cloned()).unwrap_or_default();
        triggers.into_iter().filter_map(|it| it.as_str().map(str::to_owned)).collect()
    }

    /// Adds an instruction for images that stand on it.
    pub fn add_trigger(&mut self, trigger: &str) {
        let triggers = self.fields.get("config").and_then(|it| it["OnBuild"].as_array());
        let triggers: Vec<Value> = triggers.into_iter().flatten().cloned().chain([trigger.into()]).collect();
        self.set_runtime("OnBuild", triggers.into());
    }

    /// Who runs a container; empty for root.
    pub fn user(&self) -> &str {
        self.fields.get("config").and_then(|it| it["User"].as_str()).unwrap_or_default()
    }

    /// What reads the commands of a Dockerfile, where it is not `/bin/sh -c`.
    pub fn shell(&self) -> Option<Vec<String>> {
        let words = self.fields.get("config")?["Shell"].as_array()?;
        Some(words.iter().filter_map(|it| it.as_str().map(str::to_owned)).collect())
    }

    /// A label.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.fields.get("config").and_then(|it| it["Labels"][name].as_str())
    }

    /// How many layers it stands on.
    pub fn layer_count(&self) -> usize {
        self.fields.get("rootfs").and_then(|it| it["diff_ids"].as_array()).map_or(0, Vec::len)
    }

    /// The digests of the tars of its layers, the lowest first.
    pub fn diff_ids(&self) -> Vec<Digest> {
        let ids = self.fields.get("rootfs").and_then(|it| it["diff_ids"].as_array()).into_iter().flatten();
        ids.filter_map(|it| it.as_str()?.parse().ok()).collect()
    }

    /// How many entries its history has.
    pub fn history_count(&self) -> usize {
        self.fields.get("history").and_then(Value::as_array).map_or(0, Vec::len)
    }

    /// Keeps of a config that a builder has written what the specification tells of the image, and nothing of how it came to
    /// be: no ids of containers, no versions, and one time (RFC 3339) for all that was done after the first `told` entries of
    /// the history. The layers are now these.
    pub fn keep_what_is_told(&mut self, time: &str, diff_ids: &[Digest], told: usize) {
        self.fields.retain(|name, _| FIELDS.contains(&name.as_str()));
        let runtime = self.runtime();
        runtime.retain(|name, value| RUNTIME.contains(&name.as_str()) && !is_nothing(value));
        self.set_created(time);
        self.fields.insert("rootfs".to_owned(), json!({ "type": "layers", "diff_ids": diff_ids }));
        let history = self.fields.get_mut("history").and_then(Value::as_array_mut);
        for entry in history.into_iter().flatten().skip(told) {
            entry["created"] = json!(time);
            // Some name an image here that nobody has.
            entry.as_object_mut().map(|it| it.remove("comment"));
        }
    }

    /// The environment of a container, in order.
    pub fn env(&self) -> Vec<(String, String)> {
        let lines = self.fields.get("config").and_then(|it| it["Env"].as_array()).into_iter().flatten();
        lines.filter_map(Value::as_str).filter_map(|it| it.split_once('=')).map(owned).collect()
    }

    /// Sets a variable of a container's environment, in its place where it is set already.
    pub fn set_env(&mut self, name: &str, value: &str) {
        let mut env = self.env();
        match env.iter_mut().find(|(it, _)| it == name) {
            Some(found) => value.clone_into(&mut found.1),
            None => env.push((name.to_owned(), value.to_owned())),
        }
        let lines: Vec<String> = env.iter().map(|(name, value)| format!("{name}={value}")).collect();
        self.set_runtime("Env", json!(lines));
    }

    /// Sets a field of `config`: `Entrypoint`, `User`, …
    pub fn set_runtime(&mut self, name: &str, value: Value) {
        self.runtime().insert(name.to_owned(), value);
    }

    /// Removes a field of `config`.
    pub fn unset_runtime(&mut self, name: &str) {
        self.runtime().remove(name);
    }

    /// Adds to a field of `config` that is a map: `Labels`, `Volumes`, `ExposedPorts`.
    pub fn add_to_runtime(&mut self, name: &str, key: &str, value: Value) {
        let map = self.runtime().entry(name).or_insert(Value::Null);
        if !map.is_object() {
            *map = json!({});
        }
        map[key] = value;
    }

    /// Sets who made it.
    pub fn set_author(&mut self, author: &str) {
        self.fields.insert("author".to_owned(), json!(author));
    }

    /// Sets when it was made (RFC 3339).
    pub fn set_created(&mut self, time: &str) {
        self.fields.insert("created".to_owned(), json!(time));
    }

    /// Sets where it runs.
    pub fn set_platform(&mut self, platform: &Platform) {
        if self.platform().as_ref() != Some(platform) {
            let Config { fields } = Config::scratch(platform);
            self.fields.remove("variant");
            self.fields.extend(fields.into_iter().filter(|(name, _)| name != "config" && name != "rootfs"));
        }
    }

    /// Adds a layer on top.
    pub fn add_layer(&mut self, diff_id: Digest) {
        let rootfs = self.fields.entry("rootfs").or_insert_with(|| json!({ "type": "layers" }));
        push(rootfs, "diff_ids", json!(diff_id));
    }

    /// Adds what was done to the history: at `time`, by the instruction `created_by`, with a layer or without.
    pub fn add_history(&mut self, time: &str, created_by: &str, layer: Option<Digest>) {
        let mut entry = json!({ "created": time, "created_by": created_by, "comment": "forge" });
        if layer.is_none() {
            entry["empty_layer"] = json!(true);
        }
        if !self.fields.get("history").is_some_and(Value::is_array) {
            self.fields.insert("history".to_owned(), json!([]));
        }
        if let Some(history) = self.fields.get_mut("history").and_then(Value::as_array_mut) {
            history.push(entry);
        }
        layer.into_iter().for_each(|diff_id| self.add_layer(diff_id));
    }

    fn runtime(&mut self) -> &mut Map<String, Value> {
        let runtime = self.fields.entry("config").or_insert(Value::Null);
        if !runtime.is_object() {
            *runtime = json!({});
        }
        runtime.as_object_mut().expect("it was made an object above")
    }
}

/// What builders write where nothing is said.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

fn push(object: &mut Value, name: &str, value: Value) {
    if !object.is_object() {
        *object = json!({ "type": "layers" });
    }
    match object[name].as_array_mut() {
        Some(list) => list.push(value),
        None => object[name] = json!([value]),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(base: Option<&str>, expect: Expect) {
        let platform: Platform = "linux/arm/v6".parse().unwrap();
        let mut config = match base {
            Some(text) => Config::parse(text.as_bytes()).unwrap(),
            None => Config::scratch(&platform),
        };
        config.set_created("2026-01-02T03:04:05Z");
        config.set_env("A", "1");
        config.set_env("PATH", "/b");
        config.add_to_runtime("Labels", "k", json!("v"));
        config.add_history("2026-01-02T03:04:05Z", "COPY a b", Some(Digest::of(b"layer")));
        config.add_history("2026-01-02T03:04:05Z", "ENV A=1", None);
        config.set_platform(&platform);
        let fields: Value = serde_json::from_slice(&config.to_bytes()).unwrap();
        expect.assert_eq(&serde_json::to_string_pretty(&fields).unwrap());
    }

    #[test]
    fn triggers() {
        let check = |text: &str, expect: &[&str]| {
            let mut config = Config::parse(text.as_bytes()).unwrap();
            assert_eq!(config.take_triggers(), expect);
            assert_eq!(config.take_triggers(), [""; 0]);
        };
        check(r#"{"config": {"OnBuild": ["RUN make"]}}"#, &["RUN make"]);
        check(r#"{"config": {"OnBuild": null}}"#, &[]);
        check(r#"{"config": null}"#, &[]);
        check("{}", &[]);
    }

    #[test]
    fn on_scratch() {
        check(
            None,
            expect![[r#"
                {
                  "architecture": "arm",
                  "config": {
                    "Env": [
                      "PATH=/b",
                      "A=1"
                    ],
                    "Labels": {
                      "k": "v"
                    },
                    "WorkingDir": "/"
                  },
                  "created": "2026-01-02T03:04:05Z",
                  "history": [
                    {
                      "comment": "forge",
                      "created": "2026-01-02T03:04:05Z",
                      "created_by": "COPY a b"
                    },
                    {
                      "comment": "forge",
                      "created": "2026-01-02T03:04:05Z",
                      "created_by": "ENV A=1",
                      "empty_layer": true
                    }
                  ],
                  "os": "linux",
                  "rootfs": {
                    "diff_ids": [
                      "sha256:dac1d7cfa95021764849fd102524e141488c5e3a90f861dbb5a12d9ac8584f85"
                    ],
                    "type": "layers"
                  },
                  "variant": "v6"
                }"#]],
        );
    }

    #[test]
    fn what_a_base_says_is_kept() {
        check(
            Some(
                r#"{"os": "linux", "architecture": "arm", "variant": "v6", "x": [1], "config": {"Env": ["PATH=/a", "Z=0"],
                "Labels": null, "Y": 2}, "rootfs": {"type": "layers", "diff_ids": ["d"]}, "history": [{"created_by": "base"}]}"#,
            ),
            expect![[r#"
                {
                  "architecture": "arm",
                  "config": {
                    "Env": [
                      "PATH=/b",
                      "Z=0",
                      "A=1"
                    ],
                    "Labels": {
                      "k": "v"
                    },
                    "Y": 2
                  },
                  "created": "2026-01-02T03:04:05Z",
                  "history": [
                    {
                      "created_by": "base"
                    },
                    {
                      "comment": "forge",
                      "created": "2026-01-02T03:04:05Z",
                      "created_by": "COPY a b"
                    },
                    {
                      "comment": "forge",
                      "created": "2026-01-02T03:04:05Z",
                      "created_by": "ENV A=1",
                      "empty_layer": true
                    }
                  ],
                  "os": "linux",
                  "rootfs": {
                    "diff_ids": [
                      "d",
                      "sha256:dac1d7cfa95021764849fd102524e141488c5e3a90f861dbb5a12d9ac8584f85"
                    ],
                    "type": "layers"
                  },
                  "variant": "v6",
                  "x": [
                    1
                  ]
                }"#]],
        );
    }
}
