//! Commands of the user's around the making of an image: what they are told, and where they run.
//! Does not know how the image is made.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use forge_plugin::schemas::kind;
use forge_plugin::schemas::{Artifact, Command, Digest, Failure, Output, Platform, Problem};
use forge_plugin::{Given, Host, Names, PlatformNames};
use serde::{Deserialize, Serialize};

use crate::docker::assemble::assemble;
use crate::docker::building::Building;
use crate::docker::built::build;
use crate::docker::elsewhere;
use crate::docker::recipe::Recipe;
use crate::docker::settings::Hooks;
use crate::docker::{Params, or_problems};
use crate::oci::held::Held;
use crate::oci::manifest::{Descriptor, Family, Index};

/// Stand in a plan for what is known when the image is made. Written so that a shell that a user starts would put in the same.
const DIGEST: &str = "${FORGE_IMAGE_DIGEST}";
const LAYOUT: &str = "${FORGE_IMAGE_LAYOUT}";

/// The names of a platform, and its image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImageNames {
    /// `linux`.
    pub os: String,
    /// `arm`.
    pub arch: String,
    /// `v7`, or empty.
    pub variant: String,
    /// `linux/arm/v7`.
    pub platform: String,
    /// `sha256:…`, of its manifest.
    pub digest: String,
    /// The path of an OCI layout with the image alone.
    pub layout: String,
}

impl Names for ImageNames {
    const NAMES: &'static [&'static str] = &["os", "arch", "variant", "platform", "digest", "layout"];
}

/// Commands, rendered and split.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Commands {
    before: Vec<Vec<String>>,
    after: Vec<Vec<String>>,
}

/// An image that is made between commands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hooked {
    commands: Commands,
    maker: Maker,
}

/// Who makes an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Maker {
    /// forge.
    Recipe(Box<Recipe>),
    /// An engine.
    Engine(Box<Building>),
}

impl Commands {
    /// Those of a table for a platform.
    pub fn of(hooks: &Hooks, given: &Given<'_>, platform: &Platform) -> Result<Commands, Vec<Problem>> {
        let names = PlatformNames::from(platform);
        let of_image = ImageNames {
            os: names.os.clone(),
            arch: names.arch.clone(),
            variant: names.variant.clone(),
            platform: names.platform.clone(),
            digest: DIGEST.to_owned(),
            layout: LAYOUT.to_owned(),
        };
        let mut problems = Vec::new();
        let before = hooks.before.iter().enumerate();
        let before = before.map(|(at, it)| it.command(&format!("hooks.before[{at}]"), given, &names));
        let after = hooks.after.iter().enumerate();
        let after = after.map(|(at, it)| it.command(&format!("hooks.after[{at}]"), given, &of_image));
        let before = before.filter_map(|it| or_problems(it, &mut problems)).collect();
        let after = after.filter_map(|it| or_problems(it, &mut problems)).collect();
        if problems.is_empty() { Ok(Commands { before, after }) } else { Err(problems) }
    }

    /// What a step does that has the image made between these.
    pub fn around(&self, maker: Maker) -> Params {
        match maker {
            maker if *self != Commands::default() => Params::Hooked(Hooked { commands: self.clone(), maker }),
            Maker::Recipe(recipe) => Params::Image(recipe),
            Maker::Engine(building) => Params::Build(building),
        }
    }
}

impl Hooked {
    /// Runs the commands, and makes the image that `output` declares.
    pub fn run(&self, output: &Output, host: &dyn Host) -> Result<(), Failure> {
        let mut told = before(output);
        for argv in &self.commands.before {
            host.exec_ok(&command(argv.clone(), &told, host))?;
        }
        let image = match &self.maker {
            Maker::Recipe(recipe) => assemble(recipe, output, host)?,
            Maker::Engine(building) => build(building, &output.name, host)?,
        };
        if self.commands.after.is_empty() {
            return Ok(());
        }
        let layout = lay_out(&image, host)?.display().to_string();
        let digest = image.digest.to_string();
        told.insert("FORGE_IMAGE_DIGEST", digest.clone());
        told.insert("FORGE_IMAGE_LAYOUT", layout.clone());
        for argv in &self.commands.after {
            let words = argv.iter().map(|word| word.replace(DIGEST, &digest).replace(LAYOUT, &layout));
            host.exec_ok(&command(words.collect(), &told, host))?;
        }
        Ok(())
    }
}

/// What is known before the image is.
fn before(output: &Output) -> BTreeMap<&'static str, String> {
    let image = serde_json::from_value::<kind::Image>(output.detail.clone());
    let references = image.map(|it| it.references).unwrap_or_default();
    let platform = output.platform.as_ref().map(Platform::to_string).unwrap_or_default();
    BTreeMap::from([("FORGE_PLATFORM", platform), ("FORGE_IMAGE_REFERENCES", references.join(" "))])
}

fn command(argv: Vec<String>, told: &BTreeMap<&str, String>, host: &dyn Host) -> Command {
    let mut command = Command::new(argv).in_dir(host.root());
    command.env.extend(told.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    command
}

/// A layout with the image alone, for programs that read images. Its blobs are links to those of the artifact.
fn lay_out(image: &Artifact, host: &dyn Host) -> Result<PathBuf, Failure> {
    let layout = host.dir().join("layout");
    let media_type = image.detail::<kind::Image>().and_then(|it| it.media_type).unwrap_or_default();
    let mut manifest = Descriptor::new(media_type, image.digest, image.size);
    manifest.platform = image.platform.as_ref().map(Into::into);
    let index = Index::new(Family::Oci, vec![manifest]).to_bytes();
    let layers = Held::open(image)?.manifest.layers;
    let brought = layers.iter().map(|layer| Ok((layer.digest, elsewhere::bring(image, layer, host)?)));
    let brought = brought.collect::<Result<BTreeMap<_, _>, Failure>>()?;
    write(image, &brought, &layout, &index).map_err(|error| Failure::file("lay out", &layout, &error))?;
    Ok(layout)
}

fn write(image: &Artifact, layers: &BTreeMap<Digest, PathBuf>, layout: &Path, index: &[u8]) -> io::Result<()> {
    let blobs = layout.join("blobs/sha256");
    fs::create_dir_all(&blobs)?;
    let held = image.blobs.iter().map(|it| (it.digest, &it.path));
    let all: BTreeMap<Digest, &PathBuf> = layers.iter().map(|(digest, path)| (*digest, path)).chain(held).collect();
    for (digest, path) in all.into_iter().chain([(image.digest, &image.path)]) {
        symlink(path, blobs.join(digest.hex()))?;
    }
    fs::write(layout.join("index.json"), index)?;
    fs::write(layout.join("oci-layout"), br#"{"imageLayoutVersion":"1.0.0"}"#)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use expect_test::{Expect, expect};
    use forge_plugin::schemas::Exit;
    use forge_plugin::testing::{FakeHost, plan_table, run_step, sample_facts};
    use serde_json::{Value, json};

    use crate::docker::Docker;
    use crate::oci::layout::Layout;

    /// The commands around an image, each with what it is told; with what is wrong, or what has failed.
    fn check(hooks: Value, expect: Expect) {
        let settings = json!({
            "id": "image", "images": ["x.org/y"], "tags": ["1", "2"], "platforms": ["linux/arm"], "ids": [], "hooks": hooks,
        });
        let mut host = FakeHost::new().on_exec(|command| {
            let is_told = |name: &str| command.env.get(name).is_some_and(|it| !it.is_empty());
            let layout = command.env.get("FORGE_IMAGE_LAYOUT").map(|it| std::path::PathBuf::from(it.as_str()));
            // Whoever reads the layout finds the image of which the digest is told.
            let is_sound = layout.is_none_or(|dir| {
                let image = Layout::new(&dir).image(None, &"linux/arm".parse().unwrap());
                let digest = forge_plugin::schemas::Digest::of(&image.unwrap().1).to_string();
                is_told("FORGE_IMAGE_DIGEST") && command.env["FORGE_IMAGE_DIGEST"] == digest
            });
            Exit { code: Some(if is_sound && command.argv[0] != "false" { 0 } else { 1 }), ..Exit::default() }
        });
        let mut shown = String::new();
        match plan_table::<Docker>(&settings, &sample_facts(), &host.offers(), &[]) {
            Err(problems) => problems.iter().for_each(|it| writeln!(shown, "{:?}: {}", it.place, it.message).unwrap()),
            Ok(steps) => {
                let made = run_step::<Docker>(&steps[0], &mut host).map_err(|failure| failure.to_string());
                let digest = host.record().emitted.first().map(|it| it.digest.to_string()).unwrap_or_default();
                for command in &host.record().commands {
                    writeln!(shown, "{} {:?}", command.argv.join(" "), command.env).unwrap();
                }
                let names = made.map(|made| made.into_iter().map(|it| it.name).collect::<Vec<_>>());
                writeln!(shown, "{} {names:?}", steps[0].params.as_object().unwrap().keys().next().unwrap()).unwrap();
                let dir = forge_plugin::Host::dir(&host).display().to_string();
                shown = shown.replace(&dir, "DIR");
                if !digest.is_empty() {
                    shown = shown.replace(&digest, "DIGEST");
                }
            }
        }
        expect.assert_eq(&shown);
    }

    #[test]
    fn commands_run_around_an_image() {
        check(
            json!({}),
            expect![[r#"
            image Ok(["image_linux_arm_v7.image.json"])
        "#]],
        );
        check(
            json!({
                "before": ["make 'check it' {{ arch }}"],
                "after": [["scan", "oci:{{ layout }}", "{{ digest }}"], "sh -c 'echo $FORGE_IMAGE_DIGEST'"],
            }),
            expect![[r#"
                make check it arm {"FORGE_IMAGE_REFERENCES": "x.org/y:1 x.org/y:2", "FORGE_PLATFORM": "linux/arm/v7"}
                scan oci:DIR/layout DIGEST {"FORGE_IMAGE_DIGEST": "DIGEST", "FORGE_IMAGE_LAYOUT": "DIR/layout", "FORGE_IMAGE_REFERENCES": "x.org/y:1 x.org/y:2", "FORGE_PLATFORM": "linux/arm/v7"}
                sh -c echo $FORGE_IMAGE_DIGEST {"FORGE_IMAGE_DIGEST": "DIGEST", "FORGE_IMAGE_LAYOUT": "DIR/layout", "FORGE_IMAGE_REFERENCES": "x.org/y:1 x.org/y:2", "FORGE_PLATFORM": "linux/arm/v7"}
                hooked Ok(["image_linux_arm_v7.image.json"])
            "#]],
        );
    }

    #[test]
    fn one_that_fails_fails_the_image() {
        check(
            json!({ "before": ["false"] }),
            expect![[r#"
            false {"FORGE_IMAGE_REFERENCES": "x.org/y:1 x.org/y:2", "FORGE_PLATFORM": "linux/arm/v7"}
            hooked Err("`false` ended with exit status 1")
        "#]],
        );
        check(
            json!({ "after": ["false", "true"] }),
            expect![[r#"
            false {"FORGE_IMAGE_DIGEST": "DIGEST", "FORGE_IMAGE_LAYOUT": "DIR/layout", "FORGE_IMAGE_REFERENCES": "x.org/y:1 x.org/y:2", "FORGE_PLATFORM": "linux/arm/v7"}
            hooked Err("`false` ended with exit status 1")
        "#]],
        );
    }

    #[test]
    fn mistakes() {
        check(
            json!({ "before": ["{{ digest }}", "", "a 'b"], "after": [[], ["x", "{{ nobody }}"]] }),
            expect![[r#"
            Key("hooks.before[0]"): undefined name `digest`
            Key("hooks.before[1]"): no program is named
            Key("hooks.before[2]"): a quote in `a 'b` is never closed
            Key("hooks.after[0]"): no program is named
            Key("hooks.after[1][1]"): undefined name `nobody`
        "#]],
        );
    }
}
