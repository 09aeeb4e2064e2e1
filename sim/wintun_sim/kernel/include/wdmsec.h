/* SPDX-License-Identifier: MIT
 *
 * Security descriptor strings for device objects:
 * learn.microsoft.com/windows-hardware/drivers/kernel/sddl-for-device-objects.
 *
 * On Windows the strings come from the static library wdmsec.lib; here each is a constant that the linker keeps once.
 */
#ifndef NT_WDMSEC_H
#define NT_WDMSEC_H

#include "wdm.h"

#define NT_SDDL(name, text)           \
    extern const UNICODE_STRING name; \
    const UNICODE_STRING DECLSPEC_SELECTANY name = {sizeof(text) - sizeof(WCHAR), sizeof(text), (PWCH)(text)}

NT_SDDL(SDDL_DEVOBJ_KERNEL_ONLY, L"D:P");
NT_SDDL(SDDL_DEVOBJ_SYS_ALL, L"D:P(A;;GA;;;SY)");
NT_SDDL(SDDL_DEVOBJ_SYS_ALL_ADM_ALL, L"D:P(A;;GA;;;SY)(A;;GA;;;BA)");
NT_SDDL(SDDL_DEVOBJ_SYS_ALL_ADM_RX, L"D:P(A;;GA;;;SY)(A;;GRGX;;;BA)");
NT_SDDL(SDDL_DEVOBJ_SYS_ALL_ADM_RWX_WORLD_R, L"D:P(A;;GA;;;SY)(A;;GRGWGX;;;BA)(A;;GR;;;WD)");
NT_SDDL(SDDL_DEVOBJ_SYS_ALL_ADM_RWX_WORLD_R_RES_R, L"D:P(A;;GA;;;SY)(A;;GRGWGX;;;BA)(A;;GR;;;WD)(A;;GR;;;RC)");
NT_SDDL(SDDL_DEVOBJ_SYS_ALL_ADM_RWX_WORLD_RW_RES_R, L"D:P(A;;GA;;;SY)(A;;GRGWGX;;;BA)(A;;GRGW;;;WD)(A;;GR;;;RC)");
NT_SDDL(SDDL_DEVOBJ_SYS_ALL_ADM_RWX_WORLD_RWX_RES_RWX,
        L"D:P(A;;GA;;;SY)(A;;GRGWGX;;;BA)(A;;GRGWGX;;;WD)(A;;GRGWGX;;;RC)");

#endif
