/* Armed faults, and those that the oracle chooses (fault.h). */
#include "depend.h"
#include "fault_site.h"
#include "host.h"

bool fault_strikes(enum host_fault_kind kind)
{
    struct host_fault *fault = &current_host->faults.of[kind];
    if (fault->count != 0)
    {
        depend(fault, DEPEND_WRITE);
        if (fault->after != 0)
        {
            fault->after -= 1;
            return false;
        }
        fault->count -= 1;
        return true;
    }
    if (current_host->sites != NULL)
        return fault_site_strikes(current_host->sites, kind);
    struct oracle *oracle = current_host->oracle;
    return oracle->faults && oracle_choose(oracle, CHOICE_FAULT, 2) == 1;
}

bool fault_arm(const struct host_fault *fault)
{
    if (fault->kind >= HOST_FAULT_KINDS)
        return false;
    current_host->faults.of[fault->kind] = *fault;
    return true;
}
