//! Receipts: what lies in a remote place now, as artifacts of kind `publication`.
//! Does not know how it got there.

use std::fs;

use forge_plugin::Host;
use forge_plugin::schemas::kind::{Kind as _, Publication};
use forge_plugin::schemas::{Artifact, Digest, Emit, Failure, Output, Platform, Step};
use serde_json::json;

/// The receipt that a step will make, before what it is for is known by digest.
pub fn output(name: String, reference: String, artifact: &str, platform: Option<&Platform>) -> Output {
    let detail = Publication { reference, artifact: artifact.to_owned(), digest: None };
    Output {
        name,
        kind: Publication::NAME.to_owned(),
        platform: platform.cloned(),
        detail: serde_json::to_value(detail).unwrap_or_default(),
    }
}

/// The name of a receipt: `published/<table>/ghcr.io/acme/hello/<what>.json`, where no file system minds it.
pub fn name(table: &str, repository: &str, what: &str) -> String {
    let what = what.strip_suffix(".json").unwrap_or(what);
    format!("published/{table}/{repository}/{what}.json").replace(':', "_")
}

/// Makes the step's receipt: `artifact` lies at `reference`.
pub fn emit(host: &dyn Host, step: &Step, reference: &str, artifact: &Artifact) -> Result<(), Failure> {
    emit_about(host, step, reference, &artifact.name, Some(artifact.digest))
}

/// The same for what is no artifact, and has this name.
pub fn emit_about(
    host: &dyn Host,
    step: &Step,
    reference: &str,
    artifact: &str,
    digest: Option<Digest>,
) -> Result<(), Failure> {
    let about = |it: &&Output| it.detail["artifact"] == artifact;
    let output = step.makes.iter().find(about).ok_or_else(|| Failure::bug("a step that makes no receipt"))?;
    let path = host.dir().join("receipt.json");
    let receipt = json!({ "reference": reference, "artifact": artifact, "digest": digest });
    fs::write(&path, format!("{receipt:#}\n")).map_err(|error| Failure::file("write", &path, &error))?;
    let detail = Publication { reference: reference.to_owned(), artifact: artifact.to_owned(), digest };
    let detail = serde_json::to_value(detail).unwrap_or_default();
    host.emit(&Emit { name: output.name.clone(), path, blobs: Vec::new(), detail })?;
    Ok(())
}
