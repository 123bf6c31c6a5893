// SPDX-License-Identifier: Apache-2.0
/* ig tracer: a daemon's tracers by hand, as programs of other projects use them. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "api/gadgettracermanager.pb-c.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/reactor.h"
#include "base/utf8.h"
#include "cmd/flags.h"
#include "cmd/loop.h"
#include "cmd/own_rows.h"
#include "cmd/remote_command.h"
#include "net/grpc.h"
#include "wire/node.pb-c.h"

#define SERVICE "/gadgettracermanager.GadgetTracerManager/"

static struct {
	const char *name, *namespace_, *pod, *labels;
} opt;

static const struct flag flag_list[] = {
	{"containername", 'c', "LIST", "Containers of these names; globs, !name excludes",
	 flag_text, &opt.name, NULL},
	{"namespace", 'n', "LIST", "Containers of pods in these namespaces", flag_text,
	 &opt.namespace_, NULL},
	{"podname", 'p', "LIST", "Containers of these pods", flag_text, &opt.pod, NULL},
	{"selector", 'l', "LIST",
	 "Containers with all these labels: key=glob, key!=glob, key, !key", flag_text, &opt.labels,
	 NULL},
	{0},
};
static const struct flag_table own_flags = {
	"Containers of a tracer that is added (all, unless one is given)", flag_list};

/* ---- add, remove ----------------------------------------------------------------- */

/* `key=value` as the protocol has it; a key alone has no value. */
static void label_of(char *word, Gadgettracermanager__Label *ret)
{
	char *equals = strchr(word, '=');

	gadgettracermanager__label__init(ret);
	ret->key = word;
	if (equals) {
		*equals = '\0';
		ret->value = equals + 1;
	}
}

static int send_tracer(struct remote *r, const char *id,
		       Gadgettracermanager__ContainerSelector *selector, struct err *err)
{
	Gadgettracermanager__AddTracerRequest request =
		GADGETTRACERMANAGER__ADD_TRACER_REQUEST__INIT;
	Gadgettracermanager__TracerID *answer;

	request.id = (char *)id;
	request.selector = selector;
	answer = remote_ask(r, SERVICE "AddTracer", &request.base,
			    &gadgettracermanager__tracer_id__descriptor, err);
	if (!answer)
		return err->code;
	puts(answer->id);
	gadgettracermanager__tracer_id__free_unpacked(answer, NULL);
	return 0;
}

static int add(struct remote *r, const char *id, struct err *err)
{
	Gadgettracermanager__ContainerSelector s = GADGETTRACERMANAGER__CONTAINER_SELECTOR__INIT;
	_cleanup_(freep) char **words = NULL;
	size_t n = opt.labels ? split(opt.labels, ',', true, &words) : 0;
	_cleanup_(freep) Gadgettracermanager__Label *labels =
		xnew_n(Gadgettracermanager__Label, n + 1);
	_cleanup_(freep) Gadgettracermanager__Label **list =
		xnew_n(Gadgettracermanager__Label *, n + 1);

	for (size_t i = 0; i < n; i++) {
		label_of(words[i], &labels[i]);
		list[i] = &labels[i];
	}
	s.namespace_ = (char *)(opt.namespace_ ?: "");
	s.podname = (char *)(opt.pod ?: "");
	s.name = (char *)(opt.name ?: "");
	s.n_labels = n;
	s.labels = list;
	return send_tracer(r, id, &s, err);
}

static int remove_one(struct remote *r, const char *id, struct err *err)
{
	Gadgettracermanager__TracerID request = GADGETTRACERMANAGER__TRACER_ID__INIT;
	Gadgettracermanager__RemoveTracerResponse *m;

	request.id = (char *)id;
	m = remote_ask(r, SERVICE "RemoveTracer", &request.base,
		       &gadgettracermanager__remove_tracer_response__descriptor, err);
	if (!m)
		return err->code;
	gadgettracermanager__remove_tracer_response__free_unpacked(m, NULL);
	return 0;
}

/* ---- follow ---------------------------------------------------------------------- */

struct following {
	struct remote *remote;
	struct loop loop;
	struct grpc_call *call; /* NULL: it has ended */
	struct err err;		/* code 0: as it should */
};

static void on_line(void *ctx, const void *bytes, size_t len)
{
	_cleanup_(buf_done) struct buf line = {.max = MAX_GRPC_MESSAGE_BYTES};
	Gadgettracermanager__StreamData *m =
		gadgettracermanager__stream_data__unpack(NULL, len, bytes);

	if (!m)
		return;
	escape_text(&line, m->line, strlen(m->line));
	puts(buf_cstr(&line));
	gadgettracermanager__stream_data__free_unpacked(m, NULL);
}

static void on_done(void *ctx, const struct grpc_reply *reply)
{
	struct following *f = ctx;

	f->call = NULL;
	remote_failure(reply, &f->err);
	loop_stop(&f->loop);
}

static void on_remote(void *ctx)
{
	struct following *f = ctx;

	reactor_dispatch(remote_reactor(f->remote));
	if (fflush(stdout)) /* the reader is gone */
		loop_stop(&f->loop);
}

static int run_loop(struct following *f, struct err *err)
{
	int fd = reactor_fd(remote_reactor(f->remote)), r = loop_init(&f->loop, err);

	r = r ?: loop_add_fd(&f->loop, fd, on_remote, f, err);
	if (!r)
		loop_run(&f->loop);
	if (!r && f->err.code)
		*err = f->err;
	return r ?: f->err.code;
}

static int follow(struct remote *r, const char *id, struct err *err)
{
	Gadgettracermanager__TracerID m = GADGETTRACERMANAGER__TRACER_ID__INIT;
	_cleanup_(buf_done) struct buf bytes = {.max = 4096};
	struct grpc_request request = {.method = SERVICE "ReceiveStream"};
	struct following f = {.remote = r};
	int code;

	m.id = (char *)id;
	remote_pack(&m.base, &bytes);
	request.bytes = buf_cstr(&bytes);
	request.len = bytes.len;
	f.call = grpc_call_stream(remote_channel(r), &request, on_line, on_done, &f);
	code = run_loop(&f, err);
	grpc_call_cancel(f.call);
	loop_done(&f.loop);
	return code;
}

/* ---- list: the protocol has no word for it, the state has ------------------------ */

struct tracer_row {
	const char *id, *containers;
	uint64_t readers, lines;
};

#define AT(member_)                                                   \
	.parent = -1, .offset = offsetof(struct tracer_row, member_), \
	.size = sizeof(((struct tracer_row *)0)->member_)
static const struct field fields[] = {
	{"id", "Id of the tracer", .kind = KIND_CSTR, AT(id), .width = 20},
	{"readers", "Clients that follow it now", .kind = KIND_UINT, AT(readers), .width = 7},
	{"lines", "Last lines that a new reader gets", .kind = KIND_UINT, AT(lines), .width = 6},
	{"containers", "Containers that are in it now", .kind = KIND_CSTR, AT(containers),
	 .width = 40},
};

static uint64_t number(const json_t *o, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(o, key));
}

static void show(struct own_rows *rows, const json_t *tracer)
{
	_cleanup_(buf_done) struct buf names = {.max = 1 << 20};
	const json_t *list = json_object_get(tracer, "containers"), *name;
	size_t i;

	json_array_foreach(list, i, name)
		buf_printf(&names, "%s%s", i ? "," : "", json_string_value(name) ?: "");
	own_row(rows, &(struct tracer_row){
			      .id = json_string_value(json_object_get(tracer, "id")),
			      .containers = buf_cstr(&names),
			      .readers = number(tracer, "readers"),
			      .lines = number(tracer, "lines"),
		      });
}

static int show_all(const char *state, struct err *err)
{
	json_t *root = json_loads(state, 0, NULL), *tracer;
	struct own_rows rows = {0};
	size_t i;
	int code;

	if (!root)
		return err_set(err, -EBADMSG, "the daemon's state is no JSON");
	code = own_rows_open(&rows, VIEW_TABLE_ONCE, "tracers", fields, array_size(fields),
			     sizeof(struct tracer_row), err);
	if (!code)
		json_array_foreach(json_object_get(root, "tracers"), i, tracer)
			show(&rows, tracer);
	code = code ?: own_rows_end(&rows, err);
	own_rows_done(&rows);
	json_decref(root);
	return code;
}

static int list(struct remote *r, const char *id, struct err *err)
{
	Ig__V1__DumpStateRequest request = IG__V1__DUMP_STATE_REQUEST__INIT;
	Ig__V1__DumpStateResponse *m = remote_ask(r, "/ig.v1.Node/DumpState", &request.base,
						  &ig__v1__dump_state_response__descriptor, err);
	int code;

	if (!m)
		return err->code;
	code = show_all(m->json, err);
	ig__v1__dump_state_response__free_unpacked(m, NULL);
	return code;
}

/* ---- the command ----------------------------------------------------------------- */

static const struct verb {
	const char *name;
	int (*fn)(struct remote *r, const char *id, struct err *err);
	bool wants_id;
} verbs[] = {
	{"add", add, true},
	{"remove", remove_one, true},
	{"follow", follow, true},
	{"list", list, false},
};

static int tracer(struct remote *r, const struct words *words, struct err *err)
{
	for (const struct verb *v = verbs; v < verbs + array_size(verbs); v++) {
		if (strcmp(v->name, words->items[0]))
			continue;
		if (words->n != 1 + (size_t)v->wants_id)
			return err_set(err, -EINVAL, "`ig tracer %s` wants %s", v->name,
				       v->wants_id ? "one id" : "no id");
		return v->fn(r, words->n > 1 ? words->items[1] : NULL, err);
	}
	return err_set(err, -EINVAL, "'%s' is none of add, remove, follow, list", words->items[0]);
}

static int tracer_main(int argc, char **argv)
{
	return remote_command("tracer", argc, argv, "what to do: add, remove, follow or list",
			      tracer);
}

static void complete(int argc, char **argv)
{
	if (argc < 2)
		for (size_t i = 0; i < array_size(verbs); i++)
			puts(verbs[i].name);
}

static const struct flag_table *const tables[] = {&own_flags, &view_flags, &remote_flags, NULL};
static const struct command command = {
	.name = "tracer",
	.summary = "Add, remove, follow or list a daemon's tracers",
	.usage = "add ID | remove ID | follow ID | list [FLAGS]",
	.description =
		"A tracer is a choice of containers by an id, for programs of other projects: the "
		"daemon keeps its\ncontainers in pinned maps. `ig run --tracer ID` has a gadget "
		"follow "
		"it and tell it what it sees;\n`ig tracer follow ID` shows these lines.",
	.tables = tables,
	.run = tracer_main,
	.complete = complete,
};
COMMAND(&command);
