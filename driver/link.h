/* SPDX-License-Identifier: MIT
 *
 * The link, which is up while a client has the device open.
 */
#pragma once

#include "adapter.h"

/* Tells NDIS that there is no link, for want of a client. Once, before the device exists. */
_IRQL_requires_max_(DISPATCH_LEVEL)
VOID TunLinkIndicateFirst(_In_ const TUN_ADAPTER *Adapter);

/* Tells NDIS of each change of the link that it does not know of, oldest first, unless somebody else is doing so: then
 * that is left to them. */
_IRQL_requires_max_(DISPATCH_LEVEL)
_Requires_lock_not_held_(Adapter->Lock)
VOID TunLinkIndicate(_Inout_ TUN_ADAPTER *Adapter);
