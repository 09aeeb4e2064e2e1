/* SPDX-License-Identifier: MIT
 *
 * The driver's version, for its code and its resources. wintun.inf's DriverVer and wintun.vcxproj repeat it.
 */
#pragma once

/* What OID_GEN_VENDOR_DRIVER_VERSION tells, and so part of what the adapter does. */
#define TUN_VERSION_MAJOR 0
#define TUN_VERSION_MINOR 0

/* Counted up with every package, so that Windows takes the newer of two. */
#define TUN_VERSION_BUILD 1
