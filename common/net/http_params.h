/*
 * http_params.h - the parameters of a query string or an urlencoded form, as Go's url.ParseQuery reads them.
 *
 * Ownership  Names and values borrow from the text, or from the arena where something was encoded.
 * Errors     CW_E_INVALID in Go's words for a bad escape or a semicolon; CW_E_TOO_LARGE over CW_HTTP_PARAMS_MAX.
 */
#ifndef CW_NET_HTTP_PARAMS_H
#define CW_NET_HTTP_PARAMS_H
#include <stdbool.h>
#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/base/str.h"

/* Nobody asks for so many; each costs 32 bytes however short it is, and looking one up reads them all. */
enum { CW_HTTP_PARAMS_MAX = 20000 };

struct cw_http_pair {
    struct cw_str name, value;
};

struct cw_http_params {
    struct cw_http_pair *items; /* in the order of the text */
    size_t n, cap;
};

/* Append what `text` says ("a=1&b=x%20y+z") to *params, which begins zeroed. */
int cw_http_params_parse(struct cw_str text, struct cw_arena *arena, struct cw_http_params *params,
                         struct cw_err *err) CW_MUST_USE;
/* Append those of `behind`. */
int cw_http_params_join(struct cw_http_params *params, const struct cw_http_params *behind,
                        struct cw_arena *arena, struct cw_err *err) CW_MUST_USE;
/* The i-th value of `name`; false past the last. */
bool cw_http_params_at(const struct cw_http_params *params, const char *name, size_t i,
                       struct cw_str *out);

enum cw_http_plus { CW_HTTP_PLUS_IS_SPACE, CW_HTTP_PLUS_STAYS /* in paths */ };
/* Undo percent-encoding. CW_E_INVALID: `invalid URL escape "%zz"`. */
int cw_http_unescape(struct cw_str text, enum cw_http_plus plus, struct cw_arena *arena,
                     struct cw_str *out, struct cw_err *err) CW_MUST_USE;
/* Percent-encode all but letters, digits, '-', '_', '.', '~'. */
struct cw_buf;
void cw_http_escape(struct cw_str text, struct cw_buf *out);

#endif
