//! Pipe `package`: what the package managers of Linux install, of programs and files of the project.
//! Does not know how a package is written: each format is a file under `package/`.

mod about;
mod apk;
mod archlinux;
#[cfg(test)]
mod checks;
mod contents;
mod deb;
mod format;
mod laid;
mod parcel;
mod platforms;
mod relation;
mod rpm;
mod settings;
mod signing;
mod tarball;
mod unit;
mod version;
mod wanted;

use std::collections::BTreeMap;
use std::fs;

use forge_plugin::schemas::kind::{Binary, Kind as _, Package as PackageKind, Signature};
use forge_plugin::schemas::{Emit, Failure, KindInfo, Output, Place, Problem, Read, Selector, Step};
use forge_plugin::{Given, Host, Pipe, Wants, kind};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::about::About;
use self::format::Signing;
use self::laid::Laid;
use self::parcel::{Parcel, Script, Signer};
use self::settings::Settings;
use self::unit::Unit;

/// The pipe.
pub struct Package;

/// One package, with everything resolved.
#[derive(Debug, Serialize, Deserialize)]
pub struct Params {
    format: String,
    about: About,
    contents: Vec<Laid>,
    /// Paths in the project.
    scripts: BTreeMap<Script, String>,
    time: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signer: Option<Signer>,
}

impl Pipe for Package {
    const NAME: &'static str = "package";
    const SUMMARY: &'static str = "packages for the package managers of Linux: deb, rpm, apk, archlinux";
    type Settings = Settings;
    type Params = Params;

    fn makes() -> Vec<KindInfo> {
        vec![kind::<PackageKind>(), kind::<Signature>()]
    }

    fn takes(settings: &Settings) -> Result<Wants, Vec<Problem>> {
        let all = || Selector::of_kind(Binary::NAME);
        let of_table =
            |(at, id): (usize, &String)| Selector { tables: vec![id.clone()], key: format!("ids[{at}]"), ..all() };
        let selectors = match &settings.ids {
            Some(ids) => ids.iter().enumerate().map(of_table).collect(),
            None => vec![all()],
        };
        Ok(Wants { selectors, sources: Vec::new() })
    }

    fn plan(settings: &Settings, given: &Given<'_>) -> Result<Vec<Step>, Vec<Problem>> {
        let mut problems = Vec::new();
        let formats = wanted::formats(settings, &mut problems);
        let platforms = wanted::platforms(settings, given, &mut problems);
        let mut steps: Vec<Step> = Vec::new();
        for wanted in &platforms {
            for (format, key) in &formats {
                let Some(names) = wanted::machine(wanted).filter(|it| !format.machine(it).is_empty()) else {
                    problems.push(wanted::no_name(*format, wanted, key));
                    continue;
                };
                let mut unit = Unit::new(settings, given, *format, wanted, names);
                let step = step(&mut unit);
                problems.extend(step.as_ref().and_then(|it| same_name(it, &steps, &unit.key)));
                steps.extend(step);
                for problem in unit.problems {
                    // What is wrong for one platform is most often wrong for all.
                    if !problems.contains(&problem) {
                        problems.push(problem);
                    }
                }
            }
        }
        if problems.is_empty() { Ok(steps) } else { Err(problems) }
    }

    fn run(params: &Params, step: &Step, host: &dyn Host) -> Result<(), Failure> {
        let missing = || Failure::bug("the step makes nothing, or of no format");
        let (format, made) = format::named(&params.format).zip(step.makes.first()).ok_or_else(missing)?;
        let parcel = Parcel {
            about: &params.about,
            items: contents::gather(&params.contents, params.time, host)?,
            scripts: read_scripts(&params.scripts, host)?,
            time: params.time,
            signer: params.signer.as_ref(),
        };
        let path = host.dir().join("package");
        format.write(&parcel, &path, host)?;
        if let Some(beside) = step.makes.get(1) {
            let signature = signing::beside(&parcel, &path, host)?;
            host.emit(&emit(beside, signature))?;
        }
        host.emit(&emit(made, path))?;
        Ok(())
    }
}

fn emit(made: &Output, path: std::path::PathBuf) -> Emit {
    Emit { name: made.name.clone(), path, blobs: Vec::new(), detail: made.detail.clone() }
}

fn step(unit: &mut Unit<'_>) -> Option<Step> {
    let about = unit.about();
    let contents = laid::all(unit);
    let scripts = unit.scripts();
    let signer = unit.signer();
    let about = about?;
    let name = unit.file_name(&about)?;
    let mut makes = vec![output(unit, &name, PackageKind::NAME, detail(unit, &about))];
    if signer.is_some() && unit.format.signing() == Signing::GpgBeside {
        let detail = Signature { subject: name.clone(), by: "gpg".to_owned() };
        makes.push(output(unit, &format!("{name}.sig"), Signature::NAME, json(&detail)));
    }
    let of_scripts = scripts.iter().map(|(_, key, path)| Read::all(path, Place::Key(key.clone())));
    let reads = laid::reads(&contents).into_iter().chain(of_scripts).collect();
    let format = unit.format.name();
    let time = u64::try_from(unit.given.facts.commit_timestamp).unwrap_or_default();
    let takes = unit.programs().into_iter().map(|(name, _)| name).collect();
    let params = Params {
        format: format.to_owned(),
        about,
        contents: contents.into_iter().map(|(laid, _)| laid).collect(),
        scripts: scripts.into_iter().map(|(script, _, path)| (script, path)).collect(),
        time,
        signer,
    };
    Some(Step {
        name: unit.platform.as_ref().map_or(format.to_owned(), |it| format!("{it}/{format}")),
        platform: unit.platform.clone(),
        takes,
        makes,
        reads,
        tools: signing::tools(params.signer.as_ref(), unit.format.signing()),
        params: json(&params),
        place: Place::Key(unit.key.clone()),
        ..Step::default()
    })
}

fn output(unit: &Unit<'_>, name: &str, kind: &str, detail: Value) -> Output {
    Output { name: name.to_owned(), kind: kind.to_owned(), platform: unit.platform.clone(), detail }
}

fn detail(unit: &Unit<'_>, about: &About) -> Value {
    json(&PackageKind { format: unit.format.name().to_owned(), package: about.package.clone() })
}

/// That another package has the name of this one.
fn same_name(step: &Step, others: &[Step], key: &str) -> Option<Problem> {
    let name = &step.makes.first()?.name;
    let other = others.iter().find(|it| it.makes.iter().any(|made| made.name == *name))?;
    let problem = Problem::at_key(key, format!("`{}` and `{}` are both called `{name}`", other.name, step.name));
    Some(problem.help(
        "say what differs in a `name` of your own, as in `{{ arch }}{{ variant }}`, or leave one out with `platforms`",
    ))
}

fn read_scripts(paths: &BTreeMap<Script, String>, host: &dyn Host) -> Result<BTreeMap<Script, Vec<u8>>, Failure> {
    let read = |(script, path): (&Script, &String)| {
        let path = host.root().join(path);
        let text = fs::read(&path).map_err(|error| Failure::file("read", &path, &error))?;
        Ok((*script, text))
    };
    paths.iter().map(read).collect()
}

fn json<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use forge_plugin::schemas::Facts;
    use forge_plugin::testing::sample_facts;
    use serde_json::json;

    use super::checks::{check_plan, check_plan_of, table};

    #[test]
    fn one_of_each_format_for_each_platform() {
        check_plan(
            json!({ "platforms": null }),
            expect![[r#"
            linux/amd64/deb: hello_1.2.3_amd64.deb
            linux/amd64/rpm: hello-1.2.3-1.x86_64.rpm
            linux/amd64/apk: hello_1.2.3_x86_64.apk
            linux/amd64/archlinux: hello-1.2.3-1-x86_64.pkg.tar.zst
            linux/arm/v6/deb: hello_1.2.3_armhf.deb
            linux/arm/v6/rpm: hello-1.2.3-1.armv6hl.rpm
            linux/arm/v6/apk: hello_1.2.3_armhf.apk
            linux/arm/v6/archlinux: hello-1.2.3-1-armv6h.pkg.tar.zst
        "#]],
        );
        check_plan(
            json!({ "ids": [], "platforms": null, "release": "2", "signature": { "gpg": "ada" } }),
            expect![[r#"
            deb: hello_1.2.3-2_all.deb
            rpm: hello-1.2.3-2.noarch.rpm
            apk: hello_1.2.3-r2_noarch.apk
            archlinux: hello-1.2.3-2-any.pkg.tar.zst, hello-1.2.3-2-any.pkg.tar.zst.sig
        "#]],
        );
        let facts = Facts {
            snapshot: true,
            version: "1.2.3-SNAPSHOT-4805ca7".to_owned(),
            prerelease: "SNAPSHOT-4805ca7".to_owned(),
            ..sample_facts()
        };
        check_plan_of(
            &table(json!({})),
            &facts,
            expect![[r#"
            linux/amd64/deb: hello_1.2.3~SNAPSHOT-4805ca7_amd64.deb
            linux/amd64/rpm: hello-1.2.3~SNAPSHOT_4805ca7-1.x86_64.rpm
            linux/amd64/apk: hello_1.2.3_alpha1767323045_x86_64.apk
            linux/amd64/archlinux: hello-1.2.3SNAPSHOT_4805ca7-1-x86_64.pkg.tar.zst
        "#]],
        );
    }

    #[test]
    fn names_of_files() {
        check_plan(
            json!({
                "name": "{{ package }}_{{ version }}_{{ os }}_{{ machine }}", "package": "hi-{{ format }}",
                "overrides": { "deb": { "name": "deb/{{ conventional }}", "package": "hi" } },
            }),
            expect![[r#"
                linux/amd64/deb: deb/hi_1.2.3_amd64.deb
                linux/amd64/rpm: hi-rpm_1.2.3_linux_x86_64.rpm
                linux/amd64/apk: hi-apk_1.2.3_linux_x86_64.apk
                linux/amd64/archlinux: hi-archlinux_1.2.3_linux_x86_64.pkg.tar.zst
            "#]],
        );
        check_plan(
            json!({ "name": "same", "formats": ["deb"], "platforms": ["linux/amd64", "linux/arm/v6"] }),
            expect![[r#"
                platforms[1]: `linux/amd64/deb` and `linux/arm/v6/deb` are both called `same.deb`
                    say what differs in a `name` of your own, as in `{{ arch }}{{ variant }}`, or leave one out with `platforms`
            "#]],
        );
        check_plan(
            json!({ "name": "../{{ nobody }}", "formats": ["deb"] }),
            expect![[r#"
                name: undefined name `nobody`
            "#]],
        );
        check_plan(
            json!({ "name": "../x", "formats": ["deb"] }),
            expect![[r#"
            name: `../x` can't be the name of a file
                write a name, as in `{{ package }}_{{ version }}_{{ arch }}`
        "#]],
        );
    }

    #[test]
    fn mistakes_in_formats_and_platforms() {
        check_plan(
            json!({ "formats": ["debs", "msi", "rpm", "rpm"], "overrides": { "apk": {}, "rpms": {} } }),
            expect![[r#"
            formats[0]: `debs` is no format of packages
                there is `deb`
            formats[1]: `msi` is no format of packages
                known are deb, rpm, apk, archlinux
            formats[3]: `rpm` is named twice
                leave one of them out
            overrides.apk: the table makes no `apk`
                add it to `formats`, or leave its `overrides` out
            overrides.rpms: `rpms` is no format of packages
                there is `rpm`
        "#]],
        );
        check_plan(
            json!({ "formats": [], "platforms": [] }),
            expect![[r#"
            formats: no format is named
                name some, as in `formats = ["deb", "rpm", "apk", "archlinux"]`
            platforms: no platform is named
                leave the key out for all of Linux
        "#]],
        );
        check_plan(
            json!({ "platforms": ["linux/x86_64", "linux/amd64", "linux/amd64", "darwin/arm64", "linux/386", "linux/arm/v5"] }),
            expect![[r#"
                platforms[0]: `linux/x86_64` has an unknown architecture, `x86_64`
                    OCI calls it `amd64`
                platforms[2]: `linux/amd64` is named twice
                    leave one of them out
                platforms[3]: no format is for `darwin`
                    packages are for Linux; leave it out
                platforms[4]: no program is made for `linux/386`
                    add the platform to a `build` table, or leave it out here
                platforms[5]: no program is made for `linux/arm/v5`
                    add the platform to a `build` table, or leave it out here
            "#]],
        );
        check_plan(
            json!({ "ids": [], "platforms": ["linux/wasm", "linux/s390x"], "formats": ["deb", "archlinux"] }),
            expect![[r#"
            platforms[0]: deb has no name for `linux/wasm`
                leave it out with `platforms`, or make the packages for `deb` in a table of their own
            platforms[0]: archlinux has no name for `linux/wasm`
                leave it out with `platforms`, or make the packages for `archlinux` in a table of their own
            platforms[1]: archlinux has no name for `linux/s390x`
                leave it out with `platforms`, or make the packages for `archlinux` in a table of their own
        "#]],
        );
    }

    #[test]
    fn mistakes_in_what_it_says_of_itself() {
        check_plan(
            json!({
                "description": " ", "license": "MIT\nX", "maintainer": null, "bindir": "bin",
                "scripts": { "preinstall": "/bin/x" }, "overrides": { "apk": { "scripts": { "preinstall": "../x" } } },
                "signature": { "rsa": "key" },
            }),
            expect![[r#"
                license: `license` is not one line of text
                    write something in it, without line ends, or leave it out
                description: the description is empty
                    say in a line what it is
                maintainer: a deb must say who answers for it
                    add `maintainer = "Ada <ada@example.org>"`
                bindir: `bin` is not a path from the root of a system on
                    begin it with `/`, and write no `..` in it
                scripts.preinstall: `/bin/x` leads out of the project
                    write a path below the project file
                overrides.apk.scripts.preinstall: `../x` leads out of the project
                    write a path below the project file
                signature.rsa: what its public half is called is not known
                    say it with `rsa_name`, as in `ada@example.org-4a6a0840.rsa.pub`
            "#]],
        );
    }

    #[test]
    fn mistakes_in_contents() {
        check_plan(
            json!({
                "formats": ["deb"],
                "contents": [
                    { "dst": "/a" },
                    { "src": "hello.conf", "dst": "etc/x" },
                    { "src": "hello.conf", "dst": "/etc/../x" },
                    { "src": "/etc/passwd", "dst": "/etc/passwd" },
                    { "src": "x", "dst": "/d", "type": "dir" },
                    { "src": "hello.conf", "dst": "/etc/hello/", "mode": "rw", "owner": "a b", "group": "", "mtime": "today" },
                    { "src": "hello.conf", "dst": "/etc//hello/hello.conf" },
                    { "src": "hello.conf", "dst": "/usr/bin/hello", "formats": ["deb"] },
                    { "src": "hello.conf", "dst": "/x", "formats": ["rpm", "dep"] },
                    { "src": "{{ nobody }}", "dst": "/{{ none }}" },
                    { "src": "hello", "dst": "/", "type": "symlink" },
                ],
            }),
            expect![[r#"
                contents[0]: it does not say what to copy
                    name a file, a directory or a glob as `src`
                contents[1].dst: `etc/x` is not a path from the root of a system on
                    begin it with `/`, and write no `..` in it
                contents[2].dst: `/etc/../x` is not a path from the root of a system on
                    begin it with `/`, and write no `..` in it
                contents[3].src: `/etc/passwd` leads out of the project
                    write a path below the project file
                contents[4].src: nothing is copied to what has this `type`
                    leave `src` out, or take another `type`
                contents[5].mode: `rw` is not a mode
                    write it in octal, as in `"0644"`
                contents[5].mtime: `today` is not a time from 1970 to 2106
                    write it as in `2026-01-02T03:04:05Z`
                contents[5].owner: `a b` is not the name of a user or a group
                    letters, digits, `_`, `-` and `.` can be in it, 31 at most
                contents[5].group: `` is not the name of a user or a group
                    letters, digits, `_`, `-` and `.` can be in it, 31 at most
                contents[8].formats[0]: the table makes no `rpm`
                    add it to `formats`, or leave it out here
                contents[8].formats[1]: `dep` is no format of packages
                    there is `deb`
                contents[9].src: undefined name `nobody`
                contents[10].dst: `/` is the root itself
                    name something below it
                contents[6].dst: two things lie at `/etc/hello/hello.conf`
                    leave one out, or lay it elsewhere; two directories may lie in one whose `dst` ends with `/`
                contents[7].dst: two things lie at `/usr/bin/hello`
                    leave one out, or lay it elsewhere; two directories may lie in one whose `dst` ends with `/`
            "#]],
        );
        check_plan(
            json!({
                "formats": ["rpm", "archlinux"], "contents": [{ "dst": "/var/lib/hello", "type": "dir", "owner": "ada" }],
            }),
            expect![[r#"
                contents[0].owner: archlinux packages know no users and groups by name
                    leave it out for `archlinux` by `formats`, or by `contents` in `overrides.archlinux`, and let a script or a file of tmpfiles.d give it to `ada`
            "#]],
        );
    }
}
