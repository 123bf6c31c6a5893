// SPDX-License-Identifier: Apache-2.0
#include "seccomp_profile.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

enum { MAX_PROFILE_BYTES = 4 << 20 };

/* ---- sets of names --------------------------------------------------------------------------- */

void name_set_add(struct name_set *s, const char *name)
{
	*grow(&s->items, &s->n, &s->room) = xstrdup(name);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void name_set_sort(struct name_set *s)
{
	size_t n = 0;

	if (s->n)
		qsort(s->items, s->n, sizeof(char *), by_text);
	for (size_t i = 0; i < s->n; i++) {
		if (n && !strcmp(s->items[n - 1], s->items[i]))
			free(s->items[i]);
		else
			s->items[n++] = s->items[i];
	}
	s->n = n;
}

bool name_set_has(const struct name_set *s, const char *name)
{
	return s->n && bsearch(&name, s->items, s->n, sizeof(char *), by_text);
}

void name_set_done(struct name_set *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->items[i]);
	free(s->items);
	*s = (struct name_set){0};
}

/* ---- profiles -------------------------------------------------------------------------------- */

static bool lets_through(const char *action)
{
	return action && (!strcmp(action, "SCMP_ACT_ALLOW") || !strcmp(action, "SCMP_ACT_LOG") ||
			  !strcmp(action, "SCMP_ACT_NOTIFY"));
}

static const char *text_member(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

/* One rule: "names", or "name" as of old. */
static int add_rule(struct seccomp_profile *p, const json_t *rule, struct err *err)
{
	struct name_set *to = lets_through(text_member(rule, "action")) ? &p->allowed : &p->refused;
	const char *name = text_member(rule, "name");
	const json_t *value;
	size_t i;

	if (name)
		name_set_add(to, name);
	json_array_foreach(json_object_get(rule, "names"), i, value) {
		if (!json_is_string(value) || to->n == MAX_PROFILE_CALLS)
			return err_set(err, -EBADMSG, "not a seccomp profile: a rule's names");
		name_set_add(to, json_string_value(value));
	}
	return 0;
}

static int read_profile(const json_t *root, struct seccomp_profile *ret, struct err *err)
{
	const json_t *linux_part = json_object_get(root, "linux"), *rule;
	const char *action;
	size_t i;
	int r = 0;

	if (linux_part || json_object_get(root, "ociVersion"))
		root = json_object_get(linux_part, "seccomp");
	if (!root)
		return err_set(err, -ENOENT, "the container has no seccomp profile");
	action = text_member(root, "defaultAction");
	if (!action)
		return err_set(err, -EBADMSG, "not a seccomp profile: it has no defaultAction");
	ret->allows_by_default = lets_through(action);
	json_array_foreach(json_object_get(root, "syscalls"), i, rule)
		r = r ?: add_rule(ret, rule, err);
	name_set_sort(&ret->allowed);
	name_set_sort(&ret->refused);
	return r;
}

int seccomp_profile_read(const char *path, struct seccomp_profile *ret, struct err *err)
{
	_cleanup_(seccomp_profile_done) struct seccomp_profile p = {0};
	_cleanup_(buf_done) struct buf text = {.max = MAX_PROFILE_BYTES};
	json_error_t fault;
	json_t *root;
	int r = buf_read_file(&text, AT_FDCWD, path);

	if (r)
		return err_set(err, r, "cannot read %s: %s", path, strerror(-r));
	root = json_loadb(text.data ?: "", text.len, JSON_REJECT_DUPLICATES, &fault);
	if (!root)
		return err_set(err, -EBADMSG, "%s:%d: %s", path, fault.line, fault.text);
	r = read_profile(root, &p, err);
	json_decref(root);
	if (r)
		return err_wrap(err, r, "%s", path);
	*ret = p;
	p = (struct seccomp_profile){0};
	return 0;
}

int seccomp_profile_in_force(const char *bundle, struct seccomp_profile *ret, struct err *err)
{
	_cleanup_(freep) char *path = NULL;

	if (!bundle)
		return err_set(err, -ENOENT, "its bundle is not known; name a profile's file");
	path = xasprintf("%s/config.json", bundle);
	return seccomp_profile_read(path, ret, err);
}

bool seccomp_profile_allows(const struct seccomp_profile *p, const char *name)
{
	return name_set_has(&p->allowed, name) ||
	       (p->allows_by_default && !name_set_has(&p->refused, name));
}

void seccomp_profile_done(struct seccomp_profile *p)
{
	name_set_done(&p->allowed);
	name_set_done(&p->refused);
}
