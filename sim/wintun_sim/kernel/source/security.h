/* Who may open a device: what of a security descriptor in SDDL (learn.microsoft.com/windows/win32/secauthz/
 * security-descriptor-string-format) decides about a system, an administrator's and a user's process. */
#ifndef WINTUN_SIM_SECURITY_H
#define WINTUN_SIM_SECURITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bit (1 << enum host_account) is set where that account gets read and write access. Returns false, with nothing
 * changed, when `sddl` (`length` UTF-16 units) is not a security descriptor string that can be understood. */
bool security_parse(const uint16_t *sddl, size_t length, uint8_t *accounts);

/* What a device gets that names no descriptor: system and administrators. */
#define SECURITY_DEFAULT ((uint8_t)(1u << HOST_SYSTEM | 1u << HOST_ADMINISTRATOR))

#endif
