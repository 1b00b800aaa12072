//! Whole project files, and all that is said of them.
//! Knows no pipe that comes with forge: the two here are its own.

use expect_test::{Expect, expect};
use forge_plugin::Template;
use forge_schemas::{Facts, PipeInfo, Platform};
use schemars::{JsonSchema, schema_for};
use serde::Deserialize;

use super::*;
use crate::diagnostic::Diagnostic;
use crate::report::diagnostics::{Colour, render};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is looked at")]
struct Build {
    /// What builds.
    tool: Tool,
    /// The platforms to build for.
    #[serde(default)]
    platforms: Vec<Platform>,
    /// The name of the program.
    binary: Option<Template>,
    #[serde(default)]
    jobs: Option<u8>,
    #[serde(default)]
    env: BTreeMap<String, Template>,
    #[serde(default)]
    tags: OneOrMany,
    #[serde(default)]
    hooks: Vec<Hook>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Tool {
    /// Rust.
    Cargo,
    /// Go.
    Go,
    Zig,
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is looked at")]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl Default for OneOrMany {
    fn default() -> OneOrMany {
        OneOrMany::Many(Vec::new())
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is looked at")]
enum Hook {
    Run(Vec<String>),
    Script(String),
}

#[derive(Deserialize, JsonSchema)]
#[serde(tag = "to", rename_all = "lowercase", deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is looked at")]
enum Publish {
    /// A registry.
    Registry {
        /// Which images.
        images: Vec<String>,
        #[serde(default)]
        retries: u8,
    },
    /// A directory.
    Layout {
        /// Where it lies.
        path: String,
    },
}

fn pipe<S: JsonSchema>(name: &str) -> PipeInfo {
    let settings = schema_for!(S).to_value();
    PipeInfo { name: name.to_owned(), summary: String::new(), settings, makes: Vec::new() }
}

fn facts() -> Facts {
    Facts {
        name: "hello".to_owned(),
        version: "1.2.3".to_owned(),
        major: 1,
        minor: 2,
        patch: 3,
        prerelease: String::new(),
        tag: "v1.2.3".to_owned(),
        commit: "0123456789abcdef".to_owned(),
        short_commit: "0123456".to_owned(),
        commit_time: "2024-05-01T12:00:00Z".to_owned(),
        commit_timestamp: 1_714_564_800,
        git_url: "https://example.org/acme/hello.git".to_owned(),
        branch: "main".to_owned(),
        dirty: false,
        snapshot: false,
    }
}

fn load(text: &str) -> (Project, Vec<Diagnostic>) {
    let pipes = [pipe::<Build>("build"), pipe::<Build>("docker"), pipe::<Publish>("publish")];
    load_with(text, &pipes.each_ref())
}

fn load_with(text: &str, pipes: &[&PipeInfo]) -> (Project, Vec<Diagnostic>) {
    let environment = Environment::from([("HOME".to_owned(), "/root".to_owned())]);
    let (document, mut diagnostics) = Document::parse(Source::new("forge.toml", text));
    let (head, more) = Head::read(&document);
    diagnostics.extend(more);
    let (project, more) = lower(&document, head, pipes, &facts(), &environment);
    diagnostics.extend(more);
    (project, diagnostics)
}

fn check(text: &str, expect: Expect) {
    let (project, diagnostics) = load(text);
    let mut actual = render(&diagnostics, Colour::Plain);
    if diagnostics.is_empty() {
        for table in &project.tables {
            let off = if table.switch == Switch::Off { "(off) " } else { "" };
            actual.push_str(&format!("{} {off}{}\n", table.name, table.settings));
        }
        actual.push_str(&format!("asked: {:?}\n", project.environment));
    }
    expect.assert_eq(&actual);
}

const HELLO: &str = "[project]\nname = \"hello\"\n\n";

fn check_tables(tables: &str, expect: Expect) {
    check(&format!("{HELLO}{tables}"), expect);
}

#[test]
fn a_good_file() {
    check(
        r#"
[project]
name = "hello"

[env]
GREETING = "hello from {{ env.HOME }} {{ tag }}"

[registries."localhost:5000"]
insecure = true

[[build]]
tool = "cargo"
platforms = ["linux/amd64"]
binary = "{{ name }}-{{ os }}"
tags = ["{{ version }}", "{{ env.NONE | default('none') }}"]
env.A = "{{ env.GREETING }} {{ arch }}"

[[build]]
tool = "go"

[[build]]
tool = "zig"
id = "hello-2"

[[docker]]
tool = "go"
hooks = [{ run = ["a"] }, { script = "{{ short_commit }}\n" }]
"#,
        expect![[r#"
                build:hello {"binary":"{{ name }}-{{ os }}","env":{"A":"{{ env.GREETING }} {{ arch }}"},"platforms":["linux/amd64"],"tags":["1.2.3","none"],"tool":"cargo"}
                build:hello-3 {"tool":"go"}
                build:hello-2 {"tool":"zig"}
                docker:hello {"hooks":[{"run":["a"]},{"script":"0123456\n"}],"tool":"go"}
                asked: {"HOME", "NONE"}
            "#]],
    );
}

#[test]
fn tables_that_are_off() {
    check_tables(
        r#"
[[build]]
tool = "go"
if = true
[[build]]
tool = "go"
if = false
[[build]]
tool = "go"
if = '{{ branch == "main" }}'
[[build]]
tool = "go"
if = '{{ branch == "next" }}'
[[build]]
tool = "go"
if = "{{ prerelease }}"
[[build]]
tool = "go"
if = "{% if snapshot %}1{% else %} 0 {% endif %}"
[[build]]
tool = "go"
if = "{{ env.NIGHTLY | default(false) }}"
binary = "{{ env.NIGHTLY }}"
platforms = ["{{ env.NIGHTLY_PLATFORM }}"]
"#,
        expect![[r#"
            build:hello {"tool":"go"}
            build:hello-2 (off) {"tool":"go"}
            build:hello-3 {"tool":"go"}
            build:hello-4 (off) {"tool":"go"}
            build:hello-5 (off) {"tool":"go"}
            build:hello-6 (off) {"tool":"go"}
            build:hello-7 (off) {"binary":"{{ env.NIGHTLY }}","platforms":["{{ env.NIGHTLY_PLATFORM }}"],"tool":"go"}
            asked: {"NIGHTLY", "NIGHTLY_PLATFORM"}
        "#]],
    );
}

#[test]
fn all_that_is_wrong_with_an_if() {
    check_tables(
        r#"
[[build]]
tool = "go"
if = "branch == 'main'"
[[build]]
tool = "go"
if = "{{ branch }}"
[[build]]
tool = "go"
if = 1
[[build]]
tool = "go"
if = "{{ env.NIGHTLY }}"
[[build]]
tool = "og"
if = false
binary = "{{ versoin }}"
plaforms = []
"#,
        expect![[r#"
            error: `branch == 'main'` is neither true nor false
             --> forge.toml:7:6
              |
            7 | if = "branch == 'main'"
              |      ^^^^^^^^^^^^^^^^^^
              |
              = help: what names facts stands in braces: `if = '{{ branch == "main" }}'`; it must come to `true` or `1`, or to `false`, `0` or nothing

            error: `if` comes to `main`, which is neither true nor false
              --> forge.toml:10:6
               |
            10 | if = "{{ branch }}"
               |      ^^^^^^^^^^^^^^
               |
               = help: compare it, as in `{{ branch == "main" }}`: it must come to `true` or `1`, or to `false`, `0` or nothing

            error: `if` is true, false or a template
              --> forge.toml:13:6
               |
            13 | if = 1
               |      ^
               |
               = help: it must come to `true` or `1`, or to `false`, `0` or nothing

            error: `env.NIGHTLY` is not set
              --> forge.toml:16:10
               |
            16 | if = "{{ env.NIGHTLY }}"
               |          ^^^^^^^^^^^
               |
               = help: set it, here in `[env]` or outside, or write `env.NIGHTLY | default("…")`

            error: `tool` can not be `og`
              --> forge.toml:18:8
               |
            18 | tool = "og"
               |        ^^^^
               |
               = help: did you mean `go`? it is one of `cargo`, `go`, `zig`

            error: unknown name `versoin` in a template
              --> forge.toml:20:14
               |
            20 | binary = "{{ versoin }}"
               |              ^^^^^^^
               |
               = help: did you mean `version`? the names here are `arch`, `branch`, `commit`, `commit_time`, `commit_timestamp`, `dirty`, `env`, `ext`, `git_url`, `major`, `minor`, `name`, `os`, `patch`, `platform`, `prerelease`, `short_commit`, `snapshot`, `tag`, `variant`, `version`

            error: unknown key `plaforms` of `build`
              --> forge.toml:21:1
               |
            21 | plaforms = []
               | ^^^^^^^^
               |
               = help: did you mean `platforms`? the keys are `after`, `before`, `binary`, `env`, `hooks`, `id`, `if`, `jobs`, `platforms`, `reveal`, `secrets`, `tags`, `tool`

        "#]],
    );
}

#[test]
fn nothing() {
    check(
        "",
        expect![[r#"
            error: the file says nothing to do
             --> forge.toml:1:1
              |
            1 |
              | ^
              |
              = help: write what to do: `[project]` with `name = "hello"`, then a table, such as `[[build]]` with `tool = "cargo"`

        "#]],
    );
    check(
        "# only a comment\n",
        expect![[r#"
            error: the file says nothing to do
             --> forge.toml:1:1
              |
            1 | # only a comment
              | ^
              |
              = help: write what to do: `[project]` with `name = "hello"`, then a table, such as `[[build]]` with `tool = "cargo"`

        "#]],
    );
    check(
        "[[build]]\ntool = 'go'\n",
        expect![[r#"
            error: the project has no name
             --> forge.toml:1:1
              |
            1 | [[build]]
              | ^
              |
              = help: begin with `[project]` and `name = "…"`

        "#]],
    );
}

#[test]
fn unknown_tables() {
    check_tables(
        "[[biuld]]\ntool = 'go'\n[prject]\n[[x.y]]\na = 1\nversion = 1\n",
        expect![[r#"
            error: unknown table `biuld`
             --> forge.toml:4:1
              |
            4 | [[biuld]]
              | ^^^^^^^^^
              |
              = help: did you mean `build`? the tables are `build`, `docker`, `publish`

            error: unknown table `prject`
             --> forge.toml:6:1
              |
            6 | [prject]
              | ^^^^^^^^
              |
              = help: did you mean `project`? the tables are `build`, `docker`, `project`, `publish`

            error: unknown table `x`
             --> forge.toml:7:3
              |
            7 | [[x.y]]
              |   ^
              |
              = help: the tables are `build`, `docker`, `publish`

        "#]],
    );
    check(
        "version = 1\n[project]\nname = 'x'\n",
        expect![[r#"
            error: unknown key `version`
             --> forge.toml:1:1
              |
            1 | version = 1
              | ^^^^^^^
              |
              = help: the tables are `build`, `docker`, `publish`

        "#]],
    );
}

#[test]
fn tables_of_another_form() {
    check_tables(
        "[build]\ntool = 'go'\n",
        expect![[r#"
            error: `build` is a list of tables
             --> forge.toml:4:1
              |
            4 | [build]
              | ^^^^^^^
              |
              = help: write `[[build]]`, once for each

        "#]],
    );
    check(
        "build = 1\nproject = 2\n",
        expect![[r#"
            error: `build` is a list of tables
             --> forge.toml:1:1
              |
            1 | build = 1
              | ^^^^^
              |
              = help: write `[[build]]`, once for each

            error: `project` wants a table, this is an integer
             --> forge.toml:2:11
              |
            2 | project = 2
              |           ^
              |
              = help: it is written `{ … }`: what the project is

        "#]],
    );
    check(
        "[[project]]\nname = 'x'\n",
        expect![[r#"
            error: `project` is one table
             --> forge.toml:1:1
              |
            1 | [[project]]
              | ^^^^^^^^^^^
              |
              = help: write `[project]`

        "#]],
    );
}

#[test]
fn the_engines_own_tables() {
    check(
        "[project]\nnam = 'x'\n[env]\nA = 1\n[run]\njobs = 0\n\
             [registries.'ghcr.io']\ninsecrue = true\n",
        expect![[r#"
            error: missing key `name` of `project`
             --> forge.toml:1:1
              |
            1 | [project]
              | ^^^^^^^^^
              |
              = help: add `name = "…"`: what the project is called

            error: unknown key `nam` of `project`
             --> forge.toml:2:1
              |
            2 | nam = 'x'
              | ^^^
              |
              = help: did you mean `name`? the keys are `description`, `homepage`, `license`, `name`

            error: `env.A` wants a string, this is an integer
             --> forge.toml:4:5
              |
            4 | A = 1
              |     ^
              |
              = help: write `"1"`

            error: `run.jobs` wants at least 1, this is 0
             --> forge.toml:6:8
              |
            6 | jobs = 0
              |        ^
              |
              = help: it wants an integer: steps that compute

            error: unknown key `insecrue` of `registries.ghcr.io`
             --> forge.toml:8:1
              |
            8 | insecrue = true
              | ^^^^^^^^
              |
              = help: did you mean `insecure`? the keys are `ca`, `connections`, `insecure`, `mirrors`, `patience`, `rate`, `secret`, `username`

        "#]],
    );
}

#[test]
fn names_and_variables_of_the_engines_own_tables() {
    check(
        "[project]\nname = '../x'\n[env]\nA = '{{ env.NOPE }}'",
        expect![[r#"
            error: `project.name` can not be `../x`
             --> forge.toml:2:8
              |
            2 | name = '../x'
              |        ^^^^^^
              |
              = help: it must match `^[A-Za-z0-9][A-Za-z0-9._-]*$`: what the project is called

            error: `env.NOPE` is not set
             --> forge.toml:4:9
              |
            4 | A = '{{ env.NOPE }}'
              |         ^^^^^^^^
              |
              = help: set it, here in `[env]` or outside, or write `env.NOPE | default("…")`

        "#]],
    );
}

#[test]
fn keys_and_types() {
    check_tables(
        "[[build]]\ntool = 'go'\nplatfroms = []\nzzz = 1\n",
        expect![[r#"
            error: unknown key `platfroms` of `build`
             --> forge.toml:6:1
              |
            6 | platfroms = []
              | ^^^^^^^^^
              |
              = help: did you mean `platforms`? the keys are `after`, `before`, `binary`, `env`, `hooks`, `id`, `if`, `jobs`, `platforms`, `reveal`, `secrets`, `tags`, `tool`

            error: unknown key `zzz` of `build`
             --> forge.toml:7:1
              |
            7 | zzz = 1
              | ^^^
              |
              = help: the keys are `after`, `before`, `binary`, `env`, `hooks`, `id`, `if`, `jobs`, `platforms`, `reveal`, `secrets`, `tags`, `tool`

        "#]],
    );
    check_tables(
        "[[build]]\ntool = 'go'\nplatforms = 'linux/amd64'\n",
        expect![[r#"
            error: `platforms` wants a list of strings, this is a string
             --> forge.toml:6:13
              |
            6 | platforms = 'linux/amd64'
              |             ^^^^^^^^^^^^^
              |
              = help: write `['linux/amd64']`: the platforms to build for

        "#]],
    );
    check_tables(
        "[[build]]\ntool = 'go'\nplatforms = ['linux/amd64', 7]\nbinary = true\n",
        expect![[r#"
            error: `platforms[1]` wants a string, this is an integer
             --> forge.toml:6:29
              |
            6 | platforms = ['linux/amd64', 7]
              |                             ^
              |
              = help: write `"7"`: a platform in OCI's words: `os/arch` or `os/arch/variant`

            error: `binary` wants a string, this is a boolean
             --> forge.toml:7:10
              |
            7 | binary = true
              |          ^^^^
              |
              = help: write `"true"`: the name of the program

        "#]],
    );
}

#[test]
fn missing_keys_and_words_out_of_a_choice() {
    check_tables(
        "[[build]]\nplatforms = []\n",
        expect![[r#"
                error: missing key `tool` of `build`
                 --> forge.toml:4:1
                  |
                4 | [[build]]
                  | ^^^^^^^^^
                  |
                  = help: add `tool = "cargo"`: what builds

            "#]],
    );
    check_tables(
        "[[build]]\ntool = 'og'\njobs = 300\n",
        expect![[r#"
            error: `tool` can not be `og`
             --> forge.toml:5:8
              |
            5 | tool = 'og'
              |        ^^^^
              |
              = help: did you mean `go`? it is one of `cargo`, `go`, `zig`

            error: `jobs` wants at most 255, this is 300
             --> forge.toml:6:8
              |
            6 | jobs = 300
              |        ^^^
              |
              = help: it wants an integer

        "#]],
    );
    check_tables(
        "[[build]]\ntool = 7\njobs = '3'\ntags = 7\nenv = 'A=1'\n",
        expect![[r#"
                error: `tool` wants a string, this is an integer
                 --> forge.toml:5:8
                  |
                5 | tool = 7
                  |        ^
                  |
                  = help: it is one of `cargo`, `go`, `zig`: what builds

                error: `jobs` wants an integer, this is a string
                 --> forge.toml:6:8
                  |
                6 | jobs = '3'
                  |        ^^^
                  |
                  = help: write `3`

                error: `tags` wants a string or a list of strings, this is an integer
                 --> forge.toml:7:8
                  |
                7 | tags = 7
                  |        ^
                  |
                  = help: write `"7"`

                error: `env` wants a table, this is a string
                 --> forge.toml:8:7
                  |
                8 | env = 'A=1'
                  |       ^^^^^
                  |
                  = help: it is written `{ … }`

            "#]],
    );
}

#[test]
fn values_within_values() {
    check_tables(
        "[[build]]\ntool = 'go'\ntags = ['a', 1]\nenv = { A = 1 }\n",
        expect![[r#"
            error: `tags[1]` wants a string, this is an integer
             --> forge.toml:6:14
              |
            6 | tags = ['a', 1]
              |              ^
              |
              = help: write `"1"`

            error: `env.A` wants a string, this is an integer
             --> forge.toml:7:13
              |
            7 | env = { A = 1 }
              |             ^
              |
              = help: write `"1"`

        "#]],
    );
    check_tables(
        "[[build]]\ntool = 'go'\nhooks = [{ rnu = ['x'] }, { run = 'x' }, 1]\n",
        expect![[r#"
            error: unknown key `rnu` of `build.hooks[0]`
             --> forge.toml:6:12
              |
            6 | hooks = [{ rnu = ['x'] }, { run = 'x' }, 1]
              |            ^^^
              |
              = help: did you mean `run`? the keys are `run`, `script`

            error: `hooks[1].run` wants a list of strings, this is a string
             --> forge.toml:6:35
              |
            6 | hooks = [{ rnu = ['x'] }, { run = 'x' }, 1]
              |                                   ^^^
              |
              = help: write `['x']`

            error: `hooks[2]` wants a table, this is an integer
             --> forge.toml:6:42
              |
            6 | hooks = [{ rnu = ['x'] }, { run = 'x' }, 1]
              |                                          ^
              |
              = help: it is written `{ … }`

        "#]],
    );
    check_tables(
        "[[build]]\ntool = 'go'\njobs = 1.5\ntags = 2024-01-01\n",
        expect![[r#"
            error: `jobs` wants an integer, this is a float
             --> forge.toml:6:8
              |
            6 | jobs = 1.5
              |        ^^^
              |
              = help: it is written `1`

        "#]],
    );
    check_tables(
        "[[build]]\ntool = 'go'\njobs = 99999999999999999999\n",
        expect![[r#"
                error: `jobs` wants at most 255, this is 1e+20
                 --> forge.toml:6:8
                  |
                6 | jobs = 99999999999999999999
                  |        ^^^^^^^^^^^^^^^^^^^^
                  |
                  = help: it wants an integer

            "#]],
    );
}

#[test]
fn tables_of_several_variants() {
    check_tables(
        "[[publish]]\nto = 'registri'\nimages = []\n",
        expect![[r#"
            error: `to` can not be `registri`
             --> forge.toml:5:6
              |
            5 | to = 'registri'
              |      ^^^^^^^^^^
              |
              = help: did you mean `registry`? it is one of `layout`, `registry`

        "#]],
    );
    check_tables(
        "[[publish]]\nimages = []\n",
        expect![[r#"
        error: missing key `to` of `publish`
         --> forge.toml:4:1
          |
        4 | [[publish]]
          | ^^^^^^^^^^^
          |
          = help: add `to = "registry"`

    "#]],
    );
    check_tables(
        "[[publish]]\nto = 'registry'\n",
        expect![[r#"
        error: missing key `images` of `publish`
         --> forge.toml:4:1
          |
        4 | [[publish]]
          | ^^^^^^^^^^^
          |
          = help: add `images = ["…"]`: which images

    "#]],
    );
}

#[test]
fn keys_of_one_variant() {
    check_tables(
        "[[publish]]\nto = 'layout'\npath = 1\n",
        expect![[r#"
        error: `path` wants a string, this is an integer
         --> forge.toml:6:8
          |
        6 | path = 1
          |        ^
          |
          = help: write `"1"`: where it lies

    "#]],
    );
    check_tables(
        "[[publish]]\nto = 'layout'\npath = 'x'\nretries = 1\n",
        expect![[r#"
            error: unknown key `retries` of `publish`
             --> forge.toml:7:1
              |
            7 | retries = 1
              | ^^^^^^^
              |
              = help: the keys are `after`, `before`, `id`, `if`, `images`, `path`, `reveal`, `secrets`, `to`

        "#]],
    );
    check_tables(
        "[[publish]]\nto = 'layout'\npahth = 'x'\n",
        expect![[r#"
            error: unknown key `pahth` of `publish`
             --> forge.toml:6:1
              |
            6 | pahth = 'x'
              | ^^^^^
              |
              = help: did you mean `path`? the keys are `after`, `before`, `id`, `if`, `images`, `path`, `retries`, `reveal`, `secrets`, `to`

        "#]],
    );
    check_tables(
        "[[publish]]\nto = 'registry'\nimages = ['{{ x }}', 1]\n",
        expect![[r#"
            error: unknown name `x` in a template
             --> forge.toml:6:15
              |
            6 | images = ['{{ x }}', 1]
              |               ^
              |
              = help: the names here are `branch`, `commit`, `commit_time`, `commit_timestamp`, `dirty`, `env`, `git_url`, `major`, `minor`, `name`, `patch`, `prerelease`, `short_commit`, `snapshot`, `tag`, `version`

            error: `images[1]` wants a string, this is an integer
             --> forge.toml:6:22
              |
            6 | images = ['{{ x }}', 1]
              |                      ^
              |
              = help: write `"1"`

        "#]],
    );
}

#[test]
fn ids() {
    check_tables(
        "[[build]]\nid = 'a'\ntool = 'go'\n[[build]]\nid = 'a'\ntool = 'go'\n",
        expect![[r#"
            error: two `build` tables have the id `a`
             --> forge.toml:8:6
              |
            5 | id = 'a'
              |      --- the first
            ...
            8 | id = 'a'
              |      ^^^
              |
              = help: give each its own: others name it by this

        "#]],
    );
    check_tables(
        "[[build]]\nid = 'a b'\ntool = 'go'\n[[build]]\nid = 7\ntool = 'go'\n",
        expect![[r#"
            error: `a b` can not be an id
             --> forge.toml:5:6
              |
            5 | id = 'a b'
              |      ^^^^^
              |
              = help: an id is made of letters, digits, `.`, `_` and `-`, as in `id = "image"`

            error: an id is a string
             --> forge.toml:8:6
              |
            8 | id = 7
              |      ^
              |
              = help: an id is made of letters, digits, `.`, `_` and `-`, as in `id = "image"`

        "#]],
    );
}

#[test]
fn templates() {
    check_tables(
        "[[build]]\ntool = 'go'\ntags = ['{{ verison }}-{{ os }}']\n",
        expect![[r#"
            error: unknown name `verison` in a template
             --> forge.toml:6:13
              |
            6 | tags = ['{{ verison }}-{{ os }}']
              |             ^^^^^^^
              |
              = help: did you mean `version`? the names here are `branch`, `commit`, `commit_time`, `commit_timestamp`, `dirty`, `env`, `git_url`, `major`, `minor`, `name`, `patch`, `prerelease`, `short_commit`, `snapshot`, `tag`, `version`

            error: unknown name `os` in a template
             --> forge.toml:6:27
              |
            6 | tags = ['{{ verison }}-{{ os }}']
              |                           ^^
              |
              = help: the names here are `branch`, `commit`, `commit_time`, `commit_timestamp`, `dirty`, `env`, `git_url`, `major`, `minor`, `name`, `patch`, `prerelease`, `short_commit`, `snapshot`, `tag`, `version`

        "#]],
    );
    check_tables(
        "[[build]]\ntool = 'go'\nbinary = \"x-{{ version }}-{{ oss }}\"\n",
        expect![[r#"
            error: unknown name `oss` in a template
             --> forge.toml:6:30
              |
            6 | binary = "x-{{ version }}-{{ oss }}"
              |                              ^^^
              |
              = help: did you mean `os`? the names here are `arch`, `branch`, `commit`, `commit_time`, `commit_timestamp`, `dirty`, `env`, `ext`, `git_url`, `major`, `minor`, `name`, `os`, `patch`, `platform`, `prerelease`, `short_commit`, `snapshot`, `tag`, `variant`, `version`

        "#]],
    );
}

#[test]
fn templates_that_can_not_be_read() {
    check_tables(
        "[[build]]\ntool = '{{ tol }}'\ntags = ['{{ version ']\n",
        expect![[r#"
            error: unknown name `tol` in a template
             --> forge.toml:5:12
              |
            5 | tool = '{{ tol }}'
              |            ^^^
              |
              = help: the names here are `branch`, `commit`, `commit_time`, `commit_timestamp`, `dirty`, `env`, `git_url`, `major`, `minor`, `name`, `patch`, `prerelease`, `short_commit`, `snapshot`, `tag`, `version`

            error: bad template: `{{` without its `}}`
             --> forge.toml:6:13
              |
            6 | tags = ['{{ version ']
              |             ^^^^^^^
              |
              = help: close it, as in `{{ version }}`

        "#]],
    );
    check_tables(
        "[[build]]\ntool = 'go'\ntags = ['{% if %}', '{{ version | uper }}', '{{ }}']\n",
        expect![[r#"
            error: bad template: nothing where a condition should be
             --> forge.toml:6:16
              |
            6 | tags = ['{% if %}', '{{ version | uper }}', '{{ }}']
              |                ^^
              |
              = help: write it before `%}`, as in `{% if dirty %}`

            error: bad template: unknown filter `uper`
             --> forge.toml:6:35
              |
            6 | tags = ['{% if %}', '{{ version | uper }}', '{{ }}']
              |                                   ^^^^
              |
              = help: did you mean `upper`? filters are `base_name`, `date`, `default`, `dir_name`, `english_list`, `escape_telegram`, `first`, `inc_major`, `inc_minor`, `inc_patch`, `int`, `join`, `last`, `length`, `lower`, `regex_replace`, `replace`, `sha256`, `split`, `title`, `trim`, `trim_prefix`, `trim_suffix`, `upper`, `url_encode`

            error: bad template: nothing where a value should be
             --> forge.toml:6:49
              |
            6 | tags = ['{% if %}', '{{ version | uper }}', '{{ }}']
              |                                                 ^^
              |
              = help: write a name before `}}`, as in `{{ version }}`

        "#]],
    );
}

#[test]
fn variables_that_are_not_set() {
    check_tables(
        "[[build]]\ntool = 'go'\ntags = ['{{ env.HOEM }}/{{ env.B }}', '{{ version.x }}']\n",
        expect![[r#"
                error: `env.HOEM` is not set
                 --> forge.toml:6:13
                  |
                6 | tags = ['{{ env.HOEM }}/{{ env.B }}', '{{ version.x }}']
                  |             ^^^^^^^^
                  |
                  = help: did you mean `HOME`? set it, here in `[env]` or outside, or write `env.HOEM | default("…")`

                error: `env.B` is not set
                 --> forge.toml:6:28
                  |
                6 | tags = ['{{ env.HOEM }}/{{ env.B }}', '{{ version.x }}']
                  |                            ^^^^^
                  |
                  = help: set it, here in `[env]` or outside, or write `env.B | default("…")`

                error: bad template: `version.x` is undefined
                 --> forge.toml:6:43
                  |
                6 | tags = ['{{ env.HOEM }}/{{ env.B }}', '{{ version.x }}']
                  |                                           ^^^^^^^^^
                  |
                  = help: the mistake is in `version.x`

            "#]],
    );
    check_tables(
        "[[build]]\ntool = 'go'\nbinary = '{{ os | uper }}{{ env.NOPE }}'\n",
        expect![[r#"
            error: bad template: unknown filter `uper`
             --> forge.toml:6:19
              |
            6 | binary = '{{ os | uper }}{{ env.NOPE }}'
              |                   ^^^^
              |
              = help: did you mean `upper`? filters are `base_name`, `date`, `default`, `dir_name`, `english_list`, `escape_telegram`, `first`, `inc_major`, `inc_minor`, `inc_patch`, `int`, `join`, `last`, `length`, `lower`, `regex_replace`, `replace`, `sha256`, `split`, `title`, `trim`, `trim_prefix`, `trim_suffix`, `upper`, `url_encode`

        "#]],
    );
}

#[test]
fn where_a_template_stands_in_its_string() {
    check_tables(
        "[[build]]\ntool = 'go'\ntags = [\"\\u0041{{ nam }}\"]\nbinary = '''\n\n{{ nam }}'''\n",
        expect![[r#"
            error: unknown name `nam` in a template
             --> forge.toml:6:9
              |
            6 | tags = ["\u0041{{ nam }}"]
              |         ^^^^^^^^^^^^^^^^^
              |
              = help: did you mean `name`? the names here are `branch`, `commit`, `commit_time`, `commit_timestamp`, `dirty`, `env`, `git_url`, `major`, `minor`, `name`, `patch`, `prerelease`, `short_commit`, `snapshot`, `tag`, `version`

            error: unknown name `nam` in a template
             --> forge.toml:9:4
              |
            9 | {{ nam }}'''
              |    ^^^
              |
              = help: did you mean `name`? the names here are `arch`, `branch`, `commit`, `commit_time`, `commit_timestamp`, `dirty`, `env`, `ext`, `git_url`, `major`, `minor`, `name`, `os`, `patch`, `platform`, `prerelease`, `short_commit`, `snapshot`, `tag`, `variant`, `version`

        "#]],
    );
    check_tables(
        "[[build]]\ntool = 'go'\ntags = ['{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}']\n",
        expect![[r#"
                error: bad template: it computes for too long
                 --> forge.toml:6:10
                  |
                6 | tags = ['{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}']
                  |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
                  |
                  = help: a template is for a name

            "#]],
    );
    check_tables(
        "[[build]]\ntool = 'go'\ntags = ['{% include \"x\" %}', '{{ env }}', '{{ foo() }}', '{% set a = 1 %}{{ a / 0 }}']\n",
        expect![[r#"
            error: bad template: unknown statement include
             --> forge.toml:6:13
              |
            6 | tags = ['{% include "x" %}', '{{ env }}', '{{ foo() }}', '{% set a = 1 %}{{ a / 0 }}']
              |             ^^^^^^^
              |
              = help: a template is written `{{ version }}`; for braces as they stand write `{{ "{{" }}`

            error: unknown name `foo` in a template
             --> forge.toml:6:47
              |
            6 | tags = ['{% include "x" %}', '{{ env }}', '{{ foo() }}', '{% set a = 1 %}{{ a / 0 }}']
              |                                               ^^^
              |
              = help: the names here are `branch`, `commit`, `commit_time`, `commit_timestamp`, `dirty`, `env`, `git_url`, `major`, `minor`, `name`, `patch`, `prerelease`, `short_commit`, `snapshot`, `tag`, `version`

            error: bad template: unable to calculate 1 / 0
             --> forge.toml:6:77
              |
            6 | tags = ['{% include "x" %}', '{{ env }}', '{{ foo() }}', '{% set a = 1 %}{{ a / 0 }}']
              |                                                                             ^^^^^
              |
              = help: the mistake is in `a / 0`

        "#]],
    );
}

#[test]
fn syntax() {
    check_tables(
        "[[build]\ntool = 'go'\n",
        expect![[r#"
                error: not TOML: unclosed array table, expected `]`
                 --> forge.toml:4:9
                  |
                4 | [[build]
                  |         ^
                  |
                  = help: a table begins with `[NAME]` or `[[NAME]]`, on a line of its own

            "#]],
    );
    check_tables(
        "[[build]]\ntool = \nplatforms = ['a' 'b']\nbinary = \"x\n[[docker]]\ntol = 1\n",
        expect![[r#"
            error: not TOML: string values must be quoted, expected literal string
             --> forge.toml:5:8
              |
            5 | tool = 
              |        ^
              |
              = help: texts stand in double quotes: `name = "hello"`

            error: not TOML: missing comma between array elements, expected `,`
             --> forge.toml:6:18
              |
            6 | platforms = ['a' 'b']
              |                  ^
              |
              = help: lists are written `["one", "two"]`

            error: not TOML: invalid basic string, expected `"`
             --> forge.toml:7:12
              |
            7 | binary = "x
              |            ^
              |
              = help: texts stand in double quotes: `name = "hello"`

            error: missing key `tool` of `docker`
             --> forge.toml:8:1
              |
            8 | [[docker]]
              | ^^^^^^^^^^
              |
              = help: add `tool = "cargo"`: what builds

            error: unknown key `tol` of `docker`
             --> forge.toml:9:1
              |
            9 | tol = 1
              | ^^^
              |
              = help: did you mean `tool`? the keys are `after`, `before`, `binary`, `env`, `hooks`, `id`, `if`, `jobs`, `platforms`, `reveal`, `secrets`, `tags`, `tool`

        "#]],
    );
}

#[test]
fn syntax_that_is_repeated_or_of_another_language() {
    check_tables(
        "[[build]]\ntool = 'go'\ntool = 'go'\n[project]\n",
        expect![[r#"
            error: not TOML: duplicate key
             --> forge.toml:6:1
              |
            6 | tool = 'go'
              | ^^^^
              |
              = help: a key stands once in a table; for one more table write `[[NAME]]`

            error: not TOML: duplicate key
             --> forge.toml:7:2
              |
            7 | [project]
              |  ^^^^^^^
              |
              = help: a key stands once in a table; for one more table write `[[NAME]]`

        "#]],
    );
    check_tables(
        "[[build]]\ntool: go\n  platforms:\n    - a\n",
        expect![[r#"
            error: not TOML: invalid unquoted key, expected letters, numbers, `-`, `_`
             --> forge.toml:5:5
              |
            5 | tool: go
              |     ^
              |
              = help: a line is `key = value`, `[table]` or `[[table]]`

            error: not TOML: key with no value, expected `=`
             --> forge.toml:6:13
              |
            6 |   platforms:
              |             ^
              |
              = help: a line is `key = value`, `[table]` or `[[table]]`

            error: not TOML: key with no value, expected `=`
             --> forge.toml:7:7
              |
            7 |     - a
              |       ^
              |
              = help: a line is `key = value`, `[table]` or `[[table]]`

        "#]],
    );
}

#[test]
fn no_text_makes_it_panic() {
    let build = pipe::<Build>("build");
    let load = |text: &str| load_with(text, &[&build]);
    let good = "[project]\nname = \"hé\"\n[env]\nA = '{{ tag }}'\n[[build]]\nid = 'a'\ntool = \"go\"\ntags = [\"{{ version }}\", '{% if os %}']\nenv.A = \"\\u00e9{{ arch }}\"\n[[build]]\nhooks = [{ run = ['x'] }]\n";
    for (end, _) in good.char_indices() {
        render(&load(&good[..end]).1, Colour::Plain);
    }
    for (at, old) in good.char_indices() {
        for new in ["", "\"", "[", "}", "=", "\n", "é", "%"] {
            let text = format!("{}{new}{}", &good[..at], &good[at + old.len_utf8()..]);
            render(&load(&text).1, Colour::Plain);
        }
    }
}

#[test]
fn ten_thousand_tables() {
    use std::fmt::Write as _;
    let mut text = HELLO.to_owned();
    for index in 0..10_000 {
        let _ = write!(
            text,
            "[[build]]\nid = \"b{index}\"\ntool = \"go\"\nplatforms = [\"linux/amd64\", \"linux/arm64\"]\nbinary = \"{{{{ name }}}}-{{{{ os }}}}\"\ntags = [\"{{{{ version }}}}\", \"latest\"]\n\n"
        );
    }
    let (project, diagnostics) = load(&text);
    assert_eq!((project.tables.len(), diagnostics.len()), (10_000, 0));
    let (_, diagnostics) = load(&text.replace("tool", "tol"));
    assert_eq!(diagnostics.len(), 20_000);
    let rendered = render(&diagnostics, Colour::Plain);
    assert_eq!(rendered.matches("missing key `tool`").count(), 50);
}

#[test]
fn what_is_nested_too_deep_is_a_mistake() {
    let deep = 20_000;
    for text in [
        format!("a = {}", "[".repeat(deep)),
        format!("a = {}", "{a=".repeat(deep)),
        format!("{}a = 1", "a.".repeat(deep)),
        format!("[{}a]", "a.".repeat(deep)),
        format!("[[build]]\ntags = '{}'", "{{ (".repeat(deep)),
        format!("[[build]]\ntags = '{{{{ {} }}}}'", "(".repeat(deep)),
        format!("[[build]]\ntags = '{{{{ {}1 }}}}'", "1+".repeat(deep)),
        format!("[[build]]\ntags = '{{{{ {}1 }}}}'", "not ".repeat(deep)),
        format!("[[build]]\ntags = '{{{{ name{} }}}}'", "|upper".repeat(deep)),
        format!("[[build]]\ntags = '{}'", "{% if name %}".repeat(deep)),
    ] {
        let (_, diagnostics) = load(&text);
        assert!(!diagnostics.is_empty());
        render(&diagnostics, Colour::Plain);
    }
}

#[test]
fn the_schema_of_the_file_says_the_same() {
    let pipes = [pipe::<Build>("build"), pipe::<Publish>("publish")];
    let schema = file_schema(&pipes.each_ref());
    let validator = jsonschema::options().offline().build(&schema).unwrap();
    let check = |text: &str, expect: &[&str]| {
        let file: Value = toml::from_str(text).unwrap();
        let actual: Vec<String> = validator.iter_errors(&file).map(|error| error.instance_path().to_string()).collect();
        assert_eq!(actual, expect, "{text}");
    };
    check(HELLO, &[]);
    check(&format!("{HELLO}[[build]]\nid = 'a'\ntool = 'go'\n[[publish]]\nid = 'b'\nto = 'layout'\npath = 'x'"), &[]);
    check(&format!("{HELLO}[[build]]\nid = 7\ntool = 'og'"), &["/build/0/id", "/build/0/tool"]);
    check(&format!("{HELLO}[[biuld]]\ntool = 'go'"), &[""]);
    check(&format!("{HELLO}[[publish]]\nto = 'layout'\npath = 'x'\nretries = 1"), &["/publish/0"]);
}
