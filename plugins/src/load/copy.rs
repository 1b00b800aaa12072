//! A private copy of a library, to be judged and mapped in place of the file: the very bytes that were hashed, whatever is
//! written to the file meanwhile or later.
//! Does not know what the bytes are.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// The copy. What was mapped of it stays when it goes.
pub(super) struct Copy(Kept);

/// Where the bytes are.
enum Kept {
    /// In memory that nobody can change any more, and that has a name.
    #[cfg(target_os = "linux")]
    Sealed(sealed::Sealed),
    /// In the memory of this process.
    Own(Vec<u8>),
}

/// A copy under a name by which the system can load it. When it goes, so does the name.
pub(super) struct Named {
    path: PathBuf,
    file: Option<File>,
    #[expect(dead_code, reason = "dropping it removes the directory")]
    scratch: Option<tempfile::TempDir>,
}

impl Copy {
    /// Of some bytes.
    pub(super) fn of(bytes: &[u8]) -> Copy {
        Copy::read(bytes).unwrap_or_else(|_| Copy(Kept::Own(bytes.to_vec())))
    }

    /// Of all that is left in a file. Where the system can, it copies by itself.
    pub(super) fn of_file(file: &mut File) -> io::Result<Copy> {
        Copy::read(&mut *file).or_else(|_| {
            let mut bytes = Vec::new();
            io::Seek::rewind(file)?;
            file.read_to_end(&mut bytes)?;
            Ok(Copy(Kept::Own(bytes)))
        })
    }

    #[cfg(target_os = "linux")]
    fn read(from: impl io::Read) -> io::Result<Copy> {
        sealed::Sealed::read(from).map(|it| Copy(Kept::Sealed(it)))
    }

    #[cfg(not(target_os = "linux"))]
    fn read(_: impl io::Read) -> io::Result<Copy> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// All of it.
    pub(super) fn bytes(&self) -> &[u8] {
        match &self.0 {
            #[cfg(target_os = "linux")]
            Kept::Sealed(sealed) => sealed.bytes(),
            Kept::Own(bytes) => bytes,
        }
    }

    /// Nobody will look at the bytes soon: they need not be resident beside what was mapped of them. Who looks all the same,
    /// finds them.
    pub(super) fn rest(&self) {
        match &self.0 {
            #[cfg(target_os = "linux")]
            Kept::Sealed(sealed) => sealed.rest(),
            Kept::Own(_) => {}
        }
    }

    /// The same under a name: that of the memory it is in, else one in a directory of this user alone.
    pub(super) fn named(&self) -> io::Result<Named> {
        match &self.0 {
            #[cfg(target_os = "linux")]
            Kept::Sealed(sealed) => sealed.named().or_else(|_| in_directory(sealed.bytes())),
            Kept::Own(bytes) => in_directory(bytes),
        }
    }
}

impl Named {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// To be called when it was mapped. Its descriptor stays open for ever: the C library knows what it has mapped by
    /// name, and would take the next copy for this one if it got the same number.
    pub(super) fn keep(mut self) {
        std::mem::forget(self.file.take());
    }
}

fn in_directory(bytes: &[u8]) -> io::Result<Named> {
    let scratch = tempfile::Builder::new().prefix("forge-plugin-").tempdir()?;
    let path = scratch.path().join("plugin");
    std::fs::write(&path, bytes)?;
    Ok(Named { path, file: None, scratch: Some(scratch) })
}

#[cfg(target_os = "linux")]
mod sealed {
    use std::fs::File;
    use std::io;
    use std::os::fd::AsRawFd;
    use std::path::PathBuf;
    use std::ptr::{self, NonNull};

    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
    use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, munmap};

    use super::Named;

    /// A file in memory that nobody can write to any more, and all of it where we can read it.
    pub(super) struct Sealed {
        file: File,
        start: NonNull<u8>,
        length: usize,
    }

    // SAFETY: it is read only, by anyone.
    unsafe impl Send for Sealed {}
    // SAFETY: as above.
    unsafe impl Sync for Sealed {}

    impl Sealed {
        pub(super) fn read(mut from: impl io::Read) -> io::Result<Sealed> {
            let mut file = File::from(memfd_create(c"forge-plugin", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?);
            io::copy(&mut from, &mut file)?;
            fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
            let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
            // SAFETY: a new mapping, at an address that the system chooses. Nothing of length 0 is mapped: that fails.
            let start = unsafe { mmap(ptr::null_mut(), length, ProtFlags::READ, MapFlags::PRIVATE, &file, 0) }?;
            let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
            Ok(Sealed { file, start, length })
        }

        pub(super) fn bytes(&self) -> &[u8] {
            // SAFETY: mapped for as long as we live, and sealed: it neither changes nor shrinks.
            unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.length) }
        }

        pub(super) fn rest(&self) {
            // SAFETY: this is what was mapped, and nobody has written to it: what is dropped is read from the file again, and
            // that is sealed. If it fails, the pages stay.
            let _ = unsafe { madvise(self.start.as_ptr().cast(), self.length, Advice::LinuxDontNeed) };
        }

        pub(super) fn named(&self) -> io::Result<Named> {
            let file = self.file.try_clone()?;
            let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
            // Without /proc it has no name.
            File::open(&path)?;
            Ok(Named { path, file: Some(file), scratch: None })
        }
    }

    impl Drop for Sealed {
        fn drop(&mut self) {
            // SAFETY: this is what was mapped, and nobody has a part of it that could outlive us.
            let _ = unsafe { munmap(self.start.as_ptr().cast(), self.length) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(content: &[u8]) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("library");
        std::fs::write(&path, content).unwrap();
        let of_file = Copy::of_file(&mut File::open(&path).unwrap()).unwrap();
        std::fs::write(&path, b"something else").unwrap();
        for copy in [of_file, Copy::of(content), Copy(Kept::Own(content.to_vec()))] {
            copy.rest();
            assert_eq!(copy.bytes(), content);
            let named = copy.named().unwrap();
            drop(copy);
            assert_eq!(std::fs::read(named.path()).unwrap(), content);
        }
    }

    #[test]
    fn a_copy_is_what_the_file_was() {
        check(b"");
        check(b"x");
        check(&[7; 100_000]);
    }
}
