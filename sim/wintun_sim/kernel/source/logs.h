/* The distinct logs of many runs. Two runs have the same log when their events and bytes, their results and what was
 * counted agree to the byte; that is told by a hash of 128 bits.
 */
#ifndef WINTUN_SIM_LOGS_H
#define WINTUN_SIM_LOGS_H

#include <stdbool.h>

#include "../explore_api.h"

struct logs;

struct logs *logs_new(uint64_t limit);
void logs_delete(struct logs *logs);
size_t logs_count(const struct logs *logs);

/* Counts the run whose log this is, and keeps a copy of it when it is new. False, and nothing done, when it is new and
 * there are as many as the limit. */
bool logs_add(struct logs *logs, const struct host_log *log);

void logs_get(const struct logs *logs, size_t index, struct host_log *log);

#endif
