/* SPDX-License-Identifier: MIT */
#pragma once

#include <ndis.h>

MINIPORT_SEND_NET_BUFFER_LISTS TunSendNetBufferLists;
MINIPORT_CANCEL_SEND TunCancelSend;
MINIPORT_RETURN_NET_BUFFER_LISTS TunReturnNetBufferLists;
