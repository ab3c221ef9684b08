/*
 * targets_page.h - GET /targets: what is read, how far, and what became of its lines; JSON for who accepts it, else HTML.
 *
 * Threads    The loop's, which owns the sources.
 */
#ifndef CW_SHIPPER_TARGETS_PAGE_H
#define CW_SHIPPER_TARGETS_PAGE_H
#include "common/net/http_server.h"
#include "shipper/sources.h"

/* A cw_loop_answer_fn; `arg` is the struct cw_sources. */
void cw_targets_page_answer(void *arg, struct cw_http_request *request);

/* The JSON, for the page and for `audit`. */
void cw_targets_page_json(const struct cw_sources *sources, struct cw_buf *out);
void cw_targets_page_html(const struct cw_sources *sources, struct cw_buf *out);

#endif
