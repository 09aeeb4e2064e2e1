/* SPDX-License-Identifier: MIT
 *
 * The bundle format in plain C; naive.h says for what.
 */
#include "naive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t naive_record_size(uint64_t packet_size)
{
    uint64_t size = 16 + packet_size;

    while (size % 16 != 0)
        size++;
    return size;
}

static int zeros(const uint8_t *bytes, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i < to; i++)
        if (bytes[i] != 0)
            return 0;
    return 1;
}

void naive_decode(struct naive_bundle *bundle, const uint8_t *bytes, uint64_t length, uint64_t limit, int strict)
{
    bundle->offset = 0;
    bundle->number = 0;
    bundle->reason = NULL;
    while (bundle->reason == NULL)
    {
        const uint64_t start = bundle->offset;
        uint32_t size = 0;

        if (length - start >= 16)
            memcpy(&size, bytes + start, 4);
        const uint64_t end = start + naive_record_size(size);
        if (start == length)
            bundle->reason = "END";
        else if (bundle->number == limit)
            bundle->reason = "TOO_MANY";
        else if (length - start < 16)
            bundle->reason = "CUT_SHORT";
        else if (size > 61424)
            bundle->reason = "OVER_LONG";
        else if (end > length)
            bundle->reason = "CUT_SHORT";
        else if (strict && (!zeros(bytes, start + 4, start + 16) || !zeros(bytes, start + 16 + size, end)))
            bundle->reason = "NOT_ZERO";
        else
        {
            DEMAND(bundle->number < NAIVE_ENTRIES);
            bundle->packets[bundle->number] = start + 16;
            bundle->sizes[bundle->number] = size;
            bundle->number++;
            bundle->offset = end;
        }
    }
}

uint64_t naive_record(uint8_t *where, const uint8_t *packet, uint32_t size)
{
    uint64_t length = 0;
    uint8_t size_bytes[4];

    memcpy(size_bytes, &size, 4);
    for (int i = 0; i < 4; i++)
        where[length++] = size_bytes[i];
    for (int i = 0; i < 12; i++)
        where[length++] = 0;
    for (uint32_t i = 0; i < size; i++)
        where[length++] = packet[i];
    while (length % 16 != 0)
        where[length++] = 0;
    return length;
}

const char *naive_name(uint32_t reason)
{
    static const char *const names[] = {"OK", "END", "CUT_SHORT", "OVER_LONG", "TOO_MANY", "NO_ROOM", "NOT_ZERO"};

    return reason < sizeof(names) / sizeof(*names) ? names[reason] : "none";
}

int same_name(const char *one, const char *other)
{
    return strcmp(one, other) == 0;
}

void demand_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
    abort();
}
