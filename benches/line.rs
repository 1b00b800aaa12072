//! A call of a plugin in this process, and of the same plugin in a child, one after the other, round by round: of all rounds the
//! best, which a machine that is busy with others comes near to as well, and the median.
//! Does not know forge's pipes: it calls a plugin of the tests. `benches/plugins.py` starts it.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark that says what it measured")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use forge_plugin::schemas::{TableName, Takes};
use forge_plugin::{Library, Nursery, Plugin};
use serde_json::json;

const ROUNDS: usize = 101;
const SIZES: [(&str, usize, u32); 2] = [("256 B", 256, 200), ("1 MiB", 1 << 20, 3)];

fn main() {
    let here = open().load().unwrap();
    let nursery = Nursery { program: beside("plugin_host"), env: BTreeMap::new(), timeout: Duration::from_secs(60) };
    let began = Instant::now();
    let child = open().load_in_child(nursery).unwrap();
    println!("a child is started and has loaded the plugin after {:.1} ms", began.elapsed().as_secs_f64() * 1e3);
    for (name, size, calls) in SIZES {
        let takes = request(size);
        let rounds: Vec<(f64, f64)> =
            (0..ROUNDS).map(|_| (call(&here, &takes, calls), call(&child, &takes, calls))).collect();
        let (best_here, here) = best_and_median(rounds.iter().map(|it| it.0));
        let (best_child, child) = best_and_median(rounds.iter().map(|it| it.1));
        println!(
            "a call with {name}: {best_here:.2} us in this process (median {here:.2}), {best_child:.1} us in a child \
             (median {child:.1})"
        );
    }
}

/// A question of so many bytes, that gets a good answer.
fn request(size: usize) -> Takes {
    let of_text =
        |len| Takes { table: TableName::new("echo", "x"), settings: json!({ "text": "x".repeat(len), "act": "fail" }) };
    let around = serde_json::to_vec(&of_text(0)).unwrap().len();
    of_text(size - around)
}

/// What one call takes, in microseconds.
fn call(plugin: &Plugin, takes: &Takes, calls: u32) -> f64 {
    let began = Instant::now();
    for _ in 0..calls {
        plugin.takes(takes).unwrap();
    }
    began.elapsed().as_secs_f64() * 1e6 / f64::from(calls)
}

fn best_and_median(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    (values[0], values[values.len() / 2])
}

fn open() -> Library {
    Library::read(&beside(&format!("{}echo{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX))).unwrap()
}

/// What cargo has built beside this.
fn beside(name: &str) -> PathBuf {
    std::env::current_exe().unwrap().with_file_name(name)
}
