/* The call-outs of images that were built with --sanitize undefined: what the C standard leaves undefined was about to
 * happen (clang.llvm.org/docs/UndefinedBehaviorSanitizer.html). Each is a broken rule that names the line.
 *
 * The compiler passes one record for each place; all that are used here begin with where it is.
 */
#include <stdint.h>
#include <string.h>

#include "host.h"

struct source_location
{
    const char *file;
    uint32_t line;
    uint32_t column;
};

struct type_mismatch
{
    struct source_location where;
    const void *type;
    uint8_t alignment_log2;
    uint8_t kind;
};

static const char *last_part(const char *path)
{
    const char *slash = path == NULL ? NULL : strrchr(path, '/');
    return path == NULL ? "?" : slash == NULL ? path : slash + 1;
}

static void report(const struct source_location *where, const char *what)
{
    rule_broken("UndefinedBehavior", "%s, in %s:%u:%u", what, last_part(where->file), where->line, where->column);
}

static void type_mismatch(const struct type_mismatch *record, uintptr_t address)
{
    if (address == 0)
        report(&record->where, "a null pointer is used");
    else if ((address & ((UINT64_C(1) << (record->alignment_log2 & 63)) - 1)) != 0)
        report(&record->where, "a pointer is used that is not aligned for its type");
    else
        report(&record->where, "a pointer is used to an object that is too small for its type");
}

static void unreachable(const struct source_location *where)
{
    report(where, "code is executed that the source declares unreachable");
    crash_now("what follows has no meaning: the run cannot go on");
}

/* The attribute stands elsewhere than the return: the second argument is the latter. */
static void null_returned(const void *record, const struct source_location *where)
{
    (void)record;
    report(where, "a function returns NULL that is declared never to do so");
}

#define HANDLER(name, what)                               \
    static void name(const struct source_location *where) \
    {                                                     \
        report(where, what);                              \
    }

HANDLER(add_overflow, "an addition overflows")
HANDLER(sub_overflow, "a subtraction overflows")
HANDLER(mul_overflow, "a multiplication overflows")
HANDLER(negate_overflow, "a negation overflows")
HANDLER(divrem_overflow, "a division is by zero or overflows")
HANDLER(shift_out_of_bounds, "a shift is by more bits than there are, or of a negative number")
HANDLER(out_of_bounds, "an index is beyond the end of its array")
HANDLER(vla_bound, "a variable-length array has no positive length")
HANDLER(float_cast, "a number is too large for the integer that it is converted to")
HANDLER(load_invalid_value, "a BOOLEAN or enumeration has a value that its type does not have")
HANDLER(invalid_builtin, "a compiler's builtin is called with 0")
HANDLER(nonnull_argument, "NULL is passed to a function that is declared never to be given it")
HANDLER(pointer_overflow, "a pointer is moved around the end of the address space")
HANDLER(alignment_assumption, "a pointer is less aligned than the source says")
HANDLER(implicit_conversion, "a conversion changes the value")
HANDLER(function_type_mismatch, "a function is called as one of another type")

#define NAMED(name, function)                                 \
    {                                                         \
        "__ubsan_handle_" name, (void *)(uintptr_t)(function) \
    }

const struct export undefined_exports[] = {
    NAMED("type_mismatch_v1", type_mismatch),
    NAMED("builtin_unreachable", unreachable),
    NAMED("missing_return", unreachable),
    NAMED("nonnull_return_v1", null_returned),
    NAMED("nullability_return_v1", null_returned),
    NAMED("add_overflow", add_overflow),
    NAMED("sub_overflow", sub_overflow),
    NAMED("mul_overflow", mul_overflow),
    NAMED("negate_overflow", negate_overflow),
    NAMED("divrem_overflow", divrem_overflow),
    NAMED("shift_out_of_bounds", shift_out_of_bounds),
    NAMED("out_of_bounds", out_of_bounds),
    NAMED("vla_bound_not_positive", vla_bound),
    NAMED("float_cast_overflow", float_cast),
    NAMED("load_invalid_value", load_invalid_value),
    NAMED("invalid_builtin", invalid_builtin),
    NAMED("nonnull_arg", nonnull_argument),
    NAMED("nullability_arg", nonnull_argument),
    NAMED("pointer_overflow", pointer_overflow),
    NAMED("alignment_assumption", alignment_assumption),
    NAMED("implicit_conversion", implicit_conversion),
    NAMED("function_type_mismatch", function_type_mismatch),
    EXPORTS_END,
};
