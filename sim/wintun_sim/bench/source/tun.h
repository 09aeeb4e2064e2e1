/* SPDX-License-Identifier: MIT
 *
 * What the driver is measured against: packets through a Linux TUN device, one system call for each end of each packet,
 * as there is no other way. In C, so that nothing but the system is measured.
 */
#ifndef TUN_H
#define TUN_H

#include <stddef.h>
#include <stdint.h>

/* cffi: begin */

/* Writes the packet of `size` bytes to the descriptor `from`, `burst` times, then reads as many from `to`, and all that
 * `bursts` times. Reads of another size are the system's own traffic and do not count. Returns how many arrived: fewer
 * than bursts * burst when a call failed (then errno says how), or when nothing came for a second. */
uint64_t tun_carry(int from, int to, const unsigned char *packet, size_t size, uint64_t burst, uint64_t bursts);

/* cffi: end */

#endif
