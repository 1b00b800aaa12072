//! Signs by any program, once for each file.
//! Does not know what it does: it is told where the file is, and where the signature is to be.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use forge_plugin::schemas::kind::{Kind as _, Signature};
use forge_plugin::schemas::{Command, Failure, Output, Problem, Step};
use forge_plugin::{Given, Host, Names, PlatformNames, Template};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::settings::{Settings, SignNames};
use super::{Planned, Signer, Subject, alone, emit_file, typed};
use crate::archive::naming;
use crate::build::command::program_of;
use crate::build::words::Words;

/// Its line in the table.
pub const SIGNER: Signer = Signer {
    name: "command",
    about: "signs by a program, which is started for each file: `cosign` without a key, the program of a key that lies in hardware.",
    schema: |generator| Own::json_schema(generator),
    ending: |_| Ok(".sig"),
    attaches: None,
    plan,
    run,
};

/// Stand in a plan for the paths that `run` alone knows.
const ARTIFACT: &str = "${FORGE_ARTIFACT}";
const SIGNATURE: &str = "${FORGE_SIGNATURE}";
const CERTIFICATE: &str = "${FORGE_CERTIFICATE}";

/// What it wants to know.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
struct Own {
    /// The program and its arguments. A text is split as a shell would; there is no shell. `{{ artifact }}` is the path of the file that is
    /// signed, `{{ signature }}` that of the signature, which it writes, and `{{ certificate }}` that of a certificate. The variables
    /// `FORGE_ARTIFACT`, `FORGE_SIGNATURE` and `FORGE_CERTIFICATE` are the same. It sees the table's `secrets` in its environment.
    argv: Words<CommandNames>,
    /// Environment variables.
    #[serde(default)]
    env: BTreeMap<String, Template<CommandNames>>,
    /// What a certificate is called that the program writes, too: `{{ artifact }}.pem`.
    certificate: Option<Template<SignNames>>,
}

/// The names of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct CommandNames {
    artifact: &'static str,
    signature: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<&'static str>,
    #[serde(flatten)]
    platform: Option<PlatformNames>,
}

impl Names for CommandNames {
    const NAMES: &'static [&'static str] =
        &["artifact", "signature", "certificate", "os", "arch", "variant", "platform", "ext"];
}

#[derive(Debug, Serialize, Deserialize)]
struct Params {
    argv: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    env: BTreeMap<String, String>,
}

fn plan(settings: &Settings, subjects: Vec<Subject<'_>>, given: &Given<'_>) -> Planned {
    let own: Own = settings.own()?;
    let (mut steps, mut problems) = (Vec::new(), Vec::new());
    for subject in subjects {
        match step(&own, subject, given) {
            Ok(step) => steps.push(step),
            Err(more) => problems.extend(more.into_iter().filter(|it| !problems.contains(it)).collect::<Vec<_>>()),
        }
    }
    if problems.is_empty() { Ok(steps) } else { Err(problems) }
}

fn step(own: &Own, subject: Subject<'_>, given: &Given<'_>) -> Result<Step, Vec<Problem>> {
    let names = CommandNames {
        artifact: ARTIFACT,
        signature: SIGNATURE,
        certificate: own.certificate.as_ref().map(|_| CERTIFICATE),
        platform: subject.names.platform.clone(),
    };
    let argv = own.argv.command("argv", given, &names)?;
    let mut env = BTreeMap::new();
    for (name, value) in &own.env {
        let value = given.render(&format!("env.{name}"), value, &names).map_err(|problem| vec![problem])?;
        env.insert(name.clone(), value);
    }
    let certificate = certificate(own, &subject, given).map_err(|problem| vec![problem])?;
    let (tools, reads) = program_of("", &argv);
    let program = Path::new(&argv[0]).file_name().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
    let params = serde_json::to_value(Params { argv, env }).unwrap_or_default();
    let mut step = Step { tools, reads, ..alone(subject, params, Vec::new()) };
    step.makes.extend(certificate);
    for output in &mut step.makes {
        output.detail["by"] = program.clone().into();
    }
    Ok(step)
}

fn certificate(own: &Own, subject: &Subject<'_>, given: &Given<'_>) -> Result<Option<Output>, Problem> {
    let Some(name) = &own.certificate else { return Ok(None) };
    let name = given.render("certificate", name, &subject.names)?;
    naming::check("certificate", &name)?;
    Ok(Some(Output { name, kind: Signature::NAME.to_owned(), ..subject.output.clone() }))
}

fn run(params: &Value, step: &Step, host: &dyn Host) -> Result<(), Failure> {
    let Params { argv, env } = typed(params)?;
    let subject = host.inputs().first().ok_or_else(|| Failure::bug("the step takes nothing"))?;
    let taken = host.dir().join("taken");
    fs::create_dir(&taken).map_err(|error| Failure::file("make", &taken, &error))?;
    // Under its own name, which many programs write into what they make.
    let artifact = taken.join(subject.file_name());
    symlink(&subject.path, &artifact).map_err(|error| Failure::file("link", &artifact, &error))?;
    let [signature, certificate] = ["signature", "certificate"].map(|it| host.dir().join(it));
    let paths = [(ARTIFACT, &artifact), (SIGNATURE, &signature), (CERTIFICATE, &certificate)];
    let fill = |text: &String| {
        paths.iter().fold(text.clone(), |text, (is, path)| text.replace(is, &path.display().to_string()))
    };
    let mut command = Command::new(argv.iter().map(fill)).in_dir(host.root());
    command.env.extend(env.iter().map(|(name, value)| (name.clone(), fill(value))));
    command
        .env
        .extend(paths.map(|(is, path)| (is.trim_matches(['$', '{', '}']).to_owned(), path.display().to_string())));
    host.exec_ok(&command)?;
    for (output, path) in step.makes.iter().zip([signature, certificate]) {
        if !path.is_file() {
            let what = if output.name == step.makes[0].name { "signature" } else { "certificate" };
            let failure = Failure::input(format!("the command has not written the {what} `{}`", output.name));
            return Err(failure.help(format!("it is to write it to the path that `{{{{ {what} }}}}` names")));
        }
        emit_file(output, path, host)?;
    }
    Ok(())
}
