/* SPDX-License-Identifier: MIT
 *
 * Microsoft's driver annotations (IRQL, roles of functions, ownership of memory), as macros without effect.
 *
 * The host kernel checks at run time what these promise to a static analyser. Names and meaning:
 * learn.microsoft.com/windows-hardware/drivers/devtest/irql-annotations-for-drivers and its neighbours.
 */
#ifndef NT_DRIVERSPECS_H
#define NT_DRIVERSPECS_H

#include "sal.h"

#define _Function_class_(name)
#define _Dispatch_type_(major)
#define _Kernel_clear_do_init_(yes)
#define _Kernel_float_saved_
#define _Kernel_float_restored_
#define _Kernel_float_used_
#define _Kernel_IoGetDmaAdapter_
#define _Kernel_requires_resource_held_(kind)
#define _Kernel_requires_resource_not_held_(kind)
#define _Kernel_acquires_resource_(kind)
#define _Kernel_releases_resource_(kind)
#define _Kernel_entry_
#define _Kernel_entry_always_
#define _IRQL_always_function_max_(level)
#define _IRQL_always_function_min_(level)
#define _IRQL_is_cancel_
#define _IRQL_limited_to_(level)
#define _IRQL_raises_(level)
#define _IRQL_requires_(level)
#define _IRQL_requires_max_(level)
#define _IRQL_requires_min_(level)
#define _IRQL_requires_same_
#define _IRQL_restores_
#define _IRQL_restores_global_(kind, place)
#define _IRQL_saves_
#define _IRQL_saves_global_(kind, place)
#define _IRQL_uses_cancel_
#define _Flt_ConnectionCookie_Outptr_

#define __drv_aliasesMem
#define __drv_allocatesMem(kind)
#define __drv_freesMem(kind)
#define __drv_strictTypeMatch(mode)
#define __drv_strictType(type, mode)
#define __drv_typeConst
#define __drv_typeExpr
#define __drv_when(condition, annotations)
#define __drv_at(target, annotations)
#define __drv_in(annotations)
#define __drv_out(annotations)
#define __drv_arg(target, annotations)
#define __drv_ret(annotations)
#define __drv_functionClass(name)
#define __drv_sameIRQL
#define __drv_requiresIRQL(level)
#define __drv_maxIRQL(level)
#define __drv_minIRQL(level)
#define __drv_savesIRQL
#define __drv_restoresIRQL
#define __drv_raisesIRQL(level)
#define __drv_setsIRQL(level)
#define __drv_useCancelIRQL
#define __drv_isCancelIRQL
#define __drv_mustHold(kind)
#define __drv_mustHoldCriticalRegion
#define __drv_mustHoldSpinLock
#define __drv_acquiresExclusiveResource(kind, lock)
#define __drv_releasesExclusiveResource(kind, lock)
#define __drv_dispatchType(major)
#define __drv_dispatchType_other
#define __drv_interlocked
#define __drv_inTry
#define __drv_notInTry
#define __drv_valueIs(values)
#define __drv_reportError(reason)
#define __drv_preferredFunction(name, reason)
#define __drv_neverHold(kind)
#define __drv_notPointer
#define __drv_freesMemory(kind)
#define __drv_fixed

#endif
