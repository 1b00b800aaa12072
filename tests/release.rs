//! Releases: from a project to a real registry and a real Docker Engine.
//! Does not know how: it reads what others would read.

mod about;
mod accounts;
mod announce;
mod apk;
mod archives;
mod base_layers;
mod base_requests;
mod bases;
mod buildkit;
mod contexts;
mod corpus;
mod crates;
mod downloads;
mod endings;
mod engines;
mod gitea;
mod github;
mod gitlab;
mod hello;
mod lists;
mod locked_bases;
mod manifests;
mod npm;
mod packages;
mod partial;
mod programs_joined;
mod pypi;
mod sign;
mod strangers;
mod tags;
mod taps;
mod twice;
mod zig;
