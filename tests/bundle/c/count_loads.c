/* SPDX-License-Identifier: MIT
 *
 * Counts how often the codec loads each byte of a client's buffer, while another thread rewrites the sizes in it.
 *
 * The codec is compiled with -fsanitize=thread, which makes it call __tsan_read4() and its kin before each access to
 * memory; but it is linked with the functions below instead of the sanitizer, and its memcpy() and kin are the ones
 * below, too (count_loads.h). So nothing is sampled: every access is seen, with its address and length. Before a
 * load from the buffer goes on, the other thread rewrites every size, and then once more while the load happens:
 * whoever loads a size twice gets two different ones. A buffer that is written to must not be read at all.
 *
 * Prints what was counted and ends with status 0, or with status 1 and the first access that broke a rule.
 */
#include "bundle.h"
#include "count_loads.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum
{
    ROOM = 64 * 32,  /* bytes of the longest buffer: some 60 records of the smallest sizes */
    GUARD = 1 << 17, /* bytes around the buffer, more than the largest record: nobody may touch them */
    BUNDLES = 11,
    ENTRIES = BUNDLES * BUNDLE_MAX_PACKETS,
    ROUNDS = 160
};

/* One memory: guard, buffer, guard. The buffer moves within the middle, so that it has every alignment. */
static unsigned char memory[GUARD + ROOM + BUNDLE_ALIGNMENT + GUARD];
static unsigned char *buffer;
static size_t length;

enum work
{
    NOT_COUNTING,
    DECODING,
    DECODING_STRICTLY,
    ENCODING
};

/* What the codec did since the counting began. */
static struct
{
    enum work doing;
    size_t loads;                    /* of sizes */
    unsigned char size_loaded[ROOM]; /* whether there was one at this offset */
    unsigned char reads[ROOM];       /* of each byte */
} seen;

static uint64_t index_offsets[ENTRIES];
static uint32_t index_sizes[ENTRIES];
static struct bundle_stop index_stops[BUNDLES];

/* Of the whole run, for whoever reads the output. */
static size_t calls, size_loads, changed, bytes_written;

static _Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

static _Noreturn void fail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    fflush(stdout);
    _Exit(1);
}

/* ---- The client: rewrites the sizes when asked, answers, and rewrites them again ----------------------------------
 */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turned = PTHREAD_COND_INITIALIZER;
static enum
{
    IDLE,
    ASKED,
    ANSWERED,
    LEAVE
} turn = IDLE;

typedef uint32_t __attribute__((aligned(1), may_alias)) unaligned_uint32;

static uint32_t random_state = 1;

/* xorshift: any will do, as long as it is the same in each run. */
static uint32_t random_number(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

static void rewrite(uint32_t salt)
{
    static const uint32_t sizes[] = {0, 1, 15, 16, 17, 31, 32, 40, 48, 100, 61424, 61425, 0xFFFFFFF0, 0xFFFFFFFF};

    for (size_t offset = 0; offset + sizeof(uint32_t) <= length; offset += BUNDLE_ALIGNMENT)
    {
        const uint32_t choice = (salt + (uint32_t)offset * 2654435761U) >> 7;
        /* Mostly small ones, so that there are many records. */
        *(volatile unaligned_uint32 *)(buffer + offset) = sizes[choice % 32 < 28 ? choice % 10 : choice % 14];
    }
}

static void *client(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&mutex);
    for (;;)
    {
        while (turn == IDLE || turn == ANSWERED)
            pthread_cond_wait(&turned, &mutex);
        if (turn == LEAVE)
            break;
        const uint32_t salt = random_number();
        rewrite(salt);
        turn = ANSWERED;
        pthread_cond_signal(&turned);
        pthread_mutex_unlock(&mutex);
        rewrite(salt * 2246822519U + 1); /* while the codec goes on */
        pthread_mutex_lock(&mutex);
    }
    pthread_mutex_unlock(&mutex);
    return NULL;
}

static void let_the_client_rewrite(void)
{
    pthread_mutex_lock(&mutex);
    turn = ASKED;
    pthread_cond_signal(&turned);
    while (turn != ANSWERED)
        pthread_cond_wait(&turned, &mutex);
    pthread_mutex_unlock(&mutex);
}

/* ---- What the instrumented code calls ---------------------------------------------------------------------------- */

/* The four bytes at an offset; those of the guard behind the buffer are zero. */
static uint32_t size_at(size_t offset)
{
    return *(const volatile unaligned_uint32 *)(buffer + offset);
}

static void on_read(const void *address, size_t size)
{
    const uintptr_t first = (uintptr_t)address - (uintptr_t)buffer;

    if (seen.doing == NOT_COUNTING || (uintptr_t)address - (uintptr_t)memory >= sizeof(memory))
        return; /* its own variables, or what the caller gave it for the answer */
    if (first >= length || size > length - first)
        fail("%zu bytes were read at offset %td of a buffer of %zu", size, (const unsigned char *)address - buffer,
             length);
    if (seen.doing == ENCODING)
        fail("%zu bytes were read back at offset %zu", size, (size_t)first);
    for (size_t i = first; i < first + size; i++)
        if (seen.reads[i]++ != 0)
            fail("byte %zu was loaded twice", i);
    if (size == sizeof(uint32_t))
    {
        seen.size_loaded[first] = 1;
        seen.loads++;
        size_loads++;
    }
    else if (seen.doing != DECODING_STRICTLY || size != 1)
        fail("%zu bytes were read at offset %zu, which is no size", size, (size_t)first);
    const uint32_t before = size_at(first);
    let_the_client_rewrite();
    changed += size == sizeof(uint32_t) && before != size_at(first);
}

static void on_write(const void *address, size_t size)
{
    const uintptr_t first = (uintptr_t)address - (uintptr_t)buffer;

    if (seen.doing == NOT_COUNTING || (uintptr_t)address - (uintptr_t)memory >= sizeof(memory))
        return;
    if (seen.doing != ENCODING)
        fail("%zu bytes were written at offset %td", size, (const unsigned char *)address - buffer);
    if (first >= length || size > length - first)
        fail("%zu bytes were written at offset %td of a buffer of %zu", size, (const unsigned char *)address - buffer,
             length);
    bytes_written += size;
}

void *counted_memcpy(void *to, const void *from, size_t size)
{
    if (size == 0)
        return to;
    on_read(from, size);
    on_write(to, size);
    return memcpy(to, from, size);
}

void *counted_memmove(void *to, const void *from, size_t size)
{
    if (size == 0)
        return to;
    on_read(from, size);
    on_write(to, size);
    return memmove(to, from, size);
}

void *counted_memset(void *to, int value, size_t size)
{
    if (size == 0)
        return to;
    on_write(to, size);
    return memset(to, value, size);
}

#define ACCESS(name, size)                          \
    void __tsan_##name##read##size(void *address);  \
    void __tsan_##name##write##size(void *address); \
    void __tsan_##name##read##size(void *address)   \
    {                                               \
        on_read(address, size);                     \
    }                                               \
    void __tsan_##name##write##size(void *address)  \
    {                                               \
        on_write(address, size);                    \
    }
#define ACCESSES(name) ACCESS(name, 1) ACCESS(name, 2) ACCESS(name, 4) ACCESS(name, 8) ACCESS(name, 16)

ACCESSES()
ACCESSES(unaligned_)
ACCESSES(volatile_)
ACCESSES(unaligned_volatile_)

/* Newer clangs call these for copies that they make themselves. */
void *__tsan_memcpy(void *to, const void *from, size_t size);
void *__tsan_memmove(void *to, const void *from, size_t size);
void *__tsan_memset(void *to, int value, size_t size);

void *__tsan_memcpy(void *to, const void *from, size_t size)
{
    return counted_memcpy(to, from, size);
}

void *__tsan_memmove(void *to, const void *from, size_t size)
{
    return counted_memmove(to, from, size);
}

void *__tsan_memset(void *to, int value, size_t size)
{
    return counted_memset(to, value, size);
}

void __tsan_init(void);
void __tsan_func_entry(void *caller);
void __tsan_func_exit(void);
void __tsan_read_range(void *address, size_t size);
void __tsan_write_range(void *address, size_t size);

void __tsan_init(void)
{
}

void __tsan_func_entry(void *caller)
{
    (void)caller;
}

void __tsan_func_exit(void)
{
}

void __tsan_read_range(void *address, size_t size)
{
    on_read(address, size);
}

void __tsan_write_range(void *address, size_t size)
{
    on_write(address, size);
}

/* ---- The three ways to read a bundle ------------------------------------------------------------------------------
 */

static void begin(enum work doing)
{
    memset(&seen, 0, sizeof(seen));
    calls++;
    seen.doing = doing;
}

static void end(void)
{
    seen.doing = NOT_COUNTING;
}

static void expect_no_more_loads(const char *what)
{
    if (seen.loads != 0)
        fail("%s loaded %zu sizes more than it needed", what, seen.loads);
}

static size_t record_size(uint32_t packet_size)
{
    return BUNDLE_HEADER_SIZE + ((size_t)packet_size + BUNDLE_ALIGNMENT - 1) / BUNDLE_ALIGNMENT * BUNDLE_ALIGNMENT;
}

/* Whether a stop needs a look at the size of the record that was not taken. */
static int stops_at_a_size(enum bundle_reason reason, size_t left)
{
    return reason != BUNDLE_END && reason != BUNDLE_TOO_MANY && left >= BUNDLE_HEADER_SIZE;
}

/* Takes the load of the size at `offset` off the list of loads; there must have been one. */
static void account(size_t offset)
{
    if (offset + sizeof(uint32_t) > length || !seen.size_loaded[offset])
        fail("the size at %zu was not loaded", offset);
    seen.size_loaded[offset] = 0;
    seen.loads--;
}

static void walk(uint32_t limit)
{
    struct bundle_walker walker;
    struct bundle_record record;
    enum bundle_reason reason;

    bundle_walker_init(&walker, buffer, length, limit);
    do
    {
        const size_t offset = walker.offset;
        begin(DECODING);
        reason = bundle_next(&walker, &record);
        end();
        if (reason == BUNDLE_OK || stops_at_a_size(reason, length - offset))
            account(offset);
        expect_no_more_loads("bundle_next");
        if (reason == BUNDLE_OK && (record.size > BUNDLE_MAX_PACKET_SIZE || record.packet != buffer + offset + 16 ||
                                    walker.offset != offset + record_size(record.size) || walker.offset > length))
            fail("the record at %zu is not what its one size says", offset);
    } while (reason == BUNDLE_OK);
}

/* Accounts for the loads of one bundle that begins at `start`: a size for each record, and one for the stop. */
static void check_bundle(size_t start, size_t bundle_length, const uint64_t *offsets, const uint32_t *sizes,
                         const struct bundle_stop *stop)
{
    size_t offset = 0;

    for (uint32_t i = 0; i < stop->number; i++)
    {
        if (offsets[i] != start + offset + BUNDLE_HEADER_SIZE)
            fail("record %u is not where the one before it ends", i);
        account(start + offset);
        offset += record_size(sizes[i]);
    }
    if (offset != stop->offset || offset > bundle_length)
        fail("the sizes add up to %zu bytes, not %llu", offset, (unsigned long long)stop->offset);
    if (stops_at_a_size((enum bundle_reason)stop->reason, bundle_length - offset))
        account(start + offset);
}

static void decode(uint32_t limit, int strict)
{
    begin(strict ? DECODING_STRICTLY : DECODING);
    bundle_decode(buffer, length, limit, strict, index_offsets, index_sizes, index_stops);
    end();
    check_bundle(0, length, index_offsets, index_sizes, index_stops);
    expect_no_more_loads("bundle_decode");
}

/* With room for the most that so many bundles can hold, since then the codec may decode several in turns. */
static void decode_many(size_t count, int strict)
{
    uint64_t lengths[BUNDLES];
    size_t start = 0, packet = 0;

    for (size_t i = 0; i < count; i++)
        lengths[i] = length / count;
    lengths[count - 1] += length % count;
    begin(strict ? DECODING_STRICTLY : DECODING);
    bundle_decode_many(buffer, lengths, count, strict, index_offsets, index_sizes, ENTRIES, index_stops);
    end();
    start = 0;
    for (size_t i = 0; i < count; i++)
    {
        check_bundle(start, (size_t)lengths[i], index_offsets + packet, index_sizes + packet, &index_stops[i]);
        start += (size_t)lengths[i];
        packet += index_stops[i].number;
    }
    expect_no_more_loads("bundle_decode_many");
}

/* ---- The two ways to write one ------------------------------------------------------------------------------------
 */

static void write_bundle(void)
{
    static const unsigned char packets[4 * 128];
    static const uint32_t sizes[] = {0, 1, 16, 33, 100, 128, 0, 17};
    struct bundle_writer writer;
    struct bundle_stop stop;
    void *where;

    bundle_writer_init(&writer, buffer, length);
    for (size_t i = 0; i < 3 * BUNDLE_MAX_PACKETS; i++)
    {
        begin(ENCODING);
        bundle_reserve(&writer, random_number() % 50, &where);
        if (i % 3 == 0)
            bundle_take_back(&writer);
        end();
    }
    begin(ENCODING);
    bundle_encode(buffer, length, packets, sizeof(packets), sizes, sizeof(sizes) / sizeof(*sizes), BUNDLE_MAX_PACKETS,
                  &stop);
    end();
}

int main(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, client, NULL) != 0)
        fail("no thread could be made");
    for (size_t round = 0; round < ROUNDS; round++)
    {
        memset(memory, 0, sizeof(memory));
        buffer = memory + GUARD + round % BUNDLE_ALIGNMENT;
        length = round < 64 ? round : random_number() % (ROOM + 1);
        walk(round % 2 ? BUNDLE_NO_LIMIT : 5);
        for (int strict = 0; strict <= 1; strict++)
        {
            decode(BUNDLE_MAX_PACKETS, strict);
            decode(round % 7 == 0 ? 0 : 3, strict);
            decode_many(1 + round % BUNDLES, strict);
        }
        write_bundle();
    }
    pthread_mutex_lock(&mutex);
    turn = LEAVE;
    pthread_cond_signal(&turned);
    pthread_mutex_unlock(&mutex);
    pthread_join(thread, NULL);
    printf("%zu calls, %zu sizes loaded, %zu of them changed meanwhile, %zu bytes written\n", calls, size_loads,
           changed, bytes_written);
    return 0;
}
