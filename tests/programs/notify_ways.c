// SPDX-License-Identifier: Apache-2.0
/*
 * For tests: a folder is watched by inotify, or with the word "fanotify" by that; a child touches
 * what is in it; the events are read, questions answered, and the watch removed. Then a watch that
 * fails. With the word "wait" and a folder: what is made there is read as long as it is let.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FOLDER "/tmp/watched"

static void must(long result, const char *what)
{
	if (result < 0) {
		perror(what);
		exit(1);
	}
}

static void create(const char *path)
{
	int fd = open(path, O_CREAT | O_RDWR, 0600);

	must(fd, path);
	must(write(fd, "x", 1), path);
	close(fd);
}

static pid_t in_child(void (*touch)(void))
{
	pid_t pid = fork();

	must(pid, "fork");
	if (!pid) {
		prctl(PR_SET_NAME, "toucher");
		touch();
		_exit(0);
	}
	return pid;
}

static void touch_files(void)
{
	create(FOLDER "/new");
	create(FOLDER "/hostile \033[2J\n\377");
	must(rename(FOLDER "/new", FOLDER "/old"), "rename");
	must(mkdir(FOLDER "/sub", 0700), "mkdir");
}

static void by_inotify(void)
{
	int queue = inotify_init1(0), watch;
	char events[65536];

	must(queue, "inotify_init1");
	watch = inotify_add_watch(queue, FOLDER, IN_CREATE | IN_CLOSE_WRITE | IN_MOVE);
	must(watch, "inotify_add_watch");
	waitpid(in_child(touch_files), NULL, 0);
	must(read(queue, events, sizeof(events)), "read");
	must(inotify_rm_watch(queue, watch), "inotify_rm_watch");
	must(read(queue, events, sizeof(events)), "read"); /* IN_IGNORED */
	if (inotify_add_watch(queue, "/nowhere", IN_OPEN) >= 0 || inotify_rm_watch(queue, 77) >= 0)
		exit(1);
}

static void open_file(void)
{
	close(open(FOLDER "/file", O_RDONLY));
}

static void remove_all(void)
{
	unlink(FOLDER "/hostile \033[2J\n\377");
	unlink(FOLDER "/old");
	unlink(FOLDER "/file");
	rmdir(FOLDER "/sub");
	must(rmdir(FOLDER), "rmdir");
}

/* Reads one event; a question is answered with no. */
static void one_event(int queue)
{
	struct fanotify_event_metadata event;
	struct fanotify_response no = {.response = FAN_DENY};

	must(read(queue, &event, sizeof(event)), "read");
	if (event.mask & FAN_OPEN_PERM) {
		no.fd = event.fd;
		must(write(queue, &no, sizeof(no)), "answer");
	}
	close(event.fd);
}

static void by_fanotify(void)
{
	int queue = fanotify_init(FAN_CLASS_CONTENT, O_RDONLY);
	pid_t pid;

	create(FOLDER "/file");
	must(queue, "fanotify_init");
	must(fanotify_mark(queue, FAN_MARK_ADD, FAN_OPEN_PERM | FAN_CLOSE_NOWRITE, AT_FDCWD,
			   FOLDER "/file"),
	     "fanotify_mark");
	pid = in_child(open_file);
	one_event(queue);
	waitpid(pid, NULL, 0);
	must(fanotify_mark(queue, FAN_MARK_ADD | FAN_MARK_ONLYDIR, FAN_CREATE, AT_FDCWD, FOLDER) < 0
		     ? 0
		     : -1,
	     "a mark that needs FAN_REPORT_FID");
	must(fanotify_mark(queue, FAN_MARK_REMOVE, FAN_OPEN_PERM | FAN_CLOSE_NOWRITE, AT_FDCWD,
			   FOLDER "/file"),
	     "fanotify_mark");
}

static void wait_for_events(const char *folder)
{
	int queue = inotify_init1(0);
	char events[4096];

	must(queue, "inotify_init1");
	must(inotify_add_watch(queue, folder, IN_CREATE), folder);
	close(open("/tmp/ready", O_CREAT | O_RDWR, 0600));
	for (;;)
		must(read(queue, events, sizeof(events)), "read");
}

int main(int argc, char **argv)
{
	if (argc > 2)
		wait_for_events(argv[2]);
	must(mkdir(FOLDER, 0700), FOLDER);
	if (argc > 1)
		by_fanotify();
	else
		by_inotify();
	remove_all();
	return 0;
}
