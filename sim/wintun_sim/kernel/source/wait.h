/* Waiting for dispatcher objects (wait.c): what timers and other rooms need of it. */
#ifndef WINTUN_SIM_WAIT_H
#define WINTUN_SIM_WAIT_H

#include <ntddk.h>
#include <stdbool.h>

/* DISPATCHER_HEADER.Type, as Windows numbers them (KOBJECTS). */
enum dispatcher_type
{
    DISPATCHER_EVENT_NOTIFICATION = 0,
    DISPATCHER_EVENT_SYNCHRONIZATION = 1,
    DISPATCHER_MUTANT = 2,
    DISPATCHER_SEMAPHORE = 5,
    DISPATCHER_THREAD = 6,
    DISPATCHER_TIMER_NOTIFICATION = 8,
    DISPATCHER_TIMER_SYNCHRONIZATION = 9
};

void dispatcher_initialize(DISPATCHER_HEADER *header, enum dispatcher_type type, size_t size, LONG state);

/* Reports an object that was never initialised, or was overwritten; false then. */
bool dispatcher_check(const DISPATCHER_HEADER *header, const char *caller);

/* Sets SignalState and wakes whoever waits; returns the state before. No scheduling point. */
LONG dispatcher_signal(DISPATCHER_HEADER *header, LONG state);

#endif
