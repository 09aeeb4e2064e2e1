/* Who is late: sends, OID requests, pauses and restarts in virtual time
 * (learn.microsoft.com/windows-hardware/drivers/devtest/ndis-ndistimeddatasend, ndis-ndistimeddatahang,
 * ndis-ndistimedoidcomplete; bug check 0x7C with first parameter 0x25 is NDIS' own watchdog).
 */
#include "ndis_room.h"

static void check_sends(struct adapter *adapter)
{
    if (adapter->nbls_owned == 0 || clock_now() - adapter->progress_at < NDIS_HANG_LIMIT)
    {
        adapter->hangs = false;
        return;
    }
    if (adapter->hangs)
        return;
    adapter->hangs = true;
    current_host->operation = adapter->id;
    rule_broken("NdisTimedDataHang", "%u sent NET_BUFFER_LISTs are not completed, and none was for %u seconds",
                adapter->nbls_owned, (unsigned)(NDIS_HANG_LIMIT / CLOCK_SECOND));
}

static void check_change(struct adapter *adapter)
{
    const bool restarts = adapter->restart_operation != 0;
    if ((!restarts && adapter->pause_operation == 0) || adapter->overdue ||
        clock_now() - adapter->changes_at < NDIS_CHANGE_LIMIT)
        return;
    adapter->overdue = true;
    current_host->operation = restarts ? adapter->restart_operation : adapter->pause_operation;
    rule_broken("BUGCODE_NDIS_DRIVER", "%s returned NDIS_STATUS_PENDING and %s was not called within %u seconds (0x25)",
                restarts ? "MiniportRestart" : "MiniportPause",
                restarts ? "NdisMRestartComplete" : "NdisMPauseComplete", (unsigned)(NDIS_CHANGE_LIMIT / CLOCK_SECOND));
}

void time_check(void)
{
    for (struct adapter *adapter = current_host->ndis->adapters; adapter != NULL; adapter = adapter->next)
    {
        check_sends(adapter);
        check_change(adapter);
    }
    send_check_time();
    oid_check_time();
}

bool time_changes(void)
{
    for (const struct adapter *adapter = current_host->ndis->adapters; adapter != NULL; adapter = adapter->next)
        if (adapter->pause_operation != 0 || adapter->restart_operation != 0)
            return true;
    return oid_is_pending();
}

bool time_owed(void)
{
    for (const struct adapter *adapter = current_host->ndis->adapters; adapter != NULL; adapter = adapter->next)
        if (adapter->nbls_owned != 0)
            return true;
    return time_changes();
}
