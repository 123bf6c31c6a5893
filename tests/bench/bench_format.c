// SPDX-License-Identifier: Apache-2.0
/*
 * How fast records become text: rows like trace_open's with their container, in each output mode,
 * to /dev/null, on one core; the best of five runs, by CPU time. Prints records a second and the
 * bytes of one, or with the argument "json" the same as lines of JSON.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../unit/open_row.h"
#include "base/mem.h"
#include "columns/view.h"

enum { RECORDS = 64, RUNS = 5, CONTAINERS = 8 };

static struct open_record records[RECORDS];
static struct test_container containers[CONTAINERS];

static double cpu_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void make_records(void)
{
	for (int i = 0; i < CONTAINERS; i++)
		containers[i] = test_container();
	for (int i = 0; i < RECORDS; i++) {
		char path[96];
		int n = snprintf(path, sizeof(path), "/usr/share/app/module-%d/part_%d.conf", i,
				 i * 7);
		struct open_record *r = &records[i];

		open_fill(r);
		r->used = 0;
		open_text(r, &r->event.path, path, (size_t)n);
		r->event.proc.pid = 1000u + (unsigned)i * 517;
		r->event.proc.tid = r->event.proc.pid + 1;
		r->event.error = i % 8 ? 0 : 2;
		r->event.fd = i % 8 ? i : -1;
		r->event.flags = i % 2 ? 02000000 : 02 | 0100 | 01000;
	}
}

static void fail(const struct err *err)
{
	fprintf(stderr, "%s\n", err->text);
	_exit(1);
}

/* CPU seconds for n rows. */
static double run(const char *output, int fd, const char *filter, bool versions, size_t n)
{
	const char *filters[] = {filter};
	struct view_options o = {.output = output,
				 .fd = fd,
				 .err_fd = -1,
				 .columns = 160,
				 .filters = filters,
				 .n_filters = filter != NULL};
	struct schema *s = open_schema();
	struct err err = {0};
	unsigned int source;
	struct view *v;
	double start, end;

	clock_base_now(&o.clock);
	if (view_new(&o, &v, &err) || view_add(v, s, VIEW_STREAM, &source, &err) ||
	    view_start(v, &err))
		fail(&err);
	start = cpu_seconds();
	for (size_t i = 0; i < n; i++) {
		struct open_record *r = &records[i % RECORDS];
		struct row row = open_row(r, &containers[i % CONTAINERS]);

		r->event.timestamp += 1037;
		row.container_version = versions ? i % CONTAINERS + 1 : 0;
		view_row(v, source, &row, false);
	}
	view_flush(v);
	end = cpu_seconds();
	view_free(v);
	schema_unref(s);
	return end - start;
}

/* Bytes that one row takes. */
static long row_bytes(const char *output)
{
	FILE *f = tmpfile();
	long bytes;

	if (!f)
		return 0;
	run(output, fileno(f), NULL, true, RECORDS);
	fseek(f, 0, SEEK_END);
	bytes = ftell(f) / RECORDS;
	fclose(f);
	return bytes;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name, *output, *filter;
		bool versions;
		size_t rows;
	} cases[] = {
		{"json", "json", NULL, true, 2000000},
		{"json, containers not remembered", "json", NULL, false, 2000000},
		{"json, number filter", "json", "fd>=0", true, 2000000},
		{"json, text filter", "json", "path~conf$", true, 1000000},
		{"jsonpretty", "jsonpretty", NULL, true, 200000},
		{"yaml", "yaml", NULL, true, 200000},
		{"columns", "columns", NULL, true, 500000},
		{"none", "none", NULL, true, 2000000},
	};
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	bool json = argc > 1 && !strcmp(argv[1], "json");

	make_records();
	for (size_t i = 0; i < array_size(cases); i++) {
		double best = 0, rate;
		long bytes = row_bytes(cases[i].output);

		for (int run_number = 0; run_number < RUNS; run_number++) {
			double took = run(cases[i].output, fd, cases[i].filter, cases[i].versions,
					  cases[i].rows);

			best = !run_number || took < best ? took : best;
		}
		rate = (double)cases[i].rows / best;
		if (json)
			printf("{\"bench\":\"format\",\"case\":\"%s\",\"records_per_second\":%.0f,"
			       "\"bytes\":%ld}\n",
			       cases[i].name, rate, bytes);
		else
			printf("%-34s %12.0f records/s %6ld bytes each\n", cases[i].name, rate,
			       bytes);
	}
	close(fd);
	return 0;
}
