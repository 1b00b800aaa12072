//! The steps that add packages to stages: what the repositories of their bases have, and what they need of it.
//! Does not know how packages are laid.

use std::collections::BTreeSet;

use forge_plugin::schemas::{Memory, Resource, Step};

use crate::docker::Params;
use crate::docker::making::{Named, On, Planned, Stage, json, number};
use crate::docker::packages::{self, PackageIndex, PackageSet};
use crate::docker::recipe::Change;
use crate::docker::run::{Apk, Run};

impl Planned<'_> {
    /// The steps that ask the repositories of bases, and fetch what stages add from them.
    pub(crate) fn package_steps(&self) -> Vec<Step> {
        let (names, mut steps, mut asked) = (self.names(), Vec::new(), BTreeSet::new());
        for stage in &self.making.stages {
            let Some((at, commands)) = self.packages_of(stage) else { continue };
            let Named { platform, place, .. } = &self.making.bases[at];
            let step = Step {
                platform: Some(self.platform.clone()),
                resource: Resource::Network,
                place: place.clone(),
                ..Step::default()
            };
            let arch = packages::arch(platform).unwrap_or_default().to_owned();
            if asked.insert(at) {
                steps.push(Step {
                    name: format!("base{}/{}/packages", number(at), self.platform),
                    takes: vec![self.base_of(at)],
                    makes: vec![self.output(names.index(at), &PackageIndex { arch })],
                    memory: Memory::Never,
                    params: json(&Params::Ask(platform.clone())),
                    ..step.clone()
                });
            }
            let name = if stage.name.is_empty() { String::new() } else { format!("stage/{}/", stage.name) };
            let before = self.below(stage.on).iter().flat_map(|it| apk(it)).cloned().collect();
            let fetch = packages::Fetch {
                stage: stage.name.clone(),
                before,
                commands,
                timestamp: self.given.facts.commit_timestamp,
            };
            steps.push(Step {
                name: format!("{name}{}/packages", self.platform),
                takes: vec![names.index(at), self.base_of(at)],
                makes: vec![self.output(names.packages(&stage.name), &PackageSet { stage: stage.name.clone() })],
                params: json(&Params::Packages(fetch)),
                ..step
            });
        }
        steps
    }

    /// What a stage asks of apk, and of which base, where it adds packages.
    pub(crate) fn packages_of(&self, stage: &Stage) -> Option<(usize, Vec<Apk>)> {
        let commands: Vec<Apk> = apk(stage).cloned().collect();
        let at = self.making.root(stage.on)?;
        commands.iter().any(Apk::needs_index).then_some((at, commands))
    }

    /// The stages that a stage stands on, the lowest first.
    fn below(&self, on: On) -> Vec<&Stage> {
        match on {
            On::Scratch | On::Base(_) => Vec::new(),
            On::Stage(at) => {
                let stage = &self.making.stages[at];
                let mut below = self.below(stage.on);
                below.push(stage);
                below
            }
        }
    }
}

/// What a stage asks of apk.
fn apk(stage: &Stage) -> impl Iterator<Item = &Apk> {
    let runs = stage.instructions.iter().filter_map(|it| match &it.change {
        Change::Run(run) => Some(run),
        _ => None,
    });
    runs.flat_map(Run::apk)
}
