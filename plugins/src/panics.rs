//! No panic crosses the line: here it becomes a failure that says what and where.
//! Does not know what was called.

use std::any::Any;
use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::io::{self, Write as _};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use forge_schemas::Failure;

use crate::abi::Status;
use crate::refusal::Refusal;

thread_local! {
    /// How many calls this thread is in; they may nest where both sides are in one executable.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    static LAST: RefCell<Option<Failure>> = const { RefCell::new(None) };
}

/// What `act` answers, or a refusal where it panics. A panic in here prints nothing; elsewhere the hook that was set
/// before has it, as if this one were not there.
pub(crate) fn caught<T>(act: impl FnOnce() -> T) -> Result<T, Refusal> {
    listen();
    DEPTH.set(DEPTH.get() + 1);
    let result = catch_unwind(AssertUnwindSafe(act)).map_err(|payload| {
        let heard = LAST.with_borrow_mut(Option::take);
        let failure = heard.unwrap_or_else(|| Failure::bug(format!("panicked: {}", message(&*payload))));
        drop_quietly(payload);
        Refusal { status: Status::PANICKED, failure }
    });
    DEPTH.set(DEPTH.get() - 1);
    result
}

/// The variable that has a panic say how it came to it, where the process writes what is for people.
pub const BACKTRACE: &str = "FORGE_BACKTRACE";

/// Once for every copy of the standard library: an executable and a library have one each.
fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| if DEPTH.get() > 0 { keep(info) } else { before(info) }));
    });
}

fn keep(info: &PanicHookInfo<'_>) {
    let mut failure = Failure::bug(format!("panicked: {}", message(info.payload())));
    if let Some(place) = info.location() {
        failure = failure.cause(format!("at {place}"));
    }
    if std::env::var_os(BACKTRACE).is_some_and(|it| !it.is_empty() && it != "0") {
        let _ = writeln!(io::stderr(), "{failure}\n{}", Backtrace::force_capture());
    }
    LAST.set(Some(failure));
}

fn message(payload: &(dyn Any + Send)) -> &str {
    text(payload).unwrap_or("(no message)")
}

fn text(payload: &(dyn Any + Send)) -> Option<&str> {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}

/// A payload may panic when it is dropped. What that panic carries is dropped where it is a text, and else leaked, so that
/// there is an end to it.
fn drop_quietly(payload: Box<dyn Any + Send>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        LAST.set(None);
        if text(&*second).is_none() {
            std::mem::forget(second);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("again");
        }
    }

    fn check(act: fn(), expect: &str) {
        let refusal = caught(act).unwrap_err();
        assert_eq!(refusal.status, Status::PANICKED);
        assert_eq!(refusal.failure.message, expect);
        assert!(refusal.failure.causes[0].starts_with("at plugins/src/panics.rs:"), "{:?}", refusal.failure.causes);
    }

    #[test]
    fn every_sort_of_panic() {
        check(|| panic!("plain"), "panicked: plain");
        check(|| panic!("{}", 40 + 2), "panicked: 42");
        check(|| std::panic::panic_any(7), "panicked: (no message)");
        check(|| std::panic::panic_any(Bomb), "panicked: (no message)");
    }

    #[test]
    fn a_nested_call_leaves_nothing_behind() {
        let outer = caught(|| caught(|| panic!("inner")).unwrap_err().failure.message).map_err(|_| ()).unwrap();
        assert_eq!(outer, "panicked: inner");
        assert_eq!(DEPTH.get(), 0);
        assert!(LAST.take().is_none());
    }
}
