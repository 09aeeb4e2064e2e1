/* SPDX-License-Identifier: MIT
 *
 * The NT kernel's interface for drivers: this header only gathers its parts, one concern each.
 */
#ifndef NT_WDM_H
#define NT_WDM_H
#define _WDMDDK_
#define _WDM_INCLUDED_

#include "ntdef.h"
#include "ntstatus.h"
#include "nt_interlocked.h"
#include "nt_list.h"
#include "nt_string.h"
#include "nt_pool.h"
#include "nt_event.h"
#include "nt_lock.h"
#include "nt_mdl.h"
#include "nt_device.h"
#include "nt_irp.h"
#include "nt_csq.h"
#include "nt_work.h"
#include "nt_object.h"
#include "nt_pnp.h"

#endif
