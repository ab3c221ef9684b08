/*
 * push_target.h - where a client pushes to and asks: URLs, headers and credentials of its configuration. With OAuth 2 it sees to
 * a token ahead of the call.
 *
 *            start, token good                        done
 *   IDLE ---------------------------------> CALLING -------> IDLE      401 to a token: it is forgotten
 *     |  start, no good token                  ^
 *     +-------------------------> TOKEN -------+    refused one way: TOKEN once more, the other way
 *
 * Ownership  The target owns its texts; a call borrows them until the next one is made. Its body is borrowed until it is done.
 * Threads    The loop's.
 */
#ifndef CW_SHIPPER_PUSH_TARGET_H
#define CW_SHIPPER_PUSH_TARGET_H
#include "common/net/http_client.h"
#include "shipper/oauth2.h"
#include "shipper/shipper_config.h"

enum cw_push_target_kind { CW_PUSH_TARGET_PUSH, CW_PUSH_TARGET_ASK };

struct cw_push_target {
    const struct cw_client_config *config; /* borrowed */
    char *name;                            /* for log lines and metrics */
    char *push_url, *ask_url;
    char **push_headers, **ask_headers; /* ended by NULL */
    char **proxy_headers, **token_proxy_headers;
    char *user, *authorization; /* NULL or what the files say now */
    struct cw_oauth2 oauth2;
    /* the call under way */
    struct cw_http_client *http;
    struct cw_http_call_handle *handle; /* NULL: none */
    enum cw_push_target_kind kind;
    struct cw_str body;
    size_t max_answer_bytes;
    cw_http_done_fn on_done;
    void *arg;
};

/* `tenant` empty: the configuration's, if it has one. */
void cw_push_target_init(struct cw_push_target *target, const struct cw_client_config *config,
                         struct cw_str tenant);
/* No call may be under way. */
void cw_push_target_fini(struct cw_push_target *target);
/* A POST of `body`. Files with passwords and tokens are read again: they may have changed. */
struct cw_http_call cw_push_target_call(struct cw_push_target *target,
                                        enum cw_push_target_kind kind, struct cw_str body);
/* Make it, one at a time; as cw_http_client_start(). */
int cw_push_target_start(struct cw_push_target *target, struct cw_http_client *http,
                         enum cw_push_target_kind kind, struct cw_str body, size_t max_answer_bytes,
                         cw_http_done_fn on_done, void *arg, struct cw_err *err) CW_MUST_USE;
/* No callback comes any more. */
void cw_push_target_abort(struct cw_push_target *target);

#endif
