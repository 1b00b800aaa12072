//! Lines of `RUN` on a small image, and the layers that they make. What BuildKit makes of the same is compared in
//! `tests/release/buildkit.rs`, where there is one.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use forge_plugin::sources::Except;
use forge_plugin::testing::FakeHost;

use super::*;
use crate::oci::layer::Content;
use crate::oci::rootfs::{Node, Peculiar, What};

const FILES: &[(&str, &str)] = &[
    ("etc/passwd", "root:x:0:0:root:/root:/bin/ash\ndaemon:x:2:2::/sbin:/sbin/nologin"),
    ("etc/group", "root:x:0:root\ndaemon:x:2:\nusers:x:100:games\nnogroup:x:65533:\n"),
    ("etc/shadow", "root:*::0:::::\n"),
    ("etc/skel/.profile", "p"),
    ("bin/busybox", "busybox"),
    ("srv/tool", "tool"),
];
const PROGRAMS: &[&str] =
    &["sh", "mkdir", "chmod", "chown", "ln", "cp", "mv", "rm", "touch", "true", "adduser", "addgroup"];

pub(super) fn node(mode: u32, what: What) -> Node {
    Node { mode, owner: (0, 0), what, peculiar: None }
}

/// An image as Alpine's is, in small.
fn image(laying: &mut Laying<'_>) {
    let rootfs = &mut laying.rootfs;
    for dir in ["bin", "dev", "etc", "etc/skel", "home", "proc", "srv", "sys", "usr"] {
        rootfs.put(dir, node(0o755, What::Directory));
    }
    rootfs.put("shared", Node { owner: (0, 100), ..node(0o2775, What::Directory) });
    for (path, content) in FILES {
        let content = What::Placed(Content::Text(content.as_bytes().to_vec()));
        rootfs.put(path, node(if path.starts_with("bin") { 0o755 } else { 0o644 }, content));
        rootfs.accounts.note(path, FILES.iter().find(|(it, _)| it == path).unwrap().1.as_bytes());
    }
    for program in PROGRAMS {
        rootfs.put(&format!("bin/{program}"), node(0o777, What::Link("/bin/busybox".to_owned())));
    }
    let content = || What::Placed(Content::Text(b"x".to_vec()));
    rootfs.put("srv/capable", Node { peculiar: Some(Peculiar::Attributes), ..node(0o755, content()) });
    rootfs.put("srv/twice", Node { peculiar: Some(Peculiar::HardLink), ..node(0o755, content()) });
    rootfs.put("srv/null", node(0o666, What::Special));
    rootfs.put("srv/cache", node(0o755, What::Directory));
}

fn commands_of(line: &str) -> Run {
    let commands = line::commands(line, Stands::InLine('\\'), &std::collections::BTreeMap::new()).unwrap();
    let commands = commands.iter().map(|simple| Command::read(simple).unwrap()).collect();
    let file = Source::Text { file_name: "x".to_owned(), content: "mounted".to_owned() };
    let mounts = [("/srv/cache", None), ("/mnt/file", Some(vec![file]))];
    let mounts = mounts.map(|(target, holds)| Mount { target: target.to_owned(), holds }).into();
    Run { form: Form::Shell, mounts, commands }
}

pub(super) fn layer(line: &str, change: impl FnOnce(&mut Laying<'_>, &mut Place<'_>)) -> String {
    let host = FakeHost::default();
    let mut laying = Laying::new(&host, Except::default());
    image(&mut laying);
    let env = [("PATH".to_owned(), "/usr/bin:/bin".to_owned())];
    let mut place = Place { env: &env, user: "", shell: None, timestamp: 1_700_000_000, stock: None };
    change(&mut laying, &mut place);
    let entries = match run(&commands_of(line), &mut laying, &place) {
        Ok(entries) => entries,
        Err(failure) => return failure.message,
    };
    let mut shown = String::new();
    for Entry { path, mode, uid, gid, content } in entries {
        let content = match content {
            Content::Directory => "/".to_owned(),
            Content::Link(to) => format!(" -> {to}"),
            Content::Text(text) => format!(" {:?}", String::from_utf8(text).unwrap()),
            other => format!(" {other:?}"),
        };
        writeln!(shown, "{mode:o} {uid}:{gid} {path}{content}").unwrap();
    }
    shown
}

fn check(line: &str, expect: Expect) {
    expect.assert_eq(&layer(line, |_, _| {}));
}

#[test]
fn files() {
    check(
        "mkdir -p /a/b /srv && mkdir -m 700 /c && touch /a/f",
        expect![[r#"
        755 0:0 a/
        755 0:0 a/b/
        644 0:0 a/f ""
        700 0:0 c/
    "#]],
    );
    check(
        "chmod -R go-rwx /etc/skel && chmod 755 /usr && chmod u+s /srv/tool && chown 5:users /srv/tool",
        expect![[r#"
            755 0:0 etc/
            700 0:0 etc/skel/
            600 0:0 etc/skel/.profile "p"
            755 0:0 srv/
            644 5:100 srv/tool "tool"
        "#]],
    );
    check(
        "chown -R daemon: /etc/skel && chown :100 /usr",
        expect![[r#"
        755 0:0 etc/
        755 2:2 etc/skel/
        644 2:2 etc/skel/.profile "p"
        755 0:100 usr/
    "#]],
    );
    check(
        "ln -s tool /srv/link && ln -sf /bin/x /bin/sh && ln -s a b /usr && touch /srv/link",
        expect![[r#"
        755 0:0 bin/
        777 0:0 bin/sh -> /bin/x
        755 0:0 srv/
        777 0:0 srv/link -> tool
        644 0:0 srv/tool "tool"
        755 0:0 usr/
        777 0:0 usr/a -> a
        777 0:0 usr/b -> b
    "#]],
    );
}

#[test]
fn whole_trees() {
    check(
        "cp -r /etc/skel /new && cp -a /srv/tool /srv/twice /usr && cp /srv/tool /usr/t",
        expect![[r#"
        755 0:0 new/
        644 0:0 new/.profile "p"
        755 0:0 usr/
        644 0:0 usr/t "tool"
        644 0:0 usr/tool "tool"
        755 0:0 usr/twice "x"
    "#]],
    );
    check(
        "mv /srv/tool /tool && mv /etc/skel /usr",
        expect![[r#"
        755 0:0 etc/
        0 0:0 etc/.wh.skel ""
        755 0:0 srv/
        0 0:0 srv/.wh.tool ""
        644 0:0 tool "tool"
        755 0:0 usr/
        755 0:0 usr/skel/
        644 0:0 usr/skel/.profile "p"
    "#]],
    );
    check(
        "touch /x && rm /x /srv/tool && rm -rf /etc/skel /nope && mkdir /etc/skel && rm -f /a/b",
        expect![[r#"
        755 0:0 etc/
        755 0:0 etc/skel/
        0 0:0 etc/skel/.wh..profile ""
        755 0:0 srv/
        0 0:0 srv/.wh.tool ""
    "#]],
    );
    check(
        "mkdir /shared/d && touch /shared/d/f && ln -s x /shared/l",
        expect![[r#"
        2775 0:100 shared/
        2755 0:100 shared/d/
        644 0:100 shared/d/f ""
        777 0:100 shared/l -> x
    "#]],
    );
    check("true", expect![[""]]);
}

#[test]
fn accounts() {
    check(
        "addgroup -S app && adduser -S -G app -u 1234 -h /usr/app app",
        expect![[r#"
            755 0:0 etc/
            644 0:0 etc/group "root:x:0:root\ndaemon:x:2:\nusers:x:100:games\nnogroup:x:65533:\napp:x:101:app\n"
            644 0:0 etc/group- "root:x:0:root\ndaemon:x:2:\nusers:x:100:games\nnogroup:x:65533:\napp:x:101:\n"
            644 0:0 etc/passwd "root:x:0:0:root:/root:/bin/ash\ndaemon:x:2:2::/sbin:/sbin/nologin\napp:x:1234:101:Linux User,,,:/usr/app:/bin/false\n"
            644 0:0 etc/passwd- "root:x:0:0:root:/root:/bin/ash\ndaemon:x:2:2::/sbin:/sbin/nologin"
            644 0:0 etc/shadow "root:*::0:::::\napp:!:19675:0:99999:7:::\n"
            644 0:0 etc/shadow- "root:*::0:::::\n"
            755 0:0 usr/
            2755 1234:101 usr/app/
            644 1234:101 usr/app/.profile "p"
        "#]],
    );
    check(
        "adduser -D -h /srv me && addgroup me users && chown me /usr",
        expect![[r#"
        755 0:0 etc/
        644 0:0 etc/group "root:x:0:root\ndaemon:x:2:\nusers:x:100:games,me\nnogroup:x:65533:\nme:x:1000:\n"
        644 0:0 etc/group- "root:x:0:root\ndaemon:x:2:\nusers:x:100:games\nnogroup:x:65533:\nme:x:1000:\n"
        644 0:0 etc/passwd "root:x:0:0:root:/root:/bin/ash\ndaemon:x:2:2::/sbin:/sbin/nologin\nme:x:1000:1000:Linux User,,,:/srv:/bin/ash\n"
        644 0:0 etc/passwd- "root:x:0:0:root:/root:/bin/ash\ndaemon:x:2:2::/sbin:/sbin/nologin"
        644 0:0 etc/shadow "root:*::0:::::\nme:!:19675:0:99999:7:::\n"
        644 0:0 etc/shadow- "root:*::0:::::\n"
        2755 1000:1000 srv/
        755 1000:0 usr/
    "#]],
    );
    check(
        "adduser -D me -h /usr/me && adduser -S -H you -h / && addgroup people",
        expect![[r#"
            755 0:0 etc/
            644 0:0 etc/group "root:x:0:root\ndaemon:x:2:\nusers:x:100:games\nnogroup:x:65533:you\nme:x:1000:\npeople:x:1001:\n"
            644 0:0 etc/group- "root:x:0:root\ndaemon:x:2:\nusers:x:100:games\nnogroup:x:65533:you\nme:x:1000:\n"
            644 0:0 etc/passwd "root:x:0:0:root:/root:/bin/ash\ndaemon:x:2:2::/sbin:/sbin/nologin\nme:x:1000:1000:Linux User,,,:/usr/me:/bin/ash\nyou:x:100:65533:Linux User,,,:/:/bin/false\n"
            644 0:0 etc/passwd- "root:x:0:0:root:/root:/bin/ash\ndaemon:x:2:2::/sbin:/sbin/nologin\nme:x:1000:1000:Linux User,,,:/usr/me:/bin/ash\n"
            644 0:0 etc/shadow "root:*::0:::::\nme:!:19675:0:99999:7:::\nyou:!:19675:0:99999:7:::\n"
            644 0:0 etc/shadow- "root:*::0:::::\nme:!:19675:0:99999:7:::\n"
            755 0:0 usr/
            2755 1000:1000 usr/me/
            644 1000:1000 usr/me/.profile "p"
        "#]],
    );
}

#[test]
fn what_fails() {
    check("mkdir /usr", expect!["`mkdir /usr` fails: `/usr` is there already"]);
    check("mkdir /a/b", expect!["`mkdir /a/b` fails: `/a` is no directory"]);
    check("touch /srv/tool/x", expect!["`touch /srv/tool/x` fails: `/srv/tool` is no directory"]);
    check("rm /nope", expect!["`rm /nope` fails: `/nope` is not there"]);
    check("rm /usr", expect!["`rm /usr` fails: `/usr` is a directory"]);
    check("chown nobody /usr", expect!["`chown nobody /usr` fails: the image has no user `nobody`"]);
    check("cp /usr /x", expect!["`cp /usr /x` fails: `/usr` is a directory"]);
    check("cp -r /usr /usr/x", expect!["`cp -r /usr /usr/x` fails: `/usr/x` lies in `/usr`"]);
    check("cp /srv/tool /srv/tool /x", expect!["`cp /srv/tool /srv/tool /x` fails: `/x` is no directory"]);
    check("ln -s a /bin/sh", expect!["`ln -s a /bin/sh` fails: `/bin/sh` is there already"]);
    check("adduser -D root", expect!["`adduser -D root` fails: the user `root` is there already"]);
    check("adduser -D -u 2 me", expect!["`adduser -D -u 2 me` fails: the number 2 is taken"]);
    check("addgroup -g 100 me", expect!["`addgroup -g 100 me` fails: the number 100 is taken"]);
    check("adduser -S -G nope me", expect!["`adduser -S -G nope me` fails: the image has no group `nope`"]);
}

#[test]
fn what_only_running_it_could_tell() {
    check(
        "chmod 755 /shared",
        expect![
            "`chmod 755 /shared` can't be done without running it: whether the directory `/shared` keeps its set-id bits depends on the program"
        ],
    );
    check(
        "chmod 755 /srv/capable",
        expect![
            "`chmod 755 /srv/capable` can't be done without running it: `/srv/capable` has extended attributes, which forge does not write"
        ],
    );
    check(
        "chmod 755 /srv/twice",
        expect!["`chmod 755 /srv/twice` can't be done without running it: `/srv/twice` is a file of several names"],
    );
    check(
        "chmod 755 /srv/null",
        expect![
            "`chmod 755 /srv/null` can't be done without running it: `/srv/null` is neither a file nor a directory nor a link"
        ],
    );
    check(
        "cp /srv/tool /bin/busybox",
        expect![
            "`cp /srv/tool /bin/busybox` can't be done without running it: what becomes of `/bin/busybox`, which is there, depends on the program"
        ],
    );
    check(
        "rm /etc/passwd",
        expect!["`rm /etc/passwd` can't be done without running it: `/etc/passwd` says who is who"],
    );
    check("rm -rf /etc", expect!["`rm -rf /etc` can't be done without running it: `/etc/passwd` says who is who"]);
    check("chmod 755 /", expect!["`chmod 755 /` can't be done without running it: `/` is the root directory"]);
    check(
        "mkdir /proc/x",
        expect!["`mkdir /proc/x` can't be done without running it: `/proc` is not the image's own while it is built"],
    );
    check(
        "touch /etc/hosts",
        expect![
            "`touch /etc/hosts` can't be done without running it: `/etc/hosts` is not the image's own while it is built"
        ],
    );
    check(
        "touch /.wh.x",
        expect![
            "`touch /.wh.x` can't be done without running it: `/.wh.x` would hide files of the image: `.wh.` means that in a layer"
        ],
    );
    check(
        "chmod -R 755 /bin/sh",
        expect![
            "`chmod -R 755 /bin/sh` can't be done without running it: whether the link `/bin/sh` is followed depends on the program"
        ],
    );
    check(
        "mv /srv/tool /new/",
        expect![
            "`mv /srv/tool /new/` can't be done without running it: what the `/` at the end of `/new/` means depends on the program"
        ],
    );
}

#[test]
fn where_it_can_not_be_run() {
    let check =
        |change: fn(&mut Laying<'_>, &mut Place<'_>), expect: Expect| expect.assert_eq(&layer("mkdir /a", change));
    check(
        |_, place| place.user = "daemon",
        expect!["`mkdir /a` can't be done without running it: it is run by `daemon`, who is not root"],
    );
    check(|_, place| place.user = "nobody", expect!["`mkdir /a` fails: the image has no user `nobody`"]);
    check(
        |_, place| place.user = "0:100",
        expect!["`mkdir /a` can't be done without running it: it is run by `0:100`, who is not root"],
    );
    check(|_, place| place.env = &[], expect!["`mkdir /a` can't be done without running it: the image has no `PATH`"]);
    check(
        |_, place| place.shell = Some(vec!["/bin/nosh".to_owned()]),
        expect!["`mkdir /a` fails: the image has no `/bin/nosh`"],
    );
    check(
        |_, place| place.shell = Some(vec!["/bin/sh".to_owned(), "-lc".to_owned()]),
        expect!["`mkdir /a` can't be done without running it: its shell is `/bin/sh -lc`"],
    );
    check(
        |_, place| place.shell = Some(vec!["/bin/sh".to_owned(), "-ec".to_owned()]),
        expect![[r#"
        755 0:0 a/
    "#]],
    );
    check(
        |laying, _| drop(laying.rootfs.take("proc")),
        expect![
            "`mkdir /a` can't be done without running it: the image has no directory `/proc`, which whoever runs it would leave behind"
        ],
    );
    check(|laying, _| drop(laying.rootfs.take("bin/mkdir")), expect!["`mkdir /a` fails: the image has no `mkdir`"]);
    check(|laying, _| drop(laying.rootfs.take("bin/busybox")), expect!["`mkdir /a` fails: the image has no `/bin/sh`"]);
    check(
        |laying, _| laying.workdir = "/nope".to_owned(),
        expect!["`mkdir /a` can't be done without running it: the working directory `/nope` is not there"],
    );
    check(
        |laying, _| laying.rootfs.put("bin/mkdir", node(0o755, What::Placed(Content::Text(b"x".to_vec())))),
        expect![
            "`mkdir /a` can't be done without running it: its `mkdir` is neither that of busybox nor that of Debian's coreutils"
        ],
    );
}

#[test]
fn what_wildcards_mean() {
    check(
        "rm -rf /srv/t*l /nope/* /etc/skel/* && chmod 700 /u*r /bin/b?sybox",
        expect![[r#"
        755 0:0 bin/
        700 0:0 bin/busybox "busybox"
        755 0:0 srv/
        0 0:0 srv/.wh.tool ""
        700 0:0 usr/
    "#]],
    );
    check(
        "cp /etc/skel/.p* /usr && rm -r /et*/s*l/ && ln -s 'a*' \\*x /h*e",
        expect![[r#"
        755 0:0 etc/
        0 0:0 etc/.wh.skel ""
        755 0:0 home/
        777 0:0 home/*x -> *x
        777 0:0 home/a* -> a*
        755 0:0 usr/
        644 0:0 usr/.profile "p"
    "#]],
    );
    check("chmod 700 /usr/*", expect!["`chmod 700 /usr/*` fails: `/usr/*` is not there"]);
    check(
        "rm -rf /srv/*",
        expect![
            "`rm -rf /srv/*` can't be done without running it: `/srv/cache` is not the image's own while it is built"
        ],
    );
    check(
        "chmod 755 /e*/host*",
        expect![
            "`chmod 755 /e*/host*` can't be done without running it: `/etc/hosts` is not the image's own while it is built"
        ],
    );
    check(
        "chmod -R 755 /etc",
        expect![[r#"
        755 0:0 etc/
        755 0:0 etc/group "root:x:0:root\ndaemon:x:2:\nusers:x:100:games\nnogroup:x:65533:\n"
        755 0:0 etc/passwd "root:x:0:0:root:/root:/bin/ash\ndaemon:x:2:2::/sbin:/sbin/nologin"
        755 0:0 etc/shadow "root:*::0:::::\n"
        755 0:0 etc/skel/
        755 0:0 etc/skel/.profile "p"
    "#]],
    );
    check(
        "touch /-x && rm *",
        expect!["`rm *` can't be done without running it: `/dev` is not the image's own while it is built"],
    );
}

#[test]
fn what_is_printed_to_files() {
    check(
        "echo a b > /usr/a && printf 'c\\n' >> /usr/a && echo x >> /srv/tool; printf '' > /n",
        expect![[r#"
        644 0:0 n ""
        755 0:0 srv/
        644 0:0 srv/tool "toolx\n"
        755 0:0 usr/
        644 0:0 usr/a "a b\nc\n"
    "#]],
    );
    check(
        "echo 'me:x:7:8::/:/bin/sh' >> /etc/passwd && chown me /usr",
        expect!["`chown me /usr` fails: the image has no user `me`"],
    );
    check("echo x > /usr", expect!["`echo x > /usr` fails: `/usr` is a directory"]);
    check(
        "echo x > /etc/hosts",
        expect![
            "`echo x > /etc/hosts` can't be done without running it: `/etc/hosts` is not the image's own while it is built"
        ],
    );
    check(
        "echo x > /srv/twice",
        expect!["`echo x > /srv/twice` can't be done without running it: `/srv/twice` is a file of several names"],
    );
    check(
        "printf '' > /srv/tool",
        expect![
            "`printf  > /srv/tool` can't be done without running it: whether `/srv/tool`, which is there, has another time is not known here"
        ],
    );
    check(
        "touch /srv/cache/x",
        expect![
            "`touch /srv/cache/x` can't be done without running it: `/srv/cache` is not the image's own while it is built"
        ],
    );
    check(
        "cp -r /etc /n",
        expect![
            "`cp -r /etc /n` can't be done without running it: `/etc/hosts` is not the image's own while it is built"
        ],
    );
}

#[test]
fn what_is_mounted() {
    check(
        "cp /mnt/file /usr/f",
        expect![[r#"
        755 0:0 usr/
        644 0:0 usr/f "mounted"
    "#]],
    );
    check(
        "cp /mnt/* /usr && mkdir /mnt/d",
        expect![[r#"
        755 0:0 mnt/
        755 0:0 mnt/d/
        755 0:0 usr/
        644 0:0 usr/file "mounted"
    "#]],
    );
    check(
        "rm -rf /mnt",
        expect!["`rm -rf /mnt` can't be done without running it: `/mnt/file` is mounted, and not to be changed"],
    );
    check(
        "echo x > /mnt/file",
        expect!["`echo x > /mnt/file` can't be done without running it: `/mnt/file` is mounted, and not to be changed"],
    );
    check(
        "cp -r /srv/. /mnt",
        expect!["`cp -r /srv/. /mnt` can't be done without running it: `/srv/.` has no name of its own"],
    );
    check(
        "cp -r /etc/skel/. /usr",
        expect![[r#"
        755 0:0 usr/
        644 0:0 usr/.profile "p"
    "#]],
    );
}
