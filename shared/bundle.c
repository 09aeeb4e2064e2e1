/* SPDX-License-Identifier: MIT
 *
 * The bundle codec. bundle.h says what each function promises; here is how.
 *
 * Plain code on purpose: memory that a hostile process changes meanwhile is read by one function (load_size), once per
 * record, and nothing is guessed about what comes next.
 */
#include "bundle.h"

#if defined(_MSC_VER) && !defined(__clang__)
#include <string.h>
#define copy_bytes memcpy
#define fill_bytes memset
typedef uint32_t __unaligned unaligned_uint32;
#else
#define copy_bytes __builtin_memcpy
#define fill_bytes __builtin_memset
typedef uint32_t __attribute__((aligned(1), may_alias)) unaligned_uint32;
#endif

_Static_assert(BUNDLE_MAX_RECORD_SIZE == 0xF000, "the largest record is fifteen pages");
_Static_assert(BUNDLE_MAX_PACKET_SIZE == BUNDLE_MAX_RECORD_SIZE - BUNDLE_HEADER_SIZE, "the largest record is full");
_Static_assert(BUNDLE_MAX_BUFFER_SIZE == BUNDLE_MAX_PACKETS * BUNDLE_MAX_RECORD_SIZE, "any bundle fits");
_Static_assert(BUNDLE_MIN_READ_SIZE == BUNDLE_MAX_RECORD_SIZE, "a read takes any packet");
_Static_assert(BUNDLE_MIN_WRITE_SIZE == BUNDLE_HEADER_SIZE, "a write holds a record");

/* The size of a record, header and padding included. The packet's size was checked: this cannot overflow. */
static inline size_t record_size(size_t packet_size)
{
    return (packet_size + BUNDLE_HEADER_SIZE + BUNDLE_ALIGNMENT - 1) & ~(size_t)(BUNDLE_ALIGNMENT - 1);
}

/* The one load of a size. `volatile` forbids the compiler to load it again, and type and attribute allow any address.
 */
static inline uint32_t load_size(const unsigned char *where)
{
    return *(const volatile unaligned_uint32 *)where;
}

static inline void store_header(unsigned char *where, size_t packet_size)
{
    const uint32_t header[BUNDLE_HEADER_SIZE / sizeof(uint32_t)] = {(uint32_t)packet_size};

    copy_bytes(where, header, sizeof(header));
}

void bundle_writer_init(struct bundle_writer *writer, void *base, size_t length)
{
    writer->base = base;
    writer->length = length;
    writer->written = 0;
    writer->previous = 0;
    writer->number = 0;
}

enum bundle_reason bundle_reserve(struct bundle_writer *writer, size_t packet_size, void **where)
{
    if (packet_size > BUNDLE_MAX_PACKET_SIZE)
        return BUNDLE_OVER_LONG;
    if (writer->number >= BUNDLE_MAX_PACKETS)
        return BUNDLE_TOO_MANY;
    const size_t size = record_size(packet_size);
    if (size > writer->length - writer->written)
        return BUNDLE_NO_ROOM;
    unsigned char *record = writer->base + writer->written;
    unsigned char *packet = record + BUNDLE_HEADER_SIZE;
    store_header(record, packet_size);
    fill_bytes(packet + packet_size, 0, size - BUNDLE_HEADER_SIZE - packet_size);
    writer->previous = writer->written;
    writer->written += size;
    writer->number++;
    *where = packet;
    return BUNDLE_OK;
}

void bundle_take_back(struct bundle_writer *writer)
{
    if (writer->previous == writer->written)
        return;
    writer->written = writer->previous;
    writer->number--;
}

size_t bundle_written(const struct bundle_writer *writer)
{
    return writer->written;
}

void bundle_walker_init(struct bundle_walker *walker, const void *base, size_t length, uint32_t limit)
{
    walker->base = base;
    walker->length = length;
    walker->offset = 0;
    walker->number = 0;
    walker->limit = limit;
}

enum bundle_reason bundle_next(struct bundle_walker *walker, struct bundle_record *record)
{
    const size_t left = walker->length - walker->offset;

    if (left == 0)
        return BUNDLE_END;
    if (walker->number >= walker->limit)
        return BUNDLE_TOO_MANY;
    if (left < BUNDLE_HEADER_SIZE)
        return BUNDLE_CUT_SHORT;
    const unsigned char *header = walker->base + walker->offset;
    const uint32_t packet_size = load_size(header);
    if (packet_size > BUNDLE_MAX_PACKET_SIZE)
        return BUNDLE_OVER_LONG;
    const size_t size = record_size(packet_size);
    if (size > left)
        return BUNDLE_CUT_SHORT;
    record->packet = header + BUNDLE_HEADER_SIZE;
    record->offset = walker->offset;
    record->size = packet_size;
    record->number = walker->number;
    walker->offset += size;
    walker->number++;
    return BUNDLE_OK;
}
