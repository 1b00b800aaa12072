//! What of shadow depends on the image, on one in small. What the programs make of the same is compared in
//! `tests/release/accounts.rs`.

use expect_test::{Expect, expect};

use crate::docker::run::checks::{layer, node};
use crate::oci::layer::Content;
use crate::oci::rootfs::What;

const FILES: &[(&str, &str)] = &[
    ("usr/sbin/useradd", "useradd"),
    ("usr/sbin/groupadd", "groupadd"),
    ("var/lib/dpkg/status", "Package: passwd\nVersion: 1:4.13+dfsg1-1\n\nPackage: sed\nVersion: 4.9-1\n"),
    ("etc/login.defs", "# why\nUSERGROUPS_ENAB yes\nUMASK\t\t022\nPASS_MAX_DAYS 99999\n"),
    ("etc/passwd", "root:x:0:0:root:/root:/bin/ash\n"),
    ("etc/group", "root:x:0:root\nusers:x:100:\n"),
];
const PATH: &[(&str, &str)] = &[("PATH", "/usr/sbin:/bin")];

/// What a command makes of the image, in which this file is another.
fn check_with(line: &str, other: (&str, &str), expect: Expect) {
    let env: Vec<(String, String)> =
        PATH.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let env: &'static [(String, String)] = Vec::leak(env);
    let shown = layer(line, |laying, place| {
        place.env = env;
        for (path, text) in FILES.iter().chain([&other]) {
            let content = What::Placed(Content::Text(text.as_bytes().to_vec()));
            laying.rootfs.put(path, node(0o755, content));
        }
    });
    expect.assert_eq(&shown);
}

fn check(line: &str, expect: Expect) {
    check_with(line, ("etc/.pwd.lock", ""), expect);
}

#[test]
fn what_it_writes() {
    check(
        "useradd -m -d /srv/me me",
        expect![[r#"
            755 0:0 etc/
            644 0:0 etc/group "root:x:0:root\nusers:x:100:\nme:!:1000:\n"
            644 0:0 etc/group- "root:x:0:root\nusers:x:100:\n"
            644 0:0 etc/passwd "root:x:0:0:root:/root:/bin/ash\nme:x:1000:1000::/srv/me:/bin/bash\n"
            644 0:0 etc/passwd- "root:x:0:0:root:/root:/bin/ash\n"
            644 0:0 etc/shadow "root:*::0:::::\nme:!:19675::99999::::\n"
            644 0:0 etc/shadow- "root:*::0:::::\n"
            755 0:0 srv/
            755 1000:1000 srv/me/
            644 1000:1000 srv/me/.profile "p"
        "#]],
    );
    check_with(
        "groupadd us",
        ("etc/group-", "root:x:0:root\nusers:x:100:\n"),
        expect![[r#"
        755 0:0 etc/
        600 0:0 etc/.pwd.lock ""
        644 0:0 etc/group "root:x:0:root\nusers:x:100:\nus:x:1000:\n"
        644 0:0 etc/group- "root:x:0:root\nusers:x:100:\n"
    "#]],
    );
}

#[test]
fn what_only_the_programs_could_tell() {
    let status = |version: &str| format!("Package: passwd\nVersion: {version}\n");
    check_with(
        "useradd a",
        ("var/lib/dpkg/status", &status("1:4.8.1-1")),
        expect![
            "`useradd a` can't be done without running it: its `useradd` is that of `passwd` 1:4.8.1-1, and known are 4.13 and 4.17.4"
        ],
    );
    check_with(
        "useradd a",
        ("etc/nsswitch.conf", "passwd: files sss\n"),
        expect!["`useradd a` can't be done without running it: `/etc/nsswitch.conf` has names come from `sss` too"],
    );
    check_with(
        "useradd a",
        ("usr/sbin/nscd", "x"),
        expect!["`useradd a` can't be done without running it: it would run `/usr/sbin/nscd`"],
    );
    check_with(
        "useradd a",
        ("etc/shadow-maint/useradd-pre.d/x", "x"),
        expect![
            "`useradd a` can't be done without running it: it would run what lies in `/etc/shadow-maint/useradd-pre.d`"
        ],
    );
    check_with(
        "useradd a",
        ("etc/default/useradd", "CREATE_MAIL_SPOOL=yes\n"),
        expect!["`useradd a` can't be done without running it: it would make a mailbox"],
    );
    check_with(
        "useradd -u 0 -o a",
        ("etc/passwd", "+::::::\n"),
        expect![
            "`useradd -u 0 -o a` can't be done without running it: what `+::::::` in `/etc/passwd` means is not known here"
        ],
    );
    check_with(
        "useradd -u 7 a",
        ("var/log/lastlog", &"x".repeat(3000)),
        expect![
            "`useradd -u 7 a` can't be done without running it: `/var/log/lastlog` may have been written for 7; `-l` leaves that"
        ],
    );
    check_with(
        "useradd a",
        ("etc/shadow", "a:!::0:99999:7:::\n"),
        expect!["`useradd a` can't be done without running it: `a` is in `/etc/shadow` alone"],
    );
    check_with(
        "useradd a",
        ("etc/subuid", "a:100000:65536\n"),
        expect!["`useradd a` can't be done without running it: `/etc/subuid` has numbers of `a` already"],
    );
    check_with(
        "useradd a",
        ("etc/login.defs", "UID_MAX 0xffff\n"),
        expect!["`useradd a` can't be done without running it: what `UID_MAX 0xffff` means is not known here"],
    );
    check_with(
        "useradd -m a",
        ("usr/etc/skel/x", "x"),
        expect![
            "`useradd -m a` can't be done without running it: whether `/usr/etc/skel` is copied depends on the version"
        ],
    );
}
