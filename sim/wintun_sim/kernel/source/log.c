/* The event log: two growing arrays outside the arena (log.h). Memory that the system refuses here ends the process: a
 * log with holes would be a lie.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gate.h"
#include "host.h"

static void *grow(void *old, size_t *capacity, size_t needed, size_t element)
{
    size_t doubled = *capacity * 2;
    size_t wanted = doubled > needed ? doubled : needed;
    void *grown = wanted > SIZE_MAX / element ? NULL : realloc(old, wanted * element);
    if (grown == NULL)
    {
        fprintf(stderr, "wintun-sim: the event log needs %zu × %zu bytes, which the system refuses\n", wanted, element);
        abort();
    }
    *capacity = wanted;
    return grown;
}

struct log_storage *log_storage_new(void)
{
    struct log_storage *storage = calloc(1, sizeof *storage);
    if (storage == NULL)
        return NULL;
    storage->events_capacity = 256;
    storage->bytes_capacity = 1 << 16;
    storage->events = malloc(storage->events_capacity * sizeof *storage->events);
    storage->bytes = malloc(storage->bytes_capacity);
    if (storage->events == NULL || storage->bytes == NULL)
    {
        log_storage_delete(storage);
        return NULL;
    }
    return storage;
}

void log_storage_delete(struct log_storage *storage)
{
    if (storage == NULL)
        return;
    free(storage->events);
    free(storage->bytes);
    free(storage);
}

/* Where a debugger stops: something is wrong, and whoever did it is still on the stack (wintun-sim run --gdb). */
void __attribute__((noinline, visibility("default"))) wintun_sim_finding(void)
{
    __asm__ volatile("");
}

struct host_event *log_event(uint32_t kind, uint32_t operation)
{
    struct log *log = &current_host->log;
    struct log_storage *storage = log->storage;
    if (log->count == storage->events_capacity)
        storage->events =
            grow(storage->events, &storage->events_capacity, (size_t)log->count + 1, sizeof *storage->events);
    struct host_event *event = &storage->events[log->count++];
    memset(event, 0, sizeof *event);
    event->kind = kind;
    event->operation = operation;
    return event;
}

uint64_t log_bytes(const void *data, size_t length)
{
    struct log *log = &current_host->log;
    struct log_storage *storage = log->storage;
    if (length > storage->bytes_capacity - log->bytes)
        storage->bytes = grow(storage->bytes, &storage->bytes_capacity, log->bytes + length, 1);
    uint64_t offset = log->bytes;
    if (data == NULL)
        memset(storage->bytes + offset, 0, length);
    else
        memcpy(storage->bytes + offset, data, length);
    log->bytes += length;
    return offset;
}

uint8_t *log_bytes_at(uint64_t offset)
{
    return current_host->log.storage->bytes + offset;
}

void log_data(struct host_event *event, const void *data, size_t length)
{
    event->data = log_bytes(data, length);
    event->data_length = length;
}

void log_refused(uint32_t operation, const char *reason)
{
    log_data(log_event(HOST_EVENT_REFUSED, operation), reason, strlen(reason));
}

void log_seal(void)
{
    current_host->log.sealed = current_host->log.count;
}

void log_clear(void)
{
    gate_forget_log();
    struct log *log = &current_host->log;
    log->count = 0;
    log->sealed = 0;
    log->newest_broken = 0;
    log->bytes = 0;
}
