//! What threads share memory by: a test puts something in its place that tries every order in which they may run.
//! Does not know what is shared.

pub(super) use std::sync::atomic::{AtomicU64, Ordering};
pub(super) use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};
