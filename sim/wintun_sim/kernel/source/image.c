/* Loading images (image.h).
 *
 * The bytes are checked (elf_file.c), written into an anonymous file and given to the system's loader, which maps a
 * copy of its own for each anonymous file. The copy is kept when the image is unloaded: `struct image` says who uses
 * it, lies in the arena, and may come back with a restore.
 */
#define _GNU_SOURCE
#include "image.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <unwind.h>

#include "address.h"
#include "elf_file.h"
#include "host.h"
#include "shadow.h"

#define FILE_SIZE_LIMIT ((size_t)64 << 20)

struct image_file
{
    struct image_file *next;
    uint8_t *bytes;
    struct elf_file elf;
    void *handle;   /* the system loader's */
    int descriptor; /* open as long as the image is mapped: the loader knows it by this path */
    uintptr_t base;
    uintptr_t low; /* the mapped addresses */
    uintptr_t high;
    const struct image_descriptor *descriptor_table;
    size_t segment_count;
    struct image_segment segments[IMAGE_SEGMENT_LIMIT];
    uint8_t *pristine; /* the segments' bytes before any code ran, imports bound */
};

struct image_files
{
    struct image_file *first;
};

struct image_files *image_files_new(void)
{
    return calloc(1, sizeof(struct image_files));
}

static void delete_file(struct image_file *file)
{
    if (file->handle != NULL)
    {
        if (file->high > file->low)
            address_forget((const void *)file->low, file->high - file->low);
        dlclose(file->handle);
    }
    if (file->descriptor >= 0)
        close(file->descriptor);
    free(file->pristine);
    free(file->bytes);
    free(file);
}

void image_files_delete(struct image_files *files)
{
    if (files == NULL)
        return;
    while (files->first != NULL)
    {
        struct image_file *file = files->first;
        files->first = file->next;
        delete_file(file);
    }
    free(files);
}

/* The whole file in memory, or NULL and errno. */
static uint8_t *read_bytes(const char *path, size_t *size)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return NULL;
    struct stat status;
    uint8_t *bytes = NULL;
    if (fstat(descriptor, &status) == 0)
    {
        if (!S_ISREG(status.st_mode))
            errno = S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
        else if (status.st_size < 0 || (uint64_t)status.st_size > FILE_SIZE_LIMIT)
            errno = EFBIG;
        else
            bytes = malloc((size_t)status.st_size + 1);
    }
    size_t used = 0;
    while (bytes != NULL && used < (size_t)status.st_size)
    {
        ssize_t got = read(descriptor, bytes + used, (size_t)status.st_size - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        used += (size_t)got;
    }
    int reason = errno;
    close(descriptor);
    errno = reason;
    *size = used;
    return bytes;
}

static bool write_all(int descriptor, const uint8_t *bytes, size_t size)
{
    while (size != 0)
    {
        ssize_t wrote = write(descriptor, bytes, size);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return false;
        bytes += wrote;
        size -= (size_t)wrote;
    }
    return true;
}

static bool map_copy(struct image_file *file, char *error, size_t error_size)
{
    file->descriptor = memfd_create("driver", MFD_CLOEXEC);
    if (file->descriptor < 0 || !write_all(file->descriptor, file->elf.bytes, file->elf.size))
    {
        snprintf(error, error_size, "a private copy could not be written: %s", strerror(errno));
        return false;
    }
    /* By the process's number, since a debugger reads the lines of its code under the name that it is loaded by. */
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/fd/%d", (long)getpid(), file->descriptor);
    file->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (file->handle == NULL)
        snprintf(error, error_size, "the system's loader refuses it: %s", dlerror());
    return file->handle != NULL;
}

/* The part of a writable segment that stays writable after relocation. */
static struct image_segment writable_part(const struct image_file *file, const Elf64_Phdr *load)
{
    uintptr_t start = file->base + load->p_vaddr;
    uintptr_t end = start + load->p_memsz;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    for (size_t i = 0; i < file->elf.segment_count; i++)
    {
        const Elf64_Phdr *segment = &file->elf.segments[i];
        uintptr_t protected_end = (file->base + segment->p_vaddr + segment->p_memsz) / page * page;
        if (segment->p_type == PT_GNU_RELRO && file->base + segment->p_vaddr >= start && protected_end > start)
            start = protected_end < end ? protected_end : end;
    }
    return (struct image_segment){(uint8_t *)start, end - start};
}

static bool find_parts(struct image_file *file, char *error, size_t error_size)
{
    const Elf64_Sym *symbol = elf_file_export(&file->elf, "wintun_sim_image");
    const void *address = dlsym(file->handle, "wintun_sim_image");
    if (symbol == NULL || address == NULL)
    {
        snprintf(error, error_size, "it has no table of imports: build it with wintun-sim build-driver");
        return false;
    }
    file->descriptor_table = address;
    file->base = (uintptr_t)address - symbol->st_value;
    file->low = UINTPTR_MAX;
    for (size_t i = 0; i < file->elf.segment_count; i++)
    {
        const Elf64_Phdr *segment = &file->elf.segments[i];
        if (segment->p_type != PT_LOAD)
            continue;
        uintptr_t start = file->base + segment->p_vaddr;
        if (start < file->low)
            file->low = start;
        if (start + segment->p_memsz > file->high)
            file->high = start + segment->p_memsz;
        if ((segment->p_flags & PF_W) == 0)
            continue;
        if (file->segment_count == IMAGE_SEGMENT_LIMIT)
        {
            snprintf(error, error_size, "it has more than %d writable segments", IMAGE_SEGMENT_LIMIT);
            return false;
        }
        file->segments[file->segment_count++] = writable_part(file, segment);
    }
    return true;
}

static bool lies_in(const struct image_file *file, const void *start, uint64_t size)
{
    uintptr_t address = (uintptr_t)start;
    return address >= file->low && address <= file->high && size <= file->high - address;
}

static bool is_writable(const struct image_file *file, void **slot)
{
    for (size_t i = 0; i < file->segment_count; i++)
    {
        const struct image_segment *segment = &file->segments[i];
        if ((uint8_t *)slot >= segment->start && (uint8_t *)(slot + 1) <= segment->start + segment->size)
            return true;
    }
    return false;
}

static bool check_table(const struct image_file *file, char *error, size_t error_size)
{
    const struct image_descriptor *table = file->descriptor_table;
    if (!lies_in(file, table, sizeof *table) || table->magic != IMAGE_MAGIC || table->version != IMAGE_VERSION)
        snprintf(error, error_size,
                 "its table of imports is of another version: build it again with this wintun-sim build-driver");
    else if (table->import_count > FILE_SIZE_LIMIT ||
             !lies_in(file, table->imports, table->import_count * sizeof *table->imports))
        snprintf(error, error_size, "its table of imports is damaged");
    else
        return true;
    return false;
}

/* Gives every slot its function; names all that the host kernel does not have. */
static bool bind_imports(struct image_file *file, char *error, size_t error_size)
{
    const struct image_descriptor *table = file->descriptor_table;
    size_t missing = 0;
    size_t used = 0;
    for (uint64_t i = 0; i < table->import_count; i++)
    {
        const struct image_import *import = &table->imports[i];
        if (!lies_in(file, import->name, 1) || memchr(import->name, 0, file->high - (uintptr_t)import->name) == NULL ||
            !is_writable(file, import->slot))
        {
            snprintf(error, error_size, "its table of imports is damaged");
            return false;
        }
        *import->slot = export_find(import->name);
        if (*import->slot != NULL)
            continue;
        int written = snprintf(error + used, error_size - used, "%s%s",
                               missing == 0 ? "the host kernel does not have " : ", ", import->name);
        used += written < 0 ? 0 : (size_t)written < error_size - used ? (size_t)written : error_size - used - 1;
        missing += 1;
    }
    return missing == 0;
}

/* What --sanitize address asks for: the gaps between the image's variables are known before any code runs. */
static bool mark_globals(const struct image_file *file, char *error, size_t error_size)
{
    if ((file->descriptor_table->flags & IMAGE_ADDRESS) == 0)
        return true;
    address_forget((const void *)file->low, file->high - file->low);
    const uint64_t *table = dlsym(file->handle, "wintun_sim_globals");
    if (table == NULL || !lies_in(file, table, sizeof *table) || table[0] > FILE_SIZE_LIMIT ||
        !lies_in(file, table, sizeof *table + table[0] * 2 * sizeof *table))
    {
        snprintf(error, error_size, "its table of global variables is missing or damaged");
        return false;
    }
    return address_image_loaded(table, error, error_size);
}

static bool keep_pristine(struct image_file *file)
{
    size_t size = 1;
    for (size_t i = 0; i < file->segment_count; i++)
        size += file->segments[i].size;
    file->pristine = malloc(size);
    if (file->pristine == NULL)
        return false;
    uint8_t *place = file->pristine;
    for (size_t i = 0; i < file->segment_count; i++)
    {
        memcpy(place, file->segments[i].start, file->segments[i].size);
        place += file->segments[i].size;
    }
    return true;
}

static void restore_pristine(const struct image_file *file)
{
    const uint8_t *place = file->pristine;
    for (size_t i = 0; i < file->segment_count; i++)
    {
        memcpy(file->segments[i].start, place, file->segments[i].size);
        place += file->segments[i].size;
    }
}

static bool is_used(const struct image_file *file)
{
    const struct images *images = &current_host->images;
    for (size_t i = 0; i < IMAGE_LIMIT; i++)
        if (images->of[i].loaded && images->of[i].file == file)
            return true;
    return false;
}

/* A mapped copy of these bytes that nobody uses; takes the bytes over. */
static struct image_file *acquire_file(uint8_t *bytes, size_t size, char *error, size_t error_size)
{
    struct image_files *files = current_host->image_files;
    for (struct image_file *file = files->first; file != NULL; file = file->next)
    {
        if (file->elf.size != size || memcmp(file->bytes, bytes, size) != 0 || is_used(file))
            continue;
        free(bytes);
        restore_pristine(file);
        return file;
    }
    struct image_file *file = calloc(1, sizeof *file);
    if (file == NULL)
    {
        free(bytes);
        snprintf(error, error_size, "there is no memory for it");
        return NULL;
    }
    file->descriptor = -1;
    file->bytes = bytes;
    if (!elf_file_read(&file->elf, bytes, size, error, error_size) || !map_copy(file, error, error_size) ||
        !find_parts(file, error, error_size) || !check_table(file, error, error_size) ||
        !bind_imports(file, error, error_size) || !mark_globals(file, error, error_size) || !keep_pristine(file))
    {
        delete_file(file);
        return NULL;
    }
    file->next = files->first;
    files->first = file;
    return file;
}

struct image *image_load(const char *path, char *error, size_t error_size)
{
    struct image *image = NULL;
    for (size_t i = 0; i < IMAGE_LIMIT && image == NULL; i++)
        if (!current_host->images.of[i].loaded)
        {
            image = &current_host->images.of[i];
            image->index = (uint8_t)i;
        }
    char reason[4096] = "there is no memory for it";
    size_t size = 0;
    uint8_t *bytes = NULL;
    struct image_file *file = NULL;
    if (image == NULL)
        snprintf(reason, sizeof reason, "%d images are loaded already, and there is no room for more", IMAGE_LIMIT);
    else if ((bytes = read_bytes(path, &size)) == NULL)
        snprintf(reason, sizeof reason, "%s", strerror(errno));
    else
        file = acquire_file(bytes, size, reason, sizeof reason);
    if (file == NULL)
    {
        snprintf(error, error_size, "the image %s cannot be loaded: %s", path, reason);
        return NULL;
    }
    image->file = file;
    image->loaded = true;
    if ((file->descriptor_table->flags & (IMAGE_INSTRUMENTED | IMAGE_ADDRESS)) != 0)
        shadow_begin();
    return image;
}

void image_unload(struct image *image)
{
    image->loaded = false;
}

bool image_is_instrumented(const struct image *image)
{
    return (image->file->descriptor_table->flags & IMAGE_INSTRUMENTED) != 0;
}

const struct image_segment *image_segments(const struct image *image, size_t *count)
{
    *count = image->file->segment_count;
    return image->file->segments;
}

void *image_symbol(const struct image *image, const char *name)
{
    if (strcmp(name, "DriverEntry") == 0)
        return image->file->descriptor_table->entry;
    return dlsym(image->file->handle, name);
}

struct image *image_of(uintptr_t address)
{
    struct images *images = &current_host->images;
    for (size_t i = 0; i < IMAGE_LIMIT; i++)
        if (images->of[i].file != NULL && address >= images->of[i].file->low && address < images->of[i].file->high)
            return &images->of[i];
    return NULL;
}

uint64_t image_offset(const struct image *image, uintptr_t address)
{
    return address - image->file->base;
}

const char *image_place(const struct image *image, uintptr_t address, char *text, size_t size)
{
    uint64_t relative = image_offset(image, address);
    const char *name;
    const Elf64_Sym *symbol = elf_file_symbol_at(&image->file->elf, STT_FUNC, relative, &name);
    if (symbol == NULL)
        snprintf(text, size, "the image +0x%llx", (unsigned long long)relative);
    else
    {
        int letters = (int)strcspn(name, "."); /* .constprop.0 and its kin are the compiler's */
        snprintf(text, size, "%.*s+0x%llx (image +0x%llx)", letters, name,
                 (unsigned long long)(relative - symbol->st_value), (unsigned long long)relative);
    }
    return text;
}

const char *image_variable(const struct image *image, uintptr_t address, char *text, size_t size)
{
    const uint64_t relative = address - image->file->base;
    const char *name;
    const Elf64_Sym *symbol = elf_file_symbol_at(&image->file->elf, STT_OBJECT, relative, &name);
    if (symbol == NULL)
        snprintf(text, size, "a variable at the image +0x%llx", (unsigned long long)relative);
    else if (relative == symbol->st_value)
        snprintf(text, size, "the variable %s", name);
    else
        snprintf(text, size, "the variable %s +0x%llx", name, (unsigned long long)(relative - symbol->st_value));
    return text;
}

static _Unwind_Reason_Code look_at_frame(struct _Unwind_Context *context, void *found)
{
    const uintptr_t place = (uintptr_t)_Unwind_GetIP(context);
    if (image_of(place) == NULL)
        return _URC_NO_REASON;
    *(uintptr_t *)found = place;
    return _URC_END_OF_STACK;
}

__attribute__((noinline)) uintptr_t image_calling_place(void)
{
    uintptr_t place = 0;
    _Unwind_Backtrace(look_at_frame, &place);
    return place;
}
