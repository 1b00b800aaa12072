/* A plugin for the line 1.0, with all that 1.0 has. It is not changed any more: it stands for those that are out. */
#include <stdio.h>

#include "forge_json.h"

static const forge_host_v1 *host;

static const char described[] =
    "{'name':'old','version':'1.0.0','needs':['exec','http.send','artifact.emit','note.set','note.get','template.render'],"
    "'pipes':[{'name':'old','summary':'Was built for 1.0','settings':{'type':'object',"
    "'additionalProperties':false,'properties':{'text':{'type':'string','x-forge-names':['os']}}},'makes':[{'name':'old.text','detail':{'type':'object'}}]}]}";

static forge_status plan(forge_cx cx, forge_str request) {
  forge_text ask = { NULL, 0, 0, 0 }, reply = { NULL, 0, 0, 0 };
  forge_str rendered;
  forge_status status;
  if (forge_get(request, "settings.text").len == 0) {
    forge_write(&reply, "{'problems':[{'place':{'key':'text'},'message':'there is no text','help':'write one'}]}");
    return forge_reply(host, cx, &reply);
  }
  forge_write(&ask, "{'template':%s,'names':{'os':'linux'}}", forge_get(request, "settings.text"));
  status = forge_ask(host, cx, "template.render", &ask, &rendered);
  if (status != FORGE_OK) return status;
  forge_write(&reply, "{'steps':[{'name':'one','makes':[{'name':'text','kind':'old.text'}],'effect':'publish',"
                      "'memory':'never','resource':'network','params':%s}],'problems':[]}", forge_get(rendered, "text"));
  host->release(host, cx, rendered.ptr);
  return forge_reply(host, cx, &reply);
}

static forge_status probe(forge_cx cx, forge_str request) {
  forge_text reply = { NULL, 0, 0, 0 };
  forge_write(&reply, "{'found':[{'place':%s,'change':{'is':'new'}}]}", forge_get(request, "step.params"));
  return forge_reply(host, cx, &reply);
}

/* Asks for a service, and logs its answer. */
static forge_status said(forge_cx cx, const char *service, forge_text *request, const char *member) {
  forge_str answer;
  forge_status status = forge_ask(host, cx, service, request, &answer);
  if (status == FORGE_OK) host->log(host, cx, FORGE_INFO, forge_get(answer, member), FORGE_LIT(""));
  return status;
}

static forge_status run(forge_cx cx, forge_str request) {
  forge_text ask = { NULL, 0, 0, 0 };
  forge_str dir = forge_get(request, "host.dir"), words = forge_get(request, "step.params");
  forge_status status;
  char path[4096];
  FILE *file;
  if (host->cancelled(host, cx)) return FORGE_CANCELLED;
  host->progress(host, cx, 1, 2, FORGE_LIT("half"));
  forge_write(&ask, "{'argv':['say',%s],'env':{'LOUD':'1'}}", words);
  if ((status = said(cx, "exec", &ask, "stdout")) != FORGE_OK) return status;
  forge_write(&ask, "{'method':'PUT','url':'https://example.org/','headers':{'x-a':'b'},'body':{'text':%s}}", words);
  if ((status = said(cx, "http.send", &ask, "status")) != FORGE_OK) return status;
  forge_write(&ask, "{'key':'words','value':%s}", words);
  if ((status = said(cx, "note.set", &ask, "key")) != FORGE_OK) return status;
  forge_write(&ask, "{'key':'words'}");
  if ((status = said(cx, "note.get", &ask, "value")) != FORGE_OK) return status;
  snprintf(path, sizeof path, "%.*s/text", (int)dir.len - 2, (const char *)dir.ptr + 1);
  file = fopen(path, "w");
  if (file == NULL) return forge_fail(host, cx, FORGE_FAILED, "can't write the text");
  fwrite(words.ptr, 1, words.len, file);
  fclose(file);
  forge_write(&ask, "{'name':'text','path':%q,'blobs':[],'detail':{}}", forge_str_of(path, strlen(path)));
  return said(cx, "artifact.emit", &ask, "kind");
}

static forge_status call(void *state, forge_cx cx, forge_str method, forge_str request) {
  forge_text reply = { NULL, 0, 0, 0 };
  (void)state;
  if (forge_is(method, "plan")) return plan(cx, request);
  if (forge_is(method, "probe")) return probe(cx, request);
  if (forge_is(method, "run")) return run(cx, request);
  if (forge_is(method, "describe")) forge_write(&reply, described);
  else if (!forge_is(method, "takes")) return FORGE_UNIMPLEMENTED;
  else forge_write(&reply, "{'selectors':[],'sources':[],'problems':[]}");
  return forge_reply(host, cx, &reply);
}

static forge_status init(const forge_host_v1 *given, forge_cx cx, void **state) {
  (void)cx, (void)state;
  host = given;
  return given->struct_size >= sizeof *given ? FORGE_OK : FORGE_INCOMPATIBLE;
}
static void fini(void *state) { (void)state; }

static const forge_plugin_v1 plugin = { sizeof(forge_plugin_v1), FORGE_ABI_MAJOR, FORGE_ABI_MINOR, 0, 0, 0, 0,
                                        FORGE_LIT_INIT(FORGE_MANIFEST("old", "1.0.0", "c", "[\"old\"]")),
                                        init, call, fini };

FORGE_EXPORT const forge_plugin_v1 *forge_plugin_entry_v1(void) { return &plugin; }
