/*
 * cli_request.h - one request to the server, with the flags' address, tenant and credentials.
 *
 * Ownership  Texts live in the run's arena.
 * Errors     CW_E_INVALID (the address), CW_E_UNAVAILABLE, CW_E_TIMEOUT, CW_E_IO as http_client.h; an answer that is no 2xx is
 *            CW_E_IO with the server's own sentence.
 */
#ifndef CW_CLI_CLI_REQUEST_H
#define CW_CLI_CLI_REQUEST_H
#include "common/net/http_client.h"
#include "querier/cli/cli.h"

/* A query string that grows: names and values are percent-encoded. */
struct cw_cli_params {
    struct cw_buf text;
};
void cw_cli_params_init(struct cw_cli_params *params);
void cw_cli_params_fini(struct cw_cli_params *params);
void cw_cli_params_add(struct cw_cli_params *params, const char *name, struct cw_str value);
void cw_cli_params_add_i64(struct cw_cli_params *params, const char *name, int64_t value);

/* "http://host:3100" and "/loki/api/v1/labels" joined; ended by NUL. */
struct cw_str cw_cli_url(struct cw_cli *cli, const char *path, const struct cw_cli_params *params);
/* A call filled from the flags: URL, headers (and `content_type` if not NULL), credentials, time-out. */
int cw_cli_call(struct cw_cli *cli, const char *method, struct cw_str url, const char *content_type,
                struct cw_http_call *out, struct cw_err *err) CW_MUST_USE;
/* A question with parameters: GET, or POST of a form where they are too long for a URL. Borrows `params` until the answer. */
int cw_cli_ask(struct cw_cli *cli, const char *path, const struct cw_cli_params *params,
               struct cw_http_call *out, struct cw_err *err) CW_MUST_USE;
/* Ask; the answer's bytes are appended to *body. */
int cw_cli_get(struct cw_cli *cli, const char *path, const struct cw_cli_params *params,
               struct cw_buf *body, struct cw_err *err) CW_MUST_USE;
/* The error that an answer with this status tells. */
int cw_cli_answer_error(int status, struct cw_str body, struct cw_err *err);

#endif
