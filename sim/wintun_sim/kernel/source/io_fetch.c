/* What a driver fetches from the memory of a client's write. The client is another thread of somebody else's program:
 * it can change the bytes at any time, so a byte that is read twice may be two different bytes
 * (learn.microsoft.com/windows-hardware/drivers/devtest/wdm-doublefetch). A second read is a broken rule, a scheduling
 * point, and, where whoever explores wants it, a choice: the client has changed the bytes by then, or not.
 *
 * Seen in instrumented images only. What the host kernel reads (the stack, of a packet that was indicated to it) does
 * not count.
 */
#include "depend.h"
#include "io_room.h"

#include <string.h>

#include "scheduler.h"

void client_watch(struct client_buffer *client)
{
    struct io_room *room = current_host->io;
    if (current_host->arena.shadow == NULL || client->size == 0)
        return;
    client->fetched = arena_allocate(BLOCK_HOST, (client->size + 7) / 8, 0, "NtWriteFile");
    if (client->fetched == NULL)
        return;
    client->next_watched = room->watched;
    room->watched = client;
    instrument_watch_clients();
}

void client_unwatch(struct client_buffer *client)
{
    if (client->fetched == NULL)
        return;
    struct client_buffer **place = &current_host->io->watched;
    while (*place != client)
        place = &(*place)->next_watched;
    *place = client->next_watched;
    arena_free(BLOCK_HOST, client->fetched, 0, "NtWriteFile");
    client->fetched = NULL;
    instrument_watch_clients();
}

/* The smallest range of addresses that has all of them. */
void instrument_watch_clients(void)
{
    struct instrument *instrument = &current_host->instrument;
    uintptr_t start = UINTPTR_MAX;
    uintptr_t end = 0;
    for (const struct client_buffer *client = current_host->io->watched; client != NULL; client = client->next_watched)
    {
        const uintptr_t first = (uintptr_t)client->bytes;
        start = first < start ? first : start;
        end = first + client->size > end ? first + client->size : end;
    }
    instrument->clients = end == 0 ? 0 : start;
    instrument->clients_size = end == 0 ? 0 : end - start;
}

static bool was_fetched(const struct client_buffer *client, size_t first, size_t end)
{
    for (size_t byte = first; byte < end; byte++)
        if ((client->fetched[byte / 8] >> byte % 8 & 1) != 0)
            return true;
    return false;
}

static void fetch(struct client_buffer *client, const struct access *access, size_t first, size_t end)
{
    depend(client->bytes, DEPEND_WRITE);
    if (was_fetched(client, first, end))
    {
        char where[96];
        instrument_tell(access, "DoubleFetch",
                        "%s a client's buffer for the second time: the client may have changed "
                        "what was found there the first time",
                        instrument_position((intptr_t)first, client->size, where, sizeof where));
        schedule_point(POINT_CLIENT_READ, client->bytes + first);
        struct oracle *oracle = current_host->oracle;
        if (oracle->client_writes && oracle_choose(oracle, CHOICE_CLIENT, 2) == 1)
            for (size_t byte = first; byte < end; byte++)
                client->bytes[byte] = (uint8_t)~client->bytes[byte];
    }
    for (size_t byte = first; byte < end; byte++)
        client->fetched[byte / 8] |= (uint8_t)(1u << byte % 8);
}

void client_read(const struct access *access)
{
    for (struct client_buffer *client = current_host->io->watched; client != NULL; client = client->next_watched)
    {
        const uintptr_t start = (uintptr_t)client->bytes;
        if (access->address >= start + client->size || access->address + access->size <= start)
            continue;
        const size_t first = access->address < start ? 0 : access->address - start;
        const size_t end = access->address + access->size - start;
        fetch(client, access, first, end < client->size ? end : client->size);
        return;
    }
}
