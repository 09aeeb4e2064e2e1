/* Finding the call site of an attempt, by unwinding the actor's stack to the first frame in an image (fault_site.h). */
#include "depend.h"
#include "fault_site.h"

#include "host.h"

static bool is_same(const struct host_fault_site *one, const struct host_fault_site *other)
{
    return one->kind == other->kind && one->image == other->image && one->place == other->place;
}

static void note(struct fault_sites *sites, const struct host_fault_site *site)
{
    for (size_t i = 0; i < sites->count; i++)
        if (is_same(&sites->found[i], site))
        {
            sites->found[i].attempts += 1;
            return;
        }
    oracle_grow(&sites->found, &sites->capacity, sites->count + 1, sizeof *sites->found);
    sites->found[sites->count++] = *site;
}

bool fault_site_strikes(struct fault_sites *sites, enum host_fault_kind kind)
{
    const bool listing = sites->wanted.kind == HOST_FAULT_KINDS;
    if (!listing && (sites->struck || kind != sites->wanted.kind))
        return false;
    depend(sites, DEPEND_READ);
    const uintptr_t place = image_calling_place();
    const struct image *image = place == 0 ? NULL : image_of(place);
    if (image == NULL)
        return false; /* the system's own attempt, on behalf of no line of the driver */
    const struct host_fault_site site = {
        .kind = kind, .image = image->index + 1u, .place = image_offset(image, place - 1), .attempts = 1};
    if (listing)
    {
        note(sites, &site);
        return false;
    }
    if (!is_same(&site, &sites->wanted))
        return false;
    depend(sites, DEPEND_WRITE);
    sites->struck = oracle_choose(current_host->oracle, CHOICE_FAULT, 2) == 1;
    return sites->struck;
}
