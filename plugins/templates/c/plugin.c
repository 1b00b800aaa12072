/* Pipe acme_sample: lists the digests of what other tables have made, as sha256sum does. */
#include <stdio.h>

#include "forge_json.h"

#define MANIFEST FORGE_MANIFEST("acme-sample", "0.1.0", "c", "[\"acme_sample\"]")

static const forge_host_v1 *host;

/* ' stands for " here. `settings` is the JSON Schema of a table, `detail` that of what is known of a list. */
static const char described[] =
    "{'name':'acme-sample','version':'0.1.0','pipes':[{'name':'acme_sample',"
    "'summary':'Lists the digests of what was made',"
    "'settings':{'type':'object','additionalProperties':false,'required':['file'],'properties':{"
    "'file':{'type':'string','pattern':'^[^/]+$','description':'What the list is called.'},"
    "'kinds':{'type':'array','items':{'type':'string'},'description':'Which kinds to list.'}}},"
    "'makes':[{'name':'acme-sample.list','detail':{'type':'object'}}]}]}";

static void takes(forge_text *reply, forge_str request) {
  forge_str kinds = forge_get(request, "settings.kinds");
  if (kinds.len == 0) kinds = FORGE_LIT("[\"binary\"]");
  forge_write(reply, "{'selectors':[{'kinds':%s,'key':'kinds'}]}", kinds);
}

static void plan(forge_text *reply, forge_str request) {
  forge_str offers = forge_items(forge_get(request, "offers")), offer, comma = FORGE_LIT("");
  forge_str name = forge_get(request, "settings.file");
  /* A mistake of the user, at a key of the table. Forge has checked this one by the schema already. */
  if (name.len == 0) {
    forge_write(reply, "{'problems':[{'place':{'key':'file'},'message':'the list has no name'}]}");
    return;
  }
  forge_write(reply, "{'steps':[{'takes':[");
  for (; forge_next(&offers, &offer); comma = FORGE_LIT(","))
    forge_write(reply, "%s%s", comma, forge_get(offer, "name"));
  forge_write(reply, "],'makes':[{'name':%s,'kind':'acme-sample.list','detail':{}}],'params':{'version':%s}}]}",
              name, forge_get(request, "facts.version"));
}

/* A string of a message without its quotes, and without so many bytes at its front. Digests, names and forge's
 * directories have no escapes. */
static forge_str bare(forge_str string, size_t front) {
  return string.len < front + 2 ? string : forge_str_of((const char *)string.ptr + 1 + front, string.len - 2 - front);
}

static forge_status run(forge_cx cx, forge_str request) {
  forge_str inputs = forge_items(forge_get(request, "inputs")), input, outputs, output, made;
  forge_text list = { NULL, 0, 0, 0 }, path = { NULL, 0, 0, 0 }, emit = { NULL, 0, 0, 0 };
  FILE *file;
  int failed = 1;
  forge_write(&list, "# %s\n", bare(forge_get(request, "step.params.version"), 0));
  for (; forge_next(&inputs, &input);)
    forge_write(&list, "%s  %s\n", bare(forge_get(input, "digest"), strlen("sha256:")),
                bare(forge_get(input, "name"), 0));
  forge_write(&path, "%s/list", bare(forge_get(request, "host.dir"), 0));
  forge_put_bytes(&path, "", 1);
  if (!list.failed && !path.failed && (file = fopen(path.ptr, "wb")) != NULL) {
    failed = fwrite(list.ptr, 1, list.len, file) != list.len;
    failed |= fclose(file) != 0;
  }
  forge_text_free(&list);
  forge_text_free(&path);
  if (failed) return forge_fail(host, cx, FORGE_FAILED, "can't write the list");
  outputs = forge_items(forge_get(request, "step.makes"));
  forge_next(&outputs, &output);
  forge_write(&emit, "{'name':%s,'path':'list','detail':{}}", forge_get(output, "name"));
  return forge_ask(host, cx, "artifact.emit", &emit, &made);
}

static forge_status call(void *state, forge_cx cx, forge_str method, forge_str request) {
  forge_text reply = { NULL, 0, 0, 0 };
  (void)state;
  if (forge_is(method, "run")) return run(cx, request);
  if (forge_is(method, "describe")) forge_write(&reply, described);
  else if (forge_is(method, "takes")) takes(&reply, request);
  else if (forge_is(method, "plan")) plan(&reply, request);
  else return FORGE_UNIMPLEMENTED;
  return forge_reply(host, cx, &reply);
}

static forge_status init(const forge_host_v1 *given, forge_cx cx, void **state) {
  (void)cx, (void)state;
  host = given;
  return FORGE_OK;
}
static void fini(void *state) { (void)state; }

static const forge_plugin_v1 plugin = { sizeof(forge_plugin_v1), FORGE_ABI_MAJOR, FORGE_ABI_MINOR, 0, 0, 0, 0,
                                        FORGE_LIT_INIT(MANIFEST), init, call, fini };

FORGE_EXPORT const forge_plugin_v1 *forge_plugin_entry_v1(void) { return &plugin; }
