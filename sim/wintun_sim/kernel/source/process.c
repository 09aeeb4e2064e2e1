/* Processes: each file object is opened by one of its own, whose id is four times the number after the file object's;
 * whatever is done on behalf of no client belongs to the system's, whose id is 4. All share one address space, so a
 * process is somewhere to be attached to, and something that may be gone, but nothing that hides memory.
 * Pages: learn.microsoft.com/windows-hardware/drivers/ddi/ntifs/nf-ntifs-pslookupprocessbyprocessid,
 * …/nf-ntifs-kestackattachprocess, …/wdm/nf-wdm-probeforread.
 */
#include "object.h"

#include <string.h>

enum
{
    SYSTEM_PROCESS = 4,
    /* What the host kernel does is what these stand for: special pool, IRQL checking, pool tracking, I/O checking
     * (…/ddi/wdm/nf-wdm-mmisverifierenabled). */
    VERIFIER_FLAGS = 0x1 | 0x2 | 0x8 | 0x10
};

uint64_t process_id_of_file(uint32_t file)
{
    return file == 0 ? SYSTEM_PROCESS : 4 * ((uint64_t)file + 1);
}

struct process *process_of(const void *object)
{
    struct process *process = current_host->io->objects->processes;
    while (process != NULL && process != object)
        process = process->next;
    return process;
}

static void process_delete(struct process *process)
{
    struct process **place = &current_host->io->objects->processes;
    while (*place != process)
        place = &(*place)->next;
    *place = process->next;
    arena_free(BLOCK_HOST, process, 0, "PsTerminateProcess");
}

void process_release(struct process *process)
{
    if (--process->references == 0 && process->gone)
        process_delete(process);
}

void process_exit(uint32_t file)
{
    struct process *process = current_host->io->objects->processes;
    while (process != NULL && process->id != process_id_of_file(file))
        process = process->next;
    if (process == NULL || file == 0)
        return;
    process->gone = true;
    if (process->references == 0)
        process_delete(process);
}

/* The process of that id, which must exist or be a live file object's. NULL when there is no memory. */
static struct process *process_get(uint64_t id)
{
    struct object_room *room = current_host->io->objects;
    for (struct process *process = room->processes; process != NULL; process = process->next)
        if (process->id == id)
            return process;
    struct process *made = arena_allocate(BLOCK_HOST, sizeof *made, 0, "PsCreateProcess");
    if (made == NULL)
        return NULL;
    memset(made, 0, sizeof *made);
    made->id = id;
    made->next = room->processes;
    room->processes = made;
    return made;
}

static const struct attachment *attachment_of(const struct actor *actor)
{
    const struct attachment *attachment = current_host->io->objects->attachments;
    while (attachment != NULL && attachment->actor != actor)
        attachment = attachment->next;
    return attachment;
}

uint64_t process_current_id(void)
{
    const struct actor *actor = actor_current();
    const struct attachment *attachment = attachment_of(actor);
    if (attachment != NULL)
        return attachment->process->id;
    const struct request *request = actor->operation == 0 ? NULL : request_find(actor->operation);
    return process_id_of_file(request == NULL ? 0 : request->file->id);
}

/* IRQL <= DISPATCH_LEVEL. */
PEPROCESS NTAPI IoGetCurrentProcess(VOID)
{
    return (PEPROCESS)(void *)process_get(process_current_id());
}

/* Any IRQL. */
HANDLE NTAPI PsGetCurrentProcessId(VOID)
{
    return (HANDLE)(uintptr_t)process_current_id();
}

/* Any IRQL. */
HANDLE NTAPI PsGetProcessId(PEPROCESS Process)
{
    const struct process *process = process_of(Process);
    if (process != NULL)
        return (HANDLE)(uintptr_t)process->id;
    rule_broken("REFERENCE_BY_POINTER", "PsGetProcessId was given something that is no process, or one that is gone");
    return NULL;
}

/* IRQL <= APC_LEVEL. The process gets a reference, which ObDereferenceObject gives back. */
NTSTATUS NTAPI PsLookupProcessByProcessId(HANDLE ProcessId, PEPROCESS *Process)
{
    rule_irql("IRQL_NOT_LESS_OR_EQUAL", "PsLookupProcessByProcessId", PASSIVE_LEVEL, APC_LEVEL);
    const uint64_t id = (uint64_t)(uintptr_t)ProcessId;
    *Process = NULL;
    if (id == 0 || id % 4 != 0)
        return STATUS_INVALID_CID;
    const uint64_t file = id / 4 - 1;
    if (id != SYSTEM_PROCESS && (file > UINT32_MAX || file_find((uint32_t)file) == NULL))
        return STATUS_INVALID_CID;
    struct process *process = process_get(id);
    if (process == NULL || !object_take(process, OBJECT_PROCESS))
        return STATUS_INSUFFICIENT_RESOURCES;
    *Process = (PEPROCESS)(void *)process;
    return STATUS_SUCCESS;
}

/* IRQL <= APC_LEVEL. */
VOID NTAPI KeStackAttachProcess(PRKPROCESS Process, PRKAPC_STATE ApcState)
{
    static const char function[] = "KeStackAttachProcess";
    struct process *process = process_of(Process);
    if (!rule_irql("INVALID_PROCESS_ATTACH_ATTEMPT", function, PASSIVE_LEVEL, APC_LEVEL))
        return;
    if (process == NULL)
    {
        rule_broken("INVALID_PROCESS_ATTACH_ATTEMPT", "%s was given something that is no process, or one that is gone",
                    function);
        return;
    }
    struct attachment *made = arena_allocate(BLOCK_HOST, sizeof *made, 0, function);
    if (made == NULL)
        crash_now("there is no memory left to attach to a process with");
    memset(ApcState, 0, sizeof *ApcState);
    memset(made, 0, sizeof *made);
    made->actor = actor_current();
    made->state = ApcState;
    made->process = process;
    made->next = current_host->io->objects->attachments;
    current_host->io->objects->attachments = made;
    process->references++;
    actor_current()->attached = true;
}

static void detach(const struct attachment *attachment)
{
    struct attachment **place = &current_host->io->objects->attachments;
    while (*place != attachment)
        place = &(*place)->next;
    struct attachment *newest = *place;
    *place = newest->next;
    process_release(newest->process);
    arena_free(BLOCK_HOST, newest, 0, "KeUnstackDetachProcess");
    actor_current()->attached = attachment_of(actor_current()) != NULL;
}

/* IRQL <= APC_LEVEL, by whom KeStackAttachProcess was called, the last one first. */
VOID NTAPI KeUnstackDetachProcess(PRKAPC_STATE ApcState)
{
    static const char function[] = "KeUnstackDetachProcess";
    rule_irql("INVALID_PROCESS_DETACH_ATTEMPT", function, PASSIVE_LEVEL, APC_LEVEL);
    const struct attachment *attachment = attachment_of(actor_current());
    if (attachment == NULL || attachment->state != ApcState)
        rule_broken("INVALID_PROCESS_DETACH_ATTEMPT",
                    attachment == NULL ? "%s was called by a thread that is attached to no process"
                                       : "%s was not given the state of the newest attachment of its thread",
                    function);
    if (attachment != NULL)
        detach(attachment);
}

void process_detach_all(struct actor *actor)
{
    rule_broken("INVALID_PROCESS_DETACH_ATTEMPT", "the driver returned while its thread was attached to a process");
    while (actor->attached)
        detach(attachment_of(actor));
}

/* Whether all of these bytes are some client's, lent to a request that is not complete. */
static bool is_user_memory(uintptr_t address, size_t length)
{
    for (size_t bucket = 0; bucket < REQUEST_BUCKETS; bucket++)
        for (const struct request *request = current_host->io->requests[bucket]; request != NULL;
             request = request->next)
        {
            const uintptr_t start = request->client == NULL ? 0 : (uintptr_t)request->client->bytes;
            if (start != 0 && address >= start && address - start <= request->length &&
                length <= request->length - (address - start))
                return true;
        }
    return false;
}

static void probe(const char *function, const volatile void *address, size_t length, ULONG alignment)
{
    rule_irql("IrqlMmApcLte", function, PASSIVE_LEVEL, APC_LEVEL);
    if (alignment == 0 || alignment > 16 || (alignment & (alignment - 1)) != 0)
        rule_broken("ProbeForRead", "%s was given an alignment of %u: 1, 2, 4, 8 and 16 are allowed", function,
                    alignment);
    if (length == 0)
        return;
    if (alignment != 0 && ((uintptr_t)address & (alignment - 1)) != 0)
        crash_now("%s raised exception 0x%08X, and nobody handles it: the address is not aligned to %u bytes", function,
                  (unsigned)STATUS_DATATYPE_MISALIGNMENT, alignment);
    if (!is_user_memory((uintptr_t)address, length))
        crash_now("%s raised exception 0x%08X, and nobody handles it: the bytes are not all a client's", function,
                  (unsigned)STATUS_ACCESS_VIOLATION);
}

/* IRQL <= APC_LEVEL. Images are compiled without `__try`, so that what it raises ends the run. */
VOID NTAPI ProbeForRead(const volatile VOID *Address, SIZE_T Length, ULONG Alignment)
{
    probe("ProbeForRead", Address, Length, Alignment);
}

/* Likewise. */
VOID NTAPI ProbeForWrite(volatile VOID *Address, SIZE_T Length, ULONG Alignment)
{
    probe("ProbeForWrite", Address, Length, Alignment);
}

/* IRQL <= APC_LEVEL. */
NTSTATUS NTAPI MmIsVerifierEnabled(PULONG VerifierFlags)
{
    rule_irql("IrqlMmApcLte", "MmIsVerifierEnabled", PASSIVE_LEVEL, APC_LEVEL);
    *VerifierFlags = VERIFIER_FLAGS;
    return STATUS_SUCCESS;
}

const struct export process_exports[] = {
    EXPORT(IoGetCurrentProcess),
    EXPORT(KeStackAttachProcess),
    EXPORT(KeUnstackDetachProcess),
    EXPORT(MmIsVerifierEnabled),
    EXPORT(ProbeForRead),
    EXPORT(ProbeForWrite),
    EXPORT(PsGetCurrentProcessId),
    EXPORT(PsGetProcessId),
    EXPORT(PsLookupProcessByProcessId),
    EXPORTS_END,
};
