/* SPDX-License-Identifier: Apache-2.0 */
/* A gadget that a command line names: one that is here, or one that a daemon offers. */
#pragma once

#include "columns/format.h"
#include "columns/labels.h"
#include "gadget/gadget.h"

struct offer;
struct remote;

/* r: the daemon that is asked; NULL: here. Errors as gadget_open()'s and remote_gadget()'s. */
int offer_open(struct remote *r, const char *name, struct offer **ret, struct err *err);
/* An instance of the daemon, to be read. */
int offer_open_instance(struct remote *r, const char *id, struct offer **ret, struct err *err);
struct offer *offer_free(struct offer *o); /* NULL is fine; returns NULL */

const char *offer_name(const struct offer *o);
const char *offer_image(const struct offer *o); /* as the daemon was asked for it; NULL: here */
const char *offer_doc(const struct offer *o);
size_t offer_n_params(const struct offer *o);
const struct gadget_param *offer_param(const struct offer *o, size_t i);
size_t offer_n_sources(const struct offer *o);
const struct gadget_source *offer_source(const struct offer *o, size_t i);

/* Of the machine whose times its rows have. */
struct clock_base offer_clock(const struct offer *o);

/* As gadget_set(); a value for a daemon is judged by the daemon. */
int offer_set(struct offer *o, const char *param, const char *value, struct err *err);

struct gadget *offer_take_gadget(struct offer *o);	  /* the one that is here, to run it */
const struct labels *offer_params(const struct offer *o); /* of the daemon's, by its keys */
