/* Deferred work: work items and system threads run as actors at PASSIVE_LEVEL, DPCs as actors at DISPATCH_LEVEL, each
 * as soon as the oracle lets it; timers queue DPCs in virtual time (timer.c).
 */
#ifndef WINTUN_SIM_WORK_H
#define WINTUN_SIM_WORK_H

#include <stdbool.h>
#include <stdint.h>

struct image;
struct job;
struct timer_record;

struct work
{
    struct job *jobs;            /* queued or running, newest first */
    struct timer_record *timers; /* armed KTIMERs, newest first */
};

/* A routine of a driver that an actor is to run. */
struct job_request
{
    const char *handler; /* a literal: "a work item's routine" */
    uint8_t irql;
    struct image *image;
    uint32_t operation;
    void (*begin)(void *object);       /* called just before: the object may be queued again; may be NULL */
    void (*run)(struct job_request *); /* calls the routine, in the driver's context */
    void *object;                      /* the work item, DPC or timer */
    void *routine;
    void *arguments[3];
};

/* Starts an actor for it. False when there can be no more. Callable from anywhere. */
bool job_start(const struct job_request *request);

/* Takes back a job for `object` that has not begun; false when there is none. */
bool job_cancel(const void *object);

/* Whether a job for `object` is queued and has not begun. */
bool job_is_queued(const void *object);

/* Work items, DPCs, threads and armed timers of that image (NULL: of any): what must be none when it unloads. */
uint32_t work_pending(const struct image *image);

/* The image whose code is running, and the operation on whose behalf: what deferred work inherits. */
struct image *work_image(void);
uint32_t work_operation(void);

#endif
