//! Images of this machine that others stand on: in a docker archive, or with the Docker daemon, which writes one.
//! Does not know the image that will stand on it.

use std::fs;
use std::path::Path;

use forge_plugin::Host;
use forge_plugin::schemas::{Command, Digest, Failure, Tool};

use crate::docker::fetching::{Found, file_of};
use crate::docker::laying::interrupted;
use crate::oci::archive::{Archive, Image};
use crate::oci::config::Config;
use crate::oci::layer;
use crate::oci::manifest::{Descriptor, Family, Manifest};
use crate::oci::reference::Reference;

/// What must be there to ask the daemon.
pub fn client() -> Tool {
    Tool { program: "docker".to_owned(), version: vec!["--version".to_owned()] }
}

/// Which image the daemon has under a name now: its id.
pub fn id(name: &str, host: &dyn Host) -> Result<String, Failure> {
    let exit = host.exec(&Command::new(["docker", "image", "inspect", "--format", "{{.Id}}", name]))?;
    match exit.is_success() {
        true => Ok(exit.stdout.trim().to_owned()),
        false => {
            let said = exit.stderr.trim().lines().last().unwrap_or_default().to_owned();
            let failure = Failure::tool(format!("the Docker daemon does not give `{name}`"));
            Err(failure.cause(said).help(format!("`docker pull {name}` brings it, where a registry has it")))
        }
    }
}

/// The image with this id, from the daemon.
pub fn of_daemon(id: &str, host: &dyn Host) -> Result<Found, Failure> {
    let path = host.dir().join("image.tar");
    host.exec_ok(&Command::new(["docker", "save", "--output", &path.display().to_string(), id]))?;
    of_archive(&path, None, host)?.map_err(Failure::input)
}

/// An image in the archive at `path`: the one of that name, or the only one. An error is a phrase about the archive.
pub fn of_archive(path: &Path, name: Option<&str>, host: &dyn Host) -> Result<Result<Found, String>, Failure> {
    let archive = match Archive::open(path) {
        Ok(archive) => archive,
        Err(error) => return Ok(Err(error.to_string())),
    };
    match named(&archive.images, name) {
        Ok(image) => taken(&archive, image, host),
        Err(message) => Ok(Err(message)),
    }
}

fn named<'a>(images: &'a [Image], name: Option<&str>) -> Result<&'a Image, String> {
    // Some write them in full, with `docker.io/`, and some as users do.
    let in_full = |text: &str| text.parse::<Reference>().map(|it| format!("{}@{}", it.name(), it.target())).ok();
    let is = |tag: &str, name: &str| tag == name || (in_full(tag).is_some() && in_full(tag) == in_full(name));
    let mut found = images.iter().filter(|image| name.is_none_or(|name| tags(image).any(|tag| is(tag, name))));
    let all: Vec<String> = images.iter().flat_map(tags).map(|tag| format!("`{tag}`")).collect();
    match (found.next(), found.next(), name) {
        (Some(one), None, _) => Ok(one),
        (Some(_), Some(_), _) => Err(format!("it has several images; name one of {}", all.join(", "))),
        (None, _, Some(name)) if !all.is_empty() => Err(format!("it has no `{name}`, only {}", all.join(", "))),
        (None, _, Some(name)) => Err(format!("it has no `{name}`: nothing in it has a name")),
        (None, _, None) => Err("it has no image".to_owned()),
    }
}

fn tags(image: &Image) -> impl Iterator<Item = &String> {
    image.repo_tags.iter().flatten()
}

/// Writes config and layers to where the host takes them from. Layers lie in an archive in clear, and are compressed as forge's own.
fn taken(archive: &Archive, image: &Image, host: &dyn Host) -> Result<Result<Found, String>, Failure> {
    let config = match archive.bytes(&image.config).map_err(|error| error.to_string()) {
        Ok(bytes) => bytes,
        Err(message) => return Ok(Err(message)),
    };
    let diff_ids = match Config::parse(&config) {
        Ok(config) => config.diff_ids(),
        Err(message) => return Ok(Err(message)),
    };
    if diff_ids.len() != image.layers.len() {
        let message = format!("it has {} layers, and {} in its config", image.layers.len(), diff_ids.len());
        return Ok(Err(message));
    }
    let mut layers = Vec::new();
    for (name, diff_id) in image.layers.iter().zip(diff_ids) {
        if host.cancelled() {
            return Err(interrupted());
        }
        match layer(archive, name, diff_id, host) {
            Ok(descriptor) => layers.push(descriptor),
            Err(message) => return Ok(Err(message)),
        }
    }
    let descriptor = Descriptor::of(Family::Oci.config(), &config);
    let path = file_of(host, descriptor.digest);
    fs::write(&path, &config).map_err(|error| Failure::file("write", &path, &error))?;
    let manifest = Manifest::new(Family::Oci, descriptor, layers);
    let bytes = manifest.to_bytes();
    Ok(Ok((manifest, bytes)))
}

fn layer(archive: &Archive, name: &str, diff_id: Digest, host: &dyn Host) -> Result<Descriptor, String> {
    let beside = host.dir().join("layer");
    let written = archive.layer(name).and_then(|mut tar| layer::compress(&mut tar, &beside));
    let layer = written.map_err(|error| format!("its `{name}` can't be read: {error}"))?;
    if layer.diff_id != diff_id {
        return Err(format!("its `{name}` is damaged: it is `{}`, and should be `{diff_id}`", layer.diff_id));
    }
    let path = file_of(host, layer.digest);
    fs::rename(&beside, &path).map_err(|error| format!("can't write `{}`: {error}", path.display()))?;
    Ok(Descriptor::new(Family::Oci.layer(), layer.digest, layer.size))
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use expect_test::{Expect, expect};
    use forge_plugin::Host as _;
    use forge_plugin::testing::FakeHost;
    use serde_json::json;

    use super::*;

    /// An archive of images with these tags, each of one layer; what is taken of it by this name.
    fn check(tags: &[&str], wrong: bool, name: Option<&str>, expect: Expect) {
        let host = FakeHost::new();
        let path = host.root().join("image.tar");
        write(&path, tags, wrong);
        let shown = match of_archive(&path, name, &host).unwrap() {
            Ok((manifest, _)) => {
                let layer = fs::read(file_of(&host, manifest.layers[0].digest)).unwrap();
                let mut tar = String::new();
                flate2::bufread::MultiGzDecoder::new(layer.as_slice()).read_to_string(&mut tar).unwrap();
                let config = fs::read_to_string(file_of(&host, manifest.config.digest)).unwrap();
                format!("{tar} {}", config.split(',').next().unwrap())
            }
            Err(message) => message,
        };
        expect.assert_eq(&shown);
    }

    fn write(path: &Path, tags: &[&str], wrong: bool) {
        let mut tar = tar::Builder::new(fs::File::create(path).unwrap());
        let mut add = |name: &str, content: &str| {
            let mut header = tar::Header::new_ustar();
            header.set_size(content.len() as u64);
            tar.append_data(&mut header, name, content.as_bytes()).unwrap();
        };
        let mut images = Vec::new();
        for tag in tags {
            let layer = format!("the layer of {tag}");
            let diff_id = if wrong { Digest::of(b"other") } else { Digest::of(layer.as_bytes()) };
            let rootfs = json!({ "type": "layers", "diff_ids": [diff_id] });
            let config = json!({ "architecture": "amd64", "os": "linux", "rootfs": rootfs });
            add(&format!("{tag}.json"), &config.to_string());
            add(&format!("{tag}/layer.tar"), &layer);
            let tags = if tag.is_empty() { json!(null) } else { json!([tag]) };
            images.push(
                json!({ "Config": format!("{tag}.json"), "RepoTags": tags, "Layers": [format!("{tag}/layer.tar")] }),
            );
        }
        add("manifest.json", &json!(images).to_string());
        tar.finish().unwrap();
    }

    #[test]
    fn the_image_that_is_named_or_the_only_one() {
        check(&["a:1"], false, None, expect![[r#"the layer of a:1 {"architecture":"amd64""#]]);
        check(&["a:1", "b:latest"], false, Some("b"), expect![[r#"the layer of b:latest {"architecture":"amd64""#]]);
        check(&["a:1", "b:latest"], false, None, expect!["it has several images; name one of `a:1`, `b:latest`"]);
        check(&["a:1", "b:latest"], false, Some("c"), expect!["it has no `c`, only `a:1`, `b:latest`"]);
        check(
            &["docker.io/acme/a:1", "b:1"],
            false,
            Some("acme/a:1"),
            expect![[r#"the layer of docker.io/acme/a:1 {"architecture":"amd64""#]],
        );
        check(&[], false, None, expect!["it has no image"]);
    }

    #[test]
    fn a_layer_that_is_not_what_the_config_says() {
        check(
            &["a:1"],
            true,
            None,
            expect![
                "its `a:1/layer.tar` is damaged: it is `sha256:2a0e6d3eb6a7972df291865e9dcd66256667c2db0f2989ccc09ffbd9cf237aa6`, and should be `sha256:d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa`"
            ],
        );
    }
}
