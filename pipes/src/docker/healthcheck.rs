//! `HEALTHCHECK`, as Docker's config has it (moby, "HealthConfig"); OCI has no such field, runtimes read it all the same.
//! Does not expand variables: Docker leaves that to the shell.

use std::ops::Range;

use parse_dockerfile::{Command, Flag, HealthcheckArguments, HealthcheckInstruction};
use serde_json::{Map, Value, json};

use crate::docker::values::{duration, shell_line};

/// One millisecond, in nanoseconds.
const SHORTEST: u64 = 1_000_000;

type Mistake = (Range<usize>, String);

/// The value of `Healthcheck`.
pub fn healthcheck(instruction: &HealthcheckInstruction<'_>, escape: char) -> Result<Value, Mistake> {
    let mut fields = Map::new();
    for flag in &instruction.options {
        let (name, value) = option(flag)?;
        fields.insert(name.to_owned(), value);
    }
    let test = test(&instruction.arguments, escape);
    if test == json!(["NONE"]) {
        fields.clear();
    }
    fields.insert("Test".to_owned(), test);
    Ok(Value::Object(fields))
}

fn test(arguments: &HealthcheckArguments<'_>, escape: char) -> Value {
    match arguments {
        HealthcheckArguments::Cmd { arguments: Command::Exec(words), .. } => {
            let words = words.value.iter().map(|word| word.value.as_ref());
            json!(std::iter::once("CMD").chain(words).collect::<Vec<_>>())
        }
        HealthcheckArguments::Cmd { arguments: Command::Shell(line), .. } => {
            json!(["CMD-SHELL", shell_line(line.value, escape)])
        }
        _ => json!(["NONE"]),
    }
}

fn option<'a>(flag: &Flag<'a>) -> Result<(&'static str, Value), Mistake> {
    let value = flag.value.as_ref().map_or("", |it| it.value.as_ref());
    let at = |message| (flag.span(), message);
    let field = match flag.name.value.as_ref() {
        "interval" => "Interval",
        "timeout" => "Timeout",
        "start-period" => "StartPeriod",
        "start-interval" => "StartInterval",
        "retries" => {
            let retries = value.parse::<u32>().ok().filter(|it| *it > 0);
            let retries = retries.ok_or_else(|| at(format!("`{value}` is not a number of retries")))?;
            return Ok(("Retries", json!(retries)));
        }
        name => return Err(at(format!("`HEALTHCHECK` has no option `--{name}`"))),
    };
    match duration(value) {
        Ok(time) if time >= SHORTEST => Ok((field, json!(time))),
        Ok(_) => Err(at(format!("`{value}` is less than a millisecond, which Docker refuses"))),
        Err(message) => Err(at(message)),
    }
}
