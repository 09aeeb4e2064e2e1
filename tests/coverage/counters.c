/* SPDX-License-Identifier: MIT
 *
 * What a driver image that counts its own steps has besides the driver: a way to get the counts out.
 *
 * gcc's coverage expects a process that ends and writes files. An image ends when the host kernel takes it back, and
 * has no files. So the list of counters is kept in a section (-fprofile-info-section), and whoever measures calls
 * coverage_write, which hands over what would be in the files
 * (gcc.gnu.org/onlinedocs/gcc/Freestanding-Environments.html).
 */
#include <stddef.h>

struct gcov_info;

typedef void begin_file(const char *name, void *context);
typedef void add_bytes(const void *bytes, unsigned length, void *context);
typedef void *allocate_bytes(unsigned length, void *context);

void __gcov_info_to_gcda(const struct gcov_info *info, begin_file *begin, add_bytes *add, allocate_bytes *allocate,
                         void *context);

/* Of the section's name the linker makes its ends. */
extern const struct gcov_info *const __start_gcov_info[];
extern const struct gcov_info *const __stop_gcov_info[];

/* Only counts that come in lists of varying length need memory, and coverage has none of them. */
static void *no_memory(unsigned length, void *context)
{
    (void)length;
    (void)context;
    return NULL;
}

__attribute__((visibility("default"))) void coverage_write(begin_file *begin, add_bytes *add);
void coverage_write(begin_file *begin, add_bytes *add)
{
    for (const struct gcov_info *const *info = __start_gcov_info; info != __stop_gcov_info; info++)
        __gcov_info_to_gcda(*info, begin, add, no_memory, NULL);
}

/* What gcc's library mentions and, called as above, never calls. */
void __gcov_merge_add(void *counters, unsigned count);
void __gcov_merge_add(void *counters, unsigned count)
{
    (void)counters;
    (void)count;
}

void *mmap(void);
void *mmap(void)
{
    return NULL;
}

_Noreturn void abort(void);
_Noreturn void abort(void)
{
    __builtin_trap();
}
