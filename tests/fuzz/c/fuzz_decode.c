/* SPDX-License-Identifier: MIT
 *
 * Fuzzes all that reads a bundle: the walker, bundle_decode and bundle_decode_many.
 *
 * An input is four bytes that say how to read, and then the bundle. The first is the alignment of the memory it lies
 * in, the next two the number of records to take, the last says into how many bundles to cut it. What each function
 * says has to be what a naive reader says; and has to stay what it is when every byte changes that is not part of a
 * size, since nothing else may be looked at.
 */
#include "bundle.h"
#include "naive.h"

#include <stdlib.h>
#include <string.h>

enum
{
    CONTROL = 4,
    MOST_BUNDLES = 20,
    LONGEST = 16 * NAIVE_ENTRIES /* bytes of a bundle that cannot have more records than a naive one notes */
};

static struct naive_bundle expected;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_stop(const struct bundle_stop *stop, const struct naive_bundle *naive)
{
    DEMAND(stop->number == naive->number);
    DEMAND(stop->offset == naive->offset);
    DEMAND(same_name(naive_name(stop->reason), naive->reason));
}

static void check_entries(const uint64_t *offsets, const uint32_t *sizes, const struct naive_bundle *naive,
                          uint64_t start)
{
    for (uint32_t i = 0; i < naive->number; i++)
    {
        DEMAND(offsets[i] == start + naive->packets[i]);
        DEMAND(sizes[i] == naive->sizes[i]);
    }
}

/* Walks as the driver does. */
static void check_walker(const uint8_t *memory, size_t length, uint32_t limit, const struct naive_bundle *naive)
{
    struct bundle_walker walker;
    struct bundle_record record;
    enum bundle_reason reason;
    uint32_t number = 0;

    bundle_walker_init(&walker, length == 0 ? NULL : memory, length, limit);
    while ((reason = bundle_next(&walker, &record)) == BUNDLE_OK)
    {
        DEMAND(number < naive->number);
        DEMAND(record.number == number);
        DEMAND(record.size == naive->sizes[number]);
        DEMAND(record.packet == memory + naive->packets[number]);
        DEMAND(record.offset + BUNDLE_HEADER_SIZE == naive->packets[number]);
        number++;
    }
    const struct bundle_stop stop = {walker.offset, walker.number, (uint32_t)reason};
    check_stop(&stop, naive);
    DEMAND(bundle_next(&walker, &record) == reason);
    DEMAND(walker.offset == stop.offset && walker.number == stop.number);
}

/* Decodes in bulk, into arrays that have exactly the entries that they must have. */
static void check_bulk(const uint8_t *memory, size_t length, uint32_t limit, int strict,
                       const struct naive_bundle *naive)
{
    const size_t whole = length / BUNDLE_HEADER_SIZE;
    const size_t capacity = whole < limit ? whole : limit;
    uint64_t *offsets = malloc(capacity * sizeof(*offsets));
    uint32_t *sizes = malloc(capacity * sizeof(*sizes));
    struct bundle_stop stop;

    DEMAND(bundle_decode(memory, length, limit, strict, offsets, sizes, &stop) == naive->number);
    check_stop(&stop, naive);
    check_entries(offsets, sizes, naive, 0);
    free(offsets);
    free(sizes);
}

/* Cuts the bundle into several and decodes them in one call; each has to come out as it would alone. The low bits of
 * `how` are the number of bundles, the highest two say whether to cut between blocks of 16 bytes, and whether the index
 * has the least or the most entries that it may need. */
static void check_many(const uint8_t *memory, size_t length, uint8_t how, int strict)
{
    const size_t count = (how & 0x3F) % (MOST_BUNDLES + 1);
    const size_t enough = length / BUNDLE_HEADER_SIZE + 1;
    const size_t most = count * BUNDLE_MAX_PACKETS;
    const size_t capacity = (how & 0x40) || enough > most ? most : enough;
    uint64_t *offsets = malloc(capacity * sizeof(*offsets));
    uint32_t *sizes = malloc(capacity * sizeof(*sizes));
    struct bundle_stop *stops = malloc(count * sizeof(*stops));
    uint64_t *lengths = malloc(count * sizeof(*lengths));
    size_t start = 0;
    size_t total = 0;

    for (size_t i = 0; i < count; i++)
    {
        const size_t place = i + 1 == count ? length : length * (i + 1) / count;
        const size_t end = (how & 0x80) || i + 1 == count ? place : place / BUNDLE_ALIGNMENT * BUNDLE_ALIGNMENT;
        lengths[i] = end - start;
        start = end;
    }
    const size_t packets = bundle_decode_many(memory, lengths, count, strict, offsets, sizes, capacity, stops);
    start = 0;
    for (size_t i = 0; i < count; i++)
    {
        naive_decode(&expected, memory + start, lengths[i], BUNDLE_MAX_PACKETS, strict);
        check_stop(&stops[i], &expected);
        check_entries(offsets + total, sizes + total, &expected, start);
        start += (size_t)lengths[i];
        total += expected.number;
    }
    DEMAND(packets == total);
    free(offsets);
    free(sizes);
    free(stops);
    free(lengths);
}

/* Turns over every byte that is not part of a size that the naive reader looked at. */
static void change_the_rest(uint8_t *memory, size_t length, const struct naive_bundle *naive)
{
    uint32_t number = 0;

    for (size_t i = 0; i < length; i++)
    {
        const uint64_t start = number < naive->number ? naive->packets[number] - 16 : naive->offset;
        if (i < start || i >= start + 4)
            memory[i] = (uint8_t)~memory[i];
        if (i == start + 3 && number < naive->number)
            number++;
    }
}

/* What was decoded and is encoded again is the same bundle, if that was a clean one. */
static void check_round_trip(const uint8_t *memory, size_t length, const struct naive_bundle *naive)
{
    uint8_t *again = malloc(length);
    struct bundle_writer writer;

    bundle_writer_init(&writer, again, length);
    for (uint32_t i = 0; i < naive->number; i++)
    {
        void *where;
        DEMAND(bundle_reserve(&writer, naive->sizes[i], &where) == BUNDLE_OK);
        if (naive->sizes[i] != 0)
            memcpy(where, memory + naive->packets[i], naive->sizes[i]);
    }
    DEMAND(bundle_written(&writer) == length);
    DEMAND(length == 0 || memcmp(again, memory, length) == 0);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < CONTROL || size - CONTROL > LONGEST)
        return 0;
    const size_t length = size - CONTROL;
    const size_t alignment = data[0] % BUNDLE_ALIGNMENT;
    const uint32_t limit = (uint32_t)data[1] << 8 | data[2];
    uint8_t *block = malloc(alignment + length); /* ends where the bundle ends, so that a byte too far is noticed */
    uint8_t *memory = block + alignment;

    if (length != 0)
        memcpy(memory, data + CONTROL, length);
    for (int strict = 0; strict <= 1; strict++)
    {
        check_many(memory, length, data[3], strict);
        naive_decode(&expected, memory, length, BUNDLE_MAX_PACKETS, strict);
        check_bulk(memory, length, BUNDLE_MAX_PACKETS, strict, &expected);
        if (strict && same_name(expected.reason, "END"))
            check_round_trip(memory, length, &expected);
        naive_decode(&expected, memory, length, limit, strict);
        check_bulk(memory, length, limit, strict, &expected);
    }
    naive_decode(&expected, memory, length, limit, 0);
    check_walker(memory, length, limit, &expected);
    naive_decode(&expected, memory, length, BUNDLE_NO_LIMIT, 0);
    check_walker(memory, length, BUNDLE_NO_LIMIT, &expected);
    change_the_rest(memory, length, &expected);
    check_walker(memory, length, BUNDLE_NO_LIMIT, &expected);
    check_bulk(memory, length, BUNDLE_NO_LIMIT, 0, &expected);
    free(block);
    return 0;
}
