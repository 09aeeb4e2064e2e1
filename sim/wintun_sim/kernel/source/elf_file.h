/* Reading an image's file before the system's loader may see it (elf_file.c). */
#ifndef WINTUN_SIM_ELF_FILE_H
#define WINTUN_SIM_ELF_FILE_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_file
{
    const uint8_t *bytes;
    size_t size;
    const Elf64_Phdr *segments;
    size_t segment_count;
    const Elf64_Sym *symbols; /* .dynsym */
    size_t symbol_count;
    const char *names;
    size_t names_size;
    const Elf64_Sym *all_symbols; /* .symtab, or .dynsym where there is none */
    size_t all_symbol_count;
    const char *all_names;
    size_t all_names_size;
};

/* Checks that `bytes` (8-byte aligned) are a shared object for this machine that lies wholly within the file, needs no
 * library and has no undefined symbol. False and a reason in `error` if not.
 */
bool elf_file_read(struct elf_file *file, const uint8_t *bytes, size_t size, char *error, size_t error_size);

/* The symbol that the image exports as `name`, or NULL. */
const Elf64_Sym *elf_file_export(const struct elf_file *file, const char *name);

/* The function (STT_FUNC) or variable (STT_OBJECT) that contains the image-relative address, and its name; NULL if
 * there is none. */
const Elf64_Sym *elf_file_symbol_at(const struct elf_file *file, unsigned type, uint64_t address, const char **name);

#endif
