// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/* Who talks to whom, as trace_network tells it. advise_networkpolicy.c makes policies of it. */
#include <gadget/network.bpf.h>

GADGET("Make network policies of whom containers talk to\n"
       "Let pods do all that they should be able to do, then end the run: their policies let "
       "through what was opened by them and to them, on any port, IPv4 and IPv6, and refuse the "
       "rest. Pods with the same labels in a namespace have one policy; peers are pods of this "
       "machine by their labels, and addresses else. Of containers in no pod the policy goes by "
       "their names. Rows (-o columns, -o json) are trace_network's. --diff compares with policies "
       "that are there.",
       ALIAS("network_policy") ALIAS("generate_networkpolicy") ALONE LIMITS(
	       NETWORK_LIMITS
	       " So it stands in a policy as an address, which most network plugins never see: "
	       "rules "
	       "for its pods are known where these are on this machine and were watched as well, "
	       "and "
	       "those of the cluster's DNS. What was not opened in the run is not in the policy.")
	       SELFTEST("bash -c 'true >/dev/tcp/127.0.0.1/9' || nc -w1 127.0.0.1 9; true",
			"direction==EGRESS,port==9"));
