// SPDX-License-Identifier: Apache-2.0
/*
 * For tests: a node's containers and one gadget that follows all of them, with containers that are
 * announced on stdin:
 *
 *   announcer GADGET [RUNTIME SOCKET]
 *   add ID PID CONFIG    CONFIG: the file config.json, or - for none; answers `0`, or what it says
 *   remove ID            the same
 *   list                 a line of JSON for each container, and an empty one
 *
 * Answers go to stdout, records to stderr, all as JSON.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "columns/view.h"
#include "containers/source.h"
#include "traces/traces.h"

struct node {
	struct containers *containers;
	struct traces *traces;
	struct view *records, *list;
	unsigned int record_source, list_source;
};

static enum row_fate on_row(void *ctx, struct trace *t, unsigned int source, const struct row *row,
			    bool late)
{
	struct node *n = ctx;

	return view_row(n->records, n->record_source, row, late) ? ROW_DELIVERED : ROW_DISCARDED;
}

static int open_view(int fd, struct schema *s, struct view **ret, unsigned int *ret_source,
		     struct err *err)
{
	struct view_options o = {.output = "json", .fd = fd, .err_fd = -1};
	int r;

	clock_base_now(&o.clock);
	r = view_new(&o, ret, err);
	r = r ?: view_add(*ret, s, VIEW_STREAM, ret_source, err);
	return r ?: view_start(*ret, err);
}

static int start(struct node *n, const char *name, const struct containers_options *co,
		 struct err *err)
{
	const struct gadget_open_options with_names = {.enrich = container_add_fields};
	const struct traces_options none = {0};
	struct trace_options o = {.reader = {.ctx = n, .row = on_row}};
	struct schema *s = NULL;
	struct gadget *g = NULL;
	struct trace *t;
	int r = gadget_open(name, &with_names, &g, err);

	r = r
		    ?: open_view(STDERR_FILENO, gadget_source(g, 0)->schema, &n->records,
				 &n->record_source, err);
	r = r ?: containers_schema(&s, err);
	r = r ?: open_view(STDOUT_FILENO, s, &n->list, &n->list_source, err);
	schema_unref(s);
	r = r ?: containers_new(co, &n->containers, err);
	r = r ?: traces_new(n->containers, &none, &n->traces, err);
	if (r)
		return r;
	gadget_load_options_init(&o.load);
	r = traces_add(n->traces, g, &o, &t, err);
	r = r ?: containers_start(n->containers, err);
	return r ?: traces_start(n->traces, err);
}

static void on_each(void *ctx, struct container *c)
{
	const struct container_record r = {0};
	struct row row = containers_row(&r, c);
	struct node *n = ctx;

	view_row(n->list, n->list_source, &row, false);
}

static int add(struct node *n, const char *id, const char *pid, const char *config, struct err *err)
{
	_cleanup_(buf_done) struct buf b = {.max = MAX_CONFIG_BYTES};
	struct container_notice notice = {.id = id};
	uint64_t number;

	if (parse_u64(pid, &number))
		return err_set(err, -EINVAL, "no pid: %s", pid);
	notice.pid = (uint32_t)number;
	if (strcmp(config, "-") && !buf_read_file(&b, AT_FDCWD, config))
		notice.oci_config = buf_cstr(&b);
	return containers_announce(n->containers, &notice, err);
}

static void obey(struct node *n, char *line)
{
	struct err err = {.text = "0"};
	char *words[4] = {0}, *rest;

	line[strcspn(line, "\n")] = '\0';
	for (size_t i = 0; i < 4; i++)
		words[i] = strtok_r(i ? NULL : line, " ", &rest);
	if (words[3] && !strcmp(words[0], "add"))
		add(n, words[1], words[2], words[3], &err);
	else if (words[1] && !strcmp(words[0], "remove"))
		containers_retract(n->containers, words[1], &err);
	else
		containers_each(n->containers, on_each, n);
	view_flush(n->list);
	puts(words[1] ? err.text : "");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct runtime_socket sockets[2] = {0};
	const struct containers_options co = {.sockets = sockets};
	struct node n = {0};
	struct err err = {0};
	char line[4096];

	if (argc != 2 && argc != 4)
		return 2;
	if (argc == 4)
		sockets[0] = (struct runtime_socket){argv[2], argv[3]};
	if (start(&n, argv[1], &co, &err)) {
		fprintf(stderr, "announcer: %s\n", err.text);
		return 1;
	}
	setvbuf(stdin, NULL, _IONBF, 0); /* what waits is what poll() tells of */
	puts("ready");
	fflush(stdout);
	for (;;) {
		struct pollfd fds[] = {{.fd = traces_fd(n.traces), .events = POLLIN},
				       {.fd = STDIN_FILENO, .events = POLLIN}};

		poll(fds, 2, 1000);
		traces_dispatch(n.traces);
		view_flush(n.records);
		if (fds[1].revents && !fgets(line, sizeof(line), stdin))
			break;
		if (fds[1].revents)
			obey(&n, line);
	}
	traces_free(n.traces);
	containers_free(n.containers);
	view_free(n.records);
	view_free(n.list);
	return 0;
}
