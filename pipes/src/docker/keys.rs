//! An image made by keys of its table, without a Dockerfile.
//! Does not know where the keys stand in the file: problems name them.

use forge_plugin::schemas::{Place, Platform, Problem, Read};
use forge_plugin::{Given, PlatformNames, Template};

use crate::docker::base::Base;
use crate::docker::context::Context;
use crate::docker::making::{Making, Named, On, Stage};
use crate::docker::recipe::{Argv, Change, Copy, Instruction, Layer, Permissions, Source};
use crate::docker::render_map;
use crate::docker::settings::{File, Settings};
use crate::docker::values::{mode, port, stop_signal};

const BIN_DIR: &str = "/usr/local/bin";
/// Directories that are the same in every base, so that nobody need look.
const PLAIN: [&str; 2] = ["", BIN_DIR];

/// How the keys want the image made.
pub fn making(
    settings: &Settings,
    given: &Given<'_>,
    platform: &Platform,
    context: &Context,
) -> Result<Making, Vec<Problem>> {
    let names = &PlatformNames::from(platform);
    let mut reader = Keys { settings, given, names, reads: Vec::new(), instructions: Vec::new(), problems: Vec::new() };
    let base = reader.base();
    reader.files();
    let programs = reader.binaries(context);
    reader.runtime();
    reader.start(programs);
    match base {
        Some((base, text)) if reader.problems.is_empty() => {
            let Keys { instructions, reads, .. } = reader;
            let on = if base == Base::Scratch { On::Scratch } else { On::Base(0) };
            let named = Named { base, text, platform: platform.clone(), place: Place::Key("base".to_owned()) };
            let bases = if on == On::Scratch { Vec::new() } else { vec![named] };
            let image = Stage { name: String::new(), platform: platform.clone(), on, instructions, reads };
            Ok(Making { bases, downloads: Vec::new(), stages: vec![image], except: Vec::new() })
        }
        _ => Err(reader.problems),
    }
}

struct Keys<'a> {
    settings: &'a Settings,
    given: &'a Given<'a>,
    names: &'a PlatformNames,
    reads: Vec<Read>,
    instructions: Vec<Instruction>,
    problems: Vec<Problem>,
}

impl Keys<'_> {
    fn base(&mut self) -> Option<(Base, String)> {
        let text = match &self.settings.base {
            Some(template) => self.text("base", template)?,
            None => "scratch".to_owned(),
        };
        match Base::parse(&text) {
            Ok(base) => Some((base, text)),
            Err(bad) => {
                self.problems.push(Problem { help: bad.help, ..Problem::at_key("base", bad.message) });
                None
            }
        }
    }

    /// All files are one layer, below that of the binaries: they change less often.
    fn files(&mut self) {
        let settings = self.settings;
        let mut copies = Vec::new();
        for (at, file) in settings.files.iter().enumerate() {
            copies.extend(self.file(&format!("files[{at}]"), file));
        }
        if !copies.is_empty() {
            let to: Vec<&str> = copies.iter().map(|copy: &Copy| copy.to.as_str()).collect();
            self.add(format!("COPY files {}", to.join(" ")), Change::Copy(copies));
        }
    }

    fn file(&mut self, key: &str, file: &File) -> Option<Copy> {
        let src_key = format!("{key}.src");
        let src = self.text(&src_key, &file.src)?;
        let to = self.text(&format!("{key}.dst"), &file.dst)?;
        if !to.starts_with('/') {
            let problem = Problem::at_key(format!("{key}.dst"), format!("`{to}` is not an absolute path"));
            self.problems.push(problem.help(format!("write `/{to}`")));
        }
        let permissions = match file.mode.as_deref().map(mode) {
            Some(Err(message)) => {
                let problem = Problem::at_key(format!("{key}.mode"), message);
                self.problems.push(problem.help("write it in octal, as in `\"0644\"`"));
                Permissions::Kept
            }
            Some(Ok(mode)) => Permissions::OfFiles(mode),
            None => Permissions::Kept,
        };
        // Binaries have their own key; a file of the project is meant here, whatever it is called.
        let empty = Context::new(&self.names.platform.parse().ok()?, []);
        match empty.find(&src) {
            Ok(sources) => {
                let paths =
                    sources.iter().filter_map(|it| if let Source::Project(path) = it { Some(path) } else { None });
                let place = Place::Key(src_key);
                self.reads.extend(paths.map(|path| Read::all(path, place.clone())));
                let layer = if self.settings.link == Some(true) { Layer::OfItsOwn } else { Layer::OnTop };
                Some(Copy { permissions, layer, ..Copy::plain(sources, to) })
            }
            Err(message) => {
                let problem = Problem::at_key(src_key, message);
                self.problems.push(problem.help("name the files and directories that the image needs"));
                None
            }
        }
    }

    /// The layer of the binaries. Answers where they are.
    fn binaries(&mut self, context: &Context) -> Vec<String> {
        let settings = self.settings;
        let dir = match &settings.bin_dir {
            Some(template) => self.text("bin_dir", template).unwrap_or_else(|| BIN_DIR.to_owned()),
            None => BIN_DIR.to_owned(),
        };
        if !dir.starts_with('/') {
            let problem = Problem::at_key("bin_dir", format!("`{dir}` is not an absolute path"));
            self.problems.push(problem.help(format!("write `/{dir}`")));
        }
        let dir = dir.trim_end_matches('/').to_owned();
        let sources = context.binaries();
        let file_names = sources.iter().filter_map(|source| match source {
            Source::Input { file_name, .. } => Some(file_name.clone()),
            _ => None,
        });
        let file_names: Vec<String> = file_names.collect();
        if !sources.is_empty() {
            let is_apart = settings.link.unwrap_or_else(|| PLAIN.contains(&dir.as_str()));
            let layer = if is_apart { Layer::OfItsOwn } else { Layer::OnTop };
            let permissions = Permissions::OfFiles(0o755);
            let copy = Copy { permissions, layer, ..Copy::plain(sources, format!("{dir}/")) };
            self.add(format!("COPY {} {dir}/", file_names.join(" ")), Change::Copy(vec![copy]));
        }
        file_names.into_iter().map(|file_name| format!("{dir}/{file_name}")).collect()
    }

    fn runtime(&mut self) {
        let settings = self.settings;
        match render_map("env", &settings.env, self.given, self.names) {
            Ok(env) => {
                for (name, value) in env {
                    self.add(format!("ENV {name}={value}"), Change::Env(vec![(name, value.as_str().into())]));
                }
            }
            Err(problems) => self.problems.extend(problems),
        }
        if let Some(dir) = settings.workdir.as_ref().and_then(|it| self.text("workdir", it)) {
            self.add(format!("WORKDIR {dir}"), Change::Workdir(dir));
        }
        if let Some(user) = settings.user.as_ref().and_then(|it| self.text("user", it)) {
            self.add(format!("USER {user}"), Change::User(user));
        }
        self.ports();
        if !settings.volumes.is_empty() {
            self.add(format!("VOLUME {}", settings.volumes.join(" ")), Change::Volume(settings.volumes.clone()));
        }
        if let Some(signal) = &settings.stop_signal {
            match stop_signal(signal) {
                Ok(()) => self.add(format!("STOPSIGNAL {signal}"), Change::StopSignal(signal.clone())),
                Err(message) => {
                    let problem = Problem::at_key("stop_signal", message);
                    self.problems.push(problem.help("write its name or its number, as in `\"SIGINT\"`"));
                }
            }
        }
    }

    fn ports(&mut self) {
        let mut ports = Vec::new();
        for (at, text) in self.settings.ports.iter().enumerate() {
            match port(text) {
                Ok(more) => ports.extend(more),
                Err(message) => {
                    let problem = Problem::at_key(format!("ports[{at}]"), message);
                    self.problems.push(problem.help("write a port as in `\"8080\"` or `\"53/udp\"`"));
                }
            }
        }
        if !ports.is_empty() {
            self.add(format!("EXPOSE {}", ports.join(" ")), Change::Expose(ports));
        }
    }

    fn start(&mut self, programs: Vec<String>) {
        let settings = self.settings;
        let entrypoint = match (&settings.entrypoint, programs.as_slice()) {
            (Some(argv), _) => Some(self.texts("entrypoint", argv)),
            (None, [program]) => Some(vec![program.clone()]),
            (None, [_, _, ..]) if settings.cmd.is_none() => {
                let problem = Problem::at_key("", format!("none of {} programs is the entrypoint", programs.len()));
                let shown: Vec<String> = programs.iter().map(|it| format!("`{it}`")).collect();
                self.problems.push(problem.help(format!("set `entrypoint`; there are {}", shown.join(", "))));
                None
            }
            _ => None,
        };
        if let Some(argv) = entrypoint {
            self.add(format!("ENTRYPOINT {argv:?}"), Change::Entrypoint(Argv::Exec(argv)));
        }
        if let Some(argv) = &settings.cmd {
            let argv = self.texts("cmd", argv);
            self.add(format!("CMD {argv:?}"), Change::Cmd(Argv::Exec(argv)));
        }
    }

    fn texts(&mut self, key: &str, templates: &[Template]) -> Vec<String> {
        templates.iter().enumerate().filter_map(|(at, it)| self.text(&format!("{key}[{at}]"), it)).collect()
    }

    fn text(&mut self, key: &str, template: &Template) -> Option<String> {
        self.given.render(key, template, self.names).map_err(|problem| self.problems.push(problem)).ok()
    }

    fn add(&mut self, created_by: String, change: Change) {
        self.instructions.push(Instruction { created_by, change });
    }
}
