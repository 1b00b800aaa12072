//! The calls in flight, by numbers that are never used again: what comes late finds none, and a call ends when nobody uses
//! any more what was lent to it.
//! Does not know what is lent.

use super::sync::{Arc, AtomicU64, Ordering, PoisonError, RwLock, RwLockWriteGuard};
use crate::abi::CallId;

/// All of them. As many as there are threads in plugins, so they are looked through.
pub struct InFlight<L> {
    calls: RwLock<Vec<(CallId, Arc<Call<L>>)>>,
    next: AtomicU64,
}

/// What was lent; none when the call is over. Who uses it holds the lock, so that the call's end waits for him.
struct Call<L>(RwLock<Option<L>>);

/// A call that has begun. It ends with this, also where somebody unwinds.
pub struct Begun<'a, L> {
    all: &'a InFlight<L>,
    id: CallId,
    call: Arc<Call<L>>,
}

impl<L> InFlight<L> {
    /// None.
    pub fn new() -> InFlight<L> {
        InFlight { calls: RwLock::new(Vec::new()), next: AtomicU64::new(1) }
    }

    /// Begins a call, to which this is lent.
    pub fn begin(&self, lent: L) -> Begun<'_, L> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let call = Arc::new(Call(RwLock::new(Some(lent))));
        write(&self.calls).push((id, Arc::clone(&call)));
        Begun { all: self, id, call }
    }

    /// Does something with what was lent to a call; nothing where the call is over, or never was.
    pub fn during<A>(&self, id: CallId, act: impl FnOnce(&L) -> A) -> Option<A> {
        let call = {
            let calls = self.calls.read().unwrap_or_else(PoisonError::into_inner);
            calls.iter().find(|(other, _)| *other == id).map(|(_, call)| Arc::clone(call))
        }?;
        let lent = call.0.read().unwrap_or_else(PoisonError::into_inner);
        lent.as_ref().map(act)
    }
}

impl<L> Begun<'_, L> {
    /// Its number.
    pub fn id(&self) -> CallId {
        self.id
    }

    /// Ends it. Gives back what was lent, which nobody uses any more.
    pub fn end(self) -> Option<L> {
        self.take()
    }

    fn take(&self) -> Option<L> {
        let mut lent = write(&self.call.0);
        let taken = lent.take();
        drop(lent);
        if taken.is_some() {
            write(&self.all.calls).retain(|(id, _)| *id != self.id);
        }
        taken
    }
}

impl<L> Drop for Begun<'_, L> {
    fn drop(&mut self) {
        self.take();
    }
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
