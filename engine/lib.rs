//! The engine of forge, text to report: source, project, plan, schedule, artifacts, report.
//! Names no pipe: what a table means, its pipe knows.

pub mod source;

pub mod diagnostic;

pub mod project;

pub mod git;

pub mod pipes;

pub mod plan;

pub mod schedule;

pub mod registries;

pub mod plugins;

pub mod secrets;

pub mod store;

pub mod run;

pub mod report;

pub mod cli;
