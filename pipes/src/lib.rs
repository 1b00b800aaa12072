//! The pipes that come with forge.
//! Does not know the engine: a pipe sees its own table and its host.

pub mod docker;
pub mod docker_manifest;
pub mod oci;
