/* A plugin that plans a text and finishes it while it runs: `digest` is known only then. */
#include <stdio.h>

#include "forge_json.h"

static const forge_host_v1 *host;

static const char described[] =
    "{'name':'acme','version':'1.0.0','needs':['template.render'],'pipes':[{'name':'acme_later','summary':'Announces',"
    "'settings':{'type':'object','required':['text'],'properties':{'text':{'type':'string','x-forge-names':['digest']}}},"
    "'makes':[{'name':'acme.text','detail':{'type':'object'}}]}]}";

static forge_status plan(forge_cx cx, forge_str request) {
  forge_text ask = { NULL, 0, 0, 0 }, reply = { NULL, 0, 0, 0 };
  forge_str rendered, text = forge_get(request, "settings.text");
  forge_status status;
  forge_write(&ask, "{'template':%s,'names':{'digest':'perhaps'}}", text);
  status = forge_ask(host, cx, "template.render", &ask, &rendered);
  if (status != FORGE_OK) return status;
  forge_write(&reply, "{'steps':[{'makes':[{'name':'text','kind':'acme.text','detail':{}}],"
                      "'params':{'text':%s,'names':%s}}]}", text, forge_get(rendered, "names"));
  return forge_reply(host, cx, &reply);
}

static forge_status run(forge_cx cx, forge_str request) {
  forge_text ask = { NULL, 0, 0, 0 }, emit = { NULL, 0, 0, 0 };
  forge_str dir = forge_get(request, "host.dir"), answer, known = forge_items(forge_get(request, "step.params.names"));
  char path[4096];
  FILE *file;
  forge_status status;
  forge_write(&ask, "{'template':%s,'names':{", forge_get(request, "step.params.text"));
  if (known.len > 0) forge_write(&ask, "%s,", known);
  forge_write(&ask, "'digest':'sha256:1'}}");
  status = forge_ask(host, cx, "template.render", &ask, &answer);
  if (status != FORGE_OK) return status;
  snprintf(path, sizeof path, "%.*s/text", (int)dir.len - 2, (const char *)dir.ptr + 1);
  file = fopen(path, "w");
  if (file == NULL) return forge_fail(host, cx, FORGE_FAILED, "can't write the text");
  answer = forge_get(answer, "text");
  fwrite(answer.ptr, 1, answer.len, file);
  fclose(file);
  forge_write(&emit, "{'name':'text','path':'text','detail':{}}");
  return forge_ask(host, cx, "artifact.emit", &emit, &answer);
}

static forge_status call(void *state, forge_cx cx, forge_str method, forge_str request) {
  forge_text reply = { NULL, 0, 0, 0 };
  (void)state;
  if (forge_is(method, "plan")) return plan(cx, request);
  if (forge_is(method, "run")) return run(cx, request);
  if (forge_is(method, "describe")) forge_write(&reply, described);
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
                                        FORGE_LIT_INIT(FORGE_MANIFEST("acme", "1.0.0", "c", "[\"acme_later\"]")),
                                        init, call, fini };

FORGE_EXPORT const forge_plugin_v1 *forge_plugin_entry_v1(void) { return &plugin; }
