#include "common/base/assert.h"
#include "common/net/http_server_priv.h"

static bool is_param(struct cw_str segment)
{
    return segment.len > 2 && segment.ptr[0] == '{' && segment.ptr[segment.len - 1] == '}';
}

/* Does the path fit the route's? Segments are compared decoded, so that "%2F" is a byte of a name and no separator. */
static int match_path(const struct cw_http_route *route, struct cw_str path, struct cw_arena *arena,
                      struct http_match *match, struct cw_err *err)
{
    struct cw_str pattern = cw_str_of(route->path), want, segment, value;
    match->nparams = 0;
    for (;;) {
        bool more_pattern = cw_str_split(&pattern, '/', &want);
        bool more_path = cw_str_split(&path, '/', &segment);
        if (more_pattern != more_path)
            return 0;
        if (!more_pattern)
            return 1;
        int rc = cw_http_unescape(segment, CW_HTTP_PLUS_STAYS, arena, &value, err);
        if (rc < 0)
            return rc;
        if (is_param(want)) {
            if (value.len == 0)
                return 0;
            CW_ASSERT(match->nparams < HTTP_PATH_PARAMS);
            match->params[match->nparams++] =
                (struct http_path_param){cw_str_sub(want, 1, want.len - 1), value};
        } else if (!cw_str_eq(want, value)) {
            return 0;
        }
    }
}

static int find_in_table(const struct http_route_table *table, struct cw_str path, unsigned method,
                         struct cw_arena *arena, struct http_match *out, struct cw_err *err)
{
    for (const struct cw_http_route *route = table->routes; route->path != NULL; route++) {
        struct http_match match;
        int rc = match_path(route, path, arena, &match, err);
        if (rc < 0)
            return rc;
        if (rc == 0)
            continue;
        out->allowed |= route->methods;
        if ((route->methods & method) == 0)
            continue;
        match.allowed = out->allowed;
        match.route = route;
        match.ctx = table->ctx;
        *out = match;
        return 1;
    }
    return 0;
}

/* The path behind the server's prefix. False: it is not below that. */
static bool prefix_take(struct cw_str prefix, struct cw_str *path)
{
    while (prefix.len > 0 && prefix.ptr[prefix.len - 1] == '/')
        prefix.len--;
    if (!cw_str_starts(*path, prefix))
        return false;
    *path = cw_str_sub(*path, prefix.len, path->len);
    return prefix.len == 0 || (path->len > 0 && path->ptr[0] == '/');
}

int http_route_find(const struct cw_http_server *server, struct cw_str raw_path, unsigned method,
                    struct cw_arena *arena, struct http_match *out, struct cw_str *path,
                    struct cw_err *err)
{
    *out = (struct http_match){0};
    *path = raw_path;
    int rc = cw_http_unescape(raw_path, CW_HTTP_PLUS_STAYS, arena, path, err);
    bool below = prefix_take(server->options.path_prefix, &raw_path);
    for (size_t i = 0; rc == 0 && below && i < server->ntables; i++)
        rc = find_in_table(&server->tables[i], raw_path, method, arena, out, err);
    return rc < 0 ? rc : 0;
}

struct cw_str cw_http_methods_text(unsigned methods, struct cw_arena *arena)
{
    static const struct {
        unsigned method;
        const char *name;
    } names[] = {{CW_HTTP_GET, "GET, HEAD"},
                 {CW_HTTP_POST, "POST"},
                 {CW_HTTP_PUT, "PUT"},
                 {CW_HTTP_DELETE, "DELETE"},
                 {CW_HTTP_OPTIONS, "OPTIONS"}};
    struct cw_str all = CW_STR("");
    for (size_t i = 0; i < CW_COUNT(names); i++) {
        if (methods & names[i].method)
            all = cw_arena_printf(arena, "%.*s%s%s", CW_STR_ARG(all), all.len > 0 ? ", " : "",
                                  names[i].name);
    }
    return all;
}
