//! Builds the plugin into `lib` (`zig build --prefix .`), and tests it (`zig build test`).
const std = @import("std");

pub fn build(b: *std.Build) void {
    const target = b.standardTargetOptions(.{});
    const optimize = b.standardOptimizeOption(.{});
    // The header as it is. The C library is linked because its headers say which one the plugin is for.
    const header = b.addTranslateC(.{
        .root_source_file = b.path("../../../plugins/include/forge_plugin.h"),
        .target = target,
        .optimize = optimize,
        .link_libc = true,
    });
    const module = b.createModule(.{
        .root_source_file = b.path("shout.zig"),
        .target = target,
        .optimize = optimize,
        .link_libc = true,
        .imports = &.{.{ .name = "forge", .module = header.createModule() }},
    });
    b.installArtifact(b.addLibrary(.{ .name = "acme_shout", .linkage = .dynamic, .root_module = module }));
    const tests = b.addRunArtifact(b.addTest(.{ .root_module = module }));
    b.step("test", "Test the plugin").dependOn(&tests.step);
}
