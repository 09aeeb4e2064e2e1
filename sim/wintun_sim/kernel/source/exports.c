/* The export tables of all rooms, searched by name (exports.h). */
#include "exports.h"

#include <stdlib.h>
#include <string.h>

extern const struct export lock_exports[];
extern const struct export lock_other_exports[];
extern const struct export interlocked_exports[];
extern const struct export irql_exports[];
extern const struct export wait_exports[];
extern const struct export rundown_exports[];
extern const struct export remove_lock_exports[];
extern const struct export pool_exports[];
extern const struct export runtime_exports[];
extern const struct export string_exports[];
extern const struct export work_exports[];
extern const struct export timer_exports[];
extern const struct export ndis_sync_exports[];
extern const struct export ndis_work_exports[];
extern const struct export io_exports[];
extern const struct export ndis_exports[];
extern const struct export pnp_exports[];
extern const struct export object_exports[];
extern const struct export io_name_exports[];
extern const struct export process_exports[];
extern const struct export descriptor_exports[];
extern const struct export instrument_exports[];
extern const struct export instrument_atomic_exports[];
extern const struct export undefined_exports[];
extern const struct export address_exports[];
extern const struct export handle_exports[];

static const struct export *const tables[] = {
    lock_exports,        lock_other_exports, interlocked_exports,
    irql_exports,        wait_exports,       rundown_exports,
    remove_lock_exports, pool_exports,       runtime_exports,
    string_exports,      work_exports,       timer_exports,
    ndis_sync_exports,   ndis_work_exports,  io_exports,
    ndis_exports,        instrument_exports, instrument_atomic_exports,
    undefined_exports,   pnp_exports,        object_exports,
    io_name_exports,     process_exports,    descriptor_exports,
    address_exports,     handle_exports,
};

enum
{
    EXPORT_LIMIT = 1024
};

static const struct export *sorted[EXPORT_LIMIT];
static size_t sorted_count;

static int compare(const void *left, const void *right)
{
    return strcmp((*(const struct export *const *)left)->name, (*(const struct export *const *)right)->name);
}

/* The tables never change, so this is done once in a process. */
static void sort(void)
{
    if (sorted_count != 0)
        return;
    size_t count = 0;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        for (const struct export *entry = tables[i]; entry->name != NULL; entry++)
        {
            if (count == EXPORT_LIMIT)
                abort();
            sorted[count++] = entry;
        }
    qsort(sorted, count, sizeof sorted[0], compare);
    sorted_count = count;
}

void *export_find(const char *name)
{
    sort();
    size_t low = 0;
    size_t high = sorted_count;
    while (low < high)
    {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name, sorted[middle]->name);
        if (order == 0)
            return sorted[middle]->address;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const char *export_name(size_t index)
{
    sort();
    return index < sorted_count ? sorted[index]->name : NULL;
}
