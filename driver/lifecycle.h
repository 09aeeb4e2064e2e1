/* SPDX-License-Identifier: MIT
 *
 * An adapter's beginning and its end.
 */
#pragma once

#include <ndis.h>

MINIPORT_INITIALIZE TunInitializeEx;
MINIPORT_HALT TunHaltEx;
