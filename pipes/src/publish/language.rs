//! Packages of languages: what their registries have in common. A version is there once and for good, and a program of the language sends it.
//! Does not know any registry, and no program.

use forge_plugin::Host;
use forge_plugin::schemas::kind::Kind;
use forge_plugin::schemas::{
    Change, Command, Digest, Effect, Exit, Failure, FailureClass, Finding, Memory, Place, Problem, Recall, Resource,
    SecretNeed, SecretReader, Step, Tool,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::table::{path, secrets};

/// Words of a program that could not talk to a server, or not to its end.
const NETWORK: &[&str] = &[
    "connection",
    "connecterror",
    "econn",
    "etimedout",
    "curl failed",
    "eai_again",
    "enotfound",
    "socket",
    "timed out",
    "timeout",
    "network",
    "server returned nothing",
    "receiving data",
    "500 ",
    "502 ",
    "503 ",
    "504 ",
];

/// Gives the value of a secret to a program as the variable that it reads. It is in the environment already, and gets into no argument list.
const WITH_TOKEN: &str = r#"export VARIABLE="$SECRET"; exec "$@""#;

/// How often a registry is asked for what it has taken.
const LOOKS: u32 = 6;

/// What a registry has where something of ours would lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum There {
    /// Nothing.
    Nothing,
    /// What we would put there.
    Ours,
    /// Something else, as the registry calls it.
    Other(String),
}

impl There {
    /// By what the registry says it hashes to.
    pub fn by(theirs: Option<&str>, ours: &str) -> There {
        match theirs {
            None => There::Nothing,
            Some(theirs) if theirs == ours => There::Ours,
            Some(theirs) => There::Other(theirs.to_owned()),
        }
    }

    /// What that means for a step, before it has acted. `what` is how users call it: `hello 1.2.3`.
    pub fn finding(&self, place: &str, what: &str, ours: Digest) -> Result<Finding, Failure> {
        let (there, change) = match self {
            There::Nothing => (None, Change::New),
            There::Ours => (Some(ours), Change::None),
            There::Other(theirs) => return Err(is_another(place, what, theirs)),
        };
        Ok(Finding { place: place.to_owned(), there, ours: Some(ours), change })
    }
}

/// What is found while nothing is made.
pub fn unknown(place: String, there: Option<Digest>) -> Finding {
    Finding { place, there, ours: None, change: Change::Unknown }
}

fn is_another(place: &str, what: &str, theirs: &str) -> Failure {
    let message = format!("{what} is published already, and is another: `{place}` has {theirs}");
    Failure::new(FailureClass::Refused, message).help(
        "a version is never replaced there, and its name can't be used again: raise the version and tag that; if what is there is the \
         right one, leave this table out with `--skip`",
    )
}

/// `packed`: a package of a language as it will be sent to its registry. Nobody downloads it from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Packed {
    /// Its version.
    pub version: String,
}

impl Kind for Packed {
    const NAME: &'static str = "packed";
}

/// What is wrong with a directory that is not in the project.
pub fn outside(dir: Option<&String>) -> Option<Problem> {
    path::outside("dir", dir?)
}

/// A step that publishes for good.
pub fn for_good(name: String, tool: Tool) -> Step {
    Step {
        name,
        effect: Effect::Publish,
        recall: Recall::Impossible,
        memory: Memory::Never,
        resource: Resource::Network,
        tools: vec![tool],
        place: Place::Key("to".to_owned()),
        ..Step::default()
    }
}

/// The program, and what makes it say its version.
pub fn tool(program: &str) -> Tool {
    Tool { program: program.to_owned(), version: vec!["--version".to_owned()] }
}

/// The secret that is the token, if one is named.
pub fn needs(token: Option<&String>) -> Vec<SecretNeed> {
    secrets::needs(&[("token", token)], SecretReader::Program)
}

/// The variable of a program's environment that a secret is.
pub fn variable_of(secret: &str) -> String {
    secret.to_uppercase()
}

/// A command whose program reads its token from this variable.
pub fn with_token(variable: &str, token: Option<&String>, argv: Vec<String>) -> Command {
    let script = token.map(|it| WITH_TOKEN.replace("VARIABLE", variable).replace("SECRET", &variable_of(it)));
    let shell = script.into_iter().flat_map(|script| ["sh".to_owned(), "-c".to_owned(), script, "sh".to_owned()]);
    Command::new(shell.chain(argv))
}

/// Why a program has failed that sends something, by what it has said. Whether it is worth another attempt is told by that too.
pub fn failure(exit: &Exit, message: String) -> Failure {
    let failure = fault(exit, message);
    let all = said(exit).join("\n").to_lowercase();
    match NETWORK.iter().any(|it| all.contains(it)) {
        true => Failure { class: FailureClass::Network, ..failure },
        false => failure,
    }
}

/// Why a program has failed that works here.
pub fn fault(exit: &Exit, message: String) -> Failure {
    let said = said(exit);
    let last = said.iter().skip(said.len().saturating_sub(6));
    last.fold(Failure::tool(message), |failure, line| failure.cause(line.clone()))
}

/// What a program has said last, on standard error if there is anything.
fn said(exit: &Exit) -> Vec<String> {
    let text = if exit.stderr.trim().is_empty() { &exit.stdout } else { &exit.stderr };
    text.lines().map(|it| it.trim().to_owned()).filter(|it| !it.is_empty()).collect()
}

/// Asks until all is there as we have sent it, for a while: a registry may take some time to show what it has.
pub fn wait_for(
    host: &dyn Host,
    what: &str,
    mut is_there: impl FnMut(u32) -> Result<bool, Failure>,
) -> Result<(), Failure> {
    for failed in 0..LOOKS {
        if is_there(failed)? {
            return Ok(());
        }
    }
    host.log(forge_plugin::schemas::Level::Warn, &format!("{what} was taken, and is not shown yet"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_in_no_argument() {
        let command = with_token("TWINE_PASSWORD", Some(&"pypi_token".to_owned()), vec!["twine".to_owned()]);
        assert_eq!(command.argv, ["sh", "-c", r#"export TWINE_PASSWORD="$PYPI_TOKEN"; exec "$@""#, "sh", "twine"]);
        assert_eq!(with_token("X", None, vec!["twine".to_owned()]).argv, ["twine"]);
    }

    #[test]
    fn which_failures_are_the_networks() {
        let class = |stderr: &str| failure(&Exit { stderr: stderr.to_owned(), ..Exit::default() }, String::new()).class;
        assert_eq!(class("npm error code ECONNRESET"), FailureClass::Network);
        assert_eq!(class("ERROR HTTPError: 503 Service Unavailable from https://x"), FailureClass::Network);
        assert_eq!(class("ERROR HTTPError: 403 Forbidden from https://x"), FailureClass::Tool);
        assert_eq!(class(""), FailureClass::Tool);
    }

    #[test]
    fn what_is_another_stays() {
        let ours = Digest::of(b"ours");
        let failure = There::by(Some("theirs"), "ours").finding("pypi.org/hello", "hello 1.2.3", ours).unwrap_err();
        assert_eq!(failure.message, "hello 1.2.3 is published already, and is another: `pypi.org/hello` has theirs");
        assert!(There::by(Some("ours"), "ours").finding("p", "w", ours).unwrap().is_there());
        assert_eq!(There::by(None, "ours").finding("p", "w", ours).unwrap().change, Change::New);
    }
}
