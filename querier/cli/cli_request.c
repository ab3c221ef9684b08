#include "querier/cli/cli_request.h"
#include <stdio.h>
#include "common/base/limits.h"
#include "common/net/http_params.h"

/* The largest answer that is held in memory at once: 5,000 entries (the server's usual limit) of 256 KiB are 1.25 GiB. */
#define ANSWER_BYTES ((size_t)2 << 30)
/* How much of a server's error text is shown. */
#define ERROR_TEXT_BYTES 2000
/* Longer parameters go as a form: servers and proxies bound the URL, most at 8 KiB. */
#define URL_PARAMS_BYTES 6000

void cw_cli_params_init(struct cw_cli_params *params)
{
    cw_buf_init(&params->text, CW_LIMIT_QUERY_BYTES * 4u);
}

void cw_cli_params_fini(struct cw_cli_params *params)
{
    cw_buf_fini(&params->text);
}

void cw_cli_params_add(struct cw_cli_params *params, const char *name, struct cw_str value)
{
    cw_buf_addc(&params->text, params->text.len ? '&' : '?');
    cw_http_escape(cw_str_of(name), &params->text);
    cw_buf_addc(&params->text, '=');
    cw_http_escape(value, &params->text);
}

void cw_cli_params_add_i64(struct cw_cli_params *params, const char *name, int64_t value)
{
    char digits[32];
    snprintf(digits, sizeof digits, "%lld", (long long)value);
    cw_cli_params_add(params, name, cw_str_of(digits));
}

struct cw_str cw_cli_url(struct cw_cli *cli, const char *path, const struct cw_cli_params *params)
{
    struct cw_str addr = cli->args->addr;
    while (addr.len > 0 && addr.ptr[addr.len - 1] == '/')
        addr.len--;
    bool has_scheme = cw_str_find(addr, CW_STR("://")) >= 0;
    struct cw_str query = params ? cw_buf_str(&params->text) : CW_STR_NONE;
    return cw_arena_printf(cli->arena, "%s%.*s%s%.*s", has_scheme ? "" : "http://",
                           CW_STR_ARG(addr), path, CW_STR_ARG(query));
}

static const char *or_null(struct cw_str s)
{
    return s.len ? s.ptr : NULL;
}

int cw_cli_call(struct cw_cli *cli, const char *method, struct cw_str url, const char *content_type,
                struct cw_http_call *out, struct cw_err *err)
{
    const struct cw_cli_args *args = cli->args;
    if (args->password.len && !args->username.len)
        return cw_err_set(err, CW_E_INVALID, "--password needs --username");
    const char **headers = CW_ARENA_ARRAY(cli->arena, const char *, 5);
    size_t n = 0;
    headers[n++] = "User-Agent: cordwood/" CW_VERSION;
    if (args->org_id.len)
        headers[n++] =
            cw_arena_printf(cli->arena, "X-Scope-OrgID: %.*s", CW_STR_ARG(args->org_id)).ptr;
    if (args->extensions == CW_CLI_ON)
        headers[n++] = "X-Cordwood-Extensions: on";
    if (content_type)
        headers[n++] = cw_arena_printf(cli->arena, "Content-Type: %s", content_type).ptr;
    *out = (struct cw_http_call){
        .method = method,
        .url = url.ptr,
        .headers = headers,
        .timeout_ns = args->timeout_ns,
        .max_answer_bytes = ANSWER_BYTES,
        .bearer = or_null(args->bearer_token),
        .ca_file = or_null(args->ca_file),
        .cert_file = or_null(args->cert_file),
        .key_file = or_null(args->key_file),
        .insecure_skip_verify = args->tls_skip_verify,
        .proxy_url = or_null(args->proxy_url),
        .cancel = cli->cancel,
    };
    if (args->username.len)
        out->user = cw_arena_printf(cli->arena, "%.*s:%.*s", CW_STR_ARG(args->username),
                                    CW_STR_ARG(args->password))
                        .ptr;
    return 0;
}

int cw_cli_answer_error(int status, struct cw_str body, struct cw_err *err)
{
    struct cw_str text = cw_str_trim(cw_str_sub(body, 0, ERROR_TEXT_BYTES));
    if (text.len == 0)
        return cw_err_set(err, CW_E_IO, "the server answered %d", status);
    return cw_err_set(err, CW_E_IO, "the server answered %d: %.*s", status, CW_STR_ARG(text));
}

int cw_cli_ask(struct cw_cli *cli, const char *path, const struct cw_cli_params *params,
               struct cw_http_call *out, struct cw_err *err)
{
    if (params == NULL || params->text.len <= URL_PARAMS_BYTES)
        return cw_cli_call(cli, "GET", cw_cli_url(cli, path, params), NULL, out, err);
    int rc = cw_cli_call(cli, "POST", cw_cli_url(cli, path, NULL),
                         "application/x-www-form-urlencoded", out, err);
    out->body = cw_str_sub(cw_buf_str(&params->text), 1, params->text.len); /* without the '?' */
    return rc;
}

int cw_cli_get(struct cw_cli *cli, const char *path, const struct cw_cli_params *params,
               struct cw_buf *body, struct cw_err *err)
{
    struct cw_http_call call;
    int rc = cw_cli_ask(cli, path, params, &call, err);
    if (rc < 0)
        return rc;
    int status = 0;
    rc = cw_http_fetch(&call, &status, body, err);
    if (rc < 0)
        return rc;
    return status / 100 == 2 ? 0 : cw_cli_answer_error(status, cw_buf_str(body), err);
}
