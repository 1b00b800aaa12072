//! A plugin in Rust that does what no plugin should; its table says what: `[[evil]] mode = "abort"`.
//! Does not do what the SDK makes impossible: a host can't outlive its call, and what it says is UTF-8.

use std::fs;
use std::panic::panic_any;
use std::path::PathBuf;

use forge_plugin::schemas::{Emit, Failure, KindInfo, Level, Output, Problem, Step};
use forge_plugin::{Given, Host, Pipe, Wants};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Misbehaves.
struct Evil;

/// What it does.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// How it misbehaves.
    mode: String,
}

/// A payload that panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic_any(7);
    }
}

impl Pipe for Evil {
    const NAME: &'static str = "evil";
    const SUMMARY: &'static str = "Misbehaves in Rust";
    type Settings = Settings;
    type Params = Settings;

    fn makes() -> Vec<KindInfo> {
        vec![KindInfo {
            name: "evil.file".to_owned(),
            detail: json!({ "type": "object" }),
            role: forge_plugin::schemas::kind::Role::Part,
        }]
    }

    fn takes(_: &Settings) -> Result<Wants, Vec<Problem>> {
        Ok(Wants::default())
    }

    fn plan(settings: &Settings, _: &Given<'_>) -> Result<Vec<Step>, Vec<Problem>> {
        assert!(settings.mode != "panic_planning", "no plan");
        let name = format!("made-by-{}", settings.mode);
        let makes = vec![Output { name, kind: "evil.file".to_owned(), platform: None, detail: json!({}) }];
        Ok(vec![Step { makes, params: json!(settings), ..Step::default() }])
    }

    fn run(params: &Settings, step: &Step, host: &dyn Host) -> Result<(), Failure> {
        misbehave(&params.mode, host)?;
        let path = host.dir().join("made");
        let write = || fs::write(&path, "made\n").map_err(|error| Failure::file("write", &path, &error));
        write()?;
        match params.mode.as_str() {
            "nothing" => Ok(()),
            "undeclared" => emit("something-else", path, host),
            "twice" => {
                emit(&step.makes[0].name, path.clone(), host)?;
                write()?;
                emit(&step.makes[0].name, path, host)
            }
            "outside" => emit(&step.makes[0].name, "/etc/passwd".into(), host),
            _ => emit(&step.makes[0].name, path, host),
        }
    }
}

fn misbehave(mode: &str, host: &dyn Host) -> Result<(), Failure> {
    match mode {
        "panic" => panic!("no more"),
        "panic_with_a_bomb" => panic_any(Bomb),
        "panic_in_a_thread" => std::thread::scope(|scope| drop(scope.spawn(|| panic!("in a thread")))),
        "abort" => std::process::abort(),
        "exit" => std::process::exit(0),
        "overflow" => drop(overflow(&[0; 4096])),
        "segv" => {
            // SAFETY: there is none, which is the point: nothing lies at this address, and the process ends here.
            unsafe { std::ptr::without_provenance_mut::<u8>(8).write_volatile(1) }
        }
        // More than a process can have.
        "out_of_memory" => drop(std::hint::black_box(Vec::<u8>::with_capacity(1 << 50))),
        "deaf" => loop {
            std::thread::yield_now();
        },
        "claims" => return Err(Failure::input("x".repeat(65 << 20))),
        "noise" => (0..20_000).for_each(|line| {
            let _ = std::io::Write::write_all(&mut std::io::stdout(), format!("noise {line}\n").as_bytes());
        }),
        "log" => (0..10_000).for_each(|line| host.log(Level::Info, &format!("line {line}\nand another"))),
        _ => {}
    }
    Ok(())
}

#[expect(unconditional_recursion, reason = "it is to end badly")]
fn overflow(before: &[u8; 4096]) -> u8 {
    let here = std::hint::black_box(*before);
    overflow(&here).wrapping_add(here[1])
}

fn emit(name: &str, path: PathBuf, host: &dyn Host) -> Result<(), Failure> {
    host.emit(&Emit { name: name.to_owned(), path, blobs: Vec::new(), detail: json!({}) }).map(drop)
}

forge_plugin::export! { name: "evil", pipes: [Evil] }
forge_plugin::entry!(forge_plugin);
