/* Lists guarded by a spin lock inside the call:
 * learn.microsoft.com/windows-hardware/drivers/kernel/singly-and-doubly-linked-lists.
 *
 * Such a lock is used by these functions alone; each call is one step that nobody interrupts, so the lock is checked
 * and never waited for. It orders whatever else these functions are used for with the same lock.
 */
#include <ntddk.h>

#include "depend.h"
#include "happens.h"
#include "host.h"
#include "io_room.h"

static void begin(PLIST_ENTRY list, PKSPIN_LOCK lock, const char *caller)
{
    const volatile uint64_t *word = (const volatile uint64_t *)(volatile void *)lock;
    if (lock_holder(word) != NULL)
        rule_broken("SpinLock", "%s was given a spin lock that is also acquired by others, and is held", caller);
    schedule_point(POINT_INTERLOCKED, list);
    depend(lock, DEPEND_WRITE);
    happens_acquire(lock);
    happens_release(lock);
}

PLIST_ENTRY FASTCALL ExInterlockedInsertHeadList(PLIST_ENTRY ListHead, PLIST_ENTRY ListEntry, PKSPIN_LOCK Lock)
{
    request_check_interlocked(ListEntry, "ExInterlockedInsertHeadList");
    begin(ListHead, Lock, "ExInterlockedInsertHeadList");
    PLIST_ENTRY first = IsListEmpty(ListHead) ? NULL : ListHead->Flink;
    InsertHeadList(ListHead, ListEntry);
    return first;
}

PLIST_ENTRY FASTCALL ExInterlockedInsertTailList(PLIST_ENTRY ListHead, PLIST_ENTRY ListEntry, PKSPIN_LOCK Lock)
{
    request_check_interlocked(ListEntry, "ExInterlockedInsertTailList");
    begin(ListHead, Lock, "ExInterlockedInsertTailList");
    PLIST_ENTRY last = IsListEmpty(ListHead) ? NULL : ListHead->Blink;
    InsertTailList(ListHead, ListEntry);
    return last;
}

PLIST_ENTRY FASTCALL ExInterlockedRemoveHeadList(PLIST_ENTRY ListHead, PKSPIN_LOCK Lock)
{
    begin(ListHead, Lock, "ExInterlockedRemoveHeadList");
    return IsListEmpty(ListHead) ? NULL : RemoveHeadList(ListHead);
}

const struct export interlocked_exports[] = {
    EXPORT(ExInterlockedInsertHeadList),
    EXPORT(ExInterlockedInsertTailList),
    EXPORT(ExInterlockedRemoveHeadList),
    EXPORTS_END,
};
