//! What `cargo auditable` writes into a program: the crates that it was compiled from, as compressed JSON in a section of its own.
//! Does not know Cargo.lock, which holds what other platforms and features need as well.

use std::io::Read as _;

use auditable_serde::{DependencyKind, Package, Source, VersionInfo};
use flate2::read::ZlibDecoder;
use object::{File, Object as _, ObjectSection as _};

use super::knowledge::Own;
use super::purl::purl;
use super::software::{Known, Part, Relation, Sort};

const SECTION: &str = ".dep-v0";
/// No list of crates is longer.
const MOST: u64 = 64 << 20;

/// What a Rust program says of itself.
pub fn read(file: &File<'_>, _: &Own) -> Option<Known> {
    let section = file.section_by_name(SECTION)?;
    let mut text = String::new();
    ZlibDecoder::new(section.data().ok()?).take(MOST).read_to_string(&mut text).ok()?;
    Some(known(&text.parse().ok()?))
}

fn known(info: &VersionInfo) -> Known {
    // The root first.
    let mut order: Vec<usize> = (0..info.packages.len()).collect();
    order.sort_by_key(|at| !info.packages[*at].root);
    let mut places = vec![0; order.len()];
    for (place, at) in order.iter().enumerate() {
        places[*at] = place;
    }
    let relations = info.packages.iter().enumerate().flat_map(|(at, package)| {
        let relation = |to: &usize| match (package.kind, info.packages[*to].kind) {
            (DependencyKind::Runtime, DependencyKind::Build) => Relation::BuiltWith,
            _ => Relation::DependsOn,
        };
        package.dependencies.iter().map(move |to| (at, relation(to), *to)).collect::<Vec<_>>()
    });
    let relations = relations.map(|(one, relation, other)| (places[one], relation, places[other])).collect();
    Known { parts: order.iter().map(|at| part(&info.packages[*at])).collect(), relations }
}

fn part(package: &Package) -> Part {
    let version = package.version.to_string();
    let source = match &package.source {
        Source::CratesIo => None,
        Source::Local => Some("It comes from the sources of the project.".to_owned()),
        Source::Git => Some("It comes from a git repository.".to_owned()),
        Source::Registry => Some("It comes from another registry.".to_owned()),
        other => Some(format!("It comes from {}.", String::from(other.clone()))),
    };
    let kind = (package.kind == DependencyKind::Build)
        .then(|| "It is used while building, and not in the program.".to_owned());
    let notes: Vec<String> = source.into_iter().chain(kind).collect();
    Part {
        name: package.name.clone(),
        purl: purl("cargo", &package.name, Some(&version)),
        version: Some(version),
        sort: Sort::Library,
        digest: None,
        note: Some(notes.join(" ")).filter(|it| !it.is_empty()),
    }
}
