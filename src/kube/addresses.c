// SPDX-License-Identifier: Apache-2.0
/*
 * A holder lies in one piece of memory with its addresses and its name. Namespaces and sets of
 * labels are those of many, and are kept once.
 */
#include "kube/addresses.h"

#include <malloc.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

#include "base/hash_table.h"
#include "base/limits.h"
#include "base/mem.h"

struct shared {
	struct hash_link link;
	uint32_t refs, len;
	char bytes[]; /* and a NUL */
};

struct holder;

struct claim {
	struct hash_link link;
	struct holder *holder;
	g_addr address;
};

struct holder {
	struct hash_link link;
	struct shared *namespace_, *labels;
	const char *name; /* behind the claims */
	uint8_t kind, n;
	bool old; /* a list began, and did not name it yet */
	struct claim claims[];
};

struct kube_addresses {
	struct hash_table holders, claims, shared;
	uint64_t seed; /* what pods are called is their makers' choice */
	size_t bytes;
};

struct kube_addresses *kube_addresses_new(void)
{
	struct kube_addresses *as = xnew(struct kube_addresses);

	if (getrandom(&as->seed, sizeof(as->seed), GRND_NONBLOCK) < 0)
		as->seed = (uintptr_t)as;
	return as;
}

/* ---- what many have in common ---------------------------------------------------- */

static struct shared *share(struct kube_addresses *as, const char *bytes, size_t len)
{
	uint64_t hash = hash_bytes(as->seed, bytes, len);
	struct shared *s;

	for (struct hash_link *l = hash_first(&as->shared, hash); l; l = hash_next(l)) {
		s = container_of(l, struct shared, link);
		if (s->len == len && !memcmp(s->bytes, bytes, len)) {
			s->refs++;
			return s;
		}
	}
	s = xcalloc(1, sizeof(*s) + len + 1);
	s->refs = 1;
	s->len = (uint32_t)len;
	memcpy(s->bytes, bytes, len);
	hash_add(&as->shared, &s->link, hash);
	as->bytes += malloc_usable_size(s);
	return s;
}

static void unshare(struct kube_addresses *as, struct shared *s)
{
	if (!s || --s->refs)
		return;
	hash_remove(&as->shared, &s->link);
	as->bytes -= malloc_usable_size(s);
	free(s);
}

/* ---- holders --------------------------------------------------------------------- */

static uint64_t hash_of(const struct kube_addresses *as, const struct kube_holder *h)
{
	uint64_t hash = hash_bytes(as->seed + h->kind, h->namespace_, strlen(h->namespace_));

	return hash_bytes(hash, h->name, strlen(h->name));
}

static struct holder *find(const struct kube_addresses *as, const struct kube_holder *h)
{
	for (struct hash_link *l = hash_first(&as->holders, hash_of(as, h)); l; l = hash_next(l)) {
		struct holder *one = container_of(l, struct holder, link);

		if (one->kind == h->kind && !strcmp(one->name, h->name) &&
		    !strcmp(one->namespace_->bytes, h->namespace_))
			return one;
	}
	return NULL;
}

static void drop(struct kube_addresses *as, struct holder *h)
{
	hash_remove(&as->holders, &h->link);
	for (size_t i = 0; i < h->n; i++)
		hash_remove(&as->claims, &h->claims[i].link);
	unshare(as, h->namespace_);
	unshare(as, h->labels);
	as->bytes -= malloc_usable_size(h);
	free(h);
}

static void add(struct kube_addresses *as, const struct kube_holder *h, const g_addr *addresses,
		size_t n)
{
	size_t claims = n * sizeof(struct claim), name = strlen(h->name) + 1;
	struct holder *to = xcalloc(1, sizeof(*to) + claims + name);

	to->kind = (uint8_t)h->kind;
	to->n = (uint8_t)n;
	to->namespace_ = share(as, h->namespace_, strlen(h->namespace_));
	to->labels = h->labels_len ? share(as, h->labels, h->labels_len) : NULL;
	to->name = memcpy((char *)to->claims + claims, h->name, name);
	hash_add(&as->holders, &to->link, hash_of(as, h));
	for (size_t i = 0; i < n; i++) {
		struct claim *c = &to->claims[i];

		c->holder = to;
		memcpy(c->address, addresses[i], sizeof(c->address));
		hash_add(&as->claims, &c->link, hash_bytes(as->seed, c->address, sizeof(g_addr)));
	}
	as->bytes += malloc_usable_size(to);
}

/* Most of what changes of a pod is nothing that is kept here. */
static bool is_same(const struct holder *a, const struct kube_holder *h, const g_addr *addresses,
		    size_t n)
{
	size_t labels_len = a->labels ? a->labels->len : 0;

	if (a->n != n || labels_len != h->labels_len ||
	    (labels_len && memcmp(a->labels->bytes, h->labels, labels_len) != 0))
		return false;
	for (size_t i = 0; i < n; i++)
		if (memcmp(a->claims[i].address, addresses[i], sizeof(g_addr)) != 0)
			return false;
	return true;
}

bool kube_addresses_set(struct kube_addresses *as, const struct kube_holder *h,
			const g_addr *addresses, size_t n)
{
	struct holder *known = find(as, h);

	if (n > KUBE_MAX_ADDRESSES)
		n = KUBE_MAX_ADDRESSES;
	if (known && is_same(known, h, addresses, n)) {
		known->old = false;
		return true;
	}
	if (known)
		drop(as, known);
	if (n && as->holders.n == MAX_KUBE_HOLDERS)
		return false;
	if (n)
		add(as, h, addresses, n);
	return true;
}

/* ---- lists ----------------------------------------------------------------------- */

static bool is_meant(const struct holder *h, enum kube_kind kind, const char *namespace_)
{
	return h->kind == kind && (!namespace_ || !strcmp(h->namespace_->bytes, namespace_));
}

void kube_addresses_begin(struct kube_addresses *as, enum kube_kind kind, const char *namespace_)
{
	for (size_t i = 0; i < as->holders.room; i++)
		for (struct hash_link *l = as->holders.chains[i]; l; l = l->next) {
			struct holder *h = container_of(l, struct holder, link);

			h->old = h->old || is_meant(h, kind, namespace_);
		}
}

void kube_addresses_end(struct kube_addresses *as, enum kube_kind kind, const char *namespace_)
{
	for (size_t i = 0; i < as->holders.room; i++)
		for (struct hash_link *l = as->holders.chains[i], *next; l; l = next) {
			struct holder *h = container_of(l, struct holder, link);

			next = l->next;
			if (h->old && is_meant(h, kind, namespace_))
				drop(as, h);
		}
}

/* ---- what there is --------------------------------------------------------------- */

bool kube_addresses_find(const struct kube_addresses *as, const g_addr address,
			 struct kube_holder *ret)
{
	const struct holder *found = NULL;
	uint64_t hash = hash_bytes(as->seed, address, sizeof(g_addr));

	for (struct hash_link *l = hash_first(&as->claims, hash); l; l = hash_next(l)) {
		const struct claim *c = container_of(l, struct claim, link);

		if (memcmp(c->address, address, sizeof(g_addr)) != 0)
			continue;
		if (found && found != c->holder)
			return false;
		found = c->holder;
	}
	if (!found)
		return false;
	*ret = (struct kube_holder){
		.kind = found->kind,
		.namespace_ = found->namespace_->bytes,
		.name = found->name,
		.labels = found->labels ? found->labels->bytes : NULL,
		.labels_len = found->labels ? found->labels->len : 0,
	};
	return true;
}

size_t kube_addresses_count(const struct kube_addresses *as)
{
	return as->holders.n;
}

size_t kube_addresses_bytes(const struct kube_addresses *as)
{
	size_t chains = as->holders.room + as->claims.room + as->shared.room;

	return sizeof(*as) + as->bytes + chains * sizeof(struct hash_link *);
}

struct kube_addresses *kube_addresses_free(struct kube_addresses *as)
{
	if (!as)
		return NULL;
	for (size_t i = 0; i < as->holders.room; i++)
		while (as->holders.chains[i])
			drop(as, container_of(as->holders.chains[i], struct holder, link));
	hash_done(&as->holders);
	hash_done(&as->claims);
	hash_done(&as->shared);
	free(as);
	return NULL;
}
