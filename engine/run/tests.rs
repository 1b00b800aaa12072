//! Plans of pipes in memory, run for real: what tasks are given, what they must make, and what is remembered of them.
//! Starts no program: those are tested in `process`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use expect_test::{Expect, expect};
use forge_plugin::{Host, Renderer};
use forge_schemas::{
    Digest, Failure, Outcome, PipeInfo, Plan as PlanRequest, PlanReply, Run as RunRequest, SourceFile, Takes,
    TakesReply,
};

use super::{Required, World, run};
use crate::pipes::Pipes;
use crate::plan::fake::{FakePipes, planned};
use crate::project::Renderer as ProjectRenderer;
use crate::registries::Registries;
use crate::schedule::{AfterFailure, Limits};
use crate::store::Folder;

/// Writes down what each task is given.
struct Watched {
    pipes: FakePipes,
    given: Mutex<Vec<String>>,
}

impl Pipes for Watched {
    fn all(&self) -> Vec<&PipeInfo> {
        self.pipes.all()
    }

    fn info(&self, pipe: &str) -> Option<&PipeInfo> {
        self.pipes.info(pipe)
    }

    fn identity(&self, pipe: &str) -> Cow<'_, str> {
        self.pipes.identity(pipe)
    }

    fn takes(&self, request: &Takes) -> Result<TakesReply, Failure> {
        self.pipes.takes(request)
    }

    fn plan(&self, request: &PlanRequest, renderer: &dyn Renderer) -> Result<PlanReply, Failure> {
        self.pipes.plan(request, renderer)
    }

    fn run(&self, request: &RunRequest, host: &dyn Host) -> Result<(), Failure> {
        let names: Vec<&str> = host.inputs().iter().map(|it| it.name.as_str()).collect();
        self.given.lock().unwrap().push(format!("{} is given {names:?}\n", request.table));
        self.pipes.run(request, host)
    }
}

/// Runs the plan of these tables in `directory`, one task at a time. Answers how each ended, and what each was given.
fn play(directory: &Path, tables: &str, after_failure: AfterFailure) -> (String, String) {
    attempt(directory, tables, after_failure, &[]).unwrap()
}

/// The same, where some tasks must be fresh.
fn attempt(
    directory: &Path,
    tables: &str,
    after_failure: AfterFailure,
    required: &[&str],
) -> Result<(String, String), Failure> {
    let (plan, diagnostics) = planned(tables, &["source"]);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let tasks = plan.ids().filter(|id| required.contains(&plan.task(*id).id.as_str())).collect();
    let pipes = Watched { pipes: FakePipes::xyz(), given: Mutex::default() };
    let diary = directory.join("diary");
    std::fs::create_dir_all(diary.join("logs")).unwrap();
    let sources = super::Sources::of_project(directory);
    let world = World {
        root: directory.to_path_buf(),
        folder: Folder::of_project(directory).unwrap(),
        diary,
        sources: &sources,
        project: SourceFile { path: "forge.toml".into(), digest: Digest::of(tables.as_bytes()) },
        pipes: &pipes,
        env: BTreeMap::new(),
        locked: super::locked::Locked::default(),
        registries: Registries::new(),
        secrets: Default::default(),
        templates: std::sync::Arc::new(ProjectRenderer::of_names()),
        limits: Limits { cpu: 1, memory: 1, network: 1 },
        after_failure,
        intentions: None,
        required: Required { tasks, command: "forge run" },
    };
    let results = run(&plan, &world, &mut |_| {})?;
    let outcomes = plan.ids().map(|id| {
        let words = match &results.outcomes[id.index()].0 {
            Outcome::Done => "done".to_owned(),
            Outcome::Fresh => "fresh".to_owned(),
            Outcome::Failed { failure } => format!("failed ({:?}): {failure}", failure.class),
            Outcome::Skipped { because } => format!("skipped: {because}"),
        };
        format!("{}: {words}\n", plan.task(id))
    });
    let outcomes = outcomes.collect::<String>().replace(&directory.display().to_string(), "[DIR]");
    let given = pipes.given.into_inner().unwrap().concat();
    Ok((outcomes, given))
}

fn check(tables: &str, expect: Expect) {
    let directory = tempfile::tempdir().unwrap();
    expect.assert_eq(&play(directory.path(), tables, AfterFailure::GoOn).0);
}

#[test]
fn a_task_is_given_what_it_takes() {
    let directory = tempfile::tempdir().unwrap();
    let tables = r#"
        [[x]]
        id = "one"
        platforms = ["linux/amd64", "linux/arm64"]
        [[x]]
        id = "two"
        [[y]]
        id = "some"
        takes = [{ kinds = ["x"], tables = ["one"], platforms = ["linux/arm64"] }]
        [[y]]
        id = "all"
        takes = [{ kinds = ["x"] }]
        [[z]]
        id = "last"
        takes = [{ kinds = ["y"], tables = ["some"] }, { kinds = ["x"], tables = ["two"] }]
    "#;
    let (_, given) = play(directory.path(), tables, AfterFailure::GoOn);
    let mut given: Vec<&str> = given.lines().collect();
    given.sort_unstable();
    expect![[r#"
        x:one is given []
        x:one is given []
        x:two is given []
        y:all is given ["one_linux_amd64", "one_linux_arm64", "two"]
        y:some is given ["one_linux_arm64"]
        z:last is given ["two", "some"]"#]]
    .assert_eq(&given.join("\n"));
}

#[test]
fn a_pipe_that_breaks_its_word_fails() {
    check(
        r#"
        [[x]]
        id = "less"
        sin = "lose"
        [[x]]
        id = "more"
        sin = "extra"
        [[x]]
        id = "foreign"
        sin = "stray"
        [[y]]
        id = "after"
        takes = [{ kinds = ["x"], tables = ["less"] }]
        [[y]]
        id = "beside"
        "#,
        expect![[r#"
            x:less: failed (Bug): the pipe declared `less` and did not make it
            x:more: failed (Bug): the pipe made `extra`, which its step did not declare
            x:foreign: failed (Bug): the pipe gave away `/etc/hostname`, which is not a file of its step
            y:after: skipped: it needs x:less, which failed
            y:beside: done
        "#]],
    );
}

#[test]
fn what_is_done_is_fresh_until_something_changes() {
    let directory = tempfile::tempdir().unwrap();
    let tables = |content: &str, memory: &str| {
        format!(
            r#"
            [[x]]
            id = "one"
            content = "{content}"
            [[x]]
            id = "asks"
            memory = "{memory}"
            [[y]]
            id = "takes-one"
            takes = [{{ kinds = ["x"], tables = ["one"] }}]
            "#
        )
    };
    let play = |content, memory| play(directory.path(), &tables(content, memory), AfterFailure::GoOn).0;
    expect![[r#"
        x:one: done
        x:asks: done
        y:takes-one: done
    "#]]
    .assert_eq(&play("a", "never"));
    expect![[r#"
        x:one: fresh
        x:asks: done
        y:takes-one: fresh
    "#]]
    .assert_eq(&play("a", "never"));
    expect![[r#"
        x:one: done
        x:asks: done
        y:takes-one: done
    "#]]
    .assert_eq(&play("b", "never"));
    expect![[r#"
        x:one: fresh
        x:asks: done
        y:takes-one: fresh
    "#]]
    .assert_eq(&play("a", "never"));
}

#[test]
fn a_failure_leaves_what_does_not_need_it_unless_told_otherwise() {
    let tables = r#"
        [[x]]
        id = "bad"
        sin = "fail"
        [[y]]
        id = "needs-it"
        takes = [{ kinds = ["x"], tables = ["bad"] }]
        [[y]]
        id = "does-not"
        [[z]]
        id = "published"
        effect = "publish"
    "#;
    check(
        tables,
        expect![[r#"
            x:bad: failed (Tool): it was told to fail
            y:needs-it: skipped: it needs x:bad, which failed
            y:does-not: done
            z:published: skipped: nothing is published, because x:bad failed
        "#]],
    );
    let directory = tempfile::tempdir().unwrap();
    expect![[r#"
        x:bad: failed (Tool): it was told to fail
        y:needs-it: skipped: it needs x:bad, which failed
        y:does-not: skipped: nothing more is started, because x:bad failed
        z:published: skipped: nothing is published, because x:bad failed
    "#]]
    .assert_eq(&play(directory.path(), tables, AfterFailure::Stop).0);
}

/// `last` needs `two`, which needs `asks` and `one`; `one` has this content.
fn chain(content: &str) -> String {
    format!(
        r#"
        [[x]]
        id = "asks"
        memory = "never"
        [[x]]
        id = "one"
        content = "{content}"
        [[y]]
        id = "two"
        takes = [{{ kinds = ["x"] }}]
        [[y]]
        id = "beside"
        [[z]]
        id = "last"
        memory = "never"
        takes = [{{ kinds = ["y"], tables = ["two"] }}]
        "#
    )
}

fn check_required(directory: &Path, content: &str, required: &[&str], expect: Expect) {
    let said = match attempt(directory, &chain(content), AfterFailure::GoOn, required) {
        Ok((outcomes, _)) => outcomes,
        Err(failure) => format!("{failure}\n{}\n", failure.causes.join("\n")),
    };
    expect.assert_eq(&said);
}

#[test]
fn what_must_be_fresh_does_not_run() {
    let directory = tempfile::tempdir().unwrap();
    let check = |content, required: &[&str], expect| check_required(directory.path(), content, required, expect);
    let upstream = ["x:asks", "x:one", "y:two"];
    check(
        "a",
        &upstream,
        expect![[r#"
        `--only` runs what is named and nothing else, but 3 tasks that are needed are not fresh
        `x:asks` was never made here; `forge run x:asks` makes it
        `x:one` was never made here; `forge run x:one` makes it
        `y:two` was never made here; `forge run y:two` makes it
    "#]],
    );
    check(
        "a",
        &[],
        expect![[r#"
        x:asks: done
        x:one: done
        y:two: done
        y:beside: done
        z:last: done
    "#]],
    );
    // What asks anew each time has answered: what was made from that answer is taken.
    check(
        "a",
        &upstream,
        expect![[r#"
        x:asks: fresh
        x:one: fresh
        y:two: fresh
        y:beside: fresh
        z:last: done
    "#]],
    );
    check(
        "b",
        &upstream,
        expect![[r#"
            `--only` runs what is named and nothing else, but 2 tasks that are needed are not fresh
            `x:one` was made from other sources, settings or tools than there are now; `forge run x:one` makes it
            `y:two` needs `x:one`, which is not fresh; `forge run y:two` makes it
        "#]],
    );
    // What may run, and would, makes stale what must be fresh.
    check(
        "b",
        &["y:two"],
        expect![[r#"
            `--only` runs what is named and nothing else, but a task that is needed is not fresh
            `y:two` needs `x:asks` and `x:one`, which are not fresh; `forge run y:two` makes it
        "#]],
    );
    check(
        "b",
        &[],
        expect![[r#"
        x:asks: done
        x:one: done
        y:two: done
        y:beside: fresh
        z:last: done
    "#]],
    );
    check(
        "b",
        &upstream,
        expect![[r#"
        x:asks: fresh
        x:one: fresh
        y:two: fresh
        y:beside: fresh
        z:last: done
    "#]],
    );
}

// The digest of what it takes would not do: what was made anew may be what it was.
#[test]
fn what_a_task_is_told_of_how_its_inputs_came_to_be_decides_whether_it_is_fresh() {
    let directory = tempfile::tempdir().unwrap();
    let tables = "[[x]]\nid = 'a'\ncontent = 'always the same'\nreads = ['source']\n[[y]]\nid = 'b'\ntakes = [{ kinds = ['x'] }]\n\
                  [[z]]\nid = 'told'\ntakes = [{ kinds = ['y'] }]\nsin = 'trace'\n[[y]]\nid = 'untold'\ntakes = [{ kinds = ['x'] }]\n";
    let check = |source: &str, expect: Expect| {
        std::fs::write(directory.path().join("source"), source).unwrap();
        expect.assert_eq(&play(directory.path(), tables, AfterFailure::GoOn).0);
    };
    check(
        "one",
        expect![[r#"
        x:a: done
        y:b: done
        z:told: done
        y:untold: done
    "#]],
    );
    check(
        "one",
        expect![[r#"
        x:a: fresh
        y:b: fresh
        z:told: fresh
        y:untold: fresh
    "#]],
    );
    check(
        "another",
        expect![[r#"
        x:a: done
        y:b: fresh
        z:told: done
        y:untold: fresh
    "#]],
    );
    let told = std::fs::read_to_string(directory.path().join("dist/told")).unwrap();
    let told: forge_schemas::Trace = serde_json::from_str(&told).unwrap();
    let tasks: Vec<String> =
        told.tasks.iter().map(|it| format!("{} of {:?} {}", it.task, it.takes, it.makes[0].name)).collect();
    assert_eq!(tasks, ["x:a of [] a", "y:b of [\"a\"] b", "y:untold of [\"a\"] untold"]);
    assert!(told.tasks[0].sources.is_some() && told.tasks[1].sources.is_none());
}
