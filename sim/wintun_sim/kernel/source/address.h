/* Images that were built with --sanitize address: their variables, those on the stack and global ones, stand apart from
 * each other, and the gaps are marked in a second map, one byte for each 8 of the whole address space
 * (github.com/google/sanitizers/wiki/AddressSanitizerAlgorithm). The code marks its stack itself; the marks of global
 * variables are made when an image is loaded. Each access is a call; what it may touch in the arena is known anyway
 * (shadow.h).
 */
#ifndef WINTUN_SIM_ADDRESS_H
#define WINTUN_SIM_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct access;
struct image;

/* Where the map begins; builder.py tells the compiler. */
#define ADDRESS_MAP UINT64_C(0x200000000000)

/* Marks the gaps between an image's global variables, which `table` (wintun_sim_globals in the image) lists. The first
 * call of a process makes the map. False, and one line in `error`, when the system has no room for it. */
bool address_image_loaded(const uint64_t *table, char *error, size_t error_size);

/* Takes all marks away: what lay there is gone. Does nothing before the first such image. */
void address_forget(const void *start, size_t size);

extern bool address_map_is_made; /* in this process, and for good */

/* Reports an access to a gap; the map must be made. For any address. */
void address_check(const struct access *access);

#endif
