/* Work items, DPCs and system threads (work.h).
 *
 * Documentation: learn.microsoft.com/windows-hardware/drivers/kernel/system-worker-threads,
 * …/introduction-to-dpc-objects.
 */
#include "work.h"

#include <ntddk.h>

#include "depend.h"
#include "happens.h"
#include "host.h"
#include "timer.h"
#include "wait.h"

struct job
{
    struct job *next;
    struct job_request request;
    bool begun;
    bool cancelled;
};

struct image *work_image(void)
{
    const struct actor *actor = actor_current();
    return actor == NULL ? NULL : actor->image;
}

uint32_t work_operation(void)
{
    const struct actor *actor = actor_current();
    return actor == NULL ? current_host->operation : actor->operation;
}

static void end_job(struct job *job)
{
    struct job **place = &current_host->work.jobs;
    while (*place != job)
        place = &(*place)->next;
    *place = job->next;
    arena_free(BLOCK_HOST, job, 0, "a system worker thread");
    happens_release(&current_host->work);
    depend(&current_host->work, DEPEND_READ);
    actor_wake(&current_host->work);
}

static void run_job(void *argument)
{
    struct job *job = argument;
    job->begun = true;
    depend(job->request.object, DEPEND_WRITE);
    if (!job->cancelled)
    {
        struct job_request request = job->request;
        happens_acquire(request.object); /* what expires a timer is no actor: see happens_hand */
        if (request.begin != NULL)
            request.begin(request.object);
        struct call call;
        call_enter(&call, request.handler, request.irql, request.image);
        request.run(&request);
        call_leave(&call);
    }
    end_job(job);
}

bool job_start(const struct job_request *request)
{
    struct job *job = arena_allocate(BLOCK_HOST, sizeof *job, 0, "a system worker thread");
    if (job == NULL)
        return false;
    job->request = *request;
    if (actor_start(run_job, job, request->operation) == NULL)
    {
        arena_free(BLOCK_HOST, job, 0, "a system worker thread");
        return false;
    }
    depend(request->object, DEPEND_WRITE);
    depend(&current_host->work, DEPEND_READ);
    job->next = current_host->work.jobs;
    current_host->work.jobs = job;
    return true;
}

static struct job *find_queued(const void *object)
{
    for (struct job *job = current_host->work.jobs; job != NULL; job = job->next)
        if (job->request.object == object && !job->begun && !job->cancelled)
            return job;
    return NULL;
}

bool job_is_queued(const void *object)
{
    depend(object, DEPEND_READ);
    return find_queued(object) != NULL;
}

bool job_cancel(const void *object)
{
    depend(object, DEPEND_WRITE);
    struct job *job = find_queued(object);
    if (job == NULL)
        return false;
    job->cancelled = true;
    return true;
}

static uint32_t count_jobs(const struct image *image)
{
    uint32_t count = 0;
    for (const struct job *job = current_host->work.jobs; job != NULL; job = job->next)
        count += !job->cancelled && (image == NULL || job->request.image == image);
    return count;
}

uint32_t work_pending(const struct image *image)
{
    return count_jobs(image) + timer_count(image);
}

/* Work items */

struct _IO_WORKITEM
{
    struct image *image;
    void *device; /* PDEVICE_OBJECT, or what IoQueueWorkItemEx hands on */
};

PIO_WORKITEM NTAPI IoAllocateWorkItem(PDEVICE_OBJECT DeviceObject)
{
    rule_irql("IrqlIoDispatch", "IoAllocateWorkItem", PASSIVE_LEVEL, DISPATCH_LEVEL);
    if (fault_strikes(HOST_FAULT_POOL))
        return NULL;
    PIO_WORKITEM item = arena_allocate(BLOCK_WORK_ITEM, sizeof *item, 0, "IoAllocateWorkItem");
    if (item != NULL)
        *item = (struct _IO_WORKITEM){work_image(), DeviceObject};
    return item;
}

VOID NTAPI IoFreeWorkItem(PIO_WORKITEM IoWorkItem)
{
    rule_irql("IrqlIoDispatch", "IoFreeWorkItem", PASSIVE_LEVEL, DISPATCH_LEVEL);
    if (job_is_queued(IoWorkItem))
    {
        rule_broken("DRIVER_VERIFIER_DETECTED_VIOLATION", "IoFreeWorkItem was given a work item that is queued");
        return;
    }
    arena_free(BLOCK_WORK_ITEM, IoWorkItem, 0, "IoFreeWorkItem");
}

static void run_item(struct job_request *request)
{
    ((PIO_WORKITEM_ROUTINE)(uintptr_t)request->routine)(request->arguments[0], request->arguments[1]);
}

static void run_item_ex(struct job_request *request)
{
    ((PIO_WORKITEM_ROUTINE_EX)(uintptr_t)request->routine)(request->arguments[0], request->arguments[1],
                                                           request->object);
}

static void queue_item(PIO_WORKITEM item, void *routine, void *context, void (*run)(struct job_request *),
                       const char *caller)
{
    rule_irql("IrqlIoDispatch", caller, PASSIVE_LEVEL, DISPATCH_LEVEL);
    if (arena_live_block(BLOCK_WORK_ITEM, item) == NULL)
    {
        rule_broken("DRIVER_VERIFIER_DETECTED_VIOLATION", "%s was given no work item, or one that was freed", caller);
        return;
    }
    if (job_is_queued(item))
    {
        rule_broken("DRIVER_VERIFIER_DETECTED_VIOLATION", "%s was given a work item that is queued already", caller);
        return;
    }
    job_start(&(struct job_request){.handler = "a work item's routine",
                                    .irql = PASSIVE_LEVEL,
                                    .image = item->image,
                                    .operation = work_operation(),
                                    .run = run,
                                    .object = item,
                                    .routine = routine,
                                    .arguments = {item->device, context}});
    schedule_point(POINT_CALL, item);
}

VOID NTAPI IoQueueWorkItem(PIO_WORKITEM IoWorkItem, PIO_WORKITEM_ROUTINE WorkerRoutine, WORK_QUEUE_TYPE QueueType,
                           PVOID Context)
{
    (void)QueueType;
    queue_item(IoWorkItem, (void *)(uintptr_t)WorkerRoutine, Context, run_item, "IoQueueWorkItem");
}

VOID NTAPI IoQueueWorkItemEx(PIO_WORKITEM IoWorkItem, PIO_WORKITEM_ROUTINE_EX WorkerRoutine, WORK_QUEUE_TYPE QueueType,
                             PVOID Context)
{
    (void)QueueType;
    queue_item(IoWorkItem, (void *)(uintptr_t)WorkerRoutine, Context, run_item_ex, "IoQueueWorkItemEx");
}

/* DPCs. KDPC.DpcData points to the KDPC itself while it is queued. */

enum
{
    DPC_OBJECT = 0x13 /* KDPC.Type */
};

VOID NTAPI KeInitializeDpc(PRKDPC Dpc, PKDEFERRED_ROUTINE DeferredRoutine, PVOID DeferredContext)
{
    memset(Dpc, 0, sizeof *Dpc);
    Dpc->Type = DPC_OBJECT;
    Dpc->DeferredRoutine = DeferredRoutine;
    Dpc->DeferredContext = DeferredContext;
}

static void begin_dpc(void *object)
{
    ((PKDPC)object)->DpcData = NULL;
}

static void run_dpc(struct job_request *request)
{
    PKDEFERRED_ROUTINE routine = (PKDEFERRED_ROUTINE)(uintptr_t)request->routine;
    routine(request->object, request->arguments[0], request->arguments[1], request->arguments[2]);
}

bool dpc_queue(PKDPC dpc, void *first, void *second, struct image *image, uint32_t operation)
{
    if (dpc->Type != DPC_OBJECT)
    {
        rule_broken("DispatcherObject",
                    "KeInsertQueueDpc was given a DPC that was never initialised, or was overwritten");
        return false;
    }
    if (dpc->DpcData != NULL)
        return false;
    dpc->DpcData = dpc;
    return job_start(&(struct job_request){.handler = "a DPC",
                                           .irql = DISPATCH_LEVEL,
                                           .image = image,
                                           .operation = operation,
                                           .begin = begin_dpc,
                                           .run = run_dpc,
                                           .object = dpc,
                                           .routine = (void *)(uintptr_t)dpc->DeferredRoutine,
                                           .arguments = {dpc->DeferredContext, first, second}});
}

BOOLEAN NTAPI KeInsertQueueDpc(PRKDPC Dpc, PVOID SystemArgument1, PVOID SystemArgument2)
{
    bool queued = dpc_queue(Dpc, SystemArgument1, SystemArgument2, work_image(), work_operation());
    schedule_point(POINT_CALL, Dpc);
    return queued;
}

BOOLEAN NTAPI KeRemoveQueueDpc(PRKDPC Dpc)
{
    schedule_point(POINT_CALL, Dpc);
    if (!job_cancel(Dpc))
        return FALSE;
    Dpc->DpcData = NULL;
    return TRUE;
}

VOID NTAPI KeFlushQueuedDpcs(VOID)
{
    rule_irql("IrqlKeApcLte1", "KeFlushQueuedDpcs", PASSIVE_LEVEL, PASSIVE_LEVEL);
    bool any = true;
    while (any)
    {
        any = false;
        depend(&current_host->work, DEPEND_WRITE);
        for (const struct job *job = current_host->work.jobs; job != NULL; job = job->next)
            any = any || (job->request.irql == DISPATCH_LEVEL && !job->cancelled);
        if (any)
            actor_wait_for("queued DPCs to end", &current_host->work, false, ACTOR_NO_DEADLINE);
    }
    happens_acquire(&current_host->work);
}

/* System threads. A thread object is one that can be waited for; a handle is its address. */

struct thread
{
    DISPATCHER_HEADER header;
};

static void run_thread(struct job_request *request)
{
    ((PKSTART_ROUTINE)(uintptr_t)request->routine)(request->arguments[0]);
    struct thread *thread = request->object;
    dispatcher_signal(&thread->header, 1);
}

NTSTATUS NTAPI PsCreateSystemThread(PHANDLE ThreadHandle, ULONG DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                                    HANDLE ProcessHandle, PCLIENT_ID ClientId, PKSTART_ROUTINE StartRoutine,
                                    PVOID StartContext)
{
    (void)DesiredAccess;
    (void)ObjectAttributes;
    (void)ProcessHandle;
    rule_irql("IrqlIoPassive1", "PsCreateSystemThread", PASSIVE_LEVEL, PASSIVE_LEVEL);
    if (fault_strikes(HOST_FAULT_POOL))
        return STATUS_INSUFFICIENT_RESOURCES;
    struct thread *thread = arena_allocate(BLOCK_HOST, sizeof *thread, 0, "PsCreateSystemThread");
    if (thread == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    dispatcher_initialize(&thread->header, DISPATCHER_THREAD, sizeof *thread, 0);
    *ThreadHandle = thread;
    if (ClientId != NULL)
        *ClientId = (CLIENT_ID){thread, thread};
    job_start(&(struct job_request){.handler = "a system thread",
                                    .irql = PASSIVE_LEVEL,
                                    .image = work_image(),
                                    .operation = work_operation(),
                                    .run = run_thread,
                                    .object = thread,
                                    .routine = (void *)(uintptr_t)StartRoutine,
                                    .arguments = {StartContext}});
    schedule_point(POINT_CALL, thread);
    return STATUS_SUCCESS;
}

ULONG NTAPI KeGetCurrentProcessorNumberEx(PVOID ProcNumber)
{
    ULONG number = actor_current() == NULL ? 0 : actor_current()->index;
    if (ProcNumber != NULL)
        memcpy(ProcNumber, &(uint32_t){number << 16}, sizeof(uint32_t)); /* PROCESSOR_NUMBER: group 0, number */
    return number;
}

ULONG NTAPI KeQueryActiveProcessorCount(PKAFFINITY ActiveProcessors)
{
    if (ActiveProcessors != NULL)
        *ActiveProcessors = ~(KAFFINITY)0;
    return ACTOR_LIMIT;
}

const struct export work_exports[] = {
    EXPORT(IoAllocateWorkItem),
    EXPORT(IoFreeWorkItem),
    EXPORT(IoQueueWorkItem),
    EXPORT(IoQueueWorkItemEx),
    EXPORT(KeInitializeDpc),
    EXPORT(KeInsertQueueDpc),
    EXPORT(KeRemoveQueueDpc),
    EXPORT(KeFlushQueuedDpcs),
    EXPORT(PsCreateSystemThread),
    EXPORT(KeGetCurrentProcessorNumberEx),
    EXPORT(KeQueryActiveProcessorCount),
    EXPORTS_END,
};
