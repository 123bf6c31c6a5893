// SPDX-License-Identifier: Apache-2.0
#include "recorder/input.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/mem.h"

int chunk_fault(struct chunk_input *in, uint64_t offset, const char *fmt, ...)
{
	char what[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return err_set(&in->fault, -EBADMSG, "record file, byte %" PRIu64 ": %s", offset, what);
}

/* Reads up to n bytes; fewer only at the end of the file. */
static int get(struct chunk_input *in, void *to, size_t n, size_t *ret)
{
	size_t done = 0;

	while (done < n) {
		ssize_t got = read(in->fd, (char *)to + done, n - done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_set(&in->fault, -errno, "reading the record file: %s",
				       strerror(errno));
		if (!got)
			break;
		done += (size_t)got;
	}
	in->offset += done;
	*ret = done;
	return 0;
}

static int make_room(struct chunk_input *in, unsigned char **bytes, size_t *room, size_t n)
{
	unsigned char *more;

	if (n <= *room)
		return 0;
	more = realloc(*bytes, n);
	if (!more)
		return err_set(&in->fault, -ENOMEM, "no memory for a chunk of %zu bytes", n);
	*bytes = more;
	*room = n;
	return 0;
}

/* ---- the file's head ------------------------------------------------------------- */

static int get_head(struct chunk_input *in)
{
	struct file_head head;
	size_t n;
	int e = get(in, &head, sizeof(head), &n);

	if (e < 0)
		return e;
	if (n < sizeof(head.magic) || memcmp(head.magic, FILE_MAGIC, sizeof(head.magic)) != 0)
		return chunk_fault(in, 0, "not a record file");
	if (n < sizeof(head))
		return chunk_fault(in, 0, "cut short: %zu bytes of the head", n);
	if (head.byte_order != FILE_BYTE_ORDER)
		return chunk_fault(in, offsetof(struct file_head, byte_order), "not little endian");
	if (head.version < 1 || head.version > FILE_VERSION)
		return chunk_fault(in, offsetof(struct file_head, version),
				   "version %u of the format; this program reads up to version %u",
				   head.version, FILE_VERSION);
	in->version = head.version;
	return 0;
}

int chunk_input_open(struct chunk_input *in, int fd)
{
	struct stat st;

	*in = (struct chunk_input){.fd = fd};
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && !lseek(fd, 0, SEEK_CUR)) {
		in->seekable = true;
		in->size = (uint64_t)st.st_size;
	}
	in->zstd = ZSTD_createDCtx();
	if (!in->zstd)
		return err_set(&in->fault, -ENOMEM, "no memory to unpack a record file's blocks");
	return get_head(in);
}

void chunk_input_done(struct chunk_input *in)
{
	close(in->fd);
	ZSTD_freeDCtx(in->zstd);
	free(in->payload);
	free(in->unpacked);
	*in = (struct chunk_input){.fd = -1};
}

/* ---- a chunk --------------------------------------------------------------------- */

int chunk_begin(struct chunk_input *in)
{
	size_t n;
	int e;

	if (in->fault.code)
		return in->fault.code;
	in->start = in->offset;
	in->have = in->length = 0;
	e = get(in, &in->head, sizeof(in->head), &n);
	if (e < 0)
		return e;
	if (!n)
		return 1;
	if (n < sizeof(in->head))
		return chunk_fault(in, in->start, "cut short: %zu bytes of a chunk's head", n);
	if (in->head.length > CHUNK_MAX_BYTES)
		return chunk_fault(
			in, in->start,
			"a chunk of type %u says it has %u bytes; at most %u are allowed",
			in->head.type, in->head.length, CHUNK_MAX_BYTES);
	return make_room(in, &in->payload, &in->room, in->head.length + sizeof(uint32_t));
}

/* Payload and check sum up to n bytes of both. */
static int get_payload(struct chunk_input *in, size_t n)
{
	size_t got;
	int e;

	if (in->have >= n)
		return 0;
	e = get(in, in->payload + in->have, n - in->have, &got);
	if (e < 0)
		return e;
	in->have += got;
	if (in->have < n)
		return chunk_fault(in, in->start, "cut short: %zu of %zu bytes of a chunk",
				   in->have, in->head.length + sizeof(uint32_t));
	return 0;
}

int chunk_peek(struct chunk_input *in, size_t n)
{
	if (n > in->head.length)
		return chunk_fault(in, in->start, "a chunk of type %u of %u bytes", in->head.type,
				   in->head.length);
	return get_payload(in, n);
}

static int check_sum(struct chunk_input *in)
{
	uint32_t sum, said;

	sum = (uint32_t)crc32_z(0, (const unsigned char *)&in->head, sizeof(in->head));
	sum = (uint32_t)crc32_z(sum, in->payload, in->head.length);
	memcpy(&said, in->payload + in->head.length, sizeof(said));
	if (sum != said)
		return chunk_fault(in, in->start,
				   "a chunk's check sum is 0x%08x, its bytes give 0x%08x", said,
				   sum);
	return 0;
}

size_t chunk_fixed(const struct chunk_input *in)
{
	static const uint8_t sizes[] = {
		[CHUNK_CLOCK] = sizeof(int64_t),
		[CHUNK_SOURCE] = sizeof(struct source_head),
		[CHUNK_CONTAINER] = sizeof(uint64_t),
		[CHUNK_ROWS] = sizeof(struct block_head),
		[CHUNK_INDEX] = sizeof(struct index_head),
		[CHUNK_OWNER] = sizeof(struct owner_head),
	};
	uint32_t type = in->head.type;

	if (type >= array_size(sizes) || !sizes[type])
		return in->head.length;
	return in->version == 1 && type == CHUNK_ROWS ? 0 : sizes[type];
}

/* One frame, whose content is bounded before anything is unpacked. */
static int unpack(struct chunk_input *in, size_t fixed)
{
	const unsigned char *frame = in->payload + fixed;
	size_t n = in->head.length - fixed, got;
	unsigned long long said = ZSTD_getFrameContentSize(frame, n);

	if (said == ZSTD_CONTENTSIZE_UNKNOWN || said == ZSTD_CONTENTSIZE_ERROR)
		return chunk_fault(in, in->start,
				   "a chunk of type %u does not say what is packed in it",
				   in->head.type);
	if (said > CHUNK_MAX_BYTES)
		return chunk_fault(
			in, in->start,
			"%llu bytes are packed in a chunk of type %u; at most %u are allowed", said,
			in->head.type, CHUNK_MAX_BYTES);
	if (make_room(in, &in->unpacked, &in->unpacked_room, (size_t)said + 1))
		return in->fault.code;
	got = ZSTD_decompressDCtx(in->zstd, in->unpacked, (size_t)said, frame, n);
	if (ZSTD_isError(got) || got != said)
		return chunk_fault(in, in->start, "a chunk of type %u cannot be unpacked: %s",
				   in->head.type,
				   ZSTD_isError(got) ? ZSTD_getErrorName(got) : "too short");
	in->content = in->unpacked;
	in->length = got;
	return 0;
}

int chunk_finish(struct chunk_input *in)
{
	int e = get_payload(in, in->head.length + sizeof(uint32_t)) ?: check_sum(in);
	size_t fixed = chunk_fixed(in);

	if (e)
		return e;
	if (in->head.length < fixed)
		return chunk_fault(in, in->start, "a chunk of type %u of %u bytes", in->head.type,
				   in->head.length);
	in->content = in->payload + fixed;
	in->length = in->head.length - fixed;
	return in->version > 1 && in->length ? unpack(in, fixed) : 0;
}

int chunk_skip(struct chunk_input *in)
{
	uint64_t end = in->start + sizeof(in->head) + in->head.length + sizeof(uint32_t);

	if (!in->seekable || end > in->size) /* it may have grown, or is cut short */
		return get_payload(in, in->head.length + sizeof(uint32_t));
	return chunk_seek(in, end);
}

int chunk_seek(struct chunk_input *in, uint64_t offset)
{
	if (in->fault.code)
		return in->fault.code;
	if (lseek(in->fd, (off_t)offset, SEEK_SET) < 0)
		return err_set(&in->fault, -errno, "seeking in the record file: %s",
			       strerror(errno));
	in->offset = offset;
	return 0;
}
