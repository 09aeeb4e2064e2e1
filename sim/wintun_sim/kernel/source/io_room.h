/* The I/O manager: devices with their names, file objects, requests and the memory that clients lend to them.
 *
 * A driver sees DEVICE_OBJECT, FILE_OBJECT, IRP and MDL; what the I/O manager must remember beyond them, and beyond
 * their end, is in the structs here, which no driver is given an address of.
 *
 *   host_device   lives from NdisRegisterDeviceEx until it is deregistered and its last file object is closed
 *   host_file     lives from an IRP_MJ_CREATE until its IRP_MJ_CLOSE (a refused create: until that refusal)
 *   request       one IRP: lives until it is complete and the dispatch call has returned
 */
#ifndef WINTUN_SIM_IO_ROOM_H
#define WINTUN_SIM_IO_ROOM_H

#include "host.h"
#include "slab.h"

#include <wdm.h>

struct adapter;
struct miniport;
struct pnp_call;

struct host_device
{
    struct host_device *next; /* all that still exist, newest first */
    struct miniport *miniport;
    struct adapter *adapter; /* that registered it; NULL once deregistered, and for a device of the driver's own */
    uint32_t adapter_id;     /* its number, which stays */
    DEVICE_OBJECT *object;   /* a BLOCK_DEVICE */
    void *extension;         /* what NdisGetDeviceReservedExtension gives; a BLOCK_DEVICE, NULL when its size is 0 */
    void *device_extension;  /* as it was set: nobody may change it */
    DRIVER_DISPATCH *dispatch[IRP_MJ_MAXIMUM_FUNCTION + 1];
    uint32_t files;
    bool deregistered;
    bool by_driver_object; /* of IoCreateDevice: requests go where DRIVER_OBJECT.MajorFunction says then */
    uint8_t accounts;      /* who may open it (security.h) */
    uint16_t name_length;
    uint16_t link_length;
    WCHAR name[128]; /* in UTF-16 units, not terminated */
    WCHAR link[128];
};

struct host_file
{
    struct host_file *next; /* all that exist, newest first */
    uint32_t id;            /* 0: opened by IoGetDeviceObjectPointer, and nothing of it is told to the outside */
    uint32_t requests;      /* not yet complete */
    struct host_device *device;
    FILE_OBJECT *object;   /* a BLOCK_FILE */
    bool closed_by_driver; /* cleaned up, and to be closed when nothing refers to it any more */
};

/* A client's buffer. Those of reads are filled with 0xA5 whenever nobody uses them, so that only what was written to
 * must be filled again. */
struct client_buffer
{
    struct client_buffer *next; /* free ones of that size */
    uint32_t size;
    uint8_t *bytes;
    uint8_t *fetched; /* of a write, one bit for each byte that the driver has read; NULL: not watched */
    struct client_buffer *next_watched;
};

struct request
{
    struct request *next; /* in its bucket of io_room.requests */
    uint32_t id;
    uint32_t length;
    struct host_file *file; /* NULL: of IRP_MJ_PNP */
    struct pnp_call *pnp;   /* of IRP_MJ_PNP (ndis_pnp.c) */
    IRP *irp;
    MDL *mdl; /* of direct I/O */
    struct client_buffer *client;
    void *system_buffer; /* of buffered I/O */
    uint32_t *rejected;  /* Write: positions of packets that the stack refuses, in rising order */
    uint32_t rejected_count;
    uint32_t packets;  /* received so far on its behalf */
    uint32_t failures; /* io_room.failures when it was made */
    NTSTATUS status;
    uint8_t major;
    uint8_t holds;   /* not complete, dispatch call under way, cancel calls under way: one each */
    uint8_t cancels; /* cancel calls under way, which keep the IRP itself */
    bool complete;
    bool was_marked;  /* IoMarkIrpPending had been called when it completed */
    bool unmarked;    /* it was in a queue when the lock over that was released, and IoMarkIrpPending not yet called */
    bool at_dispatch; /* the dispatch call is made at DISPATCH_LEVEL */
};

enum
{
    REQUEST_BUCKETS = 256,
    CLIENT_SIZES = 8
};

struct object_room;

struct io_room
{
    struct object_room *objects;
    struct host_device *devices;
    struct host_file *files;
    struct request *requests[REQUEST_BUCKETS];
    struct slab request_slab;
    struct slab client_slab;
    struct slab mdl_slab;
    struct client_buffer *clean[CLIENT_SIZES]; /* free client buffers; each list of one size */
    struct client_buffer *watched;             /* of writes under way, while an instrumented image is loaded */
    uint32_t failures;                         /* times that a driver asked for packet data and did not get it */
};

bool io_room_open(void);

/* Devices (io_device.c) */

struct device_request
{
    struct miniport *miniport;
    struct adapter *adapter;
    const UNICODE_STRING *name; /* NULL: none */
    const UNICODE_STRING *link; /* NULL: none */
    const UNICODE_STRING *sddl; /* NULL: the default */
    DRIVER_DISPATCH **dispatch; /* NULL: what the driver object says at the time of each request */
    uint32_t extension_size;
};

/* IRQL = PASSIVE_LEVEL, by an actor. STATUS_SUCCESS, or why not, with nothing made. */
NTSTATUS device_register(const struct device_request *wanted, struct host_device **made);

/* The names go at once; the rest goes with the last file object. */
void device_deregister(struct host_device *device);

/* To be called when no driver refers to it any more (object.h). */
void device_unheld(struct host_device *device);

/* Names: at most 128 UTF-16 units, compared without regard to case. */
bool name_is_valid(const UNICODE_STRING *name);
bool name_is(const WCHAR *first, uint16_t first_length, const WCHAR *second, uint16_t second_length);
bool name_is_taken(const UNICODE_STRING *name);

struct host_device *device_of(const DEVICE_OBJECT *object);

/* The one that the adapter registered last and has not deregistered, NULL if there is none. */
struct host_device *device_of_adapter(const struct adapter *adapter);

/* The one that an adapter of this number registered last, deregistered or not: while a file object keeps it, it can
 * still be opened by whoever holds a reference to it (IoGetDeviceObjectPointer), though its name is gone. */
struct host_device *device_of_adapter_id(uint32_t id);

/* NULL when there is no memory. */
struct host_file *file_open(struct host_device *device, uint32_t id);
void file_close(struct host_file *file);

/* Over which the completions of its requests are handed to its IRP_MJ_CLOSE, which comes after all of them; while its
 * own address is that of its create's, for all that follows (happens.h). */
static inline const volatile void *file_for_close(const struct host_file *file)
{
    return (const volatile char *)file + 1;
}

struct host_file *file_find(uint32_t id);

/* Requests (io_irp.c). All of these are called by an actor. */

/* A request that is not dispatched yet, on memory of `length` bytes: `data`, or 0xA5. NULL when there is no memory. */
struct request *request_new(struct host_file *file, uint32_t id, uint8_t major, const uint8_t *data, uint32_t length);

/* Gives it to the driver and returns the status it was completed with, STATUS_PENDING if it was not: with `wait`, that
 * is waited for, as it is for all but reads and writes. The request may be gone then. */
NTSTATUS request_dispatch(struct request *request, bool wait);

/* IoCancelIrp; false when it is complete already. */
bool request_cancel(struct request *request, bool at_dispatch);

struct request *request_find(uint32_t id);

/* An IRP_MJ_PNP. NULL when there is no memory. */
struct request *request_new_pnp(DEVICE_OBJECT *device, uint8_t minor, struct pnp_call *call);

/* What request_dispatch does once the routine is found. */
NTSTATUS request_call(struct request *request, DRIVER_DISPATCH *dispatch, DEVICE_OBJECT *device, struct image *image,
                      bool wait);

/* The request of an IRP that is not complete, NULL if that is none. */
struct request *request_of(const IRP *irp);

/* How NDIS answers what the driver left to it. */
NTSTATUS request_default_status(uint8_t major);

/* To be called when the dispatch routine under way releases a spin lock: whoever takes the request out of a queue now
 * may complete it. */
void request_published(struct request *request);

/* To be called before `entry` is put into a list that others take from without a lock of the driver's. */
void request_check_interlocked(const void *entry, const char *caller);

/* What IoSetCancelRoutine is to drivers, an interlocked exchange. */
DRIVER_CANCEL *irp_exchange_cancel(IRP *irp, DRIVER_CANCEL *routine);

/* Completes it without the driver, as the I/O manager does with what it refuses itself. */
void request_refuse(struct request *request, NTSTATUS status);

/* Pending requests of one major function on the files of `adapter`'s device (NULL: on all). */
uint64_t request_count(const struct adapter *adapter, uint8_t major);

/* Client memory (io_client.c) */

struct client_buffer *client_take(uint32_t size);

/* Reports ClientBuffer with `check` when anything behind `valid` bytes was written to, and keeps the memory for the
 * next one. Without `check` anything may have been. */
void client_give_back(struct client_buffer *client, uint32_t valid, bool check);

/* Looks at all of the memory that no request uses. */
void client_check(void);

/* Makes sure that there are `count` free buffers of a size. Outside of actors. */
void client_prepare(uint32_t size, unsigned count);

/* The memory of the free buffers of 4 KiB or more, in rising order: `limit` at most. */
size_t client_unused(struct snapshot_hole *holes, size_t limit);

/* Whether all of their bytes are as they shall be. Costs as much as there are. */
bool client_is_clean(const struct snapshot_hole *holes, size_t count);

/* Cleans those of these buffers that are not free now, or all. */
void client_clean(const struct snapshot_hole *holes, size_t count, bool all);

/* For shadow_begin: that memory is no driver's. */
void client_forbid_unused(void);

/* What the driver reads of a write's memory is watched from here to there (io_fetch.c). */
void client_watch(struct client_buffer *client);
void client_unwatch(struct client_buffer *client);

/* MDLs (mdl.c) */

void mdl_slab_open(struct slab *slab);

/* `unmapped`: it cannot be mapped. NULL when there is no memory. */
MDL *mdl_new(void *address, uint32_t length, int16_t flags, bool unmapped);
void mdl_delete(MDL *mdl);
uint32_t mdl_count(uint16_t image);
void mdl_initialize(MDL *mdl, const void *address, uint32_t length, int16_t flags);

extern const struct export io_exports[];

#endif
