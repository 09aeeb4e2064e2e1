/* What drivers can import. Each room has one table, `const struct export NAME_exports[]`, ended by a NULL name and
 * listed in exports.c. */
#ifndef WINTUN_SIM_EXPORTS_H
#define WINTUN_SIM_EXPORTS_H

#include <stddef.h>
#include <stdint.h>

struct export
{
    const char *name;
    void *address;
};

#define EXPORT(function)                         \
    {                                            \
#function, (void *)(uintptr_t)(function) \
    }
#define EXPORTS_END \
    {               \
        NULL, NULL  \
    }

/* The address of what drivers call `name`, or NULL. */
void *export_find(const char *name);

/* The `index`-th name in alphabetic order, NULL beyond the last. */
const char *export_name(size_t index);

#endif
