/* ELF as far as an image needs it. Images come from outside: every offset and count is checked against the file's size
 * before it is used, because the system's loader trusts them and would take the process down with it.
 */
#include "elf_file.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#if defined(__x86_64__)
#define THIS_MACHINE EM_X86_64
#else
#define THIS_MACHINE EM_AARCH64
#endif

enum
{
    SEGMENT_LIMIT = 64,
    SECTION_LIMIT = 4096
};

#define IMAGE_SPAN_LIMIT ((uint64_t)1 << 30)

static bool refuse(char *error, size_t error_size, const char *format, ...) __attribute__((format(printf, 3, 4)));

static bool refuse(char *error, size_t error_size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error, error_size, format, arguments);
    va_end(arguments);
    return false;
}

/* Whether `count` elements at `offset` lie in the file, aligned for what they are. */
static bool lies_within(const struct elf_file *file, uint64_t offset, uint64_t count, uint64_t element,
                        uint64_t alignment)
{
    return offset <= file->size && offset % alignment == 0 &&
           (element == 0 || count <= (file->size - offset) / element);
}

static bool check_header(const struct elf_file *file, char *error, size_t error_size)
{
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)(const void *)file->bytes;
    if (file->size < sizeof *header || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
        return refuse(error, error_size, "it is not an ELF file");
    if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB)
        return refuse(error, error_size, "it is not a 64-bit little-endian ELF file");
    if (header->e_type != ET_DYN)
        return refuse(error, error_size, "it is not a shared object");
    if (header->e_machine != THIS_MACHINE)
        return refuse(error, error_size, "it was built for another kind of processor (ELF machine %u)",
                      header->e_machine);
    if (header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phnum > SEGMENT_LIMIT ||
        !lies_within(file, header->e_phoff, header->e_phnum, sizeof(Elf64_Phdr), 8))
        return refuse(error, error_size, "its program headers are damaged");
    if (header->e_shentsize != sizeof(Elf64_Shdr) || header->e_shnum > SECTION_LIMIT || header->e_shnum == 0 ||
        !lies_within(file, header->e_shoff, header->e_shnum, sizeof(Elf64_Shdr), 8))
        return refuse(error, error_size, "its section headers are missing or damaged");
    return true;
}

static bool check_dynamic(const struct elf_file *file, const Elf64_Phdr *segment, char *error, size_t error_size)
{
    if (!lies_within(file, segment->p_offset, segment->p_filesz / sizeof(Elf64_Dyn), sizeof(Elf64_Dyn), 8))
        return refuse(error, error_size, "its dynamic section is damaged");
    const Elf64_Dyn *entry = (const Elf64_Dyn *)(const void *)(file->bytes + segment->p_offset);
    for (size_t i = 0; i < segment->p_filesz / sizeof *entry && entry[i].d_tag != DT_NULL; i++)
        if (entry[i].d_tag == DT_NEEDED)
            return refuse(
                error, error_size,
                "it needs a shared library, and a driver image may not: build it with wintun-sim build-driver");
    return true;
}

static bool check_segments(struct elf_file *file, char *error, size_t error_size)
{
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)(const void *)file->bytes;
    file->segments = (const Elf64_Phdr *)(const void *)(file->bytes + header->e_phoff);
    file->segment_count = header->e_phnum;
    bool loads = false;
    for (size_t i = 0; i < file->segment_count; i++)
    {
        const Elf64_Phdr *segment = &file->segments[i];
        if (segment->p_type != PT_LOAD && segment->p_type != PT_DYNAMIC && segment->p_type != PT_GNU_RELRO)
            continue;
        if (segment->p_memsz > IMAGE_SPAN_LIMIT || segment->p_vaddr > IMAGE_SPAN_LIMIT ||
            segment->p_filesz > segment->p_memsz || !lies_within(file, segment->p_offset, segment->p_filesz, 1, 1))
            return refuse(error, error_size, "it is cut short or damaged: segment %zu does not lie within the file", i);
        if (segment->p_type == PT_LOAD)
            loads = true;
        if (segment->p_type == PT_DYNAMIC && !check_dynamic(file, segment, error, error_size))
            return false;
    }
    return loads || refuse(error, error_size, "it has nothing to load");
}

/* Finds the symbol table of `type` and its names. */
static bool find_symbols(const struct elf_file *file, uint32_t type, const Elf64_Sym **symbols, size_t *count,
                         const char **names, size_t *names_size)
{
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)(const void *)file->bytes;
    const Elf64_Shdr *sections = (const Elf64_Shdr *)(const void *)(file->bytes + header->e_shoff);
    for (size_t i = 0; i < header->e_shnum; i++)
    {
        const Elf64_Shdr *section = &sections[i];
        if (section->sh_type != type || section->sh_entsize != sizeof(Elf64_Sym) || section->sh_link >= header->e_shnum)
            continue;
        const Elf64_Shdr *strings = &sections[section->sh_link];
        if (!lies_within(file, section->sh_offset, section->sh_size / sizeof(Elf64_Sym), sizeof(Elf64_Sym), 8) ||
            !lies_within(file, strings->sh_offset, strings->sh_size, 1, 1) || strings->sh_size == 0 ||
            file->bytes[strings->sh_offset + strings->sh_size - 1] != 0)
            return false;
        *symbols = (const Elf64_Sym *)(const void *)(file->bytes + section->sh_offset);
        *count = section->sh_size / sizeof(Elf64_Sym);
        *names = (const char *)file->bytes + strings->sh_offset;
        *names_size = strings->sh_size;
        return true;
    }
    return false;
}

static const char *name_of(const Elf64_Sym *symbol, const char *names, size_t names_size)
{
    return symbol->st_name < names_size ? names + symbol->st_name : "";
}

static bool check_undefined(const struct elf_file *file, char *error, size_t error_size)
{
    for (size_t i = 1; i < file->symbol_count; i++)
    {
        const Elf64_Sym *symbol = &file->symbols[i];
        if (symbol->st_shndx == SHN_UNDEF && ELF64_ST_BIND(symbol->st_info) != STB_WEAK)
            return refuse(error, error_size,
                          "%s is undefined in it, and a driver image must not have undefined symbols: build it with "
                          "wintun-sim build-driver",
                          name_of(symbol, file->names, file->names_size));
    }
    return true;
}

bool elf_file_read(struct elf_file *file, const uint8_t *bytes, size_t size, char *error, size_t error_size)
{
    memset(file, 0, sizeof *file);
    file->bytes = bytes;
    file->size = size;
    if (!check_header(file, error, error_size) || !check_segments(file, error, error_size))
        return false;
    if (!find_symbols(file, SHT_DYNSYM, &file->symbols, &file->symbol_count, &file->names, &file->names_size))
        return refuse(error, error_size, "it has no table of dynamic symbols, or a damaged one");
    if (!find_symbols(file, SHT_SYMTAB, &file->all_symbols, &file->all_symbol_count, &file->all_names,
                      &file->all_names_size))
    {
        file->all_symbols = file->symbols;
        file->all_symbol_count = file->symbol_count;
        file->all_names = file->names;
        file->all_names_size = file->names_size;
    }
    return check_undefined(file, error, error_size);
}

const Elf64_Sym *elf_file_export(const struct elf_file *file, const char *name)
{
    for (size_t i = 1; i < file->symbol_count; i++)
        if (file->symbols[i].st_shndx != SHN_UNDEF &&
            strcmp(name_of(&file->symbols[i], file->names, file->names_size), name) == 0)
            return &file->symbols[i];
    return NULL;
}

const Elf64_Sym *elf_file_symbol_at(const struct elf_file *file, unsigned type, uint64_t address, const char **name)
{
    for (size_t i = 1; i < file->all_symbol_count; i++)
    {
        const Elf64_Sym *symbol = &file->all_symbols[i];
        if (ELF64_ST_TYPE(symbol->st_info) != type || symbol->st_shndx == SHN_UNDEF || address < symbol->st_value ||
            address - symbol->st_value >= (symbol->st_size == 0 ? 1 : symbol->st_size))
            continue;
        *name = name_of(symbol, file->all_names, file->all_names_size);
        return symbol;
    }
    return NULL;
}
