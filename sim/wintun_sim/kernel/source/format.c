/* The formatter behind _vsnwprintf, _vsnprintf and DbgPrint (format.h).
 *
 * The C library's own cannot do it: its wide characters have 32 bits and its long 64. What the conversions mean:
 * learn.microsoft.com/cpp/c-runtime-library/format-specification-syntax-printf-and-wprintf-functions, and %Z:
 * learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-dbgprint.
 */
#include "format.h"

#include <ntddk.h>
#include <stdbool.h>

enum size
{
    SIZE_NONE,
    SIZE_SHORT, /* h */
    SIZE_LONG,  /* l, w: 32 bits for numbers, wide for text */
    SIZE_64     /* ll, I64, I, j, z, t */
};

struct directive
{
    bool left;
    bool plus;
    bool space;
    bool alternate;
    bool zero;
    int width;
    int precision; /* -1: none */
    enum size size;
};

struct text
{
    const void *start;
    size_t length;
    bool wide;
};

static void put(struct format_output *output, unsigned unit)
{
    if (output->count < output->capacity)
    {
        if (output->wide != NULL)
            output->wide[output->count] = (uint16_t)unit;
        else
            output->narrow[output->count] = unit < 0x80 ? (char)unit : '?';
    }
    output->count += 1;
}

static void put_many(struct format_output *output, unsigned unit, int count)
{
    while (count-- > 0)
        put(output, unit);
}

static unsigned unit_at(const void *text, size_t position, bool wide)
{
    return wide ? ((const uint16_t *)text)[position] : ((const uint8_t *)text)[position];
}

static int read_number(const void *format, size_t *position, bool wide)
{
    int number = 0;
    for (unsigned unit; (unit = unit_at(format, *position, wide)) >= '0' && unit <= '9'; *position += 1)
        if (number < 1 << 20)
            number = number * 10 + (int)(unit - '0');
    return number;
}

static void read_flags(struct directive *directive, const void *format, size_t *position, bool wide)
{
    for (;; *position += 1)
        switch (unit_at(format, *position, wide))
        {
        case '-':
            directive->left = true;
            break;
        case '+':
            directive->plus = true;
            break;
        case ' ':
            directive->space = true;
            break;
        case '#':
            directive->alternate = true;
            break;
        case '0':
            directive->zero = true;
            break;
        default:
            return;
        }
}

static void read_size(struct directive *directive, const void *format, size_t *position, bool wide)
{
    for (;; *position += 1)
        switch (unit_at(format, *position, wide))
        {
        case 'h':
            directive->size = SIZE_SHORT;
            break;
        case 'w':
            directive->size = SIZE_LONG;
            break;
        case 'l':
            directive->size = directive->size == SIZE_LONG ? SIZE_64 : SIZE_LONG;
            break;
        case 'j':
        case 'z':
        case 't':
            directive->size = SIZE_64;
            break;
        case 'I':
            directive->size = SIZE_64;
            if (unit_at(format, *position + 1, wide) == '6' && unit_at(format, *position + 2, wide) == '4')
                *position += 2;
            else if (unit_at(format, *position + 1, wide) == '3' && unit_at(format, *position + 2, wide) == '2')
            {
                directive->size = SIZE_LONG;
                *position += 2;
            }
            break;
        default:
            return;
        }
}

static void put_text(struct format_output *output, const struct directive *directive, struct text text)
{
    if (directive->precision >= 0 && (size_t)directive->precision < text.length)
        text.length = (size_t)directive->precision;
    int padding =
        directive->width > 0 && (size_t)directive->width > text.length ? directive->width - (int)text.length : 0;
    if (!directive->left)
        put_many(output, ' ', padding);
    for (size_t i = 0; i < text.length; i++)
        put(output, unit_at(text.start, i, text.wide));
    if (directive->left)
        put_many(output, ' ', padding);
}

/* The length of a terminated string, looked for no further than the precision goes. */
static struct text terminated(const void *start, bool wide, int precision)
{
    if (start == NULL)
        return (struct text){"(null)", 6, false};
    size_t length = 0;
    while ((precision < 0 || length < (size_t)precision) && unit_at(start, length, wide) != 0)
        length += 1;
    return (struct text){start, length, wide};
}

static struct text counted(const UNICODE_STRING *string, bool wide)
{
    if (string == NULL || string->Buffer == NULL)
        return (struct text){"(null)", 6, false};
    return (struct text){string->Buffer, string->Length / (wide ? 2U : 1U), wide};
}

static void put_number(struct format_output *output, const struct directive *directive, uint64_t value, bool negative,
                       unsigned base, const char *digits)
{
    char text[24];
    int length = 0;
    for (; value != 0; value /= base)
        text[length++] = digits[value % base];
    int zeros = directive->precision >= 0 ? directive->precision - length : length == 0 ? 1 : 0;
    char sign = negative ? '-' : directive->plus ? '+' : directive->space ? ' ' : 0;
    int prefix = (sign != 0) + (directive->alternate && base == 16 && length != 0 ? 2 : 0);
    int used = length + (zeros > 0 ? zeros : 0) + prefix;
    int padding = directive->width > used ? directive->width - used : 0;
    if (directive->zero && !directive->left && directive->precision < 0)
    {
        zeros = (zeros > 0 ? zeros : 0) + padding;
        padding = 0;
    }
    if (!directive->left)
        put_many(output, ' ', padding);
    if (sign != 0)
        put(output, (unsigned char)sign);
    if (directive->alternate && base == 16 && length != 0)
    {
        put(output, '0');
        put(output, digits[10] == 'a' ? 'x' : 'X');
    }
    put_many(output, '0', zeros);
    while (length > 0)
        put(output, (unsigned char)text[--length]);
    if (directive->left)
        put_many(output, ' ', padding);
}

struct argument_list
{
    va_list arguments;
};

static uint64_t take_number(struct argument_list *list, const struct directive *directive, bool is_signed)
{
    if (directive->size == SIZE_64)
        return va_arg(list->arguments, uint64_t);
    int value = va_arg(list->arguments, int);
    if (directive->size == SIZE_SHORT)
        value = is_signed ? (short)value : (unsigned short)value;
    return is_signed ? (uint64_t)(int64_t)value : (uint64_t)(unsigned)value;
}

static void convert_number(struct format_output *output, const struct directive *directive, unsigned letter,
                           struct argument_list *list)
{
    bool is_signed = letter == 'd' || letter == 'i';
    unsigned base = letter == 'x' || letter == 'X' ? 16 : letter == 'o' ? 8 : 10;
    uint64_t value = take_number(list, directive, is_signed);
    bool negative = is_signed && (int64_t)value < 0;
    put_number(output, directive, negative ? 0 - value : value, negative, base,
               letter == 'X' ? "0123456789ABCDEF" : "0123456789abcdef");
}

static void convert(struct format_output *output, struct directive *directive, unsigned letter,
                    struct argument_list *list)
{
    bool wide_output = output->wide != NULL;
    /* s is of the output's own width, S of the other; h and l say it outright. */
    bool wide_text = directive->size == SIZE_SHORT  ? false
                     : directive->size == SIZE_NONE ? (letter == 's' || letter == 'c') == wide_output
                                                    : true;
    uint16_t character;
    switch (letter)
    {
    case 'd':
    case 'i':
    case 'u':
    case 'x':
    case 'X':
    case 'o':
        convert_number(output, directive, letter, list);
        break;
    case 'p':
        directive->precision = 16;
        put_number(output, directive, (uintptr_t)va_arg(list->arguments, void *), false, 16, "0123456789ABCDEF");
        break;
    case 'c':
    case 'C':
        character = (uint16_t)va_arg(list->arguments, int);
        directive->precision = -1;
        put_text(output, directive, (struct text){&character, 1, true});
        break;
    case 's':
    case 'S':
        put_text(output, directive, terminated(va_arg(list->arguments, void *), wide_text, directive->precision));
        break;
    case 'Z':
        put_text(output, directive, counted(va_arg(list->arguments, UNICODE_STRING *), directive->size == SIZE_LONG));
        break;
    default:
        put(output, letter);
        break;
    }
}

void format_text(struct format_output *output, const void *format, va_list arguments)
{
    bool wide = output->wide != NULL;
    struct argument_list list;
    va_copy(list.arguments, arguments);
    size_t position = 0;
    for (unsigned unit; (unit = unit_at(format, position, wide)) != 0; position += 1)
    {
        if (unit != '%')
        {
            put(output, unit);
            continue;
        }
        position += 1;
        struct directive directive = {.precision = -1};
        read_flags(&directive, format, &position, wide);
        if (unit_at(format, position, wide) == '*')
        {
            directive.width = va_arg(list.arguments, int);
            if (directive.width < 0)
            {
                directive.left = true;
                directive.width = directive.width == INT32_MIN ? 0 : -directive.width;
            }
            position += 1;
        }
        else
            directive.width = read_number(format, &position, wide);
        if (unit_at(format, position, wide) == '.')
        {
            position += 1;
            if (unit_at(format, position, wide) == '*')
            {
                directive.precision = va_arg(list.arguments, int);
                position += 1;
            }
            else
                directive.precision = read_number(format, &position, wide);
        }
        read_size(&directive, format, &position, wide);
        unsigned letter = unit_at(format, position, wide);
        if (letter == 0)
            break;
        convert(output, &directive, letter, &list);
    }
    va_end(list.arguments);
}
