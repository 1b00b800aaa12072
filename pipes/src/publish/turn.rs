//! One upload of a blob to a repository at a time. Images that share a layer are pushed side by side, and a registry that is asked by
//! both at once says to both that it does not have it. Does not know how a blob gets there.

use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use forge_plugin::schemas::Digest;

/// The right to upload a blob, until it is dropped.
#[derive(Debug)]
pub struct Turn(Key);

/// A repository, and a blob.
type Key = (String, Digest);

static TAKEN: Mutex<BTreeSet<Key>> = Mutex::new(BTreeSet::new());
static GIVEN_BACK: Condvar = Condvar::new();

impl Turn {
    /// Waits until nobody else uploads this blob there.
    pub fn wait(repository: String, digest: Digest) -> Turn {
        let key = (repository, digest);
        let taken = GIVEN_BACK.wait_while(taken(), |taken| taken.contains(&key));
        taken.unwrap_or_else(PoisonError::into_inner).insert(key.clone());
        Turn(key)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        taken().remove(&self.0);
        GIVEN_BACK.notify_all();
    }
}

fn taken() -> MutexGuard<'static, BTreeSet<Key>> {
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    /// Who comes second is told of it when the first is done; for another blob, or another place, nobody waits.
    #[test]
    fn one_at_a_time() {
        let wait = |repository: &str, content: &[u8]| Turn::wait(repository.to_owned(), Digest::of(content));
        let first = wait("here", b"a");
        let _others = [wait("here", b"b"), wait("there", b"a")];
        let (sender, seen) = channel();
        std::thread::scope(|scope| {
            let second = sender.clone();
            scope.spawn(move || {
                let _turn = wait("here", b"a");
                second.send("second").expect("it is waited for");
            });
            sender.send("first").expect("it is waited for");
            drop(first);
        });
        assert_eq!(seen.try_iter().collect::<Vec<_>>(), ["first", "second"]);
    }
}
