/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of columns/view: a view of one source whose output goes to memory. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <jansson.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "columns/table.h"
#include "columns/view.h"
#include "open_row.h"

#define HOSTILE "evil\033[2J\xff\"\\\n\xe2\x80\xae"

/* A view whose output goes to memory. */
struct fixture {
	struct view *v;
	struct schema *s;
	int fd, err_fd;
	unsigned int source;
	struct open_record r;
	struct test_container c;
	char text[1 << 20];
};

static inline struct view_options options(const char *output)
{
	/* 2023-11-14T22:13:20Z at boot */
	return (struct view_options){.output = output, .clock = {1700000000000000000}};
}

static inline void open_view(struct fixture *x, struct view_options o, enum view_source_kind kind)
{
	struct err err = {0};

	memset(x, 0, sizeof(*x));
	x->fd = memfd_create("out", MFD_CLOEXEC);
	x->err_fd = memfd_create("err", MFD_CLOEXEC);
	x->s = open_schema();
	x->c = test_container();
	open_fill(&x->r);
	x->r.event.timestamp = 5000000001;
	o.fd = x->fd;
	o.err_fd = x->err_fd;
	if (view_new(&o, &x->v, &err) || view_add(x->v, x->s, kind, &x->source, &err) ||
	    view_start(x->v, &err))
		fail_msg("%s", err.text);
}

static inline bool give(struct fixture *x)
{
	struct row row = open_row(&x->r, &x->c);

	return view_row(x->v, x->source, &row, false);
}

/* What was printed so far. */
static inline const char *printed(struct fixture *x)
{
	ssize_t n;

	assert_int_equal(view_flush(x->v), 0);
	n = pread(x->fd, x->text, sizeof(x->text) - 1, 0);
	assert_true(n >= 0);
	x->text[n] = '\0';
	return x->text;
}

static inline void close_view(struct fixture *x)
{
	view_free(x->v);
	schema_unref(x->s);
	close(x->fd);
	close(x->err_fd);
}
