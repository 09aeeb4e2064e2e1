/* Requests: an IRP is made, given to the driver, completed or cancelled, and what the driver said of it is held against
 * what it did. Rules: learn.microsoft.com/windows-hardware/drivers/devtest/irp-rule-set--wdm- and its neighbours.
 *
 * An IRP is freed, and so poisoned, the moment it is complete, even while the dispatch call that brought it is under
 * way: whoever looks at it then is caught. Only IoCancelIrp under way keeps it, as the I/O manager does.
 */
#include "io_room.h"

#include <string.h>

#include "depend.h"
#include "happens.h"
#include "ndis_room.h"
#include "object.h"
#include "rule_fast.h"

/* The IRP and its one stack location, as the driver sees them; ours is behind. */
struct host_irp
{
    IRP irp;
    IO_STACK_LOCATION stack[1];
    struct request *request;
};

static const char *major_name(uint8_t major)
{
    switch (major)
    {
    case IRP_MJ_CREATE:
        return "IRP_MJ_CREATE";
    case IRP_MJ_CLOSE:
        return "IRP_MJ_CLOSE";
    case IRP_MJ_READ:
        return "IRP_MJ_READ";
    case IRP_MJ_WRITE:
        return "IRP_MJ_WRITE";
    case IRP_MJ_CLEANUP:
        return "IRP_MJ_CLEANUP";
    case IRP_MJ_PNP:
        return "IRP_MJ_PNP";
    default:
        return "an IRP";
    }
}

static struct request **bucket_of(uint32_t id)
{
    return &current_host->io->requests[id % REQUEST_BUCKETS];
}

struct request *request_find(uint32_t id)
{
    struct request *request = *bucket_of(id);
    while (request != NULL && request->id != id)
        request = request->next;
    return request;
}

uint64_t request_count(const struct adapter *adapter, uint8_t major)
{
    uint64_t count = 0;
    for (size_t bucket = 0; bucket < REQUEST_BUCKETS; bucket++)
        for (const struct request *request = current_host->io->requests[bucket]; request != NULL;
             request = request->next)
            count += !request->complete && request->major == major &&
                     (adapter == NULL || request->file->device->adapter == adapter);
    return count;
}

static void irp_free(struct request *request)
{
    arena_free(BLOCK_IRP, request->irp, 0, "IoFreeIrp");
    request->irp = NULL;
}

/* Gives up one hold; the last one frees the request. */
static void request_release(struct request *request)
{
    if (--request->holds != 0)
        return;
    struct request **place = bucket_of(request->id);
    while (*place != request)
        place = &(*place)->next;
    *place = request->next;
    if (request->rejected != NULL)
        arena_free(BLOCK_HOST, request->rejected, 0, "NtWriteFile");
    slab_give(&current_host->io->request_slab, request);
}

/* How the device wants its data: through an MDL, a copy in nonpaged pool, or the client's own address
 * (learn.microsoft.com/windows-hardware/drivers/kernel/methods-for-accessing-data-buffers). False: no memory. */
static bool lend_buffer(struct request *request)
{
    IRP *irp = request->irp;
    const ULONG flags = request->file->device->object->Flags;
    if (request->client == NULL || request->length == 0)
        return true;
    if (flags & DO_BUFFERED_IO)
    {
        request->system_buffer = arena_allocate(BLOCK_CLIENT, request->length, 0, "IoBuildSynchronousFsdRequest");
        if (request->system_buffer == NULL)
            return false;
        memcpy(request->system_buffer, request->client->bytes, request->length);
        irp->AssociatedIrp.SystemBuffer = request->system_buffer;
        irp->Flags |= IRP_BUFFERED_IO | IRP_DEALLOCATE_BUFFER;
        if (request->major == IRP_MJ_READ)
            irp->Flags |= IRP_INPUT_OPERATION;
        irp->UserBuffer = request->client->bytes;
    }
    else if (flags & DO_DIRECT_IO)
    {
        const int16_t access = request->major == IRP_MJ_READ ? MDL_WRITE_OPERATION : 0;
        request->mdl = mdl_new(request->client->bytes, request->length, (int16_t)(MDL_PAGES_LOCKED | access), false);
        irp->MdlAddress = request->mdl;
        return request->mdl != NULL;
    }
    else
        irp->UserBuffer = request->client->bytes;
    return true;
}

static void fill_irp(struct host_irp *whole, struct request *request)
{
    static const ULONG operation_flags[] = {[IRP_MJ_CREATE] = IRP_CREATE_OPERATION,
                                            [IRP_MJ_CLOSE] = IRP_CLOSE_OPERATION,
                                            [IRP_MJ_READ] = IRP_READ_OPERATION,
                                            [IRP_MJ_WRITE] = IRP_WRITE_OPERATION};
    memset(whole, 0, sizeof *whole);
    whole->request = request;
    IRP *irp = &whole->irp;
    irp->Type = IO_TYPE_IRP;
    irp->Size = (USHORT)(sizeof(IRP) + sizeof(IO_STACK_LOCATION));
    irp->Flags =
        request->major < sizeof operation_flags / sizeof operation_flags[0] ? operation_flags[request->major] : 0;
    irp->RequestorMode = request->file->id == 0 ? KernelMode : UserMode;
    irp->StackCount = 1;
    irp->CurrentLocation = 1;
    irp->Tail.Overlay.CurrentStackLocation = whole->stack;
    irp->Tail.Overlay.OriginalFileObject = request->file->object;
    IO_STACK_LOCATION *stack = whole->stack;
    stack->MajorFunction = request->major;
    stack->DeviceObject = request->file->device->object;
    stack->FileObject = request->file->object;
    if (request->major == IRP_MJ_READ)
        stack->Parameters.Read.Length = request->length;
    else if (request->major == IRP_MJ_WRITE)
        stack->Parameters.Write.Length = request->length;
}

struct request *request_new(struct host_file *file, uint32_t id, uint8_t major, const uint8_t *data, uint32_t length)
{
    struct request *request = slab_take(&current_host->io->request_slab);
    if (request == NULL)
        return NULL;
    memset(request, 0, sizeof *request);
    request->id = id;
    request->file = file;
    request->major = major;
    request->length = length;
    request->holds = 1;
    request->failures = current_host->io->failures;
    const bool has_buffer = major == IRP_MJ_READ || major == IRP_MJ_WRITE;
    struct host_irp *whole = arena_allocate(BLOCK_IRP, sizeof *whole, 0, "IoAllocateIrp");
    request->irp = whole == NULL ? NULL : &whole->irp;
    request->client = has_buffer ? client_take(length) : NULL;
    bool good = whole != NULL && (!has_buffer || request->client != NULL);
    if (good)
    {
        fill_irp(whole, request);
        if (data != NULL && has_buffer)
            memcpy(request->client->bytes, data, length);
        if (major == IRP_MJ_WRITE)
            client_watch(request->client);
        good = lend_buffer(request);
    }
    if (!good)
    {
        if (request->client != NULL)
        {
            client_unwatch(request->client);
            client_give_back(request->client, 0, false);
        }
        if (request->irp != NULL)
            irp_free(request);
        slab_give(&current_host->io->request_slab, request);
        return NULL;
    }
    request->next = *bucket_of(id);
    *bucket_of(id) = request;
    file->requests++;
    return request;
}

/* Takes back what the client lent, after the data of a buffered read reached it. */
static void return_buffer(struct request *request, uint64_t information)
{
    const bool is_read = request->major == IRP_MJ_READ;
    if (request->client == NULL)
        return;
    const uint32_t valid = information < request->length ? (uint32_t)information : request->length;
    if (request->system_buffer != NULL)
    {
        if (is_read && !NT_ERROR(request->status))
            memcpy(request->client->bytes, request->system_buffer, valid);
        arena_free(BLOCK_CLIENT, request->system_buffer, 0, "IofCompleteRequest");
    }
    if (request->mdl != NULL)
        mdl_delete(request->mdl);
    client_unwatch(request->client);
    /* A driver that made room for a packet and then did not get its data leaves traces, which the client cannot mind.
     */
    client_give_back(request->client, valid, is_read && request->failures == current_host->io->failures);
    request->client = NULL;
}

static void log_completion(const struct request *request, uint64_t information)
{
    const uint32_t handle = request->file->id;
    depend(depend_name(request->id, DEPEND_BOOKS), DEPEND_WRITE);
    depend(depend_name(handle, DEPEND_BOOKS), DEPEND_READ);
    depend(depend_name(handle, DEPEND_COMPLETIONS), DEPEND_WRITE);
    /* An NBL comes back before the read with its last packet does: which was first must not be lost. */
    depend(depend_name(request->file->device->adapter_id, DEPEND_NBLS), DEPEND_READ);
    struct host_event *event = log_event(HOST_EVENT_IRP_COMPLETED, request->id);
    event->handle = request->file->id;
    event->status = (uint32_t)request->status;
    event->information = information;
    if (request->major != IRP_MJ_READ || request->client == NULL)
        return;
    const uint8_t *bytes = request->system_buffer != NULL ? request->system_buffer : request->client->bytes;
    log_data(event, bytes, information < request->length ? (size_t)information : request->length);
}

/* Tells the outside, and ends everything but the holds of calls under way. */
static void request_finish(struct request *request, NTSTATUS status, uint64_t information)
{
    request->complete = true;
    request->status = status;
    if (request->id != 0)
        log_completion(request, information);
    return_buffer(request, information);
    happens_release(request);
    depend(request, DEPEND_GIVE);
    depend(&current_host->io->failures, DEPEND_READ);
    if (request->file != NULL)
    {
        request->file->requests--;
        happens_release(file_for_close(request->file));
        client_closed(request->file);
    }
    if (request->cancels == 0)
        irp_free(request);
    actor_wake(request);
    request_release(request);
}

void request_refuse(struct request *request, NTSTATUS status)
{
    request_finish(request, status, 0);
}

static void check_completion(const struct request *request)
{
    const IRP *irp = request->irp;
    const char *name = major_name(request->major);
    if (irp->IoStatus.Status == STATUS_PENDING || irp->IoStatus.Status == (NTSTATUS)0xFFFFFFFF)
        rule_broken("DRIVER_VERIFIER_IOMANAGER_VIOLATION", "%s was completed with status 0x%08X (0x6)", name,
                    (unsigned)irp->IoStatus.Status);
    if (irp->CancelRoutine != NULL)
        rule_broken("IrpCancelField", "%s was completed while its cancel routine was still set", name);
    if (request->client != NULL && irp->IoStatus.Information > request->length)
        rule_broken("DRIVER_VERIFIER_IOMANAGER_VIOLATION", "%s of %u bytes was completed with Information %llu", name,
                    request->length, (unsigned long long)irp->IoStatus.Information);
    if (request->mdl != NULL && irp->MdlAddress != request->mdl)
        rule_broken("DRIVER_VERIFIER_IOMANAGER_VIOLATION", "%s was completed with another MdlAddress than it came with",
                    name);
}

struct request *request_of(const IRP *irp)
{
    if (arena_live_block(BLOCK_IRP, irp) == NULL)
        return NULL;
    struct request *request = ((const struct host_irp *)(const void *)irp)->request;
    return request->complete ? NULL : request;
}

/* IRQL <= DISPATCH_LEVEL, no spin lock held. */
VOID FASTCALL IofCompleteRequest(PIRP Irp, CCHAR PriorityBoost)
{
    (void)PriorityBoost;
    check_at_most_dispatch("IrqlIoDispatch", "IoCompleteRequest");
    check_no_spin_lock("SpinLockSafe", "IoCompleteRequest");
    schedule_point(POINT_SIGNAL, Irp);
    const struct block *block = arena_block_of(Irp);
    if (block == NULL || block->kind != BLOCK_IRP || block_bytes(block) != Irp)
    {
        rule_broken("DRIVER_VERIFIER_IOMANAGER_VIOLATION", "IoCompleteRequest was given something that is not an IRP");
        return;
    }
    struct request *request = request_of(Irp);
    if (request == NULL)
    {
        rule_broken("DoubleCompletion", "IoCompleteRequest was given an IRP that is complete already");
        return;
    }
    check_completion(request);
    request->was_marked = (Irp->Tail.Overlay.CurrentStackLocation->Control & SL_PENDING_RETURNED) != 0;
    request_finish(request, Irp->IoStatus.Status, Irp->IoStatus.Information);
}

static bool is_marked(const struct request *request)
{
    return (request->irp->Tail.Overlay.CurrentStackLocation->Control & SL_PENDING_RETURNED) != 0;
}

void request_published(struct request *request)
{
    if (!request->complete && request->irp->Tail.Overlay.ListEntry.Flink != NULL && !is_marked(request))
        request->unmarked = true;
}

void request_check_interlocked(const void *entry, const char *caller)
{
    const struct block *block = arena_block_of(entry);
    if (block == NULL || block->kind != BLOCK_IRP || !block_is_live(block))
        return;
    const struct host_irp *whole = block_bytes(block);
    if (entry == &whole->irp.Tail.Overlay.ListEntry && !whole->request->complete && !is_marked(whole->request))
        rule_broken("MarkingInterlockedQueuedIrps",
                    "%s was given %s before IoMarkIrpPending was called: whoever takes it out of the list may complete "
                    "it first",
                    caller, major_name(whole->request->major));
}

/* What the dispatch routine returned against what it did with the IRP. */
static void check_return(const struct request *request, NTSTATUS returned)
{
    const char *name = major_name(request->major);
    const bool marked = request->complete ? request->was_marked : is_marked(request);
    if (returned == STATUS_PENDING)
    {
        if (!marked && request->complete)
            rule_broken("PendedCompletedRequest",
                        "%s was completed and then STATUS_PENDING was returned for it, without "
                        "IoMarkIrpPending before",
                        name);
        else if (!marked)
            rule_broken("MarkIrpPending2", "STATUS_PENDING was returned for %s without IoMarkIrpPending", name);
        else if (request->unmarked)
            rule_broken("MarkingQueuedIrps",
                        "%s was put into a queue, and the spin lock released, before IoMarkIrpPending was called: "
                        "whoever takes it out of the queue may complete it first",
                        name);
        return;
    }
    if (marked)
        rule_broken("MarkIrpPending", "%s was marked pending, and 0x%08X was returned for it instead of STATUS_PENDING",
                    name, (unsigned)returned);
    if (!request->complete)
        rule_broken("IrpProcessingComplete", "0x%08X was returned for %s, which is not complete", (unsigned)returned,
                    name);
    else if (!marked && request->status != returned)
        rule_broken("IrpProcessingComplete", "0x%08X was returned for %s, which was completed with 0x%08X",
                    (unsigned)returned, name, (unsigned)request->status);
}

/* A remove lock that was acquired for a request is released when that is complete. */
static void check_remove_lock(const struct request *request, const IRP *irp)
{
    static const char *const rules[IRP_MJ_MAXIMUM_FUNCTION + 1] = {
        [IRP_MJ_CREATE] = "RemoveLockReleaseCreate",   [IRP_MJ_CLOSE] = "RemoveLockReleaseClose",
        [IRP_MJ_READ] = "RemoveLockReleaseRead",       [IRP_MJ_WRITE] = "RemoveLockReleaseWrite",
        [IRP_MJ_CLEANUP] = "RemoveLockReleaseCleanup", [IRP_MJ_PNP] = "RemoveLockRelease2"};
    if (current_host->locks.remove_locks != NULL && request->complete && remove_lock_is_held(irp))
        rule_broken(rules[request->major],
                    "the dispatch routine of %s completed it and returned, and the remove lock that it acquired for it "
                    "is not released",
                    major_name(request->major));
}

struct request *request_new_pnp(DEVICE_OBJECT *device, uint8_t minor, struct pnp_call *call)
{
    struct request *request = slab_take(&current_host->io->request_slab);
    struct host_irp *whole = arena_allocate(BLOCK_IRP, sizeof *whole, 0, "IoAllocateIrp");
    if (request == NULL || whole == NULL)
    {
        if (request != NULL)
            slab_give(&current_host->io->request_slab, request);
        return NULL;
    }
    memset(request, 0, sizeof *request);
    memset(whole, 0, sizeof *whole);
    request->major = IRP_MJ_PNP;
    request->holds = 1;
    request->pnp = call;
    request->irp = &whole->irp;
    whole->request = request;
    whole->irp.Type = IO_TYPE_IRP;
    whole->irp.Size = (USHORT)(sizeof(IRP) + sizeof(IO_STACK_LOCATION));
    whole->irp.RequestorMode = KernelMode;
    whole->irp.StackCount = 1;
    whole->irp.CurrentLocation = 1;
    whole->irp.IoStatus.Status = STATUS_NOT_SUPPORTED; /* as the PnP manager initialises it */
    whole->irp.Tail.Overlay.CurrentStackLocation = whole->stack;
    whole->stack->MajorFunction = IRP_MJ_PNP;
    whole->stack->MinorFunction = minor;
    whole->stack->DeviceObject = device;
    request->next = *bucket_of(0);
    *bucket_of(0) = request;
    return request;
}

NTSTATUS request_default_status(uint8_t major)
{
    const bool opens = major == IRP_MJ_CREATE || major == IRP_MJ_CLEANUP || major == IRP_MJ_CLOSE;
    return opens ? STATUS_SUCCESS : STATUS_INVALID_DEVICE_REQUEST;
}

NTSTATUS request_dispatch(struct request *request, bool wait)
{
    struct host_device *device = request->file->device;
    const uint8_t major = request->major;
    DRIVER_DISPATCH *dispatch = dispatch_of_driver(device->miniport, major);
    if (!device->by_driver_object)
    {
        dispatch = dispatch_hook(device->miniport, major);
        if (dispatch == NULL)
            dispatch = device->dispatch[major];
    }
    if (dispatch == NULL)
    {
        const NTSTATUS status = request_default_status(major);
        request_refuse(request, status);
        return status;
    }
    return request_call(request, dispatch, device->object, miniport_image(device->miniport), wait);
}

NTSTATUS request_call(struct request *request, DRIVER_DISPATCH *dispatch, DEVICE_OBJECT *device, struct image *image,
                      bool wait)
{
    request->holds++;
    struct call call;
    call_enter(&call, major_name(request->major), request->at_dispatch ? DISPATCH_LEVEL : PASSIVE_LEVEL, image);
    struct actor *actor = actor_current();
    struct request *outer = actor->request;
    actor->request = request;
    const IRP *irp = request->irp;
    if (request->major == IRP_MJ_CREATE || request->major == IRP_MJ_CLOSE)
        call_spoil_stack();
    const NTSTATUS returned = dispatch(device, request->irp);
    actor->request = outer;
    check_return(request, returned);
    check_remove_lock(request, irp);
    call_leave(&call);
    while (wait && !request->complete)
        actor_wait(POINT_WAIT, request, false, ACTOR_NO_DEADLINE);
    if (wait)
    {
        happens_acquire(request);
        depend(request, DEPEND_READ | DEPEND_WAS_FREE | DEPEND_IS_FREE);
    }
    const NTSTATUS status = request->complete ? request->status : STATUS_PENDING;
    request_release(request);
    return status;
}

DRIVER_CANCEL *irp_exchange_cancel(IRP *irp, DRIVER_CANCEL *routine)
{
    depend(&irp->CancelRoutine, DEPEND_WRITE);
    happens_load(&irp->CancelRoutine, true);
    happens_store(&irp->CancelRoutine, true, false);
    return IoSetCancelRoutine(irp, routine);
}

/* IRQL <= DISPATCH_LEVEL. What a driver would call; here it is the I/O manager's. */
static bool cancel_irp(IRP *irp, struct host_device *device)
{
    KIRQL irql;
    IoAcquireCancelSpinLock(&irql);
    irp->Cancel = TRUE;
    DRIVER_CANCEL *routine = irp_exchange_cancel(irp, NULL);
    if (routine == NULL)
    {
        IoReleaseCancelSpinLock(irql);
        return false;
    }
    irp->CancelIrql = irql;
    routine(device->object, irp);
    return true;
}

/* The end of a cancel call: the IRP goes now if it is complete and no other such call is under way. */
static void cancel_ends(struct request *request)
{
    if (--request->cancels == 0 && request->complete)
    {
        happens_acquire(request);
        irp_free(request);
    }
    request_release(request);
}

bool request_cancel(struct request *request, bool at_dispatch)
{
    depend(request, DEPEND_READ);
    if (request->complete)
        return false;
    request->holds++;
    request->cancels++;
    struct call call;
    call_enter(&call, "DRIVER_CANCEL", at_dispatch ? DISPATCH_LEVEL : PASSIVE_LEVEL,
               miniport_image(request->file->device->miniport));
    cancel_irp(request->irp, request->file->device);
    call_leave(&call);
    cancel_ends(request);
    return true;
}

/* IRQL <= DISPATCH_LEVEL. For drivers that cancel an IRP themselves. */
BOOLEAN NTAPI IoCancelIrp(PIRP Irp)
{
    check_at_most_dispatch("IrqlIoDispatch", "IoCancelIrp");
    const struct block *block = arena_live_block(BLOCK_IRP, Irp);
    if (block == NULL)
    {
        rule_broken("DRIVER_VERIFIER_IOMANAGER_VIOLATION", "IoCancelIrp was given something that is not a live IRP");
        return FALSE;
    }
    struct request *request = ((struct host_irp *)(void *)Irp)->request;
    request->holds++;
    request->cancels++;
    const bool called = cancel_irp(Irp, request->file->device);
    cancel_ends(request);
    return called;
}

bool io_room_open(void)
{
    struct io_room *room = arena_allocate(BLOCK_HOST, sizeof *room, 0, "host_create");
    if (room == NULL)
        return false;
    memset(room, 0, sizeof *room);
    room->objects = arena_allocate(BLOCK_HOST, sizeof *room->objects, 0, "host_create");
    if (room->objects == NULL)
        return false;
    memset(room->objects, 0, sizeof *room->objects);
    slab_initialize(&room->request_slab, "a request", sizeof(struct request), 0);
    slab_initialize(&room->client_slab, "a client's buffer", sizeof(struct client_buffer), 0);
    mdl_slab_open(&room->mdl_slab);
    current_host->io = room;
    return true;
}
