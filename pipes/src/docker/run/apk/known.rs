//! Scripts of packages whose doings are known.
//! Does not run them.

use forge_plugin::schemas::Digest;

/// What a trigger does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// `busybox --install -s`: links for all programs that busybox is, where nothing has their names.
    Busybox,
    /// `update-ca-certificates`
    Certificates,
}

/// The digests of the texts that Alpine's packages have had.
const TRIGGERS: &[(Trigger, &str)] = &[
    (Trigger::Busybox, "a6fe1a7382ba573882cfdc5b42ae6d7b3b3f7d9e615a78a03972a7561b9b2001"),
    (Trigger::Busybox, "123a4fa6fa151629c88ed0502b66d20799b85d7d0c635973fc422b41ee77cf80"),
    (Trigger::Busybox, "23ac7a3166401233cb0b044aa1c59e6d7bc52e7fcdf1d43e7bfbb81506af8449"),
    (Trigger::Busybox, "4b410e265a51356ca58d88947ddbc67415193946bebd67aceb0d6abb5e2750f8"),
    (Trigger::Busybox, "817b9b8e53783f72b711e61a6d101d604a46de371ad2ffd9efbb6b05e1e014c9"),
    (Trigger::Busybox, "cbb1e6f61e228c06e684cc51d0a3578b1524ac9862358ce30def84b6c7ab702c"),
    (Trigger::Certificates, "118b7288386659f9e4285fdf34dac6779890000d70b0b4cee52c28af9f26ad6c"),
];

impl Trigger {
    /// The one with this text.
    pub fn of(text: &[u8]) -> Option<Trigger> {
        // Whether a line ends the file changes nothing.
        let digest = Digest::of(text.trim_ascii_end());
        TRIGGERS.iter().find(|(_, it)| digest.hex() == *it).map(|(trigger, _)| *trigger)
    }
}

/// Whether a script is nothing but comments and a good end.
pub fn does_nothing(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    let is_shell = text.lines().next().is_some_and(|line| line == "#!/bin/sh");
    let is_nothing = |line: &str| line.is_empty() || line.starts_with('#') || ["exit 0", "true", ":"].contains(&line);
    is_shell && text.lines().all(|line| is_nothing(line.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_nothing() {
        let check = |text: &str, expect: bool| assert_eq!(does_nothing(text.as_bytes()), expect, "of {text}");
        check("#!/bin/sh\n# why\n\nexit 0\n", true);
        check("#!/bin/sh\n", true);
        check("exit 0\n", false);
        check("#!/bin/sh -e\nexit 0\n", false);
        check("#!/bin/sh\nadd-shell '/bin/bash'\nexit 0\n", false);
    }
}
