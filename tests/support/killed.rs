//! Releases that die by `kill -9` while a server is asked for something.
//! Does not know what it is asked for, or what is left of it.

use rustix::process::Signal;

use super::forge::Running;
use super::project::Project;
use super::proxy::{Fault, Proxy};

/// Kills a release when the server behind the proxy has done what this request asks for, and nobody has heard of it. Then the
/// proxy is well again.
#[track_caller]
pub fn kill_release_at(project: &Project, proxy: &Proxy, method: &'static str, place: &'static str) {
    proxy.fault(method, place, 1..=1, Fault::Stall(None));
    let killed = Running::start(&mut project.command(&["run", "release", "--json"]));
    proxy.wait_for(method, place);
    killed.signal(Signal::KILL);
    killed.end();
    proxy.heal();
}
