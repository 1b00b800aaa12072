//! From a library that was judged to a plugin that answers, step by step; each step can refuse, with its own words.
//! Does not know pipes beyond their names.

use std::error::Error as _;
use std::ffi::{c_int, c_void};
use std::path::Path;
use std::ptr;
use std::sync::{Mutex, OnceLock};

use forge_schemas::{Describe, Digest, Hello, PluginInfo};
use libloading::os::unix::{self, RTLD_LOCAL, RTLD_NOW};

use super::copy::Copy;
use super::error::LoadError;
use super::manifest::{self, Manifest};
use super::services::{self, Nothing};
use super::{Open, Peer, Plugin, ask, calls, maps};
use crate::abi::{self, Entry, HostV1, Init, MAJOR, MINOR, MUST_UNDERSTAND, PluginV1, SERIAL, Status};
use crate::refusal::Refusal;

const ENTRY: &str = "forge_plugin_entry_v";
/// What to say of a plugin that breaks the line's rules.
const TELL: &str = "tell the plugin's author";

/// Keeps a library mapped whatever happens; the C library's own number.
#[cfg(target_os = "macos")]
const RTLD_NODELETE: c_int = 0x80;
#[cfg(not(target_os = "macos"))]
const RTLD_NODELETE: c_int = 0x1000;

/// Maps a library that was judged by this manifest, which stands in it like this, and starts it.
pub(super) fn load(copy: &Copy, manifest: &Manifest, marked: &[u8]) -> Result<Plugin, LoadError> {
    load_for(copy, manifest, marked, &calls::HOST)
}

/// The same for bytes that come from elsewhere, in a process that has nothing else in it.
pub(super) fn load_alone(bytes: &[u8]) -> Result<Plugin, LoadError> {
    maps::check()?;
    let (manifest, marked) = manifest::find(bytes)?;
    manifest.judge(&abi::platform())?;
    load_for(&Copy::of(bytes), &manifest, marked, &calls::HOST_OF_ONE)
}

/// Maps the library at `path` where it lies, and starts it if it is of this build.
pub(super) fn load_of_build(path: &Path, build: &str) -> Result<Plugin, LoadError> {
    maps::check()?;
    let table = check_table(map(path)?())?;
    let (manifest, _) = manifest::find(manifest_of(table)?)?;
    manifest.judge(&maps::platform())?;
    manifest.check_build(build)?;
    start(table, &manifest, &calls::HOST)
}

fn load_for(copy: &Copy, manifest: &Manifest, marked: &[u8], host: &'static HostV1) -> Result<Plugin, LoadError> {
    maps::check()?;
    check_runtime(manifest, copy.bytes())?;
    let table = check_table(map_copy(copy)?())?;
    if manifest_of(table)? != marked {
        return Err(LoadError::new("the manifest that it hands out is not the one in the file").help(TELL));
    }
    start(table, manifest, host)
}

/// A process has one runtime of Go: a second one, which another library would bring, is not supported by Go.
fn check_runtime(manifest: &Manifest, bytes: &[u8]) -> Result<(), LoadError> {
    static GO: OnceLock<Digest> = OnceLock::new();
    if manifest.runtime.as_deref() != Some("go") {
        return Ok(());
    }
    let digest = Digest::of(bytes);
    match *GO.get_or_init(|| digest) == digest {
        true => Ok(()),
        false => Err(LoadError::new("it is in Go, and another plugin in Go is in this process")
            .help("let one of them live in a child: leave out its `isolation`")),
    }
}

/// Starts a plugin that is linked in.
pub(super) fn linked(entry: Entry) -> Result<Plugin, LoadError> {
    let table = check_table(entry())?;
    let (manifest, _) = manifest::find(manifest_of(table)?)?;
    manifest.judge(&abi::platform())?;
    start(table, &manifest, &calls::HOST)
}

/// Maps the copy for ever, and finds the entry.
fn map_copy(copy: &Copy) -> Result<Entry, LoadError> {
    let named = copy.named().map_err(|error| LoadError::new(format!("can't be copied to be loaded: {error}")))?;
    let entry = map(named.path());
    // Also where there is no entry in it: it is mapped.
    named.keep();
    entry
}

/// Maps a file for ever, and finds the entry.
fn map(path: &Path) -> Result<Entry, LoadError> {
    // SAFETY: its constructors run now. Its manifest says that it is a plugin for this platform, or it lies where what comes
    // with forge does, and the user that it is to be trusted; more cannot be known.
    let library = unsafe { unix::Library::open(Some(path), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) }
        .map_err(|error| LoadError::new(format!("the system can't load it: {}", reason(&error, path))))?;
    let entry = symbol(&library, MAJOR).map(|symbol| {
        // SAFETY: a symbol of this name is a function of this type (plugin ABI 1).
        unsafe { std::mem::transmute::<*mut c_void, Entry>(symbol) }
    });
    let newer = || (MAJOR + 1..10).find(|major| symbol(&library, *major).is_some());
    let result = entry.ok_or_else(|| no_entry(newer()));
    std::mem::forget(library);
    result
}

/// What the system says, without the name of the file: that of a copy means nothing to anyone.
fn reason(error: &libloading::Error, path: &Path) -> String {
    let text = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    text.replace(&format!("{}: ", path.display()), "")
}

fn symbol(library: &unix::Library, major: u16) -> Option<*mut c_void> {
    // SAFETY: only its address is asked for.
    let symbol = unsafe { library.get::<*mut c_void>(format!("{ENTRY}{major}").as_str()) }.ok()?;
    Some(symbol.as_raw_ptr()).filter(|address| !address.is_null())
}

fn no_entry(newer: Option<u16>) -> LoadError {
    match newer {
        Some(major) => {
            LoadError::new(format!("it has an entry for plugin ABI {major} only, this forge speaks {MAJOR}"))
                .help(format!("update forge, or install a build of the plugin for ABI {MAJOR}"))
        }
        None => LoadError::new(format!("it does not export `{ENTRY}{MAJOR}`")).help(TELL),
    }
}

/// Checks a table without reading more of it than is there.
fn check_table(table: *const PluginV1) -> Result<&'static PluginV1, LoadError> {
    let wrong = |what: String| Err(LoadError::new(what).help(TELL));
    if table.is_null() || !table.is_aligned() {
        return wrong("its entry hands out no table".to_owned());
    }
    // SAFETY: the first eight bytes are the same in every version of the line.
    let (size, major) = unsafe { ((*table).struct_size, (*table).abi_major) };
    if major != MAJOR {
        return wrong(format!("its table is of plugin ABI {major}, this forge speaks {MAJOR}.{MINOR}"));
    }
    if (size as usize) < size_of::<PluginV1>() {
        return wrong(format!("its table has {size} bytes, and must have {}", size_of::<PluginV1>()));
    }
    // SAFETY: it is as large as the struct that we know, and constant as long as the process lives (M5).
    let table = unsafe { &*table };
    if table.min_host_minor > MINOR {
        return Err(LoadError::new(format!(
            "it needs plugin ABI {MAJOR}.{}, this forge speaks {MAJOR}.{MINOR}",
            table.min_host_minor
        ))
        .help("update forge"));
    }
    if table.flags & MUST_UNDERSTAND != 0 {
        let flags = table.flags & MUST_UNDERSTAND;
        return Err(LoadError::new(format!(
            "it asks for what this forge can't do (flags {flags:#x}): it was made for plugin ABI {MAJOR}.{}, this forge \
             speaks {MAJOR}.{MINOR}",
            table.abi_minor
        ))
        .help("update forge"));
    }
    if table.init.is_none() || table.call.is_none() || table.fini.is_none() {
        return wrong("a function of its table is missing".to_owned());
    }
    Ok(table)
}

fn manifest_of(table: &'static PluginV1) -> Result<&'static [u8], LoadError> {
    // SAFETY: the manifest is a constant of the plugin (M5).
    let bytes = unsafe { table.manifest.bytes() };
    bytes.ok_or_else(|| LoadError::new("its table has no manifest").help(TELL))
}

/// `init`, `describe`, and whether all that was said fits together.
fn start(table: &'static PluginV1, manifest: &Manifest, host: &'static HostV1) -> Result<Plugin, LoadError> {
    let Some(init) = table.init else {
        return Err(LoadError::new("a function of its table is missing").help(TELL));
    };
    let state = initialize(init, host).map_err(|refusal| refused("init", &refusal))?;
    let one_at_a_time = (table.flags & SERIAL != 0).then(|| Mutex::new(()));
    let open = Open { table, state, one_at_a_time };
    let info = describe(&open).map_err(|refusal| refused("describe", &refusal))?;
    check_info(manifest, &info)?;
    check_needs(manifest, &info)?;
    Ok(Plugin::new(manifest, info, Box::new(open)))
}

fn initialize(init: Init, host: &'static HostV1) -> Result<*mut c_void, Refusal> {
    let mut state = ptr::null_mut();
    let ended = calls::run(&Nothing, |call| {
        // SAFETY: the host is a constant; there is room for the state.
        unsafe { init(host, call, &raw mut state) }
    });
    ended.body().map(|_| state)
}

/// What a plugin says of itself.
pub(super) fn describe(peer: &dyn Peer) -> Result<PluginInfo, Refusal> {
    let services = services::NAMES.iter().map(|name| (*name).to_owned()).collect();
    let abi = format!("{MAJOR}.{MINOR}");
    let host = Hello { version: env!("CARGO_PKG_VERSION").to_owned(), abi, services };
    ask(peer, "describe", &Describe { host }, &Nothing)
}

fn refused(method: &str, refusal: &Refusal) -> LoadError {
    let text = &refusal.failure.message;
    match refusal.status {
        Status::INCOMPATIBLE => {
            LoadError::new(format!("it refuses this forge: {text}")).help("update forge or the plugin")
        }
        _ => LoadError::new(format!("its `{method}` failed: {text}")).help(TELL),
    }
}

pub(super) fn check_info(manifest: &Manifest, info: &PluginInfo) -> Result<(), LoadError> {
    let described: Vec<&str> = info.pipes.iter().map(|pipe| pipe.name.as_str()).collect();
    let differs = |what: &str, manifest: &str, described: &str| {
        Err(LoadError::new(format!("its manifest says {what} `{manifest}`, and it describes itself as `{described}`"))
            .help(TELL))
    };
    if manifest.name != info.name {
        return differs("name", &manifest.name, &info.name);
    }
    if manifest.version != info.version {
        return differs("version", &manifest.version, &info.version);
    }
    if manifest.pipes != described {
        return differs("pipes", &manifest.pipes.join(", "), &described.join(", "));
    }
    Ok(())
}

fn check_needs(manifest: &Manifest, info: &PluginInfo) -> Result<(), LoadError> {
    let Some(missing) = info.needs.iter().find(|need| !services::NAMES.contains(&need.as_str())) else {
        return Ok(());
    };
    let Manifest { name, version, abi, .. } = manifest;
    Err(LoadError::new(format!(
        "plugin `{name}` {version} (plugin ABI {abi}) needs the service `{missing}`, which forge {} (plugin ABI \
         {MAJOR}.{MINOR}) does not have",
        env!("CARGO_PKG_VERSION")
    ))
    .help("update forge, or install an older version of the plugin"))
}
