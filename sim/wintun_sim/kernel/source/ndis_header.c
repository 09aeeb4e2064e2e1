/* NDIS refuses a structure whose revision is not the one that belongs to the version which the driver registered for,
 * be it older or newer
 * (learn.microsoft.com/windows-hardware/drivers/network/version-information-requirements-for-ndis), and drivers have to
 * name a size that NDIS defines for it (…/network/overview-of-ndis-support-for-header-versions). What sizeof gives is
 * as good: the padding at the end may count, and so may members of a later revision.
 */
#include "ndis_header.h"

#include "rules.h"

uint32_t object_revision(const struct object_form *form, uint32_t version)
{
    uint32_t revision = 1;
    while (revision < OBJECT_REVISIONS && form->revisions[revision].size != 0 &&
           form->revisions[revision].since <= version)
        revision++;
    return revision;
}

static bool is_size(const struct object_form *form, uint32_t revision, size_t size)
{
    const size_t padding = sizeof(void *) - 1;
    if (size == form->whole)
        return true;
    for (; revision <= OBJECT_REVISIONS && form->revisions[revision - 1].size != 0; revision++)
    {
        const size_t defined = form->revisions[revision - 1].size;
        if (size == defined || size == ((defined + padding) & ~padding))
            return true;
    }
    return false;
}

bool object_check(const NDIS_OBJECT_HEADER *header, const struct object_form *form, uint32_t version)
{
    const uint32_t revision = object_revision(form, version);
    if (header->Type == form->type && header->Revision == revision && is_size(form, revision, header->Size))
        return true;
    rule_broken(
        "BUGCODE_NDIS_DRIVER",
        "%s has a header of type 0x%02X, revision %u and size %u, but type 0x%02X, revision %u and %u bytes are "
        "wanted (0x%02X)",
        form->name, header->Type, header->Revision, header->Size, form->type, revision,
        form->revisions[revision - 1].size, form->parameter);
    return false;
}
