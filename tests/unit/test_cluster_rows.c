// SPDX-License-Identifier: Apache-2.0
/*
 * Rows of two nodes in one record file: nodes count their containers each for itself, and have
 * clocks of their own.
 */
#include "record_file.h"

#include "base/limits.h"
#include "client/cluster_internal.h"

struct fixture {
	struct cluster cluster;
	struct reach nodes[2];
	struct schema *schema;
	struct record_writer *writer;
	unsigned int source;
	int fd;
};

static const struct clock_base clocks[] = {{1000000000000}, {1000000000000 + 77777}};

static void begin(struct fixture *f)
{
	static const char *const names[] = {"n1", "n2"};
	int fd = memory_file();
	struct err err;

	*f = (struct fixture){.schema = sample_schema(), .fd = dup(fd)};
	for (size_t i = 0; i < array_size(f->nodes); i++) {
		f->nodes[i].cluster = &f->cluster;
		f->nodes[i].node = (struct cluster_node){.name = xstrdup(names[i]),
							 .number = i,
							 .clock = clocks[i],
							 .host = cluster_host(names[i])};
	}
	assert_int_equal(record_writer_new(fd, &clocks[0], &f->writer, &err), 0);
	assert_int_equal(
		record_writer_source(f->writer, f->schema, SOURCE_TRACER, &f->source, &err), 0);
}

static void end(struct fixture *f)
{
	for (size_t i = 0; i < array_size(f->nodes); i++) {
		container_unref(f->nodes[i].node.host);
		free(f->nodes[i].node.name);
	}
	schema_unref(f->schema);
}

static void put(struct fixture *f, size_t node, uint64_t timestamp, struct container *c)
{
	struct sample record = {.timestamp = timestamp, .number = (uint32_t)node};
	struct row row = container_row(c, &record, sizeof(record), NULL);

	row = cluster_row(&f->nodes[node].node, &row);
	assert_int_equal(record_writer_row(f->writer, f->source, &row), 0);
	assert_int_equal(record.timestamp, timestamp); /* a reader's is left as it is */
}

static struct record_reader *written(struct fixture *f)
{
	struct record_reader *r;
	struct record_event ev;
	struct err err;

	assert_int_equal(record_writer_close(f->writer, &err), 0);
	lseek(f->fd, 0, SEEK_SET);
	r = open_file(f->fd);
	assert_int_equal(record_reader_next(r, &ev, &err), RECORD_SOURCE);
	return r;
}

static void check(struct record_reader *r, const char *node, const char *name, int64_t unix_ns)
{
	struct record_event ev;
	struct err err;
	int64_t boot_ns;

	assert_int_equal(record_reader_next(r, &ev, &err), RECORD_ROW);
	assert_string_equal(ev.container->k8s_node, node);
	assert_string_equal(ev.container->name, name);
	assert_int_equal(ev.row.size[PART_CONTAINER],
			 *name ? sizeof(struct container) : sizeof(char *));
	memcpy(&boot_ns, ev.row.part[PART_RECORD], sizeof(boot_ns));
	assert_int_equal(boot_ns ? boot_ns + ev.row.clock->boot_to_real_ns : 0, unix_ns);
	if (*name)
		assert_int_equal(ev.container->started_boot_ns + ev.row.clock->boot_to_real_ns,
				 1000000000000 + (strcmp(node, "n1") ? 77777 : 0) + 5);
}

/* What has the same key on both nodes is two containers; a row of none is its node's. */
static void nodes_stay_apart(void **state)
{
	struct container *a = sample_container(), *b = sample_container();
	struct record_reader *r;
	struct fixture f;

	begin(&f);
	free(a->name);
	free(b->name);
	a->name = xstrdup("a");
	b->name = xstrdup("b");
	a->started_boot_ns = b->started_boot_ns = 5;
	put(&f, 0, 10, a);
	put(&f, 1, 11, b);
	put(&f, 0, 12, a);
	put(&f, 1, 13, NULL);
	put(&f, 0, 0, NULL); /* 0 is no time, whatever the clock */
	put(&f, 1, 14, b);
	put(&f, 1, 0, b);
	r = written(&f);
	check(r, "n1", "a", 1000000000010);
	check(r, "n2", "b", 1000000077788);
	check(r, "n1", "a", 1000000000012);
	check(r, "n2", "", 1000000077790);
	check(r, "n1", "", 0);
	check(r, "n2", "b", 1000000077791);
	check(r, "n2", "b", 0);
	record_reader_free(r);
	container_unref(a);
	container_unref(b);
	end(&f);
}

/* More containers than a file has slots: an old one that comes again has another key then. */
static void slots_are_given_anew(void **state)
{
	struct container *first = sample_container(), *other = sample_container();
	struct record_reader *r;
	struct fixture f;
	uint64_t key, at_node = first->key;

	begin(&f);
	free(first->name);
	first->name = xstrdup("first");
	first->started_boot_ns = 5;
	put(&f, 0, 1, first);
	key = first->key;
	for (size_t i = 0; i < MAX_CONTAINERS - 1; i++) {
		other->key = 7; /* as of yet another one */
		cluster_container(&f.nodes[1].node, other);
		assert_true(container_slot(other->key) < MAX_SLOTS);
		assert_int_not_equal(container_slot(other->key), container_slot(key));
	}
	put(&f, 0, 2, first);
	assert_int_equal(first->key, key);
	other->key = 7;
	other->started_boot_ns = 5;
	put(&f, 1, 3, other);
	assert_int_equal(container_slot(other->key), container_slot(key));
	put(&f, 0, 4, first);
	assert_int_not_equal(first->key, key);
	assert_int_not_equal(first->key, other->key);
	assert_int_equal(first->node_key, at_node);
	assert_int_equal(other->node_key, 7);
	r = written(&f);
	check(r, "n1", "first", 1000000000001);
	check(r, "n1", "first", 1000000000002);
	check(r, "n2", "we\"b\n\xef\xbf\xbd", 1000000077780);
	check(r, "n1", "first", 1000000000004);
	record_reader_free(r);
	container_unref(first);
	container_unref(other);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nodes_stay_apart),
		cmocka_unit_test(slots_are_given_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
