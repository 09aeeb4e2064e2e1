/* SPDX-License-Identifier: MIT
 *
 * What DriverEntry leaves behind for the rest of the driver.
 */
#pragma once

#include <ndis.h>

/* What NdisMRegisterMiniportDriver returned. Constant from DriverEntry's return to the driver's unload. */
extern NDIS_HANDLE TunDriverHandle;

/* The version of NDIS that the driver registered for: the lower of what the system offers and what the driver knows, as
 * in NdisGetVersion. Constant from DriverEntry's return on. */
extern ULONG TunNdisVersion;

DRIVER_INITIALIZE DriverEntry;
