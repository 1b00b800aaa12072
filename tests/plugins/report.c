/* A plugin with a kind of its own, `acme.report`, whose detail is what its table says. */
#include <stdio.h>

#include "forge_json.h"

static const forge_host_v1 *host;

static const char described[] =
    "{'name':'acme','version':'1.0.0','pipes':[{'name':'acme_report','summary':'Reports','settings':{'type':'object'},"
    "'makes':[{'name':'acme.report','detail':{'type':'object','required':['title'],'additionalProperties':false,"
    "'properties':{'title':{'type':'string'},'pages':{'type':'integer'}}}}]}]}";

static void plan(forge_text *reply, forge_str request) {
  forge_write(reply, "{'steps':[{'makes':[{'name':'report.txt','kind':'acme.report','detail':{'title':''}}],'params':%s}]}",
              forge_get(request, "settings.detail"));
}

static forge_status run(forge_cx cx, forge_str request) {
  forge_str dir = forge_get(request, "host.dir"), made;
  forge_text emit = { NULL, 0, 0, 0 };
  char path[4096];
  FILE *file;
  snprintf(path, sizeof path, "%.*s/report", (int)dir.len - 2, (const char *)dir.ptr + 1);
  file = fopen(path, "w");
  if (file == NULL) return forge_fail(host, cx, FORGE_FAILED, "can't write the report");
  fputs("all is well\n", file);
  fclose(file);
  forge_write(&emit, "{'name':'report.txt','path':'report','detail':%s}", forge_get(request, "step.params"));
  return forge_ask(host, cx, "artifact.emit", &emit, &made);
}

static forge_status call(void *state, forge_cx cx, forge_str method, forge_str request) {
  forge_text reply = { NULL, 0, 0, 0 };
  (void)state;
  if (forge_is(method, "run")) return run(cx, request);
  if (forge_is(method, "describe")) forge_write(&reply, described);
  else if (forge_is(method, "plan")) plan(&reply, request);
  else if (!forge_is(method, "takes")) return FORGE_UNIMPLEMENTED;
  else forge_write(&reply, "{}");
  return forge_reply(host, cx, &reply);
}

static forge_status init(const forge_host_v1 *given, forge_cx cx, void **state) {
  (void)cx, (void)state;
  host = given;
  return FORGE_OK;
}
static void fini(void *state) { (void)state; }

static const forge_plugin_v1 plugin = { sizeof(forge_plugin_v1), FORGE_ABI_MAJOR, FORGE_ABI_MINOR, 0, 0, 0, 0,
                                        FORGE_LIT_INIT(FORGE_MANIFEST("acme", "1.0.0", "c", "[\"acme_report\"]")),
                                        init, call, fini };

FORGE_EXPORT const forge_plugin_v1 *forge_plugin_entry_v1(void) { return &plugin; }
