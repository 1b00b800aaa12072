//! Package URLs: the names of packages that all lists of what is known of them share.
//! Does not know where packages are.

use packageurl::PackageUrl;

/// The URL of a package of this type. `path` is its name, behind a namespace where it has `/`.
pub fn purl(ty: &str, path: &str, version: Option<&str>) -> Option<String> {
    let (namespace, name) = path.rsplit_once('/').map_or((None, path), |(namespace, name)| (Some(namespace), name));
    let mut url = PackageUrl::new(ty, name).ok()?;
    if let Some(namespace) = namespace {
        url.with_namespace(namespace).ok()?;
    }
    if let Some(version) = version {
        url.with_version(version).ok()?;
    }
    Some(url.to_string())
}
