/* SPDX-License-Identifier: MIT
 *
 * NBLs in a row that belong to nobody but whoever holds the chain.
 */
#pragma once

#include <ndis.h>

typedef struct _TUN_NBL_CHAIN
{
    NET_BUFFER_LIST *First; /* the NBLs in their order, linked by Next; NULL: none */
    NET_BUFFER_LIST *Last;  /* has no Next; not looked at where First is NULL */
    ULONG Count;            /* of them */
} TUN_NBL_CHAIN;

#define TUN_NO_NBLS   \
    {                 \
        NULL, NULL, 0 \
    }

/* Puts an NBL at the end, whatever its Next was. */
_IRQL_requires_max_(DISPATCH_LEVEL)
VOID TunNblChainAppend(_Inout_ TUN_NBL_CHAIN *Chain, _Inout_ NET_BUFFER_LIST *Nbl);
