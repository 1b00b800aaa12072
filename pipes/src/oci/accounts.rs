//! Who is who in an image: the numbers of users and groups, from its `/etc/passwd` and `/etc/group`.
//! Does not know the files of the machine that makes the image.

use serde::{Deserialize, Serialize};

/// The path of the file of users, in an image.
const USERS: &str = "etc/passwd";
/// The path of the file of groups, in an image.
const GROUPS: &str = "etc/group";

/// Whether accounts are noted in the file at this path of an image.
pub fn is_file(path: &str) -> bool {
    [USERS, GROUPS].contains(&path)
}

/// What the two files say.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Accounts {
    users: String,
    groups: String,
}

impl Accounts {
    /// Takes note of the content of a file, where it is one of the two.
    pub fn note(&mut self, path: &str, content: &[u8]) {
        let text = || String::from_utf8_lossy(content).into_owned();
        match path {
            USERS => self.users = text(),
            GROUPS => self.groups = text(),
            _ => {}
        }
    }

    /// The numbers of `USER` or `USER:GROUP`, each a number or a name. Without a group it is the user's own, and of a user
    /// that is a number it is the same number, as Docker has it. Nobody is root.
    pub fn owner(&self, text: &str) -> Result<(u64, u64), String> {
        let (user, group) = match text.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (text, None),
        };
        let (uid, own) = match (user, number(user)) {
            ("" | "root", _) => (0, 0),
            (_, Some(number)) => (number, number),
            _ => self.user(user).ok_or_else(|| format!("the image has no user `{user}`"))?,
        };
        let gid = match group.map(|it| (it, number(it))) {
            None => own,
            Some(("" | "root", _)) => 0,
            Some((_, Some(number))) => number,
            Some((name, None)) => self.group(name).ok_or_else(|| format!("the image has no group `{name}`"))?,
        };
        Ok((uid, gid))
    }

    fn user(&self, name: &str) -> Option<(u64, u64)> {
        let fields = line(&self.users, name)?;
        Some((number(fields.get(2)?)?, number(fields.get(3)?)?))
    }

    fn group(&self, name: &str) -> Option<u64> {
        number(line(&self.groups, name)?.get(2)?)
    }
}

fn line<'a>(text: &'a str, name: &str) -> Option<Vec<&'a str>> {
    text.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| fields[0] == name)
}

fn number(text: &str) -> Option<u64> {
    text.trim().parse::<u32>().ok().map(u64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &str) {
        let mut accounts = Accounts::default();
        accounts.note(USERS, b"root:x:0:0::/root:/bin/sh\napp:x:1000:1001::/:/bin/sh\nbroken\n");
        accounts.note(GROUPS, b"staff:x:50:\n");
        accounts.note("etc/shadow", b"secret");
        let actual = accounts.owner(text).map_or_else(|message| message, |(uid, gid)| format!("{uid}:{gid}"));
        assert_eq!(actual, expect, "of {text}");
    }

    #[test]
    fn numbers_of_names() {
        check("", "0:0");
        check("root", "0:0");
        check("7", "7:7");
        check("7:8", "7:8");
        check("app", "1000:1001");
        check("app:staff", "1000:50");
        check("app:root", "1000:0");
        check("nobody", "the image has no user `nobody`");
        check("broken", "the image has no user `broken`");
        check("7:nobody", "the image has no group `nobody`");
    }
}
