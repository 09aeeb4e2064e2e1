/* SPDX-License-Identifier: MIT
 *
 * Random numbers and hashes of the next-generation cryptography interface, which cng.sys exports to drivers.
 *
 * learn.microsoft.com/windows/win32/api/bcrypt/. PASSIVE_LEVEL, or <= DISPATCH_LEVEL for a provider opened with
 * BCRYPT_PROV_DISPATCH.
 */
#ifndef NT_BCRYPT_H
#define NT_BCRYPT_H

#include "ntdef.h"

typedef PVOID BCRYPT_HANDLE, BCRYPT_ALG_HANDLE, BCRYPT_HASH_HANDLE;

#define BCRYPT_RNG_ALGORITHM            L"RNG"
#define BCRYPT_SHA256_ALGORITHM         L"SHA256"
#define BCRYPT_OBJECT_LENGTH            L"ObjectLength"
#define BCRYPT_HASH_LENGTH              L"HashDigestLength"
#define BCRYPT_PROV_DISPATCH            0x00000001
#define BCRYPT_USE_SYSTEM_PREFERRED_RNG 0x00000002
#define BCRYPT_SUCCESS(status)          (((NTSTATUS)(status)) >= 0)

NTSTATUS WINAPI BCryptOpenAlgorithmProvider(BCRYPT_ALG_HANDLE *Algorithm, LPCWSTR AlgorithmId, LPCWSTR Implementation,
                                            ULONG Flags);
NTSTATUS WINAPI BCryptCloseAlgorithmProvider(BCRYPT_ALG_HANDLE Algorithm, ULONG Flags);
NTSTATUS WINAPI BCryptGetProperty(BCRYPT_HANDLE Object, LPCWSTR Property, PUCHAR Output, ULONG OutputSize,
                                  ULONG *ResultSize, ULONG Flags);
NTSTATUS WINAPI BCryptGenRandom(BCRYPT_ALG_HANDLE Algorithm, PUCHAR Buffer, ULONG BufferSize, ULONG Flags);
NTSTATUS WINAPI BCryptCreateHash(BCRYPT_ALG_HANDLE Algorithm, BCRYPT_HASH_HANDLE *Hash, PUCHAR HashObject,
                                 ULONG HashObjectSize, PUCHAR Secret, ULONG SecretSize, ULONG Flags);
NTSTATUS WINAPI BCryptHashData(BCRYPT_HASH_HANDLE Hash, PUCHAR Input, ULONG InputSize, ULONG Flags);
NTSTATUS WINAPI BCryptFinishHash(BCRYPT_HASH_HANDLE Hash, PUCHAR Output, ULONG OutputSize, ULONG Flags);
NTSTATUS WINAPI BCryptDestroyHash(BCRYPT_HASH_HANDLE Hash);

#endif
