//! Universal binaries, as `<mach-o/fat.h>` of macOS has them: a table of what there is for each processor, and all of it.
//! Does not know what is in the programs, but for the processor that their first bytes name.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use forge_plugin::schemas::{Artifact, Failure};

/// A program for one processor.
#[derive(Debug, Clone)]
pub struct Part {
    path: PathBuf,
    size: u64,
    /// `cputype` and `cpusubtype`, as they stand in its header.
    processor: [u32; 2],
}

/// `FAT_MAGIC`; all numbers of the table are big-endian.
const MAGIC: u32 = 0xcafe_babe;
/// `MH_MAGIC_64`; the numbers of a program for these processors are little-endian.
const THIN: u32 = 0xfeed_facf;
/// Pages of arm64 have 16 KiB, and the kernel maps parts as they lie: each begins at a multiple of that.
const ALIGN: u32 = 14;

impl Part {
    /// What the first bytes of a program say.
    pub fn read(program: &Artifact) -> Result<Part, Failure> {
        let mut start = [0; 12];
        let mut file = File::open(&program.path).map_err(|error| Failure::file("read", &program.path, &error))?;
        let is_read = file.read_exact(&mut start).is_ok();
        let number = |at: usize| u32::from_le_bytes([start[at], start[at + 1], start[at + 2], start[at + 3]]);
        if !is_read || number(0) != THIN {
            let message = format!("`{}` is no program of macOS for one processor", program.name);
            return Err(Failure::input(message).help("look at what builds it: `file` says what it is"));
        }
        Ok(Part { path: program.path.clone(), size: program.size, processor: [number(4), number(8)] })
    }
}

/// Writes them as one, by processor.
pub fn write(mut parts: Vec<Part>, out: &mut (impl Write + Seek)) -> Result<(), Failure> {
    parts.sort_by_key(|part| part.processor);
    let places = places(&parts)?;
    let written = write_table(&parts, &places, out).and_then(|()| write_parts(&parts, &places, out));
    written.map_err(|error| Failure::file("write", std::path::Path::new("universal"), &error))
}

/// Where each begins.
fn places(parts: &[Part]) -> Result<Vec<u32>, Failure> {
    let mut end = 8 + 20 * parts.len() as u64;
    let place = |part: &Part| {
        let start = end.next_multiple_of(1 << ALIGN);
        end = start + part.size;
        match u32::try_from(end) {
            Ok(_) => Ok(start as u32),
            Err(_) => Err(Failure::input("the programs have more than 4 GiB, which a universal one can't hold")),
        }
    };
    parts.iter().map(place).collect()
}

fn write_table(parts: &[Part], places: &[u32], out: &mut impl Write) -> io::Result<()> {
    let rows = parts.iter().zip(places).map(|(part, place)| {
        let [cpu, subtype] = part.processor;
        [cpu, subtype, *place, part.size as u32, ALIGN]
    });
    let head = [MAGIC, parts.len() as u32];
    head.into_iter().chain(rows.flatten()).try_for_each(|number| out.write_all(&number.to_be_bytes()))
}

fn write_parts(parts: &[Part], places: &[u32], out: &mut (impl Write + Seek)) -> io::Result<()> {
    for (part, place) in parts.iter().zip(places) {
        out.seek(SeekFrom::Start(u64::from(*place)))?;
        io::copy(&mut File::open(&part.path)?, out)?;
    }
    Ok(())
}
