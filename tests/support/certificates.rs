//! Certificates for servers of tests: good ones, and one that is over.
//! Does not know who shows them.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::program::output;

/// An authority, and what it vouches for: 127.0.0.1. Writes `ca.pem`, `cert.pem` and `key.pem` to `dir`.
pub fn make(dir: &Path) {
    make_for("IP:127.0.0.1", dir);
}

/// The same for another name, as `subjectAltName` has it: `DNS:example.org`.
pub fn make_for(name: &str, dir: &Path) {
    fs::write(dir.join("ext"), format!("subjectAltName={name}\nbasicConstraints=CA:FALSE\n")).expect("a file");
    openssl("req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=test-authority", dir);
    openssl("req -newkey rsa:2048 -nodes -keyout key.pem -out request.pem -subj /CN=127.0.0.1", dir);
    let sign = "x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out cert.pem -extfile ext";
    openssl(sign, dir);
}

/// The same, but the certificate was good for one day, long ago.
pub fn make_expired(dir: &Path) {
    make(dir);
    fs::write(dir.join("index"), "").expect("a file");
    fs::write(dir.join("serial"), "01\n").expect("a file");
    let config = "[ca]\ndefault_ca=x\n[x]\nnew_certs_dir=.\ndatabase=index\nserial=serial\ndefault_md=sha256\n\
                  policy=p\n[p]\ncommonName=supplied\n";
    fs::write(dir.join("ca.conf"), config).expect("a file");
    let sign = "ca -batch -notext -config ca.conf -keyfile ca.key -cert ca.pem -in request.pem -out cert.pem \
                -extfile ext -startdate 20200101000000Z -enddate 20200102000000Z";
    openssl(sign, dir);
}

fn openssl(arguments: &str, dir: &Path) {
    output(Command::new("openssl").args(arguments.split_whitespace()).current_dir(dir));
}
