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
#define copy_bytes  memcpy
#define move_bytes  memmove
#define fill_bytes  memset
#define OUT_OF_LINE __declspec(noinline)
typedef uint32_t __unaligned unaligned_uint32;
#else
#define copy_bytes  __builtin_memcpy
#define move_bytes  __builtin_memmove
#define fill_bytes  __builtin_memset
#define OUT_OF_LINE __attribute__((noinline))
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
    const uint32_t size = (uint32_t)packet_size;

    copy_bytes(where, &size, sizeof(size));
    fill_bytes(where + sizeof(size), 0, BUNDLE_HEADER_SIZE - sizeof(size));
}

void bundle_writer_init(struct bundle_writer *writer, void *base, size_t length)
{
    writer->base = base;
    writer->length = length;
    writer->written = 0;
    writer->previous = 0;
    writer->number = 0;
}

enum bundle_reason bundle_plan(struct bundle_writer *writer, size_t packet_size)
{
    if (packet_size > BUNDLE_MAX_PACKET_SIZE)
        return BUNDLE_OVER_LONG;
    if (writer->number >= BUNDLE_MAX_PACKETS)
        return BUNDLE_TOO_MANY;
    const size_t size = record_size(packet_size);
    if (size > writer->length - writer->written)
        return BUNDLE_NO_ROOM;
    writer->previous = writer->written;
    writer->written += size;
    writer->number++;
    return BUNDLE_OK;
}

/* The padding lies within the record's last 16 bytes, of which those that are not padding are written once more: by the
 * header where there is no packet, else by whoever copies the packet. Sixteen bytes are two instructions; a number of
 * bytes that is not known is a call. */
enum bundle_reason bundle_reserve(struct bundle_writer *writer, size_t packet_size, void **where)
{
    const enum bundle_reason reason = bundle_plan(writer, packet_size);

    if (reason != BUNDLE_OK)
        return reason;
    fill_bytes(writer->base + writer->written - BUNDLE_ALIGNMENT, 0, BUNDLE_ALIGNMENT);
    store_header(writer->base + writer->previous, packet_size);
    *where = writer->base + writer->previous + BUNDLE_HEADER_SIZE;
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

/* Looks at the record that begins at `header`, with `left` bytes up to the end of the buffer, at least one of them. */
static inline enum bundle_reason look(const unsigned char *header, size_t left, uint32_t *packet_size)
{
    if (left < BUNDLE_HEADER_SIZE)
        return BUNDLE_CUT_SHORT;
    *packet_size = load_size(header);
    if (*packet_size > BUNDLE_MAX_PACKET_SIZE)
        return BUNDLE_OVER_LONG;
    return record_size(*packet_size) > left ? BUNDLE_CUT_SHORT : BUNDLE_OK;
}

enum bundle_reason bundle_next(struct bundle_walker *walker, struct bundle_record *record)
{
    const size_t left = walker->length - walker->offset;
    uint32_t packet_size;

    if (left == 0)
        return BUNDLE_END;
    if (walker->number >= walker->limit)
        return BUNDLE_TOO_MANY;
    const unsigned char *header = walker->base + walker->offset;
    const enum bundle_reason reason = look(header, left, &packet_size);
    if (reason != BUNDLE_OK)
        return reason;
    record->packet = header + BUNDLE_HEADER_SIZE;
    record->offset = walker->offset;
    record->size = packet_size;
    record->number = walker->number;
    walker->offset += record_size(packet_size);
    walker->number++;
    return BUNDLE_OK;
}

static inline void set_stop(struct bundle_stop *stop, enum bundle_reason reason, size_t number, uint64_t offset)
{
    stop->offset = offset;
    stop->number = (uint32_t)number;
    stop->reason = (uint32_t)reason;
}

uint64_t bundle_measure(const uint32_t *sizes, size_t count, uint32_t limit, struct bundle_stop *stop)
{
    enum bundle_reason reason = BUNDLE_END;
    uint64_t length = 0;
    size_t number = 0;

    for (; number < count; number++)
    {
        if (number >= limit)
            reason = BUNDLE_TOO_MANY;
        else if (sizes[number] > BUNDLE_MAX_PACKET_SIZE)
            reason = BUNDLE_OVER_LONG;
        if (reason != BUNDLE_END)
            break;
        length += record_size(sizes[number]);
    }
    set_stop(stop, reason, number, length);
    return length;
}

/* Copies a packet. Most that are not full are short, and for those a call to memcpy costs as much as the copy: they go
 * in blocks, of which the last overlaps the one before it, so that no byte beyond the packet is touched. */
static inline void copy_packet(unsigned char *to, const unsigned char *from, size_t size)
{
    enum
    {
        BLOCK = 32,
        SHORT = 256
    };

    if (size < BLOCK || size > SHORT)
    {
        copy_bytes(to, from, size);
        return;
    }
    for (size_t i = 0; i < size - BLOCK; i += BLOCK)
        copy_bytes(to + i, from + i, BLOCK);
    copy_bytes(to + size - BLOCK, from + size - BLOCK, BLOCK);
}

size_t bundle_encode(void *base, size_t length, const void *packets, size_t packets_length, const uint32_t *sizes,
                     size_t count, uint32_t limit, struct bundle_stop *stop)
{
    enum bundle_reason reason = BUNDLE_END;
    unsigned char *record = base;
    const unsigned char *packet = packets;
    size_t room = length;
    size_t number = 0;

    for (; number < count; number++)
    {
        const size_t packet_size = sizes[number];
        const size_t size = record_size(packet_size);
        if (number >= limit)
            reason = BUNDLE_TOO_MANY;
        else if (packet_size > BUNDLE_MAX_PACKET_SIZE)
            reason = BUNDLE_OVER_LONG;
        else if (packet_size > packets_length)
            reason = BUNDLE_CUT_SHORT;
        else if (size > room)
            reason = BUNDLE_NO_ROOM;
        if (reason != BUNDLE_END)
            break;
        /* The last 16 bytes first: the packet, or the header of an empty one, then leave the padding of them. */
        fill_bytes(record + size - BUNDLE_ALIGNMENT, 0, BUNDLE_ALIGNMENT);
        store_header(record, packet_size);
        copy_packet(record + BUNDLE_HEADER_SIZE, packet, packet_size);
        record += size;
        room -= size;
        packet += packet_size;
        packets_length -= packet_size;
    }
    set_stop(stop, reason, number, length - room);
    return length - room;
}

/* Whether `count` bytes are all zero. */
static int all_zero(const unsigned char *bytes, size_t count)
{
    const volatile unsigned char *hostile = bytes;

    for (size_t i = 0; i < count; i++)
        if (hostile[i] != 0)
            return 0;
    return 1;
}

/* Out of line, so that decoding without it keeps all that it needs in registers. */
static OUT_OF_LINE int record_is_zeroed(const unsigned char *header, size_t packet_size)
{
    const unsigned char *padding = header + BUNDLE_HEADER_SIZE + packet_size;

    return all_zero(header + sizeof(uint32_t), BUNDLE_HEADER_SIZE - sizeof(uint32_t)) &&
           all_zero(padding, record_size(packet_size) - BUNDLE_HEADER_SIZE - packet_size);
}

/* Where decoding of a bundle has got to, and where its index goes. */
struct cursor
{
    const unsigned char *header; /* of the next record */
    size_t left;                 /* bytes from there to the bundle's end */
    uint64_t *offsets;
    uint32_t *sizes;
    uint32_t number; /* of the next record */
};

/* Takes one record; its offset counts from `base`. */
static inline enum bundle_reason take(struct cursor *cursor, const unsigned char *base, uint32_t limit, int strict)
{
    uint32_t packet_size;

    if (cursor->left == 0)
        return BUNDLE_END;
    if (cursor->number >= limit)
        return BUNDLE_TOO_MANY;
    const enum bundle_reason reason = look(cursor->header, cursor->left, &packet_size);
    if (reason != BUNDLE_OK)
        return reason;
    if (strict && !record_is_zeroed(cursor->header, packet_size))
        return BUNDLE_NOT_ZERO;
    cursor->offsets[cursor->number] = (uint64_t)(cursor->header - base) + BUNDLE_HEADER_SIZE;
    cursor->sizes[cursor->number] = packet_size;
    cursor->number++;
    /* Each load of a size waits for the one before it. A pointer of its own to the next header keeps the way between
     * two loads as short as it can be: nothing but the sum of pointer and size. */
    cursor->header += record_size(packet_size);
    cursor->left -= record_size(packet_size);
    return BUNDLE_OK;
}

static OUT_OF_LINE uint32_t decode_one(const unsigned char *base, const unsigned char *bundle, size_t length,
                                       uint32_t limit, int strict, uint64_t *offsets, uint32_t *sizes,
                                       struct bundle_stop *stop)
{
    struct cursor cursor = {.header = bundle, .left = length, .offsets = offsets, .sizes = sizes};
    enum bundle_reason reason;

    do
        reason = take(&cursor, base, limit, strict);
    while (reason == BUNDLE_OK);
    set_stop(stop, reason, cursor.number, length - cursor.left);
    return cursor.number;
}

uint32_t bundle_decode(const void *base, size_t length, uint32_t limit, int strict, uint64_t *offsets, uint32_t *sizes,
                       struct bundle_stop *stop)
{
    return decode_one(base, base, length, limit, strict, offsets, sizes, stop);
}

/* As many bundles as are decoded in turns: their loads do not wait for each other, so that memory answers several at a
 * time. The sizes of real traffic follow no pattern that a processor could fetch ahead of a single bundle. */
enum
{
    LANES = 8
};

/* Decodes LANES bundles that lie one behind the other in turns, one record of each. The index needs room for
 * BUNDLE_MAX_PACKETS of each; it ends up without gaps, and the number of its entries is returned. */
static OUT_OF_LINE size_t decode_lanes(const unsigned char *base, const unsigned char *bundle, const uint64_t *lengths,
                                       int strict, uint64_t *offsets, uint32_t *sizes, struct bundle_stop *stops)
{
    struct cursor cursors[LANES];
    enum bundle_reason reasons[LANES];
    size_t going = LANES;
    size_t total = 0;

    for (size_t lane = 0; lane < LANES; lane++)
    {
        const size_t place = lane * BUNDLE_MAX_PACKETS;
        cursors[lane] = (struct cursor){
            .header = bundle, .left = (size_t)lengths[lane], .offsets = offsets + place, .sizes = sizes + place};
        reasons[lane] = BUNDLE_OK;
        bundle += lengths[lane];
    }
    while (going != 0)
        for (size_t lane = 0; lane < LANES; lane++)
            if (reasons[lane] == BUNDLE_OK)
            {
                reasons[lane] = take(&cursors[lane], base, BUNDLE_MAX_PACKETS, strict);
                going -= reasons[lane] != BUNDLE_OK;
            }
    for (size_t lane = 0; lane < LANES; lane++)
    {
        const struct cursor *cursor = &cursors[lane];
        set_stop(&stops[lane], reasons[lane], cursor->number, lengths[lane] - cursor->left);
        if (cursor->offsets != offsets + total)
        {
            move_bytes(offsets + total, cursor->offsets, cursor->number * sizeof(*offsets));
            move_bytes(sizes + total, cursor->sizes, cursor->number * sizeof(*sizes));
        }
        total += cursor->number;
    }
    return total;
}

size_t bundle_decode_many(const void *base, const uint64_t *lengths, size_t count, int strict, uint64_t *offsets,
                          uint32_t *sizes, size_t capacity, struct bundle_stop *stops)
{
    const unsigned char *bundle = base;
    size_t total = 0;
    size_t i = 0;

    while (i < count)
    {
        const size_t left = capacity - total;
        size_t decoded = 1;
        if (count - i >= LANES && left >= (size_t)LANES * BUNDLE_MAX_PACKETS)
        {
            decoded = LANES;
            total += decode_lanes(base, bundle, lengths + i, strict, offsets + total, sizes + total, stops + i);
        }
        else
        {
            const uint32_t limit = left < BUNDLE_MAX_PACKETS ? (uint32_t)left : BUNDLE_MAX_PACKETS;
            total +=
                decode_one(base, bundle, (size_t)lengths[i], limit, strict, offsets + total, sizes + total, stops + i);
        }
        for (; decoded != 0; decoded--)
            bundle += lengths[i++];
    }
    return total;
}
