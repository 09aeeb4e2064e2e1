/* Security descriptors that a driver builds in memory, and what one of them does to a device
 * (learn.microsoft.com/windows-hardware/drivers/ddi/ntifs/nf-ntifs-rtlcreateacl and its neighbours,
 * …/ddi/ntifs/nf-ntifs-zwsetsecurityobject). Everything is IRQL < DISPATCH_LEVEL.
 */
#include "object.h"

#include <string.h>

#include "../host_api.h"

enum
{
    OWNER_DEFAULTED = 0x0001,
    DACL_PRESENT = 0x0004,
    DACL_DEFAULTED = 0x0008,
    SELF_RELATIVE = 0x8000,
    NEWEST_ACL_REVISION = 4,
    ACL_SIZE_LIMIT = 0xFFFC,
    ALLOTTED_SPACE_EXCEEDED = (int)0xC0000099, /* STATUS_ALLOTTED_SPACE_EXCEEDED */
    READS = (int)(GENERIC_ALL | GENERIC_READ | FILE_READ_DATA),
    WRITES = GENERIC_ALL | GENERIC_WRITE | FILE_WRITE_DATA,
    EVERYONE = 1 << HOST_SYSTEM | 1 << HOST_ADMINISTRATOR | 1 << HOST_USER
};

static void check_irql(const char *function)
{
    rule_irql("IRQL_NOT_LESS_OR_EQUAL", function, PASSIVE_LEVEL, APC_LEVEL);
}

BOOLEAN NTAPI RtlValidSid(PSID Sid)
{
    const SID *sid = Sid;
    return sid != NULL && sid->Revision == SID_REVISION && sid->SubAuthorityCount <= SID_MAX_SUB_AUTHORITIES;
}

ULONG NTAPI RtlLengthRequiredSid(ULONG SubAuthorityCount)
{
    return (ULONG)offsetof(SID, SubAuthority) + 4 * SubAuthorityCount;
}

ULONG NTAPI RtlLengthSid(PSID Sid)
{
    return RtlLengthRequiredSid(((const SID *)Sid)->SubAuthorityCount);
}

NTSTATUS NTAPI RtlInitializeSid(PSID Sid, PSID_IDENTIFIER_AUTHORITY IdentifierAuthority, UCHAR SubAuthorityCount)
{
    SID *sid = Sid;
    if (SubAuthorityCount > SID_MAX_SUB_AUTHORITIES)
        return STATUS_INVALID_PARAMETER;
    sid->Revision = SID_REVISION;
    sid->SubAuthorityCount = SubAuthorityCount;
    sid->IdentifierAuthority = *IdentifierAuthority;
    return STATUS_SUCCESS;
}

PULONG NTAPI RtlSubAuthoritySid(PSID Sid, ULONG SubAuthority)
{
    return (ULONG *)(void *)((uint8_t *)Sid + RtlLengthRequiredSid(SubAuthority));
}

NTSTATUS NTAPI RtlCreateAcl(PACL Acl, ULONG AclLength, ULONG AclRevision)
{
    check_irql("RtlCreateAcl");
    if (AclLength < sizeof(ACL))
        return STATUS_BUFFER_TOO_SMALL;
    if (AclRevision < ACL_REVISION || AclRevision > NEWEST_ACL_REVISION || AclLength > ACL_SIZE_LIMIT)
        return STATUS_INVALID_PARAMETER;
    memset(Acl, 0, sizeof *Acl);
    Acl->AclRevision = (UCHAR)AclRevision;
    Acl->AclSize = (USHORT)(AclLength & ~3u);
    return STATUS_SUCCESS;
}

/* Where the first `count` entries of an ACL end, NULL when they do not fit in. */
static const uint8_t *acl_walk(const ACL *acl, unsigned count)
{
    const uint8_t *at = (const uint8_t *)(acl + 1);
    const uint8_t *end = (const uint8_t *)acl + acl->AclSize;
    for (; count != 0; count--)
    {
        ACE_HEADER header;
        if ((size_t)(end - at) < sizeof header)
            return NULL;
        memcpy(&header, at, sizeof header);
        if (header.AceSize < sizeof header || header.AceSize > end - at)
            return NULL;
        at += header.AceSize;
    }
    return at;
}

static bool acl_is_valid(const ACL *acl)
{
    return acl->AclRevision >= ACL_REVISION && acl->AclRevision <= NEWEST_ACL_REVISION && acl->AclSize >= sizeof *acl &&
           acl_walk(acl, acl->AceCount) != NULL;
}

NTSTATUS NTAPI RtlAddAccessAllowedAce(PACL Acl, ULONG AceRevision, ACCESS_MASK AccessMask, PSID Sid)
{
    check_irql("RtlAddAccessAllowedAce");
    if (!RtlValidSid(Sid))
        return STATUS_INVALID_SID;
    if (AceRevision < ACL_REVISION || AceRevision > NEWEST_ACL_REVISION)
        return STATUS_REVISION_MISMATCH;
    if (!acl_is_valid(Acl))
        return STATUS_INVALID_ACL;
    uint8_t *at = (uint8_t *)(uintptr_t)acl_walk(Acl, Acl->AceCount);
    const ULONG size = (ULONG)offsetof(ACCESS_ALLOWED_ACE, SidStart) + RtlLengthSid(Sid);
    if (size > (size_t)((uint8_t *)Acl + Acl->AclSize - at))
        return ALLOTTED_SPACE_EXCEEDED;
    const ACCESS_ALLOWED_ACE entry = {.Header = {ACCESS_ALLOWED_ACE_TYPE, 0, (USHORT)size}, .Mask = AccessMask};
    memcpy(at, &entry, offsetof(ACCESS_ALLOWED_ACE, SidStart));
    memcpy(at + offsetof(ACCESS_ALLOWED_ACE, SidStart), Sid, RtlLengthSid(Sid));
    Acl->AceCount++;
    if (AceRevision > Acl->AclRevision)
        Acl->AclRevision = (UCHAR)AceRevision;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlCreateSecurityDescriptor(PSECURITY_DESCRIPTOR SecurityDescriptor, ULONG Revision)
{
    check_irql("RtlCreateSecurityDescriptor");
    if (Revision != SECURITY_DESCRIPTOR_REVISION)
        return STATUS_UNKNOWN_REVISION;
    memset(SecurityDescriptor, 0, sizeof(SECURITY_DESCRIPTOR));
    ((SECURITY_DESCRIPTOR *)SecurityDescriptor)->Revision = SECURITY_DESCRIPTOR_REVISION;
    return STATUS_SUCCESS;
}

static NTSTATUS check_descriptor(const SECURITY_DESCRIPTOR *descriptor)
{
    if (descriptor->Revision != SECURITY_DESCRIPTOR_REVISION)
        return STATUS_UNKNOWN_REVISION;
    return descriptor->Control & SELF_RELATIVE ? STATUS_INVALID_SECURITY_DESCR : STATUS_SUCCESS;
}

static void set_control(SECURITY_DESCRIPTOR *descriptor, USHORT bit, bool on)
{
    descriptor->Control = (USHORT)(on ? descriptor->Control | bit : descriptor->Control & ~bit);
}

NTSTATUS NTAPI RtlSetDaclSecurityDescriptor(PSECURITY_DESCRIPTOR SecurityDescriptor, BOOLEAN DaclPresent, PACL Dacl,
                                            BOOLEAN DaclDefaulted)
{
    check_irql("RtlSetDaclSecurityDescriptor");
    SECURITY_DESCRIPTOR *descriptor = SecurityDescriptor;
    const NTSTATUS status = check_descriptor(descriptor);
    if (status != STATUS_SUCCESS)
        return status;
    set_control(descriptor, DACL_PRESENT, DaclPresent);
    if (!DaclPresent)
        return STATUS_SUCCESS;
    descriptor->Dacl = Dacl;
    set_control(descriptor, DACL_DEFAULTED, DaclDefaulted);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlSetOwnerSecurityDescriptor(PSECURITY_DESCRIPTOR SecurityDescriptor, PSID Owner,
                                             BOOLEAN OwnerDefaulted)
{
    check_irql("RtlSetOwnerSecurityDescriptor");
    SECURITY_DESCRIPTOR *descriptor = SecurityDescriptor;
    const NTSTATUS status = check_descriptor(descriptor);
    if (status != STATUS_SUCCESS)
        return status;
    descriptor->Owner = Owner;
    set_control(descriptor, OWNER_DEFAULTED, OwnerDefaulted);
    return STATUS_SUCCESS;
}

/* The accounts whose token holds this identifier, as in security.c. */
static uint8_t accounts_of(const SID *sid)
{
    static const struct
    {
        UCHAR authority;
        UCHAR count;
        ULONG parts[2];
        uint8_t accounts;
    } known[] = {{5, 1, {18, 0}, 1 << HOST_SYSTEM},
                 {5, 2, {32, 544}, 1 << HOST_SYSTEM | 1 << HOST_ADMINISTRATOR},
                 {5, 2, {32, 545}, 1 << HOST_ADMINISTRATOR | 1 << HOST_USER},
                 {5, 1, {4, 0}, 1 << HOST_ADMINISTRATOR | 1 << HOST_USER},
                 {5, 1, {11, 0}, EVERYONE},
                 {1, 1, {0, 0}, EVERYONE}};
    for (size_t index = 0; index < sizeof known / sizeof known[0]; index++)
    {
        const UCHAR authority[6] = {0, 0, 0, 0, 0, known[index].authority};
        if (memcmp(sid->IdentifierAuthority.Value, authority, sizeof authority) == 0 &&
            sid->SubAuthorityCount == known[index].count &&
            memcmp(sid->SubAuthority, known[index].parts, 4u * known[index].count) == 0)
            return known[index].accounts;
    }
    return 0;
}

/* The access check: entries in order; a denial of what is still wanted denies. False: an entry is damaged. */
static bool grants(const ACL *acl, unsigned account, bool *granted)
{
    bool reads = false;
    bool writes = false;
    bool denied = false;
    const uint8_t *at = (const uint8_t *)(acl + 1);
    for (unsigned index = 0; index < acl->AceCount; index++)
    {
        ACCESS_ALLOWED_ACE entry;
        _Alignas(SID) uint8_t sid[offsetof(SID, SubAuthority) + 4 * SID_MAX_SUB_AUTHORITIES] = {0};
        memcpy(&entry.Header, at, sizeof entry.Header);
        const size_t size = entry.Header.AceSize;
        if (size < sizeof entry || size - offsetof(ACCESS_ALLOWED_ACE, SidStart) > sizeof sid)
            return false;
        memcpy(&entry, at, sizeof entry);
        memcpy(sid, at + offsetof(ACCESS_ALLOWED_ACE, SidStart), size - offsetof(ACCESS_ALLOWED_ACE, SidStart));
        if (!RtlValidSid(sid) || RtlLengthSid(sid) > size - offsetof(ACCESS_ALLOWED_ACE, SidStart))
            return false;
        at += size;
        if ((accounts_of((const SID *)(const void *)sid) >> account & 1) == 0)
            continue;
        const bool on_reads = (entry.Mask & (ULONG)READS) != 0;
        const bool on_writes = (entry.Mask & (ULONG)WRITES) != 0;
        if (entry.Header.AceType == ACCESS_DENIED_ACE_TYPE)
            denied |= (on_reads && !reads) || (on_writes && !writes);
        else if (entry.Header.AceType == ACCESS_ALLOWED_ACE_TYPE && !denied)
        {
            reads |= on_reads;
            writes |= on_writes;
        }
    }
    *granted = reads && writes && !denied;
    return true;
}

/* IRQL = PASSIVE_LEVEL. The DACL of a device decides who opens it from now on; without one everybody may. Owner, group
 * and audit list decide nothing here. */
NTSTATUS NTAPI ZwSetSecurityObject(HANDLE Handle, SECURITY_INFORMATION SecurityInformation,
                                   PSECURITY_DESCRIPTOR SecurityDescriptor)
{
    rule_irql("IRQL_NOT_LESS_OR_EQUAL", "ZwSetSecurityObject", PASSIVE_LEVEL, PASSIVE_LEVEL);
    const struct object_handle *handle = object_handle_find(Handle);
    const SECURITY_DESCRIPTOR *descriptor = SecurityDescriptor;
    if (handle == NULL)
        return STATUS_INVALID_HANDLE;
    const NTSTATUS status = check_descriptor(descriptor);
    if (status != STATUS_SUCCESS)
        return status;
    const DEVICE_OBJECT *object = handle->object;
    if (handle->type == OBJECT_FILE)
        object = ((const FILE_OBJECT *)handle->object)->DeviceObject;
    else if (handle->type != OBJECT_DEVICE)
        return STATUS_OBJECT_TYPE_MISMATCH;
    if ((SecurityInformation & DACL_SECURITY_INFORMATION) == 0)
        return STATUS_SUCCESS;
    const ACL *dacl = descriptor->Control & DACL_PRESENT ? descriptor->Dacl : NULL;
    uint8_t accounts = dacl == NULL ? EVERYONE : 0;
    if (dacl != NULL && !acl_is_valid(dacl))
        return STATUS_INVALID_ACL;
    for (unsigned account = HOST_SYSTEM; dacl != NULL && account <= HOST_USER; account++)
    {
        bool granted = false;
        if (!grants(dacl, account, &granted))
            return STATUS_INVALID_ACL;
        accounts |= (uint8_t)(granted << account);
    }
    device_of(object)->accounts = accounts;
    return STATUS_SUCCESS;
}

const struct export descriptor_exports[] = {
    EXPORT(RtlAddAccessAllowedAce),       EXPORT(RtlCreateAcl),
    EXPORT(RtlCreateSecurityDescriptor),  EXPORT(RtlInitializeSid),
    EXPORT(RtlLengthRequiredSid),         EXPORT(RtlLengthSid),
    EXPORT(RtlSetDaclSecurityDescriptor), EXPORT(RtlSetOwnerSecurityDescriptor),
    EXPORT(RtlSubAuthoritySid),           EXPORT(RtlValidSid),
    EXPORT(ZwSetSecurityObject),          EXPORTS_END,
};
