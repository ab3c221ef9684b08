/* Any target is taken apart into pieces of itself; of all transfer codings only "chunked" is taken. */
#include <stddef.h>
#include <stdint.h>

#include "common/base/assert.h"
#include "common/net/http_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_within(struct cw_str piece, struct cw_str text)
{
    CW_ASSERT(piece.len == 0 || cw_str_eqz(piece, "/") ||
              (piece.ptr >= text.ptr && piece.ptr + piece.len <= text.ptr + text.len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cw_str text = cw_str_make(data, size);
    struct cw_http_target target;
    struct cw_err err;
    if (cw_http_target_parse(text, &target, &err) == 0) {
        check_within(target.authority, text);
        check_within(target.path, text);
        check_within(target.query, text);
        CW_ASSERT(target.authority.len == 0 || (target.path.len > 0 && target.path.ptr[0] == '/'));
        CW_ASSERT(cw_str_find_byte(target.path, '?') < 0);
    }
    int rc = cw_http_codings_check(text, &err);
    CW_ASSERT((rc == 0) == cw_str_eq_nocase(text, CW_STR("chunked")));
    CW_ASSERT(rc == 0 || rc == CW_E_INVALID || rc == CW_E_NOT_IMPLEMENTED);
    return 0;
}
