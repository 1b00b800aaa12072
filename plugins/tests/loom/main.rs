//! The table of calls in flight, in every order in which its threads may run: nobody uses what was lent to a call that is over.
//! Does not load a plugin: these are the lines that all calls of all plugins share.

#[path = "../../src/load/in_flight.rs"]
#[expect(unreachable_pub, reason = "it is a module of the loader elsewhere")]
mod in_flight;

/// What it stands on here: everything that threads share, watched.
mod sync {
    pub(super) use std::sync::PoisonError;

    pub(super) use loom::sync::atomic::{AtomicU64, Ordering};
    pub(super) use loom::sync::{Arc, RwLock, RwLockWriteGuard};
}

mod abi {
    pub(super) type CallId = u64;
}

use in_flight::InFlight;
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

/// What is lent, until its owner takes it back and does with it what he likes.
struct Services(UnsafeCell<u32>);

// SAFETY: the table keeps apart who uses it and who owns it; where it does not, loom tells.
unsafe impl Sync for Services {}
// SAFETY: as above.
unsafe impl Send for Services {}

impl Services {
    fn new() -> Arc<Services> {
        Arc::new(Services(UnsafeCell::new(7)))
    }

    /// As a thread of the plugin does.
    fn use_it(&self) -> u32 {
        // SAFETY: loom watches that nobody owns it meanwhile.
        self.0.with(|number| unsafe { *number })
    }

    /// As its owner does when the call is over.
    fn end(&self) {
        // SAFETY: loom watches that nobody uses it meanwhile.
        self.0.with_mut(|number| unsafe { *number = 0 });
    }
}

#[test]
fn who_comes_late_finds_nothing() {
    // Three threads in every order would take minutes; in two places each is stopped wherever it stands.
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(2);
    model.check(|| {
        let calls = Arc::new(InFlight::new());
        let services = Services::new();
        let call = calls.begin(services.clone());
        let id = call.id();
        let threads = [(); 2].map(|()| {
            let calls = calls.clone();
            thread::spawn(move || calls.during(id, |it| it.use_it()))
        });
        assert!(call.end().is_some());
        services.end();
        assert_eq!(calls.during(id, |it| it.use_it()), None);
        for thread in threads {
            assert!([None, Some(7)].contains(&thread.join().unwrap()));
        }
    });
}

#[test]
fn each_call_has_its_own() {
    loom::model(|| {
        let calls = Arc::new(InFlight::new());
        let work = |calls: Arc<InFlight<u32>>, own: u32| {
            let call = calls.begin(own);
            let id = call.id();
            assert_eq!(calls.during(id, |it| *it), Some(own));
            assert_eq!(call.end(), Some(own));
            id
        };
        let other = {
            let calls = calls.clone();
            thread::spawn(move || work(calls, 1))
        };
        let (one, other) = (work(calls.clone(), 2), other.join().unwrap());
        assert_ne!(one, other);
        for id in [one, other] {
            assert_eq!(calls.during(id, |it| *it), None);
        }
    });
}

#[test]
fn a_call_that_unwinds_ends_too() {
    loom::model(|| {
        let calls = Arc::new(InFlight::new());
        let services = Services::new();
        let call = calls.begin(services.clone());
        let id = call.id();
        let late = {
            let calls = calls.clone();
            thread::spawn(move || calls.during(id, |it| it.use_it()))
        };
        drop(call);
        services.end();
        late.join().unwrap();
    });
}
