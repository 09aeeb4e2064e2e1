/* SPDX-License-Identifier: MIT
 *
 * The part of NDIS that user mode sees too, under its Windows name.
 */
#ifndef NT_NTDDNDIS_H
#define NT_NTDDNDIS_H

#include "ndis_types.h"

#endif
