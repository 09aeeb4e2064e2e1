/* What instrumented images tell: each access to memory, just before it happens.
 *
 * Their code was compiled with -fsanitize=thread, which puts a call before every access to memory that others can reach
 * (instrument.c, instrument_atomic.c). Each is held against the map of what drivers may touch (shadow.h), and one that
 * is not right is reported (instrument_report.c). Atomic and volatile accesses are scheduling points too; plain ones
 * need not be, in a driver without data races: whoever looks for those observes all accesses.
 */
#ifndef WINTUN_SIM_INSTRUMENT_H
#define WINTUN_SIM_INSTRUMENT_H

#include <stddef.h>
#include <stdint.h>

enum access_flag
{
    ACCESS_WRITE = 1,
    ACCESS_ATOMIC = 2,
    ACCESS_VOLATILE = 4
};

struct access
{
    uintptr_t address;
    size_t size;     /* bytes */
    unsigned flags;  /* enum access_flag */
    uintptr_t place; /* in the driver's code, just behind the access */
};

/* Sees each access by the current actor but those to its own stack, just before it happens. Called by an actor. */
typedef void access_observer(const struct access *access);

struct instrument
{
    uint64_t accesses;         /* since the host was opened */
    uint64_t steps;            /* of the scheduler, when it was last looked at */
    uint64_t since;            /* `accesses` when these steps were first seen */
    access_observer *observer; /* NULL: nobody */
    uintptr_t clients;         /* the range in which the memory of clients' writes lies that is watched */
    size_t clients_size;
};

/* For the call-outs: checks one access, and reports it when it is not right. `place` is their return address. */
void instrument_access(const volatile void *address, size_t size, unsigned flags, const void *place);

/* For what the host kernel does to a driver's memory at its request, memcpy and its kin: the same, whatever the image;
 * nothing while no map is kept. */
void instrument_range(const volatile void *address, size_t size, unsigned flags, const void *place);

/* Reports an access to the arena that shadow_allows refuses. Returns only if the run can go on after it. */
void instrument_report(const struct access *access);

/* Reports `rule`: "<place> reads 4 bytes<where>"; and <where>: ", 12 bytes into", " just behind the end of", … */
void instrument_tell(const struct access *access, const char *rule, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
const char *instrument_position(intptr_t offset, size_t size, char *text, size_t text_size);

/* The driver reads in that range. May be a scheduling point. */
void client_read(const struct access *access);

/* Sets the range anew. */
void instrument_watch_clients(void);

/* Likewise for one to a stack, when nobody's frame is there, or to the host kernel's own state. */
void instrument_report_stack(const struct access *access);
void instrument_report_system(const struct access *access);

#endif
