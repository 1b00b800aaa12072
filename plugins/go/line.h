/* What Go calls of the line: functions of the host's table, with a pointer and a length for every string, because no Go
 * pointer may stand in a struct that is passed to C. */
#ifndef FORGE_GO_LINE_H
#define FORGE_GO_LINE_H

#include "forge_plugin.h"

void forge_go_reply(forge_cx cx, const void *body, size_t len);
void forge_go_set_error(forge_cx cx, const void *body, size_t len);
void forge_go_log(forge_cx cx, uint32_t level, const void *message, size_t len);
void forge_go_progress(forge_cx cx, uint64_t done, uint64_t total, const void *message, size_t len);
int32_t forge_go_cancelled(forge_cx cx);
forge_status forge_go_call(forge_cx cx, const void *service, size_t service_len, const void *request,
                           size_t request_len, forge_str *response);
void forge_go_release(forge_cx cx, const void *ptr);

#endif
