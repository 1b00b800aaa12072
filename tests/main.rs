//! The tests of the package: the executable as its users meet it, against real components, and the rules of its sources.
//! Does not know the engine's insides: those are tested beside their code.

mod cases;
mod conformance;
mod diff;
mod docs;
mod faults;
mod fresh;
mod goreleaser;
mod graph;
mod plugins;
mod registry_http;
mod registry_publish;
mod registry_referrers;
mod registry_token;
mod release;
mod support;
mod tidy;
