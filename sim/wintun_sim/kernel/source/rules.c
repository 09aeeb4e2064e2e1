/* Reporting broken rules, and where each rule is documented (rules.h). */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "host.h"

#define DEVTEST   "learn.microsoft.com/windows-hardware/drivers/devtest/"
#define DEBUGGER  "learn.microsoft.com/windows-hardware/drivers/debugger/"
#define NETWORK   "learn.microsoft.com/windows-hardware/drivers/network/"
#define DDI       "learn.microsoft.com/windows-hardware/drivers/ddi/"
#define KERNEL    "learn.microsoft.com/windows-hardware/drivers/kernel/"
#define VERIFIER  DEBUGGER "bug-check-0xc4--driver-verifier-detected-violation"
#define IO_MODULE DEBUGGER "bug-check-0xc9--driver-verifier-iomanager-violation"
#define NDIS      DEBUGGER "bug-check-0x7c--bugcode-ndis-driver"

struct rule
{
    const char *name;
    const char *page;
    const char *bug_check; /* what Driver Verifier or NDIS raises: code/first parameter; NULL: none of its own */
};

static const struct rule known_rules[] = {
    /* IRQL */
    {"IrqlDispatch", DEVTEST "wdm-irqldispatch", NULL},
    {"IrqlExAllocatePool", DEVTEST "wdm-irqlexallocatepool", NULL},
    {"IrqlIoApcLte", DEVTEST "wdm-irqlioapclte", NULL},
    {"IrqlIoDispatch", DEVTEST "wdm-irqliodispatch", NULL},
    {"IrqlIoPassive1", DEVTEST "wdm-irqliopassive1", NULL},
    {"IrqlIoPassive2", DEVTEST "wdm-irqliopassive2", NULL},
    {"IrqlIoPassive3", DEVTEST "wdm-irqliopassive3", NULL},
    {"IrqlIoPassive4", DEVTEST "wdm-irqliopassive4", NULL},
    {"IrqlIoPassive5", DEVTEST "wdm-irqliopassive5", NULL},
    {"IrqlKeApcLte1", DEVTEST "wdm-irqlkeapclte1", "0xC4/0x2000F"},
    {"IrqlKeApcLte2", DEVTEST "wdm-irqlkeapclte2", "0xC4/0x20010"},
    {"IrqlKeDispatchLte", DEVTEST "wdm-irqlkedispatchlte", "0xC4/0x20011"},
    {"IrqlKeRaiseLower", DEVTEST "wdm-irqlkeraiselower", "0xC4/0x30"},
    {"IrqlKeRaiseLower2", DEVTEST "wdm-irqlkeraiselower2", "0xC4/0x31"},
    {"IrqlKeReleaseSpinLock", DEVTEST "wdm-irqlkereleasespinlock", "0xC4/0x20015"},
    {"IrqlKeSetEvent", DEVTEST "wdm-irqlkesetevent", "0xC4/0x20016"},
    {"IrqlMmApcLte", DEVTEST "wdm-irqlmmapclte", NULL},
    {"IrqlMmDispatch", DEVTEST "wdm-irqlmmdispatch", NULL},
    {"IrqlObPassive", DEVTEST "wdm-irqlobpassive", "0xC4/0x2001B"},
    {"IrqlReturn", DEVTEST "wdm-irqlreturn", "0xC4/0x2001D"},
    {"PagedCode", DEVTEST "wdm-pagedcode", NULL},
    {"Flags_Irql", DEVTEST "ndis-flags-irql", NULL},
    {"Irql_Miniport_Driver_Function", DEVTEST "ndis-irql-miniport-driver-function", NULL},
    {"Irql_Miscellaneous_Function", DEVTEST "ndis-irql-miscellaneous-function", NULL},
    {"Irql_NetBuffer_Function", DEVTEST "ndis-irql-netbuffer-function", NULL},
    {"Irql_OID_Function", DEVTEST "ndis-irql-oid-function", NULL},
    {"Irql_SendRcv_Function", DEVTEST "ndis-irql-sendrcv-function", NULL},
    {"Irql_StatusIndication_Function", DEVTEST "ndis-irql-statusindication-function", NULL},
    {"Irql_Synch_Function", DEVTEST "ndis-irql-synch-function", NULL},
    /* Locks */
    {"SpinLock", DEVTEST "wdm-spinlock", "0xC4/0x1000"},
    {"SpinLockDpc", DEVTEST "wdm-spinlockdpc", NULL},
    {"SpinlockRelease", DEVTEST "wdm-spinlockrelease", "0xC4/0x100A"},
    {"SpinLockSafe", DEVTEST "wdm-spinlocksafe", NULL},
    {"SpinLockBalanced", DEVTEST "ndis-spinlockbalanced", NULL},
    {"SpinLockRelease", DEVTEST "ndis-spinlockrelease", NULL},
    {"SpinLockDpr", DEVTEST "ndis-spinlockdpr", NULL},
    {"SpinLockDprRelease", DEVTEST "ndis-spinlockdprrelease", NULL},
    {"QueuedSpinLock", DEVTEST "wdm-queuedspinlock", NULL},
    {"QueuedSpinLockRelease", DEVTEST "wdm-queuedspinlockrelease", NULL},
    {"CancelSpinLock", DEVTEST "wdm-cancelspinlock", NULL},
    {"CancelSpinlockRelease", DEVTEST "wdm-cancelspinlockrelease", NULL},
    /* IRPs */
    {"MarkIrpPending", DEVTEST "wdm-markirppending", "0xC9/0x23D"},
    {"MarkIrpPending2", DEVTEST "wdm-markirppending2", "0xC9/0x23E"},
    {"MarkingQueuedIrps", DEVTEST "wdm-markingqueuedirps", NULL},
    {"MarkingInterlockedQueuedIrps", DEVTEST "wdm-markinginterlockedqueuedirps", NULL},
    {"PendedCompletedRequest", DEVTEST "wdm-pendedcompletedrequest", NULL},
    {"PendedCompletedRequest3", DEVTEST "wdm-pendedcompletedrequest3", NULL},
    {"PendedCompletedRequestEx", DEVTEST "wdm-pendedcompletedrequestex", NULL},
    {"DoubleCompletion", DEVTEST "wdm-doublecompletion", "0x44"},
    {"IrpCancelField", DEVTEST "wdm-irpcancelfield", "0xC9/0x23C"},
    {"IrpProcessingComplete", DEVTEST "wdm-irpprocessingcomplete", "0xC9/0x224"},
    /* Remove locks */
    {"RemoveLockRelease2", DEVTEST "wdm-removelockrelease2", "0xC4/0xD7"},
    {"RemoveLockReleaseCleanup", DEVTEST "wdm-removelockreleasecleanup", NULL},
    {"RemoveLockReleaseClose", DEVTEST "wdm-removelockreleaseclose", NULL},
    {"RemoveLockReleaseCreate", DEVTEST "wdm-removelockreleasecreate", NULL},
    {"RemoveLockReleaseRead", DEVTEST "wdm-removelockreleaseread", NULL},
    {"RemoveLockReleaseWrite", DEVTEST "wdm-removelockreleasewrite", NULL},
    {"MultRemoveLock", DEVTEST "wdm-multremovelock", "0xC4/0xD5"},
    {"DeleteDevice", DEVTEST "wdm-deletedevice", NULL},
    /* NDIS */
    {"MiniportPause_Return", DEVTEST "ndis-miniportpause-return", NULL},
    {"NdisMIndicateStatusEx", DEVTEST "ndis-ndismindicatestatusex", NULL},
    {"NdisAllocateMdl", DEVTEST "ndis-ndisallocatemdl", NULL},
    {"NdisAllocateNetBuffer", DEVTEST "ndis-ndisallocatenetbuffer", NULL},
    {"DoubleComplete", DEVTEST "ndis-doublecomplete", NULL},
    {"NdisOidComplete", DEVTEST "ndis-ndisoidcomplete", "0xC4/0x91001"},
    {"NdisOidDoubleComplete", DEVTEST "ndis-ndisoiddoublecomplete", "0xC4/0x91002"},
    {"NdisOidDoubleRequest", DEVTEST "ndis-ndisoiddoublerequest", "0xC4/0x9100E"},
    {"NdisTimedOidComplete", DEVTEST "ndis-ndistimedoidcomplete", "0xC4/0x92003"},
    {"NdisTimedDataSend", DEVTEST "ndis-ndistimeddatasend", "0xC4/0x9200D"},
    {"NdisTimedDataHang", DEVTEST "ndis-ndistimeddatahang", "0xC4/0x9200F"},
    /* Use of the kernel */
    {"DeadlockDetection", DEVTEST "deadlock-detection", "0xC4/0x1001"},
    {"NullCheck", DEVTEST "nullcheckw", NULL},
    {"DoubleFetch", DEVTEST "wdm-doublefetch", NULL},
    {"SafeStrings", DEVTEST "wdm-safestrings", NULL},
    {"DebugBreakUsage", DEVTEST "wdm-debugbreakusage", NULL},
    {"UnSafeAllocatePool", DEVTEST "wdm-unsafeallocatepool", NULL},
    /* Bug checks that are the name of what they find */
    {"BAD_POOL_CALLER", DEBUGGER "bug-check-0xc2--bad-pool-caller", "0xC2"},
    {"BAD_POOL_HEADER", DEBUGGER "bug-check-0x19--bad-pool-header", "0x19"},
    {"DRIVER_PAGE_FAULT_IN_FREED_SPECIAL_POOL", DEBUGGER "bug-check-0xd5--driver-page-fault-in-freed-special-pool",
     "0xD5"},
    {"DRIVER_VERIFIER_DETECTED_VIOLATION", VERIFIER, "0xC4"},
    {"DRIVER_VERIFIER_IOMANAGER_VIOLATION", IO_MODULE, "0xC9"},
    {"DRIVER_OVERRAN_STACK_BUFFER", DEBUGGER "bug-check-0xf7--driver-overran-stack-buffer", "0xF7"},
    {"DRIVER_PAGE_FAULT_BEYOND_END_OF_ALLOCATION",
     DEBUGGER "bug-check-0xd6--driver-page-fault-beyond-end-of-allocation", "0xD6"},
    {"BUGCODE_NDIS_DRIVER", NDIS, "0x7C"},
    {"MULTIPLE_IRP_COMPLETE_REQUESTS", DEBUGGER "bug-check-0x44--multiple-irp-complete-requests", "0x44"},
    {"INVALID_KERNEL_HANDLE", DEBUGGER "bug-check-0x93--invalid-kernel-handle", "0x93"},
    {"INVALID_PROCESS_ATTACH_ATTEMPT", DEBUGGER "bug-check-0x5--invalid-process-attach-attempt", "0x5"},
    {"INVALID_PROCESS_DETACH_ATTEMPT", DEBUGGER "bug-check-0x6--invalid-process-detach-attempt", "0x6"},
    {"REFERENCE_BY_POINTER", DEBUGGER "bug-check-0x18--reference-by-pointer", "0x18"},
    {"IRQL_NOT_LESS_OR_EQUAL", DEBUGGER "bug-check-0xa--irql-not-less-or-equal", "0xA"},
    {"KeWaitForSingleObject", "learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-kewaitforsingleobject",
     NULL},
    {"DispatcherObject", KERNEL "introduction-to-kernel-dispatcher-objects", NULL},
    {"FastMutex", KERNEL "fast-mutexes-and-guarded-mutexes", NULL},
    {"RundownProtection", KERNEL "run-down-protection", NULL},
    /* What the documentation demands and no Microsoft rule names */
    {"AttributesOrder", DDI "ndis/nf-ndis-ndismsetminiportattributes", NULL},
    {"ClientBuffer", KERNEL "methods-for-accessing-data-buffers", NULL},
    {"CompletionUnderLock", NETWORK "synchronization-and-notification-in-network-drivers", NULL},
    {"CsqDriverContext", KERNEL "cancel-safe-irp-queues", NULL},
    {"DataRace", NETWORK "synchronization-and-notification-in-network-drivers", NULL},
    {"DeviceExtension", DDI "ndis/nf-ndis-ndisgetdevicereservedextension", NULL},
    {"LeakAtHalt", DDI "ndis/nc-ndis-miniport_halt", NULL},
    {"LeakAtUnload", DDI "ndis/nc-ndis-miniport_unload", NULL},
    {"LinkStateDuplicate", NETWORK "ndis-status-link-state", NULL},
    {"NblModified", DDI "ndis/nc-ndis-miniport_send_net_buffer_lists", NULL},
    {"NblOwnership", NETWORK "net-buffer-list-structure", "0x7C/0x05"},
    {"NblStatus", DDI "ndis/nc-ndis-miniport_send_net_buffer_lists", NULL},
    {"OidCounts", DDI "oidrequest/ns-oidrequest-ndis_oid_request", NULL},
    {"OpaqueStructure", KERNEL "eprocess", NULL},
    {"PauseOutstanding", DDI "ndis/nc-ndis-miniport_pause", NULL},
    {"PnpNotification", DDI "wdm/nf-wdm-ioregisterplugplaynotification", NULL},
    {"PnpRequest", KERNEL "passing-pnp-irps-down-the-device-stack", NULL},
    {"ProbeForRead", DDI "wdm/nf-wdm-probeforread", NULL},
    {"ReceiveIndication", DDI "ndis/nf-ndis-ndismindicatereceivenetbufferlists", NULL},
    {"StackUseAfterReturn", KERNEL "using-the-kernel-stack", NULL},
    {"WriteAfterFree", VERIFIER, "0xC4"},
};

static const struct rule *find_rule(const char *name)
{
    for (size_t i = 0; i < sizeof known_rules / sizeof known_rules[0]; i++)
        if (strcmp(known_rules[i].name, name) == 0)
            return &known_rules[i];
    return NULL;
}

static bool was_reported(const char *rule, uint32_t operation)
{
    const struct log *log = &current_host->log;
    for (uint32_t next = log->newest_broken; next != 0; next = log->storage->events[next - 1].reserved)
    {
        const struct host_event *event = &log->storage->events[next - 1];
        if (event->operation == operation && strcmp(event->rule, rule) == 0)
            return true;
    }
    return false;
}

/* Cuts like snprintf, never at a place that is not there. */
static size_t append(char *text, size_t size, size_t used, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static size_t append(char *text, size_t size, size_t used, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(text + used, size - used, format, arguments);
    va_end(arguments);
    if (written < 0)
        return used;
    return (size_t)written < size - used ? used + (size_t)written : size - 1;
}

static void report(const char *rule, uint32_t operation, const char *format, va_list arguments)
{
    const struct actor *actor = actor_current();
    char text[1024];
    size_t used = 0;
    if (actor != NULL && actor->handler != NULL)
        used = append(text, sizeof text, used, "in %s: ", actor->handler);
    int written = vsnprintf(text + used, sizeof text - used, format, arguments);
    if (written > 0)
        used = (size_t)written < sizeof text - used ? used + (size_t)written : sizeof text - 1;
    const struct rule *known = find_rule(rule);
    if (known != NULL)
        used = append(text, sizeof text, used, known->bug_check == NULL ? " (%s)" : " (%s; bug check %s)", known->page,
                      known->bug_check);
    struct host_event *event = log_event(HOST_EVENT_RULE_BROKEN, operation);
    event->rule = rule;
    log_data(event, text, used);
    event->reserved = current_host->log.newest_broken;
    current_host->log.newest_broken = current_host->log.count;
    wintun_sim_finding();
}

void rule_broken(const char *rule, const char *format, ...)
{
    const uint32_t operation = work_operation();
    if (was_reported(rule, operation))
        return;
    va_list arguments;
    va_start(arguments, format);
    report(rule, operation, format, arguments);
    va_end(arguments);
}

void rule_found(const char *rule, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    report(rule, work_operation(), format, arguments);
    va_end(arguments);
}

static const char *irql_name(unsigned irql, char *text, size_t size)
{
    static const char *const names[] = {"PASSIVE_LEVEL", "APC_LEVEL", "DISPATCH_LEVEL"};
    if (irql < sizeof names / sizeof names[0])
        return names[irql];
    snprintf(text, size, "IRQL %u", irql);
    return text;
}

bool rule_irql(const char *rule, const char *function, unsigned lowest, unsigned highest)
{
    const struct actor *actor = actor_current();
    unsigned irql = actor == NULL ? 0 : actor->irql;
    if (lowest <= irql && irql <= highest)
        return true;
    char has[16];
    char wants[16];
    if (lowest == highest)
        rule_broken(rule, "%s was called at %s, but only %s is allowed", function, irql_name(irql, has, sizeof has),
                    irql_name(lowest, wants, sizeof wants));
    else if (irql > highest)
        rule_broken(rule, "%s was called at %s, but at most %s is allowed", function, irql_name(irql, has, sizeof has),
                    irql_name(highest, wants, sizeof wants));
    else
        rule_broken(rule, "%s was called at %s, but at least %s is needed", function, irql_name(irql, has, sizeof has),
                    irql_name(lowest, wants, sizeof wants));
    return false;
}

bool rule_no_spin_lock(const char *rule, const char *function)
{
    const struct actor *actor = actor_current();
    if (actor == NULL || lock_spin_count(actor) == 0)
        return true;
    rule_broken(rule, "%s was called with a spin lock held", function);
    return false;
}
