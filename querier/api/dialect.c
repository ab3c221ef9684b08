#include "querier/api/dialect.h"

#include "common/logql/ast.h"

int cw_api_dialect(struct cw_http_request *http, unsigned *out, struct cw_err *err)
{
    struct cw_str value = cw_http_header(http, "X-Cordwood-Extensions");
    if (value.len == 0)
        value = cw_http_param(http, "extensions");
    *out = CW_LOGQL_LOKI;
    if (value.len == 0 || cw_str_eqz(value, "off"))
        return 0;
    if (!cw_str_eqz(value, "on"))
        return cw_err_set(err, CW_E_INVALID, "extensions can be on or off, not \"%.*s\"",
                          CW_STR_ARG(value));
    *out = CW_LOGQL_EXTENSIONS;
    return 0;
}
