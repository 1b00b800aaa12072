//! The variables of the environment that decide what compilers make. A step sees these of forge's own environment, and is
//! not fresh when one of them has changed; what is not here is a matter of the table's `env`.
//! Does not know their values.

/// Of compilers for C, and of what finds libraries for them.
const C: &[&str] = &[
    "AR",
    "CC",
    "CFLAGS",
    "CPATH",
    "CPPFLAGS",
    "CXX",
    "CXXFLAGS",
    "C_INCLUDE_PATH",
    "CPLUS_INCLUDE_PATH",
    "DEVELOPER_DIR",
    "LDFLAGS",
    "LIBRARY_PATH",
    "MACOSX_DEPLOYMENT_TARGET",
    "NIX_CFLAGS_COMPILE",
    "NIX_LDFLAGS",
    "PKG_CONFIG",
    "PKG_CONFIG_ALLOW_CROSS",
    "PKG_CONFIG_LIBDIR",
    "PKG_CONFIG_PATH",
    "PKG_CONFIG_SYSROOT_DIR",
    "SDKROOT",
];

// `RUSTFLAGS` is none of them: machines that check code set it, and the same commit must make the same program there.
const RUST: &[&str] = &[
    "BINDGEN_EXTRA_CLANG_ARGS",
    "CARGO_PROFILE_RELEASE_CODEGEN_UNITS",
    "CARGO_PROFILE_RELEASE_DEBUG",
    "CARGO_PROFILE_RELEASE_LTO",
    "CARGO_PROFILE_RELEASE_OPT_LEVEL",
    "CARGO_PROFILE_RELEASE_PANIC",
    "CARGO_PROFILE_RELEASE_STRIP",
    "LIBCLANG_PATH",
    "OPENSSL_DIR",
    "OPENSSL_INCLUDE_DIR",
    "OPENSSL_LIB_DIR",
    "OPENSSL_NO_VENDOR",
    "OPENSSL_STATIC",
    "PROTOC",
    "PROTOC_INCLUDE",
    "RUSTC",
    "RUSTC_BOOTSTRAP",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTUP_TOOLCHAIN",
];

/// Those that exist once a target.
const RUST_OF_TARGET: &[&str] = &["AR", "CC", "CFLAGS", "CXX", "CXXFLAGS"];

const GO: &[&str] = &[
    "CGO_CFLAGS",
    "CGO_CPPFLAGS",
    "CGO_CXXFLAGS",
    "CGO_FFLAGS",
    "CGO_LDFLAGS",
    "FC",
    "GO111MODULE",
    "GOEXPERIMENT",
    "GOFIPS140",
    "GOFLAGS",
    "GOTOOLCHAIN",
    "GOWORK",
];

const ZIG: &[&str] = &["ZIG_LIB_DIR", "ZIG_LIBC"];

/// What decides what cargo builds for a target. `linker` is the variable that names the target's linker.
pub fn rust(triple: &str, linker: String) -> Vec<String> {
    let of_target = RUST_OF_TARGET.iter().map(|name| format!("{name}_{}", triple.replace(['-', '.'], "_")));
    named(&[C, RUST]).chain(of_target).chain([linker]).collect()
}

/// What decides what Go builds.
pub fn go() -> Vec<String> {
    named(&[C, GO]).collect()
}

/// What decides what Zig builds.
pub fn zig() -> Vec<String> {
    named(&[C, ZIG]).collect()
}

fn named(lists: &[&'static [&'static str]]) -> impl Iterator<Item = String> {
    lists.concat().into_iter().map(str::to_owned)
}
