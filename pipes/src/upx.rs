//! Pipe `upx`: programs that unpack themselves, a third as large, in place of those that were built.
//! Does not know how programs are packed: `upx` does it, and says for which platforms it can.

use std::fs;

use forge_plugin::schemas::kind::{Binary, Kind as _};
use forge_plugin::schemas::{Command, Emit, Failure, KindInfo, Offer, Output, Platform, Problem, Selector, Step, Tool};
use forge_plugin::{Given, Host, Pipe, Wants, kind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::build::make_executable;

/// The pipe.
pub struct Upx;

/// Packs programs with [UPX](https://upx.github.io), which must be installed. A packed program takes the place of the one that it was made of:
/// whoever takes programs, and does not name the table that builds them, gets the packed one.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The tables whose programs are packed, by id. Default: all.
    #[serde(default)]
    ids: Vec<String>,
    /// For which platforms. Default: Linux on `amd64`, `386`, `arm`, `arm64`, `ppc64le` and `mips`, and Windows on `amd64` and `386`: of what forge knows, those
    /// that UPX packs and whose system starts what is packed.
    #[schemars(with = "Option<Vec<Platform>>")]
    platforms: Option<Vec<String>>,
    /// How hard it tries: `1` to `9`, `best`, or `brute`, which takes long. Default: what `upx` does by itself.
    level: Option<Level>,
    /// Whether it tries LZMA, which packs better and unpacks slower.
    #[serde(default)]
    lzma: bool,
    /// The program, where it is another one.
    #[serde(default = "upx")]
    program: String,
}

/// How hard it tries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Level {
    Number(#[schemars(range(min = 1, max = 9))] u8),
    Word(Hard),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Hard {
    Best,
    Brute,
}

/// What `run` wants to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Params {
    argv: Vec<String>,
}

const PLATFORMS: &[&str] = &[
    "linux/amd64",
    "linux/386",
    "linux/arm/v5",
    "linux/arm/v6",
    "linux/arm/v7",
    "linux/arm64",
    "linux/ppc64le",
    "linux/mips",
    "linux/mipsle",
    "windows/amd64",
    "windows/386",
];

fn upx() -> String {
    "upx".to_owned()
}

impl Pipe for Upx {
    const NAME: &'static str = "upx";
    const SUMMARY: &'static str = "programs that unpack themselves";
    type Settings = Settings;
    type Params = Params;

    fn makes() -> Vec<KindInfo> {
        vec![kind::<Binary>()]
    }

    fn takes(settings: &Settings) -> Result<Wants, Vec<Problem>> {
        let platforms = platforms(settings)?;
        let of_table = |(at, id): (usize, &String)| Selector {
            tables: vec![id.clone()],
            platforms: platforms.clone(),
            key: format!("ids[{at}]"),
            ..Selector::of_kind(Binary::NAME)
        };
        let mut selectors: Vec<Selector> = settings.ids.iter().enumerate().map(of_table).collect();
        if selectors.is_empty() {
            selectors.push(Selector { platforms, ..Selector::of_kind(Binary::NAME) });
        }
        Ok(Wants { selectors, sources: Vec::new() })
    }

    fn plan(settings: &Settings, given: &Given<'_>) -> Result<Vec<Step>, Vec<Problem>> {
        let taken = given.offers.iter().filter_map(|offer| step(settings, given, offer));
        Ok(taken.collect())
    }

    fn run(params: &Params, step: &Step, host: &dyn Host) -> Result<(), Failure> {
        for (program, output) in host.inputs().iter().zip(&step.makes) {
            let path = host.dir().join("packed");
            fs::copy(&program.path, &path).map_err(|error| Failure::file("copy", &program.path, &error))?;
            make_executable(&path).map_err(|error| Failure::file("change", &path, &error))?;
            let argv = params.argv.iter().cloned().chain([path.display().to_string()]);
            host.exec_ok(&Command::new(argv))?;
            host.emit(&Emit { name: output.name.clone(), path, blobs: Vec::new(), detail: output.detail.clone() })?;
        }
        Ok(())
    }
}

fn platforms(settings: &Settings) -> Result<Vec<Platform>, Vec<Problem>> {
    let Some(named) = &settings.platforms else {
        return Ok(PLATFORMS.iter().filter_map(|it| it.parse().ok()).collect());
    };
    let (mut platforms, mut problems) = (Vec::new(), Vec::new());
    for (at, text) in named.iter().enumerate() {
        match text.parse::<Platform>() {
            Ok(platform) => platforms.push(platform),
            Err(bad) => {
                let problem = Problem::at_key(format!("platforms[{at}]"), bad.to_string());
                problems.push(Problem { help: bad.help, ..problem });
            }
        }
    }
    if problems.is_empty() { Ok(platforms) } else { Err(problems) }
}

fn step(settings: &Settings, given: &Given<'_>, offer: &Offer) -> Option<Step> {
    let binary: Binary = offer.detail()?;
    let slug = offer.platform.as_ref().map_or_else(String::new, |it| format!("_{}", it.slug()));
    let output = Output {
        name: format!("{}{slug}/{}", given.table.id, binary.file_name),
        kind: Binary::NAME.to_owned(),
        platform: offer.platform.clone(),
        detail: offer.detail.clone(),
    };
    Some(Step {
        name: format!("{}{slug}", binary.file_name),
        platform: offer.platform.clone(),
        takes: vec![offer.name.clone()],
        replaces: vec![offer.name.clone()],
        makes: vec![output],
        tools: vec![Tool { program: settings.program.clone(), version: vec!["--version".to_owned()] }],
        params: serde_json::to_value(Params { argv: argv(settings) }).unwrap_or_default(),
        ..Step::default()
    })
}

fn argv(settings: &Settings) -> Vec<String> {
    let level = settings.level.as_ref().map(|level| match level {
        Level::Number(number) => format!("-{number}"),
        Level::Word(Hard::Best) => "--best".to_owned(),
        Level::Word(Hard::Brute) => "--brute".to_owned(),
    });
    let lzma = settings.lzma.then(|| "--lzma".to_owned());
    [settings.program.clone(), "-qq".to_owned()].into_iter().chain(level).chain(lzma).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use forge_plugin::schemas::Exit;
    use forge_plugin::testing::{FakeHost, plan_table, run_step, sample_facts};
    use serde_json::{Value, json};

    use super::*;

    fn host() -> FakeHost {
        let detail = Binary { file_name: "a".to_owned() };
        FakeHost::new()
            .with_input("a_linux_amd64/a", Some("linux/amd64".parse().unwrap()), &detail, b"program")
            .on_exec(|command| {
                let path = command.argv.last().unwrap();
                let packed = format!(
                    "{} of {}",
                    command.argv[1..command.argv.len() - 1].join(" "),
                    fs::read_to_string(path).unwrap()
                );
                fs::write(path, packed).unwrap();
                Exit { code: Some(0), ..Exit::default() }
            })
    }

    fn check(table: Value, expect: Expect) {
        let mut host = host();
        let steps = plan_table::<Upx>(&table, &sample_facts(), &host.offers(), &[]).unwrap();
        let run = |step: &Step| {
            let made = run_step::<Upx>(step, &mut host).unwrap();
            let content = fs::read_to_string(&made[0].path).unwrap();
            format!("{} in place of {:?}: {content}\n", made[0].name, step.replaces)
        };
        expect.assert_eq(&steps.iter().map(run).collect::<String>());
    }

    #[test]
    fn in_place_of_what_was_built() {
        check(
            json!({ "id": "small" }),
            expect![[r#"
            small_linux_amd64/a in place of ["a_linux_amd64/a"]: -qq of program
        "#]],
        );
        check(
            json!({ "id": "small", "level": 9, "lzma": true }),
            expect![[r#"
            small_linux_amd64/a in place of ["a_linux_amd64/a"]: -qq -9 --lzma of program
        "#]],
        );
        check(
            json!({ "id": "small", "level": "brute" }),
            expect![[r#"
            small_linux_amd64/a in place of ["a_linux_amd64/a"]: -qq --brute of program
        "#]],
        );
    }
}
