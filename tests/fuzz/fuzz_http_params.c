/* Any text is parsed or refused; what was parsed, escaped again and parsed again, is the same. */
#include <stddef.h>
#include <stdint.h>

#include "common/base/assert.h"
#include "common/base/buf.h"
#include "common/net/http_params.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct cw_err err;
    struct cw_arena *arena = cw_arena_new();
    struct cw_http_params params = {0}, again = {0};
    struct cw_buf text;
    cw_buf_init(&text, 64 << 20);
    if (cw_http_params_parse(cw_str_make(data, size), arena, &params, &err) == 0) {
        for (size_t i = 0; i < params.n; i++) {
            cw_http_escape(params.items[i].name, &text);
            cw_buf_addc(&text, '=');
            cw_http_escape(params.items[i].value, &text);
            cw_buf_addc(&text, '&');
        }
        CW_ASSERT(cw_http_params_parse(cw_buf_str(&text), arena, &again, &err) == 0);
        CW_ASSERT(again.n == params.n);
        for (size_t i = 0; i < params.n; i++) {
            CW_ASSERT(cw_str_eq(again.items[i].name, params.items[i].name));
            CW_ASSERT(cw_str_eq(again.items[i].value, params.items[i].value));
        }
    }
    cw_buf_fini(&text);
    cw_arena_free(&arena);
    return 0;
}
