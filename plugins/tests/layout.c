/* Prints what the compiler makes of the header, for the test to compare with Rust. */
#include <stdio.h>

#include "forge_plugin.h"

#define SIZE(type) printf("%s %zu\n", #type, sizeof(type))
#define AT(type, field) printf("%s.%s %zu\n", #type, #field, offsetof(type, field))

int main(void) {
  SIZE(forge_str);
  SIZE(forge_cx);
  SIZE(forge_status);
  SIZE(forge_host_v1);
  AT(forge_host_v1, struct_size);
  AT(forge_host_v1, abi_major);
  AT(forge_host_v1, abi_minor);
  AT(forge_host_v1, features);
  AT(forge_host_v1, self);
  AT(forge_host_v1, reply);
  AT(forge_host_v1, set_error);
  AT(forge_host_v1, log);
  AT(forge_host_v1, progress);
  AT(forge_host_v1, cancelled);
  AT(forge_host_v1, call);
  AT(forge_host_v1, release);
  SIZE(forge_plugin_v1);
  AT(forge_plugin_v1, struct_size);
  AT(forge_plugin_v1, abi_major);
  AT(forge_plugin_v1, abi_minor);
  AT(forge_plugin_v1, min_host_minor);
  AT(forge_plugin_v1, flags);
  AT(forge_plugin_v1, manifest);
  AT(forge_plugin_v1, init);
  AT(forge_plugin_v1, call);
  AT(forge_plugin_v1, fini);
  printf("FORGE_STALE %d\n", FORGE_STALE);
  printf("FORGE_PLATFORM %s\n", FORGE_PLATFORM);
  return 0;
}
