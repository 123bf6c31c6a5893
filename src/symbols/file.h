/* SPDX-License-Identifier: Apache-2.0 */
/* What open files of containers are. */
#pragma once

#include <stdbool.h>

/* It lies in a file system that asks somebody else, who may let us wait for ever. */
bool file_may_hang(int fd);

/*
 * Both have the same contents in memory, so that a breakpoint in one is in the other. Overlayfs
 * gives one file of an image another number in each container; the page cache has it once. Needs
 * root, else it tells only files that have the same number.
 */
bool file_is_same(int a, int b);
