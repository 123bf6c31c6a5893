// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
#include <gadget/network.bpf.h>

GADGET("Trace which containers talk to whom\n"
       "Each edge of a container once: that it connected to an address and port, or was connected "
       "to at a port, over TCP or UDP on any port, IPv4 and IPv6, or pinged somebody; refused "
       "connections as well. The other end has its name where it is a container or pod of this "
       "machine.",
       ALIAS("network_graph") ALONE LIMITS(NETWORK_LIMITS)
	       SELFTEST("bash -c 'true >/dev/tcp/127.0.0.1/9' || nc -w1 127.0.0.1 9; true",
			"direction==EGRESS,port==9"));
