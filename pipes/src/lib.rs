//! The pipes that come with forge, a file each. They cross the same line as everyone's.
//! Does not know the engine.

pub mod docker;
pub mod oci;
pub mod publish;

forge_plugin::export! { name: "forge-pipes", pipes: [publish::Publish] }
