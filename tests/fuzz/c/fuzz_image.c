/* SPDX-License-Identifier: MIT
 *
 * Fuzzes the reader of driver images, which has to refuse whatever the system's own loader would stumble over.
 *
 * An input is the file. What the reader accepts, it has to answer questions about without looking beyond the file:
 * exports by name, and the function at an address, whose name ends within the file.
 */
#include "elf_file.h"
#include "naive.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_answers(const struct elf_file *file)
{
    for (size_t i = 0; i < file->all_symbol_count; i++)
    {
        const uint64_t address = file->all_symbols[i].st_value;
        for (uint64_t distance = 0; distance < 3; distance++)
        {
            for (unsigned type = STT_OBJECT; type <= STT_FUNC; type++)
            {
                const char *name = NULL;
                const Elf64_Sym *symbol = elf_file_symbol_at(file, type, address - 1 + distance, &name);
                DEMAND((symbol != NULL) == (name != NULL));
                DEMAND(name == NULL || strlen(name) < file->all_names_size);
            }
        }
    }
    for (size_t i = 1; i < file->symbol_count; i++)
        if (file->symbols[i].st_shndx != SHN_UNDEF && file->symbols[i].st_name < file->names_size)
            DEMAND(elf_file_export(file, file->names + file->symbols[i].st_name) != NULL);
    (void)elf_file_export(file, "wintun_sim_image");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *bytes = malloc(size);
    struct elf_file file;
    char error[200] = "";

    if (size != 0)
        memcpy(bytes, data, size);
    if (elf_file_read(&file, bytes, size, error, sizeof(error)))
        check_answers(&file);
    else
        DEMAND(error[0] != 0);
    free(bytes);
    return 0;
}
