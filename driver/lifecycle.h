/* SPDX-License-Identifier: MIT */
#pragma once

#include <ndis.h>

MINIPORT_INITIALIZE TunInitializeEx;
MINIPORT_HALT TunHaltEx;
