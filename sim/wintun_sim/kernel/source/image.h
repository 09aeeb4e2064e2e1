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
    void *entry; /* DriverEntry, or NULL */
};

enum
{
    IMAGE_INSTRUMENTED = 1,
    IMAGE_ADDRESS = 2 /* built with --sanitize address */
};

struct image_segment
{
    uint8_t *start;
    size_t size;
};

/* A private copy of a file, mapped once and kept: an image that was unloaded may come back by a restore, and the next
 * load of the same file takes it again with fresh globals.
 */
struct image_file;
struct image_files;

struct image
{
    uint8_t index; /* place in struct images */
    bool loaded;
    struct image_file *file; /* outside the arena */
};

struct images
{
    struct image of[IMAGE_LIMIT];
};

/* Loads a private copy of the file and binds its imports. NULL and one line in `error` (every missing import by name)
 * on failure. */
struct image *image_load(const char *path, char *error, size_t error_size);

/* Called when no code of the image should run any more; a call into it from now on is a crash of the driver. */
void image_unload(struct image *image);

bool image_is_instrumented(const struct image *image);

/* The writable parts of a loaded image: *count of them. */
const struct image_segment *image_segments(const struct image *image, size_t *count);

/* The address of the image's DriverEntry, or of what it exports otherwise (__declspec(dllexport)); NULL if there is
 * none. */
void *image_symbol(const struct image *image, const char *name);

/* The image whose mapping `address` lies in, or NULL. */
struct image *image_of(uintptr_t address);

/* Where `address` lies in the image's file, as its symbols and its debugging information count. */
uint64_t image_offset(const struct image *image, uintptr_t address);

/* Writes "symbol+0x12" (or "+0x1234" without symbols) for an address in the image. Returns `text`. */
const char *image_place(const struct image *image, uintptr_t address, char *text, size_t size);

/* Likewise "the variable Name" for an address in a writable segment. */
const char *image_variable(const struct image *image, uintptr_t address, char *text, size_t size);

/* Where in a driver's code the caller's stack stands: the return address of its innermost call out of an image, 0 if
 * there is none. Slow. */
uintptr_t image_calling_place(void);

/* For host_open and host_close. */
struct image_files *image_files_new(void);
void image_files_delete(struct image_files *files);

/* What block.image holds. */
static inline uint16_t image_number(const struct image *image)
{
    return image == NULL ? (uint16_t)0 : (uint16_t)(image->index + 1);
}

#endif
