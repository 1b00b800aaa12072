//! Work side by side on plain threads, for calls of pipes: a pipe may use a pool of threads, or block, and must not be called on
//! a thread of the engine's own pool.
//! Does not know what the work is.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{Builder, available_parallelism, scope};

use crate::pipes::STACK;

/// Does `work` for each of `items`, as many at a time as there are processors; what comes of it, in the order of the items.
/// The caller's thread is one of those that work, so that a single item costs no thread.
pub fn side_by_side<'a, T: Sync, R: Send>(items: &'a [T], work: impl Fn(&'a T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            match items.get(at) {
                Some(item) => done.push((at, work(item))),
                None => return done,
            }
        }
    };
    let mut done = scope(|scope| {
        // Where no further thread can be had, those that are there do all of it.
        let start = |_| Builder::new().name("plan".to_owned()).stack_size(STACK).spawn_scoped(scope, work).ok();
        let threads: Vec<_> = (0..others(items.len())).map_while(start).collect();
        let mut done = work();
        for thread in threads {
            done.extend(thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        done
    });
    done.sort_unstable_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

/// How many threads help the caller's.
fn others(items: usize) -> usize {
    match items {
        0 | 1 => 0,
        _ => available_parallelism().map_or(1, usize::from).min(items) - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(items: usize) {
        let numbers: Vec<usize> = (0..items).collect();
        // The later ones are done sooner.
        let results = side_by_side(&numbers, |number| {
            assert!(rayon::current_thread_index().is_none(), "on a thread of a pool");
            (0..items - number).for_each(|_| std::hint::spin_loop());
            number * 2
        });
        assert_eq!(results, numbers.iter().map(|it| it * 2).collect::<Vec<_>>());
    }

    #[test]
    fn each_once_and_in_order() {
        check(0);
        check(1);
        check(2);
        check(1000);
    }

    #[test]
    #[should_panic = "the third"]
    fn a_panic_is_passed_on() {
        side_by_side(&[1, 2, 3], |it| assert_ne!(*it, 3, "the third"));
    }
}
