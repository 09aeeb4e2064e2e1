/* SPDX-License-Identifier: MIT
 *
 * NBLs in a row that belong to nobody but whoever holds the chain.
 */
#include "nbl_chain.h"

_Use_decl_annotations_
VOID TunNblChainAppend(TUN_NBL_CHAIN *Chain, NET_BUFFER_LIST *Nbl)
{
    NET_BUFFER_LIST_NEXT_NBL(Nbl) = NULL;
    if (Chain->First == NULL)
        Chain->First = Nbl;
    else
        NET_BUFFER_LIST_NEXT_NBL(Chain->Last) = Nbl;
    Chain->Last = Nbl;
    ++Chain->Count;
}
