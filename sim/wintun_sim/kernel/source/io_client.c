/* The memory that clients read into and write from. A read's buffer is full of 0xA5 when the driver gets it, so that
 * what was not written, or was written behind what Information claims, shows.
 *
 * A buffer that was used is cleaned only where it was touched and kept for the next request of that size, since the
 * smallest read is 61,440 bytes and a run makes many.
 */
#include "io_room.h"

#include <string.h>

#include "shadow.h"

enum
{
    CLEAN_BYTE = 0xA5,
    SEARCHED_BEHIND = 4096, /* of what is not valid, its beginning; all of it is looked at in client_check */
    SEARCHED_AT_END = 256,
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

struct client_buffer *client_take(uint32_t size)
{
    struct client_buffer **list = clean_list(size, false);
    if (list != NULL)
    {
        struct client_buffer *client = *list;
        *list = client->next;
        client->next = NULL;
        check_unused(client, at_most(size, SEARCHED_BEFORE));
        shadow_allow(client->bytes, size);
        return client;
    }
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
