"""The pages of learn.microsoft.com that the tables and the ledger rest on: who says so, by name."""

from __future__ import annotations

from typing import Final

from wintun_sim.ndis import DDI, KERNEL, NETWORK

STATES_PAGE: Final = f"{NETWORK}/miniport-adapter-states-and-operations"
"""The states page: seven states, and the table of what leads from one to another."""

# The handlers of a miniport driver, in the order in which an adapter meets them

INITIALIZE_PAGE: Final = f"{DDI}/ndis/nc-ndis-miniport_initialize"
RESTART_PAGE: Final = f"{DDI}/ndis/nc-ndis-miniport_restart"
SEND_PAGE: Final = f"{DDI}/ndis/nc-ndis-miniport_send_net_buffer_lists"
CANCEL_SEND_PAGE: Final = f"{DDI}/ndis/nc-ndis-miniport_cancel_send"
OID_PAGE: Final = f"{DDI}/ndis/nc-ndis-miniport_oid_request"
POWER_PAGE: Final = f"{NETWORK}/oid-pnp-set-power"
PAUSE_PAGE: Final = f"{DDI}/ndis/nc-ndis-miniport_pause"
PNP_PAGE: Final = f"{DDI}/ndis/nc-ndis-miniport_device_pnp_event_notify"
HALT_PAGE: Final = f"{DDI}/ndis/nc-ndis-miniport_halt"
SHUTDOWN_PAGE: Final = f"{DDI}/ndis/nc-ndis-miniport_shutdown"
UNLOAD_PAGE: Final = f"{DDI}/ndis/nc-ndis-miniport_unload"

# The stack above it

STACK_PAGE: Final = f"{NETWORK}/pausing-a-driver-stack"
BINDING_PAGE: Final = f"{NETWORK}/pausing-a-binding"
STACK_RESTART_PAGE: Final = f"{NETWORK}/restarting-a-driver-stack"
SERIALIZATION_PAGE: Final = f"{NETWORK}/miniport-adapter-oid-request-serialization"

# The client below it

REQUEST_PAGE: Final = f"{KERNEL}/irp-major-function-codes"
CLEANUP_PAGE: Final = f"{KERNEL}/irp-mj-cleanup"
CLOSE_PAGE: Final = f"{KERNEL}/irp-mj-close"
REGISTER_DEVICE_PAGE: Final = f"{DDI}/ndis/nf-ndis-ndisregisterdeviceex"
DEVICE_PAGE: Final = f"{DDI}/ndis/nf-ndis-ndisderegisterdeviceex"
