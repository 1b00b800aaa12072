/* acme_notify: tells a web hook what was released: the version, and each artifact with its digest. */
#include "forge_json.h"

#define MANIFEST FORGE_MANIFEST("acme-notify", "0.1.0", "c", "[\"acme_notify\"]")

static const forge_host_v1 *host;

static const char described[] =
    "{'name':'acme-notify','version':'0.1.0','pipes':[{'name':'acme_notify','summary':'Tells a web hook of a release',"
    "'makes':[],'settings':{'type':'object','additionalProperties':false,'required':['url'],'properties':{"
    "'url':{'type':'string','pattern':'^https?://','description':'The web hook.'},"
    "'ids':{'type':'array','items':{'type':'string'},'description':'The tables to tell of. Default: all.'}}}}]}";

/* What the tables of `ids` make, or all there is. */
static void takes(forge_text *reply, forge_str request) {
  forge_str ids = forge_get(request, "settings.ids");
  forge_write(reply, "{'selectors':[{'tables':%s,'key':'ids'}]}", ids.len > 0 ? ids : FORGE_LIT("[]"));
}

/* One step that publishes: it starts when all that it takes is made, and everything else is done. */
static void plan(forge_text *reply, forge_str request) {
  forge_str offers = forge_items(forge_get(request, "offers")), offer, comma = FORGE_LIT("");
  forge_write(reply, "{'steps':[{'effect':'publish','resource':'network','params':{'url':%s,'version':%s},'takes':[",
              forge_get(request, "settings.url"), forge_get(request, "facts.version"));
  for (; forge_next(&offers, &offer); comma = FORGE_LIT(","))
    forge_write(reply, "%s%s", comma, forge_get(offer, "name"));
  forge_write(reply, "]}]}");
}

static forge_status run(forge_cx cx, forge_str request) {
  forge_text body = { NULL, 0, 0, 0 }, post = { NULL, 0, 0, 0 };
  forge_str inputs = forge_items(forge_get(request, "inputs")), input, answer, code, comma = FORGE_LIT("");
  forge_status status;
  forge_write(&body, "{'version':%s,'artifacts':[", forge_get(request, "step.params.version"));
  for (; forge_next(&inputs, &input); comma = FORGE_LIT(","))
    forge_write(&body, "%s{'name':%s,'digest':%s}", comma, forge_get(input, "name"),
                forge_get(input, "digest"));
  forge_write(&body, "]}");
  forge_write(&post, "{'method':'POST','url':%s,'headers':{'content-type':'application/json'},'body':{'text':%q}}",
              forge_get(request, "step.params.url"), forge_text_str(&body));
  post.failed |= body.failed;
  forge_text_free(&body);
  status = forge_ask(host, cx, "http.send", &post, &answer);
  if (status != FORGE_OK) return status;
  code = forge_get(answer, "status");
  if (code.len != 3 || code.ptr[0] != '2') return forge_fail(host, cx, FORGE_FAILED, "the web hook does not take it");
  return host->log(host, cx, FORGE_INFO, FORGE_LIT("told the web hook"), FORGE_LIT(""));
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
