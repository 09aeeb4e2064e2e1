/* SPDX-License-Identifier: MIT
 *
 * What the codec is measured against; baseline.h says what each function is. The codec's own functions are called
 * through pointers to the ones in the installed extension, so that what is measured is what is used.
 */
#include "baseline.h"

#include <string.h>

typedef size_t encode_function(void *, size_t, const void *, size_t, const uint32_t *, size_t, uint32_t,
                               struct bundle_stop *);
typedef uint32_t decode_function(const void *, size_t, uint32_t, int, uint64_t *, uint32_t *, struct bundle_stop *);

/* C has no cast from an object's pointer to a function's; every system that Python runs on lets memory do it. */
union function
{
    void *address;
    encode_function *encode;
    decode_function *decode;
};

static inline size_t in_bundle(uint32_t size)
{
    return ((size_t)size + BUNDLE_HEADER_SIZE + BUNDLE_ALIGNMENT - 1) & ~(size_t)(BUNDLE_ALIGNMENT - 1);
}

uint64_t baseline_encode(const struct baseline_work *work, void *bundle_encode)
{
    const union function function = {.address = bundle_encode};
    struct bundle_stop stop;
    uint64_t written = 0;

    for (uint64_t i = 0; i < work->count; i++)
        written += function.encode(work->bundles + i * work->bundle_stride, work->bundle_length,
                                   work->packets + i * work->packets_stride, work->packets_length, work->sizes,
                                   work->packet_count, BUNDLE_MAX_PACKETS, &stop);
    return written;
}

uint64_t baseline_copy_to_place(const struct baseline_work *work)
{
    uint64_t copied = 0;

    for (uint64_t i = 0; i < work->count; i++)
    {
        unsigned char *to = work->bundles + i * work->bundle_stride + BUNDLE_HEADER_SIZE;
        const unsigned char *from = work->packets + i * work->packets_stride;
        for (uint64_t j = 0; j < work->packet_count; j++)
        {
            memcpy(to, from, work->sizes[j]);
            to += in_bundle(work->sizes[j]);
            from += work->sizes[j];
        }
        copied += work->packets_length;
    }
    return copied;
}

uint64_t baseline_copy_packed(const struct baseline_work *work)
{
    uint64_t copied = 0;

    for (uint64_t i = 0; i < work->count; i++)
    {
        unsigned char *to = work->bundles + i * work->bundle_stride;
        const unsigned char *from = work->packets + i * work->packets_stride;
        for (uint64_t j = 0; j < work->packet_count; j++)
        {
            memcpy(to, from, work->sizes[j]);
            to += work->sizes[j];
            from += work->sizes[j];
        }
        copied += work->packets_length;
    }
    return copied;
}

uint64_t baseline_decode(const struct baseline_work *work, void *bundle_decode)
{
    const union function function = {.address = bundle_decode};
    struct bundle_stop stop;
    uint64_t packets = 0;

    for (uint64_t i = 0; i < work->count; i++)
        packets += function.decode(work->bundles + i * work->bundle_stride, work->bundle_length, BUNDLE_MAX_PACKETS, 0,
                                   work->offsets, work->decoded_sizes, &stop);
    return packets;
}

uint64_t baseline_walk(const struct baseline_work *work)
{
    uint64_t packets = 0;

    for (uint64_t i = 0; i < work->count; i++)
    {
        const unsigned char *bundle = work->bundles + i * work->bundle_stride;
        size_t offset = 0;
        size_t number = 0;
        while (offset < work->bundle_length)
        {
            uint32_t size;
            memcpy(&size, bundle + offset, sizeof(size));
            work->offsets[number] = offset + BUNDLE_HEADER_SIZE;
            work->decoded_sizes[number] = size;
            offset += in_bundle(size);
            number++;
        }
        packets += number;
    }
    return packets;
}

uint64_t baseline_copy_all(const struct baseline_work *work, void *target)
{
    memcpy(target, work->bundles, work->count * work->bundle_length);
    return work->count * work->bundle_length;
}
