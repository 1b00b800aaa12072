//! Pipe acme_sample: lists the digests of what other tables have made, as sha256sum does.
const std = @import("std");
const forge = @import("forge"); // forge_plugin.h, as build.zig translates it

const manifest = forge.FORGE_MANIFEST("acme-sample", "0.1.0", "zig", "[\"acme_sample\"]");

/// `settings` is the JSON Schema of a table, `detail` that of what is known of a list.
const described =
    \\{"name":"acme-sample","version":"0.1.0","pipes":[{"name":"acme_sample",
    \\"summary":"Lists the digests of what was made",
    \\"settings":{"type":"object","additionalProperties":false,"required":["file"],"properties":{
    \\"file":{"type":"string","pattern":"^[^/]+$","description":"What the list is called."},
    \\"kinds":{"type":"array","items":{"type":"string"},"description":"Which kinds to list."}}},
    \\"makes":[{"name":"acme-sample.list","detail":{"type":"object"}}]}]}
;

/// What is read of a message; forge may say more.
const Takes = struct { settings: struct { kinds: []const []const u8 = &.{"binary"} } };
const Plan = struct {
    settings: struct { file: []const u8 },
    facts: struct { version: []const u8 },
    offers: []const struct { name: []const u8 },
};
const Run = struct {
    step: struct { makes: []const struct { name: []const u8 }, params: struct { version: []const u8 } },
    inputs: []const struct { name: []const u8, digest: []const u8 },
    host: struct { dir: []const u8 },
};

var host: *const forge.forge_host_v1 = undefined;

const Error = error{ OutOfMemory, NotTheMessage, CantWriteTheFile, ServiceFailed };

/// The answer to one message; null for what the plugin does not know.
fn answer(memory: std.mem.Allocator, cx: forge.forge_cx, method: []const u8, request: []const u8) Error!?[]const u8 {
    if (std.mem.eql(u8, method, "describe")) return described;
    if (std.mem.eql(u8, method, "takes")) return try takes(memory, try read(Takes, memory, request));
    if (std.mem.eql(u8, method, "plan")) return try plan(memory, try read(Plan, memory, request));
    if (std.mem.eql(u8, method, "run")) return try run(memory, cx, try read(Run, memory, request));
    return null;
}

fn takes(memory: std.mem.Allocator, of: Takes) Error![]const u8 {
    return write(memory, .{ .selectors = .{.{ .kinds = of.settings.kinds, .key = "kinds" }} });
}

fn plan(memory: std.mem.Allocator, of: Plan) Error![]const u8 {
    const names = try memory.alloc([]const u8, of.offers.len);
    for (of.offers, names) |offer, *name| name.* = offer.name;
    const list = .{ .name = of.settings.file, .kind = "acme-sample.list", .detail = struct {}{} };
    return write(memory, .{ .steps = .{.{
        .takes = names,
        .makes = .{list},
        .params = .{ .version = of.facts.version },
    }} });
}

fn run(memory: std.mem.Allocator, cx: forge.forge_cx, of: Run) Error![]const u8 {
    var text: []const u8 = try std.fmt.allocPrint(memory, "# {s}\n", .{of.step.params.version});
    for (of.inputs) |input| {
        text = try std.fmt.allocPrint(memory, "{s}{s}  {s}\n", .{ text, input.digest["sha256:".len..], input.name });
    }
    const path = try std.fmt.allocPrintSentinel(memory, "{s}/list", .{of.host.dir}, 0);
    const file = fopen(path, "wb") orelse return error.CantWriteTheFile;
    const written = fwrite(text.ptr, 1, text.len, file);
    if (fclose(file) != 0 or written != text.len) return error.CantWriteTheFile;
    const emit = .{ .name = of.step.makes[0].name, .path = path, .detail = struct {}{} };
    var response: forge.forge_str = undefined;
    const status = host.call.?(host, cx, str("artifact.emit"), str(try write(memory, emit)), &response);
    if (status == forge.FORGE_OK) return "{}";
    _ = host.set_error.?(host, cx, response);
    return error.ServiceFailed;
}

fn read(comptime T: type, memory: std.mem.Allocator, request: []const u8) Error!T {
    const options = std.json.ParseOptions{ .ignore_unknown_fields = true };
    return std.json.parseFromSliceLeaky(T, memory, request, options) catch error.NotTheMessage;
}

fn write(memory: std.mem.Allocator, message: anytype) Error![]const u8 {
    return std.json.Stringify.valueAlloc(memory, message, .{});
}

fn call(_: ?*anyopaque, cx: forge.forge_cx, method: forge.forge_str, request: forge.forge_str) callconv(.c) forge.forge_status {
    var arena = std.heap.ArenaAllocator.init(std.heap.c_allocator);
    defer arena.deinit();
    const reply = answer(arena.allocator(), cx, bytes(method), bytes(request)) catch |err| {
        if (err != error.ServiceFailed) _ = host.set_error.?(host, cx, str(@errorName(err)));
        return forge.FORGE_FAILED;
    };
    return host.reply.?(host, cx, str(reply orelse return forge.FORGE_UNIMPLEMENTED));
}

fn init(given: ?*const forge.forge_host_v1, _: forge.forge_cx, _: ?*?*anyopaque) callconv(.c) forge.forge_status {
    host = given orelse return forge.FORGE_INCOMPATIBLE;
    return forge.FORGE_OK;
}

fn fini(_: ?*anyopaque) callconv(.c) void {}

const plugin: forge.forge_plugin_v1 = .{
    .struct_size = @sizeOf(forge.forge_plugin_v1),
    .abi_major = forge.FORGE_ABI_MAJOR,
    .abi_minor = forge.FORGE_ABI_MINOR,
    .manifest = str(manifest),
    .init = init,
    .call = call,
    .fini = fini,
};

export fn forge_plugin_entry_v1() *const forge.forge_plugin_v1 {
    return &plugin;
}

fn str(text: []const u8) forge.forge_str {
    return .{ .ptr = text.ptr, .len = text.len };
}

fn bytes(text: forge.forge_str) []const u8 {
    return if (text.len == 0) "" else text.ptr[0..text.len];
}

extern "c" fn fopen(path: [*:0]const u8, mode: [*:0]const u8) ?*anyopaque;
extern "c" fn fwrite(from: [*]const u8, size: usize, count: usize, file: *anyopaque) usize;
extern "c" fn fclose(file: *anyopaque) c_int;

test "a step for a table" {
    var arena = std.heap.ArenaAllocator.init(std.testing.allocator);
    defer arena.deinit();
    const request =
        \\{"settings":{"file":"list.txt"},"facts":{"version":"1.2.3"},"offers":[{"name":"hello","kind":"binary"}]}
    ;
    const reply = (try answer(arena.allocator(), 1, "plan", request)).?;
    try std.testing.expectEqualStrings(
        \\{"steps":[{"takes":["hello"],"makes":[{"name":"list.txt","kind":"acme-sample.list","detail":{}}],"params":{"version":"1.2.3"}}]}
    , reply);
    try std.testing.expectError(error.NotTheMessage, answer(arena.allocator(), 1, "plan", "{}"));
    try std.testing.expectEqual(null, try answer(arena.allocator(), 1, "dance", "{}"));
}
