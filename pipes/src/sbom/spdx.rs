//! SPDX 2.3: each part is a package, and relationships are between them.
//! Does not know where what it writes comes from.

use serde_json::{Value, json};

use super::format::Document;
use super::software::{Part, Relation, Sort};

/// What SPDX says where nobody has looked.
const UNKNOWN: &str = "NOASSERTION";

/// The document, told from others by `uuid`.
pub fn write(document: &Document<'_>, uuid: &str) -> Value {
    let ids: Vec<String> = document.software.ids().iter().map(|id| format!("SPDXRef-{id}")).collect();
    let packages: Vec<Value> = document.software.parts.iter().zip(&ids).map(|(part, id)| package(part, id)).collect();
    let describes = json!({
        "spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": ids.first(),
    });
    let relations = document.software.relations.iter().map(|(one, relation, other)| {
        let (one, word, other) = match relation {
            Relation::Contains => (one, "CONTAINS", other),
            Relation::MadeFrom => (one, "GENERATED_FROM", other),
            Relation::DependsOn => (one, "DEPENDS_ON", other),
            Relation::BuiltWith => (other, "BUILD_DEPENDENCY_OF", one),
        };
        json!({ "spdxElementId": ids[*one], "relationshipType": word, "relatedSpdxElement": ids[*other] })
    });
    json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": document.name,
        "documentNamespace": format!("https://spdx.org/spdxdocs/{}-{uuid}", in_uri(document.name)),
        "creationInfo": {
            "created": document.created,
            "creators": [concat!("Tool: forge-", env!("CARGO_PKG_VERSION"))],
        },
        "packages": packages,
        "relationships": std::iter::once(describes).chain(relations).collect::<Vec<_>>(),
    })
}

fn package(part: &Part, id: &str) -> Value {
    let mut package = json!({
        "name": part.name,
        "SPDXID": id,
        "downloadLocation": UNKNOWN,
        "filesAnalyzed": false,
        "licenseConcluded": UNKNOWN,
        "licenseDeclared": UNKNOWN,
        "copyrightText": UNKNOWN,
        "supplier": UNKNOWN,
        "primaryPackagePurpose": match part.sort {
            Sort::Archive => "ARCHIVE",
            Sort::Package => "INSTALL",
            Sort::Container => "CONTAINER",
            Sort::Program => "APPLICATION",
            Sort::Library => "LIBRARY",
        },
    });
    if let Some(version) = &part.version {
        package["versionInfo"] = json!(version);
    }
    if let Some(digest) = &part.digest {
        package["checksums"] = json!([{ "algorithm": "SHA256", "checksumValue": digest.hex() }]);
    }
    if part.digest.is_some() && part.sort != Sort::Container {
        package["packageFileName"] = json!(part.name);
    }
    if let Some(purl) = &part.purl {
        package["externalRefs"] =
            json!([{ "referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl }]);
    }
    if let Some(note) = &part.note {
        package["comment"] = json!(note);
    }
    package
}

/// What a URI takes as it is.
fn in_uri(name: &str) -> String {
    name.chars().map(|it| if it.is_ascii_alphanumeric() || "-._~".contains(it) { it } else { '-' }).collect()
}
