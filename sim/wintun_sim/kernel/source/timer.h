/* What work.c and timer.c share. */
#ifndef WINTUN_SIM_TIMER_H
#define WINTUN_SIM_TIMER_H

#include <ntddk.h>
#include <stdbool.h>
#include <stdint.h>

struct image;

/* Armed timers of that image (NULL: of any). */
uint32_t timer_count(const struct image *image);

/* KeInsertQueueDpc on behalf of `image` and `operation`, from anywhere. */
bool dpc_queue(PKDPC dpc, void *first, void *second, struct image *image, uint32_t operation);

#endif
