//! The formats of the Open Container Initiative, and Docker's older ones beside them.
//! Does not know tables, steps or registries' answers: text and bytes in, text and bytes out.

pub mod accounts;
pub mod archive;
pub mod attachment;
pub mod choice;
pub mod compression;
pub mod config;
pub mod held;
pub mod layer;
pub mod layout;
pub mod manifest;
pub mod pieces;
pub mod reference;
pub mod referrers;
pub mod retimed;
pub mod rootfs;
