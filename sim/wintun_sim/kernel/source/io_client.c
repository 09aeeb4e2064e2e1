/* The memory that clients read into and write from. A read's buffer is full of 0xA5 when the driver gets it, so that
 * what was not written, or was written behind what Information claims, shows.
 *
 * A buffer that was used is cleaned only where it was touched and kept for the next request of that size, since the
 * smallest read is 61,440 bytes and a run makes many.
 */
#include "io_room.h"

#include <stdlib.h>
#include <string.h>

#include "shadow.h"

enum
{
    CLEAN_BYTE = 0xA5,
    SEARCHED_BEHIND = 4096, /* of what is not valid, its beginning; all of it is looked at in client_check */
    SEARCHED_AT_END = 256,
    LARGE = 4096,          /* a buffer that is worth more than a copy of it */
    SEARCHED_BEFORE = 1024 /* of a buffer that is taken again */
};

static uint32_t at_most(uint32_t length, uint32_t limit)
{
    return length < limit ? length : limit;
}

/* Whether `length` bytes all are 0xA5: each is compared with the one before. */
static bool is_clean(const uint8_t *bytes, uint32_t length)
{
    return length == 0 || (bytes[0] == CLEAN_BYTE && memcmp(bytes, bytes + 1, length - 1) == 0);
}

static void check_unused(struct client_buffer *client, uint32_t length)
{
    if (is_clean(client->bytes, length))
        return;
    rule_broken("ClientBuffer", "a client's buffer was written to after its request was complete, or far behind what "
                                "Information claimed");
    memset(client->bytes, CLEAN_BYTE, client->size);
}

static struct client_buffer **clean_list(uint32_t size, bool make)
{
    struct io_room *room = current_host->io;
    struct client_buffer **unused = NULL;
    for (unsigned index = 0; index < CLIENT_SIZES; index++)
    {
        if (room->clean[index] == NULL && unused == NULL)
            unused = &room->clean[index];
        if (room->clean[index] != NULL && room->clean[index]->size == size)
            return &room->clean[index];
    }
    return make ? unused : NULL;
}

static struct client_buffer *client_new(uint32_t size)
{
    struct client_buffer *client = slab_take(&current_host->io->client_slab);
    if (client == NULL)
        return NULL;
    client->bytes = arena_allocate(BLOCK_CLIENT, size == 0 ? 1 : size, 0, "NtReadFile");
    if (client->bytes == NULL)
    {
        slab_give(&current_host->io->client_slab, client);
        return NULL;
    }
    client->next = NULL;
    client->fetched = NULL;
    client->size = size;
    memset(client->bytes, CLEAN_BYTE, size);
    return client;
}

struct client_buffer *client_take(uint32_t size)
{
    struct client_buffer **list = clean_list(size, false);
    if (list == NULL)
        return client_new(size);
    struct client_buffer *client = *list;
    *list = client->next;
    client->next = NULL;
    check_unused(client, at_most(size, SEARCHED_BEFORE));
    shadow_allow(client->bytes, size);
    return client;
}

void client_give_back(struct client_buffer *client, uint32_t valid, bool check)
{
    uint32_t touched = check ? valid : client->size;
    if (check)
    {
        const uint32_t behind = client->size - valid;
        const uint32_t last = at_most(behind, SEARCHED_AT_END);
        if (!is_clean(client->bytes + valid, at_most(behind, SEARCHED_BEHIND)) ||
            !is_clean(client->bytes + client->size - last, last))
        {
            rule_broken("ClientBuffer",
                        "the client's buffer was written to behind the %u bytes that Information claims", valid);
            touched = client->size;
        }
    }
    memset(client->bytes, CLEAN_BYTE, touched);
    struct client_buffer **list = clean_list(client->size, true);
    if (list != NULL)
    {
        shadow_forbid(client->bytes, client->size);
        client->next = *list;
        *list = client;
        return;
    }
    arena_free(BLOCK_CLIENT, client->bytes, 0, "NtReadFile");
    slab_give(&current_host->io->client_slab, client);
}

void client_forbid_unused(void)
{
    for (unsigned index = 0; index < CLIENT_SIZES; index++)
        for (const struct client_buffer *client = current_host->io->clean[index]; client != NULL; client = client->next)
            shadow_forbid(client->bytes, client->size);
}

void client_check(void)
{
    for (unsigned index = 0; index < CLIENT_SIZES; index++)
        for (struct client_buffer *client = current_host->io->clean[index]; client != NULL; client = client->next)
            check_unused(client, client->size);
}

void client_prepare(uint32_t size, unsigned count)
{
    struct client_buffer **list = clean_list(size, false);
    for (const struct client_buffer *free = list == NULL ? NULL : *list; free != NULL && count != 0; free = free->next)
        count -= 1;
    struct client_buffer *taken = NULL;
    for (; count != 0; count--)
    {
        struct client_buffer *client = client_new(size);
        if (client == NULL)
            break;
        client->next = taken;
        taken = client;
    }
    while (taken != NULL)
    {
        struct client_buffer *client = taken;
        taken = client->next;
        client_give_back(client, 0, true);
    }
}

static int compare_holes(const void *one, const void *other)
{
    const struct snapshot_hole *left = one;
    const struct snapshot_hole *right = other;
    return (left->start > right->start) - (left->start < right->start);
}

size_t client_unused(struct snapshot_hole *holes, size_t limit)
{
    size_t count = 0;
    for (unsigned index = 0; index < CLIENT_SIZES; index++)
        for (const struct client_buffer *client = current_host->io->clean[index]; client != NULL; client = client->next)
            if (count < limit && client->size >= LARGE)
                holes[count++] = (struct snapshot_hole){client->bytes, client->size};
    qsort(holes, count, sizeof *holes, compare_holes);
    return count;
}

static bool is_unused(const uint8_t *bytes)
{
    for (unsigned index = 0; index < CLIENT_SIZES; index++)
        for (const struct client_buffer *client = current_host->io->clean[index]; client != NULL; client = client->next)
            if (client->bytes == bytes)
                return true;
    return false;
}

bool client_is_clean(const struct snapshot_hole *holes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!is_clean(holes[i].start, (uint32_t)holes[i].size))
            return false;
    return true;
}

void client_clean(const struct snapshot_hole *holes, size_t count, bool all)
{
    for (size_t i = 0; i < count; i++)
        if (all || !is_unused(holes[i].start))
            memset(holes[i].start, CLEAN_BYTE, holes[i].size);
}
