//! The pipes that come with forge, a file each. They cross the same line as everyone's.
//! Does not know the engine.

pub mod apk;
mod attach;
mod build;
mod docker;
mod docker_manifest;
pub mod oci;
mod package;
pub mod publish;

forge_plugin::export! {
    name: "forge-pipes",
    build: Some(forge_plugin::BUILD_ID),
    pipes: [attach::Attach, build::Build, docker::Docker, docker_manifest::DockerManifest, package::Package, publish::Publish],
}
