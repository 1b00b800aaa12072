/* The least of a plugin: for platforms that are not this one, without a C library of theirs. */
#include "forge_plugin.h"

static forge_status init(const forge_host_v1 *host, forge_cx cx, void **state) {
  (void)host, (void)cx, (void)state;
  return FORGE_OK;
}
static forge_status call(void *state, forge_cx cx, forge_str method, forge_str request) {
  (void)state, (void)cx, (void)method, (void)request;
  return FORGE_UNIMPLEMENTED;
}
static void fini(void *state) { (void)state; }

static const forge_plugin_v1 table = {sizeof(forge_plugin_v1), FORGE_ABI_MAJOR, FORGE_ABI_MINOR, 0, 0, 0, 0,
                                      FORGE_LIT_INIT(FORGE_MANIFEST("elsewhere", "1.0.0", "c", "[\"x\"]")),
                                      init, call, fini};

FORGE_EXPORT const forge_plugin_v1 *forge_plugin_entry_v1(void) { return &table; }

#ifdef _WIN32
/* What Windows calls when it maps a library. */
int DllMainCRTStartup(void *library, unsigned reason, void *reserved) {
  (void)library, (void)reason, (void)reserved;
  return 1;
}
int _DllMainCRTStartup(void *library, unsigned reason, void *reserved) {
  return DllMainCRTStartup(library, reason, reserved);
}
#endif
