/* SPDX-License-Identifier: MIT
 *
 * The bundle format a second time, in C, from its description alone: what the fuzzer judges the codec by.
 *
 * It shares no code with the codec. All arithmetic is 64 bits wide and nothing is clever, so that it can be seen to be
 * right: padding is counted byte by byte, bytes are compared one by one.
 */
#ifndef NAIVE_H
#define NAIVE_H

#include <stddef.h>
#include <stdint.h>

enum
{
    NAIVE_ENTRIES = 8192 /* records that a naive bundle can note; an input has no more */
};

struct naive_bundle
{
    uint64_t packets[NAIVE_ENTRIES]; /* where each packet begins */
    uint32_t sizes[NAIVE_ENTRIES];
    uint64_t offset; /* of the record that was not taken */
    uint32_t number; /* of it */
    const char *reason;
};

/* Takes records from `bytes` until one cannot be taken; `strict` asks for zeros where the format has them. */
void naive_decode(struct naive_bundle *bundle, const uint8_t *bytes, uint64_t length, uint64_t limit, int strict);

/* Writes a record with this packet to `where`, which has room for 31 bytes more than the packet, and returns its bytes.
 */
uint64_t naive_record(uint8_t *where, const uint8_t *packet, uint32_t size);

/* The bytes that such a record takes. */
uint64_t naive_record_size(uint64_t packet_size);

/* The name that naive_decode gives to a reason of the codec. */
const char *naive_name(uint32_t reason);

/* Ends the process, so that the fuzzer keeps the input, and says what did not hold. */
#define DEMAND(what)                                  \
    do                                                \
    {                                                 \
        if (!(what))                                  \
            demand_failed(__FILE__, __LINE__, #what); \
    } while (0)

_Noreturn void demand_failed(const char *file, int line, const char *what);

/* Whether two names are the same text. */
int same_name(const char *one, const char *other);

#endif
