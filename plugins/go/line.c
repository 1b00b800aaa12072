/* The table of the plugin, and the way from Go to the functions of the host's. */
#include "line.h"

#include "_cgo_export.h"

static const forge_host_v1 *host;

static forge_str str(const void *ptr, size_t len) { return forge_str_of((const char *)ptr, len); }

void forge_go_reply(forge_cx cx, const void *body, size_t len) { host->reply(host, cx, str(body, len)); }
void forge_go_set_error(forge_cx cx, const void *body, size_t len) { host->set_error(host, cx, str(body, len)); }
void forge_go_log(forge_cx cx, uint32_t level, const void *message, size_t len) {
  host->log(host, cx, level, str(message, len), str(NULL, 0));
}
void forge_go_progress(forge_cx cx, uint64_t done, uint64_t total, const void *message, size_t len) {
  host->progress(host, cx, done, total, str(message, len));
}
int32_t forge_go_cancelled(forge_cx cx) { return host->cancelled(host, cx); }
forge_status forge_go_call(forge_cx cx, const void *service, size_t service_len, const void *request,
                           size_t request_len, forge_str *response) {
  return host->call(host, cx, str(service, service_len), str(request, request_len), response);
}
void forge_go_release(forge_cx cx, const void *ptr) { host->release(host, cx, (const uint8_t *)ptr); }

static forge_status init(const forge_host_v1 *given, forge_cx cx, void **state) {
  (void)cx;
  *state = NULL;
  if (given == NULL || given->abi_major != FORGE_ABI_MAJOR || given->struct_size < sizeof *given)
    return FORGE_INCOMPATIBLE;
  host = given;
  return FORGE_OK;
}

static forge_status call(void *state, forge_cx cx, forge_str method, forge_str request) {
  (void)state;
  return forgeGoCall(cx, (void *)method.ptr, method.len, (void *)request.ptr, request.len);
}

static void fini(void *state) { (void)state; }

static forge_plugin_v1 plugin = { sizeof(forge_plugin_v1), FORGE_ABI_MAJOR, FORGE_ABI_MINOR, 0, 0, 0, 0,
                                  { NULL, 0 }, init, call, fini };

FORGE_EXPORT const forge_plugin_v1 *forge_plugin_entry_v1(void) {
  /* Waits until the program is initialized, and writes the same each time. */
  forgeGoManifest((void **)&plugin.manifest.ptr, &plugin.manifest.len);
  return &plugin;
}
