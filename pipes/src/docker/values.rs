//! Values of an image's config as users write them, in keys and in Dockerfiles alike.
//! Does not know where they stand.

/// `8080`, `53/udp` or `8000-8002/tcp` as a config has them: every port, with its protocol.
pub fn port(text: &str) -> Result<Vec<String>, String> {
    let bad = || format!("`{text}` is not a port");
    let (range, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let number = |text: &str| text.parse::<u16>().ok().filter(|it| *it > 0).ok_or_else(bad);
    let (first, last) = (number(first)?, number(last)?);
    let protocol = protocol.to_lowercase();
    if last < first || !["tcp", "udp", "sctp"].contains(&protocol.as_str()) {
        return Err(bad());
    }
    Ok((first..=last).map(|port| format!("{port}/{protocol}")).collect())
}

/// A command that a shell is to run; lines that `escape` continues are joined, and comments between them left out.
pub fn shell_line(line: &str, escape: char) -> String {
    let lines = line.lines().filter(|line| !line.trim_start().starts_with('#'));
    let joined: String = lines.map(|line| line.trim_end().strip_suffix(escape).unwrap_or(line)).collect();
    joined.trim().to_owned()
}

/// Permissions in octal: `755`, `0644`.
pub fn mode(text: &str) -> Result<u32, String> {
    let bad = || format!("`{text}` is not a mode");
    u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777).ok_or_else(bad)
}

/// Whether there is such a signal: `SIGINT`, `int`, `2`, `SIGRTMIN+3`.
pub fn stop_signal(text: &str) -> Result<(), String> {
    const SIGNALS: &[&str] = &[
        "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT", "KILL", "PIPE", "POLL",
        "PROF", "PWR", "QUIT", "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP", "TTIN", "TTOU", "URG", "USR1",
        "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ", "RTMIN", "RTMAX",
    ];
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let after = |prefix: &str| name.strip_prefix(prefix).and_then(|it| it.parse::<u8>().ok());
    let is_real_time = after("RTMIN+").is_some_and(|it| it <= 15) || after("RTMAX-").is_some_and(|it| it <= 14);
    let is_number = text.parse::<u8>().is_ok_and(|it| (1..=64).contains(&it));
    match SIGNALS.contains(&name) || is_real_time || is_number {
        true => Ok(()),
        false => Err(format!("`{text}` is not a signal")),
    }
}

/// `1000`, `1000:1000`, `root`; a group that is not given is that of the same number. A name other than `root` has a number
/// only in the base's `/etc/passwd`.
pub fn owner(text: &str) -> Result<(u64, u64), String> {
    let (user, group) = match text.split_once(':') {
        Some((user, group)) => (user, group),
        None => (text, text),
    };
    let number = |text: &str| match text {
        "root" => Ok(0),
        _ => text.parse::<u32>().map(u64::from).map_err(|_| format!("`{text}` is not the number of an owner")),
    };
    Ok((number(user)?, number(group)?))
}

/// A duration in nanoseconds, as Go writes it: `1m30s`, `1.5s`, `500ms`.
pub fn duration(text: &str) -> Result<u64, String> {
    const UNITS: &[(&str, f64)] =
        &[("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9)];
    let bad = || format!("`{text}` is not a duration");
    let (mut rest, mut total) = (text, 0.0);
    while !rest.is_empty() {
        let end = rest.find(|it: char| !it.is_ascii_digit() && it != '.').ok_or_else(bad)?;
        let number: f64 = rest[..end].parse().map_err(|_| bad())?;
        let tail = &rest[end..];
        let unit_end = tail.find(|it: char| it.is_ascii_digit() || it == '.').unwrap_or(tail.len());
        let (_, unit) = UNITS.iter().find(|(name, _)| *name == &tail[..unit_end]).ok_or_else(bad)?;
        total += number * unit;
        rest = &tail[unit_end..];
    }
    if text.is_empty() || !total.is_finite() || total < 0.0 { Err(bad()) } else { Ok(total.round() as u64) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: std::fmt::Debug>(actual: Result<T, String>, expect: &str) {
        let actual = match actual {
            Ok(value) => format!("{value:?}"),
            Err(message) => message,
        };
        assert_eq!(actual, expect);
    }

    #[test]
    fn values() {
        check(port("8080"), r#"["8080/tcp"]"#);
        check(port("53-54/UDP"), r#"["53/udp", "54/udp"]"#);
        check(port("0"), "`0` is not a port");
        check(port("9-8"), "`9-8` is not a port");
        check(port("80/http"), "`80/http` is not a port");
        check(mode("0755"), "493");
        check(mode("u+x"), "`u+x` is not a mode");
        check(mode("17777"), "`17777` is not a mode");
        check(owner("1000"), "(1000, 1000)");
        check(owner("root:5"), "(0, 5)");
        check(owner("app"), "`app` is not the number of an owner");
        check(duration("1m30s"), "90000000000");
        check(duration("1.5ms"), "1500000");
        check(duration("30"), "`30` is not a duration");
        check(duration(""), "`` is not a duration");
        for signal in ["SIGINT", "term", "9", "SIGRTMIN+3", "RTMAX-1"] {
            check(stop_signal(signal), "()");
        }
        for signal in ["bogus", "0", "65", "SIGRTMIN+16", ""] {
            check(stop_signal(signal), &format!("`{signal}` is not a signal"));
        }
        assert_eq!(shell_line("a \\\n  # why\n  b", '\\'), "a   b");
        assert_eq!(shell_line("a `\n b\\", '`'), "a  b\\");
    }
}
