/* forge_json.h - reads and writes the messages of forge_plugin.h, for plugins that have no library for JSON at hand.
 *
 * What is read is not copied, and not taken apart: a value is the piece of the message that it stands in, a string with
 * its quotes and escapes. So it can be put into another message as it is. Messages of forge are valid JSON; of anything
 * else, these functions read no byte beyond its end, and find nothing or something.
 */
#ifndef FORGE_JSON_H
#define FORGE_JSON_H

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "forge_plugin.h"

static inline int forge_is_between_(uint8_t c) { return memchr(" \t\r\n,:", c, 6) != NULL; }

/* How long the value is that these bytes begin with; 0 before the end of what it stands in. */
static inline size_t forge_length_(forge_str at) {
  size_t end = 0, depth = 0;
  int quoted = 0;
  for (; end < at.len; end++) {
    uint8_t c = at.ptr[end];
    if (quoted) {
      if (c == '\\') end++;
      else if (c == '"') quoted = 0;
    } else if (c == '"') {
      quoted = 1;
    } else if (c == '{' || c == '[') {
      depth++;
    } else if (c == '}' || c == ']') {
      if (depth == 0) break;
      depth--;
    } else if (depth == 0 && forge_is_between_(c)) {
      break;
    }
  }
  return end < at.len ? end : at.len;
}

/* Whether these are the bytes of the text. */
static inline int forge_is(forge_str str, const char *text) {
  size_t len = strlen(text);
  return str.len == len && memcmp(str.ptr, text, len) == 0;
}

/* Goes through an array, or the members of an object, name, value, name, ...:
 *   for (forge_str at = forge_items(list), item; forge_next(&at, &item);) ... */
static inline forge_str forge_items(forge_str list) {
  forge_str inside = { NULL, 0 };
  size_t len = forge_length_(list);
  if (len < 2 || (*list.ptr != '[' && *list.ptr != '{')) return inside;
  inside.ptr = list.ptr + 1;
  inside.len = len - 2;
  return inside;
}

/* The next of them: 1, or 0 at the end. */
static inline int forge_next(forge_str *at, forge_str *item) {
  while (at->len > 0 && forge_is_between_(*at->ptr)) at->ptr++, at->len--;
  item->ptr = at->ptr;
  item->len = forge_length_(*at);
  at->ptr += item->len;
  at->len -= item->len;
  return item->len > 0;
}

/* The value of a member, and of a member of that: forge_get(request, "step.params.url"). Empty where there is none. */
static inline forge_str forge_get(forge_str value, const char *path) {
  while (*path != '\0') {
    size_t len = strcspn(path, ".");
    forge_str at = { NULL, 0 }, name, member = { NULL, 0 };
    if (value.len > 0 && *value.ptr == '{') at = forge_items(value);
    while (forge_next(&at, &name) && forge_next(&at, &value))
      if (name.len == len + 2 && memcmp(name.ptr + 1, path, len) == 0) member = value;
    value = member;
    path += len + (path[len] == '.');
  }
  return value;
}

/* Text that grows. Begin with {NULL, 0, 0, 0}; give it back with forge_text_free. Where memory runs out, it stays as it
 * was, and says so. */
typedef struct forge_text {
  char *ptr;
  size_t len, size;
  int failed;
} forge_text;

static inline void forge_put_bytes(forge_text *text, const void *bytes, size_t len) {
  if (text->failed || len == 0) return;
  if (text->size - text->len < len) {
    size_t size = (text->len + len) * 2;
    char *grown = (char *)realloc(text->ptr, size);
    if (grown == NULL) {
      text->failed = 1;
      return;
    }
    text->ptr = grown;
    text->size = size;
  }
  memcpy(text->ptr + text->len, bytes, len);
  text->len += len;
}

/* Adds UTF-8 as a JSON string, with quotes. */
static inline void forge_put_quoted(forge_text *text, forge_str str) {
  static const char hex[] = "0123456789abcdef";
  char escape[6] = { '\\', 'u', '0', '0', 0, 0 };
  size_t i;
  forge_put_bytes(text, "\"", 1);
  for (i = 0; i < str.len; i++) {
    uint8_t c = str.ptr[i];
    escape[4] = hex[c >> 4];
    escape[5] = hex[c & 15];
    if (c < 0x20) {
      forge_put_bytes(text, escape, 6);
    } else {
      if (c == '"' || c == '\\') forge_put_bytes(text, "\\", 1);
      forge_put_bytes(text, str.ptr + i, 1);
    }
  }
  forge_put_bytes(text, "\"", 1);
}

/* Adds a message: %s is a forge_str as it is (a value of another message; null for one that forge_get has not found), %q a
 * forge_str as a JSON string, ' becomes a ".
 *   forge_write(&text, "{'method':'GET','url':%s}", forge_get(request, "step.params.url")); */
static inline void forge_write(forge_text *text, const char *format, ...) {
  va_list values;
  va_start(values, format);
  for (; *format != '\0'; format++) {
    if (*format == '%') {
      forge_str str = va_arg(values, forge_str);
      if (*++format == 'q') forge_put_quoted(text, str);
      else if (str.ptr == NULL) forge_put_bytes(text, "null", 4);
      else forge_put_bytes(text, str.ptr, str.len);
    } else {
      forge_put_bytes(text, *format == '\'' ? "\"" : format, 1);
    }
  }
  va_end(values);
}

static inline forge_str forge_text_str(const forge_text *text) { return forge_str_of(text->ptr, text->len); }

static inline void forge_text_free(forge_text *text) {
  forge_text empty = { NULL, 0, 0, 0 };
  free(text->ptr);
  *text = empty;
}

/* The end of a call that failed: says why. return forge_fail(host, cx, FORGE_INVALID, "there is no file"); */
static inline forge_status forge_fail(const forge_host_v1 *host, forge_cx cx, forge_status status, const char *why) {
  host->set_error(host, cx, forge_str_of(why, strlen(why)));
  return status;
}

/* The end of a call: gives the answer, and the text back. */
static inline forge_status forge_reply(const forge_host_v1 *host, forge_cx cx, forge_text *answer) {
  forge_status status = answer->failed ? forge_fail(host, cx, FORGE_FAILED, "out of memory")
                                       : host->reply(host, cx, forge_text_str(answer));
  forge_text_free(answer);
  return status;
}

/* Asks for a service, and gives the text back. Where it fails, its reason is already that of the call: return the status. */
static inline forge_status forge_ask(const forge_host_v1 *host, forge_cx cx, const char *service, forge_text *request,
                                     forge_str *answer) {
  forge_status status;
  if (request->failed) {
    status = forge_fail(host, cx, FORGE_FAILED, "out of memory");
  } else {
    status = host->call(host, cx, forge_str_of(service, strlen(service)), forge_text_str(request), answer);
    if (status != FORGE_OK) host->set_error(host, cx, *answer);
  }
  forge_text_free(request);
  return status;
}

#endif
