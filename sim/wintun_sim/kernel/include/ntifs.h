/* What file systems include; of it, this project knows the security, process and object functions that a network driver
 * uses too. */
#ifndef NT_NTIFS_H
#define NT_NTIFS_H

#include "ntddk.h"

#endif
