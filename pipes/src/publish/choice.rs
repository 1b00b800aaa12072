//! What is published, and who gets which reference. Pure.
//! Does not know where to: that is the destinations' business.

use std::collections::{BTreeMap, BTreeSet};

use forge_plugin::schemas::kind::{Attachment, Image, Kind as _, ManifestList};
use forge_plugin::schemas::{Expect, Offer, Problem, Selector};

use crate::oci::reference::Reference;

/// An image or a list that is published.
#[derive(Debug)]
pub struct Item<'a> {
    /// The artifact.
    pub offer: &'a Offer,
    /// The references that it gets.
    pub references: Vec<Reference>,
    /// The repositories that it must lie in: those of its references, and for an image those of its lists.
    pub repositories: BTreeSet<Reference>,
    /// Repositories that hold some of its blobs.
    pub mounts: Vec<String>,
    /// Of a list: the names of its members.
    pub members: Vec<String>,
    /// Whether it lies inside of a list that is published.
    pub is_member: bool,
    /// Whether its table was asked for, and not only a list that holds it.
    is_chosen: bool,
}

impl Item<'_> {
    /// Whether it is a list.
    pub fn is_list(&self) -> bool {
        self.offer.kind == ManifestList::NAME
    }
}

/// What images and lists of these tables there are, and all that is attached to them.
pub fn selectors(ids: &[String]) -> Vec<Selector> {
    let kinds = || vec![Image::NAME.to_owned(), ManifestList::NAME.to_owned()];
    let of_table = |(at, id): (usize, &String)| Selector {
        kinds: kinds(),
        tables: vec![id.clone()],
        key: format!("ids[{at}]"),
        ..Selector::default()
    };
    let mut selectors: Vec<Selector> = ids.iter().enumerate().map(of_table).collect();
    match selectors.is_empty() {
        true => selectors.push(Selector { kinds: kinds(), ..Selector::default() }),
        // The members of a list are pushed each in a step of its own, as soon as it is made.
        false => selectors.push(Selector { expect: Expect::Any, ..Selector::of_kind(Image::NAME) }),
    }
    selectors.push(Selector { expect: Expect::Any, ..Selector::of_kind(Attachment::NAME) });
    selectors
}

/// Who gets what, of the tables with these ids; all of them where none is given. Every reference that a table declares
/// is published: a list gets it before its members do, and nobody gets it where only several members of lists claim it.
pub fn choose<'a>(ids: &[String], offers: &'a [Offer]) -> Result<Vec<Item<'a>>, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut items: Vec<Item<'a>> = offers.iter().filter_map(|offer| item(ids, offer, &mut problems)).collect();
    mark_members(&mut items);
    items.retain(|item| item.is_chosen || item.is_member);
    grant(&mut items, &mut problems);
    spread(&mut items);
    if problems.is_empty() { Ok(items) } else { Err(problems) }
}

/// What is attached to an item.
pub fn attached<'a>(item: &Item<'_>, offers: &'a [Offer]) -> Vec<&'a Offer> {
    let is_about = |offer: &&Offer| offer.detail::<Attachment>().is_some_and(|it| it.subject == item.offer.name);
    offers.iter().filter(is_about).collect()
}

/// A repository as references are sorted and compared by it.
pub fn repository(reference: &Reference) -> Option<Reference> {
    reference.name().parse().ok()
}

fn item<'a>(ids: &[String], offer: &'a Offer, problems: &mut Vec<Problem>) -> Option<Item<'a>> {
    let image = offer.detail::<Image>();
    let list = offer.detail::<ManifestList>();
    let (texts, mounts, members) = match (image, list) {
        (Some(image), _) => (image.references, image.mounts, Vec::new()),
        (None, Some(list)) => {
            (list.references, list.mounts, list.members.into_iter().map(|member| member.image).collect())
        }
        (None, None) => return None,
    };
    let is_chosen = ids.is_empty() || ids.contains(&offer.table.id);
    let references = if is_chosen { parse(&texts, problems) } else { Vec::new() };
    Some(Item { offer, references, repositories: BTreeSet::new(), mounts, members, is_member: false, is_chosen })
}

fn parse(texts: &[String], problems: &mut Vec<Problem>) -> Vec<Reference> {
    let mut references = BTreeSet::new();
    for text in texts {
        let parsed = text.parse::<Reference>().and_then(|it| match it.tag() {
            Some(_) => Ok(it),
            None => it.with_tag("latest"),
        });
        match parsed {
            Ok(reference) => drop(references.insert(reference)),
            Err(bad) => {
                let problem = Problem::at_key("", bad.to_string());
                problems.push(Problem { help: bad.help, ..problem });
            }
        }
    }
    references.into_iter().collect()
}

fn mark_members(items: &mut [Item<'_>]) {
    let lists = items.iter().filter(|item| item.is_chosen);
    let members: BTreeSet<String> = lists.flat_map(|list| list.members.iter().cloned()).collect();
    for item in items {
        item.is_member = members.contains(&item.offer.name);
    }
}

/// Who claims one reference, and who of them gets it.
enum Verdict {
    Gets(usize),
    /// Nobody needs it: all that claim it are members of lists.
    Nobody,
    /// These two can't both have it.
    Conflict(usize, usize),
}

/// Leaves each reference to the one item that gets it. Two items that can't share are one problem, with all references.
fn grant(items: &mut [Item<'_>], problems: &mut Vec<Problem>) {
    let mut claims: BTreeMap<Reference, Vec<usize>> = BTreeMap::new();
    for (at, item) in items.iter().enumerate() {
        for reference in &item.references {
            claims.entry(reference.clone()).or_default().push(at);
        }
    }
    let mut winners = BTreeMap::new();
    let mut conflicts: BTreeMap<(usize, usize), Vec<String>> = BTreeMap::new();
    for (reference, claimants) in claims {
        match judge(&claimants, items) {
            Verdict::Gets(winner) => drop(winners.insert(reference, winner)),
            Verdict::Nobody => {}
            Verdict::Conflict(first, second) => {
                conflicts.entry((first, second)).or_default().push(format!("`{reference}`"));
            }
        }
    }
    problems.extend(
        conflicts
            .iter()
            .map(|((first, second), references)| conflict(&references.join(" and "), &items[*first], &items[*second])),
    );
    for (at, item) in items.iter_mut().enumerate() {
        item.references.retain(|reference| winners.get(reference) == Some(&at));
    }
}

fn judge(claimants: &[usize], items: &[Item<'_>]) -> Verdict {
    let (lists, images): (Vec<usize>, Vec<usize>) = claimants.iter().partition(|at| items[**at].is_list());
    let stranger = |list: usize| images.iter().find(|at| !items[list].members.contains(&items[**at].offer.name));
    match (lists.as_slice(), images.as_slice()) {
        ([list], _) => stranger(*list).map_or(Verdict::Gets(*list), |image| Verdict::Conflict(*list, *image)),
        ([first, second, ..], _) => Verdict::Conflict(*first, *second),
        ([], [image]) => Verdict::Gets(*image),
        ([], [first, second, ..]) if images.iter().any(|at| !items[*at].is_member) => {
            Verdict::Conflict(*first, *second)
        }
        ([], _) => Verdict::Nobody,
    }
}

fn conflict(references: &str, first: &Item<'_>, second: &Item<'_>) -> Problem {
    let names = format!("`{}` and `{}`", first.offer.name, second.offer.name);
    let help = match first.is_list() {
        true => "give them different tags".to_owned(),
        false => format!(
            "put them into one list with `[[docker_manifest]]` and `image = \"{}\"`, or give them different tags",
            first.offer.table.id
        ),
    };
    Problem::at_key("", format!("{names} would both be published as {references}")).help(help)
}

/// An item lies where its references are, and where the lists that hold it are.
fn spread(items: &mut [Item<'_>]) {
    for item in items.iter_mut() {
        item.repositories = item.references.iter().filter_map(repository).collect();
    }
    let lists: Vec<(Vec<String>, BTreeSet<Reference>)> = items
        .iter()
        .filter(|item| item.is_list())
        .map(|list| (list.members.clone(), list.repositories.clone()))
        .collect();
    for (members, repositories) in lists {
        for item in items.iter_mut().filter(|item| members.contains(&item.offer.name)) {
            item.repositories.extend(repositories.iter().cloned());
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use forge_plugin::schemas::TableName;
    use forge_plugin::schemas::kind::Member;
    use serde_json::json;

    use super::*;

    fn image(table: &str, platform: &str, references: &[&str]) -> Offer {
        let detail = json!({ "references": references });
        offer(Image::NAME, table, Some(platform), detail)
    }

    fn list(table: &str, members: &[&str], references: &[&str]) -> Offer {
        let platforms = ["linux/amd64", "linux/arm64"];
        let member = |(image, platform): (&&str, &str)| Member {
            image: (*image).to_owned(),
            platform: platform.parse().unwrap(),
            digest: None,
        };
        let members: Vec<Member> = members.iter().zip(platforms).map(member).collect();
        offer(ManifestList::NAME, table, None, json!({ "references": references, "members": members }))
    }

    fn offer(kind: &str, table: &str, platform: Option<&str>, detail: serde_json::Value) -> Offer {
        let arch = platform.map_or("", |it| it.trim_start_matches("linux/"));
        Offer {
            name: if arch.is_empty() { table.to_owned() } else { format!("{table}_{arch}") },
            kind: kind.to_owned(),
            platform: platform.map(|it| it.parse().unwrap()),
            table: TableName::new(kind, table),
            made_of: Vec::new(),
            detail,
        }
    }

    fn check(ids: &[&str], offers: &[Offer], expect: Expect) {
        let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
        let join = |references: Vec<String>| references.join(" ");
        let actual = match choose(&ids, offers) {
            Ok(items) => items
                .iter()
                .map(|item| {
                    let references = join(item.references.iter().map(ToString::to_string).collect());
                    let repositories = join(item.repositories.iter().map(Reference::name).collect());
                    format!("{}: [{references}] in [{repositories}]\n", item.offer.name)
                })
                .collect(),
            Err(problems) => problems
                .iter()
                .map(|it| format!("{}; {}\n", it.message, it.help.clone().unwrap_or_default()))
                .collect::<String>(),
        };
        expect.assert_eq(&actual);
    }

    #[test]
    fn an_image_alone() {
        check(
            &[],
            &[image("a", "linux/amd64", &["x.example/a:1", "x.example/a"])],
            expect![[r#"
            a_amd64: [x.example/a:1 x.example/a:latest] in [x.example/a]
        "#]],
        );
        check(&["b"], &[image("a", "linux/amd64", &["x.example/a:1"])], expect![[""]]);
    }

    #[test]
    fn a_list_comes_before_its_members() {
        let offers = [
            image("a", "linux/amd64", &["x.example/a:1"]),
            image("a", "linux/arm64", &["x.example/a:1"]),
            list("l", &["a_amd64", "a_arm64"], &["x.example/a:1", "y.example/a:1"]),
        ];
        check(
            &[],
            &offers,
            expect![[r#"
            a_amd64: [] in [x.example/a y.example/a]
            a_arm64: [] in [x.example/a y.example/a]
            l: [x.example/a:1 y.example/a:1] in [x.example/a y.example/a]
        "#]],
        );
        check(
            &["l"],
            &offers,
            expect![[r#"
            a_amd64: [] in [x.example/a y.example/a]
            a_arm64: [] in [x.example/a y.example/a]
            l: [x.example/a:1 y.example/a:1] in [x.example/a y.example/a]
        "#]],
        );
        check(
            &["a"],
            &offers,
            expect![[r#"
            `a_amd64` and `a_arm64` would both be published as `x.example/a:1`; put them into one list with `[[docker_manifest]]` and `image = "a"`, or give them different tags
        "#]],
        );
    }

    #[test]
    fn a_member_keeps_a_reference_of_its_own() {
        let offers = [
            image("a", "linux/amd64", &["x.example/a:1-amd64", "x.example/a:1"]),
            image("a", "linux/arm64", &["x.example/a:1-arm64", "x.example/a:1"]),
            list("l", &["a_amd64", "a_arm64"], &["x.example/a:multi"]),
        ];
        check(
            &[],
            &offers,
            expect![[r#"
            a_amd64: [x.example/a:1-amd64] in [x.example/a]
            a_arm64: [x.example/a:1-arm64] in [x.example/a]
            l: [x.example/a:multi] in [x.example/a]
        "#]],
        );
    }

    #[test]
    fn two_for_one_reference() {
        let list_of = |table| list(table, &["a_amd64"], &["x.example/a:1"]);
        let member = image("a", "linux/amd64", &[]);
        check(
            &[],
            &[member.clone(), list_of("l"), list_of("m")],
            expect![[r#"
                `l` and `m` would both be published as `x.example/a:1`; give them different tags
            "#]],
        );
        check(
            &[],
            &[member, list_of("l"), image("b", "linux/arm64", &["x.example/a:1"])],
            expect![[r#"
                `l` and `b_arm64` would both be published as `x.example/a:1`; give them different tags
            "#]],
        );
        let both = ["linux/amd64", "linux/arm64"].map(|it| image("a", it, &["x.example/a:1", "x.example/a:2"]));
        check(
            &[],
            &both,
            expect![[r#"
                `a_amd64` and `a_arm64` would both be published as `x.example/a:1` and `x.example/a:2`; put them into one list with `[[docker_manifest]]` and `image = "a"`, or give them different tags
            "#]],
        );
    }

    #[test]
    fn what_is_no_reference() {
        check(
            &[],
            &[image("a", "linux/amd64", &["x.example/A:1"])],
            expect![[r#"
            `A` is not a repository: it has capital letters in `x.example/A:1`; write `a`
        "#]],
        );
    }
}
