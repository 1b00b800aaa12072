//! The system's allocator, which counts what is out, and puts a mark before each block: what is given back to it must bear
//! one, so a block of a plugin's own, or one that was given back before, ends the process.
//! Does not know who has it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::process::abort;
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

/// What stands before a block that is out, and before one that was given back.
const OUT: u64 = 0x6c69_6e65_2d6f_7574;
const BACK: u64 = 0x6c69_6e65_6261_636b;

// SAFETY: every call is passed on to the system's allocator, which keeps the contract, with room for a mark before the block
// that keeps its alignment. `realloc` and `alloc_zeroed` are those of the trait, made of these two.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BLOCKS.fetch_add(1, Ordering::SeqCst);
        BYTES.fetch_add(size(layout), Ordering::SeqCst);
        let Some((whole, room)) = marked(layout) else { return std::ptr::null_mut() };
        // SAFETY: the caller answers for the layout; the room before the block has the mark, at its end.
        unsafe {
            let start = System.alloc(whole);
            if start.is_null() {
                return start;
            }
            let block = start.add(room);
            mark(block).write_unaligned(OUT);
            block
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        BLOCKS.fetch_sub(1, Ordering::SeqCst);
        BYTES.fetch_sub(size(layout), Ordering::SeqCst);
        let Some((whole, room)) = marked(layout) else { abort() };
        // SAFETY: the caller answers for the block, which is ours if it has our mark.
        unsafe {
            if mark(block).read_unaligned() != OUT {
                abort();
            }
            mark(block).write_unaligned(BACK);
            System.dealloc(block.sub(room), whole);
        }
    }
}

/// A block with room before it, and how much.
fn marked(layout: Layout) -> Option<(Layout, usize)> {
    let room = layout.align().max(size_of::<u64>());
    let whole = Layout::from_size_align(layout.size().checked_add(room)?, layout.align()).ok()?;
    Some((whole, room))
}

/// Where the mark of a block is.
fn mark(block: *mut u8) -> *mut u64 {
    block.wrapping_sub(size_of::<u64>()).cast()
}

fn size(layout: Layout) -> i64 {
    i64::try_from(layout.size()).unwrap_or(i64::MAX)
}
