//! The steps of a table: what is the same for all of its images once, and then each image.
//! Does not know how an image is planned.

use std::collections::HashSet;

use forge_plugin::schemas::{Problem, Step};

use crate::docker::building::{Asked, not_for_engines};
use crate::docker::making::{Making, Planned};

/// Who makes an image.
pub enum How<'a> {
    /// forge.
    Native(Making),
    /// An engine.
    Engine(Making, Box<Asked<'a>>),
}

impl How<'_> {
    /// How it is made, whoever does.
    pub fn making(&self) -> &Making {
        match self {
            How::Native(making) | How::Engine(making, _) => making,
        }
    }
}

/// An image of which nothing is wrong, and what an engine is told of it if one makes it.
pub struct PlannedImage<'a> {
    image: Planned<'a>,
    asked: Option<Box<Asked<'a>>>,
}

impl<'a> PlannedImage<'a> {
    /// One that is made like this; or what no engine takes.
    pub fn new(how: How<'a>, planned: impl FnOnce(Making) -> Planned<'a>) -> Result<PlannedImage<'a>, Vec<Problem>> {
        match how {
            How::Native(making) => Ok(PlannedImage { image: planned(making), asked: None }),
            How::Engine(making, asked) => {
                let problems: Vec<Problem> = making.bases.iter().filter_map(not_for_engines).collect();
                let image = planned(making);
                if problems.is_empty() { Ok(PlannedImage { image, asked: Some(asked) }) } else { Err(problems) }
            }
        }
    }

    fn choice(&self) -> Option<Step> {
        self.asked.as_ref().filter(|it| it.engine.is_none()).map(|it| self.image.choice(it))
    }

    fn own(&self) -> Vec<Step> {
        match &self.asked {
            Some(asked) => self.image.built(asked),
            None => self.image.steps(),
        }
    }
}

/// The steps of these.
pub fn steps(images: &[PlannedImage<'_>]) -> Vec<Step> {
    let mut steps: Vec<Step> = images.iter().find_map(PlannedImage::choice).into_iter().collect();
    let mut asked = HashSet::new();
    for image in images.iter().map(|it| &it.image) {
        let names = image.making.bases.iter().filter(|named| asked.insert(named.in_full()));
        steps.extend(names.filter_map(|named| image.name_step(named)));
    }
    steps.extend(images.iter().flat_map(PlannedImage::own));
    steps
}
