//! `forge plan`: what would run, as text, JSON or a picture.

use forge_schemas::exit;

use super::args::{Arguments, Plan as Options};
use super::diff::{self, Form};
use super::session::{Mode, Session};
use super::{OpenPipes, output};
use crate::plan;

/// Shows the plan.
pub fn plan(arguments: &Arguments, options: &Options, pipes: OpenPipes) -> Result<u8, u8> {
    let mode = if options.selection.snapshot { Mode::Snapshot } else { Mode::Look };
    let session = Session::open(arguments, mode, pipes)?;
    let chosen = session.select(&options.selection)?;
    if options.diff {
        let form = if options.json { Form::Json } else { Form::Text };
        return diff::diff(arguments, &session, &chosen.plan, form);
    }
    let text = match (options.json, options.dot) {
        (true, _) => plan::json(&chosen.plan, &chosen.required).unwrap_or_default(),
        (_, true) => plan::dot(&chosen.plan),
        _ => plan::text(&chosen.plan, &chosen.required),
    };
    output::print(text.trim_end());
    Ok(exit::DONE)
}
