#include "common/net/http_params.h"

#include <string.h>

#include "common/base/buf.h"

int cw_http_unescape(struct cw_str text, enum cw_http_plus plus, struct cw_arena *arena,
                     struct cw_str *out, struct cw_err *err)
{
    bool plain = cw_str_find_byte(text, '%') < 0 &&
                 (plus == CW_HTTP_PLUS_STAYS || cw_str_find_byte(text, '+') < 0);
    if (plain) {
        *out = text;
        return 0;
    }
    char *bytes = cw_arena_alloc(arena, text.len);
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '%') {
            int high = i + 2 < text.len ? cw_str_hex_digit(text.ptr[i + 1]) : -1;
            int low = i + 2 < text.len ? cw_str_hex_digit(text.ptr[i + 2]) : -1;
            if (high < 0 || low < 0) {
                struct cw_str bad = cw_str_sub(text, i, i + 3);
                return cw_err_set(err, CW_E_INVALID, "invalid URL escape \"%.*s\"",
                                  CW_STR_ARG(bad));
            }
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus == CW_HTTP_PLUS_IS_SPACE) {
            c = ' ';
        }
        bytes[n++] = c;
    }
    *out = cw_str_make(bytes, n);
    return 0;
}

void cw_http_escape(struct cw_str text, struct cw_buf *out)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        bool plain = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
                     c == '-' || c == '_' || c == '.' || c == '~';
        if (plain) {
            cw_buf_addc(out, (char)c);
        } else {
            char triple[3] = {'%', hex[c >> 4], hex[c & 15]};
            cw_buf_add(out, triple, sizeof triple);
        }
    }
}

static int params_add(struct cw_http_params *params, struct cw_http_pair item,
                      struct cw_arena *arena, struct cw_err *err)
{
    if (params->n == CW_HTTP_PARAMS_MAX)
        return cw_err_set(err, CW_E_TOO_LARGE, "more than %d parameters", CW_HTTP_PARAMS_MAX);
    params->items = cw_arena_grow(arena, params->items, params->n, &params->cap, params->n + 1,
                                  sizeof *params->items);
    params->items[params->n++] = item;
    return 0;
}

int cw_http_params_join(struct cw_http_params *params, const struct cw_http_params *behind,
                        struct cw_arena *arena, struct cw_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < behind->n; i++)
        rc = params_add(params, behind->items[i], arena, err);
    return rc;
}

int cw_http_params_parse(struct cw_str text, struct cw_arena *arena, struct cw_http_params *params,
                         struct cw_err *err)
{
    struct cw_str pair;
    while (cw_str_split(&text, '&', &pair)) {
        if (pair.len == 0)
            continue;
        if (cw_str_find_byte(pair, ';') >= 0)
            return cw_err_set(err, CW_E_INVALID, "invalid semicolon separator in query");
        ptrdiff_t equals = cw_str_find_byte(pair, '=');
        struct cw_str name = equals < 0 ? pair : cw_str_sub(pair, 0, (size_t)equals);
        struct cw_str value =
            equals < 0 ? CW_STR("") : cw_str_sub(pair, (size_t)equals + 1, pair.len);
        struct cw_http_pair item;
        int rc = cw_http_unescape(name, CW_HTTP_PLUS_IS_SPACE, arena, &item.name, err);
        if (rc == 0)
            rc = cw_http_unescape(value, CW_HTTP_PLUS_IS_SPACE, arena, &item.value, err);
        if (rc == 0)
            rc = params_add(params, item, arena, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

bool cw_http_params_at(const struct cw_http_params *params, const char *name, size_t i,
                       struct cw_str *out)
{
    struct cw_str wanted = cw_str_of(name);
    for (size_t at = 0; at < params->n; at++) {
        if (cw_str_eq(params->items[at].name, wanted) && i-- == 0) {
            *out = params->items[at].value;
            return true;
        }
    }
    return false;
}
