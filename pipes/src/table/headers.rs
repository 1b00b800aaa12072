//! Headers of requests, as users write them in a table.
//! Does not know where the requests go.

use forge_plugin::schemas::Problem;

/// Headers that are forge's own.
const OWN: [&str; 4] = ["authorization", "content-length", "host", "transfer-encoding"];

/// What is wrong with the name of a header, which stands at this key.
pub fn bad_name(key: &str, name: &str) -> Option<Problem> {
    let is_word = |it: char| it.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(it);
    if name.is_empty() || !name.chars().all(is_word) {
        return Some(Problem::at_key(key, format!("`{name}` is no name of a header")));
    }
    OWN.contains(&name.to_lowercase().as_str()).then(|| {
        Problem::at_key(key, format!("`{name}` is forge's own to say")).help(
            "credentials are those of the host: `[registries.\"files.example.org\"]`, with `username` and `secret`",
        )
    })
}

/// What is wrong with the value of a header, which stands at this key (RFC 9110, 5.5).
pub fn bad_value(key: &str, value: &str) -> Option<Problem> {
    let is_bad = |it: char| it.is_control() && it != '\t';
    value
        .chars()
        .any(is_bad)
        .then(|| Problem::at_key(key, "a header is one line").help("take the line break out of it"))
}
