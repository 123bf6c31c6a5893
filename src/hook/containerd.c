// SPDX-License-Identifier: Apache-2.0
/*
 * containerd's CRI makes pods' containers from a base specification, which may have hooks. There is
 * none usually: then it is what containerd would have taken itself, as `ctr oci spec` tells it.
 * https://github.com/containerd/containerd/blob/main/docs/cri/config.md
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "containers/hostfs.h"
#include "hook/install.h"
#include "hook/toml.h"

#define CONFIG "/etc/containerd/config.toml"
#define SPEC "/etc/containerd/ig-base-spec.json"

/* Our lines stand between these; one that is in their way becomes a comment. */
#define BEGIN "# ig hook: begin"
#define BEGIN_CUT BEGIN ", and the newline before"
#define BEGIN_FILE BEGIN ", and the file"
#define END "# ig hook: end\n"
#define INSTEAD "# ig hook, instead of: "

#define KEY "base_runtime_spec"

/* ---- out ------------------------------------------------------------------------- */

/* The text without our lines. False: it was all ours, also the file. */
static bool take_out(const char *text, struct buf *ret)
{
	bool ours = false;

	while (*text) {
		const char *newline = strchrnul(text, '\n');
		size_t len = (size_t)(newline - text) + (*newline == '\n');

		if (str_starts(text, BEGIN_FILE "\n"))
			return false;
		if (str_starts(text, BEGIN_CUT "\n") && ret->len)
			ret->data[--ret->len] = '\0';
		ours = ours || str_starts(text, BEGIN);
		if (str_starts(text, INSTEAD))
			buf_add(ret, text + strlen(INSTEAD), len - strlen(INSTEAD));
		else if (!ours)
			buf_add(ret, text, len);
		ours = ours && !str_starts(text, END);
		text += len;
	}
	return true;
}

/* ---- where to? ------------------------------------------------------------------- */

struct place {
	uint64_t version; /* 0: not said */
	bool has_tables;
	char *runtime;		   /* that containers have by default; NULL: not said */
	size_t table_end;	   /* behind the header of its table; 0: there is none */
	size_t key_begin, key_end; /* of a base_runtime_spec in it; 0: there is none */
	char *spec;		   /* its value */
};

static void place_done(struct place *p)
{
	free(p->runtime);
	free(p->spec);
}

/* plugins.CRI.containerd.runtimes.RUNTIME */
static struct toml_key table_of(const struct place *p)
{
	return (struct toml_key){
		{"plugins",
		 p->version == 3 ? "io.containerd.cri.v1.runtime" : "io.containerd.grpc.v1.cri",
		 "containerd", "runtimes", p->runtime ?: "runc"},
		5,
	};
}

static int refuse(const struct toml *t, const char *why, struct err *err)
{
	return err_set(err, -ENOTSUP, CONFIG ": %s: %.*s", why, (int)strcspn(t->line, "\n"),
		       t->line);
}

static bool is_exactly(const struct toml_key *a, const struct toml_key *b)
{
	return a->n == b->n && toml_common(a, b) == a->n;
}

/* What the whole file is like. */
static int look_around(const char *text, size_t len, struct place *p, struct err *err)
{
	static const struct toml_key version = {{"version"}, 1}, imports = {{"imports"}, 1};
	_cleanup_(toml_done) struct toml t;
	enum toml_line line;

	toml_init(&t, text, len);
	while (toml_next(&t, &line)) {
		if (line == TOML_BAD)
			return refuse(&t, "this line is not understood", err);
		p->has_tables = p->has_tables || line != TOML_OTHER;
		if (line != TOML_VALUE)
			continue;
		if (is_exactly(&t.key, &version))
			p->version = (uint64_t)(*t.value - '0');
		if (is_exactly(&t.key, &imports) && !str_starts(t.value, "[]"))
			return refuse(&t, "other files may say otherwise", err);
		if (t.key.n == 4 && !strcmp(t.key.parts[2], "containerd") &&
		    !strcmp(t.key.parts[3], "default_runtime_name") && !p->runtime)
			p->runtime = toml_string(&t);
	}
	if (p->has_tables && p->version != 2 && p->version != 3)
		return err_set(err, -ENOTSUP, CONFIG ": it is of another version than 2 and 3");
	return 0;
}

/* Finds the runtime's table. Other ways to write it than as one are refused. */
static int find_table(const char *text, size_t len, struct place *p, struct err *err)
{
	const struct toml_key wanted = table_of(p);
	_cleanup_(toml_done) struct toml t;
	enum toml_line line;

	toml_init(&t, text, len);
	while (toml_next(&t, &line)) {
		size_t common = toml_common(&t.key, &wanted);

		if (line == TOML_TABLE && is_exactly(&t.table, &wanted))
			p->table_end = (size_t)(t.at - text);
		if (line != TOML_VALUE)
			continue;
		if (common == t.key.n || (common == wanted.n && t.table.n < wanted.n))
			return refuse(&t, "the runtime's table is written in a way not understood",
				      err);
		if (!is_exactly(&t.table, &wanted) || t.key.n != wanted.n + 1 ||
		    strcmp(t.key.parts[wanted.n], KEY))
			continue;
		p->key_begin = (size_t)(t.line - text);
		p->key_end = (size_t)(t.at - text);
		free(p->spec);
		p->spec = toml_string(&t);
		if (!p->spec)
			return refuse(&t, "this value is not understood", err);
	}
	if (!p->table_end && !str_equal(wanted.parts[4], "runc"))
		return err_set(err, -ENOTSUP, CONFIG ": the runtime '%s' has no table", p->runtime);
	return 0;
}

/* ---- in -------------------------------------------------------------------------- */

/* A table of its own, at the end. */
static void append_table(const struct place *p, struct buf *ret, bool existed)
{
	bool is_cut = ret->len && ret->data[ret->len - 1] != '\n';
	const struct toml_key table = table_of(p);

	buf_printf(ret, "%s%s\n", is_cut ? "\n" : "",
		   !existed ? BEGIN_FILE
		   : is_cut ? BEGIN_CUT
			    : BEGIN);
	if (!p->has_tables)
		buf_str(ret, "version = 2\n");
	buf_printf(ret,
		   "[%s.\"%s\".%s.%s.%s]\n  runtime_type = \"io.containerd.runc.v2\"\n  " KEY
		   " = \"" SPEC "\"\n" END,
		   table.parts[0], table.parts[1], table.parts[2], table.parts[3], table.parts[4]);
}

static void put_in(const struct place *p, const struct buf *text, struct buf *ret, bool existed)
{
	if (!p->table_end) {
		buf_add(ret, text->data, text->len);
		append_table(p, ret, existed);
		return;
	}
	buf_add(ret, text->data, p->table_end);
	if (ret->data[ret->len - 1] != '\n')
		buf_str(ret, "\n" BEGIN_CUT "\n");
	else
		buf_str(ret, BEGIN "\n");
	buf_str(ret, KEY " = \"" SPEC "\"\n" END);
	if (p->key_begin) {
		buf_add(ret, text->data + p->table_end, p->key_begin - p->table_end);
		buf_str(ret, INSTEAD);
		buf_add(ret, text->data + p->key_begin, text->len - p->key_begin);
	} else {
		buf_add(ret, text->data + p->table_end, text->len - p->table_end);
	}
}

/* ---- the specification ----------------------------------------------------------- */

static void run_ctr(const char *root, int out)
{
	if (*root && (chroot(root) || chdir("/")))
		_exit(EXIT_FAILURE);
	dup2(out, STDOUT_FILENO);
	execlp("ctr", "ctr", "oci", "spec", NULL);
	_exit(EXIT_FAILURE);
}

/* What containerd takes where nothing is said. */
static int read_default(const char *root, struct buf *ret, struct err *err)
{
	int fds[2], status = -1, r;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		return err_set(err, -errno, "making a pipe: %s", strerror(errno));
	pid = fork();
	if (!pid)
		run_ctr(root, fds[1]);
	close(fds[1]);
	r = pid < 0 ? -errno : buf_read_fd(ret, fds[0]);
	close(fds[0]);
	if (pid > 0)
		waitpid(pid, &status, 0);
	if (r || status || !ret->len)
		return err_set(err, r ?: -ENOENT,
			       "asking `ctr oci spec` for containerd's own specification failed");
	return 0;
}

static int make_spec(struct changes *cs, const struct hook_setup *s, const struct place *p,
		     struct buf *ret, struct err *err)
{
	_cleanup_(buf_done) struct buf base = {.max = MAX_CONFIG_BYTES};
	int r;

	if (p->spec && *p->spec)
		r = host_read(cs->root, p->spec, &base);
	else
		r = read_default(cs->root, &base, err);
	if (r)
		return p->spec && *p->spec
			       ? err_set(err, r, "reading %s: %s", p->spec, strerror(-r))
			       : r;
	r = hook_add(s, buf_cstr(&base), base.len, ret);
	return r ? err_set(err, r, "containerd's base specification is not understood") : 0;
}

/* ---- all of it ------------------------------------------------------------------- */

static int plan(struct changes *cs, const struct hook_setup *s, struct err *err)
{
	_cleanup_(buf_done) struct buf text = {.max = MAX_CONFIG_BYTES};
	_cleanup_(place_done) struct place p = {0};
	struct change *config, *spec;
	bool existed;
	int r = change_file(cs, SPEC, &spec, err);

	r = r ?: change_file(cs, CONFIG, &config, err);
	if (r)
		return r;
	existed = take_out(buf_cstr(&config->before), &text) && config->existed;
	buf_cstr(&text);
	config->exists = s || existed;
	spec->exists = s;
	if (!s) {
		buf_add(&config->after, text.data, text.len);
		return 0;
	}
	r = look_around(text.data, text.len, &p, err);
	r = r ?: find_table(text.data, text.len, &p, err);
	if (r)
		return r;
	put_in(&p, &text, &config->after, existed);
	return make_spec(cs, s, &p, &spec->after, err);
}

static const struct hook_installer containerd = {"containerd", plan, "restart containerd"};
HOOK_INSTALLER(&containerd);
