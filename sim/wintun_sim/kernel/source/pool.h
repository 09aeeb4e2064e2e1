/* Pool memory: what other rooms need of it (pool.c). */
#ifndef WINTUN_SIM_POOL_H
#define WINTUN_SIM_POOL_H

#include <stdint.h>

struct image;

/* How many blocks of any kind that the image's code allocated are live. */
uint32_t pool_count(const struct image *image);

/* Reports every block that the image's code allocated after the block `since` (0: all) and has not freed, summed up by
 * kind and tag, as one broken rule. `when` ends the sentence: "when the driver was unloaded". Returns how many there
 * were.
 */
uint32_t pool_report_leaks(const struct image *image, uint64_t since, const char *when);

/* The serial number of the newest block, for `since`. */
uint64_t pool_serial(void);

#endif
