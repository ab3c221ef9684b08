#include "ingester/endpoints.h"

#include "common/base/assert.h"
#include "ingester/routes.h"
#include "querier/querier.h"

const struct cw_endpoint_def *cw_ingester_endpoints(struct cw_arena *arena)
{
    const struct cw_http_route *const tables[] = {cw_ingester_routes, cw_querier_routes()};
    struct cw_endpoint_def *out = NULL;
    size_t n = 0, cap = 0;
    for (size_t i = 0; i < CW_COUNT(tables); i++) {
        for (const struct cw_http_route *route = tables[i]; route->path != NULL; route++) {
            struct cw_str methods = cw_http_methods_text(route->methods, arena);
            out = cw_arena_grow(arena, out, n, &cap, n + 2, sizeof(*out));
            out[n++] = (struct cw_endpoint_def){
                cw_arena_printf(arena, "%.*s %s", CW_STR_ARG(methods), route->path).ptr,
                route->doc};
        }
    }
    out[n] = (struct cw_endpoint_def){NULL, NULL};
    return out;
}
