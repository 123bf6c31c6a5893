// SPDX-License-Identifier: Apache-2.0
/* -o pcap-ng: a capture file of the rows, as they come. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "columns/format.h"
#include "columns/report.h"
#include "pcapng.h"

enum { MAX_INTERFACES = 65536, PENDING_MAX = 1 << 20 };

/* A device of a network namespace, which only its node numbers. */
struct interface {
	int64_t netns, ifindex;
	char *node; /* NULL: of no cluster */
	char *container;
	uint64_t received;
};

/* The places of what is needed of a row, for the schema they were looked up in. */
struct places {
	const struct schema *of;
	const struct field *time, *frame, *length, *ifindex, *netns, *dev, *direction, *comm, *pid;
	const struct field *node, *pod, *namespace, *pod_container, *container;
};

struct capture {
	struct places places;
	struct interface *interfaces;
	size_t n, room;
	uint64_t last_ns;
	struct buf pending, comment;
};

static int capture_open(const char *mode, const struct labels *options, void **ret, struct err *err)
{
	struct capture *c = xnew(struct capture);

	buf_init(&c->pending, PENDING_MAX);
	buf_init(&c->comment, 4096);
	pcapng_section(&c->pending, "ig " IG_VERSION);
	*ret = c;
	return 0;
}

static void capture_close(void *state)
{
	struct capture *c = state;

	if (!c)
		return;
	for (size_t i = 0; i < c->n; i++) {
		free(c->interfaces[i].node);
		free(c->interfaces[i].container);
	}
	free(c->interfaces);
	buf_done(&c->pending);
	buf_done(&c->comment);
	free(c);
}

/* ---- rows ----------------------------------------------------------------------------------- */

static int find_places(struct places *p, const struct schema *s, struct err *err)
{
	if (p->of == s)
		return 0;
	*p = (struct places){.of = s,
			     .time = schema_field(s, "timestamp"),
			     .frame = schema_field(s, "frame"),
			     .length = schema_field(s, "length"),
			     .ifindex = schema_field(s, "ifindex"),
			     .netns = schema_field(s, "netns_id"),
			     .dev = schema_field(s, "dev"),
			     .direction = schema_field(s, "pkt_type"),
			     .comm = schema_field(s, "proc.comm"),
			     .pid = schema_field(s, "proc.pid"),
			     .node = schema_field(s, "k8s.node"),
			     .pod = schema_field(s, "k8s.podName"),
			     .namespace = schema_field(s, "k8s.namespace"),
			     .pod_container = schema_field(s, "k8s.containerName"),
			     .container = schema_field(s, "runtime.containerName")};
	if (!p->time || !p->frame || !p->length || !p->ifindex || !p->netns || !p->dev ||
	    !p->direction || !p->comm || !p->pid || p->frame->kind != KIND_TEXT) {
		p->of = NULL;
		return err_set(err, -EBADMSG, "these are not tcpdump's records");
	}
	return 0;
}

static int64_t number_of(const struct row *row, const struct field *f)
{
	int64_t value;

	return row_number(row, f, &value) ? value : 0;
}

/* A new string; NULL where it is absent or empty. */
static char *text_of(const struct row *row, const struct field *f)
{
	const char *text;
	bool truncated;
	size_t n;

	return f && row_text(row, f, &text, &n, &truncated) && n ? xstrndup(text, n) : NULL;
}

static char *container_name(const struct places *p, const struct row *row)
{
	_cleanup_(freep) char *pod = text_of(row, p->pod);
	_cleanup_(freep) char *namespace = text_of(row, p->namespace);
	_cleanup_(freep) char *container = text_of(row, p->pod_container);

	if (pod)
		return xasprintf("%s/%s/%s", namespace ?: "", pod, container ?: "");
	return text_of(row, p->container);
}

/* "node n1, container web" */
static char *description_of(const struct interface *i)
{
	return xasprintf("%s%s%s%s%s", i->node ? "node " : "", i->node ?: "",
			 i->node && i->container ? ", " : "",
			 i->node && i->container ? "container " : "", i->container ?: "");
}

static void add_interface(struct capture *c, const struct row *row, int64_t netns, int64_t ifindex,
			  const char *node)
{
	struct interface *i = grow(&c->interfaces, &c->n, &c->room);
	_cleanup_(freep) char *dev = text_of(row, c->places.dev);
	_cleanup_(freep) char *description = NULL;

	*i = (struct interface){.netns = netns,
				.ifindex = ifindex,
				.node = xstrdup(node),
				.container = container_name(&c->places, row)};
	description = description_of(i);
	pcapng_interface(&c->pending, dev, description);
}

/* The row's interface, which is written where it is new. */
static int interface_of(struct capture *c, const struct row *row, uint32_t *ret, struct err *err)
{
	const struct places *p = &c->places;
	int64_t netns = number_of(row, p->netns), ifindex = number_of(row, p->ifindex);
	_cleanup_(freep) char *node = text_of(row, p->node);

	for (*ret = 0; *ret < c->n; ++*ret) {
		const struct interface *i = &c->interfaces[*ret];

		if (i->netns == netns && i->ifindex == ifindex && str_equal(i->node, node))
			return 0;
	}
	if (c->n == MAX_INTERFACES)
		return err_set(err, -E2BIG, "packets of more than %d devices", MAX_INTERFACES);
	add_interface(c, row, netns, ifindex, node);
	return 0;
}

static void add_remark(struct buf *to, const char *what, const char *value)
{
	if (value)
		buf_printf(to, "%s%s: %s", to->len ? "; " : "", what, value);
}

/* "node: n1; container: web; process: curl[1234]" */
static const char *comment_of(struct capture *c, const struct row *row, const struct interface *i)
{
	_cleanup_(freep) char *comm = text_of(row, c->places.comm);
	_cleanup_(freep) char *process =
		comm ? xasprintf("%s[%lld]", comm, (long long)number_of(row, c->places.pid)) : NULL;

	buf_clear(&c->comment);
	add_remark(&c->comment, "node", i->node);
	add_remark(&c->comment, "container", i->container);
	add_remark(&c->comment, "process", process);
	return buf_cstr(&c->comment);
}

static int capture_row(void *state, const struct schema *s, const struct row *row, struct err *err)
{
	struct capture *c = state;
	struct pcapng_packet packet = {0};
	const char *bytes;
	bool truncated;
	size_t n;
	int r = find_places(&c->places, s, err);

	if (r)
		return r;
	if (!row_text(row, c->places.frame, &bytes, &n, &truncated))
		return err_set(err, -EBADMSG, "a packet without its bytes");
	r = interface_of(c, row, &packet.interface, err);
	if (r)
		return r;
	packet.time_ns = (uint64_t)number_of(row, c->places.time) +
			 (uint64_t)(row->clock ? row->clock->boot_to_real_ns : 0);
	packet.bytes = bytes;
	packet.n = (uint32_t)n;
	packet.length = (uint32_t)number_of(row, c->places.length);
	packet.length = packet.length > packet.n ? packet.length : packet.n;
	packet.out = number_of(row, c->places.direction) != 0;
	packet.comment = comment_of(c, row, &c->interfaces[packet.interface]);
	pcapng_packet(&c->pending, &packet);
	c->interfaces[packet.interface].received++;
	c->last_ns = packet.time_ns;
	return 0;
}

static void capture_so_far(void *state, struct buf *out)
{
	struct capture *c = state;

	buf_add(out, c->pending.data, c->pending.len);
	buf_clear(&c->pending);
}

/*
 * Which device a lost record was of is not known: they are told with the first one. A capture
 * without packets has an interface as well, without which some readers refuse it.
 */
static int capture_write(void *state, uint64_t lost, struct buf *out, struct err *err)
{
	struct capture *c = state;

	if (!c->n) {
		*grow(&c->interfaces, &c->n, &c->room) = (struct interface){0};
		pcapng_interface(&c->pending, "none", NULL);
	}
	capture_so_far(c, out);
	for (size_t i = 0; i < c->n; i++)
		pcapng_counts(out, (uint32_t)i, c->last_ns, c->interfaces[i].received,
			      i ? UINT64_MAX : lost,
			      !i && lost ? "dropped: of all interfaces together" : NULL);
	return 0;
}

static const struct report_mode modes[] = {
	{"pcap-ng", "A capture file for Wireshark, tshark and their like"}, {0}};

static const struct report report = {.gadget = "tcpdump",
				     .modes = modes,
				     .on_request = true,
				     .open = capture_open,
				     .row = capture_row,
				     .so_far = capture_so_far,
				     .write = capture_write,
				     .close = capture_close};
GADGET_REPORT(&report);
