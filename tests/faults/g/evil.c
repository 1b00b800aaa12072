/* A plugin that does what no plugin should. Its table says what: `[[evil]] mode = "segv"`; macros make its file wrong.
 * Each step makes one file, `made-by-MODE`, and answers; what happens besides is the mode. */
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "forge_plugin.h"

#ifndef NAME
#define NAME "evil"
#endif
#ifndef PIPE
#define PIPE "evil"
#endif
#ifndef VERSION
#define VERSION "1.0.0"
#endif
#ifndef KIND
#define KIND NAME ".file"
#endif
#ifndef MADE
#define MADE "made-by-"
#endif
#ifndef ABI_MAJOR
#define ABI_MAJOR FORGE_ABI_MAJOR
#endif
#ifndef ENTRY
#define ENTRY forge_plugin_entry_v1
#endif
#ifndef MANIFEST
#define MANIFEST FORGE_MANIFEST(NAME, VERSION, "c", "[\"" PIPE "\"]")
#endif

#ifdef TOUCH
/* What has run leaves a line. */
__attribute__((constructor)) static void touch(void) {
  FILE *file = fopen(TOUCH, "a");
  fputs("ran\n", file);
  fclose(file);
}
#endif
#ifdef THREADS
/* What is called leaves a line, which names the thread. */
static void tell_thread(forge_str method) {
  char name[16] = "main";
  FILE *file = fopen(THREADS, "a");
  if (syscall(SYS_gettid) != getpid()) pthread_getname_np(pthread_self(), name, sizeof name);
  fprintf(file, "%.*s on %s\n", (int)method.len, (const char *)method.ptr, name);
  fclose(file);
}
#define AT_CALL tell_thread(method)
#endif
#ifdef AT_LOAD
__attribute__((constructor)) static void at_load(void) { AT_LOAD; }
#endif

static const forge_host_v1 *host;
static forge_cx old_call;
/* The same symbol in every build of this file. */
int times_run;
static volatile int *volatile nowhere = (volatile int *)8;

static forge_str str(const char *text) { return forge_str_of(text, strlen(text)); }

/* The text of a key in JSON that has no escapes, up to `size`. */
static const char *value(forge_str json, const char *key, char *out, size_t size) {
  char quoted[64];
  snprintf(quoted, sizeof quoted, "\"%s\":\"", key);
  const uint8_t *at = memmem(json.ptr, json.len, quoted, strlen(quoted));
  size_t len = 0;
  if (at != NULL) {
    at += strlen(quoted);
    while (at + len < json.ptr + json.len && at[len] != '"' && len + 1 < size) len++;
    memcpy(out, at, len);
  }
  out[len] = 0;
  return out;
}

static forge_status fail(forge_cx cx, const char *words) {
  host->set_error(host, cx, str(words));
  return FORGE_FAILED;
}

static forge_status emit(forge_cx cx, const char *name, const char *path) {
  char request[8192];
  forge_str answer;
  snprintf(request, sizeof request, "{\"name\":\"%s\",\"path\":\"%s\",\"detail\":{}}", name, path);
  forge_status status = host->call(host, cx, FORGE_LIT("artifact.emit"), str(request), &answer);
  if (status != FORGE_OK) host->set_error(host, cx, answer);
  return status;
}

static void write_file(const char *path, const char *text) {
  FILE *file = fopen(path, "w");
  fputs(text, file);
  fclose(file);
}

/* What the step has declared. */
static forge_status make(forge_cx cx, const char *mode, const char *dir) {
  char path[8192], name[128];
  snprintf(path, sizeof path, "%s/made", dir);
  snprintf(name, sizeof name, MADE "%s", mode);
  write_file(path, "made\n");
  return emit(cx, name, path);
}

static int overflow(volatile char *before) {
  volatile char here[4096];
  here[0] = *before;
  return overflow(here) + here[1];
}

static void *be_late(void *unused) {
  forge_str answer;
  forge_status status = FORGE_OK;
  while (status != FORGE_STALE) {
    usleep(1000);
    status = host->call(host, old_call, FORGE_LIT("exec"), FORGE_LIT("{\"argv\":[\"true\"]}"), &answer);
  }
  host->log(host, old_call, FORGE_ERROR, FORGE_LIT("late"), FORGE_LIT(""));
  return unused;
}

/* Writes nonsense to whatever socket there is: that is the line to forge. */
static void scrawl(uint32_t claim) {
  uint8_t head[32] = {0};
  memcpy(head, &claim, sizeof claim);
  head[4] = 3;
  for (int fd = 0; fd < 256; fd++) {
    int type;
    socklen_t size = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && write(fd, head, sizeof head) < 0) abort();
  }
  pause();
}

static forge_status dies(const char *mode) {
  if (!strcmp(mode, "segv")) *nowhere = 1;
  if (!strcmp(mode, "abort")) abort();
  if (!strcmp(mode, "overflow")) return overflow("x");
  if (!strcmp(mode, "exit")) exit(0);
  if (!strcmp(mode, "quick_exit")) _exit(0);
  if (!strcmp(mode, "killed")) raise(SIGKILL);
  if (!strcmp(mode, "last_words")) {
    fputs("the cable is on fire\n", stderr);
    abort();
  }
  if (!strcmp(mode, "longjmp")) {
    jmp_buf nobody_was_there;
    memset(&nobody_was_there, 0, sizeof nobody_was_there);
    longjmp(nobody_was_there, 1);
  }
  return FORGE_OK;
}

/* Asks for a service that takes until somebody ends it. */
static forge_status asks(forge_cx cx, const char *service, const char *request) {
  forge_str answer;
  forge_status status = host->call(host, cx, forge_str_of(service, strlen(service)), str(request), &answer);
  if (status != FORGE_OK) host->set_error(host, cx, answer);
  return status;
}

static forge_status hangs(forge_cx cx, const char *mode, const char *dir) {
  if (!strcmp(mode, "deaf")) {
    host->log(host, cx, FORGE_WARN, FORGE_LIT("hanging"), FORGE_LIT(""));
    for (;;) usleep(1000);
  }
  if (!strcmp(mode, "polite")) {
    host->log(host, cx, FORGE_WARN, FORGE_LIT("hanging"), FORGE_LIT(""));
    while (!host->cancelled(host, cx)) usleep(1000);
    return FORGE_CANCELLED;
  }
  if (!strcmp(mode, "programs"))
    return asks(cx, "exec", "{\"argv\":[\"sh\",\"-c\",\"sleep 600 & sleep 600 & echo up; wait\"]}");
  if (!strcmp(mode, "waits_for_server")) {
    char request[8192];
    snprintf(request, sizeof request, "%s/../../../../address", dir);
    FILE *file = fopen(request, "r");
    char address[64] = {0};
    if (file == NULL || fgets(address, sizeof address, file) == NULL) return fail(cx, "no address");
    snprintf(request, sizeof request, "{\"method\":\"GET\",\"url\":\"http://%s/\"}", address);
    return asks(cx, "http.send", request);
  }
  return FORGE_OK;
}

static forge_status lies(forge_cx cx, const char *mode, const char *dir) {
  char path[8192];
  if (!strcmp(mode, "undeclared")) {
    snprintf(path, sizeof path, "%s/made", dir);
    write_file(path, "made\n");
    return emit(cx, "something-else", path);
  }
  if (!strcmp(mode, "outside")) {
    snprintf(path, sizeof path, "%s/../outside", dir);
    write_file(path, "outside\n");
    return emit(cx, "made-by-outside", path);
  }
  if (!strcmp(mode, "symlink")) {
    snprintf(path, sizeof path, "%s/made", dir);
    if (symlink("/etc/passwd", path) != 0) return fail(cx, "no link");
    return emit(cx, "made-by-symlink", path);
  }
  if (!strcmp(mode, "no_file")) {
    snprintf(path, sizeof path, "%s/made", dir);
    return emit(cx, "made-by-no_file", path);
  }
  if (!strcmp(mode, "random")) {
    struct timespec now;
    char text[64];
    clock_gettime(CLOCK_REALTIME, &now);
    snprintf(text, sizeof text, "%lld.%09ld\n", (long long)now.tv_sec, now.tv_nsec);
    snprintf(path, sizeof path, "%s/made", dir);
    write_file(path, text);
    return emit(cx, "made-by-random", path);
  }
  if (!strcmp(mode, "secret") || !strcmp(mode, "secret_made")) {
    char key[256];
    forge_str answer;
    forge_status status = host->call(host, cx, FORGE_LIT("secret.get"), FORGE_LIT("{\"name\":\"key\"}"), &answer);
    if (status != FORGE_OK) return host->set_error(host, cx, answer), status;
    value(answer, "value", key, sizeof key);
    snprintf(path, sizeof path, "it has %zu bytes: %s", strlen(key), key);
    host->log(host, cx, FORGE_WARN, str(path), FORGE_LIT(""));
    if (!strcmp(mode, "secret")) return make(cx, mode, dir);
    snprintf(path, sizeof path, "%s/made", dir);
    write_file(path, key);
    return emit(cx, "made-by-secret_made", path);
  }
  if (!strcmp(mode, "twice")) {
    forge_status status = make(cx, mode, dir);
    return status == FORGE_OK ? make(cx, mode, dir) : status;
  }
  if (!strcmp(mode, "directory")) return emit(cx, "made-by-directory", dir);
  if (!strcmp(mode, "claims")) return host->reply(host, cx, forge_str_of("x", (size_t)2 << 30));
  if (!strcmp(mode, "hole")) return host->reply(host, cx, forge_str_of(NULL, 5));
  if (!strcmp(mode, "not_utf8")) return host->reply(host, cx, FORGE_LIT("\xff\xfe"));
  if (!strcmp(mode, "not_json")) return host->reply(host, cx, FORGE_LIT("{"));
  if (!strcmp(mode, "bad_name")) return emit(cx, "\xff\xfe", dir);
  if (!strcmp(mode, "nul_name")) return emit(cx, "made\\u0000by", "made");
  if (!strcmp(mode, "half_a_letter")) return emit(cx, "\\ud800", "made");
  if (!strcmp(mode, "nul_path")) return emit(cx, "made-by-nul_path", "a\\u0000b");
  if (!strcmp(mode, "status")) return 77;
  if (!strcmp(mode, "nothing")) return FORGE_OK;
  if (!strcmp(mode, "claims_on_the_wire")) scrawl(0x7fffffff);
  if (!strcmp(mode, "nonsense_on_the_wire")) scrawl(0xffffffff);
  return make(cx, mode, dir);
}

/* What it does to its process, and then its work. */
static void meddle(forge_cx cx, const char *mode) {
  if (!strcmp(mode, "noise")) {
    for (int line = 0; line < 20000; line++) printf("noise %d\n", line);
    printf("\xff\xfe no line end");
    fflush(stdout);
  }
  if (!strcmp(mode, "bad_log")) host->log(host, cx, FORGE_INFO, FORGE_LIT("a\xff" "b\nc"), FORGE_LIT(""));
  if (!strcmp(mode, "nul_log")) host->log(host, cx, FORGE_INFO, FORGE_LIT("a\0b"), FORGE_LIT(""));
  if (!strcmp(mode, "open_files") && system("ls -l /proc/self/fd") != 0) abort();
  if (!strcmp(mode, "double_release")) {
    forge_str answer;
    host->call(host, cx, FORGE_LIT("note.get"), FORGE_LIT("{\"key\":\"x\"}"), &answer);
    host->release(host, cx, answer.ptr);
    host->release(host, cx, answer.ptr);
    host->release(host, cx, (const uint8_t *)"never lent");
  }
  if (!strcmp(mode, "late")) {
    pthread_t thread;
    old_call = cx;
    pthread_create(&thread, NULL, be_late, NULL);
    pthread_detach(thread);
  }
  if (!strcmp(mode, "meddle")) {
    if (chdir("/") != 0) abort();
    umask(0777);
    umask(022);
    clearenv();
    signal(SIGTERM, SIG_IGN);
    signal(SIGCHLD, SIG_IGN);
  }
  if (!strcmp(mode, "changes_directory") && chdir("/") != 0) abort();
  if (!strcmp(mode, "changes_umask")) umask(0777);
  if (!strcmp(mode, "surroundings")) {
    char text[4200], place[4096];
    mode_t mask = umask(0);
    umask(mask);
    snprintf(text, sizeof text, "in %s with umask %04o", getcwd(place, sizeof place), mask);
    host->log(host, cx, FORGE_WARN, str(text), FORGE_LIT(""));
  }
  if (!strcmp(mode, "close_all"))
    for (int fd = 0; fd < 256; fd++) close(fd);
  if (!strcmp(mode, "counts")) {
    char text[32];
    snprintf(text, sizeof text, "run %d times", ++times_run);
    host->log(host, cx, FORGE_WARN, str(text), FORGE_LIT(""));
  }
  if (!strcmp(mode, "environment"))
    for (char **variable = environ; *variable; variable++) puts(*variable), fflush(stdout);
  if (!strcmp(mode, "progress"))
    for (int done = 0; done < 1000000; done++) host->progress(host, cx, done, 1000000, FORGE_LIT("on and on"));
}

/* Puts another file in its own place, and has to be loaded again. */
static void swap(forge_str request) {
  char root[4096], path[8192];
  snprintf(path, sizeof path, "%s/tools/libevil.so", value(request, "root", root, sizeof root));
  if (unlink(path) != 0) return;
  write_file(path, "something else altogether\n");
  abort();
}

static forge_status run(forge_cx cx, forge_str request) {
  char mode[64], dir[4096];
  value(request, "mode", mode, sizeof mode);
  value(request, "dir", dir, sizeof dir);
  forge_status status = dies(mode);
  if (status == FORGE_OK) status = hangs(cx, mode, dir);
  if (status != FORGE_OK) return status;
  if (!strcmp(mode, "swap")) swap(request);
  meddle(cx, mode);
  return lies(cx, mode, dir);
}

static forge_status plan(forge_cx cx, forge_str request) {
  char mode[64], answer[1024];
  value(request, "mode", mode, sizeof mode);
  if (!strcmp(mode, "dies_planning")) abort();
  snprintf(answer, sizeof answer,
           "{\"steps\":[{\"makes\":[{\"name\":\"" MADE "%s\",\"kind\":\"" KIND "\",\"detail\":{}}],"
           "\"effect\":\"%s\",\"params\":{\"mode\":\"%s\"}}]}",
           mode, strcmp(mode, "publishes") ? "local" : "publish", mode);
  return host->reply(host, cx, str(answer));
}

static forge_status init(const forge_host_v1 *given, forge_cx cx, void **state) {
  (void)cx;
  host = given;
  *state = NULL;
#ifdef AT_INIT
  AT_INIT;
#endif
  return FORGE_OK;
}

static forge_status call(void *state, forge_cx cx, forge_str method, forge_str request) {
  char name[32];
  (void)state;
#ifdef AT_CALL
  AT_CALL;
#endif
  snprintf(name, sizeof name, "%.*s", (int)method.len, (const char *)method.ptr);
  if (!strcmp(name, "describe"))
    return host->reply(host, cx, FORGE_LIT("{\"name\":\"" NAME "\",\"version\":\"" VERSION "\",\"pipes\":[{\"name\":\"" PIPE "\","
                                           "\"summary\":\"misbehaves\",\"settings\":{\"type\":\"object\",\"additionalProperties\":false,"
                                           "\"required\":[\"mode\"],\"properties\":{\"mode\":{\"type\":\"string\"}}},"
                                           "\"makes\":[{\"name\":\"" KIND "\",\"detail\":{\"type\":\"object\"}}]}]}"));
  if (!strcmp(name, "takes")) return FORGE_OK;
  if (!strcmp(name, "plan")) return plan(cx, request);
  if (!strcmp(name, "run")) return run(cx, request);
  return FORGE_UNIMPLEMENTED;
}

static void fini(void *state) { (void)state; }

static const forge_plugin_v1 table = {sizeof(forge_plugin_v1), ABI_MAJOR, FORGE_ABI_MINOR, 0, 0, 0,
                                      0, FORGE_LIT_INIT(MANIFEST), init, call, fini};

FORGE_EXPORT const forge_plugin_v1 *ENTRY(void) { return &table; }
