//! The pipes that come with forge, a file each. They cross the same line as everyone's.
//! Does not know the engine.

mod announce;
pub mod apk;
mod archive;
mod attach;
mod build;
mod changelog;
mod checksum;
mod docker;
mod docker_manifest;
mod hook;
pub mod oci;
mod package;
mod provenance;
pub mod publish;
mod sbom;
mod sign;
mod source;
mod table;
mod tap;
mod universal;
mod upx;

forge_plugin::export! {
    name: "forge-pipes",
    build: Some(forge_plugin::BUILD_ID),
    pipes: [
        announce::Announce,
        archive::Archive,
        attach::Attach,
        build::Build,
        changelog::Changelog,
        checksum::Checksum,
        docker::Docker,
        docker_manifest::DockerManifest,
        hook::Hook,
        package::Package,
        provenance::Origin,
        publish::Publish,
        sbom::Bill,
        sign::Sign,
        source::Source,
        tap::Tap,
        universal::Universal,
        upx::Upx,
    ],
}
