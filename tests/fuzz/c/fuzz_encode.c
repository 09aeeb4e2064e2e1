/* SPDX-License-Identifier: MIT
 *
 * Fuzzes all that writes a bundle: the writer, bundle_encode and bundle_measure.
 *
 * An input is a head of nine bytes (how much room the bundle has, how it is aligned, the limit of records and how many
 * bytes of packets there are) and then steps of three bytes: reserve a packet of some size, a sensible or an absurd
 * one, or take the last one back. A naive list of sizes says what each step has to give; the sizes that were asked for
 * then go through the bulk functions. What is written has to be what the naive writer writes.
 */
#include "bundle.h"
#include "naive.h"

#include <stdlib.h>
#include <string.h>

enum
{
    UNTOUCHED = 0xA5,
    HEAD = 9,
    STEP = 3,
    MOST_STEPS = 1000,
    ROOM = 1 << 17 /* bytes: two of the largest records, so that the end is met */
};

enum kind
{
    RESERVE,
    RESERVE_TOO,
    RESERVE_ABSURD,
    TAKE_BACK
};

static uint8_t packet_bytes[ROOM];
static uint8_t untouched[ROOM];
static uint8_t expected[ROOM];

int LLVMFuzzerInitialize(int *argument_count, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argument_count, char ***arguments)
{
    (void)argument_count;
    (void)arguments;
    for (size_t i = 0; i < sizeof(packet_bytes); i++)
        packet_bytes[i] = (uint8_t)(i * 7 % 251 + 1);
    memset(untouched, UNTOUCHED, sizeof(untouched));
    return 0;
}

static size_t number_at(const uint8_t *bytes)
{
    return (size_t)bytes[0] << 16 | (size_t)bytes[1] << 8 | bytes[2];
}

static size_t size_of_step(const uint8_t *step)
{
    const size_t size = (size_t)step[1] << 8 | step[2];

    return step[0] % 4 == RESERVE_ABSURD ? size << (step[0] / 4) : size;
}

/* The bytes that end `room` bytes of memory, behind `alignment` others. */
static uint8_t *make_room(uint8_t **block, size_t room, size_t alignment)
{
    *block = malloc(alignment + room);
    DEMAND(*block != NULL);
    memset(*block, UNTOUCHED, alignment + room);
    return *block + alignment;
}

/* Fills a bundle as the driver fills a client's buffer. */
static void check_writer(const uint8_t *steps, size_t count, size_t room, size_t alignment)
{
    uint8_t *block;
    uint8_t *base = make_room(&block, room, alignment);
    struct bundle_writer writer;
    size_t written = 0;
    size_t previous = 0; /* `written` before the last reservation, where that can be taken back */
    uint32_t number = 0;
    int can_take_back = 0;

    bundle_writer_init(&writer, room == 0 ? NULL : base, room);
    for (const uint8_t *step = steps; step < steps + count * STEP; step += STEP)
    {
        void *where = NULL;
        if (step[0] % 4 == TAKE_BACK)
        {
            bundle_take_back(&writer);
            written = can_take_back ? previous : written;
            number -= can_take_back ? 1 : 0;
            can_take_back = 0;
        }
        else
        {
            const size_t size = size_of_step(step);
            const enum bundle_reason reason = bundle_reserve(&writer, size, &where);
            if (size > BUNDLE_MAX_PACKET_SIZE)
                DEMAND(reason == BUNDLE_OVER_LONG);
            else if (number == BUNDLE_MAX_PACKETS)
                DEMAND(reason == BUNDLE_TOO_MANY);
            else if (naive_record_size(size) > room - written)
                DEMAND(reason == BUNDLE_NO_ROOM);
            else
                DEMAND(reason == BUNDLE_OK);
            DEMAND((where != NULL) == (reason == BUNDLE_OK));
            if (reason == BUNDLE_OK)
            {
                DEMAND(where == base + written + BUNDLE_HEADER_SIZE);
                memcpy(where, packet_bytes, size);
                previous = written;
                written += naive_record(expected + written, packet_bytes, (uint32_t)size);
                number++;
                can_take_back = 1;
            }
        }
        DEMAND(bundle_written(&writer) == written);
        DEMAND(writer.number == number);
    }
    DEMAND(memcmp(base, expected, written) == 0);
    free(block);
}

/* Measures and encodes in bulk; `packets` are as many bytes as the sizes may want, or fewer. */
static void check_bulk(const uint32_t *sizes, size_t count, uint32_t limit, size_t room, size_t alignment,
                       size_t packets_length)
{
    uint8_t *block;
    uint8_t *packets_block;
    uint8_t *base = make_room(&block, room, alignment);
    uint8_t *packets = make_room(&packets_block, packets_length, alignment / 2);
    const char *measured = "END";
    const char *encoded = "END";
    uint64_t length = 0;
    size_t written = 0;
    size_t taken = 0;
    struct bundle_stop stop;
    size_t number;

    memcpy(packets, packet_bytes, packets_length);
    for (number = 0; number < count && same_name(measured, "END"); number++)
    {
        if (number == limit)
            measured = "TOO_MANY";
        else if (sizes[number] > BUNDLE_MAX_PACKET_SIZE)
            measured = "OVER_LONG";
        else
            length += naive_record_size(sizes[number]);
    }
    number -= same_name(measured, "END") ? 0 : 1;
    DEMAND(bundle_measure(sizes, count, limit, &stop) == length);
    DEMAND(same_name(naive_name(stop.reason), measured) && stop.number == number && stop.offset == length);

    for (number = 0; number < count && same_name(encoded, "END"); number++)
    {
        if (number == limit)
            encoded = "TOO_MANY";
        else if (sizes[number] > BUNDLE_MAX_PACKET_SIZE)
            encoded = "OVER_LONG";
        else if (sizes[number] > packets_length - taken)
            encoded = "CUT_SHORT";
        else if (naive_record_size(sizes[number]) > room - written)
            encoded = "NO_ROOM";
        else
        {
            written += naive_record(expected + written, packets + taken, sizes[number]);
            taken += sizes[number];
        }
    }
    number -= same_name(encoded, "END") ? 0 : 1;
    DEMAND(bundle_encode(base, room, packets, packets_length, sizes, count, limit, &stop) == written);
    DEMAND(same_name(naive_name(stop.reason), encoded) && stop.number == number && stop.offset == written);
    DEMAND(memcmp(base, expected, written) == 0);
    DEMAND(memcmp(base + written, untouched, room - written) == 0);
    free(block);
    free(packets_block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint32_t sizes[MOST_STEPS];
    size_t size_count = 0;

    if (size < HEAD || (size - HEAD) / STEP > MOST_STEPS)
        return 0;
    const size_t room = number_at(data) % (ROOM + 1);
    const size_t alignment = data[3] % BUNDLE_ALIGNMENT;
    const uint32_t limit = (uint32_t)data[4] << 8 | data[5];
    const size_t packets_length = number_at(data + 6) % (ROOM + 1);
    const uint8_t *steps = data + HEAD;
    const size_t count = (size - HEAD) / STEP;
    uint32_t *exact; /* no room behind the last one, so that a look too far is noticed */

    for (const uint8_t *step = steps; step < steps + count * STEP; step += STEP)
        if (step[0] % 4 != TAKE_BACK)
            sizes[size_count++] = (uint32_t)size_of_step(step);
    exact = malloc(size_count * sizeof(*exact));
    DEMAND(exact != NULL);
    if (size_count != 0)
        memcpy(exact, sizes, size_count * sizeof(*exact));
    check_writer(steps, count, room, alignment);
    check_bulk(exact, size_count, limit, room, alignment, packets_length);
    check_bulk(exact, size_count, BUNDLE_NO_LIMIT, room, alignment, packets_length);
    free(exact);
    return 0;
}
