/* Making a host, entering it, and the layout of its arena (host.h).
 *
 *     struct host | actors | bits of the blocks' beginnings | shadow | stacks, each above a guard | blocks …
 */
#define _GNU_SOURCE
#include "host.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "happens.h"
#include "lock_order.h"
#include "scheduler.h"
#include "shadow.h"

#ifdef WITH_ASAN
#include <sanitizer/asan_interface.h>
#endif

#define DEFAULT_BLOCKS_SIZE ((size_t)256 << 20)
#define LARGEST_BLOCKS_SIZE ((size_t)64 << 30)
#define SECTION             ((size_t)64 << 10) /* parts begin at multiples of this, as of every page size */

struct host *current_host;

static pthread_mutex_t one_thread = PTHREAD_MUTEX_INITIALIZER;

struct layout
{
    size_t actors;
    size_t starts;
    size_t shadow;
    size_t stacks;
    size_t blocks;
    size_t size;
};

static size_t round_up(size_t value)
{
    return (value + SECTION - 1) / SECTION * SECTION;
}

static struct layout layout_for(size_t blocks_size)
{
    struct layout layout;
    layout.actors = round_up(sizeof(struct host));
    layout.starts = round_up(layout.actors + ACTOR_LIMIT * sizeof(struct actor));
    layout.shadow = round_up(layout.starts + blocks_size / 128);
    layout.stacks = round_up(layout.shadow + blocks_size / SHADOW_GRANULE);
    layout.blocks = layout.stacks + (size_t)ACTOR_LIMIT * ACTOR_STACK_STRIDE;
    layout.size = layout.blocks + blocks_size;
    return layout;
}

static bool protect_guards(uint8_t *stacks)
{
    for (size_t i = 0; i < ACTOR_LIMIT; i++)
        if (mprotect(stacks + i * ACTOR_STACK_STRIDE, ACTOR_GUARD_SIZE, PROT_NONE) != 0)
            return false;
    return true;
}

struct host *host_open(size_t arena_size, char *error, size_t error_size)
{
    size_t blocks_size = round_up(arena_size == 0 ? DEFAULT_BLOCKS_SIZE : arena_size);
    if (arena_size > LARGEST_BLOCKS_SIZE)
    {
        snprintf(error, error_size, "an arena of %zu bytes is too large: at most %zu", arena_size, LARGEST_BLOCKS_SIZE);
        return NULL;
    }
    struct layout layout = layout_for(blocks_size);
    uint8_t *base = mmap(NULL, layout.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
    {
        snprintf(error, error_size, "the arena needs %zu bytes of address space: %s", layout.size, strerror(errno));
        return NULL;
    }
    struct host *host = (struct host *)(void *)base;
    host->mapping_size = layout.size;
    host->log.storage = log_storage_new();
    host->oracle = oracle_first_new();
    host->watch = watch_new();
    host->image_files = image_files_new();
    host->lock_order = lock_order_new();
    host->happens = happens_new();
    if (host->log.storage == NULL || host->oracle == NULL || host->watch == NULL || host->image_files == NULL ||
        host->lock_order == NULL || host->happens == NULL || !protect_guards(base + layout.stacks))
    {
        snprintf(error, error_size, "the system refuses memory for a host: %s", strerror(errno));
        host_close(host);
        return NULL;
    }
    scheduler_initialize(&host->scheduler, (struct actor *)(void *)(base + layout.actors), base + layout.stacks);
    arena_initialize(&host->arena, base + layout.blocks, base + layout.size, (uint64_t *)(void *)(base + layout.starts),
                     base + layout.shadow);
    pthread_mutex_lock(&one_thread);
    crash_take_signals();
    pthread_mutex_unlock(&one_thread);
    return host;
}

void host_close(struct host *host)
{
    if (host == NULL)
        return;
    log_storage_delete(host->log.storage);
    oracle_delete(host->oracle);
    watch_delete(host->watch);
    image_files_delete(host->image_files);
    lock_order_delete(host->lock_order);
    happens_delete(host->happens);
#ifdef WITH_ASAN
    /* An abandoned stack keeps its poison, and the sanitizer would hold it against whoever is mapped here next. */
    __asan_unpoison_memory_region(host, host->mapping_size);
#endif
    munmap(host, host->mapping_size);
}

void host_enter(struct host *host)
{
    pthread_mutex_lock(&one_thread);
    current_host = host;
    crash_thread_enters();
}

void host_leave(void)
{
    crash_thread_leaves();
    current_host = NULL;
    pthread_mutex_unlock(&one_thread);
}
