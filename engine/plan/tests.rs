//! Plans and mistakes as text, from tables that say themselves what they take and make.

use std::collections::BTreeSet;

use expect_test::{Expect, expect};

use super::fake::planned;
use super::{Goals, Plan, Targets, text};
use crate::report::{Colour, render};

fn check(tables: &str, expect: Expect) {
    let (plan, diagnostics) = planned(tables, &["a.txt", "Recipe"]);
    let off: String = plan.off().iter().map(|off| format!("{off}; wanted by {:?}\n", names(&off.wanted_by))).collect();
    expect.assert_eq(&format!("{}{}{off}", render(&diagnostics, Colour::Plain), text(&plan, &BTreeSet::new())));
}

fn names(tables: &[forge_schemas::TableName]) -> Vec<String> {
    tables.iter().map(ToString::to_string).collect()
}

#[test]
fn the_order_comes_from_what_is_taken_and_made() {
    check(
        r#"
[[y]]
id = "image"
takes = [{ kinds = ["x"] }]
platforms = ["linux/amd64", "linux/arm64"]
[[x]]
id = "prog"
platforms = ["linux/amd64", "linux/arm64"]
"#,
        expect![[r#"
            x:prog/linux/amd64
              makes prog_linux_amd64 (x)
            y:image/linux/amd64
              needs x:prog/linux/amd64
              makes image_linux_amd64 (y)
            x:prog/linux/arm64
              makes prog_linux_arm64 (x)
            y:image/linux/arm64
              needs x:prog/linux/arm64
              makes image_linux_arm64 (y)
        "#]],
    );
}

#[test]
fn nothing_makes_it() {
    check(
        "[[y]]\ntakes = [{ kinds = ['x'] }]\n",
        expect![[r#"
        error: nothing makes what this takes: `x`
         --> forge.toml:4:10
          |
        4 | takes = [{ kinds = ['x'] }]
          |          ^^^^^^^^^^^^^^^^^
          |
          = help: add a table that makes it; pipes that can: `x`

    "#]],
    );
    check(
        "[[x]]\nid = 'prog'\nplatforms = ['linux/amd64']\n[[y]]\ntakes = [{ kinds = ['x'], platforms = ['linux/arm64'] }]\n",
        expect![[r#"
            error: nothing makes what this takes: `x` for linux/arm64
             --> forge.toml:7:10
              |
            3 | [[x]]
              | ----- `x:prog` makes it for linux/amd64 only
            ...
            7 | takes = [{ kinds = ['x'], platforms = ['linux/arm64'] }]
              |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
              |
              = help: let `x:prog` make it too, or leave it out here

            x:prog/linux/amd64
              makes prog_linux_amd64 (x)
        "#]],
    );
    check(
        "[[x]]\nid = 'prog'\n[[y]]\ntakes = [{ kinds = ['x'], tables = ['porg'] }]\n",
        expect![[r#"
        error: nothing makes what this takes: `x` of the table `porg`
         --> forge.toml:6:10
          |
        6 | takes = [{ kinds = ['x'], tables = ['porg'] }]
          |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          |
          = help: did you mean `prog`? tables that make such are `prog`

        x:prog
          makes prog (x)
    "#]],
    );
}

#[test]
fn what_follows_from_a_mistake_is_not_told_as_well() {
    check(
        "[[x]]\nproblem = 'not like this'\n[[y]]\ntakes = [{ kinds = ['x'] }]\n",
        expect![[r#"
        error: not like this
         --> forge.toml:4:11
          |
        4 | problem = 'not like this'
          |           ^^^^^^^^^^^^^^^

    "#]],
    );
}

#[test]
fn a_table_of_which_nothing_is_on_is_off() {
    check(
        r#"
[[x]]
id = "a"
if = false
problem = "nobody asks it"
[[x]]
id = "b"
if = "{{ snapshot }}"
[[y]]
id = "image"
takes = [{ kinds = ["x"] }, { kinds = ["x"], platforms = ["linux/amd64"] }]
[[z]]
id = "list"
takes = [{ kinds = ["y"], tables = ["image"] }, { kinds = ["z"], expect = "any" }]
[[z]]
id = "any"
takes = [{ kinds = ["y"], expect = "any" }]
"#,
        expect![[r#"
            z:any
              makes any (z)
            `x:a` is off: its `if` is false; wanted by ["y:image"]
            `x:b` is off: its `if` is false; wanted by ["y:image"]
            `y:image` is off: it needs `x:a` or `x:b`, which are off; wanted by ["z:list", "z:any"]
            `z:list` is off: it needs `y:image`, which is off; wanted by []
        "#]],
    );
}

#[test]
fn a_table_takes_what_is_on() {
    check(
        r#"
[[x]]
id = "a"
if = false
[[x]]
id = "b"
[[y]]
id = "of-all"
takes = [{ kinds = ["x"] }]
[[y]]
id = "of-each"
takes = [{ kinds = ["x"], tables = ["a"] }, { kinds = ["x"], tables = ["b"] }]
[[y]]
id = "of-one"
takes = [{ kinds = ["x"], tables = ["a"] }, { kinds = ["x"], expect = "any" }]
"#,
        expect![[r#"
            x:b
              makes b (x)
            y:of-all
              needs x:b
              makes of-all (y)
            y:of-each
              needs x:b
              makes of-each (y)
            `x:a` is off: its `if` is false; wanted by ["y:of-all", "y:of-each", "y:of-one"]
            `y:of-one` is off: it needs `x:a`, which is off; wanted by []
        "#]],
    );
}

#[test]
fn what_is_not_because_of_an_if_is_a_mistake() {
    check(
        r#"
[[x]]
id = "a"
if = false
platforms = ["linux/arm64"]
[[x]]
id = "b"
platforms = ["linux/amd64"]
[[y]]
id = "image"
takes = [{ kinds = ["x"], platforms = ["linux/arm64"] }]
[[y]]
id = "other"
takes = [{ kinds = ["x"], tables = ["a"] }, { kinds = ["z"] }]
[[y]]
id = "named"
takes = [{ kinds = ["x"], names = ["a_linux_arm64"] }]
"#,
        expect![[r#"
            error: nothing makes what this takes: `x` for linux/arm64
              --> forge.toml:13:10
               |
             8 | [[x]]
               | ----- `x:b` makes it for linux/amd64 only
            ...
            13 | takes = [{ kinds = ["x"], platforms = ["linux/arm64"] }]
               |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
               |
              ::: forge.toml:4:1
               |
             4 | [[x]]
               | ----- `x:a` is off: its `if` is false
               |
               = help: let `x:b` make it too, or leave it out here

            error: nothing makes what this takes: `z`
              --> forge.toml:16:45
               |
            16 | takes = [{ kinds = ["x"], tables = ["a"] }, { kinds = ["z"] }]
               |                                             ^^^^^^^^^^^^^^^^^
               |
               = help: add a table that makes it; pipes that can: `z`

            error: nothing makes what this takes: `x` called `a_linux_arm64`
              --> forge.toml:19:10
               |
            19 | takes = [{ kinds = ["x"], names = ["a_linux_arm64"] }]
               |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
               |
              ::: forge.toml:4:1
               |
             4 | [[x]]
               | ----- `x:a` is off: its `if` is false
               |
               = help: did you mean `b_linux_amd64`? there is `b_linux_amd64`

            x:b/linux/amd64
              makes b_linux_amd64 (x)
            `x:a` is off: its `if` is false; wanted by ["y:image", "y:other", "y:named"]
        "#]],
    );
}

#[test]
fn a_circle_is_told_around() {
    check(
        r#"
[[x]]
id = "a"
takes = [{ kinds = ["z"] }]
[[y]]
id = "b"
takes = [{ kinds = ["x"] }]
[[z]]
id = "c"
takes = [{ kinds = ["y"] }]
"#,
        expect![[r#"
            error: these tables wait for each other
              --> forge.toml:6:10
               |
             6 | takes = [{ kinds = ["z"] }]
               |          ^^^^^^^^^^^^^^^^^ `x:a` takes from `z:c`
            ...
             9 | takes = [{ kinds = ["x"] }]
               |          ----------------- `y:b` takes from `x:a`
            ...
            12 | takes = [{ kinds = ["y"] }]
               |          ----------------- `z:c` takes from `y:b`
               |
               = help: `x:a` waits for `z:c` waits for `y:b` waits for `x:a`: break the circle at one of these places

        "#]],
    );
}

#[test]
fn two_artifacts_of_one_name() {
    check(
        "[[x]]\nid = 'a'\nname = 'same'\n[[x]]\nid = 'b'\nname = 'same'\n",
        expect![[r#"
        error: two artifacts would be called `same`
         --> forge.toml:6:1
          |
        3 | [[x]]
          | ----- `x:a` makes it here
        ...
        6 | [[x]]
          | ^^^^^
          |
          = help: give one of the tables another `id`, or what it makes another name

        x:a
          makes same (x)
        x:b
          makes same (x)
    "#]],
    );
    check(
        "[[x]]\nname = '../outside'\n",
        expect![[r#"
        error: a bug in the pipe `x`: an artifact can't be called `../outside`
         --> forge.toml:3:1
          |
        3 | [[x]]
          | ^^^^^

        x:test
          makes ../outside (x)
    "#]],
    );
    check(
        "[[x]]\nname = 'artifacts.json'\n",
        expect![[r#"
        error: a bug in the pipe `x`: an artifact can't be called `artifacts.json`
         --> forge.toml:3:1
          |
        3 | [[x]]
          | ^^^^^

        x:test
          makes artifacts.json (x)
    "#]],
    );
}

#[test]
fn sources_must_be_there() {
    check(
        "[[x]]\nreads = ['a.txt', 'b.txt']\n",
        expect![[r#"
        error: there is no file `b.txt`
         --> forge.toml:4:9
          |
        4 | reads = ['a.txt', 'b.txt']
          |         ^^^^^^^^^^^^^^^^^^
          |
          = help: paths are relative to the project file

        x:test
          makes test (x)
    "#]],
    );
    check(
        "[[x]]\ntext = 'Recipe'\nproblem = 'not a recipe'\n",
        expect![[r#"
        error: not a recipe
         --> Recipe:1:1
          |
        1 | text of Recipe
          | ^^^^

    "#]],
    );
    check(
        "[[x]]\ntext = 'Missing'\n",
        expect![[r#"
        error: `Missing` does not exist
         --> forge.toml:4:8
          |
        4 | text = 'Missing'
          |        ^^^^^^^^^

    "#]],
    );
}

#[test]
fn unknown_names() {
    let (plan, _) = planned("[[x]]\nid = 'prog'\n", &[]);
    let unknown = Targets::of(&plan, &Goals::new()).find(&["x:porg".to_owned()]).unwrap_err();
    expect!["there is nothing to run called `x:porg`; did you mean `x:prog`? there is `release`, `x`, `x:prog`"]
        .assert_eq(&format!("{}; {}", unknown[0], unknown[0].help));
}

#[test]
fn a_chain_of_a_million_tasks_is_walked() {
    let mut graph = petgraph::graph::DiGraph::new();
    let step = super::Placed::from(forge_schemas::Step::default());
    let task = |at: usize| {
        std::sync::Arc::new(super::Task {
            id: at.to_string(),
            table: forge_schemas::TableName::new("x", "chain"),
            secrets: Vec::new(),
            revealed: Vec::new(),
            step: step.clone(),
        })
    };
    let mut last = graph.add_node(task(0));
    for at in 1..1_000_000 {
        let next = graph.add_node(task(at));
        graph.add_edge(last, next, super::Need::Takes(0));
        last = next;
    }
    let plan = Plan::new(graph).unwrap();
    assert_eq!(plan.order().len(), 1_000_000);
    assert_eq!(plan.with_needs([last]).len(), 1_000_000);
    assert_eq!(plan.dependents(plan.order()[0]).len(), 999_999);
}
