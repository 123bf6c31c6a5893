// SPDX-License-Identifier: Apache-2.0
#include "containers/addresses.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "containers/proc.h"

/* Until a namespace is looked at again; doubled each time that nothing has changed. */
#define FIRST_WAIT_NS 50000000ull /* while it has no address but those of loopback */
#define NEXT_WAIT_NS 1000000000ull
#define LAST_WAIT_NS 30000000000ull

/* How long after its end the addresses of a container are still its own: for its last records. */
#define KEEP_NS 10000000000ull

enum { AGAIN_MAX = 64 }; /* looked at again at a time, which takes some 0.1 ms each */

/* A network namespace. */
struct place {
	uint64_t netns;
	struct container *container; /* one in it (reference); NULL: the host's */
	uint32_t pid;
	uint64_t due, wait; /* boot clock; ns */
	struct address_list list;
};

struct addresses {
	struct containers *cs;
	struct place *places; /* by netns */
	size_t n, room;
};

struct addresses *addresses_new(struct containers *cs)
{
	struct addresses *as = xnew(struct addresses);

	as->cs = cs;
	return as;
}

static void place_done(struct place *p)
{
	container_unref(p->container);
	free(p->list.items);
}

struct addresses *addresses_free(struct addresses *as)
{
	for (size_t i = 0; as && i < as->n; i++)
		place_done(&as->places[i]);
	if (as)
		free(as->places);
	free(as);
	return NULL;
}

/* ---- parsers --------------------------------------------------------------------- */

static bool is_loopback(const g_addr address)
{
	static const g_addr loopback6 = {[15] = 1}, mapped = {[10] = 0xff, 0xff, 127};

	return !memcmp(address, loopback6, sizeof(g_addr)) || !memcmp(address, mapped, 13);
}

static void add_address(struct address_list *to, const g_addr address)
{
	if (to->n == MAX_ADDRESSES || is_loopback(address))
		return;
	for (size_t i = 0; i < to->n; i++)
		if (!memcmp(to->items[i], address, sizeof(g_addr)))
			return;
	memcpy(grow(&to->items, &to->n, &to->room), address, sizeof(g_addr));
}

bool addresses_parse(const char *text, g_addr ret)
{
	static const g_addr mapped = {[10] = 0xff, 0xff};

	if (inet_pton(AF_INET6, text, ret) == 1)
		return true;
	memcpy(ret, mapped, sizeof(g_addr));
	return inet_pton(AF_INET, text, ret + 12) == 1;
}

/*
 * net/ipv4/fib_trie.c: the machine's own addresses are leaves of this form, in one table or two:
 *            |-- 10.99.0.1
 *               /32 host LOCAL
 */
void addresses_parse_fib_trie(const char *text, struct address_list *to)
{
	char leaf[16] = "";
	g_addr address;

	for (const char *line = text; *line; line++) {
		line += strspn(line, " ");
		if (str_starts(line, "|-- "))
			snprintf(leaf, sizeof(leaf), "%.*s", (int)strspn(line + 4, "0123456789."),
				 line + 4);
		else if (str_starts(line, "/32 host LOCAL") && addresses_parse(leaf, address))
			add_address(to, address);
		line = strchrnul(line, '\n');
		if (!*line)
			break;
	}
}

static unsigned char hex_digit(char c)
{
	return (unsigned char)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* net/ipv6/addrconf.c: "fd990000000000000000000000000001 02 40 00 80 eth0" */
void addresses_parse_if_inet6(const char *text, struct address_list *to)
{
	g_addr address;

	for (const char *line = text; *line; line++) {
		if (strspn(line, "0123456789abcdef") == 2 * sizeof(address)) {
			for (size_t i = 0; i < sizeof(address); i++)
				address[i] = (unsigned char)(hex_digit(line[2 * i]) << 4 |
							     hex_digit(line[2 * i + 1]));
			add_address(to, address);
		}
		line = strchrnul(line, '\n');
		if (!*line)
			break;
	}
}

/* ---- what is known --------------------------------------------------------------- */

/* The place of this namespace, or where it would be. */
static size_t place_index(const struct addresses *as, uint64_t netns)
{
	size_t from = 0, to = as->n;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (as->places[middle].netns < netns)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static void add_place(struct addresses *as, uint64_t netns, struct container *c, uint32_t pid)
{
	size_t i = place_index(as, netns);
	struct place *p;

	if (i < as->n && as->places[i].netns == netns) {
		p = &as->places[i];
		if (p->container && p->container->ended && c) {
			container_unref(p->container);
			p->container = container_ref(c);
			p->pid = pid;
		}
		return;
	}
	grow(&as->places, &as->n, &as->room);
	p = &as->places[i];
	memmove(p + 1, p, (as->n - 1 - i) * sizeof(*p));
	*p = (struct place){.netns = netns, .pid = pid, .wait = FIRST_WAIT_NS};
	p->container = c ? container_ref(c) : NULL;
}

static void add_container(void *ctx, struct container *c)
{
	struct addresses *as = ctx;

	if (c->netns && c->netns != containers_host_netns(as->cs) && c->pid)
		add_place(as, c->netns, c, c->pid);
}

static void drop_ended(struct addresses *as, uint64_t now)
{
	size_t n = 0;

	for (size_t i = 0; i < as->n; i++) {
		const struct container *c = as->places[i].container;

		if (c && c->ended && c->ended_boot_ns + KEEP_NS < now)
			place_done(&as->places[i]);
		else
			as->places[n++] = as->places[i];
	}
	as->n = n;
}

static bool read_file(const struct addresses *as, const struct place *p, const char *name,
		      struct buf *text)
{
	char path[48];

	snprintf(path, sizeof(path), "%u/net/%s", p->pid, name);
	buf_clear(text);
	return !buf_read_file(text, containers_proc_fd(as->cs), path);
}

/* What was known of a namespace whose process is gone is as good as ever. */
static void look(const struct addresses *as, struct place *p, uint64_t now)
{
	_cleanup_(buf_done) struct buf text = {.max = MAX_PROC_FILE_BYTES};
	struct address_list list = {0};
	bool same;

	if (read_file(as, p, "fib_trie", &text))
		addresses_parse_fib_trie(buf_cstr(&text), &list);
	if (read_file(as, p, "if_inet6", &text))
		addresses_parse_if_inet6(buf_cstr(&text), &list);
	same = list.n == p->list.n &&
	       (!list.n || !memcmp(list.items, p->list.items, list.n * sizeof(g_addr)));
	p->wait = same ? p->wait * 2 : list.n ? NEXT_WAIT_NS : FIRST_WAIT_NS;
	if (p->wait > LAST_WAIT_NS)
		p->wait = LAST_WAIT_NS;
	p->due = now + p->wait;
	if (list.n) {
		free(p->list.items);
		p->list = list;
	}
}

/* ---- asking ---------------------------------------------------------------------- */

static bool has(const struct address_list *list, const g_addr address)
{
	for (size_t i = 0; i < list->n; i++)
		if (!memcmp(list->items[i], address, sizeof(g_addr)))
			return true;
	return false;
}

/*
 * One that runs is better than one that has ended: addresses are used again. What several have, in
 * networks that know nothing of each other, is nobody's, but that the host's own is the host's.
 */
static const struct place *find_place(const struct addresses *as, const g_addr address, bool ended)
{
	const struct place *one = NULL;
	size_t n = 0;

	for (size_t i = 0; i < as->n; i++) {
		const struct place *p = &as->places[i];

		if (!has(&p->list, address) || (p->container && p->container->ended != ended))
			continue;
		if (!p->container)
			return p;
		one = p;
		n++;
	}
	return n == 1 ? one : NULL;
}

struct pod_search {
	g_addr address;
	const struct container *found;
};

static void match_pod(void *ctx, struct container *c)
{
	struct pod_search *s = ctx;
	g_addr address;

	if (!s->found && c->k8s_pod_ip && !c->k8s_hostnetwork &&
	    addresses_parse(c->k8s_pod_ip, address) && !memcmp(address, s->address, sizeof(g_addr)))
		s->found = c;
}

static enum address_kind found(const struct place *p, const struct container **ret)
{
	*ret = p->container;
	return p->container ? ADDRESS_CONTAINER : ADDRESS_HOST;
}

static void look_again(struct addresses *as, uint64_t now)
{
	size_t again = 0;

	drop_ended(as, now);
	if (containers_host_netns(as->cs))
		add_place(as, containers_host_netns(as->cs), NULL, 1);
	containers_each(as->cs, add_container, as);
	for (size_t i = 0; i < as->n; i++) {
		struct place *p = &as->places[i];

		if (p->due <= now && (!p->due || again++ < AGAIN_MAX))
			look(as, p, now);
	}
}

enum address_kind addresses_find(struct addresses *as, const g_addr address, uint64_t now,
				 const struct container **ret)
{
	struct pod_search pod = {0};
	const struct place *p;

	*ret = NULL;
	if (is_loopback(address))
		return ADDRESS_LOOPBACK;
	memcpy(pod.address, address, sizeof(g_addr));
	containers_each(as->cs, match_pod, &pod);
	if (pod.found) {
		*ret = pod.found;
		return ADDRESS_CONTAINER;
	}
	p = find_place(as, address, false);
	if (!p) {
		look_again(as, now);
		p = find_place(as, address, false) ?: find_place(as, address, true);
	}
	return p ? found(p, ret) : ADDRESS_RAW;
}
