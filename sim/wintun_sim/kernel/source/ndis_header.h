/* The headers that NDIS' structures begin with: type, revision and size. */
#ifndef WINTUN_SIM_NDIS_HEADER_H
#define WINTUN_SIM_NDIS_HEADER_H

#include <ndis.h>

#include <stdbool.h>
#include <stdint.h>

enum
{
    OBJECT_REVISIONS = 3
};

/* A structure's revision: the first version of NDIS that has it (major << 16 | minor), and its bytes. */
struct object_revision
{
    uint32_t since;
    uint16_t size;
};

/* A structure that a driver hands to NDIS: revision 1 stands at index 0, and the first one without a size ends the
 * list. `whole` is sizeof, and `parameter` the first one of the bug check. */
struct object_form
{
    const char *name;
    UCHAR type;
    uint8_t parameter;
    uint16_t whole;
    struct object_revision revisions[OBJECT_REVISIONS];
};

/* For a structure that is the same in all versions of NDIS. */
#define ANY_NDIS UINT32_MAX

/* Returns the revision of a structure that a driver of this version of NDIS has to hand over. */
uint32_t object_revision(const struct object_form *form, uint32_t version);

/* Tells whether a header is as NDIS wants it of a driver that registered for this version; reports BUGCODE_NDIS_DRIVER
 * where it is not. */
bool object_check(const NDIS_OBJECT_HEADER *header, const struct object_form *form, uint32_t version);

#endif
