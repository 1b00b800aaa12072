//! A template that is rendered while a step runs: with the facts that it names, of which alone it then depends.
//! Does not know what else a template may say.

use super::c;
use crate::support::project::Project;

/// A project that announces this.
fn project(text: &str, isolation: &str) -> Project {
    let project = Project::of_text(&format!(
        "[project]\nname = \"hello\"\n\n[env]\nWHERE = \"here\"\n\n[plugins.acme]\npath = \"acme.so\"\n\
         isolation = \"{isolation}\"\n\n[[acme_later]]\nid = \"text\"\ntext = \"{text}\"\n"
    ));
    c::build("later.c", &project.root().join("acme.so"));
    project.write("another", "file");
    project.write(".gitignore", ".forge\ndist\n");
    project.tagged("v1.2.3")
}

/// What is announced, in a child and in forge's own process.
#[track_caller]
fn check(text: &str, expect: &str) {
    for isolation in ["child", "in-process"] {
        let project = project(text, isolation);
        project.forge(&["run", "release"]).expect(0);
        let made = std::fs::read_to_string(project.root().join("dist/text")).expect("a text");
        assert_eq!(made, format!("\"{expect}\""), "{isolation}");
    }
}

#[test]
fn facts_and_what_is_known_only_then() {
    check("as it stands", "as it stands");
    check("{{ digest }}", "sha256:1");
    check("{{ name }} {{ version }} {{ digest | upper }}", "hello 1.2.3 SHA256:1");
    check("{% if digest == 'sha256:1' %}{{ env.WHERE }}{% endif %}", "here");
    check("{{ env.NOWHERE | default('nowhere') }}", "nowhere");
}

#[test]
fn it_runs_again_for_the_facts_that_it_names() {
    let again = |text: &str| {
        let project = project(text, "child");
        project.forge(&["run", "release"]).expect(0);
        project.write("another", "file that no step reads");
        project.retag("v1.2.4");
        project.forge(&["run", "release", "--json"]).expect(0).outcomes()
    };
    assert_eq!(again("{{ name }} {{ digest }}"), ["acme_later:text fresh"]);
    assert_eq!(again("{{ name }} {{ digest }} {{ version }}"), ["acme_later:text done"]);
    // Also where another branch was taken when it was tried.
    assert_eq!(again("{% if digest == 'sha256:1' %}{{ version }}{% endif %}"), ["acme_later:text done"]);
}

#[test]
fn a_mistake_in_it_is_told_while_planning() {
    let ended = project("{{ digets }}", "child").forge(&["check"]).expect(2);
    let words = "error: unknown name `digets` in a template\n  --> forge.toml:13:12\n";
    assert!(ended.stderr.starts_with(words), "{}", ended.stderr);
}
