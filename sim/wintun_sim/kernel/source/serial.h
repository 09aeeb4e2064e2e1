/* What NDIS calls one after another for an adapter, and so puts in order: how one such call ended happened before the
 * next begins. Calls that may overlap say nothing about each other, even where a schedule let them not overlap. Which
 * these are the gate knows, if there is one; otherwise it is the raw order of wintun_sim.lifecycle.overlap.
 */
#ifndef WINTUN_SIM_SERIAL_H
#define WINTUN_SIM_SERIAL_H

#include "../explore_api.h"

struct adapter;

/* The call that an operation on an adapter is. */
enum host_call serial_call_of(const struct host_operation *operation);

/* The current actor makes such a call; and it, or whoever completes what the call left pending, ends it. */
void serial_begins(const struct adapter *adapter, enum host_call call);
void serial_ends(const struct adapter *adapter, enum host_call call);

#endif
