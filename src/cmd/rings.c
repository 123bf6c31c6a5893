// SPDX-License-Identifier: Apache-2.0
/* ig rings: what a daemon's flight recorder has. */
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "cmd/flags.h"
#include "cmd/own_rows.h"
#include "cmd/remote_command.h"
#include "wire/node.pb-c.h"

struct ring_row {
	const char *name, *id, *state, *node, *namespace_, *pod, *container;
	int64_t created, deleted, oldest, newest; /* Unix time, ns */
	uint64_t last, kept, overwritten, lost, bytes;
};

#define AT(member_)                                                 \
	.parent = -1, .offset = offsetof(struct ring_row, member_), \
	.size = sizeof(((struct ring_row *)0)->member_)
static const struct field fields[] = {
	{"name", "Container", .kind = KIND_CSTR, AT(name), .width = 20},
	{"state", "live, or ended", .kind = KIND_CSTR, AT(state), .width = 5},
	{"namespace", "Of its pod", .kind = KIND_CSTR, AT(namespace_), .width = 12,
	 .flags = FIELD_SKIP_EMPTY},
	{"pod", "Its pod", .kind = KIND_CSTR, AT(pod), .width = 16, .flags = FIELD_SKIP_EMPTY},
	{"container", "Its name in the pod", .kind = KIND_CSTR, AT(container), .width = 12,
	 .flags = FIELD_SKIP_EMPTY | FIELD_HIDDEN},
	{"id", "Its id", "short_id", KIND_CSTR, AT(id)},
	{"kept", "Records that can be shown", .kind = KIND_UINT, AT(kept), .width = 8},
	{"overwritten", "Older ones, which are gone", .kind = KIND_UINT, AT(overwritten),
	 .width = 11},
	{"lost", "Those that never came", .kind = KIND_UINT, AT(lost), .width = 6},
	{"last", "All of these", .kind = KIND_UINT, AT(last), .flags = FIELD_HIDDEN},
	{"memory", "What the ring takes", "g_bytes", KIND_UINT, AT(bytes)},
	{"oldest", "Time of the first record that is kept", "g_walltime", KIND_INT, AT(oldest),
	 .flags = FIELD_HIDDEN},
	{"newest", "Time of the last record", "g_walltime", KIND_INT, AT(newest)},
	{"created", "When the container started", "g_walltime", KIND_INT, AT(created),
	 .flags = FIELD_HIDDEN},
	{"deleted", "When it ended", "g_walltime", KIND_INT, AT(deleted), .flags = FIELD_HIDDEN},
	{"node", "Where", .kind = KIND_CSTR, AT(node), .flags = FIELD_HIDDEN},
};

/* ---- list ------------------------------------------------------------------------ */

static void show(struct own_rows *rows, const Ig__V1__Ring *r)
{
	const struct ring_row row = {
		.name = r->name,
		.id = r->id,
		.state = r->ended ? "ended" : "live",
		.node = r->node,
		.namespace_ = r->namespace_,
		.pod = r->pod,
		.container = r->container,
		.created = r->created,
		.deleted = r->deleted,
		.oldest = r->oldest,
		.newest = r->newest,
		.last = r->last,
		.kept = r->kept,
		.overwritten = r->overwritten,
		.lost = r->lost,
		.bytes = r->bytes,
	};

	own_row(rows, &row);
}

static int list(struct remote *r, const char *name, struct err *err)
{
	Ig__V1__RingsRequest request = IG__V1__RINGS_REQUEST__INIT;
	Ig__V1__RingsResponse *m = remote_ask(r, "/ig.v1.Node/Rings", &request.base,
					      &ig__v1__rings_response__descriptor, err);
	struct own_rows rows = {0};
	int code;

	if (!m)
		return err->code;
	code = own_rows_open(&rows, VIEW_TABLE_ONCE, "rings", fields, array_size(fields),
			     sizeof(struct ring_row), err);
	for (size_t i = 0; !code && i < m->n_rings; i++)
		show(&rows, m->rings[i]);
	code = code ?: own_rows_end(&rows, err);
	own_rows_done(&rows);
	ig__v1__rings_response__free_unpacked(m, NULL);
	return code;
}

/* ---- one of them ----------------------------------------------------------------- */

static int dump(struct remote *r, const char *name, struct err *err)
{
	Ig__V1__DumpRequest request = IG__V1__DUMP_REQUEST__INIT;
	Ig__V1__DumpResponse *m;

	request.ring = (char *)name;
	m = remote_ask(r, "/ig.v1.Node/Dump", &request.base, &ig__v1__dump_response__descriptor,
		       err);
	if (!m)
		return err->code;
	puts(m->file);
	ig__v1__dump_response__free_unpacked(m, NULL);
	return 0;
}

static int close_ring(struct remote *r, const char *name, struct err *err)
{
	_cleanup_(buf_done) struct buf reply = {.max = MAX_GRPC_MESSAGE_BYTES};
	Ig__V1__DumpRequest request = IG__V1__DUMP_REQUEST__INIT;

	request.ring = (char *)name;
	return remote_call(r, "/ig.v1.Node/CloseRing", &request.base, &reply, err);
}

static const struct verb {
	const char *name;
	bool takes_ring;
	int (*run)(struct remote *r, const char *name, struct err *err);
} verbs[] = {
	{"list", false, list},
	{"dump", true, dump},
	{"close", true, close_ring},
};

static int rings(struct remote *r, const struct words *words, struct err *err)
{
	for (size_t i = 0; i < array_size(verbs); i++) {
		if (strcmp(verbs[i].name, words->items[0]))
			continue;
		if (words->n != 1u + verbs[i].takes_ring)
			return err_set(err, -EINVAL, "ig rings %s%s", verbs[i].name,
				       verbs[i].takes_ring ? " wants one container"
							   : " wants no more");
		return verbs[i].run(r, words->n > 1 ? words->items[1] : NULL, err);
	}
	return err_set(err, -EINVAL, "list, dump or close, not '%s'", words->items[0]);
}

static int rings_main(int argc, char **argv)
{
	return remote_command("rings", argc, argv, "what to do: list, dump or close", rings);
}

static void complete(int argc, char **argv)
{
	if (argc < 2)
		for (size_t i = 0; i < array_size(verbs); i++)
			puts(verbs[i].name);
}

static const struct flag_table *const tables[] = {&view_flags, &remote_flags, NULL};
static const struct command command = {
	.name = "rings",
	.summary = "List, dump or close the rings of a daemon's flight recorder",
	.usage = "list | dump CONTAINER | close CONTAINER [FLAGS]",
	.description =
		"A ring has a container's last records, also when the container is gone. `ig "
		"replay --ring CONTAINER`\nshows it; dump writes it to a file of the daemon's "
		"--record-dir, and prints the file's name.",
	.tables = tables,
	.run = rings_main,
	.complete = complete,
};
COMMAND(&command);
