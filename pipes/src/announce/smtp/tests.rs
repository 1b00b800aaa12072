//! The tests of mails: what one says, and what can't be in one.
//! Do not know a server.

use expect_test::{Expect, expect};
use forge_plugin::testing::{plan_table, sample_facts};
use serde_json::{Value, json};

use super::*;
use crate::announce::Announce;

fn table(more: &Value) -> Value {
    let mut table = json!({
        "to": "smtp", "host": "smtp.example.org", "from": "Acme <releases@example.org>",
        "recipients": ["all@example.org"]
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        table[key] = value.clone();
    }
    table
}

fn params(more: &Value) -> Params {
    let step = plan_table::<Announce>(&table(more), &sample_facts(), &[], &[]).unwrap().remove(0);
    serde_json::from_value(step.params).unwrap()
}

fn mail(more: &Value) -> Mail {
    params(more).mail.unwrap()
}

/// What goes over the wire, but for the time.
fn wire(more: &Value) -> String {
    let params = params(more);
    let message = params.mail.as_ref().unwrap().message(&params.message).unwrap();
    let text = String::from_utf8(message.formatted()).unwrap().replace("\r\n", "\n");
    let lines = text.lines().map(|line| if line.starts_with("Date: ") { "Date: …" } else { line });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

#[test]
fn what_is_sent() {
    let check = |more: Value, expect: Expect| expect.assert_eq(&wire(&more));
    check(
        json!({}),
        expect![[r#"
            From: Acme <releases@example.org>
            To: all@example.org
            Subject: hello 1.2.3 is out
            Message-ID: <313b312522a891a4e57362544b0cdf8d@example.org>
            MIME-Version: 1.0
            Content-Type: text/plain; charset=utf-8
            Content-Transfer-Encoding: 7bit
            Date: …
            Auto-Submitted: auto-generated

            hello 1.2.3 is out: https://example.org/acme/hello
        "#]],
    );
    check(
        json!({
            "recipients": ["all@example.org", "Ünal B <b@example.org>", "\"C, D\" <c@example.org>"],
            "subject": "{{ name }} {{ version }} läuft",
            "message": "Neu: größer.\n.\n{{ url }}\n"
        }),
        expect![[r#"
            From: Acme <releases@example.org>
            To: all@example.org, =?utf-8?b?w5xuYWwgQg==?= <b@example.org>,
             =?utf-8?b?QywgRA==?= <c@example.org>
            Subject: hello 1.2.3 =?utf-8?b?bMOkdWZ0?=
            Message-ID: <037433525d666ea6323e9606591ab240@example.org>
            MIME-Version: 1.0
            Content-Type: text/plain; charset=utf-8
            Content-Transfer-Encoding: quoted-printable
            Date: …
            Auto-Submitted: auto-generated

            Neu: gr=C3=B6=C3=9Fer.
            .
            https://example.org/acme/hello
        "#]],
    );
}

#[test]
fn the_same_mail_has_the_same_number() {
    let id = |more: Value| mail(&more).message_id;
    assert_eq!(id(json!({})), id(json!({ "port": 2525, "encryption": "tls" })));
    assert_ne!(id(json!({})), id(json!({ "subject": "Another" })));
    assert_ne!(id(json!({})), id(json!({ "message": "Another" })));
    assert_ne!(id(json!({})), id(json!({ "id": "another" })));
}

#[test]
fn ports_and_encryption() {
    let check = |more: Value, port: u16, encryption: Encryption| {
        let mail = mail(&more);
        assert_eq!((mail.port, mail.encryption), (port, encryption), "{more}");
    };
    check(json!({}), 587, Encryption::Starttls);
    check(json!({ "port": 25 }), 25, Encryption::Starttls);
    check(json!({ "port": 465 }), 465, Encryption::Tls);
    check(json!({ "encryption": "tls" }), 465, Encryption::Tls);
    check(json!({ "encryption": "none" }), 25, Encryption::None);
    check(json!({ "host": "localhost" }), 25, Encryption::None);
    check(json!({ "host": "[::1]" }), 25, Encryption::None);
    check(json!({ "host": "127.0.0.1", "port": 465 }), 465, Encryption::Tls);
    check(json!({ "host": "127.0.0.1", "encryption": "starttls" }), 587, Encryption::Starttls);
}

#[test]
fn nothing_of_a_table_begins_a_header() {
    let check = |more: Value, expect: Expect| {
        let problems = plan_table::<Announce>(&table(&more), &sample_facts(), &[], &[]).unwrap_err();
        let told = problems.iter().map(|it| format!("{:?}: {}\n", it.place, it.message));
        expect.assert_eq(&told.collect::<String>());
    };
    check(
        json!({ "subject": "{{ name }}\r\nBcc: eve@example.org" }),
        expect![[r#"
        Key("subject"): `hello\r\nBcc: eve@example.org` is more than one line
    "#]],
    );
    check(
        json!({ "subject": "a\rb" }),
        expect![[r#"
        Key("subject"): `a\rb` is more than one line
    "#]],
    );
    check(
        json!({ "from": "a@example.org\nBcc: eve@example.org", "recipients": ["\"a\r\nBcc: e\" <a@example.org>", "b@example.org>\r\nRCPT TO:<e@example.org"] }),
        expect![[r#"
            Key("from"): `a@example.org\nBcc: eve@example.org` is not an address
            Key("recipients[0]"): `\"a\r\nBcc: e\" <a@example.org>` is not an address
            Key("recipients[1]"): `b@example.org>\r\nRCPT TO:<e@example.org` is not an address
        "#]],
    );
    check(
        json!({ "host": "smtp.example.org:25", "recipients": [] }),
        expect![[r#"
        Key("host"): `smtp.example.org:25` is not the name of a host
        Key("recipients"): nobody is written to
    "#]],
    );
    check(
        json!({ "from": "ä@example.org", "recipients": ["a", "a@b@c", "a@example.org, b@example.org"] }),
        expect![[r#"
            Key("from"): `ä@example.org` is not in ASCII, which many servers want
            Key("recipients[0]"): `a` is not an address
            Key("recipients[1]"): `a@b@c` is not an address
            Key("recipients[2]"): `a@example.org, b@example.org` is not an address
        "#]],
    );
}

/// What gets past planning all the same can't leave its header.
#[test]
fn a_mail_keeps_to_its_headers() {
    let forged = Mail { subject: "a\r\nBcc: eve@example.org\r\n\r\nb".to_owned(), ..mail(&json!({})) };
    let text = String::from_utf8(forged.message("text").unwrap().formatted()).unwrap();
    assert!(!text.contains("\nBcc"), "{text}");
    let long = Mail { subject: "word ".repeat(100), ..forged };
    let text = String::from_utf8(long.message("text").unwrap().formatted()).unwrap();
    assert!(text.lines().all(|line| line.len() <= 78), "{text}");
}
