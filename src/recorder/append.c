// SPDX-License-Identifier: Apache-2.0
#include "recorder/append.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "recorder/index.h"

/* Its whole chunks: where they end, and of the last section whether its end is there. */
struct good_part {
	uint64_t end;
	bool in_section;
	uint64_t rows;		      /* of the section */
	struct record_index unlisted; /* the chunks since the last part of the index */
};

int output_file_head(struct chunk_output *o, struct err *err)
{
	static const struct file_head head = {
		.magic = FILE_MAGIC, .version = FILE_VERSION, .byte_order = FILE_BYTE_ORDER};
	int r = output_bytes(o, &head, sizeof(head));

	return r ? err_set(err, r, "writing the record file: %s", strerror(-r)) : 0;
}

static void note_chunk(struct good_part *part, const struct chunk_input *in)
{
	struct index_entry entry = index_entry_of(in);

	if (entry.type == CHUNK_INDEX) {
		part->unlisted.n = 0;
		part->unlisted.last_index = in->start;
		return;
	}
	if (entry.type == CHUNK_END) {
		part->in_section = false;
		return;
	}
	if (entry.type == CHUNK_CLOCK) {
		part->in_section = true;
		part->rows = 0;
	}
	part->rows += entry.rows;
	*grow(&part->unlisted.entries, &part->unlisted.n, &part->unlisted.room) = entry;
}

/* Each chunk is read and summed: what stands behind a bad one is lost. */
static void find_end(struct good_part *part, struct chunk_input *in)
{
	while (!chunk_begin(in) && !chunk_finish(in)) {
		note_chunk(part, in);
		part->end = in->offset;
	}
}

/* Quick where the file has its end; else by reading it. */
static void look_at(struct good_part *part, struct chunk_input *in)
{
	struct record_index x;

	record_index_load(&x, in);
	*part = (struct good_part){.end = in->offset, .unlisted.last_index = x.last_index};
	if (x.whole)
		part->end = in->size;
	else
		find_end(part, in);
	record_index_done(&x);
}

static int go_on(struct chunk_output *o, struct good_part *part, struct chunk_input *in,
		 uint64_t *ret_dropped, struct err *err)
{
	uint64_t dropped = in->size - part->end;

	/* A crash leaves one chunk that is not whole; more than that is worth being looked at. */
	if (dropped > CHUNK_MAX_BYTES)
		return err_set(err, -EBADMSG, "broken at byte %" PRIu64 ": nothing is appended",
			       part->end);
	if (dropped && ftruncate(o->fd, (off_t)part->end))
		return err_set(err, -errno, "cutting off what is not whole: %s", strerror(errno));
	if (lseek(o->fd, (off_t)part->end, SEEK_SET) < 0)
		return err_set(err, -errno, "seeking in the record file: %s", strerror(errno));
	o->offset = part->end;
	o->last_index = part->unlisted.last_index;
	o->rows = part->rows;
	for (size_t i = 0; i < part->unlisted.n; i++)
		output_list(o, &part->unlisted.entries[i]);
	if (part->in_section)
		output_end(o);
	o->rows = 0;
	*ret_dropped = dropped;
	return o->error ? err_set(err, o->error, "writing the record file: %s", strerror(-o->error))
			: 0;
}

/*
 * Whoever looks at a process's descriptors may keep the file of one that has just ended, and with
 * it the lock, a moment longer.
 */
static bool lock(int fd)
{
	enum { TRIES = 20, BETWEEN_US = 20000 };

	for (int i = 0; flock(fd, LOCK_EX | LOCK_NB); i++) {
		if (errno != EWOULDBLOCK) /* what cannot be locked */
			return true;
		if (i == TRIES)
			return false;
		usleep(BETWEEN_US);
	}
	return true;
}

int prepare_append(struct chunk_output *o, uint64_t *ret_dropped, struct err *err)
{
	struct good_part part = {0};
	struct chunk_input in;
	struct stat st;
	int r, fd;

	*ret_dropped = 0;
	if (!lock(o->fd))
		return err_set(err, -EBUSY, "another program is writing it");
	if (fstat(o->fd, &st) || !S_ISREG(st.st_mode) || !st.st_size)
		return output_file_head(o, err); /* nothing is there, or it has no end to go to */
	fd = fcntl(o->fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return err_set(err, -errno, "cannot read it: %s", strerror(errno));
	r = chunk_input_open(&in, fd);
	if (!r && in.version != FILE_VERSION)
		r = chunk_fault(&in, offsetof(struct file_head, version),
				"version %u of the format; only version %u is appended to",
				in.version, FILE_VERSION);
	if (r) {
		if (err)
			*err = in.fault;
	} else {
		look_at(&part, &in);
		r = go_on(o, &part, &in, ret_dropped, err);
	}
	record_index_done(&part.unlisted);
	chunk_input_done(&in);
	return r;
}
