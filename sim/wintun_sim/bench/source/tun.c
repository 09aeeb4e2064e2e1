/* SPDX-License-Identifier: MIT */
#include "tun.h"

#include <errno.h>
#include <poll.h>
#include <sys/types.h>
#include <unistd.h>

enum
{
    PATIENCE = 1000, /* milliseconds until a packet counts as lost */
    LARGEST = 65536
};

/* Reads one packet; its size, or -1. A descriptor that does not block is asked first, since mostly it has something. */
static ssize_t read_packet(int from, unsigned char *buffer)
{
    for (;;)
    {
        const ssize_t size = read(from, buffer, LARGEST);
        if (size >= 0 || (errno != EAGAIN && errno != EINTR))
            return size;
        struct pollfd wanted = {.fd = from, .events = POLLIN};
        if (poll(&wanted, 1, PATIENCE) == 0)
            return -1;
    }
}

uint64_t tun_carry(int from, int to, const unsigned char *packet, size_t size, uint64_t burst, uint64_t bursts)
{
    unsigned char buffer[LARGEST];
    uint64_t arrived = 0;
    for (uint64_t round = 0; round < bursts; round++)
    {
        for (uint64_t count = 0; count < burst; count++)
            if (write(from, packet, size) != (ssize_t)size)
                return arrived;
        for (uint64_t count = 0; count < burst;)
        {
            const ssize_t got = read_packet(to, buffer);
            if (got < 0)
                return arrived;
            if ((size_t)got != size)
                continue;
            count++;
            arrived++;
        }
    }
    return arrived;
}
