//! The steps that find and fetch what an image stands on and copies from.
//! Does not know what the image is made of on top of that.

use std::collections::BTreeSet;

use forge_plugin::schemas::{Memory, Output, Read, Resource, Step, Wanted};

use crate::docker::Params;
use crate::docker::archived;
use crate::docker::base::{self, Base, BaseImage, BaseManifest, Fetch};
use crate::docker::making::{Named, Planned, Stage, json, number};
use crate::docker::recipe::{Change, Source};

impl Planned<'_> {
    /// Those of one of the bases, once it is known what its name means.
    pub(crate) fn base_steps(&self, at: usize, named: &Named) -> Vec<Step> {
        let fetched = self.fetch_step(at, named);
        match &named.base {
            Base::Scratch | Base::Table(_) => Vec::new(),
            Base::Layout { dir: path, .. } | Base::Archive { file: path, .. } => {
                vec![Step { reads: vec![Read::all(path, named.place.clone())], ..fetched }]
            }
            Base::Registry(_) => {
                let found = self.find_step(at, named);
                let takes = found.makes.iter().map(|it| it.name.clone()).collect();
                let fetched = Step { takes, resource: Resource::Network, wanted: Wanted::Here, ..fetched };
                vec![found, fetched]
            }
            Base::Daemon { .. } => {
                let takes = vec![self.names().meaning(&named.in_full())];
                vec![Step { takes, tools: vec![archived::client()], ..fetched }]
            }
        }
    }

    /// What a name means is asked in every run, unless it is a digest; once for all platforms.
    pub(crate) fn name_step(&self, named: &Named) -> Option<Step> {
        let (resource, tools) = match &named.base {
            Base::Registry(_) => (Resource::Network, Vec::new()),
            Base::Daemon { .. } => (Resource::Cpu, vec![archived::client()]),
            Base::Scratch | Base::Layout { .. } | Base::Archive { .. } | Base::Table(_) => return None,
        };
        let asked = named.in_full();
        let is_digest = matches!(&named.base, Base::Registry(reference) if reference.digest().is_some());
        let output = self.output(self.names().meaning(&asked), &BaseManifest { name: asked.clone() });
        Some(Step {
            name: format!("name/{asked}"),
            makes: vec![Output { platform: None, ..output }],
            memory: if is_digest { Memory::Content } else { Memory::Never },
            resource,
            tools,
            names: base::names(&named.base),
            params: json(&Params::Name(asked)),
            place: named.place.clone(),
            ..Step::default()
        })
    }

    /// The artifact of a base that stages stand on: without its layers, where they are in a registry and nobody reads them.
    pub(crate) fn base_of(&self, at: usize) -> String {
        match self.making.bases[at].base {
            Base::Registry(_) if !self.is_read(at) => self.names().manifest(at),
            _ => self.making.bases[at].artifact(&self.names(), at),
        }
    }

    /// Whether it depends on what lies in a base what is made on top of it, or of it.
    fn is_read(&self, at: usize) -> bool {
        let stages = &self.making.stages;
        let is_on = |stage: &&Stage| self.making.root(stage.on) == Some(at);
        let names: BTreeSet<String> = stages.iter().filter(is_on).map(|it| self.names().stage(&it.name)).collect();
        stages.iter().filter(is_on).flat_map(changes).any(Change::needs_files)
            || stages.iter().flat_map(changes).any(|it| copies_of(it, &names))
    }

    /// Finds which image it is for the platform.
    fn find_step(&self, at: usize, named: &Named) -> Step {
        Step {
            name: format!("base{}/{}/manifest", number(at), self.platform),
            platform: Some(self.platform.clone()),
            takes: vec![self.names().meaning(&named.in_full())],
            makes: vec![self.output(self.names().manifest(at), &detail(named))],
            resource: Resource::Network,
            params: json(&Params::Find(fetch(named))),
            place: named.place.clone(),
            ..Step::default()
        }
    }

    fn fetch_step(&self, at: usize, named: &Named) -> Step {
        Step {
            name: format!("base{}/{}", number(at), self.platform),
            platform: Some(self.platform.clone()),
            makes: vec![self.output(self.names().base(at), &detail(named))],
            params: json(&Params::Base(fetch(named))),
            place: named.place.clone(),
            ..Step::default()
        }
    }
}

fn changes(stage: &Stage) -> impl Iterator<Item = &Change> {
    stage.instructions.iter().map(|it| &it.change)
}

/// Whether a change copies from one of these artifacts.
fn copies_of(change: &Change, artifacts: &BTreeSet<String>) -> bool {
    let Change::Copy(copies) = change else { return false };
    let mut sources = copies.iter().flat_map(|copy| &copy.sources);
    sources.any(|it| matches!(it, Source::Image { artifact, .. } if artifacts.contains(artifact)))
}

fn fetch(named: &Named) -> Fetch {
    Fetch { base: named.text.clone(), platform: named.platform.clone() }
}

fn detail(named: &Named) -> BaseImage {
    BaseImage { name: named.text.clone(), mounts: named.repository().into_iter().collect(), tree: None }
}
