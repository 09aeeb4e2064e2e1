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

/* `count` bundles or groups of packets, all alike, which are worked on in turn. */
struct baseline_bundles
{
    unsigned char *bundles;  /* count * bundle_length bytes: bundles one behind the other */
    unsigned char *packets;  /* count * packets_length bytes: the packets alone, one behind the other */
    uint64_t bundle_length;  /* bytes, a multiple of 16 */
    uint64_t packets_length; /* bytes */
    const uint32_t *sizes;   /* packet_count sizes, the same for each bundle */
    uint64_t packet_count;   /* in each bundle; at most 256 */
    uint64_t *decoded;       /* packet_count offsets, written to */
    uint32_t *decoded_sizes; /* packet_count sizes, written to */
    uint64_t count;
};

/* Encodes each group of packets into its bundle with the function given (bundle_encode). Returns the bytes written. */
uint64_t baseline_encode(const struct baseline_bundles *all, void *bundle_encode);

/* Copies each packet with memcpy to where it lies in its bundle, and does nothing else. Returns the bytes copied. */
uint64_t baseline_copy_to_place(const struct baseline_bundles *all);

/* Copies each packet with memcpy to right behind the packet before it. Returns the bytes copied. */
uint64_t baseline_copy_packed(const struct baseline_bundles *all);

/* Decodes each bundle with the function given (bundle_decode). Returns the number of packets. */
uint64_t baseline_decode(const struct baseline_bundles *all, void *bundle_decode);

/* Walks each bundle from size to size up to its end, checks nothing, and notes offsets and sizes as decoding does.
 * Returns the number of packets. */
uint64_t baseline_walk(const struct baseline_bundles *all);

/* Copies all bundles to `target` with one memcpy. Returns the bytes copied. */
uint64_t baseline_copy_all(const struct baseline_bundles *all, void *target);

/* cffi: end */

#endif
