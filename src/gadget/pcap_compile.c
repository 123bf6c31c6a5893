// SPDX-License-Identifier: Apache-2.0
#include "gadget/pcap_compile.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * What libpcap would capture with, and read files with. Nobody calls it; were it not here, the
 * linker would take libpcap's own, and with it D-Bus and parsers that need not be in a program of
 * root's. Weak: a program that links this library may use all of libpcap.
 */
#define LEFT_OUT(name)                              \
	void name(void);                            \
	__attribute__((weak, used)) void name(void) \
	{                                           \
		abort();                            \
	}
LEFT_OUT(bt_create)
LEFT_OUT(bt_findalldevs)
LEFT_OUT(bt_monitor_create)
LEFT_OUT(bt_monitor_findalldevs)
LEFT_OUT(dbus_create)
LEFT_OUT(dbus_findalldevs)
LEFT_OUT(netfilter_create)
LEFT_OUT(netfilter_findalldevs)
LEFT_OUT(usb_create)
LEFT_OUT(usb_findalldevs)
LEFT_OUT(pcap_create_interface)
LEFT_OUT(pcap_platform_finddevs)
LEFT_OUT(pcap_offline_read)

enum { MAX_PACKET = 262144 };

int pcap_expression(const char *expression, struct sock_filter *ret, size_t room, char *why,
		    size_t why_size)
{
	struct bpf_program program = {0};
	pcap_t *p = pcap_open_dead(DLT_EN10MB, MAX_PACKET);
	int r;

	if (!p)
		return -ENOMEM;
	if (pcap_compile(p, &program, expression, 1, PCAP_NETMASK_UNKNOWN)) {
		snprintf(why, why_size, "%s", pcap_geterr(p));
		r = -EINVAL;
	} else if (program.bf_len > room) {
		r = -E2BIG;
	} else { /* its instructions are the kernel's */
		memcpy(ret, program.bf_insns, program.bf_len * sizeof(*program.bf_insns));
		r = (int)program.bf_len;
	}
	pcap_freecode(&program);
	pcap_close(p);
	return r;
}
