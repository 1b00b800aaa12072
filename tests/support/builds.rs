//! What a project builds where it does not matter what: tables that stand at the end of its file.
//! Does not know where it goes.

/// Two programs of a line each. Some places can't have the name of the second.
pub const TWO: &str = r#"
[[build]]
id = "one"
binary = "one"
tool = "command"
argv = ["sh", "-c", "echo one > $FORGE_OUTPUT"]
platforms = ["linux/amd64"]

[[build]]
id = "two"
binary = "two~rc"
tool = "command"
argv = ["sh", "-c", "echo two > $FORGE_OUTPUT"]
platforms = ["linux/amd64"]
"#;
