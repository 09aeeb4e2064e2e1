/* SPDX-License-Identifier: MIT
 *
 * Interface types for drivers that ask for them under this header's name.
 */
#ifndef NT_IPIFCONS_H
#define NT_IPIFCONS_H

#include "ifdef.h"

#endif
