//! Whether an ELF file has all the bytes that it says it has. The C library does not ask: it maps what is not there, and
//! the process dies of it later (SIGBUS).
//! Does not judge anything else; the system's loader does.

/// Why a file of this length is cut short. None for what is whole, and for what is no ELF file of this machine's word size and
/// order. Of its bytes only those of its header and of its table of segments are looked at.
pub(super) fn cut_short(bytes: &[u8], length: u64) -> Option<String> {
    let order = if cfg!(target_endian = "little") { 1 } else { 2 };
    if !cfg!(target_pointer_width = "64") || !bytes.starts_with(&[0x7f, b'E', b'L', b'F', 2, order]) {
        return None;
    }
    match size(bytes) {
        Some(size) if size <= length => None,
        Some(size) => Some(format!("it has {length} bytes of {size}")),
        None => Some(format!("it has {length} bytes, and ends within its header")),
    }
}

/// How many bytes the file has at least, by its header, its segments and its table of sections (System V ABI, chapter 4).
fn size(bytes: &[u8]) -> Option<u64> {
    let (segments, sections) = (long(bytes, 32)?, long(bytes, 40)?);
    let (segment_size, segment_count) = (short(bytes, 54)?, short(bytes, 56)?);
    let (section_size, section_count) = (short(bytes, 58)?, short(bytes, 60)?);
    let mut end = sections.checked_add(section_size * section_count)?;
    for index in 0..segment_count {
        let at = usize::try_from(segments.checked_add(index * segment_size)?).ok()?;
        end = end.max(long(bytes, at.checked_add(8)?)?.checked_add(long(bytes, at.checked_add(32)?)?)?);
    }
    Some(end)
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(8)?)?;
    bytes.try_into().ok().map(u64::from_ne_bytes)
}

fn short(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(2)?)?;
    bytes.try_into().ok().map(u16::from_ne_bytes).map(u64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_program_is_whole_and_no_part_of_it_is() {
        let whole = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let cut_short = |bytes: &[u8]| cut_short(bytes, bytes.len() as u64);
        assert_eq!(cut_short(&whole), None);
        assert_eq!(super::cut_short(&whole[..4096], whole.len() as u64), None);
        assert!(super::cut_short(&whole[..4096], whole.len() as u64 - 1).is_some());
        for size in [7, 63, 64, 100, 4096, whole.len() / 2, whole.len() - 1] {
            assert!(cut_short(&whole[..size]).is_some(), "{size}");
        }
    }

    #[test]
    fn nonsense_is_no_panic() {
        let cut_short = |bytes: &[u8]| cut_short(bytes, bytes.len() as u64);
        let mut bytes = vec![0xff; 200];
        assert_eq!(cut_short(&bytes), None);
        bytes[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1]);
        assert!(cut_short(&bytes).is_some());
    }
}
