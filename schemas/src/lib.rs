//! The data that crosses a boundary of forge: between engine and pipes, and between forge and its users.
//! Knows no file, no clock, no environment and no process: plain data that parses, prints and compares.

mod artifact;
mod call;
mod command;
mod digest;
mod event;
pub mod exit;
mod facts;
mod finding;
mod http;
pub mod kind;
mod outcome;
mod platform;
mod problem;
mod report;
mod selector;
mod step;
mod trace;

pub use artifact::{Artifact, Blob, Offer, TableName};
pub use call::{
    Describe, Emit, EmitBlob, GetSecret, GotSecret, Hello, Host, KindInfo, Note, PipeInfo, Plan, PlanReply, PluginInfo,
    Presence, Probe, ProbeReply, Render, RenderReply, Run, SourceText, Takes, TakesReply,
};
pub use command::{Command, Exit};
pub use digest::{BadDigest, Digest, DigestMap, Digester};
pub use event::{Event, EventKind, Level};
pub use facts::Facts;
pub use finding::{Change, Finding};
pub use http::{AnsweredBy, Authorization, Body, HttpRequest, HttpResponse, Method, Repeat};
pub use outcome::{Failure, FailureClass, Outcome};
pub use platform::{BadPlatform, Platform};
pub use problem::{Place, Problem};
pub use report::{
    ArtifactEntry, ArtifactList, BlobEntry, Metadata, RunArtifact, RunEnd, RunList, RunRecord, RunReport, RunSummary,
    RunTask, TaskEntry,
};
pub use selector::{Expect, Selector};
pub use step::{Effect, Memory, Output, Read, Recall, Resource, SecretNeed, SecretReader, Step, Tool, Wanted};
pub use trace::{AskTrace, SourceFile, Trace, Traced, TracedArtifact, TracedTask, TracedTool};
