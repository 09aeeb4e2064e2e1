/* What all oracles share: asking, following a script, and recording (oracle.h). */
#include "oracle.h"

#include <stdio.h>
#include <stdlib.h>

void oracle_delete(struct oracle *oracle)
{
    if (oracle == NULL)
        return;
    if (oracle->discard != NULL)
        oracle->discard(oracle);
    free(oracle->record);
    free(oracle);
}

void oracle_clear(struct oracle *oracle)
{
    oracle->count = 0;
    oracle->diverged = false;
    oracle->preemptions = 0;
}

void oracle_begin_with(struct oracle *oracle, const uint32_t *script, size_t length)
{
    oracle->script = script;
    oracle->script_length = length;
}

void oracle_grow(void *array, size_t *capacity, size_t needed, size_t size)
{
    if (needed <= *capacity)
        return;
    size_t grown_capacity = *capacity == 0 ? 1024 : *capacity * 2;
    if (grown_capacity < needed)
        grown_capacity = needed;
    void **place = array;
    void *grown = realloc(*place, grown_capacity * size);
    if (grown == NULL)
    {
        fprintf(stderr, "wintun-sim: the record of choices needs room for %zu, which the system refuses\n",
                grown_capacity);
        abort();
    }
    *place = grown;
    *capacity = grown_capacity;
}

/* What the script says to this choice. */
static uint32_t follow(struct oracle *oracle, enum choice_kind kind, uint32_t options)
{
    if (oracle->diverged)
        return 0;
    const uint32_t choice = oracle->script[oracle->count];
    const bool any = CHOICE_KIND(choice) == 0 && CHOICE_OPTIONS(choice) == 0;
    if ((any || (CHOICE_KIND(choice) == (uint32_t)kind && CHOICE_OPTIONS(choice) == options)) &&
        CHOICE_CHOSEN(choice) < options)
        return CHOICE_CHOSEN(choice);
    oracle->diverged = true;
    oracle->diverged_at = oracle->count;
    return 0;
}

uint32_t oracle_choose(struct oracle *oracle, enum choice_kind kind, uint32_t options)
{
    if (options <= 1)
        return 0;
    if (options > CHOICE_OPTIONS_LIMIT)
        options = CHOICE_OPTIONS_LIMIT;
    uint32_t chosen = oracle->choose(oracle, kind, options);
    if (oracle->count < oracle->script_length)
        chosen = follow(oracle, kind, options);
    if (chosen >= options)
        chosen = 0;
    if (oracle->count == oracle->capacity)
        oracle_grow(&oracle->record, &oracle->capacity, oracle->count + 1, sizeof *oracle->record);
    oracle->record[oracle->count++] = CHOICE(kind, options, chosen);
    return chosen;
}
