//! `forge plugins new`: writes the project of a plugin that is to be.
//! Does not build it, and overwrites nothing.

use std::fs;
use std::path::{Path, PathBuf};

use forge_plugin::templates::{TEMPLATES, Template, pipe_of};
use forge_schemas::{Failure, exit};

use super::args::{Arguments, NewPlugin};
use super::output;

/// Writes it into a folder of its name, and says how to go on.
pub fn write(arguments: &Arguments, new: &NewPlugin) -> Result<u8, u8> {
    let NewPlugin { name, lang, sdk } = new;
    let told = |failure: Failure| {
        output::failure(&failure);
        exit::PROJECT
    };
    check_name(name).map_err(told)?;
    let template = TEMPLATES.iter().find(|it| it.language == lang);
    let template = template.ok_or_else(|| told(Failure::input(format!("there is no language `{lang}`"))))?;
    let sdk = sdk.as_deref().map(|dir| sdk_in(&arguments.directory.join(dir), template)).transpose().map_err(told)?;
    let folder = arguments.directory.join(name);
    if folder.exists() {
        return Err(told(Failure::input(format!("`{}` is there already", folder.display())).help("take another name")));
    }
    for (path, text) in template.files(name, sdk.as_deref()) {
        write_file(&folder.join(path), &text).map_err(|failure| output::failure(&failure))?;
    }
    tell(name, template);
    Ok(exit::DONE)
}

fn check_name(name: &str) -> Result<(), Failure> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_name = name.len() <= 64
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.bytes().all(is_plain);
    match is_name {
        true => Ok(()),
        false => Err(Failure::input(format!("`{name}` can't be the name of a plugin"))
            .help("it is of lower-case letters, digits and `-`, and begins with a letter: `acme-upload`")),
    }
}

/// The folder of the crate, absolute, so that the project may be moved.
fn sdk_in(dir: &Path, template: &Template) -> Result<PathBuf, Failure> {
    let refuse = |what: String| Err(Failure::input(what));
    if template.language != "rust" {
        return refuse(format!(
            "a plugin in {} has what it needs of forge in its own folder: leave `--sdk` out",
            template.title
        ));
    }
    match fs::read_to_string(dir.join("Cargo.toml")) {
        Ok(manifest) if manifest.contains("name = \"forge-plugin\"") => {
            dir.canonicalize().map_err(|error| Failure::file("find", dir, &error))
        }
        _ => refuse(format!(
            "`{}` is not the crate `forge-plugin`: name the folder `plugins` of forge's sources",
            dir.display()
        )),
    }
}

fn write_file(path: &Path, text: &str) -> Result<(), Failure> {
    let directory = path.parent().unwrap_or(path);
    fs::create_dir_all(directory)
        .and_then(|()| fs::write(path, text))
        .map_err(|error| Failure::file("write", path, &error))
}

fn tell(name: &str, template: &Template) {
    output::print(&format!("{name}/ is a plugin in {}, with the pipe `[[{}]]`. There:", template.title, pipe_of(name)));
    for command in [&template.build(name), template.test, "forge -C example run release --snapshot"] {
        output::print(&format!("  {command}"));
    }
}
