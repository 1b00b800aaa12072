//! CycloneDX 1.6: each part is a component, and `dependencies` say what needs what.
//! Does not know where what it writes comes from.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::format::Document;
use super::software::{Part, Relation, Software, Sort};

/// The document, told from others by `uuid`.
pub fn write(document: &Document<'_>, uuid: &str) -> Value {
    let software = document.software;
    let ids = software.ids();
    let is_in = is_in(software);
    let components = software.parts.iter().enumerate().map(|(at, part)| component(part, &ids[at], is_in[at]));
    let components: Vec<Value> = components.collect();
    let mut needs: BTreeMap<usize, Vec<&str>> = (0..ids.len()).map(|at| (at, Vec::new())).collect();
    for (one, _, other) in &software.relations {
        needs.entry(*one).or_default().push(&ids[*other]);
    }
    let dependencies = needs.into_iter().map(|(at, mut on)| {
        on.sort_unstable();
        on.dedup();
        json!({ "ref": ids[at], "dependsOn": on })
    });
    json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": format!("urn:uuid:{uuid}"),
        "version": 1,
        "metadata": {
            "timestamp": document.created,
            "lifecycles": [{ "phase": "post-build" }],
            "tools": { "components": [{ "type": "application", "name": "forge", "version": env!("CARGO_PKG_VERSION") }] },
            "component": components.first(),
        },
        "components": components.get(1..).unwrap_or_default(),
        "dependencies": dependencies.collect::<Vec<_>>(),
    })
}

/// Of each part whether it is in the thing itself: what was used while building alone is there, and said not to be.
fn is_in(software: &Software) -> Vec<bool> {
    let mut is_in = vec![false; software.parts.len()];
    let mut next: Vec<usize> = (0..is_in.len().min(1)).collect();
    while let Some(at) = next.pop() {
        if std::mem::replace(&mut is_in[at], true) {
            continue;
        }
        let of_it = software.relations.range((at, Relation::Contains, 0)..(at, Relation::BuiltWith, 0));
        next.extend(of_it.map(|it| it.2));
    }
    is_in
}

fn component(part: &Part, id: &str, is_in: bool) -> Value {
    let mut component = json!({
        "type": match part.sort {
            Sort::Archive | Sort::Package => "file",
            Sort::Container => "container",
            Sort::Program => "application",
            Sort::Library => "library",
        },
        "bom-ref": id,
        "name": part.name,
    });
    if let Some(version) = &part.version {
        component["version"] = json!(version);
    }
    if let Some(digest) = &part.digest {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": digest.hex() }]);
    }
    if let Some(purl) = &part.purl {
        component["purl"] = json!(purl);
    }
    if let Some(note) = &part.note {
        component["description"] = json!(note);
    }
    if !is_in {
        component["scope"] = json!("excluded");
    }
    component
}
