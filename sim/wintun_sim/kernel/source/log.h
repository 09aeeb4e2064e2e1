/* What happened: host events in order, and the bytes that belong to them. Output only; nothing in a run depends on it.
 *
 * The storage lies outside the arena and grows; how much of it is valid lies inside, so that a restore takes events
 * back.
 */
#ifndef WINTUN_SIM_LOG_H
#define WINTUN_SIM_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "../host_api.h"

struct log_storage
{
    struct host_event *events;
    size_t events_capacity;
    uint8_t *bytes;
    size_t bytes_capacity;
};

struct log
{
    struct log_storage *storage;
    uint32_t count;
    uint32_t sealed;        /* events to which nothing is added any more */
    uint32_t newest_broken; /* 1 + the place of the newest HOST_EVENT_RULE_BROKEN, whose `reserved` is the same of the
                               one before; 0: none */
    uint64_t bytes;
};

/* Appends an event with everything but kind and operation zero. The pointer is valid until the next call. */
struct host_event *log_event(uint32_t kind, uint32_t operation);

/* Appends bytes and returns their offset. `data` NULL: zero bytes, to be filled through log_bytes_at. */
uint64_t log_bytes(const void *data, size_t length);
uint8_t *log_bytes_at(uint64_t offset);

/* Appends bytes as the data of `event`. */
void log_data(struct host_event *event, const void *data, size_t length);

/* HOST_EVENT_REFUSED with its reason. */
void log_refused(uint32_t operation, const char *reason);

/* What follows belongs to another operation: the events so far stay as they are. */
void log_seal(void);

void log_clear(void);

/* Called when something is logged that is wrong; does nothing. */
void wintun_sim_finding(void);

struct log_storage *log_storage_new(void);
void log_storage_delete(struct log_storage *storage);

#endif
