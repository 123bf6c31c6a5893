// SPDX-License-Identifier: Apache-2.0
/* Names of users and groups in record files: each told once, and of its own container or host. */
#include "record_file.h"

#include "base/buf.h"
#include "columns/format.h"
#include "recorder/owners.h"

struct owned {
	g_time timestamp;
	g_container container;
	g_user user;
	g_group group;
};

static struct schema *owned_schema(void)
{
	const struct field fields[] = {
		{.name = "timestamp", .type = "g_time", .kind = KIND_UINT, .size = 8},
		{.name = "container",
		 .type = "g_container",
		 .kind = KIND_UINT,
		 .offset = 8,
		 .size = 8,
		 .flags = FIELD_INTERNAL},
		{.name = "user", .type = "g_user", .kind = KIND_UINT, .offset = 16, .size = 4},
		{.name = "group", .type = "g_group", .kind = KIND_UINT, .offset = 20, .size = 4},
	};
	struct schema *s = schema_new("trace_owned", "owned", sizeof(struct owned));

	assert_int_equal(schema_add_table(s, fields, array_size(fields), NULL), 0);
	assert_int_equal(container_add_fields(s, NULL), 0);
	assert_int_equal(schema_finish(s, NULL), 0);
	return s;
}

static struct owner_names *names_of(const char *passwd, const char *group)
{
	struct owner_names *n = owner_names_new();

	owners_parse(&n->users, passwd, strlen(passwd));
	owners_parse(&n->groups, group, strlen(group));
	return n;
}

static void set_names(struct container *c, const char *passwd, const char *group)
{
	owner_names_unref(c->owners);
	c->owners = names_of(passwd, group);
}

static void put(struct record_writer *w, const struct container *c, struct owner_names *host,
		uint32_t id)
{
	const struct owned o = {.timestamp = 1000, .user = id, .group = id};
	const struct row row = container_row(c, &o, sizeof(o), host);

	assert_int_equal(record_writer_row(w, 0, &row), 0);
}

static void expect_owners(const struct record_event *ev, const char *user, const char *group)
{
	_cleanup_(buf_done) struct buf text = {.max = 256};
	const struct field *fields[] = {schema_field(ev->schema, "user"),
					schema_field(ev->schema, "group")};

	fields[0]->format->text(fields[0], &ev->row, NULL, &text);
	assert_string_equal(buf_cstr(&text), user);
	buf_clear(&text);
	fields[1]->format->text(fields[1], &ev->row, NULL, &text);
	assert_string_equal(buf_cstr(&text), group);
}

/* Two containers and the host with the same id; one that changes its names; ids without any. */
static int owned_file(void)
{
	_cleanup_(schema_unrefp) struct schema *s = owned_schema();
	_cleanup_(container_unrefp) struct container *web = sample_container();
	_cleanup_(container_unrefp) struct container *db = sample_container();
	struct owner_names *host = names_of("root:x:0:0\nhost:x:7:7\n", "");
	int fd = memory_file(), keep = dup(fd);
	struct record_writer *w;
	unsigned int source;

	db->key = (uint64_t)7 << 32 | 4;
	set_names(web, "web:x:7:7\n", "www:x:7:\n");
	set_names(db, "postgres:x:7:7\n", "");
	assert_int_equal(record_writer_new(fd, &base, &w, NULL), 0);
	assert_int_equal(record_writer_source(w, s, SOURCE_TRACER, &source, NULL), 0);
	for (int i = 0; i < 1000; i++) {
		put(w, web, host, 7);
		put(w, db, host, 7);
		put(w, NULL, host, 7);
	}
	put(w, web, host, 8);
	web->version++; /* described anew: the names stay */
	put(w, web, host, 7);
	set_names(web, "renamed:x:7:7\n", "");
	put(w, web, host, 7);
	assert_int_equal(record_writer_close(w, NULL), 0);
	owner_names_unref(host);
	lseek(keep, 0, SEEK_SET);
	return keep;
}

static void test_names(void **state)
{
	struct record_reader *r = open_file(owned_file());
	struct record_event ev;

	assert_int_equal(record_reader_next(r, &ev, NULL), RECORD_SOURCE);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(record_reader_next(r, &ev, NULL), RECORD_ROW);
		expect_owners(&ev, "web", "www");
		assert_int_equal(record_reader_next(r, &ev, NULL), RECORD_ROW);
		expect_owners(&ev, "postgres", "7");
		assert_int_equal(record_reader_next(r, &ev, NULL), RECORD_ROW);
		expect_owners(&ev, "host", "7");
	}
	assert_int_equal(record_reader_next(r, &ev, NULL), RECORD_ROW);
	expect_owners(&ev, "8", "8");
	assert_int_equal(record_reader_next(r, &ev, NULL), RECORD_ROW);
	expect_owners(&ev, "web", "www");
	assert_int_equal(record_reader_next(r, &ev, NULL), RECORD_ROW);
	expect_owners(&ev, "renamed", "www"); /* nothing was told of the group's end */
	assert_int_equal(record_reader_next(r, &ev, NULL), RECORD_END);
	record_reader_free(r);
}

/* Each name once, not once a row. */
static void test_told_once(void **state)
{
	int fd = owned_file();
	off_t bytes = lseek(fd, 0, SEEK_END);

	assert_in_range(bytes, 1000, 12000);
	close(fd);
}

static void expect_fault(const struct owner_head *head, const char *name, uint32_t length,
			 const char *words)
{
	int fd = sample_file(0);
	off_t end = lseek(fd, 0, SEEK_END);
	const int64_t clock = 0;
	struct err err = {0};
	uint32_t rows;

	append_chunk(fd, CHUNK_CLOCK, &clock, sizeof(clock), "{}", 2);
	append_chunk(fd, CHUNK_OWNER, head, sizeof(*head), name, length);
	assert_true(end > 0 && !lseek(fd, 0, SEEK_SET));
	assert_int_equal(read_all(fd, &rows, &err), -EBADMSG);
	assert_non_null(strstr(err.text, words));
}

static void test_faults(void **state)
{
	char name[200];

	memset(name, 'n', sizeof(name));
	expect_fault(&(struct owner_head){.key = 5, .id = 7, .kind = OWNER_USER}, "x", 1,
		     "the name of 7: its container was not described");
	expect_fault(&(struct owner_head){.id = 7, .kind = 3}, "x", 1,
		     "the name of 7: it is neither a user nor a group");
	/* Too long a name is none, and no fault: the file is cut short behind it. */
	expect_fault(&(struct owner_head){.id = 7, .kind = OWNER_USER}, name, sizeof(name),
		     "cut short");
}

static void test_many(void **state)
{
	struct told_owners t = {0};

	for (uint32_t id = 0; id < 150000; id++) /* more than there is room for */
		told_owner(&t, id % 7, OWNER_USER, id, "name");
	assert_true(t.n <= t.room / 2);
	assert_int_equal(told_owner(&t, 3, OWNER_USER, 3, "name"), TOLD);
	assert_int_equal(told_owner(&t, 3, OWNER_USER, 3, "other"), TOLD_OTHERWISE);
	assert_int_equal(told_owner(&t, 3, OWNER_USER, 3, "other"), TOLD);
	assert_int_equal(told_owner(&t, 4, OWNER_GROUP, 3, "name"), TOLD); /* there is no room */
	told_owners_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_told_once),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
