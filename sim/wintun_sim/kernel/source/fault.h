/* What may fail, fails when it was armed to, or when the oracle says so. */
#ifndef WINTUN_SIM_FAULT_H
#define WINTUN_SIM_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "../host_api.h"

struct faults
{
    struct host_fault of[HOST_FAULT_KINDS];
};

/* Whether this attempt fails. To be asked exactly once for each attempt, before anything changes. */
bool fault_strikes(enum host_fault_kind kind);

/* Arms `fault` in place of what was armed for its kind; false when the kind is unknown. */
bool fault_arm(const struct host_fault *fault);

#endif
