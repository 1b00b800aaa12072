//! The system's allocator, which counts what is out.
//! Does not know who has it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicI64, Ordering};

#[global_allocator]
static ALLOCATOR: Counted = Counted;

static BLOCKS: AtomicI64 = AtomicI64::new(0);
static BYTES: AtomicI64 = AtomicI64::new(0);

/// What is out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Out {
    pub blocks: i64,
    pub bytes: i64,
}

/// What is out now.
pub fn now() -> Out {
    Out { blocks: BLOCKS.load(Ordering::SeqCst), bytes: BYTES.load(Ordering::SeqCst) }
}

struct Counted;

// SAFETY: every call is passed on as it is to the system's allocator, which keeps the contract. `realloc` and
// `alloc_zeroed` are those of the trait, made of these two.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BLOCKS.fetch_add(1, Ordering::SeqCst);
        BYTES.fetch_add(size(layout), Ordering::SeqCst);
        // SAFETY: the caller answers for the layout.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        BLOCKS.fetch_sub(1, Ordering::SeqCst);
        BYTES.fetch_sub(size(layout), Ordering::SeqCst);
        // SAFETY: the caller answers for the block, which is `System`'s with this layout.
        unsafe { System.dealloc(block, layout) }
    }
}

fn size(layout: Layout) -> i64 {
    i64::try_from(layout.size()).unwrap_or(i64::MAX)
}
