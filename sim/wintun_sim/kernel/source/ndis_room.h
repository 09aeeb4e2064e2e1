/* NDIS: loaded miniports, their adapters, the protocol binding above each, and the NET_BUFFER_LISTs that go both ways.
 *
 * What is refused because Windows would not do it in an adapter's state is the caller's affair (host_api.h). What the
 * driver must not do in that state is found here.
 */
#ifndef WINTUN_SIM_NDIS_ROOM_H
#define WINTUN_SIM_NDIS_ROOM_H

#include "host.h"
#include "operation.h"
#include "slab.h"

#include <ndis.h>

struct host_device;
struct oid_call;

/* learn.microsoft.com/windows-hardware/drivers/network/adapter-states-of-a-miniport-driver */
enum adapter_state
{
    ADAPTER_HALTED,
    ADAPTER_SHUTDOWN,
    ADAPTER_INITIALIZING,
    ADAPTER_PAUSED,
    ADAPTER_RESTARTING,
    ADAPTER_RUNNING,
    ADAPTER_PAUSING
};

/* A driver: its image, from the load until its unload handler has returned. Its address is its NDIS driver handle. */
struct miniport
{
    struct miniport *next; /* all that are loaded, newest first */
    uint32_t id;
    uint32_t unload_operation; /* waiting for the last file object to close; 0: nobody asked */
    struct image *image;
    DRIVER_OBJECT *object; /* a BLOCK_OTHER, with extension and names behind it */
    void *context;         /* MiniportDriverContext */
    bool registered;
    uint8_t revision;    /* of the characteristics */
    uint32_t own_majors; /* bit i: MajorFunction[i] was set before NDIS filled the table, for devices of its own */
    uint32_t adapters;
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS handlers;
};

/* An adapter, from before MiniportInitializeEx until MiniportHaltEx has returned. Its address is its NDIS handle. */
struct adapter
{
    struct adapter *next; /* all, newest first */
    uint32_t id;
    uint32_t index; /* NetLuidIndex: the smallest that no other adapter has */
    struct miniport *miniport;
    void *context; /* MiniportAdapterContext */
    enum adapter_state state;
    bool has_registration;
    bool has_general;
    bool removed;       /* surprise removal was told */
    bool ending;        /* NDIS has begun to halt it or to shut it down: nothing is sent any more */
    bool sending_again; /* the protocol is in a completion handler, sending what came back */
    bool restart_pending;
    bool pause_returned;  /* of the pause under way */
    bool pause_completed; /* NdisMPauseComplete was called for it */
    uint32_t pause_operation;
    uint32_t restart_operation;
    uint32_t attributes;     /* NDIS_MINIPORT_ATTRIBUTES_* */
    uint32_t nbls_owned;     /* lent by sends */
    uint64_t progress_at;    /* when the last of those came back, or the first was lent */
    uint64_t changes_at;     /* when the pause or restart under way began */
    bool overdue;            /* which was said of that pause or restart */
    bool hangs;              /* or of its sends */
    uint32_t nbls_out;       /* received and not yet given back to the driver */
    struct send_call *sends; /* calls of MiniportSendNetBufferLists under way */
    uint32_t send_count;     /* such calls so far */
    uint32_t indications_inside;
    NDIS_OID *oids; /* a copy of the SupportedOidList, or NULL; a BLOCK_HOST */
    uint32_t oid_count;
    NET_BUFFER_LIST *kept;   /* received, and kept by the stack until nothing else happens */
    uint32_t hold_operation; /* what is received on behalf of this operation is kept */
    bool keeps;              /* beyond the operation's end */
    struct host_attributes told;
    int8_t link;             /* -1: never indicated; else whether connected */
    struct oid_call *oid;    /* the request that is not complete yet */
    uint64_t first_serial;   /* of the arena, when its initialisation began */
    DEVICE_OBJECT *physical; /* BLOCK_DEVICEs, or NULL (ndis_pnp.c) */
    DEVICE_OBJECT *functional;
};

struct ndis_room
{
    uint32_t version; /* what NdisGetVersion gives: major << 16 | minor */
    struct miniport *miniports;
    struct adapter *adapters;
    struct slab sent_slab;    /* NBLs that the stack lends, each with its first NB and MDL */
    struct slab sent_nb_slab; /* further NBs of those */
    struct nbl_pool *pools;
    struct oid_call *oids;                       /* under way */
    struct image *finished[IMAGE_LIMIT + 1];     /* whose drivers are gone: to be unloaded when nothing runs */
    struct loaded_image loaded[IMAGE_LIMIT + 1]; /* whose Load is not carried out yet */
};

bool ndis_room_open(uint32_t major, uint32_t minor);

/* Miniports (ndis_miniport.c). Called by an actor but where it says otherwise. */

/* Calls DriverEntry; the image is loaded already. Returns what it returned; on failure nothing stays but the image. */
NTSTATUS miniport_load(uint32_t id, struct image *image);
struct miniport *miniport_find(uint32_t id);
/* Now, or when the last file object on one of its devices is closed. */
void miniport_unload(struct miniport *miniport, uint32_t operation);
/* To be called when a file object is gone: carries out an unload that waited for it. */
void miniport_file_closed(struct miniport *miniport);
bool miniport_has_files(const struct miniport *miniport);
/* Unloads the images of drivers that are gone. Outside of actors: while one runs, another may still be in there. */
void miniport_unload_finished(void);

static inline struct image *miniport_image(const struct miniport *miniport)
{
    return miniport->image;
}

static inline DRIVER_OBJECT *miniport_driver_object(const struct miniport *miniport)
{
    return miniport->object;
}

/* The miniport or the adapter whose handle a driver gave, or NULL after reporting `function`. */
struct miniport *miniport_of(NDIS_HANDLE handle, const char *function);
struct adapter *adapter_of(NDIS_HANDLE handle, const char *function);

/* Adapters (ndis_adapter.c). Each logs the events of `operation` and is called by an actor. */

void adapter_initialize(struct miniport *miniport, uint32_t operation);
void adapter_restart(struct adapter *adapter, uint32_t operation);
void adapter_pause(struct adapter *adapter, uint32_t operation);
void adapter_halt(struct adapter *adapter, uint32_t operation);
void adapter_shutdown(struct adapter *adapter, uint32_t operation, uint32_t action);
void adapter_surprise_remove(struct adapter *adapter, uint32_t operation);
struct adapter *adapter_find(uint32_t id);
const char *adapter_state_name(enum adapter_state state);

/* OID requests (ndis_oid.c) */

struct oid_question
{
    uint32_t operation;
    uint32_t kind; /* enum host_oid_kind */
    uint32_t oid;
    uint32_t length;
    const uint8_t *data;
    uint32_t data_length;
    bool direct;
    bool synchronous; /* with direct: MiniportSynchronousOidRequest, which may not pend */
    bool at_dispatch; /* the cancel handlers, and of the others direct ones, are called at DISPATCH_LEVEL */
    bool cancel;      /* NDIS cancels it as soon as it pends */
};

/* False when an earlier one is not complete. */
bool oid_ask(struct adapter *adapter, const struct oid_question *question);
/* Before a halt, by an actor: cancels what is pending, and waits until it is complete or late. */
void oid_end(struct adapter *adapter);
/* After it: what is pending still is nobody's any more. */
void oid_forget(struct adapter *adapter);

/* Sends (ndis_send.c) and receives (ndis_receive.c) */

/* False, with nothing sent, when there is no memory. */
bool send_packets(struct adapter *adapter, const struct host_operation *operation);
bool send_room_open(struct ndis_room *room);
void send_cancel(struct adapter *adapter, uint64_t cancel_id, bool at_dispatch);
/* Whether the stack keeps anything; the actor that gives it back. */
bool receive_has_kept(void);
void receive_return_kept(void *unused);
/* From now on, nothing beyond an operation's end. */
void receive_keep_no_longer(void);
/* What is still lent by, or out from, a halted adapter. */
void send_forget(struct adapter *adapter);
/* How many of the NBLs that are lent came with calls that have returned. */
uint32_t send_left_behind(const struct adapter *adapter);

/* The dispatch table and Plug and Play (ndis_pnp.c) */

/* What NDIS does when a request reaches it; it may be the adapter's end. */
typedef void pnp_action(struct adapter *adapter, uint32_t operation);

/* For NdisMRegisterMiniportDriver: every entry that the driver has not set is NDIS'. */
void dispatch_table_fill(struct miniport *miniport);
/* What the driver put there since, NULL when it is NDIS' routine still. */
DRIVER_DISPATCH *dispatch_hook(const struct miniport *miniport, uint8_t major);
/* What the driver put there at all, for devices of its own. */
DRIVER_DISPATCH *dispatch_of_driver(const struct miniport *miniport, uint8_t major);

/* Does what NDIS does when an IRP_MJ_PNP reaches it: by such a request, where the driver looks at them. Called by an
 * actor. On failure of IRP_MN_QUERY_REMOVE_DEVICE nothing was done. The adapter may be gone. */
NTSTATUS pnp_perform(struct adapter *adapter, uint8_t minor, pnp_action *action, uint32_t operation);
void pnp_delete_devices(struct adapter *adapter);

/* Time limits (ndis_time.c): what NDIS and Driver Verifier give a miniport in virtual time, and who is late. Each late
 * one is reported once, on behalf of the operation that it belongs to. Called outside of actors. */

#define NDIS_SEND_LIMIT   (30 * CLOCK_SECOND)
#define NDIS_HANG_LIMIT   (22 * CLOCK_SECOND)
#define NDIS_OID_LIMIT    (12 * CLOCK_SECOND)
#define NDIS_CHANGE_LIMIT (300 * CLOCK_SECOND) /* of a pause or a restart; NDIS' own limit is not documented */

void time_check(void);
void send_check_time(void);
void oid_check_time(void);

/* Whether a miniport owes NDIS something: sent NBLs, an OID request, the end of a pause or restart. */
bool time_owed(void);

/* Whether it owes one of the last two: what it must bring without anybody's help. */
bool time_changes(void);
bool oid_is_pending(void);

/* NBL pools (ndis_nbl.c) */

struct pool_nbl;
/* The live NBL of a driver's pool at this address, or NULL. */
struct pool_nbl *pool_nbl_of(NET_BUFFER_LIST *nbl);
bool pool_nbl_is_out(const struct pool_nbl *item);
void pool_nbl_set_out(struct pool_nbl *item, bool out);
/* Reports and frees what an image leaves behind; `where` says when. */
void pool_check_leaks(uint16_t image, const char *where);

/* Copies `length` bytes of a NET_BUFFER's data; false when it has fewer or they cannot be mapped. */
bool net_buffer_copy(const NET_BUFFER *nb, uint32_t length, uint8_t *to);

/* The one rule that all calls up from a miniport share: IRQL, the DISPATCH_LEVEL flag, no lock held. */
void check_call_up(const char *function, const char *irql_rule, bool says_dispatch);

extern const struct export ndis_exports[];

#endif
