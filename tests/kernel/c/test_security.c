/* Who may open a device: security descriptor strings, whole, in pieces and damaged. */
#include "check.h"
#include "security.h"

#define SYSTEM        (1u << HOST_SYSTEM)
#define ADMINISTRATOR (1u << HOST_ADMINISTRATOR)
#define USER          (1u << HOST_USER)

static bool parse(const char *text, size_t length, uint8_t *accounts)
{
    uint16_t wide[256];
    CHECK(length <= 256);
    for (size_t i = 0; i < length; i++)
        wide[i] = (uint8_t)text[i];
    return security_parse(wide, length, accounts);
}

static void check_accounts(const char *text, unsigned expected)
{
    uint8_t accounts = 0xFF;
    if (!parse(text, strlen(text), &accounts))
        fprintf(stderr, "%s is not understood\n", text);
    CHECK_EQUAL(accounts, expected);
}

TEST(entries_of_a_security_descriptor_decide_in_their_order)
{
    check_accounts("D:P(A;;GA;;;SY)", SYSTEM);
    check_accounts("D:P(A;;GA;;;SY)(A;;GA;;;BA)", SYSTEM | ADMINISTRATOR);
    check_accounts("D:P(A;;GA;;;WD)", SYSTEM | ADMINISTRATOR | USER);
    check_accounts("D:P(A;;GRGW;;;WD)", SYSTEM | ADMINISTRATOR | USER);
    check_accounts("D:P(D;;GW;;;BU)(A;;GRGW;;;WD)", SYSTEM);
    check_accounts("D:P(A;;GRGW;;;WD)(D;;GW;;;BU)", SYSTEM | ADMINISTRATOR | USER);
}

TEST(reading_alone_is_not_enough_but_rights_add_up)
{
    check_accounts("D:P(A;;GA;;;SY)(A;;GR;;;WD)", SYSTEM);
    check_accounts("D:P(A;;GR;;;WD)(A;;GW;;;BA)", SYSTEM | ADMINISTRATOR);
    check_accounts("D:P(A;;0x3;;;WD)", SYSTEM | ADMINISTRATOR | USER);
    check_accounts("D:P(A;;0x80000000;;;WD)", 0);
    check_accounts("D:P(A;;0x10000000;;;WD)", SYSTEM | ADMINISTRATOR | USER);
    check_accounts("D:P(A;;;;;WD)", 0);
}

TEST(a_descriptor_without_entries_lets_nobody_in)
{
    check_accounts("D:", 0);
    check_accounts("D:P", 0);
    check_accounts("O:SYG:SYD:PAI", 0);
}

TEST(owners_groups_audit_entries_and_sids_in_full_are_understood)
{
    check_accounts("O:BAG:SYD:P(A;OICI;FA;;;S-1-5-18)S:(AU;FA;FA;;;WD)", SYSTEM);
    check_accounts("D:P(A;;GA;;;S-1-5-32-544)", SYSTEM | ADMINISTRATOR);
    check_accounts("D:P(A;;GA;;;S-1-1-0)", SYSTEM | ADMINISTRATOR | USER);
    check_accounts("D:P(A;;GA;;;S-1-5-21-1-2-3-1001)", 0);
}

TEST(what_is_no_security_descriptor_is_refused_and_changes_nothing)
{
    static const char *const texts[] = {
        "",
        "P(A;;GA;;;SY)",
        "D:P(A;;GA;;;SY",
        "D:P(A;;GA;;SY)",
        "D:P(X;;GA;;;SY)",
        "D:P(A;;ZZ;;;SY)",
        "D:P(A;;GA;;;!!)",
        "D:P(A;;0x;;;SY)x",
        "D:P(A;;0x123456789;;;SY)",
        "D:P(A;;GA;;;SY)(A",
        "O:D:P(A;;GA;;;SY)",
        "D:P((A;;GA;;;SY)",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
    {
        uint8_t accounts = 0x5A;
        if (parse(texts[i], strlen(texts[i]), &accounts))
            fprintf(stderr, "\"%s\" is taken for a security descriptor\n", texts[i]);
        CHECK_EQUAL(accounts, 0x5A);
    }
}

/* With the sanitizers on, a byte read behind the end shows. */
TEST(a_descriptor_that_was_cut_or_damaged_never_leads_outside)
{
    static const char whole[] = "O:BAG:SYD:PAI(A;OICI;0x3;;;S-1-5-18)(D;;GRGW;;;BU)(A;;FA;;;WD)S:(AU;FA;FA;;;WD)";
    for (size_t length = 0; length < sizeof whole; length++)
        for (size_t place = 0; place < length; place++)
        {
            uint16_t *text = malloc(length * sizeof *text);
            CHECK(text != NULL);
            for (size_t i = 0; i < length; i++)
                text[i] = (uint8_t)whole[i];
            text[place] = (uint16_t)(text[place] * 7 + length);
            uint8_t accounts = 0;
            (void)security_parse(text, length, &accounts);
            CHECK(accounts <= (SYSTEM | ADMINISTRATOR | USER));
            free(text);
        }
}
