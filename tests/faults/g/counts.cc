// A plugin in C++ with a global of which a process has one, as C++ has it, and a thread that uses another until the end.
#include <cstdio>

#include "forge_json.h"

#ifndef NAME
#define NAME "evil"
#endif

// The same in every build of this file.
struct Counter {
  static int &times() {
    static int number = 0;
    return number;
  }
};
template <int> struct Shared { static int number; };
template <int at> int Shared<at>::number = 0;

static const forge_host_v1 *host;

#ifdef TALKS
#include <chrono>
#include <string>
#include <thread>
#include <vector>

static std::vector<std::string> words(64, "a word that is too long to be kept in place");

// Nobody waits for it, and its words go away in `exit`.
static void talk() {
  for (std::size_t at = 0;; at++) {
    words[at % words.size()] = std::string(64, char('a' + at % 26));
    std::this_thread::sleep_for(std::chrono::microseconds(20));
  }
}
#endif

static forge_status run(forge_cx cx) {
  char text[64];
  std::snprintf(text, sizeof text, "run %d and %d times", ++Counter::times(), ++Shared<7>::number);
  return host->log(host, cx, FORGE_WARN, forge_str_of(text, strlen(text)), FORGE_LIT(""));
}

static forge_status answer(forge_cx cx, forge_str method) {
  forge_text reply = {nullptr, 0, 0, 0};
  if (forge_is(method, "run")) return run(cx);
  if (forge_is(method, "describe"))
    forge_write(&reply, "{'name':'" NAME "','version':'1.0.0','pipes':[{'name':'" NAME "','summary':'counts','makes':[],"
                        "'settings':{'type':'object','additionalProperties':false,'properties':{'mode':{'type':'string'}}}}]}");
  else if (forge_is(method, "plan"))
    forge_write(&reply, "{'steps':[{'memory':'never'}]}");
  else
    return forge_is(method, "takes") ? FORGE_OK : FORGE_UNIMPLEMENTED;
  return forge_reply(host, cx, &reply);
}

static forge_status call(void *, forge_cx cx, forge_str method, forge_str) {
  try {
    return answer(cx, method);
  } catch (...) {
    return FORGE_PANICKED;
  }
}

static forge_status init(const forge_host_v1 *given, forge_cx, void **) {
  host = given;
#ifdef TALKS
  std::thread(talk).detach();
#endif
  return FORGE_OK;
}
static void fini(void *) {}

static const forge_plugin_v1 table = {sizeof(forge_plugin_v1), FORGE_ABI_MAJOR, FORGE_ABI_MINOR, 0, 0, 0, 0,
                                      FORGE_LIT_INIT(FORGE_MANIFEST(NAME, "1.0.0", "c++", "[\"" NAME "\"]")),
                                      init, call, fini};

FORGE_EXPORT const forge_plugin_v1 *forge_plugin_entry_v1(void) { return &table; }
