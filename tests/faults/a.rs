//! Rows A: crashes, disks and the operating system.
//! Does not know registries.
