/* A hash table of logs (logs.h). Looking up what was seen before allocates nothing. */
#include "logs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct hash
{
    uint64_t low;
    uint64_t high;
};

struct kept
{
    struct hash hash;
    struct host_log log; /* its arrays are one allocation, at `events` */
};

struct logs
{
    uint64_t limit;
    struct kept *kept;
    size_t count;
    size_t capacity;
    uint32_t *table;   /* 1 + the position in `kept`, by hash; 0: free */
    size_t table_size; /* a power of two, at least twice `count` */
};

__extension__ typedef unsigned __int128 wide;

static inline uint64_t fold(uint64_t left, uint64_t right)
{
    const wide product = (wide)left * right;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Two lanes, each a multiplication whose halves are folded for every 16 bytes; odd constants from the digits of pi. */
#define KEY_LOW  UINT64_C(0x243F6A8885A308D3)
#define KEY_HIGH UINT64_C(0x13198A2E03707345)

static void stir(struct hash *hash, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint64_t words[2];
    hash->low ^= size;
    hash->high += size;
    for (; size >= sizeof words; bytes += sizeof words, size -= sizeof words)
    {
        memcpy(words, bytes, sizeof words);
        hash->low = fold(hash->low ^ words[0], KEY_LOW ^ words[1]);
        hash->high = fold(hash->high ^ words[1], KEY_HIGH + words[0]) + hash->low;
    }
    words[0] = words[1] = 0;
    memcpy(words, bytes, size);
    hash->low = fold(hash->low ^ words[0], KEY_LOW ^ words[1]);
    hash->high = fold(hash->high ^ words[1], KEY_HIGH + words[0]) + hash->low;
}

static struct hash hash_of(const struct host_log *log)
{
    struct hash hash = {log->result + KEY_HIGH, KEY_LOW};
    stir(&hash, log->events, log->event_count * sizeof *log->events);
    stir(&hash, log->bytes, log->byte_count);
    stir(&hash, log->counted, log->counted_count * sizeof *log->counted);
    return hash;
}

static _Noreturn void give_up(void)
{
    fprintf(stderr, "wintun-sim: the logs of an exploration need more memory than there is\n");
    abort();
}

struct logs *logs_new(uint64_t limit)
{
    struct logs *logs = calloc(1, sizeof *logs);
    if (logs == NULL)
        return NULL;
    logs->limit = limit;
    logs->table_size = 1024;
    logs->table = calloc(logs->table_size, sizeof *logs->table);
    if (logs->table == NULL)
    {
        free(logs);
        return NULL;
    }
    return logs;
}

void logs_delete(struct logs *logs)
{
    if (logs == NULL)
        return;
    for (size_t index = 0; index < logs->count; index++)
        free((void *)(uintptr_t)logs->kept[index].log.events);
    free(logs->kept);
    free(logs->table);
    free(logs);
}

size_t logs_count(const struct logs *logs)
{
    return logs->count;
}

void logs_get(const struct logs *logs, size_t index, struct host_log *log)
{
    *log = logs->kept[index].log;
}

static uint32_t *find(const struct logs *logs, struct hash hash)
{
    for (size_t place = hash.low & (logs->table_size - 1);; place = (place + 1) & (logs->table_size - 1))
    {
        const uint32_t number = logs->table[place];
        if (number == 0)
            return &logs->table[place];
        const struct hash *other = &logs->kept[number - 1].hash;
        if (other->low == hash.low && other->high == hash.high)
            return &logs->table[place];
    }
}

static void grow_table(struct logs *logs)
{
    free(logs->table);
    logs->table_size *= 2;
    logs->table = calloc(logs->table_size, sizeof *logs->table);
    if (logs->table == NULL)
        give_up();
    for (size_t index = 0; index < logs->count; index++)
        *find(logs, logs->kept[index].hash) = (uint32_t)(index + 1);
}

static const void *put(uint8_t **place, const void *data, size_t size)
{
    uint8_t *start = *place;
    if (size != 0)
        memcpy(start, data, size);
    *place += size;
    return start;
}

static void keep(struct logs *logs, const struct host_log *log, struct hash hash)
{
    if (logs->count == logs->capacity)
    {
        logs->capacity = logs->capacity == 0 ? 256 : logs->capacity * 2;
        struct kept *grown = realloc(logs->kept, logs->capacity * sizeof *grown);
        if (grown == NULL)
            give_up();
        logs->kept = grown;
    }
    const size_t events = log->event_count * sizeof *log->events;
    const size_t counted = log->counted_count * sizeof *log->counted;
    const size_t choices = log->choice_count * sizeof *log->choices;
    uint8_t *place = malloc(events + counted + choices + log->byte_count + 1);
    if (place == NULL)
        give_up();
    struct kept *kept = &logs->kept[logs->count++];
    kept->hash = hash;
    kept->log = *log;
    kept->log.seen = 1;
    kept->log.events = put(&place, log->events, events);
    kept->log.counted = put(&place, log->counted, counted);
    kept->log.choices = put(&place, log->choices, choices);
    kept->log.bytes = put(&place, log->bytes, log->byte_count);
}

bool logs_add(struct logs *logs, const struct host_log *log)
{
    const struct hash hash = hash_of(log);
    uint32_t *place = find(logs, hash);
    if (*place != 0)
    {
        logs->kept[*place - 1].log.seen += 1;
        return true;
    }
    if (logs->count >= logs->limit)
        return false;
    keep(logs, log, hash);
    *place = (uint32_t)logs->count;
    if (logs->count * 2 > logs->table_size)
        grow_table(logs);
    return true;
}
