/*
 * loop_requests.h - HTTP requests that come on a thread of a server, and are answered by the loop: what they ask for is the loop's.
 *
 * Threads    cw_loop_requests_hand(): any. The rest: the loop's.
 */
#ifndef CW_SHIPPER_LOOP_REQUESTS_H
#define CW_SHIPPER_LOOP_REQUESTS_H
#include <uv.h>
#include "common/net/http_server.h"

struct cw_loop_requests;
typedef void (*cw_loop_answer_fn)(void *arg, struct cw_http_request *request);

struct cw_loop_requests *cw_loop_requests_new(uv_loop_t *loop);
/* `answer` runs on the loop and answers; where the loop takes none any more, the request is answered 503. */
void cw_loop_requests_hand(struct cw_loop_requests *requests, struct cw_http_request *request,
                           cw_loop_answer_fn answer, void *arg);
/* From here on every request is answered 503. */
void cw_loop_requests_close(struct cw_loop_requests *requests);
/* After the loop has run and the server has stopped. Sets *requests to NULL. */
void cw_loop_requests_free(struct cw_loop_requests **requests);

#endif
