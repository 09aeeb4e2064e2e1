/* SPDX-License-Identifier: MIT
 *
 * Include once per image, before the headers whose GUIDs this image defines: learn.microsoft.com "Including GUIDs in
 * driver code".
 */
#ifndef INITGUID
#define INITGUID
#endif
#include "guiddef.h"
