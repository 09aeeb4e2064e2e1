/* SPDX-License-Identifier: MIT
 *
 * What the codec is measured against: the least that anyone could do in its place. And the loops around both, so that
 * a measurement is one call from Python and the cost of that call vanishes.
 */
#ifndef BASELINE_H
#define BASELINE_H

#include "../../../../shared/bundle.h"

#include <stddef.h>
#include <stdint.h>

/* cffi: begin */

/* `count` bundles with packets of the same sizes, and the packets alone, one behind the other. Bundle i lies
 * i * bundle_stride bytes behind the first, and its packets likewise; a stride of 0 means the same one every time. */
struct baseline_work
{
    unsigned char *bundles;
    unsigned char *packets;
    const uint32_t *sizes;   /* packet_count sizes */
    uint64_t *offsets;       /* packet_count offsets, written to by decoding */
    uint32_t *decoded_sizes; /* packet_count sizes, written to by decoding */
    uint64_t packet_count;   /* in each bundle; at most BUNDLE_MAX_PACKETS */
    uint64_t bundle_length;  /* bytes */
    uint64_t packets_length; /* bytes */
    uint64_t bundle_stride;
    uint64_t packets_stride;
    uint64_t count;
};

/* Encodes each group of packets into its bundle with the function given (bundle_encode). Returns the bytes written. */
uint64_t baseline_encode(const struct baseline_work *work, void *bundle_encode);

/* Copies each packet with memcpy to where it lies in its bundle, and does nothing else. Returns the bytes copied. */
uint64_t baseline_copy_to_place(const struct baseline_work *work);

/* Copies each packet with memcpy to right behind the packet before it. Returns the bytes copied. */
uint64_t baseline_copy_packed(const struct baseline_work *work);

/* Decodes each bundle with the function given (bundle_decode). Returns the number of packets. */
uint64_t baseline_decode(const struct baseline_work *work, void *bundle_decode);

/* Walks each bundle from size to size up to its end, checks nothing, and notes offsets and sizes as decoding does.
 * Returns the number of packets. */
uint64_t baseline_walk(const struct baseline_work *work);

/* Copies all bundles to `target` with one memcpy. Returns the bytes copied. */
uint64_t baseline_copy_all(const struct baseline_work *work, void *target);

/* cffi: end */

#endif
