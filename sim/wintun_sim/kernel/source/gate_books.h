/* The books of the gate: one record for each name, that is for each operation's id, of what it brought into being, or
 * of what became of it. They lie in the arena, so a restore takes them back. What has happened is read from the log.
 */
#ifndef WINTUN_SIM_GATE_BOOKS_H
#define WINTUN_SIM_GATE_BOOKS_H

#include "gate.h"
#include "host.h"

#include <ndis.h>

enum phase /* of a driver or a handle */
{
    PHASE_NONE,
    PHASE_BEGINNING, /* being loaded, being opened */
    PHASE_OPEN,      /* loaded, open */
    PHASE_CLEANED,   /* a handle */
    PHASE_ENDING,    /* being closed, asked to unload */
    PHASE_ENDED,
    PHASE_NEVER
};

struct gate_name
{
    uint8_t kind;  /* enum host_operation_kind; 0: never heard of */
    uint8_t phase; /* enum phase, of Load and Create */
    bool under_way;
    bool half_paused; /* Pause: one of its return and its completion has come */
    bool opened;      /* Create: its request succeeded, and the call has not returned */
    bool exists;      /* Initialize: it succeeded, and no halt has returned */
    bool removed;     /* Initialize: a surprise removal was told */
    uint8_t state;    /* Initialize: enum host_state */
    uint8_t call;     /* of an operation on an adapter: enum host_call */
    bool sets_power;
    uint32_t owner;             /* Initialize: its driver; Create and operations: the adapter; requests: the handle */
    uint32_t power;             /* Initialize: of the adapter; SetPower: what it sets */
    uint32_t count;             /* Load: adapters; Initialize: NBLs lent to it; Create: requests; Send: NBLs out */
    uint32_t files;             /* Initialize: open file objects */
    uint32_t calls_of;          /* a call under way: 1 + `changes` of the adapter when it began; 0: none */
    uint32_t changes;           /* Initialize: how often all its calls were forgotten */
    uint16_t calls[HOST_CALLS]; /* Initialize: under way, of each kind */
};

struct gate
{
    struct host_gate_rules rules;
    struct host_gate_cell cells[HOST_CALLS][HOST_STATES];
    const char *overlaps[HOST_CALLS][HOST_CALLS];
    const char *reason;
    uint32_t observed; /* events of the log */
    uint64_t version;  /* of the books */
    uint64_t updated;  /* the version by which those who wait were judged */
    const struct host_operation *waiting[ACTOR_LIMIT];
    uint64_t refused;           /* bit i: actor i goes on to be refused */
    uint8_t met[HOST_MET_ROWS]; /* struct host_exploration: of this run */
    struct gate_name names[];
};

static inline struct gate *the_gate(void)
{
    return current_host->gate;
}

/* NULL for an id that was not announced. */
static inline struct gate_name *gate_name(uint32_t id)
{
    struct gate *gate = the_gate();
    return id == 0 || id > gate->rules.names ? NULL : &gate->names[id];
}

static inline void gate_meet(unsigned row, unsigned state)
{
    the_gate()->met[row] |= (uint8_t)(1u << state);
}

/* Takes note of an event; those that change nothing are ignored. */
void gate_observe(const struct host_event *event);

/* Takes note that the operation's call has returned. */
void gate_note_end(struct gate_name *mine);

#endif
