/* Driver images: loading, binding, globals. An image is an ELF shared object that needs no library and has no undefined
 * symbol; builder.py makes it, with a table of what it imports. Each load is a private copy of the file with globals of
 * its own.
 */
#ifndef WINTUN_SIM_IMAGE_H
#define WINTUN_SIM_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum
{
    IMAGE_LIMIT = 16,       /* loaded at once */
    IMAGE_SEGMENT_LIMIT = 4 /* writable segments of one */
};

/* What builder.py puts into every image under the name wintun_sim_image. */
#define IMAGE_MAGIC   UINT64_C(0x31474d4957544e57)
#define IMAGE_VERSION 1

struct image_import
{
    const char *name;
    void **slot;
};

struct image_descriptor
{
    uint64_t magic;
    uint32_t version;
    uint32_t flags; /* IMAGE_INSTRUMENTED */
    uint64_t import_count;
    const struct image_import *imports;
};

enum
{
    IMAGE_INSTRUMENTED = 1
};

struct image_segment
{
    uint8_t *start;
    size_t size;
};

struct image
{
    uint8_t index; /* place in struct images */
    bool loaded;
    bool instrumented;
    uint8_t segment_count;
    uintptr_t low; /* the mapped addresses */
    uintptr_t high;
    struct image_segment segments[IMAGE_SEGMENT_LIMIT]; /* writable */
    void *handle;                                       /* the system loader's */
    struct image_file *file;                            /* the bytes, for symbol names; outside the arena */
};

struct images
{
    struct image of[IMAGE_LIMIT];
};

/* Loads a private copy of the file and binds its imports. NULL and one line in `error` (every missing import by name)
 * on failure. */
struct image *image_load(const char *path, char *error, size_t error_size);

/* Called when no code of the image can run any more. Snapshots taken while it was loaded cannot be restored afterwards.
 */
void image_unload(struct image *image);

/* The address of a function or object that the image exports, or NULL. */
void *image_symbol(const struct image *image, const char *name);

/* The image whose mapping `address` lies in, or NULL. */
struct image *image_of(uintptr_t address);

/* Writes "symbol+0x12" (or "+0x1234" without symbols) for an address in the image. Returns `text`. */
const char *image_place(const struct image *image, uintptr_t address, char *text, size_t size);

/* What block.image holds. */
static inline uint16_t image_number(const struct image *image)
{
    return image == NULL ? (uint16_t)0 : (uint16_t)(image->index + 1);
}

#endif
