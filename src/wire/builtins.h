/* SPDX-License-Identifier: Apache-2.0 */
/* The built-in gadgets as ig.v1.Node/Gadgets tells them. */
#pragma once

#include "wire/node.pb-c.h"

struct err;

/* *ret is freed by ig__v1__gadgets_response__free_unpacked(). */
int wire_builtins(Ig__V1__GadgetsResponse **ret, struct err *err);
