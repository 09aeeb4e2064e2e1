/* SPDX-License-Identifier: MIT
 *
 * NDIS 6 for miniport drivers: this header only gathers its parts.
 *
 * A driver defines NDIS_MINIPORT_DRIVER or NDIS_WDM and NDISxyz_MINIPORT first: ndis_version.h.
 */
#ifndef NT_NDIS_H
#define NT_NDIS_H
#define _NDIS_

#include "wdm.h"
#include "ndis_types.h"
#include "ndis_nbl.h"
#include "ndis_miniport.h"
#include "ndis_attributes.h"
#include "ndis_functions.h"

#endif
