/*
 * targets_page.h - GET /targets: what is read, how far, and what became of its lines; JSON for who accepts it, else HTML.
 *
 * A request comes on a thread of the HTTP server and is answered by the loop, which owns the sources.
 *
 * Ownership  Options are copied; what they point to outlives the page.
 * Threads    The handler: any. The rest: the loop's.
 */
#ifndef CW_SHIPPER_TARGETS_PAGE_H
#define CW_SHIPPER_TARGETS_PAGE_H
#include <uv.h>
#include "common/net/http_server.h"
#include "shipper/sources.h"

struct cw_targets_page;

struct cw_targets_page *cw_targets_page_new(uv_loop_t *loop, const struct cw_sources *sources);
/* A cw_http_handler_fn; `ctx` is the page. */
void cw_targets_page_handler(struct cw_http_request *request, void *ctx);
/* From here on every request is answered 503. */
void cw_targets_page_close(struct cw_targets_page *page);
/* After the loop has run and the server has stopped. Sets *page to NULL. */
void cw_targets_page_free(struct cw_targets_page **page);

/* The JSON, for the page and for `audit`. */
void cw_targets_page_json(const struct cw_sources *sources, struct cw_buf *out);
void cw_targets_page_html(const struct cw_sources *sources, struct cw_buf *out);

#endif
