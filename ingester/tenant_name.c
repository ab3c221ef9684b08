#include "ingester/tenant_name.h"

#include <stdbool.h>
#include <string.h>

#include "common/base/limits.h"

static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!-_.*'()", c));
}

int cw_tenant_name_check(struct cw_str name, struct cw_err *err)
{
    if (name.len == 0)
        return cw_err_set(err, CW_E_INVALID, "tenant ID is empty");
    if (cw_str_find_byte(name, '|') >= 0)
        return cw_err_set(err, CW_E_INVALID,
                          "multiple org IDs present: there is no "
                          "querier.multi_tenant_queries_enabled, a request is of one tenant");
    for (size_t i = 0; i < name.len; i++)
        if (!name_char(name.ptr[i]))
            return cw_err_set(err, CW_E_INVALID,
                              "tenant ID '%.*s' contains unsupported character '%c'",
                              CW_STR_ARG(name), name.ptr[i]);
    if (name.len > CW_LIMIT_TENANT_BYTES)
        return cw_err_set(err, CW_E_INVALID, "tenant ID is too long: max %d characters",
                          CW_LIMIT_TENANT_BYTES);
    if (cw_str_eqz(name, ".") || cw_str_eqz(name, ".."))
        return cw_err_set(err, CW_E_INVALID, "tenant ID is '.' or '..'");
    return 0;
}
