/* forge_plugin.h - the line between forge and its plugins, version 1. C99 or C++11, and nothing else.
 *
 * A plugin is a shared library that carries one or more pipes. Each pipe is one kind of table in forge.toml. The library
 * exports one function, forge_plugin_entry_v1(), which hands out a constant forge_plugin_v1, and it carries a manifest,
 * FORGE_MANIFEST(...), which forge reads in the file before it maps it. A whole plugin is in examples/plugins/notify.
 *
 * All else is messages: JSON objects in UTF-8, at most FORGE_MAX_MESSAGE bytes. Content of files never crosses, paths do.
 * Both sides ignore members that they do not know, so messages can grow; these structs only grow at their end.
 *
 * What forge asks, by the method of forge_plugin_v1.call; the answer goes to forge_host_v1.reply:
 *
 *   describe  {"host"}                          -> {"name","version","needs","pipes":[{"name","summary","settings","makes"}]}
 *   takes     {"table","settings"}              -> {"selectors","sources",
 *                                                  "makes","problems"}                    which artifacts a table wants
 *   plan      {"table","settings","facts",
 *              "offers","sources"}              -> {"steps","problems"}                   what is to be done; changes nothing
 *   run       {"table","step","inputs","host",
 *              "found"}                         -> {}                                     does one step
 *   probe     {"table","step","inputs","host"}  -> {"found"}                              what lies where it would publish
 *
 * A plugin answers FORGE_UNIMPLEMENTED to a method that it does not know; it need not know probe.
 *
 * What a plugin asks, by the service of forge_host_v1.call:
 *
 *   template.render  {"template","names"}                       -> {"text","names"}              facts while planning only
 *   exec             {"argv","dir","env"}                       -> {"code","signal","stdout","stderr"}
 *   http.send        {"method","url","headers","body",...}      -> {"status","headers","body"}   forge adds credentials
 *   artifact.emit    {"name","path","blobs","detail"}           -> the artifact, as it lies in the store
 *   artifact.trace   {}                                         -> {"forge","project","tasks"}   its step says so
 *   note.set         {"key","value"}                            -> {}                            kept for a later run
 *   note.get         {"key"}                                    -> {"key","value"}
 *   secret.get       {"name"}                                   -> {"value"}                     its table says so
 *
 * Every message in full, member by member: docs/plugins.md. One of each as it is sent: plugins/tests/messages/.
 * forge_json.h, beside this, reads and writes messages for those who have no library for JSON at hand.
 *
 * The rules:
 *
 *   Memory   All memory that crosses is the host's, or only lent. Method and request are valid until call() returns; what
 *            a plugin passes is copied before the host's function returns. Nobody frees what the other side has made.
 *   Threads  forge calls from threads of its own, any number at once (see FORGE_PF_SERIAL), and each may block. Within a
 *            call any thread of the plugin may use its forge_cx; after the call has returned, it is FORGE_STALE.
 *   Errors   A status other than FORGE_OK fails the call; set_error() says why, for people. No exception, panic or longjmp
 *            may leave a function of the plugin: in C++ catch (...) and return FORGE_PANICKED.
 *   Process  Outside of a process of its own (FORGE_HF_OWN_PROCESS), a plugin leaves alone what it shares with forge: the
 *            current directory, the environment, signals, the files 0 to 2. It never calls exit() or abort().
 */
#ifndef FORGE_PLUGIN_H
#define FORGE_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FORGE_ABI_MAJOR 1
#define FORGE_ABI_MINOR 0
#define FORGE_ENTRY_V1 "forge_plugin_entry_v1"
/* The longest message, in bytes. */
#define FORGE_MAX_MESSAGE ((size_t)64 << 20)

/* Stands before the definition of forge_plugin_entry_v1(). Compile the rest with -fvisibility=hidden, C++ also with
 * -fno-gnu-unique: two plugins in one process must not find each other's symbols. */
#if defined(__cplusplus)
#define FORGE_C_ extern "C"
#else
#define FORGE_C_
#endif
#if defined(_WIN32)
#define FORGE_EXPORT FORGE_C_ __declspec(dllexport)
#else
#define FORGE_EXPORT FORGE_C_ __attribute__((visibility("default"), used))
#endif

/* Borrowed bytes, never ended by NUL. ptr may be NULL where len is 0. */
typedef struct forge_str {
  const uint8_t *ptr;
  size_t len;
} forge_str;

/* Names one call in flight; never used twice, and 0 is none. When the call has returned, every function of the
 * host answers FORGE_STALE to it. */
typedef uint64_t forge_cx;

/* How a call or a service ended. Any other number is FORGE_FAILED, and a bug. */
typedef int32_t forge_status;
enum {
  FORGE_OK = 0,
  FORGE_FAILED = 1,        /* it failed; set_error says why                */
  FORGE_INVALID = 2,       /* the settings, or the request, are wrong      */
  FORGE_CANCELLED = 3,     /* it stopped because cancelled() said so       */
  FORGE_UNIMPLEMENTED = 4, /* no such method, pipe or service              */
  FORGE_UNAVAILABLE = 5,   /* it failed in a way that may pass             */
  FORGE_PANICKED = 6,      /* a panic or an exception was caught           */
  FORGE_PROTOCOL = 7,      /* bytes that are not the message               */
  FORGE_INCOMPATIBLE = 8,  /* init() refuses this host                     */
  FORGE_STALE = 9          /* the call is not in flight, or no longer      */
};

/* The levels of log(). Below FORGE_INFO lines stand in the task's log only. */
enum { FORGE_TRACE = 0, FORGE_DEBUG = 1, FORGE_INFO = 2, FORGE_WARN = 3, FORGE_ERROR = 4 };

/* forge_host_v1.features */
#define FORGE_HF_OWN_PROCESS (1ull << 0) /* the plugin is alone in its process */

/* forge_plugin_v1.flags: bits 0 to 31 may be ignored by a host that does not know them, bits 32 to 63 may not */
#define FORGE_PF_SERIAL (1ull << 0)         /* never two calls at once        */
#define FORGE_PF_PREFER_PROCESS (1ull << 1) /* wants a process of its own     */

/* The host's: constant, valid as long as the process lives. Any thread may call; nothing unwinds. Arguments are copied
 * before a function returns. */
typedef struct forge_host_v1 forge_host_v1;
struct forge_host_v1 {
  uint32_t struct_size; /* read no byte beyond it: FORGE_HAS */
  uint16_t abi_major, abi_minor;
  uint64_t features;
  void *self; /* the host's own */
  /* The answer to this call, {} if never given; a later one replaces it. Counts only where call() returns FORGE_OK. */
  forge_status (*reply)(const forge_host_v1 *, forge_cx, forge_str body);
  /* What there is to say about a status other than FORGE_OK: plain text, or {"class","message","causes":[...],"help",
   * "unreached"}, where class is one of tool, network, silent, refused, input, machine, cancelled, bug. To fail without a word is a bug. */
  forge_status (*set_error)(const forge_host_v1 *, forge_cx, forge_str body);
  /* One line for the user; fields_json is empty or an object. What is not UTF-8 is replaced. */
  forge_status (*log)(const forge_host_v1 *, forge_cx, uint32_t level, forge_str message, forge_str fields_json);
  /* How far the call is: so much of total, in any unit; total 0 where that is not known. May be called in a tight loop. */
  forge_status (*progress)(const forge_host_v1 *, forge_cx, uint64_t done, uint64_t total, forge_str message);
  /* 1 where the call should stop soon, or is over. Cheap: ask as often as there is time to stop. Services that wait end
   * by themselves then, with FORGE_CANCELLED. Whoever has not returned after a few seconds may be killed. */
  int32_t (*cancelled)(const forge_host_v1 *, forge_cx);
  /* A service. *response is the host's memory, valid until release() or the end of the call; also set on an error, to
   * what set_error() of a plugin would say. response may be NULL. Blocks. */
  forge_status (*call)(const forge_host_v1 *, forge_cx, forge_str service, forge_str request, forge_str *response);
  /* Gives the memory of a response back before the call ends. What is no such memory is ignored. */
  void (*release)(const forge_host_v1 *, forge_cx, const uint8_t *ptr);
};

/* The plugin's: constant, valid as long as the process lives. */
typedef struct forge_plugin_v1 {
  uint32_t struct_size; /* sizeof(forge_plugin_v1) */
  uint16_t abi_major, abi_minor; /* FORGE_ABI_MAJOR, FORGE_ABI_MINOR */
  uint16_t min_host_minor; /* the lowest minor version of a host that it can work with; a lower one refuses it */
  uint16_t reserved0;
  uint32_t reserved1;
  uint64_t flags;
  forge_str manifest; /* FORGE_LIT_INIT(FORGE_MANIFEST(...)): the same bytes that stand in the file */
  /* Once, before anything else. Keep host; *state is yours, and may be NULL. */
  forge_status (*init)(const forge_host_v1 *host, forge_cx cx, void **state);
  /* One message. From any thread, any number at once, unless FORGE_PF_SERIAL. */
  forge_status (*call)(void *state, forge_cx cx, forge_str method, forge_str request);
  /* Once, after all calls have returned: stop your threads. The library stays mapped. */
  void (*fini)(void *state);
} forge_plugin_v1;

/* What a plugin exports as FORGE_ENTRY_V1: no side effects, the same answer every time. */
typedef const forge_plugin_v1 *(*forge_plugin_entry_v1_fn)(void);

/* The platform that this is compiled for. <stdint.h> of glibc defines __GLIBC__. */
#if defined(__linux__)
#define FORGE_OS_ "linux"
#elif defined(__APPLE__)
#define FORGE_OS_ "macos"
#elif defined(_WIN32)
#define FORGE_OS_ "windows"
#else
#define FORGE_OS_ "other"
#endif
#if defined(__x86_64__) || defined(_M_X64)
#define FORGE_ARCH_ "x86_64"
#elif defined(__aarch64__) || defined(_M_ARM64)
#define FORGE_ARCH_ "aarch64"
#elif defined(__arm__)
#define FORGE_ARCH_ "arm"
#elif defined(__riscv) && __riscv_xlen == 64
#define FORGE_ARCH_ "riscv64"
#else
#define FORGE_ARCH_ "other"
#endif
#if defined(__GLIBC__)
#define FORGE_LIBC_ "-gnu"
#elif defined(__linux__)
#define FORGE_LIBC_ "-musl"
#else
#define FORGE_LIBC_ ""
#endif
#ifndef FORGE_PLATFORM
#define FORGE_PLATFORM FORGE_OS_ "-" FORGE_ARCH_ FORGE_LIBC_
#endif

/* FORGE_MANIFEST("acme-sign", "1.0.0", "c", "[\"acme_sign\"]"): forge finds it in the file before it maps the file.
 * name     of the plugin, as [plugins.NAME] says it: lower-case letters, digits and -
 * version  of the plugin: semver
 * runtime  what it is written in: c, c++, go, rust, zig, other
 * pipes    the names of its pipes, as describe says them: a JSON array */
#define FORGE_MANIFEST(name, version, runtime, pipes)                                                       \
  "FORGE-PLUGIN-MANIFEST-1\n{\"name\":\"" name "\",\"version\":\"" version "\",\"abi\":\"1.0\",\"platform\":\"" \
  FORGE_PLATFORM "\",\"runtime\":\"" runtime "\",\"pipes\":" pipes "}"

static inline forge_str forge_str_of(const char *text, size_t len) {
  forge_str str;
  str.ptr = (const uint8_t *)text;
  str.len = len;
  return str;
}

/* A string literal, as an expression and as the initial value of a static. */
#define FORGE_LIT(s) forge_str_of("" s, sizeof(s) - 1)
#define FORGE_LIT_INIT(s) { (const uint8_t *)("" s), sizeof(s) - 1 }

/* Whether this field of a struct that the other side gave us may be read. */
#define FORGE_HAS(type, p, field) ((p)->struct_size >= offsetof(type, field) + sizeof(((type *)0)->field))

/* The frozen layout, checked by every compiler that reads this. */
#define FORGE_ASSERT_(name, condition) typedef char forge_assert_##name[(condition) ? 1 : -1]
FORGE_ASSERT_(str, sizeof(forge_str) == 2 * sizeof(void *));
FORGE_ASSERT_(plugin, sizeof(void *) != 8 || sizeof(forge_plugin_v1) == 64);
FORGE_ASSERT_(host, sizeof(void *) != 8 || sizeof(forge_host_v1) == 80);

#ifdef __cplusplus
}
#endif

#endif
