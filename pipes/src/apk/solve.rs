//! Which packages come and go, so that all that was asked for is there: what apk decides, where it can decide but one way.
//! Does not guess: where apk's choice depends on more than this, it says so.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::apk::dependency::{Dependency, Wanted};
use crate::apk::package::{Package, in_order};
use crate::apk::pick::{Choice, pick};

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// apk would fail, too.
    Fails(String),
    /// Only apk could tell what it would do.
    Untold(String),
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes<'p> {
    /// The packages that come, in their order.
    pub install: Vec<&'p Package>,
    /// The names of those that go.
    pub remove: Vec<&'p str>,
    /// Whether the order is apk's for sure.
    pub order: Order,
}

/// Whether an order is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Certain,
    /// It depends on how apk hashes names.
    Loose,
}

/// What there is to choose from.
pub struct Choices<'p> {
    /// Who provides a name.
    providers: BTreeMap<&'p str, Vec<Choice<'p>>>,
    /// Those that come along by themselves.
    followers: Vec<Choice<'p>>,
    installed: Vec<&'p Package>,
}

impl<'p> Choices<'p> {
    /// Of what is installed, and what repositories have, the first of them first.
    pub fn new(installed: Vec<&'p Package>, available: impl IntoIterator<Item = &'p Package>) -> Choices<'p> {
        let mut known = BTreeSet::new();
        let there = installed.iter().map(|it| Choice { package: it, is_installed: true });
        let offered = available.into_iter().map(|it| Choice { package: it, is_installed: false });
        // The same package may be in several places, and counts for the first.
        let all: Vec<Choice<'p>> =
            there.chain(offered).filter(|it| known.insert(it.package.checksum.as_str())).collect();
        let mut providers: BTreeMap<&str, Vec<Choice<'p>>> = BTreeMap::new();
        for choice in &all {
            let names: BTreeSet<&str> = choice.package.names().collect();
            names.into_iter().for_each(|name| providers.entry(name).or_default().push(*choice));
        }
        let followers = all.into_iter().filter(|it| !it.package.install_if.is_empty()).collect();
        Choices { providers, followers, installed }
    }

    /// What must come and go for this world.
    pub fn solve(&self, world: &[Dependency]) -> Result<Changes<'p>, Trouble> {
        let mut world: Vec<&Dependency> = world.iter().collect();
        world.sort_by(|one, other| in_order(&one.name, &other.name));
        let wants = world.iter().map(|it| Want { dependency: it, by: By::World }).collect();
        let mut chosen = Chosen { choices: self, packages: Vec::new(), wants };
        chosen.complete()?;
        chosen.check()?;
        let is_chosen = |package: &&&Package| chosen.packages.iter().any(|it| std::ptr::eq(*it, **package));
        let remove = self.installed.iter().filter(|it| !is_chosen(it)).map(|it| it.name.as_str()).collect();
        let mut walk = Walk { chosen: &chosen, seen: BTreeSet::new(), done: Vec::new(), order: Order::Certain };
        world.iter().for_each(|it| walk.visit(&it.name));
        let is_new = |it: &&'p Package| !self.installed.iter().any(|installed| std::ptr::eq(*installed, *it));
        let install: Vec<&Package> = walk.done.into_iter().filter(is_new).collect();
        Ok(Changes { install, remove, order: walk.order })
    }

    fn providers(&self, name: &str) -> &[Choice<'p>] {
        self.providers.get(name).map_or(&[], Vec::as_slice)
    }

    fn installed(&self, name: &str) -> Option<&'p Package> {
        self.installed.iter().copied().find(|it| it.name == name)
    }
}

/// That something must be there, or must not.
#[derive(Clone, Copy)]
struct Want<'w> {
    dependency: &'w Dependency,
    by: By<'w>,
}

/// Who needs something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By<'w> {
    /// Whoever asks for it.
    World,
    /// A package.
    Package(&'w str),
}

/// What follows `which`.
impl fmt::Display for By<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            By::World => write!(f, "is asked for"),
            By::Package(name) => write!(f, "`{name}` needs"),
        }
    }
}

/// What is decided so far.
struct Chosen<'c, 'p> {
    choices: &'c Choices<'p>,
    packages: Vec<&'p Package>,
    wants: Vec<Want<'c>>,
}

impl<'p> Chosen<'_, 'p> {
    /// Decides until nothing is missing: first what is no choice, then what is one.
    fn complete(&mut self) -> Result<(), Trouble> {
        loop {
            let open: Vec<Want<'_>> = self.wants.iter().copied().filter(|it| self.is_open(it)).collect();
            let mut picked = None;
            for want in &open {
                let options = self.options(*want)?;
                let picks = pick(&want.dependency.name, &options);
                let is_clear = options.iter().all(|it| it.package.name == options[0].package.name);
                if is_clear || picked.is_none() {
                    picked = Some(picks);
                }
                if is_clear {
                    break;
                }
            }
            match picked {
                Some(choice) => self.choose(choice?)?,
                None => match self.follower()? {
                    Some(choice) => self.choose(choice)?,
                    None => return Ok(()),
                },
            }
        }
    }

    fn is_open(&self, want: &Want<'_>) -> bool {
        want.dependency.wanted == Wanted::Yes && self.provider(&want.dependency.name).is_none()
    }

    fn provider(&self, name: &str) -> Option<&'p Package> {
        self.packages.iter().copied().find(|it| it.names().any(|own| own == name))
    }

    /// Who may provide it, as far as that is decided.
    fn options(&self, want: Want<'_>) -> Result<Vec<Choice<'p>>, Trouble> {
        let Want { dependency, by } = want;
        let all = self.choices.providers(&dependency.name);
        let fitting = all.iter().filter(|it| it.package.under(&dependency.name).any(|it| dependency.allows(it)));
        if fitting.clone().next().is_none() {
            let message = format!("nothing in the repositories is `{dependency}`, which {by}");
            // What only a package needs may make apk take another in its place.
            return Err(if by == By::World { Trouble::Fails(message) } else { Trouble::Untold(message) });
        }
        let options: Vec<Choice<'p>> = fitting.clone().copied().filter(|it| self.may_come(it)).collect();
        let is_one = all.iter().all(|it| it.package.name == all[0].package.name);
        if !is_one && !options.is_empty() && options.len() < fitting.count() {
            let message = format!("several packages are `{dependency}`, which {by}, and not all of them fit the rest");
            return Err(Trouble::Untold(message));
        }
        let is_wanted = |name: &str| self.wants.iter().any(|it| it.dependency.name == name);
        let is_named = |it: &Choice<'p>| {
            it.package.under(&dependency.name).any(|it| it.is_some())
                || it.package.priority > 0
                || is_wanted(&it.package.name)
        };
        let named: Vec<Choice<'p>> = options.iter().copied().filter(is_named).collect();
        match (options.is_empty(), named.is_empty()) {
            (true, _) => Err(Trouble::Untold(format!("nothing that is `{dependency}`, which {by}, fits the rest"))),
            (_, true) => {
                Err(Trouble::Untold(format!("`{dependency}`, which {by}, is no package, but what others are")))
            }
            _ => Ok(named),
        }
    }

    /// Whether nothing that is decided speaks against it.
    fn may_come(&self, choice: &Choice<'p>) -> bool {
        let is_allowed =
            |want: &Want<'_>| choice.package.under(&want.dependency.name).all(|it| want.dependency.allows(it));
        let is_other = |it: &&Package| it.name != choice.package.name;
        self.wants.iter().all(is_allowed) && self.packages.iter().all(is_other)
    }

    fn choose(&mut self, choice: Choice<'p>) -> Result<(), Trouble> {
        let package = choice.package;
        if let Some(why) = &package.unread {
            return Err(Trouble::Untold(format!("`{}` can't be read: {why}", package.title())));
        }
        if let (false, Some(old)) = (choice.is_installed, self.choices.installed(&package.name)) {
            let message =
                format!("`{}` is there, and would become `{}`; take a newer base", old.title(), package.title());
            return Err(Trouble::Untold(message));
        }
        self.packages.push(package);
        self.wants.extend(package.depends.iter().map(|dependency| Want { dependency, by: By::Package(&package.name) }));
        Ok(())
    }

    /// A package that comes along with what is decided.
    fn follower(&self) -> Result<Option<Choice<'p>>, Trouble> {
        let names: BTreeSet<&str> = self.packages.iter().map(|it| it.name.as_str()).collect();
        let is_met = |it: &Dependency| self.packages.iter().any(|package| provides(package, it));
        for choice in &self.choices.followers {
            let package = choice.package;
            let mut wanted = package.install_if.iter().filter(|it| it.wanted == Wanted::Yes);
            if self.packages.iter().any(|it| std::ptr::eq(*it, package)) || !wanted.all(is_met) {
                continue;
            }
            if names.contains(package.name.as_str()) || !self.may_come(choice) {
                return Err(Trouble::Untold(format!("`{}` comes along, and does not fit", package.title())));
            }
            // apk does not see all that comes along with what is only provided.
            let is_plain = |it: &Dependency| it.wanted == Wanted::Yes && names.contains(it.name.as_str());
            if !package.install_if.iter().all(is_plain) {
                return Err(Trouble::Untold(format!("whether `{}` comes along depends on more", package.title())));
            }
            let all = self.choices.followers.iter().filter(|it| it.package.name == package.name);
            let options: Vec<Choice<'p>> =
                all.filter(|it| it.package.install_if.iter().all(is_met) && self.may_come(it)).copied().collect();
            let choice = pick(&package.name, &options)?;
            let best = pick(&package.name, self.choices.providers(&package.name))?;
            return match std::ptr::eq(choice.package, best.package) {
                true => Ok(Some(choice)),
                false => {
                    Err(Trouble::Untold(format!("`{}` comes along, and is not the latest", choice.package.title())))
                }
            };
        }
        Ok(None)
    }

    /// Looks whether all that is decided fits together.
    fn check(&self) -> Result<(), Trouble> {
        for Want { dependency, by } in &self.wants {
            let mut under = self.packages.iter().flat_map(|it| it.under(&dependency.name));
            if !under.all(|it| dependency.allows(it)) {
                return Err(Trouble::Untold(format!("`{dependency}`, which {by}, does not fit the rest")));
            }
        }
        let mut names: BTreeMap<&str, (&str, Option<&str>)> = BTreeMap::new();
        for package in &self.packages {
            for name in package.names() {
                let version = package.under(name).find_map(|it| it);
                match names.insert(name, (&package.name, version)) {
                    Some((other, before)) if other != package.name && (version.is_some() || before.is_some()) => {
                        let message = format!("`{other}` and `{}` both are `{name}`", package.name);
                        return Err(Trouble::Untold(message));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

fn provides(package: &Package, dependency: &Dependency) -> bool {
    package.under(&dependency.name).any(|it| dependency.allows(it))
}

/// The way through what is decided in which it is done: what something needs before itself, and then what comes along.
struct Walk<'w, 'c, 'p> {
    chosen: &'w Chosen<'c, 'p>,
    seen: BTreeSet<&'p str>,
    done: Vec<&'p Package>,
    order: Order,
}

impl<'p> Walk<'_, '_, 'p> {
    fn visit(&mut self, name: &str) {
        let Some(package) = self.chosen.provider(name) else { return };
        if self.seen.contains(name) {
            return;
        }
        let is_begun = self.seen.contains(package.name.as_str());
        self.seen.extend(package.names());
        if is_begun {
            return;
        }
        package.depends.iter().for_each(|it| self.visit(&it.name));
        self.done.push(package);
        let followers: Vec<&'p Package> = self.followers(package).collect();
        let is_new = |it: &&Package| self.chosen.choices.installed(&it.name).is_none();
        if followers.iter().filter(|it| is_new(it)).count() > 1 {
            self.order = Order::Loose;
        }
        followers.iter().for_each(|it| self.visit(&it.name));
    }

    /// What comes along with a package, now that this is there, too.
    fn followers(&self, with: &Package) -> impl Iterator<Item = &'p Package> {
        let is_about = |it: &Dependency| with.names().any(|name| name == it.name);
        let is_there = |it: &Dependency| {
            self.seen.contains(it.name.as_str())
                && self.chosen.provider(&it.name).is_some_and(|package| provides(package, it))
        };
        let all = self.chosen.packages.iter().copied();
        all.filter(|it| !self.seen.contains(it.name.as_str()))
            .filter(move |it| it.install_if.iter().any(is_about) && it.install_if.iter().all(is_there))
            .collect::<Vec<_>>()
            .into_iter()
    }
}
