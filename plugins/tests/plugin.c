/* A plugin in C for the tests of the line. Macros make it wrong in one way each; a word in the step's parameters makes
 * its run misbehave. */
#define _GNU_SOURCE /* memmem */
#include <dirent.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "forge_plugin.h"

#ifndef ABI_MAJOR
#define ABI_MAJOR FORGE_ABI_MAJOR
#endif
#ifndef TABLE_SIZE
#define TABLE_SIZE sizeof(forge_plugin_v1)
#endif
#ifndef MIN_HOST_MINOR
#define MIN_HOST_MINOR 0
#endif
#ifndef FLAGS
#define FLAGS 0
#endif
#ifndef ENTRY
#define ENTRY forge_plugin_entry_v1
#endif
#ifndef PIPES
#define PIPES "[\"odd\"]"
#endif
#ifndef DESCRIBED
#define DESCRIBED "odd"
#endif
#ifndef ABI_MINOR
#define ABI_MINOR FORGE_ABI_MINOR
#endif
#ifndef NEEDS
#define NEEDS "[]"
#endif
#ifndef MAKES
#define MAKES "[]"
#endif
#ifndef FINI
#define FINI fini
#endif
#ifndef MANIFEST
#define MANIFEST FORGE_MANIFEST("odd-c", "1.0.0", "c", PIPES)
#endif
#ifndef HANDED_OUT
#define HANDED_OUT MANIFEST
#endif

#ifdef DECLARE
DECLARE
#endif

static const forge_host_v1 *host;
static forge_cx old_call;
static int inside, most_inside;

#ifdef TOUCH
__attribute__((constructor)) static void touch(void) { fclose(fopen(TOUCH, "w")); }
#endif

const char in_the_file[] = MANIFEST;

static int says(forge_str text, const char *word) {
  return text.len >= strlen(word) && memmem(text.ptr, text.len, word, strlen(word)) != NULL;
}

static forge_str str(const char *text) { return forge_str_of(text, strlen(text)); }

static forge_status init(const forge_host_v1 *given, forge_cx cx, void **state) {
  host = given;
  *state = NULL;
#ifdef INIT_SAYS
  host->set_error(host, cx, FORGE_LIT(INIT_SAYS));
#endif
  (void)cx;
#ifdef INIT_STATUS
  return INIT_STATUS;
#else
  return FORGE_OK;
#endif
}

__attribute__((unused)) static void fini(void *state) {
  (void)state;
#ifdef LEAVES
  FILE *file = fopen(LEAVES, "w");
  fputs(inside == 0 ? "alone" : "in company", file);
  fclose(file);
#endif
}

/* Asks for everything in the name of a call that is over. */
static void *be_late(void *out) {
  forge_str answer = FORGE_LIT("not touched");
  int stale = 0;
  stale += host->reply(host, old_call, FORGE_LIT("{}")) == FORGE_STALE;
  stale += host->set_error(host, old_call, FORGE_LIT("{}")) == FORGE_STALE;
  stale += host->log(host, old_call, FORGE_INFO, FORGE_LIT("late"), FORGE_LIT("")) == FORGE_STALE;
  stale += host->progress(host, old_call, 1, 2, FORGE_LIT("late")) == FORGE_STALE;
  stale += host->call(host, old_call, FORGE_LIT("exec"), FORGE_LIT("{}"), &answer) == FORGE_STALE;
  stale += answer.len == 0;
  stale += host->cancelled(host, old_call) == 1;
  host->release(host, old_call, (const uint8_t *)"never lent");
  *(int *)out = stale;
  return NULL;
}

static forge_status late(forge_cx cx) {
  pthread_t thread;
  char text[64];
  int stale = 0;
  pthread_create(&thread, NULL, be_late, &stale);
  pthread_join(thread, NULL);
  snprintf(text, sizeof text, "%d of 7 are stale", stale);
  host->log(host, cx, FORGE_INFO, str(text), FORGE_LIT(""));
  return FORGE_OK;
}

static forge_status bad_services(forge_cx cx) {
  forge_str answer;
  forge_status status = host->call(host, cx, FORGE_LIT("\xff"), FORGE_LIT("{}"), &answer);
  host->log(host, cx, FORGE_WARN, answer, FORGE_LIT(""));
  host->release(host, cx, answer.ptr);
  status = status * 10 + host->call(host, cx, FORGE_LIT("exec"), FORGE_LIT("{\"argv\":3}"), &answer);
  host->log(host, cx, FORGE_WARN, answer, FORGE_LIT("{\"n\":1}"));
  status = status * 10 + host->call(host, cx, FORGE_LIT("x-none"), FORGE_LIT("{}"), NULL);
  return status == 774 ? FORGE_OK : FORGE_FAILED;
}

static size_t entries(const char *path) {
  DIR *dir = opendir(path);
  size_t number = 0;
  while (dir != NULL && readdir(dir) != NULL) number++;
  if (dir != NULL) closedir(dir);
  return number;
}

/* How many bytes, files and threads this process has. */
static forge_status holds(forge_cx cx) {
  struct mallinfo2 memory = mallinfo2();
  char text[128];
  snprintf(text, sizeof text, "%zu %zu %zu", memory.uordblks + memory.hblkhd, entries("/proc/self/fd"), entries("/proc/self/task"));
  return host->log(host, cx, FORGE_INFO, str(text), FORGE_LIT(""));
}

/* Where its code is. */
static forge_status where(forge_cx cx) {
  char text[32];
  snprintf(text, sizeof text, "%zx", (size_t)where);
  return host->log(host, cx, FORGE_INFO, str(text), FORGE_LIT(""));
}

/* Counts who is in it; says how many have been at once. */
static int enter(void) {
  int now = __atomic_add_fetch(&inside, 1, __ATOMIC_SEQ_CST);
  int most = __atomic_load_n(&most_inside, __ATOMIC_SEQ_CST);
  while (now > most && !__atomic_compare_exchange_n(&most_inside, &most, now, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {}
  return __atomic_load_n(&most_inside, __ATOMIC_SEQ_CST);
}
static void leave(void) { __atomic_sub_fetch(&inside, 1, __ATOMIC_SEQ_CST); }

/* Answers the number that it is given: `{"n":"7"}` is a selector of the key 7. Where the settings say so, only if no other
 * call was ever in it at the same time. */
static forge_status takes(forge_cx cx, forge_str request) {
  const uint8_t *at = request.len > 0 ? memmem(request.ptr, request.len, "\"n\":\"", 5) : NULL;
  char reply[128];
  forge_status status;
  int most = enter();
  if (at == NULL) return leave(), FORGE_OK;
  snprintf(reply, sizeof reply, "{\"selectors\":[{\"key\":\"%d\"}]}", atoi((const char *)at + 5));
  status = says(request, "alone") && most > 1 ? FORGE_FAILED : host->reply(host, cx, str(reply));
  leave();
  return status;
}

static forge_status run(forge_cx cx, forge_str request) {
  forge_str hole = {NULL, 5};
  if (says(request, "where")) return where(cx);
  if (says(request, "holds")) return holds(cx);
  if (says(request, "ask_late")) return late(cx);
  if (says(request, "bad_services")) return bad_services(cx);
  if (says(request, "alone"))
    return host->log(host, cx, FORGE_INFO, host->features & FORGE_HF_OWN_PROCESS ? FORGE_LIT("alone") : FORGE_LIT("in company"), FORGE_LIT(""));
  if (says(request, "status_77")) return 77;
  if (says(request, "bad_error")) {
    host->set_error(host, cx, FORGE_LIT("\xff\xfe"));
    return FORGE_FAILED;
  }
  if (says(request, "empty_reply")) return host->reply(host, cx, forge_str_of(NULL, 0));
  if (says(request, "bad_reply")) return host->reply(host, cx, FORGE_LIT("\xff\xfe")) == FORGE_PROTOCOL ? FORGE_OK : 99;
  if (says(request, "no_json")) return host->reply(host, cx, FORGE_LIT("{"));
  if (says(request, "hole")) return host->reply(host, cx, hole) == FORGE_PROTOCOL ? FORGE_OK : 99;
  if (says(request, "too_long")) return host->reply(host, cx, forge_str_of("x", (size_t)65 << 20)) == FORGE_PROTOCOL ? FORGE_OK : 99;
  if (says(request, "text_error")) {
    host->set_error(host, cx, FORGE_LIT("out of paper"));
    return FORGE_FAILED;
  }
  if (says(request, "error_and_ok")) return host->set_error(host, cx, FORGE_LIT("never mind"));
  if (says(request, "bad_log")) return host->log(host, cx, FORGE_INFO, FORGE_LIT("a\xff" "b\nc"), FORGE_LIT(""));
  old_call = cx;
  return FORGE_OK;
}

static forge_status call(void *state, forge_cx cx, forge_str method, forge_str request) {
  (void)state;
  if (says(method, "describe"))
    return host->reply(host, cx, FORGE_LIT("{\"name\":\"odd-c\",\"version\":\"1.0.0\",\"needs\":" NEEDS ",\"pipes\":[{\"name\":\"" DESCRIBED
                                           "\",\"summary\":\"Misbehaves\",\"settings\":{},\"makes\":" MAKES "}]}"));
  if (says(method, "run")) return run(cx, request);
  if (says(method, "takes")) return takes(cx, request);
  return FORGE_UNIMPLEMENTED;
}

static const forge_plugin_v1 table = {TABLE_SIZE, ABI_MAJOR, ABI_MINOR,                 MIN_HOST_MINOR, 0,    0,
                                      FLAGS,      FORGE_LIT_INIT(HANDED_OUT), init, call,           FINI};

FORGE_EXPORT const forge_plugin_v1 *ENTRY(void) {
#ifdef NO_TABLE
  (void)table;
  return NULL;
#else
  return in_the_file[0] ? &table : NULL;
#endif
}
