/* Prints what forge_json.h makes of its arguments, for the test to compare: a message and a path in it, the value there,
 * and the items of that; or --write and a text. */
#include <stdio.h>

#include "forge_json.h"

static void print(forge_str str) { printf("%.*s\n", (int)str.len, str.len > 0 ? (const char *)str.ptr : ""); }

int main(int argc, char **argv) {
  forge_text text = { NULL, 0, 0, 0 };
  forge_str value, at, item, message;
  if (argc != 3) return 1;
  if (strcmp(argv[1], "--write") == 0) {
    value = forge_str_of(argv[2], strlen(argv[2]));
    forge_write(&text, "{'raw':%s,'quoted':%q,'none':%s}", value, value, forge_get(value, "x"));
    print(forge_text_str(&text));
    forge_text_free(&text);
    return 0;
  }
  /* In memory of just its size, so that a byte too far is seen. */
  forge_put_bytes(&text, argv[1], strlen(argv[1]));
  text.ptr = text.len > 0 ? (char *)realloc(text.ptr, text.len) : NULL;
  message = forge_text_str(&text);
  value = forge_get(message, argv[2]);
  print(value);
  if (value.len > 0 && *value.ptr == '[')
    for (at = forge_items(value); forge_next(&at, &item);) print(item);
  forge_text_free(&text);
  return 0;
}
