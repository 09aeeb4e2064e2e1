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

uint64_t baseline_encode(const struct baseline_bundles *all, void *bundle_encode)
{
    const union function function = {.address = bundle_encode};
    struct bundle_stop stop;
    uint64_t written = 0;

    for (uint64_t i = 0; i < all->count; i++)
        written += function.encode(all->bundles + i * all->bundle_length, all->bundle_length,
                                   all->packets + i * all->packets_length, all->packets_length, all->sizes,
                                   all->packet_count, BUNDLE_MAX_PACKETS, &stop);
    return written;
}

uint64_t baseline_copy_to_place(const struct baseline_bundles *all)
{
    uint64_t copied = 0;

    for (uint64_t i = 0; i < all->count; i++)
    {
        unsigned char *to = all->bundles + i * all->bundle_length + BUNDLE_HEADER_SIZE;
        const unsigned char *from = all->packets + i * all->packets_length;
        for (uint64_t j = 0; j < all->packet_count; j++)
        {
            memcpy(to, from, all->sizes[j]);
            to += in_bundle(all->sizes[j]);
            from += all->sizes[j];
        }
        copied += all->packets_length;
    }
    return copied;
}

uint64_t baseline_copy_packed(const struct baseline_bundles *all)
{
    uint64_t copied = 0;

    for (uint64_t i = 0; i < all->count; i++)
    {
        unsigned char *to = all->bundles + i * all->bundle_length;
        const unsigned char *from = all->packets + i * all->packets_length;
        for (uint64_t j = 0; j < all->packet_count; j++)
        {
            memcpy(to, from, all->sizes[j]);
            to += all->sizes[j];
            from += all->sizes[j];
        }
        copied += all->packets_length;
    }
    return copied;
}

uint64_t baseline_decode(const struct baseline_bundles *all, void *bundle_decode)
{
    const union function function = {.address = bundle_decode};
    struct bundle_stop stop;
    uint64_t packets = 0;

    for (uint64_t i = 0; i < all->count; i++)
        packets += function.decode(all->bundles + i * all->bundle_length, all->bundle_length, BUNDLE_MAX_PACKETS, 0,
                                   all->decoded, all->decoded_sizes, &stop);
    return packets;
}

uint64_t baseline_walk(const struct baseline_bundles *all)
{
    uint64_t packets = 0;

    for (uint64_t i = 0; i < all->count; i++)
    {
        const unsigned char *bundle = all->bundles + i * all->bundle_length;
        size_t offset = 0;
        size_t number = 0;
        while (offset < all->bundle_length)
        {
            uint32_t size;
            memcpy(&size, bundle + offset, sizeof(size));
            all->decoded[number] = offset + BUNDLE_HEADER_SIZE;
            all->decoded_sizes[number] = size;
            offset += in_bundle(size);
            number++;
        }
        packets += number;
    }
    return packets;
}

uint64_t baseline_copy_all(const struct baseline_bundles *all, void *target)
{
    memcpy(target, all->bundles, all->count * all->bundle_length);
    return all->count * all->bundle_length;
}
