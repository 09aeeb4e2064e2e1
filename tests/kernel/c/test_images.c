/* Images: private globals, missing imports, damaged files. WINTUN_SIM_TEST_IMAGES names the directory of those that
 * pytest has built. */
#include <ntddk.h>

#include <unistd.h>

#include "check.h"

static const char *path_of(const char *name)
{
    static char path[4096];
    const char *directory = getenv("WINTUN_SIM_TEST_IMAGES");
    CHECK(directory != NULL);
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

static struct image *load(const char *name)
{
    char error[1024] = "";
    struct image *image = image_load(path_of(name), error, sizeof error);
    if (image == NULL)
        fprintf(stderr, "%s\n", error);
    CHECK(image != NULL);
    return image;
}

typedef int counter_function(void);

static int count_up(struct image *image)
{
    return ((counter_function *)(uintptr_t)image_symbol(image, "CountUp"))();
}

TEST(two_copies_of_an_image_have_globals_of_their_own)
{
    struct image *first = load("counter.so");
    struct image *second = load("counter.so");
    CHECK_EQUAL(count_up(first), 101);
    CHECK_EQUAL(count_up(first), 102);
    CHECK_EQUAL(count_up(second), 101);
    CHECK(image_symbol(first, "DriverEntry") != NULL &&
          image_symbol(first, "DriverEntry") != image_symbol(second, "DriverEntry"));
    CHECK(image_of((uintptr_t)image_symbol(second, "CountUp")) == second);
    CHECK(image_symbol(first, "NoSuchSymbol") == NULL);
}

TEST(globals_are_part_of_the_world_and_fresh_after_a_second_load)
{
    struct image *image = load("counter.so");
    count_up(image);
    struct snapshot *snapshot = snapshot_take();
    CHECK_EQUAL(count_up(image), 102);
    snapshot_restore(snapshot);
    CHECK_EQUAL(count_up(image), 102);
    image_unload(image);
    CHECK_EQUAL(count_up(load("counter.so")), 101);
    snapshot_restore(snapshot);
    CHECK_EQUAL(count_up(image), 102);
    snapshot_delete(snapshot);
}

TEST(every_missing_import_is_named_at_once)
{
    char error[1024];
    CHECK(image_load(path_of("missing.so"), error, sizeof error) == NULL);
    CHECK(strstr(error, "the host kernel does not have NoSuchFunctionOne, NoSuchFunctionTwo") != NULL);
    CHECK(strstr(error, "KeGetCurrentIrql") == NULL);
}

static void call_crash(void *argument)
{
    struct call call;
    struct image *image = argument;
    call_enter(&call, "MiniportHaltEx", PASSIVE_LEVEL, image);
    ((counter_function *)(uintptr_t)image_symbol(image, "Crash"))();
    call_leave(&call);
}

TEST(a_crash_in_an_image_names_the_function_even_a_static_one)
{
    actor_start(call_crash, load("counter.so"), 9);
    CHECK(scheduler_run(0) == RUN_CRASHED);
    CHECK_EQUAL(
        count_events(HOST_EVENT_CRASHED, NULL, "MiniportHaltEx: access violation at NULL + 0x8, in TouchNothing+0x"),
        1);
}

static void call_loop(void *argument)
{
    struct call call;
    struct image *image = argument;
    call_enter(&call, "MiniportPause", PASSIVE_LEVEL, image);
    ((counter_function *)(uintptr_t)image_symbol(image, "Loop"))();
    call_leave(&call);
}

TEST(a_loop_that_never_calls_the_kernel_is_found_by_its_processor_time)
{
    current_host->crash.patience = 2;
    actor_start(call_loop, load("counter.so"), 9);
    CHECK(scheduler_run(0) == RUN_CRASHED);
    CHECK_EQUAL(count_events(HOST_EVENT_CRASHED, NULL, "MiniportPause: endless loop: 1 s of processor time"), 1);
    CHECK_EQUAL(count_events(HOST_EVENT_CRASHED, NULL, "in Loop"), 1);
}

TEST(a_call_into_an_unloaded_image_is_a_crash_of_the_driver)
{
    struct image *image = load("counter.so");
    image_unload(image);
    actor_start(call_crash, image, 9);
    CHECK(scheduler_run(0) == RUN_CRASHED);
    CHECK_EQUAL(count_events(HOST_EVENT_CRASHED, NULL, "an image that was unloaded") +
                    count_events(HOST_EVENT_CRASHED, NULL, "a driver image that was unloaded"),
                1);
}

TEST(more_images_than_there_is_room_for_are_refused)
{
    char error[1024];
    for (int i = 0; i < IMAGE_LIMIT; i++)
        load("counter.so");
    CHECK(image_load(path_of("counter.so"), error, sizeof error) == NULL);
    CHECK(strstr(error, "no room for more") != NULL);
}

TEST(files_that_are_no_image_are_refused_with_a_reason)
{
    static const char *const names[][2] = {
        {"no-such-file.so", "No such file"}, {".", "Is a directory"},          {"empty.so", "not an ELF file"},
        {"text.so", "not an ELF file"},      {"library.so", "shared library"}, {"half.so", "damaged"},
    };
    char error[1024];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    {
        CHECK(image_load(path_of(names[i][0]), error, sizeof error) == NULL);
        if (strstr(error, names[i][1]) == NULL)
            fprintf(stderr, "%s: %s\n", names[i][0], error);
        CHECK(strstr(error, names[i][1]) != NULL);
    }
}

/* One byte of the headers changed, or the file cut anywhere: refused or loaded, never a crash of the process. */
TEST(a_damaged_image_never_takes_the_process_down)
{
    FILE *file = fopen(path_of("counter.so"), "rb");
    static uint8_t bytes[1 << 20];
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    unsigned refused = 0;
    char error[1024];
    char place[] = "/tmp/wintun-sim-damaged-XXXXXX";
    int descriptor = mkstemp(place);
    close(descriptor);
    for (unsigned cut = 0; cut < 200; cut++)
    {
        file = fopen(place, "wb");
        fwrite(bytes, 1, size * cut / 200, file);
        fclose(file);
        refused += image_load(place, error, sizeof error) == NULL;
    }
    CHECK_EQUAL(refused, 200);
    remove(place);
}
