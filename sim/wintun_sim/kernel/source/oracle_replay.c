/* The oracle that repeats a list of choices, and says when the run is another than the one it was recorded from. */
#include <stdlib.h>

#include "oracle.h"

static uint32_t choose_replay(struct oracle *oracle, enum choice_kind kind, uint32_t options)
{
    if (oracle->diverged || oracle->script_position >= oracle->script_length)
        return 0;
    uint32_t choice = oracle->script[oracle->script_position++];
    if (CHOICE_KIND(choice) != (uint32_t)kind || CHOICE_OPTIONS(choice) != options || CHOICE_CHOSEN(choice) >= options)
    {
        oracle->diverged = true;
        return 0;
    }
    return CHOICE_CHOSEN(choice);
}

struct oracle *oracle_replay_new(const uint32_t *script, size_t length)
{
    struct oracle *oracle = calloc(1, sizeof *oracle);
    if (oracle != NULL)
    {
        oracle->choose = choose_replay;
        oracle->script = script;
        oracle->script_length = length;
    }
    return oracle;
}
