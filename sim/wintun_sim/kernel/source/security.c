/* The access check of Windows, as far as an SDDL string for a device goes: the entries of the DACL in order, a denial
 * of anything still wanted denies, and when everything wanted was granted, it is granted
 * (learn.microsoft.com/windows/win32/secauthz/how-dacls-control-access-to-an-object). */
#include "security.h"

#include "../host_api.h"

enum
{
    RIGHT_READ = 1,
    RIGHT_WRITE = 2,
    RIGHT_OTHER = 4,
    WANTED = RIGHT_READ | RIGHT_WRITE,
    ACCOUNTS = 3
};

struct text
{
    const uint16_t *at;
    size_t left;
};

struct word
{
    char letters[3];
    uint8_t means;
};

static const struct word RIGHTS[] = {
    {"GA", RIGHT_READ | RIGHT_WRITE | RIGHT_OTHER},
    {"GR", RIGHT_READ},
    {"GW", RIGHT_WRITE},
    {"GX", RIGHT_OTHER},
    {"FA", RIGHT_READ | RIGHT_WRITE | RIGHT_OTHER},
    {"FR", RIGHT_READ},
    {"FW", RIGHT_WRITE},
    {"FX", RIGHT_OTHER},
    {"RC", RIGHT_OTHER},
    {"SD", RIGHT_OTHER},
    {"WD", RIGHT_OTHER},
    {"WO", RIGHT_OTHER},
};

/* The accounts whose token holds the group that these two letters name. */
static const struct word GROUPS[] = {
    {"SY", 1u << HOST_SYSTEM},
    {"BA", 1u << HOST_SYSTEM | 1u << HOST_ADMINISTRATOR},
    {"LA", 1u << HOST_ADMINISTRATOR},
    {"BU", 1u << HOST_ADMINISTRATOR | 1u << HOST_USER},
    {"IU", 1u << HOST_ADMINISTRATOR | 1u << HOST_USER},
    {"AU", 1u << HOST_SYSTEM | 1u << HOST_ADMINISTRATOR | 1u << HOST_USER},
    {"WD", 1u << HOST_SYSTEM | 1u << HOST_ADMINISTRATOR | 1u << HOST_USER},
    {"LS", 0},
    {"NS", 0},
    {"RC", 0},
    {"SU", 0},
    {"BG", 0},
    {"AN", 0},
    {"NU", 0},
    {"CO", 0},
    {"UD", 0},
};

static bool take(struct text *text, char letter)
{
    if (text->left == 0 || text->at[0] != (uint16_t)letter)
        return false;
    text->at++;
    text->left--;
    return true;
}

static bool take_word(struct text *text, const struct word *words, size_t count, uint8_t *means)
{
    for (size_t index = 0; index < count && text->left >= 2; index++)
        if (text->at[0] == (uint16_t)words[index].letters[0] && text->at[1] == (uint16_t)words[index].letters[1])
        {
            *means = words[index].means;
            text->at += 2;
            text->left -= 2;
            return true;
        }
    return false;
}

/* Everything up to the next separator; true when there was one, which is consumed. */
static bool skip_to(struct text *text, char separator)
{
    while (text->left > 0 && text->at[0] != (uint16_t)separator && text->at[0] != '(' && text->at[0] != ')')
    {
        text->at++;
        text->left--;
    }
    return take(text, separator);
}

/* A mask in hexadecimal: the generic bits, and the specific ones of a file or device. */
static bool take_mask(struct text *text, uint8_t *rights)
{
    uint64_t mask = 0;
    if (!take(text, '0') || !take(text, 'x'))
        return false;
    for (size_t digits = 0; text->left > 0 && text->at[0] != ';'; digits++)
    {
        const uint16_t letter = text->at[0];
        const int value = letter >= '0' && letter <= '9'   ? letter - '0'
                          : letter >= 'a' && letter <= 'f' ? letter - 'a' + 10
                          : letter >= 'A' && letter <= 'F' ? letter - 'A' + 10
                                                           : -1;
        if (value < 0 || digits == 8)
            return false;
        mask = mask << 4 | (uint64_t)value;
        text->at++;
        text->left--;
    }
    *rights = (uint8_t)((mask & 0x90000001u ? RIGHT_READ : 0) | (mask & 0x50000002u ? RIGHT_WRITE : 0) |
                        (mask & 0x10000000u ? RIGHT_OTHER : 0));
    return true;
}

static bool take_rights(struct text *text, uint8_t *rights)
{
    uint8_t one = 0;
    *rights = 0;
    if (text->left > 0 && text->at[0] == '0')
        return take_mask(text, rights);
    while (take_word(text, RIGHTS, sizeof RIGHTS / sizeof RIGHTS[0], &one))
        *rights |= one;
    return text->left > 0 && text->at[0] == ';';
}

/* A SID in full. Only the well-known ones for system, administrators and everyone belong to our three accounts. */
static bool take_sid(struct text *text, uint8_t *accounts)
{
    static const struct
    {
        const char *text;
        uint8_t accounts;
    } known[] = {{"S-1-5-18", 1u << HOST_SYSTEM},
                 {"S-1-5-32-544", 1u << HOST_SYSTEM | 1u << HOST_ADMINISTRATOR},
                 {"S-1-1-0", 1u << HOST_SYSTEM | 1u << HOST_ADMINISTRATOR | 1u << HOST_USER}};
    const struct text start = *text;
    size_t length = 0;
    while (length < start.left && start.at[length] != ')')
        length++;
    if (length < 2 || start.at[0] != 'S' || start.at[1] != '-')
        return false;
    *accounts = 0;
    for (size_t index = 0; index < sizeof known / sizeof known[0]; index++)
    {
        size_t same = 0;
        while (same < length && known[index].text[same] != 0 && start.at[same] == (uint16_t)known[index].text[same])
            same++;
        if (same == length && known[index].text[same] == 0)
            *accounts = known[index].accounts;
    }
    text->at += length;
    text->left -= length;
    return true;
}

/* One entry, (type;flags;rights;object;inherited object;account), applied to what each account still wants. */
static bool apply_entry(struct text *text, uint8_t wanted[ACCOUNTS], bool decided[ACCOUNTS], uint8_t *granted)
{
    uint8_t rights = 0;
    uint8_t accounts = 0;
    const bool denies = take(text, 'D');
    if ((!denies && !take(text, 'A')) || !take(text, ';') || !skip_to(text, ';'))
        return false;
    if (!take_rights(text, &rights) || !take(text, ';') || !skip_to(text, ';') || !skip_to(text, ';'))
        return false;
    if (!take_word(text, GROUPS, sizeof GROUPS / sizeof GROUPS[0], &accounts) && !take_sid(text, &accounts))
        return false;
    if (!take(text, ')'))
        return false;
    for (unsigned account = 0; account < ACCOUNTS; account++)
    {
        if ((accounts >> account & 1) == 0 || decided[account])
            continue;
        if (denies)
            decided[account] = (wanted[account] & rights) != 0;
        else if ((wanted[account] &= (uint8_t)~rights) == 0)
        {
            decided[account] = true;
            *granted |= (uint8_t)(1u << account);
        }
    }
    return true;
}

bool security_parse(const uint16_t *sddl, size_t length, uint8_t *accounts)
{
    struct text text = {sddl, length};
    uint8_t wanted[ACCOUNTS] = {WANTED, WANTED, WANTED};
    bool decided[ACCOUNTS] = {false, false, false};
    uint8_t granted = 0;
    while (text.left > 0 && text.at[0] != 'D')
    {
        /* O:owner, G:group before the DACL: two letters or a SID each, which say nothing about access here. */
        uint8_t ignored = 0;
        if ((!take(&text, 'O') && !take(&text, 'G')) || !take(&text, ':'))
            return false;
        if (!take_word(&text, GROUPS, sizeof GROUPS / sizeof GROUPS[0], &ignored))
            return false;
    }
    if (!take(&text, 'D') || !take(&text, ':'))
        return false;
    while (text.left > 0 && text.at[0] != '(')
        if (!take(&text, 'P') && !take(&text, 'A') && !take(&text, 'I') && !take(&text, 'R'))
            break;
    while (take(&text, '('))
        if (!apply_entry(&text, wanted, decided, &granted))
            return false;
    if (text.left >= 2 && text.at[0] == 'S' && text.at[1] == ':')
        text.left = 0; /* the audit entries decide nothing */
    if (text.left != 0)
        return false;
    *accounts = granted;
    return true;
}
