//! What a base says that an image on it does first (`ONBUILD`), read when the base is there.
//! Does not copy files of the project: which ones a step reads is known before it knows its base.

use std::collections::BTreeMap;

use forge_plugin::schemas::{Failure, Platform};
use parse_dockerfile::Instruction as Parsed;

use crate::docker::context::Context;
use crate::docker::dockerfile::Reader;
use crate::docker::ignore::Ignore;
use crate::docker::making::Names;
use crate::docker::recipe::Instruction;
use crate::docker::stages::Request;

const BEFORE: &str = "FROM scratch\n";

/// The triggers of a base, as instructions.
pub fn instructions(triggers: &[String], platform: &Platform) -> Result<Vec<Instruction>, Failure> {
    triggers.iter().map(|trigger| instruction(trigger, platform)).collect()
}

fn instruction(trigger: &str, platform: &Platform) -> Result<Instruction, Failure> {
    let refused = |why: &str| {
        Failure::input(format!("the base says `ONBUILD {trigger}`, which forge does not do"))
            .cause(why)
            .help("take the base that it was made from, and write in the Dockerfile what it does")
    };
    let text = format!("{BEFORE}{trigger}\n");
    let dockerfile = parse_dockerfile::parse(&text).map_err(|error| refused(&error.to_string()))?;
    let (context, said, ignore) = (Context::new(platform, []), BTreeMap::new(), Ignore::default());
    let request = Request {
        path: "ONBUILD",
        text: &text,
        platform,
        build_args: &said,
        context: &context,
        ignore: &ignore,
        contexts: &said,
        names: Names::new("", platform),
        target: None,
    };
    let mut reader = Reader::new(&request, &dockerfile);
    reader.on_image();
    match dockerfile.instructions.as_slice() {
        [_, Parsed::Copy(_) | Parsed::Add(_)] => {
            Err(refused("which files it copies is not known before the base is there"))
        }
        [_, Parsed::Onbuild(_)] => Err(refused("it is for the image after the next")),
        [_, Parsed::Arg(_)] => Err(refused("the Dockerfile was read without its variable")),
        [_, it] => match reader.change(it, trigger) {
            Some(change) => Ok(Instruction { created_by: trigger.to_owned(), change }),
            None => {
                let problem = reader.problems.first().or(reader.beyond.problems.first());
                Err(refused(problem.map_or("it is not allowed", |it| it.message.as_str())))
            }
        },
        _ => Err(refused("it is more than one instruction")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(trigger: &str, expect: &str) {
        let actual = match instruction(trigger, &"linux/amd64".parse().unwrap()) {
            Ok(instruction) => format!("{:?}", instruction.change),
            Err(failure) => failure.causes.join(": "),
        };
        assert_eq!(actual, expect, "of {trigger}");
    }

    #[test]
    fn what_is_done() {
        check("USER app", r#"User("app")"#);
        check("WORKDIR /app", r#"Workdir("/app")"#);
        check("COPY . /app", "which files it copies is not known before the base is there");
        check("ARG X", "the Dockerfile was read without its variable");
        check("USER $X", "no variable `X`");
        check("RUN make", "`make` needs an engine that runs programs");
        check("ONBUILD USER a", "it is for the image after the next");
        check("USER a\nUSER b", "it is more than one instruction");
    }
}
