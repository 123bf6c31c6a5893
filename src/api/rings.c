// SPDX-License-Identifier: Apache-2.0
/* ig.v1.Node/Rings, Dump and CloseRing: the flight recorder of the daemon. */
#include "api/rings.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/parse.h"
#include "wire/node.pb-c.h"

/* ---- which one ------------------------------------------------------------------- */

struct search {
	const char *name;
	struct flight_ring *found;
	bool found_lives;
	size_t n_live;
};

/* A live container's comes before one that ended; of these the last one. */
static void look(void *ctx, struct flight_ring *r)
{
	struct search *s = ctx;
	struct flight_facts f;
	const char *id, *name;

	flight_facts(r, &f);
	id = f.container ? f.container->id : "";
	name = f.container ? f.container->name : "(host)";
	if (!str_equal(s->name, id) && !str_equal(s->name, name))
		return;
	s->n_live += !f.ended;
	if (!s->found_lives)
		s->found = r;
	s->found_lives = s->found_lives || !f.ended;
}

int ring_find(const struct api *api, const char *name, struct flight_ring **ret, struct err *err)
{
	struct search s = {.name = name};

	if (!api->recording)
		return err_set(err, -ENOENT,
			       "the daemon records nothing: it was started without --record");
	flight_each(recording_flight(api->recording), look, &s);
	if (!s.found)
		return err_set(err, -ENOENT, "nothing is recorded of a container '%s'", name);
	if (s.n_live > 1)
		return err_set(err, -EINVAL, "%zu containers are called '%s': name its id",
			       s.n_live, name);
	*ret = s.found;
	return 0;
}

int ring_as_file(const struct api *api, const char *name, struct err *err)
{
	_cleanup_(closep) int fd = -1;
	struct flight_ring *ring;
	int own, r = ring_find(api, name, &ring, err);

	if (r)
		return r;
	fd = memfd_create("ring", MFD_CLOEXEC);
	own = fd < 0 ? -1 : dup(fd); /* the writer closes it */
	if (own < 0)
		return err_set(err, -errno, "a file in memory: %s", strerror(errno));
	r = flight_write(recording_flight(api->recording), ring, own, manager_clock(api->manager),
			 err);
	if (r)
		return r;
	lseek(fd, 0, SEEK_SET);
	return take_fd(&fd);
}

/* ---- the list -------------------------------------------------------------------- */

struct listing {
	const struct clock_base *clock;
	char node[256];
	Ig__V1__Ring **list; /* each allocated */
	size_t n, room;
};

static int64_t real(const struct listing *l, uint64_t boot_ns)
{
	return boot_ns ? (int64_t)boot_ns + l->clock->boot_to_real_ns : 0;
}

static char *text(const char *s)
{
	return (char *)(s ?: "");
}

static void fill_container(const struct listing *l, Ig__V1__Ring *m, const struct container *c)
{
	m->id = text(c->id);
	m->name = text(c->name);
	m->namespace_ = text(c->k8s_namespace);
	m->pod = text(c->k8s_pod);
	m->container = text(c->k8s_container);
	m->created = (int64_t)c->started_real_ns;
	m->deleted = c->ended ? real(l, c->ended_boot_ns) : 0;
}

static void tell(void *ctx, struct flight_ring *r)
{
	struct listing *l = ctx;
	Ig__V1__Ring *m = xnew(Ig__V1__Ring);
	struct flight_facts f;

	*grow(&l->list, &l->n, &l->room) = m;
	flight_facts(r, &f);
	ig__v1__ring__init(m);
	if (f.container)
		fill_container(l, m, f.container);
	else
		m->name = (char *)"(host)";
	m->node = l->node;
	m->ended = f.ended;
	m->last = f.last;
	m->kept = f.kept;
	m->overwritten = f.overwritten;
	m->lost = f.lost;
	m->bytes = f.bytes;
	m->oldest = real(l, f.oldest);
	m->newest = real(l, f.newest);
}

static int rings(void *ctx, const void *bytes, size_t len, struct buf *reply, struct err *err)
{
	const struct api *api = ctx;
	Ig__V1__RingsResponse answer = IG__V1__RINGS_RESPONSE__INIT;
	struct listing l = {.clock = manager_clock(api->manager)};

	gethostname(l.node, sizeof(l.node) - 1);
	if (api->recording)
		flight_each(recording_flight(api->recording), tell, &l);
	answer.n_rings = l.n;
	answer.rings = l.list;
	api_append(&answer.base, reply);
	for (size_t i = 0; i < l.n; i++)
		free(l.list[i]);
	free(l.list);
	return 0;
}

/* ---- one of them ----------------------------------------------------------------- */

static int write_file(const struct api *api, const char *name, struct buf *reply, struct err *err)
{
	Ig__V1__DumpResponse answer = IG__V1__DUMP_RESPONSE__INIT;
	_cleanup_(freep) char *file = NULL;
	struct flight_ring *ring;
	int r = ring_find(api, name, &ring, err);

	r = r ?: recording_dump(api->recording, ring, "asked", &file, err);
	if (r)
		return r;
	answer.file = file;
	api_append(&answer.base, reply);
	return 0;
}

static int close_one(const struct api *api, const char *name, struct buf *reply, struct err *err)
{
	struct flight_ring *ring;
	int r = ring_find(api, name, &ring, err);

	if (!r)
		flight_close(recording_flight(api->recording), ring);
	return r;
}

static int
by_name(const struct api *api, const void *bytes, size_t len, struct buf *reply, struct err *err,
	int (*fn)(const struct api *api, const char *name, struct buf *reply, struct err *err))
{
	Ig__V1__DumpRequest *m = ig__v1__dump_request__unpack(NULL, len, bytes);
	int r = m ? fn(api, m->ring, reply, err) : api_malformed(err);

	if (m)
		ig__v1__dump_request__free_unpacked(m, NULL);
	return r;
}

static int dump(void *ctx, const void *bytes, size_t len, struct buf *reply, struct err *err)
{
	return by_name(ctx, bytes, len, reply, err, write_file);
}

static int close_ring(void *ctx, const void *bytes, size_t len, struct buf *reply, struct err *err)
{
	return by_name(ctx, bytes, len, reply, err, close_one);
}

static const struct grpc_method methods[] = {
	{"/ig.v1.Node/Rings", rings, NULL},
	{"/ig.v1.Node/Dump", dump, NULL},
	{"/ig.v1.Node/CloseRing", close_ring, NULL},
	{0},
};
static const struct api_service node_rings = {methods};
API_SERVICE(&node_rings);
