/* NDIS' work items and timer objects, over work.h and clock.h.
 *
 * Documentation: learn.microsoft.com/windows-hardware/drivers/network/ndis-i-o-work-items, …/ndis-timer-objects.
 */
#include <ndis.h>

#include "depend.h"
#include "happens.h"
#include "host.h"
#include "ndis_header.h"

struct ndis_work_item
{
    struct image *image;
};

NDIS_HANDLE NTAPI NdisAllocateIoWorkItem(NDIS_HANDLE NdisObjectHandle)
{
    rule_irql("Irql_Miscellaneous_Function", "NdisAllocateIoWorkItem", PASSIVE_LEVEL, DISPATCH_LEVEL);
    if (NdisObjectHandle == NULL)
        rule_broken("BUGCODE_NDIS_DRIVER", "NdisAllocateIoWorkItem was given no handle");
    if (fault_strikes(HOST_FAULT_POOL))
        return NULL;
    struct ndis_work_item *item = arena_allocate(BLOCK_WORK_ITEM, sizeof *item, 0, "NdisAllocateIoWorkItem");
    if (item != NULL)
        item->image = work_image();
    return item;
}

VOID NTAPI NdisFreeIoWorkItem(NDIS_HANDLE NdisIoWorkItemHandle)
{
    rule_irql("Irql_Miscellaneous_Function", "NdisFreeIoWorkItem", PASSIVE_LEVEL, DISPATCH_LEVEL);
    if (job_is_queued(NdisIoWorkItemHandle))
    {
        rule_broken("BUGCODE_NDIS_DRIVER", "NdisFreeIoWorkItem was given a work item that is queued");
        return;
    }
    arena_free(BLOCK_WORK_ITEM, NdisIoWorkItemHandle, 0, "NdisFreeIoWorkItem");
}

static void run_item(struct job_request *request)
{
    ((NDIS_IO_WORKITEM_ROUTINE)(uintptr_t)request->routine)(request->arguments[0], request->object);
}

VOID NTAPI NdisQueueIoWorkItem(NDIS_HANDLE NdisIoWorkItemHandle, NDIS_IO_WORKITEM_ROUTINE Routine,
                               PVOID WorkItemContext)
{
    rule_irql("Irql_Miscellaneous_Function", "NdisQueueIoWorkItem", PASSIVE_LEVEL, DISPATCH_LEVEL);
    if (arena_live_block(BLOCK_WORK_ITEM, NdisIoWorkItemHandle) == NULL || job_is_queued(NdisIoWorkItemHandle))
    {
        rule_broken("BUGCODE_NDIS_DRIVER", "NdisQueueIoWorkItem was given a work item that %s",
                    arena_live_block(BLOCK_WORK_ITEM, NdisIoWorkItemHandle) == NULL ? "does not exist"
                                                                                    : "is queued already");
        return;
    }
    const struct ndis_work_item *item = NdisIoWorkItemHandle;
    job_start(&(struct job_request){.handler = "an NDIS work item's routine",
                                    .irql = PASSIVE_LEVEL,
                                    .image = item->image,
                                    .operation = work_operation(),
                                    .run = run_item,
                                    .object = NdisIoWorkItemHandle,
                                    .routine = (void *)(uintptr_t)Routine,
                                    .arguments = {WorkItemContext}});
    schedule_point(POINT_CALL, NdisIoWorkItemHandle);
}

struct ndis_timer
{
    struct clock_timer clock;
    struct image *image;
    PNDIS_TIMER_FUNCTION function;
    void *default_context;
    void *context; /* of this expiry */
    uint32_t operation;
};

static void run_timer(struct job_request *request)
{
    ((PNDIS_TIMER_FUNCTION)(uintptr_t)request->routine)(NULL, request->arguments[0], NULL, NULL);
}

static void expire(struct clock_timer *clock, void *argument)
{
    (void)clock;
    const struct ndis_timer *timer = argument;
    job_start(&(struct job_request){.handler = "NetTimerCallback",
                                    .irql = DISPATCH_LEVEL,
                                    .image = timer->image,
                                    .operation = timer->operation,
                                    .run = run_timer,
                                    .object = argument,
                                    .routine = (void *)(uintptr_t)timer->function,
                                    .arguments = {timer->context}});
}

static const struct object_form TIMER = {
    .name = "NDIS_TIMER_CHARACTERISTICS",
    .type = NDIS_OBJECT_TYPE_TIMER_CHARACTERISTICS,
    .parameter = 0x21,
    .whole = sizeof(NDIS_TIMER_CHARACTERISTICS),
    .revisions = {{NDIS_RUNTIME_VERSION_60, NDIS_SIZEOF_TIMER_CHARACTERISTICS_REVISION_1}}};

NDIS_STATUS NTAPI NdisAllocateTimerObject(NDIS_HANDLE NdisHandle, PNDIS_TIMER_CHARACTERISTICS TimerCharacteristics,
                                          PNDIS_HANDLE pTimerObject)
{
    rule_irql("Irql_Miscellaneous_Function", "NdisAllocateTimerObject", PASSIVE_LEVEL, DISPATCH_LEVEL);
    if (NdisHandle == NULL)
        rule_broken("BUGCODE_NDIS_DRIVER", "NdisAllocateTimerObject was given no handle");
    if (!object_check(&TimerCharacteristics->Header, &TIMER, ANY_NDIS))
        return NDIS_STATUS_INVALID_PARAMETER;
    if (TimerCharacteristics->TimerFunction == NULL)
    {
        rule_broken("BUGCODE_NDIS_DRIVER", "NdisAllocateTimerObject was given no function");
        return NDIS_STATUS_INVALID_PARAMETER;
    }
    struct ndis_timer *timer = fault_strikes(HOST_FAULT_POOL)
                                   ? NULL
                                   : arena_allocate(BLOCK_TIMER, sizeof *timer, TimerCharacteristics->AllocationTag,
                                                    "NdisAllocateTimerObject");
    if (timer == NULL)
        return NDIS_STATUS_RESOURCES;
    *timer = (struct ndis_timer){.clock = {.expired = expire, .argument = timer},
                                 .image = work_image(),
                                 .function = TimerCharacteristics->TimerFunction,
                                 .default_context = TimerCharacteristics->FunctionContext};
    *pTimerObject = timer;
    return NDIS_STATUS_SUCCESS;
}

static struct ndis_timer *timer_of(NDIS_HANDLE handle, const char *caller)
{
    if (arena_live_block(BLOCK_TIMER, handle) != NULL)
        return handle;
    rule_broken("BUGCODE_NDIS_DRIVER", "%s was given a timer object that does not exist", caller);
    return NULL;
}

BOOLEAN NTAPI NdisSetTimerObject(NDIS_HANDLE TimerObject, LARGE_INTEGER DueTime, LONG MillisecondsPeriod,
                                 PVOID FunctionContext)
{
    rule_irql("Irql_Miscellaneous_Function", "NdisSetTimerObject", PASSIVE_LEVEL, DISPATCH_LEVEL);
    struct ndis_timer *timer = timer_of(TimerObject, "NdisSetTimerObject");
    if (timer == NULL)
        return FALSE;
    bool was_armed = timer->clock.armed;
    timer->context = FunctionContext == NULL ? timer->default_context : FunctionContext;
    timer->operation = work_operation();
    happens_release(timer);
    depend(timer, DEPEND_WRITE);
    clock_arm(&timer->clock, clock_moment(DueTime.QuadPart),
              MillisecondsPeriod <= 0 ? 0 : (uint64_t)MillisecondsPeriod * CLOCK_MILLISECOND);
    schedule_point(POINT_CALL, timer);
    return was_armed;
}

BOOLEAN NTAPI NdisCancelTimerObject(NDIS_HANDLE TimerObject)
{
    rule_irql("Irql_Miscellaneous_Function", "NdisCancelTimerObject", PASSIVE_LEVEL, DISPATCH_LEVEL);
    struct ndis_timer *timer = timer_of(TimerObject, "NdisCancelTimerObject");
    if (timer == NULL)
        return FALSE;
    schedule_point(POINT_CALL, timer);
    depend(timer, DEPEND_WRITE);
    return clock_disarm(&timer->clock);
}

VOID NTAPI NdisFreeTimerObject(NDIS_HANDLE TimerObject)
{
    rule_irql("Irql_Miscellaneous_Function", "NdisFreeTimerObject", PASSIVE_LEVEL, DISPATCH_LEVEL);
    struct ndis_timer *timer = timer_of(TimerObject, "NdisFreeTimerObject");
    if (timer == NULL)
        return;
    if (clock_disarm(&timer->clock))
        rule_broken("BUGCODE_NDIS_DRIVER", "NdisFreeTimerObject was given a timer that is armed");
    arena_free(BLOCK_TIMER, timer, 0, "NdisFreeTimerObject");
}

const struct export ndis_work_exports[] = {
    EXPORT(NdisAllocateIoWorkItem), EXPORT(NdisFreeIoWorkItem),
    EXPORT(NdisQueueIoWorkItem),    EXPORT(NdisAllocateTimerObject),
    EXPORT(NdisSetTimerObject),     EXPORT(NdisCancelTimerObject),
    EXPORT(NdisFreeTimerObject),    EXPORTS_END,
};
