/* Objects of one size that come and go with every packet: a free list, no search, no call into the arena but to grow.
 *
 * Freed objects are filled with 0xDD and reused first in, first out, so that one that is touched after it was given
 * back has some time to be noticed: slab_take looks whether it still is as it was left.
 */
#ifndef WINTUN_SIM_SLAB_H
#define WINTUN_SIM_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slab_item
{
    uint64_t state;     /* the slab's live word, or its free word: nothing else in the arena looks like them */
    uint32_t operation; /* during which operation it was taken, or given back */
    uint16_t image;     /* whose code was running then; 0 for the host */
    uint16_t tag;       /* the room's own */
    struct slab_item *next;
    struct slab *slab;
};

/* The pool tag of the blocks that slabs lie in. */
#define SLAB_TAG UINT32_C(0x42414c53)

struct slab
{
    const char *name; /* in messages: "an MDL" */
    size_t size;      /* of an object, in bytes */
    size_t poisoned;  /* bytes of it that are filled and looked at; 0: objects that no driver ever sees */
    size_t stride;
    struct slab_chunk *chunks;
    uint32_t fresh;          /* objects at the end of the newest chunk that were never taken: they come first */
    struct slab_item *first; /* free ones */
    struct slab_item *last;
    uint32_t live;
    uint32_t total;
};

/* `poisoned` <= `size`. */
void slab_initialize(struct slab *slab, const char *name, size_t size, size_t poisoned);

/* Gives all memory back, whatever is still live. */
void slab_close(struct slab *slab);

/* An object with unspecified content, or NULL when the arena is exhausted. */
void *slab_take(struct slab *slab);

/* `object` must be live (slab_live). */
void slab_give(struct slab *slab, void *object);

/* The header of the live object at `object`, or NULL when there is none: any address may be asked for. */
struct slab_item *slab_live(const struct slab *slab, const volatile void *object);

/* Likewise for one that was given back and not taken again. */
struct slab_item *slab_free(const struct slab *slab, const volatile void *object);

/* Calls `visit` for each live object, in no order that means anything. */
void slab_visit(const struct slab *slab, void (*visit)(void *object, void *context), void *context);

/* The header of the object that `address` lies in, live or not, where `chunk` are the bytes of the block around it. */
struct slab_item *slab_item_at(void *chunk, uintptr_t address);

/* For shadow_begin: what is live in a chunk is the driver's, if the slab's objects are for drivers. */
void slab_chunk_shadow(void *chunk);

/* How many live objects an image took (0: all). O(objects). */
uint32_t slab_count(const struct slab *slab, uint16_t image);

/* Sixteen bytes at once: what is poisoned is a multiple of that, and too short for a call to pay off. */
typedef uint64_t slab_pair __attribute__((vector_size(16), may_alias));

#define SLAB_POISON ((slab_pair){UINT64_C(0xDDDDDDDDDDDDDDDD), UINT64_C(0xDDDDDDDDDDDDDDDD)})

/* Fills `size` bytes, a multiple of 16, with 0xDD; the address is a multiple of 16. */
static inline void slab_poison(void *object, size_t size)
{
    slab_pair *end = (slab_pair *)object + size / sizeof *end;
    for (slab_pair *pair = object; pair < end; pair++)
    {
        __asm__("" : "+r"(pair)); /* or compilers see a memset, and call it */
        *pair = SLAB_POISON;
    }
}

/* Whether these bytes are as slab_poison left them. */
static inline bool slab_is_poisoned(const void *object, size_t size)
{
    const slab_pair *end = (const slab_pair *)object + size / sizeof *end;
    slab_pair difference = {0, 0};
    for (const slab_pair *pair = object; pair < end; pair++)
        difference |= *pair ^ SLAB_POISON;
    return (difference[0] | difference[1]) == 0;
}

/* memset to zero for objects of a few hundred bytes with every packet: compilers expand that in place as a string
 * instruction, whose beginning alone costs more than the call. */
static inline void slab_clear(void *object, size_t size)
{
    __asm__("" : "+r"(size)); /* not a constant */
    memset(object, 0, size);
}

static inline struct slab_item *slab_item_of(void *object)
{
    return (struct slab_item *)object - 1;
}

#endif
