//! Which of several packages is taken that could all be what is needed.
//! Does not know what else is needed.

use std::cmp::Ordering;

use crate::apk::package::Package;
use crate::apk::solve::Trouble;
use crate::apk::version;

/// A package that could be taken.
#[derive(Debug, Clone, Copy)]
pub struct Choice<'p> {
    pub package: &'p Package,
    /// Whether it is there already.
    pub is_installed: bool,
}

/// Takes one of those that provide a name; there must be one. What is there stays; then the latest counts, by the version of the
/// name, and then the priority. Of the same version of a package in several repositories, the first is taken.
pub fn pick<'p>(name: &str, options: &[Choice<'p>]) -> Result<Choice<'p>, Trouble> {
    let is_there = options.iter().any(|it| it.is_installed);
    let pool = options.iter().filter(|it| it.is_installed == is_there);
    let mut best: Option<Choice<'p>> = None;
    let mut tied = None;
    for choice in pool {
        let Some(before) = best else {
            best = Some(*choice);
            continue;
        };
        match order(name, choice.package, before.package) {
            Some(Ordering::Greater) => (best, tied) = (Some(*choice), None),
            Some(Ordering::Less) => {}
            Some(Ordering::Equal) if choice.package.name == before.package.name => {}
            _ => tied = Some(choice.package),
        }
    }
    match (best, tied) {
        (Some(best), None) => Ok(best),
        (Some(best), Some(tied)) => {
            Err(Trouble::Untold(format!("both `{}` and `{}` are `{name}`", best.package.title(), tied.title())))
        }
        (None, _) => Err(Trouble::Fails(format!("nothing in the repositories is `{name}`"))),
    }
}

/// None where a name has a version here and none there.
fn order(name: &str, one: &Package, other: &Package) -> Option<Ordering> {
    let version = |package: &'_ Package| package.under(name).next().flatten().map(str::to_owned);
    let by_name = match (version(one), version(other)) {
        (Some(one), Some(other)) => version::compare(&one, &other),
        (None, None) => Ordering::Equal,
        _ => return None,
    };
    let by_package = match one.name == other.name {
        true => version::compare(&one.version, &other.version),
        false => Ordering::Equal,
    };
    Some(by_name.then(by_package).then(one.priority.cmp(&other.priority)))
}
