/*
 * oauth2.h - a bearer token by OAuth 2's client credentials (RFC 6749, 4.4): the request for one, what is answered, and how
 * long it is good.
 *
 * Servers take the client's id and secret in the header (basic authentication) or in the form; the header is tried first, the
 * form after a refusal, and what worked is kept.
 *
 * Ownership  Texts of a request are borrowed until the next one.
 * Errors     CW_E_UNAVAILABLE: no token, with what the server said. Any answer is safe to read.
 */
#ifndef CW_SHIPPER_OAUTH2_H
#define CW_SHIPPER_OAUTH2_H
#include <stdbool.h>
#include "common/base/buf.h"
#include "common/net/http_client.h"
#include "shipper/client_config.h"

/* An answer is a few hundred bytes; some tokens are kilobytes. */
#define CW_OAUTH2_ANSWER_BYTES (256u << 10)

struct cw_oauth2 {
    const struct cw_oauth2_config *config; /* borrowed */
    char *token;                           /* NULL: none */
    int64_t good_until_ns;                 /* monotonic; INT64_MAX: nobody said */
    bool in_form, refused; /* the secret goes into the form; the other way was refused */
    struct cw_buf form;
    char *user;
};

void cw_oauth2_init(struct cw_oauth2 *oauth2, const struct cw_oauth2_config *config);
void cw_oauth2_fini(struct cw_oauth2 *oauth2);
/* Whether a token is there that is good for some seconds more. */
bool cw_oauth2_good(const struct cw_oauth2 *oauth2, int64_t now_mono_ns);
/* Ask for one: a POST without TLS, proxy and timeout, which are the caller's. */
struct cw_http_call cw_oauth2_request(struct cw_oauth2 *oauth2);
/* The answer to it. CW_E_CONFLICT: ask once more, the other way. */
int cw_oauth2_answer(struct cw_oauth2 *oauth2, const struct cw_http_answer *answer,
                     int64_t now_mono_ns, struct cw_err *err) CW_MUST_USE;
/* The server refused the token. */
void cw_oauth2_forget(struct cw_oauth2 *oauth2);

#endif
