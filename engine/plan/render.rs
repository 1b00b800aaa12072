//! A plan as text for people, as JSON for programs, and as DOT for a picture. Same plan, same bytes.
//! Does not know what of it will run, or when.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use forge_schemas::{Effect, Output, Platform, Recall};
use petgraph::visit::EdgeRef as _;
use serde::Serialize;

use super::{Made, Need, Placed, Plan, TaskId};

/// A plan for people: tasks after what they need, what each takes and makes. Those that are `required` must be fresh.
pub fn text(plan: &Plan, required: &BTreeSet<TaskId>) -> String {
    let mut text = String::new();
    for id in plan.order() {
        let task = plan.task(*id);
        let duty = if required.contains(id) { "  (must be fresh)" } else { effect_in_words(&task.step) };
        let _ = writeln!(text, "{}{duty}", task.id);
        for need in needs(plan, *id) {
            let _ = writeln!(text, "  needs {need}");
        }
        for output in &task.step.makes {
            let _ = writeln!(text, "  makes {} ({})", output.name, output.kind);
        }
    }
    text
}

/// A plan for programs.
pub fn json(plan: &Plan, required: &BTreeSet<TaskId>) -> serde_json::Result<String> {
    let tasks: Vec<TaskView<'_>> = plan
        .order()
        .iter()
        .map(|id| {
            let task = plan.task(*id);
            TaskView {
                id: &task.id,
                table: task.table.to_string(),
                platform: task.step.platform.as_ref(),
                effect: task.step.effect,
                must_be_fresh: required.contains(id),
                needs: needs(plan, *id),
                takes: &task.step.takes,
                makes: task.step.makes.iter().map(Made::to_output).collect(),
            }
        })
        .collect();
    let off = plan.off().iter().map(|off| OffView { table: off.table.to_string(), because: off.because.to_string() });
    serde_json::to_string_pretty(&PlanView { tasks, off: off.collect() })
}

/// A plan in Graphviz's language.
pub fn dot(plan: &Plan) -> String {
    let mut dot = String::from("digraph plan {\n  rankdir=LR;\n  node [shape=box];\n");
    for id in plan.ids() {
        let style = match plan.task(id).step.effect {
            Effect::Local => "",
            Effect::Stage => " [style=dashed]",
            Effect::Publish => " [style=bold]",
        };
        let _ = writeln!(dot, "  \"{}\"{style};", plan.task(id).id.escape_default());
    }
    for edge in plan.graph.edge_references() {
        let (from, to) = (plan.task(edge.source()), plan.task(edge.target()));
        let how = match edge.weight() {
            Need::Takes(output) => {
                format!("label=\"{}\"", from.step.makes[*output as usize].name.escape_default())
            }
            Need::Follows => "style=dotted".to_owned(),
        };
        let _ = writeln!(dot, "  \"{}\" -> \"{}\" [{how}];", from.id.escape_default(), to.id.escape_default());
    }
    dot.push_str("}\n");
    dot
}

#[derive(Serialize)]
struct PlanView<'a> {
    tasks: Vec<TaskView<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    off: Vec<OffView>,
}

#[derive(Serialize)]
struct OffView {
    table: String,
    because: String,
}

#[derive(Serialize)]
struct TaskView<'a> {
    id: &'a str,
    table: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<&'a Platform>,
    effect: Effect,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    must_be_fresh: bool,
    needs: Vec<&'a str>,
    takes: &'a [String],
    makes: Vec<Output>,
}

fn needs(plan: &Plan, id: TaskId) -> Vec<&str> {
    plan.needs(id).map(|need| plan.task(need).id.as_str()).collect()
}

fn effect_in_words(step: &Placed) -> &'static str {
    match step.effect {
        Effect::Local => "",
        Effect::Stage => "  (uploads, invisible)",
        Effect::Publish if step.recall == Recall::Impossible => "  (publishes for good, last)",
        Effect::Publish => "  (publishes, after everything else)",
    }
}
