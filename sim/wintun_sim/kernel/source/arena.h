/* The memory of the simulated machine: one mapping that never moves, and the judge of every allocation in it.
 *
 * A block is a header, the bytes that the owner sees (16-byte aligned) and a red zone behind them. Fresh bytes are
 * 0xCD, freed ones 0xDD, red zones 0xFD. Freed blocks wait in a quarantine; when they leave it, or when arena_check()
 * looks, a byte that is not 0xDD any more betrays a write after the free. Blocks are found again by any address in them
 * (arena_block_of).
 */
#ifndef WINTUN_SIM_ARENA_H
#define WINTUN_SIM_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum block_kind
{
    BLOCK_NONE,
    BLOCK_HOST, /* the host's own state; never a leak of a driver's */
    BLOCK_POOL,
    BLOCK_MDL,
    BLOCK_NBL,
    BLOCK_NBL_POOL,
    BLOCK_NB,
    BLOCK_NB_POOL,
    BLOCK_IRP,
    BLOCK_DEVICE,
    BLOCK_FILE,
    BLOCK_CLIENT, /* a client's buffer; its owner fills it, so it is not filled here */
    BLOCK_WORK_ITEM,
    BLOCK_TIMER,
    BLOCK_CONFIGURATION,
    BLOCK_OTHER,
    BLOCK_KINDS
};

/* How many size classes there are: every 16 bytes up to 1 KiB, then eight to a doubling. */
enum
{
    ARENA_CLASSES = 256
};

struct block
{
    uint32_t guard; /* says whether it is live, freed or spare */
    uint8_t kind;   /* enum block_kind */
    uint8_t size_class;
    uint16_t image;     /* whose code was running: struct image's index + 1, or 0 for the host */
    uint32_t tag;       /* the pool tag, as ExAllocatePoolWithTag takes it */
    uint32_t operation; /* during which operation it was allocated, or freed once it is */
    uint64_t size;      /* bytes that the owner asked for */
    uint64_t serial;    /* 1, 2, 3, … in order of allocation */
    struct block *next; /* live: the list of live blocks, oldest first; freed: the quarantine or the free list */
    struct block *previous;
    const char *caller;    /* name of the function that allocated it, or freed it once it is; a literal */
    const char *allocator; /* name of the function that allocated it; a literal */
    uint32_t allocation;   /* during which operation */
    uint32_t padding;
    uint64_t front_guard;
};

struct arena
{
    uint8_t *start;   /* where blocks begin */
    uint8_t *end;     /* where no block has been yet; what lies beyond was never written */
    uint8_t *limit;   /* where the mapping ends */
    uint64_t *starts; /* one bit for each 16 bytes from `start`: a block's header begins here */
    uint8_t *shadow;  /* one byte for each 16 bytes from `start` (shadow.h); NULL while it is not kept */
    uint8_t *shadow_room;
    uint64_t serial;
    uint64_t live_bytes;
    uint64_t quarantine_bytes;
    uint32_t live_count;
    uint32_t quarantine_count;
    bool exhausted;       /* it was asked for what it could have held when it was empty, and had no room */
    struct block *oldest; /* live blocks in order of allocation */
    struct block *newest;
    struct block *quarantine_oldest; /* freed blocks in order of freeing */
    struct block *quarantine_newest;
    struct block *free_of_class[ARENA_CLASSES]; /* slots that have left the quarantine */
};

/* Returns `size` bytes, filled with 0xCD (BLOCK_CLIENT and BLOCK_HOST: unspecified, zero), or NULL when the arena is
 * exhausted: the host's limit, not the driver's fault, so that the run ends with HOST_OUT_OF_MEMORY. Never asks the
 * oracle: pool.c and the others that may fail do (fault_strikes). `caller` is a literal.
 */
void *arena_allocate(enum block_kind kind, size_t size, uint32_t tag, const char *caller);

/* The same without filling anything: memory of the host's own that whoever asks for it fills as it is used. */
void *arena_allocate_unfilled(enum block_kind kind, size_t size, uint32_t tag, const char *caller);

/* Frees what arena_allocate gave. A double free, an address that is none of ours, another kind, another tag (unless
 * `tag` is 0) or an overrun is a broken rule, in the name of `caller`, and then nothing is freed (an overrun: it is).
 * NULL: broken rule too. Returns whether the block was freed.
 */
bool arena_free(enum block_kind kind, void *address, uint32_t tag, const char *caller);

/* The block that `address` lies in, live or freed (see arena_is_live), or NULL when it lies in none. */
struct block *arena_block_of(const volatile void *address);

/* The live block of this kind whose first byte is `address`, or NULL. */
struct block *arena_live_block(enum block_kind kind, const volatile void *address);

static inline void *block_bytes(const struct block *block)
{
    return (void *)(uintptr_t)(block + 1);
}

bool block_is_live(const struct block *block);

/* Whether drivers get addresses into such blocks to use them; those of the others are handles, or never seen. */
bool arena_is_for_drivers(enum block_kind kind);

/* The words for a kind in messages: "pool memory", "an IRP", … */
const char *block_kind_name(enum block_kind kind);

/* Looks at every red zone and every freed byte in quarantine and reports what was written where it must not be.
 * O(memory in use). */
void arena_check(void);

/* The oldest live block after `after` (NULL: the oldest of all) of `kind` (BLOCK_NONE: any) and of that image (0: any);
 * NULL at the end. */
struct block *arena_next_live(const struct block *after, enum block_kind kind, uint16_t image);

/* For host_open. */
void arena_initialize(struct arena *arena, uint8_t *start, uint8_t *limit, uint64_t *starts, uint8_t *shadow);

#endif
