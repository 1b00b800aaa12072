//! What is wrong with what users say about a bucket.
//! Does not know which names its owner takes.

use forge_plugin::Host;
use forge_plugin::schemas::{Failure, Problem};
use object_store::path::Path;

use super::Wanted;
use crate::table::address;

/// What is wrong with the keys of objects, and with what is said about them.
pub fn of<S>(wanted: &Wanted<S>) -> Vec<Problem> {
    // One template makes all keys, so that the first bad one tells what is wrong with it.
    let key = wanted.files.iter().find_map(|it| bad_key(&it.address));
    key.into_iter().chain(wanted.cache_control.iter().filter_map(|it| bad_cache_control(it))).collect()
}

/// What is wrong with the address of a store. The example is a good one.
pub fn bad_endpoint(text: &str, example: &str) -> Option<Problem> {
    let bad = address::base(text).err()?;
    Some(bad.problem("endpoint", "a store", &format!("endpoint = \"{example}\"")))
}

/// A secret that gets into the head of a request: the crate has no patience with what can't stand there.
pub fn secret(name: &str, what: &str, host: &dyn Host) -> Result<String, Failure> {
    let secret = host.secret(name)?.trim().to_owned();
    let is_one = !secret.is_empty() && secret.chars().all(|it| it.is_ascii_graphic());
    is_one.then_some(secret).ok_or_else(|| Failure::input(format!("the secret `{name}` is no {what}")))
}

/// The crate has no patience with other letters in what browsers are told, either.
fn bad_cache_control(told: &str) -> Option<Problem> {
    let is_good = told.chars().all(|it| it == ' ' || it.is_ascii_graphic());
    (!is_good).then(|| Problem::at_key("cache_control", "browsers and caches are told in plain letters (ASCII) alone"))
}

fn bad_key(key: &str) -> Option<Problem> {
    let why = match Path::parse(key) {
        Ok(_) if !key.is_empty() => return None,
        Ok(_) => "it is empty".to_owned(),
        Err(error) => error.to_string(),
    };
    Some(Problem::at_key("path", format!("nothing can be called `{key}` in a bucket: {why}")))
}
