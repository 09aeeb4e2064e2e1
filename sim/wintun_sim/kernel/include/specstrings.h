/* SPDX-License-Identifier: MIT
 *
 * The first generation of Microsoft's annotations, which older drivers still carry; without effect. Included by name.
 */
#ifndef NT_SPECSTRINGS_H
#define NT_SPECSTRINGS_H

#include "driverspecs.h"

#define __in
#define __in_opt
#define __in_ecount(count)
#define __in_bcount(bytes)
#define __in_bcount_opt(bytes)
#define __inout
#define __inout_opt
#define __inout_bcount(bytes)
#define __out
#define __out_opt
#define __out_ecount(count)
#define __out_bcount(bytes)
#define __out_bcount_opt(bytes)
#define __deref_out
#define __deref_out_opt
#define __reserved
#define __success(condition)

#endif
