//! One package while it is planned: a format, a platform, and what a table says of both. What is wrong gathers here.
//! Does not know how a package is written.

use forge_plugin::schemas::kind::Binary;
use forge_plugin::schemas::{Offer, Platform, Problem};
use forge_plugin::{Given, Names, Template};
use serde::Serialize;

use super::about::{About, Relates};
use super::format::{self, Format, Signing};
use super::laid;
use super::parcel::{Script, Signer};
use super::platforms::Machine;
use super::settings::{Content, Overrides, PackageNames, Settings};
use super::version::{Said, Spelled, Version};
use super::wanted::Wanted;
use crate::docker::nearest::nearest;
use crate::table::path;

/// One package.
pub struct Unit<'a> {
    pub settings: &'a Settings,
    pub given: &'a Given<'a>,
    pub format: &'static dyn Format,
    /// The key that asks for it.
    pub key: String,
    pub platform: Option<Platform>,
    pub machine: &'static str,
    pub problems: Vec<Problem>,
    over: Option<&'a Overrides>,
    offers: Vec<&'a Offer>,
}

impl<'a> Unit<'a> {
    pub fn new(
        settings: &'a Settings,
        given: &'a Given<'a>,
        format: &'static dyn Format,
        wanted: &Wanted,
        names: &Machine,
    ) -> Unit<'a> {
        let platform = wanted.platform.clone();
        let offers = given.offers.iter().filter(|it| platform.is_some() && it.platform == platform).collect();
        Unit {
            settings,
            given,
            format,
            key: wanted.key.clone(),
            platform,
            machine: format.machine(names),
            problems: Vec::new(),
            over: settings.overrides.get(format.name()),
            offers,
        }
    }

    pub fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// The programs that go into it: each artifact's name, and that of its file.
    pub fn programs(&self) -> Vec<(String, String)> {
        let file_name = |it: &Offer| it.detail::<Binary>().map(|it| it.file_name);
        self.offers.iter().filter_map(|it| Some((it.name.clone(), file_name(it)?))).collect()
    }

    /// The key of a value, and the value: of `overrides`, where it stands there.
    fn pick<T: ?Sized>(
        &self,
        key: &str,
        own: &'a T,
        other: impl Fn(&'a Overrides) -> Option<&'a T>,
    ) -> (String, &'a T) {
        match self.over.and_then(other) {
            Some(value) => (format!("overrides.{}.{key}", self.format.name()), value),
            None => (key.to_owned(), own),
        }
    }

    /// The same of a value that may be missing.
    fn pick_some<T>(
        &self,
        key: &str,
        own: &'a Option<T>,
        other: impl Fn(&'a Overrides) -> &'a Option<T>,
    ) -> (String, Option<&'a T>) {
        let (key, value) = self.pick(key, own, |it| Some(other(it)).filter(|it| it.is_some()));
        (key, value.as_ref())
    }

    pub fn contents(&self) -> (String, &'a [Content]) {
        self.pick("contents", &self.settings.contents[..], |it| it.contents.as_deref())
    }

    fn relations(&self, which: Relates) -> (String, &'a [String]) {
        let own = self.settings;
        let key = which.key();
        match which {
            Relates::Dependencies => self.pick(key, &own.dependencies[..], |it| it.dependencies.as_deref()),
            Relates::Recommends => self.pick(key, &own.recommends[..], |it| it.recommends.as_deref()),
            Relates::Suggests => self.pick(key, &own.suggests[..], |it| it.suggests.as_deref()),
            Relates::Conflicts => self.pick(key, &own.conflicts[..], |it| it.conflicts.as_deref()),
            Relates::Replaces => self.pick(key, &own.replaces[..], |it| it.replaces.as_deref()),
            Relates::Provides => self.pick(key, &own.provides[..], |it| it.provides.as_deref()),
        }
    }

    /// The directory of the programs.
    pub fn bindir(&mut self) -> Option<String> {
        let (key, dir) = self.pick_some("bindir", &self.settings.bindir, |it| &it.bindir);
        match dir {
            Some(dir) => laid::path(self, dir, &key),
            None => Some("usr/bin".to_owned()),
        }
    }

    /// A text that may name what a package has.
    pub fn text(&mut self, key: &str, template: &Template<PackageNames>) -> Option<String> {
        self.rendered(key, template, &self.names())
    }

    fn rendered<N: Names + Serialize>(&mut self, key: &str, template: &Template<N>, names: &N) -> Option<String> {
        self.given.render(key, template, names).map_err(|problem| self.problem(problem)).ok()
    }

    fn names(&self) -> PackageNames {
        let of = |part: fn(&Platform) -> &str| self.platform.as_ref().map(part).unwrap_or_default().to_owned();
        PackageNames {
            os: of(Platform::os),
            arch: of(Platform::arch),
            variant: of(|it| it.variant().unwrap_or_default()),
            platform: self.platform.as_ref().map(ToString::to_string).unwrap_or_default(),
            format: self.format.name().to_owned(),
            machine: self.machine.to_owned(),
        }
    }

    /// What it says of itself.
    pub fn about(&mut self) -> Option<About> {
        let package = self.package();
        let version = self.version();
        let relations = Relates::ALL.map(|which| (which, self.related(which)));
        let settings = self.settings;
        let (_, section) = self.pick_some("section", &settings.section, |it| &it.section);
        self.check_lines();
        let about = About {
            package: package?,
            version: version?,
            machine: self.machine.to_owned(),
            description: settings.description.trim().to_owned(),
            maintainer: settings.maintainer.clone(),
            vendor: settings.vendor.clone(),
            homepage: settings.homepage.clone(),
            license: settings.license.clone(),
            section: section.cloned(),
            priority: settings.priority.clone(),
            relations: relations.into_iter().filter(|(_, all)| !all.is_empty()).collect(),
        };
        self.problems.extend(self.format.check(&about));
        Some(about)
    }

    fn package(&mut self) -> Option<String> {
        let (key, template) = self.pick_some("package", &self.settings.package, |it| &it.package);
        let name = match template {
            Some(template) => self.text(&key, template)?,
            None => self.given.facts.name.clone(),
        };
        let naming = self.format.naming();
        if (naming.fits)(&name) {
            return Some(name);
        }
        let message = format!("`{name}` can't be the name of a package in {}", self.format.name());
        let key = if template.is_some() { key } else { self.key.clone() };
        self.problem(Problem::at_key(key, message).help(format!("{}; say another with `package`", naming.rule)));
        None
    }

    fn version(&mut self) -> Option<Spelled> {
        let own = self.settings;
        let (version_key, version) = self.pick_some("version", &own.version, |it| &it.version);
        let (pre_key, prerelease) = self.pick_some("prerelease", &own.prerelease, |it| &it.prerelease);
        let (meta_key, metadata) = self.pick_some("version_metadata", &own.version_metadata, |it| &it.version_metadata);
        let (release_key, release) = self.pick_some("release", &own.release, |it| &it.release);
        let (epoch_key, epoch) = self.pick_some("epoch", &own.epoch, |it| &it.epoch);
        let said = Said {
            version: version.map(String::as_str),
            prerelease: prerelease.map(String::as_str),
            metadata: metadata.map(String::as_str),
            release: release.map(String::as_str),
            epoch: epoch.copied(),
        };
        let spelled = self.format.spell(&Version::of(&said, self.given.facts));
        let places = [
            (version_key, version.is_some()),
            (pre_key, prerelease.is_some()),
            (meta_key, metadata.is_some()),
            (release_key, release.is_some()),
            (epoch_key, epoch.is_some()),
        ];
        let bad = |bad: format::BadVersion| {
            // A part that nobody has said comes from the version, and that perhaps from the tag.
            let of_part = places.iter().find(|(key, is_said)| *is_said && key.ends_with(bad.key));
            let place = of_part.or(places.first().filter(|(_, is_said)| *is_said));
            let key = place.map_or(self.key.clone(), |(key, _)| key.clone());
            Problem::at_key(key, bad.message).help(bad.help)
        };
        spelled.map_err(bad).map_err(|problem| self.problem(problem)).ok()
    }

    fn related(&mut self, which: Relates) -> Vec<String> {
        let (key, texts) = self.relations(which);
        let mut related = Vec::new();
        for (at, text) in texts.iter().enumerate() {
            match self.format.relation(which, text) {
                Ok(spelled) => related.extend(spelled),
                Err(help) => {
                    let message = format!("{} can't say `{}` of packages", self.format.name(), text.escape_debug());
                    self.problem(Problem::at_key(format!("{key}[{at}]"), message).help(help));
                }
            }
        }
        related
    }

    /// In all formats, a line end would begin another field.
    fn check_lines(&mut self) {
        let own = self.settings;
        let texts = [
            ("maintainer", &own.maintainer),
            ("vendor", &own.vendor),
            ("homepage", &own.homepage),
            ("license", &own.license),
            ("section", &own.section),
            ("priority", &own.priority),
        ];
        for (key, text) in texts.iter().filter_map(|(key, text)| Some((key, text.as_ref()?))) {
            if text.trim().is_empty() || text.contains(char::is_control) {
                let problem = Problem::at_key(*key, format!("`{key}` is not one line of text"));
                self.problem(problem.help("write something in it, without line ends, or leave it out"));
            }
        }
        if own.description.trim().is_empty() {
            let problem = Problem::at_key("description", "the description is empty");
            self.problem(problem.help("say in a line what it is"));
        }
    }

    /// The scripts, each with the key and the path of its file.
    pub fn scripts(&mut self) -> Vec<(Script, String, String)> {
        let (own, over) = (&self.settings.scripts, self.over.map(|it| &it.scripts));
        let all = [
            (Script::PreInstall, "preinstall", &own.preinstall, over.map(|it| &it.preinstall)),
            (Script::PostInstall, "postinstall", &own.postinstall, over.map(|it| &it.postinstall)),
            (Script::PreRemove, "preremove", &own.preremove, over.map(|it| &it.preremove)),
            (Script::PostRemove, "postremove", &own.postremove, over.map(|it| &it.postremove)),
            (Script::PreUpgrade, "preupgrade", &own.preupgrade, over.map(|it| &it.preupgrade)),
            (Script::PostUpgrade, "postupgrade", &own.postupgrade, over.map(|it| &it.postupgrade)),
        ];
        let mut scripts = Vec::new();
        for (script, key, own, over) in all {
            let other = over.and_then(Option::as_ref);
            let Some(path) = other.or(own.as_ref()) else { continue };
            let place = if other.is_some() { format!("overrides.{}.", self.format.name()) } else { String::new() };
            let key = format!("{place}scripts.{key}");
            if !path::is_inside(path) {
                let problem = Problem::at_key(&key, format!("`{path}` leads out of the project"));
                self.problem(problem.help("write a path below the project file"));
            }
            scripts.push((script, key, path.clone()));
        }
        scripts
    }

    /// Who signs it.
    pub fn signer(&mut self) -> Option<Signer> {
        let own = &self.settings.signature;
        match self.format.signing() {
            Signing::Gpg | Signing::Rpmsign | Signing::GpgBeside => Some(Signer::Gpg { key: own.gpg.clone()? }),
            Signing::Rsa => {
                let secret = own.rsa.clone()?;
                let address = |text: &str| Some(text.split_once('<')?.1.split_once('>')?.0.trim().to_owned());
                let named = own.rsa_name.clone().or_else(|| address(self.settings.maintainer.as_deref()?));
                let is_file = |name: &String| !name.is_empty() && !name.contains(['/', '\n']);
                let Some(name) = named.filter(is_file) else {
                    let problem = Problem::at_key("signature.rsa", "what its public half is called is not known");
                    self.problem(problem.help("say it with `rsa_name`, as in `ada@example.org-4a6a0840.rsa.pub`"));
                    return None;
                };
                let name = if name.ends_with(".rsa.pub") { name } else { format!("{name}.rsa.pub") };
                Some(Signer::Rsa { secret, name })
            }
        }
    }

    /// The name of the file.
    pub fn file_name(&mut self, about: &About) -> Option<String> {
        let extension = self.format.extension();
        let conventional = format!("{}{extension}", self.format.title(about));
        let (key, template) = self.pick_some("name", &self.settings.name, |it| &it.name);
        let Some(template) = template else { return Some(conventional) };
        let names = super::settings::FileNames {
            names: self.names(),
            package: about.package.clone(),
            conventional,
            extension: extension.to_owned(),
            package_version: about.version.with_release(),
        };
        let name = self.rendered(&key, template, &names)?;
        let is_relative = path::is_inside(&name) && !name.is_empty() && !name.ends_with('/');
        if !is_relative {
            let problem = Problem::at_key(key, format!("`{name}` can't be the name of a file"));
            self.problem(problem.help("write a name, as in `{{ package }}_{{ version }}_{{ arch }}`"));
            return None;
        }
        Some(if name.ends_with(extension) { name } else { format!("{name}{extension}") })
    }

    /// Looks whether there is such a format, and the table makes it.
    pub fn check_format(&mut self, name: &str, key: &str) {
        let problem = match format::named(name) {
            None => Some(unknown_format(name, key)),
            Some(_) if self.settings.formats.iter().any(|it| it == name) => None,
            Some(_) => {
                let problem = Problem::at_key(key, format!("the table makes no `{name}`"));
                Some(problem.help("add it to `formats`, or leave it out here"))
            }
        };
        self.problems.extend(problem);
    }
}

/// What to say of a format that does not exist.
pub fn unknown_format(name: &str, key: &str) -> Problem {
    let names: Vec<&str> = format::FORMATS.iter().map(|it| it.name()).collect();
    let help = match nearest(name, names.iter().copied()) {
        Some(near) => format!("there is `{near}`"),
        None => format!("known are {}", names.join(", ")),
    };
    Problem::at_key(key, format!("`{name}` is no format of packages")).help(help)
}
