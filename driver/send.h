/* SPDX-License-Identifier: MIT
 *
 * Packets from the stack, as NDIS hands them over.
 */
#pragma once

#include <ndis.h>

MINIPORT_SEND_NET_BUFFER_LISTS TunSendNetBufferLists;
MINIPORT_CANCEL_SEND TunCancelSend;
MINIPORT_RETURN_NET_BUFFER_LISTS TunReturnNetBufferLists;
