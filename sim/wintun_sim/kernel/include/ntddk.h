/* SPDX-License-Identifier: MIT
 *
 * What legacy drivers include; everything of it that this project knows is part of wdm.h.
 */
#ifndef NT_NTDDK_H
#define NT_NTDDK_H

#include "wdm.h"

#endif
