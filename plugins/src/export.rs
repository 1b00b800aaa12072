//! The plugin's side of the line: makes the C table out of pipes, and answers the methods.
//! Does not know who calls: the host in this executable, or one that has mapped us.

use std::collections::BTreeSet;
use std::ffi::c_void;

use forge_schemas::{Failure, PipeInfo, Plan, PlanReply, PluginInfo, Probe, ProbeReply, Run, Takes, TakesReply};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::abi::{CallId, HostV1, MAJOR, MINOR, PluginV1, Status, Str};
use crate::guest::{HostTable, Line, RunningHost};
use crate::manifest::Manifest;
use crate::panics::caught;
use crate::refusal::Refusal;
use crate::{Given, Pipe, Wants, message, settings};

/// Makes `pub extern "C" fn forge_plugin() -> *const PluginV1` of some pipes: what is linked in, or given to
/// [`entry!`](crate::entry). The version is that of the crate it stands in. What comes with forge and must match it
/// says `build: Some(forge_plugin::BUILD_ID)` between the two.
///
/// ```
/// # use forge_plugin::{Given, Host, Pipe, Wants, schemas::*};
/// # struct Sign;
/// # impl Pipe for Sign {
/// #     const NAME: &'static str = "sign";
/// #     const SUMMARY: &'static str = "Signs";
/// #     type Settings = u8;
/// #     type Params = u8;
/// #     fn makes() -> Vec<KindInfo> { Vec::new() }
/// #     fn takes(_: &u8) -> Result<Wants, Vec<Problem>> { Ok(Wants::default()) }
/// #     fn plan(_: &u8, _: &Given<'_>) -> Result<Vec<Step>, Vec<Problem>> { Ok(Vec::new()) }
/// #     fn run(_: &u8, _: &Step, _: &dyn Host) -> Result<(), Failure> { Ok(()) }
/// # }
/// forge_plugin::export! { name: "acme-sign", pipes: [Sign] }
/// forge_plugin::entry!(forge_plugin);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! export {
    (name: $name:expr, pipes: [$($pipe:ty),* $(,)?] $(,)?) => {
        $crate::export! { name: $name, build: ::core::option::Option::None, pipes: [$($pipe),*] }
    };
    (name: $name:expr, build: $build:expr, pipes: [$($pipe:ty),* $(,)?] $(,)?) => {
        /// The table of this plugin (plugin ABI 1).
        pub extern "C" fn forge_plugin() -> *const $crate::abi::PluginV1 {
            const MANIFEST: $crate::manifest::Manifest = $crate::manifest::Manifest {
                name: $name,
                version: ::core::env!("CARGO_PKG_VERSION"),
                build: $build,
                pipes: &[$(<$pipe as $crate::Pipe>::NAME),*],
            };
            struct Table;
            impl $crate::export::Exports for Table {
                const MANIFEST: $crate::manifest::Manifest = MANIFEST;
                const PIPES: &'static [$crate::export::PipeTable] = &[$($crate::export::PipeTable::of::<$pipe>()),*];
            }
            static BYTES: [u8; MANIFEST.size()] = MANIFEST.bytes();
            static PLUGIN: $crate::abi::PluginV1 = $crate::export::table::<Table>(&BYTES);
            &raw const PLUGIN
        }
    };
}

/// Exports a plugin from a shared library: the one symbol that forge looks for. In a crate of type `cdylib`.
#[macro_export]
macro_rules! entry {
    ($plugin:path) => {
        /// What forge looks for in a library (plugin ABI 1).
        #[unsafe(no_mangle)]
        pub extern "C" fn forge_plugin_entry_v1() -> *const $crate::abi::PluginV1 {
            $plugin()
        }
    };
}

/// What [`export!`](crate::export) gives to [`table`].
pub trait Exports {
    /// What the plugin says of itself.
    const MANIFEST: Manifest;
    /// Its pipes.
    const PIPES: &'static [PipeTable];
}

/// The functions of one pipe, its types gone.
pub struct PipeTable {
    name: &'static str,
    needs: &'static [&'static str],
    describe: fn() -> PipeInfo,
    takes: fn(&Takes) -> TakesReply,
    plan: fn(&Plan, Line) -> PlanReply,
    run: fn(&Run, Line) -> Result<(), Failure>,
    probe: fn(Probe, Line) -> Result<ProbeReply, Failure>,
}

/// The C table of a plugin.
pub const fn table<E: Exports>(manifest: &'static [u8]) -> PluginV1 {
    PluginV1 {
        struct_size: size_of::<PluginV1>() as u32,
        abi_major: MAJOR,
        abi_minor: MINOR,
        min_host_minor: 0,
        reserved0: 0,
        reserved1: 0,
        flags: 0,
        manifest: Str::of(manifest),
        init: Some(init::<E>),
        call: Some(call),
        fini: Some(fini),
    }
}

impl PipeTable {
    /// The functions of `P`.
    pub const fn of<P: Pipe>() -> PipeTable {
        PipeTable {
            name: P::NAME,
            needs: P::NEEDS,
            describe: describe::<P>,
            takes: takes::<P>,
            plan: plan::<P>,
            run: run::<P>,
            probe: probe::<P>,
        }
    }
}

/// What `init` makes and every call is given.
struct State {
    host: HostTable,
    manifest: Manifest,
    pipes: &'static [PipeTable],
}

unsafe extern "C" fn init<E: Exports>(host: *const HostV1, _: CallId, state: *mut *mut c_void) -> Status {
    // SAFETY: the host answers for the pointer, which it keeps valid as long as the process lives.
    let Some(host) = (unsafe { HostTable::new(host) }) else {
        return Status::INCOMPATIBLE;
    };
    let made = Box::new(State { host, manifest: E::MANIFEST, pipes: E::PIPES });
    // SAFETY: the host gives room for one pointer.
    unsafe { *state = Box::into_raw(made).cast() };
    Status::OK
}

unsafe extern "C" fn call(state: *mut c_void, call: CallId, method: Str, request: Str) -> Status {
    // SAFETY: `init` made it, `fini` was not called yet, and calls only read it.
    let state = unsafe { &*state.cast::<State>() };
    // SAFETY: both are valid until this function returns (M2).
    let (method, request) = unsafe { (method.bytes(), request.bytes()) };
    let line = state.host.line(call);
    let answer = caught(|| state.answer(line, method, request)).and_then(|answer| answer);
    match answer {
        Ok(body) => line.reply(&body),
        Err(refusal) => {
            line.set_error(&refusal.body());
            refusal.status
        }
    }
}

unsafe extern "C" fn fini(state: *mut c_void) {
    // SAFETY: `init` made it, and this is called once, after all calls have returned.
    drop(unsafe { Box::from_raw(state.cast::<State>()) });
}

impl State {
    fn answer(&self, line: Line, method: Option<&[u8]>, request: Option<&[u8]>) -> Result<Vec<u8>, Refusal> {
        let request = request.unwrap_or_default();
        match method.unwrap_or_default() {
            b"describe" => body(&self.describe()),
            b"takes" => {
                let takes: Takes = request_of("takes", request)?;
                body(&(self.pipe(&takes.table.pipe)?.takes)(&takes))
            }
            b"plan" => {
                let plan: Plan = request_of("plan", request)?;
                body(&(self.pipe(&plan.table.pipe)?.plan)(&plan, line))
            }
            b"run" => {
                let run: Run = request_of("run", request)?;
                (self.pipe(&run.table.pipe)?.run)(&run, line)?;
                Ok(b"{}".to_vec())
            }
            b"probe" => {
                let probe: Probe = request_of("probe", request)?;
                body(&(self.pipe(&probe.table.pipe)?.probe)(probe, line)?)
            }
            other => Err(unknown("method", &String::from_utf8_lossy(other))),
        }
    }

    fn describe(&self) -> PluginInfo {
        PluginInfo {
            name: self.manifest.name.to_owned(),
            version: self.manifest.version.to_owned(),
            build: self.manifest.build.map(ToOwned::to_owned),
            needs: self.needs(),
            pipes: self.pipes.iter().map(|pipe| (pipe.describe)()).collect(),
        }
    }

    /// What its pipes can't do without, sorted.
    fn needs(&self) -> Vec<String> {
        let needs: BTreeSet<&str> = self.pipes.iter().flat_map(|pipe| pipe.needs).copied().collect();
        needs.into_iter().map(ToOwned::to_owned).collect()
    }

    fn pipe(&self, name: &str) -> Result<&'static PipeTable, Refusal> {
        self.pipes.iter().find(|pipe| pipe.name == name).ok_or_else(|| unknown("pipe", name))
    }
}

fn describe<P: Pipe>() -> PipeInfo {
    PipeInfo {
        name: P::NAME.to_owned(),
        summary: P::SUMMARY.to_owned(),
        settings: schemars::schema_for!(P::Settings).to_value(),
        makes: P::makes(),
    }
}

fn takes<P: Pipe>(takes: &Takes) -> TakesReply {
    let settings = settings::of_table::<P>(&takes.settings);
    match settings.and_then(|settings| Ok((P::takes(&settings)?, P::makes_here(&settings)))) {
        Ok((Wants { selectors, sources }, makes)) => TakesReply { selectors, sources, makes, problems: Vec::new() },
        Err(problems) => TakesReply { problems, ..TakesReply::default() },
    }
}

fn plan<P: Pipe>(plan: &Plan, line: Line) -> PlanReply {
    let Plan { table, settings, facts, offers, sources } = plan;
    let given = Given { table, facts, offers, sources, renderer: &line };
    match settings::of_table::<P>(settings).and_then(|settings| P::plan(&settings, &given)) {
        Ok(steps) => PlanReply { steps, problems: Vec::new() },
        Err(problems) => PlanReply { problems, ..PlanReply::default() },
    }
}

fn run<P: Pipe>(run: &Run, line: Line) -> Result<(), Failure> {
    P::run(&settings::of_step::<P>(&run.step)?, &run.step, &RunningHost::new(line, run))
}

fn probe<P: Pipe>(probe: Probe, line: Line) -> Result<ProbeReply, Failure> {
    let Probe { table, step, inputs, host } = probe;
    let run = Run { table, step, inputs, host, found: Vec::new() };
    let found = P::probe(&settings::of_step::<P>(&run.step)?, &run.step, &RunningHost::new(line, &run))?;
    Ok(ProbeReply { found })
}

fn request_of<M: DeserializeOwned>(method: &str, request: &[u8]) -> Result<M, Refusal> {
    message::read(request, format_args!("the request of `{method}`"))
}

fn body(answer: &impl Serialize) -> Result<Vec<u8>, Refusal> {
    message::write(answer, "the answer")
}

fn unknown(what: &str, name: &str) -> Refusal {
    Refusal::new(Status::UNIMPLEMENTED, format!("the plugin has no {what} `{name}`"))
}
