/* SPDX-License-Identifier: MIT
 *
 * The bundle codec: packets to bundles and back.
 *
 * A read from, or a write to, the adapter carries a bundle: records one after another. A record is a header of 16 bytes
 * (the packet's size as 4 bytes in native byte order, then 12 bytes of zero), the packet, and zero padding up to a
 * multiple of 16, after every record, the last one too. FORMAT.md tells the whole story, with examples.
 *
 * This one header is declaration, documentation and, between the two marks, what cffi reads to build the Python
 * module; so that part holds plain declarations only. The code is freestanding C11: it allocates nothing, keeps no
 * state of its own, takes no lock, and needs memcpy, memmove and memset alone. Every function may be called at any IRQL
 * at which the memory given to it may be touched, and from any number of processors at once with arguments of their
 * own.
 *
 * Three users, three parts:
 *   - the writer fills a client's read buffer packet by packet (the driver's reads);
 *   - the walker goes through a client's write buffer record by record (the driver's writes);
 *   - the bulk functions encode and decode whole bundles, and many of them in one call (Python).
 *
 * Nothing here fails without saying why: each function gives a reason, and with it the number of the record (the first
 * is 0) and the offset in bytes at which that record begins, or would have begun.
 */
#ifndef BUNDLE_H
#define BUNDLE_H

#include <stddef.h>
#include <stdint.h>

/* cffi: begin */

#define BUNDLE_ALIGNMENT       16       /* every record begins and ends at a multiple of this from the bundle's start */
#define BUNDLE_HEADER_SIZE     16       /* size (4 bytes) and reserved (12 bytes of zero) */
#define BUNDLE_MAX_PACKETS     256      /* packets in a bundle */
#define BUNDLE_MAX_PACKET_SIZE 61424    /* 0xF000 - 16 */
#define BUNDLE_MAX_RECORD_SIZE 61440    /* 0xF000: header and largest packet, which needs no padding */
#define BUNDLE_MAX_BUFFER_SIZE 15728640 /* 256 largest records; the largest read or write */
#define BUNDLE_MIN_READ_SIZE   61440    /* the smallest read buffer: any packet fits into it */
#define BUNDLE_MIN_WRITE_SIZE  16       /* the smallest write: one empty record */
#define BUNDLE_NO_LIMIT        0xFFFFFFFF /* for a walker that takes as many records as the buffer holds */

/* What came of a step, or why the codec stopped. The numbers are part of the interface and stay. */
enum bundle_reason
{
    BUNDLE_OK = 0,        /* no stop: a record, or the room for one, was given */
    BUNDLE_END = 1,       /* nothing is left: the bundle ended behind a whole record, or all packets are encoded */
    BUNDLE_CUT_SHORT = 2, /* the header, the packet or its padding reaches beyond the end of the memory given */
    BUNDLE_OVER_LONG = 3, /* the packet is larger than BUNDLE_MAX_PACKET_SIZE */
    BUNDLE_TOO_MANY = 4,  /* one more than the limit of records */
    BUNDLE_NO_ROOM = 5,   /* the record does not fit into what is left of the buffer */
    BUNDLE_NOT_ZERO = 6   /* strict decoding only: a reserved or padding byte is not zero */
};

/* ---- The writer: a client's read buffer, filled one packet at a time --------------------------------------------
 *
 *     struct bundle_writer writer;
 *     void *where;
 *
 *     bundle_writer_init(&writer, base, length);
 *     while (there is a packet && bundle_reserve(&writer, size, &where) == BUNDLE_OK)
 *         if (!copy the packet to where)
 *             bundle_take_back(&writer);
 *     Information = bundle_written(&writer);
 *
 * The buffer may be mapped from a hostile process: the codec writes to it and never reads it back. It may have any
 * alignment and any length. Bytes behind bundle_written() have no meaning, and may have been written to.
 */
struct bundle_writer
{
    unsigned char *base;
    size_t length;   /* bytes at base */
    size_t written;  /* bytes of whole records; <= length and a multiple of 16 */
    size_t previous; /* `written` before the last reservation; equal to it where there is none to take back */
    uint32_t number; /* records reserved; <= BUNDLE_MAX_PACKETS */
};

/* `base` may be NULL where `length` is 0. */
void bundle_writer_init(struct bundle_writer *writer, void *base, size_t length);

/* Makes room for a packet of `packet_size` bytes (0 is allowed): writes the record's header and its padding, all
 * zero but for the size, and sets `*where` to where the packet's bytes go, of which the caller fills in every one.
 * BUNDLE_OK, or, with nothing changed, checked in this order: BUNDLE_OVER_LONG (no buffer would ever take that
 * packet), BUNDLE_TOO_MANY (the bundle has its 256), BUNDLE_NO_ROOM (it would fit into a larger buffer, or the next
 * one). */
enum bundle_reason bundle_reserve(struct bundle_writer *writer, size_t packet_size, void **where);

/* Does with `writer` what bundle_reserve() would, and with the buffer nothing: done to a copy of a writer, it tells how
 * many of the packets at hand there is room for. */
enum bundle_reason bundle_plan(struct bundle_writer *writer, size_t packet_size);

/* Takes back the last reservation, so that the next one gets its place and number. Does nothing where there is
 * none: before the first, and after one was taken back. */
void bundle_take_back(struct bundle_writer *writer);

/* Bytes of the bundle so far. */
size_t bundle_written(const struct bundle_writer *writer);

/* ---- The walker: a client's write buffer, one record at a time --------------------------------------------------
 *
 *     struct bundle_walker walker;
 *     struct bundle_record record;
 *
 *     bundle_walker_init(&walker, base, length, BUNDLE_NO_LIMIT);
 *     while (bundle_next(&walker, &record) == BUNDLE_OK)
 *         use record.packet, record.size;
 *     Information = walker.offset;
 *
 * The memory may be mapped from a hostile process that changes it during the walk. Each size is loaded exactly
 * once; no other byte is read, and none outside the buffer, whatever its length and alignment. What the record says
 * stays true for the record; what the packet's bytes say must be loaded once by whoever looks at them, too.
 * Reserved bytes and padding are not looked at, since real clients do not zero them; but the padding has to be
 * there.
 */
struct bundle_walker
{
    const unsigned char *base;
    size_t length;   /* bytes at base */
    size_t offset;   /* where the next record begins: the bytes consumed; <= length and a multiple of 16 */
    uint32_t number; /* of the next record: the records given so far; <= limit */
    uint32_t limit;  /* records that the caller takes */
};

struct bundle_record
{
    const unsigned char *packet; /* size bytes, inside the buffer */
    size_t offset;               /* of the record's header, from the buffer's start */
    uint32_t size;               /* of the packet in bytes; <= BUNDLE_MAX_PACKET_SIZE */
    uint32_t number;             /* 0 for the first */
};

/* `limit` is the number of records at which to stop with BUNDLE_TOO_MANY where the buffer goes on:
 * BUNDLE_MAX_PACKETS, or BUNDLE_NO_LIMIT to take all that there are. `base` may be NULL where `length` is 0. */
void bundle_walker_init(struct bundle_walker *walker, const void *base, size_t length, uint32_t limit);

/* Gives the next record: BUNDLE_OK. Or stops, with record untouched, and would stop again: checked in this order,
 * BUNDLE_END, BUNDLE_TOO_MANY, BUNDLE_CUT_SHORT (fewer than 16 bytes are left for the header), BUNDLE_OVER_LONG,
 * BUNDLE_CUT_SHORT (packet or padding reach beyond the end). walker.offset and walker.number say where. */
enum bundle_reason bundle_next(struct bundle_walker *walker, struct bundle_record *record);

/* ---- Whole bundles, and many in one call ------------------------------------------------------------------------
 *
 * Bundles one after another are records one after another. So many bundles are encoded as one with BUNDLE_NO_LIMIT: the
 * caller knows that each has BUNDLE_MAX_PACKETS packets but the last. Decoding needs to be told where each one ends,
 * since a damaged one must not swallow the next.
 */
struct bundle_stop
{
    uint64_t offset; /* where the record that was not taken begins, from the start of its bundle */
    uint32_t number; /* of that record, from 0: the records before it */
    uint32_t reason; /* enum bundle_reason, never BUNDLE_OK */
};

/* Returns the bytes that a bundle of packets of these sizes takes, which cannot overflow. The stop is BUNDLE_END, or
 * the first packet that no bundle could hold (BUNDLE_OVER_LONG) or that this one does not (BUNDLE_TOO_MANY: number
 * `limit`); then the bytes are those of the packets before. */
uint64_t bundle_measure(const uint32_t *sizes, size_t count, uint32_t limit, struct bundle_stop *stop);

/* Writes a bundle of `count` packets, which lie in `packets` one behind the other, with these sizes, and returns its
 * bytes. The two areas must not overlap. The stop is BUNDLE_END, or what forbade the next packet, checked in this
 * order: BUNDLE_TOO_MANY, BUNDLE_OVER_LONG, BUNDLE_CUT_SHORT (its size reaches beyond `packets_length`),
 * BUNDLE_NO_ROOM; then the bundle has the packets before. Nothing behind the bytes returned is written to. */
size_t bundle_encode(void *base, size_t length, const void *packets, size_t packets_length, const uint32_t *sizes,
                     size_t count, uint32_t limit, struct bundle_stop *stop);

/* Decodes one bundle: for every record the offset of its packet (not its header) from `base`, and the packet's size.
 * Returns their number. `limit` is also the number of entries that `offsets` and `sizes` have. It stops as the walker
 * does and reads memory as the walker does; with `strict` not 0 it reads reserved and padding bytes too, each once, and
 * stops with BUNDLE_NOT_ZERO before a record that has one that is not zero. */
uint32_t bundle_decode(const void *base, size_t length, uint32_t limit, int strict, uint64_t *offsets, uint32_t *sizes,
                       struct bundle_stop *stop);

/* Decodes `count` bundles that lie one behind the other, with these lengths, each as bundle_decode() would with
 * BUNDLE_MAX_PACKETS. The packets of all, as offsets from `base`, fill `offsets` and `sizes` without gaps; each bundle
 * gets its stop, whose `number` says how many of the packets are its own. Returns how many there are in all. `capacity`
 * is the number of entries that `offsets` and `sizes` have: BUNDLE_MAX_PACKETS for each bundle are always enough, and
 * so is one for each whole 16 bytes and one more. With fewer, a bundle may stop at the last entry with BUNDLE_TOO_MANY.
 */
size_t bundle_decode_many(const void *base, const uint64_t *lengths, size_t count, int strict, uint64_t *offsets,
                          uint32_t *sizes, size_t capacity, struct bundle_stop *stops);

/* cffi: end */

#endif
