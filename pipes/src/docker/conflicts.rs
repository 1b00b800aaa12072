//! Keys of a `docker` table that do not go together: with a Dockerfile, without one, or with the engine that was chosen.
//! Does not know what the keys are good for.

use forge_plugin::schemas::Problem;

use crate::docker::settings::{Engine, Settings};

/// Keys that say what a Dockerfile says, and keys that only a Dockerfile can use.
pub fn conflicts(settings: &Settings) -> Vec<Problem> {
    let Settings {
        base, files, bin_dir, link, entrypoint, cmd, env, user, workdir, ports, volumes, stop_signal, ..
    } = settings;
    let said = [
        ("base", base.is_some(), "FROM"),
        ("files", !files.is_empty(), "COPY"),
        ("bin_dir", bin_dir.is_some(), "COPY"),
        ("link", link.is_some(), "COPY --link"),
        ("entrypoint", entrypoint.is_some(), "ENTRYPOINT"),
        ("cmd", cmd.is_some(), "CMD"),
        ("env", !env.is_empty(), "ENV"),
        ("user", user.is_some(), "USER"),
        ("workdir", workdir.is_some(), "WORKDIR"),
        ("ports", !ports.is_empty(), "EXPOSE"),
        ("volumes", !volumes.is_empty(), "VOLUME"),
        ("stop_signal", stop_signal.is_some(), "STOPSIGNAL"),
    ];
    let conflict = |(key, _, instruction): (&str, bool, &str)| {
        Problem::at_key(key, format!("`{key}` stands beside `dockerfile`"))
            .help(format!("write `{instruction}` in the Dockerfile, or leave `dockerfile` out"))
    };
    let mut problems: Vec<Problem> = match settings.dockerfile {
        Some(_) => said.into_iter().filter(|(_, is_said, _)| *is_said).map(conflict).collect(),
        None => of_dockerfile(settings),
    };
    if settings.engine == Engine::Native {
        problems.extend(for_engines(settings).into_iter().map(|key| {
            let message = format!("`{key}` is for an engine that runs programs, and forge makes this image itself");
            Problem::at_key(key, message).help("name one by `engine`, or leave it out")
        }));
    }
    problems
}

/// The keys of this table that only an engine has a use for.
fn for_engines(settings: &Settings) -> Vec<&'static str> {
    let Settings { cache, ssh, flags, .. } = settings;
    let said = [
        ("cache.from", !cache.from.is_empty()),
        ("cache.to", !cache.to.is_empty()),
        ("ssh", !ssh.is_empty()),
        ("flags", !flags.is_empty()),
    ];
    said.into_iter().filter(|(_, is_said)| *is_said).map(|(key, _)| key).collect()
}

fn of_dockerfile(settings: &Settings) -> Vec<Problem> {
    let said = [
        ("build_args", !settings.build_args.is_empty(), "only a Dockerfile has `ARG`s"),
        ("contexts", !settings.contexts.is_empty(), "only a Dockerfile has `FROM`; without one, `base` says it"),
        ("target", settings.target.is_some(), "only a Dockerfile has stages"),
        (
            "engine",
            settings.engine.program().is_some(),
            "an engine builds a Dockerfile; without one, forge makes the image itself",
        ),
    ];
    let problem =
        |(key, _, help): (&str, bool, &str)| Problem::at_key(key, format!("`{key}` without `dockerfile`")).help(help);
    said.into_iter().filter(|(_, is_said, _)| *is_said).map(problem).collect()
}
