/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose the addresses of a cluster are: pods' and services', as who watches them tells. Nothing is
 * kept of them but addresses and names, and labels where these are wanted: 50,000 pods take some
 * 10 MB. An address that several have is nobody's.
 *
 * Addresses are as in include/gadget/types.h: IPv6, IPv4 as ::ffff:a.b.c.d.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "columns/types.h"

enum kube_kind { KUBE_POD, KUBE_SERVICE };

/* One that has addresses. */
struct kube_holder {
	enum kube_kind kind;
	const char *namespace_, *name; /* not NULL */
	const char *labels;	       /* g_args: "key=value\0…" */
	size_t labels_len;
};

#define KUBE_MAX_ADDRESSES 8 /* of one; clusters give two, one of each version of IP */

struct kube_addresses;

struct kube_addresses *kube_addresses_new(void);
struct kube_addresses *kube_addresses_free(struct kube_addresses *as); /* NULL is fine */

/*
 * It has these addresses, and none of those that it had before; all is copied. n 0: it has none, or
 * is gone. False: it is one too many (MAX_KUBE_HOLDERS).
 */
bool kube_addresses_set(struct kube_addresses *as, const struct kube_holder *h,
			const g_addr *addresses, size_t n);

/*
 * All of a kind are told anew, those of a namespace or all (NULL): who was not set in between is
 * gone at the end. A beginning without its end is forgotten at the next one.
 */
void kube_addresses_begin(struct kube_addresses *as, enum kube_kind kind, const char *namespace_);
void kube_addresses_end(struct kube_addresses *as, enum kube_kind kind, const char *namespace_);

/* Who has it; *ret is valid until the next change. False: nobody, or several. */
bool kube_addresses_find(const struct kube_addresses *as, const g_addr address,
			 struct kube_holder *ret);

size_t kube_addresses_count(const struct kube_addresses *as); /* that have some */
size_t kube_addresses_bytes(const struct kube_addresses *as); /* that they take */
