/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The folder on a bpffs in which tracers' maps are pinned, and that it is empty when its daemon is
 * gone, however it went: a small child process waits for its end and clears up. The folder is also
 * the lock that keeps two daemons from one node.
 */
#pragma once

struct err;
struct pins;

/*
 * Mounts a bpffs at the folder's parent where there is none, makes the folder, takes its lock and
 * removes what an earlier daemon left. -EBUSY: another daemon has it. Call before anything is
 * attached or loaded: the child must not hold it.
 */
int pins_open(const char *dir, struct pins **ret, struct err *err);
struct pins *pins_close(struct pins *p); /* unpins all; NULL is fine; returns NULL */

const char *pins_dir(const struct pins *p);
