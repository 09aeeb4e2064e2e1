/* SPDX-License-Identifier: MIT
 *
 * What file systems include: of it, the security and process functions that a network driver uses too.
 */
#ifndef NT_NTIFS_H
#define NT_NTIFS_H

#include "ntddk.h"
#include "nt_process.h"
#include "nt_security.h"

#endif
