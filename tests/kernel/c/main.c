/* Runs one test: `core_tests NAME`; `core_tests` alone prints the names. */
#include "check.h"

static struct test *tests;

void test_register(struct test *test)
{
    test->next = tests;
    tests = test;
}

static bool contains(const struct host_event *event, const char *words)
{
    const char *text = (const char *)current_host->log.storage->bytes + event->data;
    size_t length = strlen(words);
    for (size_t i = 0; i + length <= event->data_length; i++)
        if (memcmp(text + i, words, length) == 0)
            return true;
    return false;
}

unsigned count_events(uint32_t kind, const char *rule, const char *words)
{
    unsigned count = 0;
    for (uint32_t i = 0; i < current_host->log.count; i++)
    {
        const struct host_event *event = &current_host->log.storage->events[i];
        count += event->kind == kind && (rule == NULL || strcmp(event->rule, rule) == 0) &&
                 (words == NULL || contains(event, words));
    }
    return count;
}

void print_events(void)
{
    for (uint32_t i = 0; i < current_host->log.count; i++)
    {
        const struct host_event *event = &current_host->log.storage->events[i];
        fprintf(stderr, "  event %u of operation %u: %s %.*s\n", event->kind, event->operation,
                event->rule == NULL ? "" : event->rule, (int)event->data_length,
                (const char *)current_host->log.storage->bytes + event->data);
    }
}

void use_oracle(struct oracle *oracle)
{
    oracle_delete(current_host->oracle);
    current_host->oracle = oracle;
}

size_t explore(void (*run)(void), void (*judge)(enum run_result result))
{
    struct snapshot *start = snapshot_take();
    uint32_t *script = NULL;
    size_t length = 0;
    size_t runs = 0;
    for (;;)
    {
        use_oracle(oracle_replay_new(script, length));
        run();
        judge(scheduler_run(100000));
        runs += 1;
        struct oracle *oracle = current_host->oracle;
        CHECK(!oracle->diverged);
        length = oracle->count;
        while (length != 0 &&
               CHOICE_CHOSEN(oracle->record[length - 1]) + 1 == CHOICE_OPTIONS(oracle->record[length - 1]))
            length -= 1;
        if (length == 0)
            break;
        free(script);
        script = malloc(length * sizeof *script);
        memcpy(script, oracle->record, length * sizeof *script);
        script[length - 1] += 1;
        snapshot_restore(start);
    }
    free(script);
    use_oracle(oracle_first_new());
    snapshot_delete(start);
    return runs;
}

int main(int count, char **arguments)
{
    if (count < 2)
    {
        for (const struct test *test = tests; test != NULL; test = test->next)
            puts(test->name);
        return 0;
    }
    for (const struct test *test = tests; test != NULL; test = test->next)
    {
        if (strcmp(test->name, arguments[1]) != 0)
            continue;
        char error[256];
        struct host *host = host_open(64 << 20, error, sizeof error);
        if (host == NULL)
        {
            fprintf(stderr, "%s\n", error);
            return 1;
        }
        host_enter(host);
        test->run();
        host_leave();
        host_close(host);
        return 0;
    }
    fprintf(stderr, "there is no test %s\n", arguments[1]);
    return 2;
}
