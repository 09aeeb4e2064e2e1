/* SPDX-License-Identifier: MIT
 *
 * What NDIS may ask of the adapter, and set.
 */
#pragma once

#include <ndis.h>

/* What the general attributes list. Not const, for NDIS takes it so, but never written. */
extern NDIS_OID TunSupportedOids[17];

MINIPORT_OID_REQUEST TunOidRequest;
MINIPORT_CANCEL_OID_REQUEST TunCancelOidRequest;
MINIPORT_DIRECT_OID_REQUEST TunDirectOidRequest;
MINIPORT_CANCEL_DIRECT_OID_REQUEST TunCancelDirectOidRequest;
