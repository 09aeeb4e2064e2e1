/* Taking a driver's faults (crash.h).
 *
 * The signal handler runs on a stack of its own, notes what happened, and leaves the actor for good by switching to
 * scheduler_run's stack; that logs the event. Faults of anyone else go where they went before.
 */
#define _GNU_SOURCE /* REG_RIP */
#include "crash.h"

#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__linux__)
#include <ucontext.h>
#endif

#include "host.h"
#include "scheduler.h"
#include "watchdog.h"

#if defined(WITH_ASAN)
#include <sanitizer/asan_interface.h>
#endif

enum
{
    SIGNAL_STACK_SIZE = 64 << 10,
    NULL_PAGES = 64 << 10 /* Windows never maps the first 64 KiB */
};

/* What the signal handler noted. One thread is in a host at a time. */
static struct
{
    int signal;
    uintptr_t address;
    uintptr_t place;
    bool no_address; /* the processor refused the pointer itself, and did not say which */
    uint32_t operation;
    const char *handler;
} noted;

static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
static struct sigaction previous[sizeof signals / sizeof signals[0]];
static _Thread_local bool inside;

static uintptr_t program_counter(const void *context)
{
#if defined(__linux__) && defined(__x86_64__)
    return (uintptr_t)((const ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
#elif defined(__linux__) && defined(__aarch64__)
    return (uintptr_t)((const ucontext_t *)context)->uc_mcontext.pc;
#else
    (void)context;
    return 0;
#endif
}

static void on_signal(int number, siginfo_t *information, void *context)
{
    const struct actor *actor = inside && current_host != NULL ? current_host->scheduler.current : NULL;
    if (actor == NULL)
    {
        /* Not ours: the instruction is executed again, and meets the handler of before. That one may bring this one
         * back, if it was there first; the second time nobody is left. */
        for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
            if (signals[i] == number)
            {
                sigaction(number, &previous[i], NULL);
                memset(&previous[i], 0, sizeof previous[i]);
                previous[i].sa_handler = SIG_DFL;
            }
        return;
    }
    noted.signal = number;
    noted.address = (uintptr_t)information->si_addr;
    noted.place = program_counter(context);
    noted.no_address = number == SIGSEGV && information->si_code > 0 && information->si_code != SEGV_MAPERR &&
                       information->si_code != SEGV_ACCERR;
    noted.operation = actor->operation;
    noted.handler = actor->handler;
    current_host->crash.crashed = true;
    scheduler_abandon(RUN_CRASHED);
}

static uint32_t patience(void)
{
    return current_host->crash.patience == 0 ? WATCHDOG_PATIENCE : current_host->crash.patience;
}

/* A tick of the watchdog. Only driver code is abandoned: the host kernel's own may hold the C library's locks, and
 * comes back. */
static void on_tick(int number, siginfo_t *information, void *context)
{
    static uint64_t last_steps;
    static uint64_t last_runs;
    static uint32_t ticks;
    (void)information;
    const struct actor *actor = inside && current_host != NULL ? current_host->scheduler.current : NULL;
    uint64_t steps = actor == NULL ? 0 : current_host->scheduler.steps;
    if (actor == NULL || steps != last_steps || scheduler_runs != last_runs)
        ticks = 0;
    last_steps = steps;
    last_runs = scheduler_runs;
    if (actor == NULL || ++ticks < patience() || image_of(program_counter(context)) == NULL)
        return;
    ticks = 0;
    noted.signal = number;
    noted.place = program_counter(context);
    noted.no_address = false;
    noted.operation = actor->operation;
    noted.handler = actor->handler;
    current_host->crash.crashed = true;
    scheduler_abandon(RUN_CRASHED);
}

void crash_take_signals(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_signal;
    /* SA_NODEFER: the handler never returns, so nothing would unblock the signal again. */
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
    {
        struct sigaction found;
        if (sigaction(signals[i], NULL, &found) != 0 ||
            ((found.sa_flags & SA_SIGINFO) != 0 && found.sa_sigaction == on_signal))
            continue;
        previous[i] = found;
        sigaction(signals[i], &action, NULL);
    }
    action.sa_sigaction = on_tick;
    action.sa_flags |= SA_RESTART;
    sigaction(WATCHDOG_SIGNAL, &action, NULL);
}

static pthread_key_t stack_key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void free_signal_stack(void *memory)
{
    stack_t none;
    memset(&none, 0, sizeof none);
    none.ss_flags = SS_DISABLE;
    sigaltstack(&none, NULL);
    free(memory);
}

/* A fork's child has no timers; its thread must prepare itself again. */
static unsigned generation = 1;

static void forked(void)
{
    generation += 1;
}

static void prepare_process(void)
{
    pthread_atfork(NULL, NULL, forked);
    pthread_key_create(&stack_key, free_signal_stack);
}

static void prepare_thread(void)
{
    watchdog_start();
    stack_t stack;
    if (sigaltstack(NULL, &stack) == 0 && (stack.ss_flags & SS_DISABLE) == 0)
        return;
    memset(&stack, 0, sizeof stack);
    stack.ss_sp = malloc(SIGNAL_STACK_SIZE);
    stack.ss_size = SIGNAL_STACK_SIZE;
    if (stack.ss_sp != NULL && sigaltstack(&stack, NULL) == 0)
        pthread_setspecific(stack_key, stack.ss_sp);
}

void crash_thread_enters(void)
{
    static _Thread_local unsigned prepared;
    if (prepared != generation)
    {
        pthread_once(&once, prepare_process);
        prepare_thread();
        prepared = generation;
    }
    inside = true;
}

void crash_thread_leaves(void)
{
    inside = false;
}

static void log_crash(uint32_t operation, const char *handler, const char *text)
{
    char whole[640];
    int written =
        snprintf(whole, sizeof whole, "%s%s%s", handler == NULL ? "" : handler, handler == NULL ? "" : ": ", text);
    struct host_event *event = log_event(HOST_EVENT_CRASHED, operation);
    log_data(event, whole, written < 0 ? 0 : (size_t)written < sizeof whole ? (size_t)written : sizeof whole - 1);
    wintun_sim_finding();
}

void crash_now(const char *format, ...)
{
    const struct actor *actor = actor_current();
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (actor == NULL)
    {
        fprintf(stderr, "wintun-sim: outside of any actor: %s\n", text);
        abort();
    }
    log_crash(actor->operation, actor->handler, text);
    noted.signal = 0;
    current_host->crash.crashed = true;
    scheduler_abandon(RUN_CRASHED);
}

/* Where the sampled loop stands differs from run to run; which function it is in does not. */
static void report_loop(const struct image *image)
{
    char place[256];
    image_place(image, noted.place, place, sizeof place);
    place[strcspn(place, "+")] = 0;
    char text[384];
    snprintf(text, sizeof text, "endless loop: %u s of processor time without a call that others could see, in %s",
             (patience() + WATCHDOG_TICKS_A_SECOND - 1) / WATCHDOG_TICKS_A_SECOND, place);
    log_crash(noted.operation, noted.handler, text);
    noted.signal = 0;
}

/* The address in words that are the same in every process. */
static void describe_address(uintptr_t address, char *text, size_t size)
{
    const struct scheduler *scheduler = &current_host->scheduler;
    const struct block *block = arena_block_of((const void *)address);
    uintptr_t stacks = (uintptr_t)scheduler->stacks;
    if (address < NULL_PAGES)
        snprintf(text, size, "at NULL + 0x%llx", (unsigned long long)address);
    else if (block != NULL)
        snprintf(text, size, "in %s of %llu bytes", block_kind_name((enum block_kind)block->kind),
                 (unsigned long long)block->size);
    else if (address >= stacks && address < stacks + (uintptr_t)ACTOR_LIMIT * ACTOR_STACK_STRIDE)
        snprintf(text, size, "beyond the end of the stack (%d KiB; Windows gives a thread 24)", ACTOR_STACK_SIZE >> 10);
    else if (image_of(address) != NULL)
        snprintf(text, size, "in the driver's own image, which is read-only there");
    else
        snprintf(text, size, "at an address where nothing is");
}

static const char *signal_words(int number)
{
    switch (number)
    {
    case SIGSEGV:
        return "access violation";
    case SIGBUS:
        return "bus error";
    case SIGFPE:
        return "division by zero or overflow";
    case SIGILL:
        return "illegal instruction";
    default:
        return "breakpoint";
    }
}

/* The signal handler's frames were left for good; the address sanitizer must not hold them against the next one. */
static void clean_signal_stack(void)
{
#if defined(WITH_ASAN)
    stack_t stack;
    if (sigaltstack(NULL, &stack) == 0 && (stack.ss_flags & SS_DISABLE) == 0)
        ASAN_UNPOISON_MEMORY_REGION(stack.ss_sp, stack.ss_size);
#endif
}

void crash_report(void)
{
    clean_signal_stack();
    if (noted.signal == 0)
        return; /* crash_now has said it */
    if (noted.signal == WATCHDOG_SIGNAL)
    {
        report_loop(image_of(noted.place));
        return;
    }
    char where[128] = "";
    if (noted.no_address)
        snprintf(where, sizeof where,
                 " through a pointer that is no address, such as fresh (0xCD) or freed (0xDD) memory holds");
    else if (noted.signal == SIGSEGV || noted.signal == SIGBUS)
    {
        where[0] = ' ';
        describe_address(noted.address, where + 1, sizeof where - 1);
    }
    char place[256] = "the host kernel";
    const struct image *image = image_of(noted.place);
    if (image != NULL)
        image_place(image, noted.place, place, sizeof place);
    char text[512];
    snprintf(text, sizeof text, "%s%s, in %s", signal_words(noted.signal), where, place);
    log_crash(noted.operation, noted.handler, text);
    noted.signal = 0;
}
