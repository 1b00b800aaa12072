/* The test of the plugin: calls it as forge does, with a host that writes down what it is told. */
#include "plugin.c"

static forge_text replied, asked;

static forge_status keep(forge_text *text, forge_str body) {
  forge_text_free(text);
  forge_put_bytes(text, body.ptr, body.len);
  return FORGE_OK;
}
static forge_status fake_reply(const forge_host_v1 *self, forge_cx cx, forge_str body) {
  (void)self, (void)cx;
  return keep(&replied, body);
}
static forge_status fake_call(const forge_host_v1 *self, forge_cx cx, forge_str service, forge_str request,
                              forge_str *response) {
  (void)self, (void)cx, (void)service;
  *response = FORGE_LIT("{}");
  return keep(&asked, request);
}

static int failures;

static void check(const char *what, forge_text *is, const char *want) {
  forge_text text = { NULL, 0, 0, 0 };
  forge_write(&text, want);
  if (text.len != is->len || memcmp(text.ptr, is->ptr, text.len) != 0) {
    failures++;
    printf("%s\n   is %.*s\n want %.*s\n", what, (int)is->len, is->ptr, (int)text.len, text.ptr);
  }
  forge_text_free(&text);
}

static forge_status ask(const char *method, const char *message) {
  forge_text request = { NULL, 0, 0, 0 };
  forge_status status;
  forge_write(&request, message);
  status = forge_plugin_entry_v1()->call(NULL, 1, forge_str_of(method, strlen(method)), forge_text_str(&request));
  forge_text_free(&request);
  return status;
}

int main(void) {
  forge_host_v1 fake = { sizeof fake, 1, 0, 0, NULL, fake_reply, fake_reply, NULL, NULL, NULL, fake_call, NULL };
  char line[80] = "";
  FILE *list;
  forge_plugin_entry_v1()->init(&fake, 1, NULL);

  ask("takes", "{'settings':{'file':'a'}}");
  check("takes", &replied, "{'selectors':[{'kinds':['binary'],'key':'kinds'}]}");

  ask("plan", "{'settings':{'file':'a'},'facts':{'version':'1.2.3'},'offers':[{'name':'hello'},{'name':'bye'}]}");
  check("plan", &replied, "{'steps':[{'takes':['hello','bye'],"
        "'makes':[{'name':'a','kind':'acme-sample.list','detail':{}}],'params':{'version':'1.2.3'}}]}");

  ask("run", "{'step':{'makes':[{'name':'a'}],'params':{'version':'1.2.3'}},"
      "'inputs':[{'name':'hello','digest':'sha256:00'}],'host':{'dir':'lib'}}");
  check("run", &asked, "{'name':'a','path':'list','detail':{}}");
  list = fopen("lib/list", "r");
  if (list == NULL || fread(line, 1, sizeof line - 1, list) == 0 || strcmp(line, "# 1.2.3\n00  hello\n") != 0) {
    failures++;
    printf("the list is %s\n", line);
  }

  if (ask("dance", "{}") != FORGE_UNIMPLEMENTED) failures++;
  printf("%s\n", failures == 0 ? "all is well" : "failed");
  return failures != 0;
}
