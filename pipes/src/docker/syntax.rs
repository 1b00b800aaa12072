//! What the parser of Dockerfiles says of a text that is none, told at its line and with what may have been meant.
//! Does not know what instructions do.

use forge_plugin::schemas::Problem;

use crate::docker::nearest::nearest;

/// The same text, byte for byte as long, in a form that the parser takes: it knows no empty list, and is given a word.
pub fn parsable(text: &str) -> String {
    let line = |line: &str| {
        let (word, rest) = line.trim_start().split_once(char::is_whitespace).unwrap_or_default();
        let takes_list = ["ENTRYPOINT", "CMD"].iter().any(|it| word.eq_ignore_ascii_case(it));
        match takes_list && is_empty_list(rest) {
            true => line.replace(['[', ']'], ":"),
            false => line.to_owned(),
        }
    };
    text.split_inclusive('\n').map(line).collect()
}

/// Whether this is a list of nothing, which takes back what the base says.
pub fn is_empty_list(text: &str) -> bool {
    let inside = text.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inside.is_some_and(|inside| inside.trim().is_empty())
}

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
