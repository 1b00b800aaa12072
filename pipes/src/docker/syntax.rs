//! What the parser of Dockerfiles says of a text that is none, told at its line and with what may have been meant.
//! Does not know what instructions do.

use forge_plugin::schemas::Problem;

use crate::docker::nearest::nearest;

/// The problem at the line that the parser names. Its column is not used: it is not that of the mistake.
pub fn problem(path: &str, text: &str, error: &parse_dockerfile::Error) -> Problem {
    let line = error.line().saturating_sub(1);
    let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let size = text[start..].lines().next().map_or(0, str::len);
    let problem = Problem::at_file(path, start..start + size, format!("{error:#}").replace('\'', "`"));
    let word = text[start..start + size].split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
    match nearest(&word, INSTRUCTIONS) {
        Some(near) if problem.message.contains("instruction") && near != word => {
            problem.help(format!("did you mean `{near}`?"))
        }
        None if problem.message.contains("FROM") => problem.help("begin with what it stands on, as in `FROM scratch`"),
        _ => problem,
    }
}

/// What a line of a Dockerfile may begin with.
const INSTRUCTIONS: [&str; 18] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];
