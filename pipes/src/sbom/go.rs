//! What Go writes into every program: the modules that it was compiled from (package `debug/buildinfo`), since Go 1.18 as text.
//! Does not know Go's older form, which has pointers instead.

use object::{File, Object as _, ObjectSection as _};

use super::knowledge::Own;
use super::purl::purl;
use super::software::{Known, Part, Relation, Sort};

const MAGIC: &[u8] = b"\xff Go buildinf:";
/// The magic lies at a multiple of this.
const ALIGNED: usize = 16;
/// The header's length; the version and the modules follow.
const HEADER: usize = 32;
/// In the header: which form it has.
const FLAGS: usize = 15;
/// The flag of the form that has texts.
const HAS_TEXTS: u8 = 2;
/// What stands around the modules.
const FRAME: usize = 16;
/// Where it lies: in ELF and Mach-O a section of its own, in PE the start of the data.
const SECTIONS: [&str; 3] = [".go.buildinfo", "__go_buildinfo", ".data"];

/// What a Go program says of itself.
pub fn read(file: &File<'_>, own: &Own) -> Option<Known> {
    let (version, modules) = SECTIONS.iter().find_map(|name| {
        let section = file.section_by_name(name)?;
        texts(section.data().ok()?)
    })?;
    Some(known(&version, &modules, own))
}

/// The version of Go and the lines about modules.
fn texts(data: &[u8]) -> Option<(String, String)> {
    let is_there = |at: &usize| data[*at..].starts_with(MAGIC);
    let at = (0..data.len()).step_by(ALIGNED).find(is_there)?;
    let header = data.get(at..at + HEADER)?;
    if header[FLAGS] & HAS_TEXTS == 0 {
        return None;
    }
    let (version, rest) = text(&data[at + HEADER..])?;
    let (modules, _) = text(rest)?;
    let is_framed = modules.len() > 2 * FRAME && modules[modules.len() - FRAME - 1] == b'\n';
    let modules = if is_framed { &modules[FRAME..modules.len() - FRAME] } else { &[] };
    Some((String::from_utf8(version.to_vec()).ok()?, String::from_utf8(modules.to_vec()).ok()?))
}

/// A text behind its length (a varint of Go's), and what follows.
fn text(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut length: usize = 0;
    for (at, byte) in data.iter().take(9).enumerate() {
        length |= usize::from(byte & 0x7f).checked_shl(7 * at as u32)?;
        if byte & 0x80 == 0 {
            return data.get(at + 1..)?.split_at_checked(length);
        }
    }
    None
}

/// A module of a line: path, version, sum.
struct Module<'a> {
    path: &'a str,
    version: &'a str,
    sum: &'a str,
    /// The module that it took the place of.
    instead_of: Option<String>,
}

impl Module<'_> {
    fn of<'a>(mut words: impl Iterator<Item = &'a str>) -> Module<'a> {
        let mut next = || words.next().unwrap_or_default();
        Module { path: next(), version: next(), sum: next(), instead_of: None }
    }

    fn part(&self) -> Part {
        // A replacement by a directory has a path, and no version.
        let is_local = self.path.starts_with(['.', '/']);
        let replaced_path = self.instead_of.as_deref().and_then(|it| it.split(' ').next()).unwrap_or(self.path);
        let version = Some(self.version).filter(|it| !it.is_empty() && *it != "(devel)").map(str::to_owned);
        let sum = Some(self.sum).filter(|it| !it.is_empty());
        let what = if is_local { "A directory of the project" } else { "It" };
        let replaced = self.instead_of.iter().map(|it| format!("{what} was taken instead of {it}."));
        let notes: Vec<String> = replaced.chain(sum.map(|it| format!("Its sum in go.sum is {it}."))).collect();
        Part {
            name: if is_local { replaced_path.to_owned() } else { self.path.to_owned() },
            purl: (!is_local).then(|| purl("golang", self.path, version.as_deref())).flatten(),
            version,
            sort: Sort::Library,
            digest: None,
            note: Some(notes.join(" ")).filter(|it| !it.is_empty()),
        }
    }
}

fn known(go: &str, lines: &str, own: &Own) -> Known {
    let (mut path, mut main, mut modules) = ("", None, Vec::<Module<'_>>::new());
    for line in lines.lines() {
        let mut words = line.split('\t');
        match words.next() {
            Some("path") => path = words.next().unwrap_or_default(),
            Some("mod") => main = Some(Module::of(words)),
            Some("dep") => modules.push(Module::of(words)),
            Some("=>") => {
                if let Some(last) = modules.last_mut() {
                    let instead_of = [last.path, last.version].join(" ").trim().to_owned();
                    *last = Module { instead_of: Some(instead_of), ..Module::of(words) };
                }
            }
            _ => {}
        }
    }
    let main = main.unwrap_or(Module { path, version: "", sum: "", instead_of: None });
    // Go does not know the version of what it compiles from a directory.
    let version = format!("v{}", own.version);
    let is_known = !matches!(main.version, "" | "(devel)");
    let main = Module { version: if is_known { main.version } else { &version }, ..main };
    let parts = std::iter::once(main.part()).chain(modules.iter().map(Module::part)).chain([standard_library(go)]);
    let parts: Vec<Part> = parts.collect();
    let relations = (1..parts.len()).map(|at| (0, Relation::DependsOn, at)).collect();
    Known { parts, relations }
}

/// It is in each program, and has mistakes of its own.
fn standard_library(go: &str) -> Part {
    let version = go.split(' ').next().and_then(|it| it.strip_prefix("go")).map(str::to_owned);
    Part {
        name: "stdlib".to_owned(),
        purl: version.as_deref().and_then(|it| purl("golang", "stdlib", Some(it))),
        version: version.or_else(|| Some(go.to_owned())),
        sort: Sort::Library,
        digest: None,
        note: Some("The standard library of Go.".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &str, expect: &expect_test::Expect) {
        let known = known("go1.26.8 X:something", lines, &Own { version: "1.2.3".to_owned() });
        let line = |it: &Part| {
            let [version, purl, note] = [&it.version, &it.purl, &it.note].map(|it| it.as_deref().unwrap_or("-"));
            format!("{} | {version} | {purl} | {note}\n", it.name)
        };
        expect.assert_eq(&known.parts.iter().map(line).collect::<String>());
    }

    #[test]
    fn lines_of_modules() {
        check(
            "path\texample.org/hello/cmd\nmod\texample.org/hello\t(devel)\t\ndep\texample.org/A\tv1.0.0+incompatible\th1:a=\n\
             dep\texample.org/b\tv1.1.0\n=>\texample.org/c\tv2.0.0\th1:c=\ndep\texample.org/d\tv0.0.0\n=>\t./d\t(devel)\t\nbuild\t-trimpath=true\n",
            &expect_test::expect![[r#"
                example.org/hello | v1.2.3 | pkg:golang/example.org/hello@v1.2.3 | -
                example.org/A | v1.0.0+incompatible | pkg:golang/example.org/A@v1.0.0%2Bincompatible | Its sum in go.sum is h1:a=.
                example.org/c | v2.0.0 | pkg:golang/example.org/c@v2.0.0 | It was taken instead of example.org/b v1.1.0. Its sum in go.sum is h1:c=.
                example.org/d | - | - | A directory of the project was taken instead of example.org/d v0.0.0.
                stdlib | 1.26.8 | pkg:golang/stdlib@1.26.8 | The standard library of Go.
            "#]],
        );
        check(
            "path\tcommand-line-arguments\n",
            &expect_test::expect![[r#"
            command-line-arguments | v1.2.3 | pkg:golang/command-line-arguments@v1.2.3 | -
            stdlib | 1.26.8 | pkg:golang/stdlib@1.26.8 | The standard library of Go.
        "#]],
        );
        check(
            "mod\texample.org/crane\tv0.20.1\th1:x=\n",
            &expect_test::expect![[r#"
            example.org/crane | v0.20.1 | pkg:golang/example.org/crane@v0.20.1 | Its sum in go.sum is h1:x=.
            stdlib | 1.26.8 | pkg:golang/stdlib@1.26.8 | The standard library of Go.
        "#]],
        );
    }

    #[test]
    fn bytes_that_are_cut_off_say_nothing() {
        let mut whole = b"padding 16 bytes".to_vec();
        whole.extend_from_slice(MAGIC);
        whole.extend_from_slice(&[0, HAS_TEXTS]);
        whole.resize(16 + HEADER, 0);
        let modules = [&[b'{'; FRAME][..], b"mod\ta\tv1\t\n", &[b'}'; FRAME][..]].concat();
        for text in [&b"go1.26"[..], &modules] {
            whole.push(text.len() as u8);
            whole.extend_from_slice(text);
        }
        assert_eq!(texts(&whole), Some(("go1.26".to_owned(), "mod\ta\tv1\t\n".to_owned())));
        assert!((0..whole.len()).all(|length| texts(&whole[..length]).is_none()));
        whole[16 + FLAGS] = 0;
        assert_eq!(texts(&whole), None, "the form of Go 1.17");
        assert_eq!(text(&[0xff; 16]), None);
    }
}
