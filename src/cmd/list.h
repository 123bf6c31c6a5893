/* SPDX-License-Identifier: Apache-2.0 */
/* The gadgets of a daemon as rows. */
#pragma once

struct err;
struct remote;

int list_of(struct remote *remote, struct err *err);
