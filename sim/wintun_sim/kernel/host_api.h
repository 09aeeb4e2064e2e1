/* SPDX-License-Identifier: MIT
 *
 * The host kernel's face: operations go in, events come out.
 *
 * One `struct host` is one machine with its drivers, adapters, file objects and memory. Names are numbers here: every
 * operation bears an `id` that the caller chose (not 0, not used before in this host), and what it brings into being is
 * called by that number afterwards: Load makes a driver, Initialize an adapter, Create a handle, Read a request.
 *
 * The caller decides what may be asked when (wintun_sim.lifecycle does). What the host cannot carry out at all it
 * answers with one HOST_EVENT_REFUSED and changes nothing.
 *
 * All functions may be called from any thread; one of them runs at a time in a process. Pointers that an operation
 * carries are read during the call only. What is between the two marks is also what cffi reads.
 */
#ifndef WINTUN_SIM_HOST_API_H
#define WINTUN_SIM_HOST_API_H

#include <stddef.h>
#include <stdint.h>

/* cffi: begin */

struct host;

enum host_operation_kind
{
    HOST_LOAD = 1,
    HOST_UNLOAD,
    HOST_INITIALIZE,
    HOST_RESTART,
    HOST_PAUSE,
    HOST_HALT,
    HOST_SHUTDOWN, /* value: NDIS_SHUTDOWN_ACTION */
    HOST_SURPRISE_REMOVE,
    HOST_SET_POWER,   /* value: any ULONG */
    HOST_OID,         /* value: enum host_oid_kind; oid, length, data; HOST_FLAG_DIRECT */
    HOST_SEND,        /* nbls, or packets */
    HOST_CANCEL_SEND, /* wide: the cancel id */
    HOST_CREATE,      /* value: enum host_account */
    HOST_CLEANUP,
    HOST_CLOSE,
    HOST_READ,  /* length */
    HOST_WRITE, /* data, rejected */
    HOST_CANCEL /* target: the read's id */
};

enum host_oid_kind
{
    HOST_OID_QUERY = 0,
    HOST_OID_SET,
    HOST_OID_STATISTICS,
    HOST_OID_METHOD
};

enum host_account
{
    HOST_SYSTEM = 0,
    HOST_ADMINISTRATOR,
    HOST_USER
};

enum host_flag
{
    HOST_FLAG_DIRECT = 1,      /* Oid: MiniportDirectOidRequest */
    HOST_FLAG_AT_DISPATCH = 2, /* Send, CancelSend, Read, Write, Cancel, direct Oid: called at DISPATCH_LEVEL */
    HOST_FLAG_SEND_AGAIN = 4,  /* Send: the protocol sends each NBL once more, from the completion handler in which it
                                  gets it back, but for one that is called from within such a send, and not once a halt
                                  or a shutdown has begun */
    HOST_FLAG_HOLD = 8,        /* Send, Write: what is received of it and may be kept, is kept as long as it can be */
    HOST_FLAG_KEEP = 16,       /* with HOST_FLAG_HOLD: until time passes or a halt comes, and not only to the end */
    HOST_FLAG_CANCEL = 32,     /* Oid: cancelled as soon as it pends; with HOST_FLAG_AT_DISPATCH, there */
    HOST_FLAG_SYNCHRONOUS = 64 /* Oid: MiniportSynchronousOidRequest, if there is one */
};

/* One NET_BUFFER: `length` bytes at `data`, over MDLs of at most `mdl_size` bytes (0: one MDL), the data beginning
 * `data_offset` bytes into the first one. `unmapped`: its memory cannot be mapped. */
struct host_nb
{
    const uint8_t *data;
    uint32_t length;
    uint32_t mdl_size;
    uint32_t data_offset;
    uint32_t unmapped;
};

struct host_nbl
{
    uint64_t cancel_id;
    const struct host_nb *nbs;
    uint32_t nb_count;
    uint32_t reserved;
};

/* Fields that a kind does not use are 0. */
struct host_operation
{
    uint32_t kind; /* enum host_operation_kind */
    uint32_t id;
    uint32_t driver;  /* Unload, Initialize */
    uint32_t adapter; /* what is done to an adapter, and Create */
    uint32_t handle;  /* Cleanup, Close, Read, Write */
    uint32_t target;
    uint32_t flags; /* enum host_flag */
    uint32_t value;
    uint64_t wide;
    uint32_t oid;
    uint32_t length;
    const uint8_t *data;
    uint64_t data_length;
    const char *path; /* Load: the image's file */
    const struct host_nbl *nbls;
    const uint8_t *packets;       /* Send instead of nbls: packet_count packets one after another, an NBL with one */
    const uint32_t *packet_sizes; /* NET_BUFFER each */
    const uint32_t *rejected;     /* Write: positions of packets that the stack gives back with NDIS_STATUS_FAILURE */
    uint32_t nbl_count;
    uint32_t packet_count;
    uint32_t rejected_count;
    uint32_t reserved;
};

enum host_event_kind
{
    HOST_EVENT_RETURNED = 1,  /* status */
    HOST_EVENT_OID_COMPLETED, /* status, information, needed, data */
    HOST_EVENT_IRP_COMPLETED, /* handle, status, information, data (reads) */
    HOST_EVENT_NBL_COMPLETED, /* index, count: NBLs index ... index + count - 1 of the Send came back with status, all
                                 by one operation; value: 1, they are sent again now; 0, that is all */
    HOST_EVENT_PACKET,        /* data: one packet that the stack received */
    HOST_EVENT_LINK,          /* adapter, value: 1 connected, 0 not */
    HOST_EVENT_PAUSE_COMPLETED,
    HOST_EVENT_RULE_BROKEN, /* rule; data: the message */
    HOST_EVENT_REFUSED,     /* data: the reason */
    HOST_EVENT_CRASHED,     /* data: signal, address and place; the host is unusable */
    HOST_EVENT_STUCK,       /* data: which actor waits for what, or ran out of steps; the host is unusable */
    HOST_EVENT_PRINTED      /* data: what the driver said with DbgPrint */
};

struct host_event
{
    uint32_t kind; /* enum host_event_kind */
    uint32_t operation;
    uint32_t adapter;
    uint32_t handle;
    uint32_t index;
    uint32_t count;
    uint32_t status;
    uint32_t value;
    uint32_t needed;
    uint32_t reserved;
    uint64_t information;
    uint64_t data; /* offset in host_bytes() */
    uint64_t data_length;
    const char *rule; /* lives as long as the process */
};

enum host_oracle
{
    HOST_ORACLE_FIRST = 0, /* the first of all options: nobody is preempted, nothing fails */
    HOST_ORACLE_RANDOM,    /* drawn from seed */
    HOST_ORACLE_REPLAY     /* choices, then the first */
};

struct host_options
{
    uint32_t ndis_major; /* the version that NdisGetVersion reports: 6 */
    uint32_t ndis_minor; /* 20, 30 or 80 */
    uint32_t oracle;     /* enum host_oracle */
    uint32_t choice_count;
    uint64_t seed;
    const uint32_t *choices;
    uint64_t arena_size; /* bytes; 0: the default */
    uint64_t step_limit; /* scheduling points in one call before it counts as endless; 0: the default */
};

enum host_result
{
    HOST_QUIET = 0,    /* everything ended; pending reads are no actors */
    HOST_BLOCKED,      /* an actor waits for what nobody will bring: HOST_EVENT_STUCK */
    HOST_CRASHED,      /* HOST_EVENT_CRASHED */
    HOST_EXHAUSTED,    /* the step limit was reached: HOST_EVENT_STUCK */
    HOST_OUT_OF_MEMORY /* the arena is used up: what happened since may be its doing, and not the driver's */
};

struct host_counters
{
    uint64_t nbls_owned;    /* lent to the adapter and not yet back */
    uint64_t reads_pending; /* on all file objects of the adapter's device */
    uint64_t handles;       /* file objects on the adapter's live device object */
    uint64_t allocations;   /* blocks that the adapter's driver holds */
};

struct host_memory
{
    uint64_t limit;   /* bytes of the arena */
    uint64_t clients; /* that requests not yet complete, and what is sent, take of them */
    uint64_t drivers; /* that drivers allocated */
};

/* What an adapter told NDIS of itself, at initialization and with the last link state. */
struct host_attributes
{
    uint64_t ndis_version;   /* that its driver registered for: major << 8 | minor */
    uint64_t driver_version; /* its driver's own: likewise */
    uint64_t flags;          /* NDIS_MINIPORT_ATTRIBUTES_* */
    uint64_t hang_seconds;   /* CheckForHangTimeInSeconds */
    uint64_t interface_type;
    uint64_t media_type;
    uint64_t physical_medium;
    uint64_t mtu;
    uint64_t lookahead;
    uint64_t largest_send_speed; /* bits per second, as all speeds */
    uint64_t send_speed;
    uint64_t largest_receive_speed;
    uint64_t receive_speed;
    uint64_t connect_state;
    uint64_t duplex_state;
    uint64_t mac_options;
    uint64_t mac_address_length; /* bytes */
    uint64_t negotiation;        /* AutoNegotiationFlags */
    uint64_t packet_filters;
    uint64_t access_type;
    uint64_t direction_type;
    uint64_t connection_type;
    uint64_t interface_kind; /* IfType */
    uint64_t connector_present;
    uint64_t statistics;
    uint64_t pause_functions;
    uint64_t power_revision;    /* of its NDIS_PM_CAPABILITIES; 0 where it gave none */
    uint64_t power_flags;       /* NDIS_PM_* and what else it says it can: all members but the next three, or-ed */
    uint64_t magic_packet_wake; /* NDIS_DEVICE_POWER_STATE; 0xFFFFFFFF where it gave no capabilities, as the next two */
    uint64_t pattern_wake;
    uint64_t link_change_wake;
    uint64_t link_duplex_state;
    uint64_t link_send_speed;
    uint64_t link_receive_speed;
    uint64_t link_pause_functions;
    uint64_t link_negotiation; /* AutoNegotiationFlags */
    uint64_t pool_tag;         /* of its pool of NBLs */
    uint64_t device_flags;     /* DO_*, of the device that clients open */
    uint64_t device_links;     /* symbolic links to it */
};

struct host_fault
{
    uint32_t kind;  /* enum host_fault_kind */
    uint32_t after; /* that many succeed first */
    uint32_t count; /* then that many fail; 0: none */
    uint32_t reserved;
};

enum host_fault_kind
{
    HOST_FAULT_POOL = 0,
    HOST_FAULT_MDL,
    HOST_FAULT_MAPPING,
    HOST_FAULT_NBL,
    HOST_FAULT_NBL_POOL,
    HOST_FAULT_DEVICE,
    HOST_FAULT_ATTRIBUTES,
    HOST_FAULT_REGISTER,
    HOST_FAULT_KINDS
};

/* An actor of a concurrent run: its operations are done one after another. */
struct host_actor
{
    const struct host_operation *operations;
    uint64_t count;
};

/* NULL, with a reason in error, when there is no memory or the options make no sense. */
struct host *host_create(const struct host_options *options, char *error, size_t error_size);
void host_destroy(struct host *host);

/* Carries out operations one at a time, each until nothing can go on, and stops at the first that does not end quietly;
 * `done`, where not NULL, is set to how many did. enum host_result. */
int host_perform(struct host *host, const struct host_operation *operations, size_t count, size_t *done);

/* The same, and after each operation `counters` at its place is what the adapter of that number in `adapters` owns, but
 * for `allocations`; all 0 where there is none. Both arrays have `count` elements. */
int host_perform_counting(struct host *host, const struct host_operation *operations, size_t count,
                          const uint32_t *adapters, struct host_counters *counters, size_t *done);

/* Lets virtual time pass: `least`, and then until no miniport owes NDIS anything, `most` at most (units of 100 ns); who
 * is late breaks a rule. Timers expire, and what they start runs. enum host_result. */
int host_pass_time(struct host *host, uint64_t least, uint64_t most);

/* Carries out the operations of all actors at once, as the oracle interleaves them. enum host_result. */
int host_run(struct host *host, const struct host_actor *actors, size_t count);

/* What happened since host_clear_events(), in order; valid until the next call. */
const struct host_event *host_events(struct host *host, size_t *count);
const uint8_t *host_bytes(struct host *host, size_t *length);
void host_clear_events(struct host *host);

/* Looks at all memory for what was written where it must not be: behind a block, or after it was freed. What is found
 * are events. Costs as much as there is memory in use; Halt and Unload do it themselves. */
void host_check(struct host *host);

/* 1, or 0 when there is no such adapter (before its Initialize succeeded, after its Halt). */
int host_counters(struct host *host, uint32_t adapter, struct host_counters *counters);

/* How much memory there is, and who has it. */
void host_memory(struct host *host, struct host_memory *memory);

/* What the adapter says of itself. 1, or 0 when there is no such adapter. */
int host_attributes(struct host *host, uint32_t adapter, struct host_attributes *attributes);

/* The OIDs that the adapter says it supports: how many, of which `limit` at most are written to `oids`. */
uint32_t host_oids(struct host *host, uint32_t adapter, uint32_t *oids, uint32_t limit);

/* Whether drivers can import a function of this name: 1 or 0. */
int host_exports(const char *name);

/* Arms or disarms one fault. 1, or 0 when the kind is unknown. */
int host_inject(struct host *host, const struct host_fault *fault);

/* Choices that the oracle made since host_clear_events(), for replay; valid until the next call. */
const uint32_t *host_choices(struct host *host, size_t *count);

/* A scheduling point that an actor has come to: it stands before what it is about to do. */
struct host_point
{
    uint32_t actor;
    uint32_t operation; /* on whose behalf; 0: the host's own work */
    uint32_t kind;      /* enum point_kind (actor.h); 0: the actor ends here, or begins */
    uint32_t irql;
    uint32_t events;   /* logged before it */
    uint32_t choices;  /* made before it */
    uint64_t runnable; /* bit i: actor i can go on */
    uint64_t place;    /* in the code of the image, as its debugging information counts */
    uint32_t image;    /* 1 + its number; 0: not in a driver's code */
    uint32_t object;   /* the lock that it is about, from 1; 0: no lock */
    const char *what;  /* what it is about to do: "acquire"; NULL at the actor's end */
    const char *handler;
    uint32_t locks[4]; /* that it holds, oldest first, as `object` numbers them; 0: no more */
    const char *families[4];
};

#define HOST_POINT_LOCKS 4

/* From here on every point of a run is recorded (1) or none (0); what was recorded before is forgotten. */
void host_watch(struct host *host, int on);

/* What was recorded; valid until the next call. The texts live as long as the process. */
const struct host_point *host_points(struct host *host, size_t *count);

/* A copy of the whole world between two operations, and back to it. One snapshot a host; taking one again replaces it.
 * 1, or 0 when there is none or the host is unusable. */
int host_snapshot(struct host *host);
int host_restore(struct host *host);

/* cffi: end */

#endif
