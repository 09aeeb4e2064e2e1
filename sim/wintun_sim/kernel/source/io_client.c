/* The memory that clients read into and write from. A read's buffer is full of 0xA5 when the driver gets it, so that
 * what was not written, or was written behind what Information claims, shows.
 *
 * A buffer that was used is cleaned only where it was touched and kept for the next request of that size, since the
 * smallest read is 61,440 bytes and a run makes many.
 */
#include "io_room.h"

#include <string.h>

enum
{
    CLEAN_BYTE = 0xA5,
    SEARCHED_BYTES = 65536, /* behind what is valid, and as many at the end */
};

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
    client->size = size;
    memset(client->bytes, CLEAN_BYTE, size);
    return client;
}

/* Whether `length` bytes all are 0xA5: each is compared with the one before. */
static bool is_clean(const uint8_t *bytes, uint32_t length)
{
    return length == 0 || (bytes[0] == CLEAN_BYTE && memcmp(bytes, bytes + 1, length - 1) == 0);
}

void client_give_back(struct client_buffer *client, uint32_t valid, bool check)
{
    uint32_t touched = check ? valid : client->size;
    if (check)
    {
        const uint32_t behind = client->size - valid;
        const uint32_t searched = behind < SEARCHED_BYTES ? behind : SEARCHED_BYTES;
        if (!is_clean(client->bytes + valid, searched) || !is_clean(client->bytes + client->size - searched, searched))
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
        client->next = *list;
        *list = client;
        return;
    }
    arena_free(BLOCK_CLIENT, client->bytes, 0, "NtReadFile");
    slab_give(&current_host->io->client_slab, client);
}
