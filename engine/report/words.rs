//! Quantities in words that people read.

/// A duration in milliseconds: `0.4s`, `12.4s`, `3m 05s`.
pub fn duration(milliseconds: u64) -> String {
    match milliseconds {
        0..60_000 => format!("{}.{}s", milliseconds / 1000, milliseconds % 1000 / 100),
        _ => format!("{}m {:02}s", milliseconds / 60_000, milliseconds / 1000 % 60),
    }
}

/// How many there are of something: `1 task`, `2 tasks`.
pub fn count(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}

/// A size in bytes, in powers of ten as registries show it: `512 B`, `8.8 MB`.
pub fn size(bytes: u64) -> String {
    let units = ["kB", "MB", "GB", "TB"];
    let mut tenths = bytes as u128 * 10;
    let mut unit = "B";
    for next in units {
        if tenths < 10_000 {
            break;
        }
        tenths /= 1000;
        unit = next;
    }
    match unit {
        "B" => format!("{bytes} B"),
        _ => format!("{}.{} {unit}", tenths / 10, tenths % 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let words: Vec<String> = [0, 999, 12_449, 59_999, 60_000, 185_000].map(duration).to_vec();
        assert_eq!(words, ["0.0s", "0.9s", "12.4s", "59.9s", "1m 00s", "3m 05s"]);
    }

    #[test]
    fn sizes() {
        let words: Vec<String> = [0, 999, 1000, 8_812_345, 26_220_000, 5_000_000_000].map(size).to_vec();
        assert_eq!(words, ["0 B", "999 B", "1.0 kB", "8.8 MB", "26.2 MB", "5.0 GB"]);
    }
}
