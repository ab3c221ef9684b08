#include <criterion/criterion.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/base64.h"
#include "common/base/hash.h"
#include "common/base/limits.h"
#include "common/labels/labels.h"
#include "querier/api/continuation.h"

static struct cw_label pairs[] = {{CW_STR("app"), CW_STR("shop")},
                                  {CW_STR("path"), CW_STR("/a?b=\"c\"\xff\n")}};

static struct cw_continuation of_logs(void)
{
    return (struct cw_continuation){.kind = CW_CONTINUE_BACKWARD,
                                    .query = 0x0123456789abcdef,
                                    .rest = {.start_ns = INT64_MIN,
                                             .end_ns = INT64_MAX,
                                             .has_edge = true,
                                             .edge_ns = -5,
                                             .edge = {pairs, 2},
                                             .given = 1ull << 40}};
}

static int round_trip(const struct cw_continuation *in, struct cw_arena *arena,
                      struct cw_continuation *out)
{
    struct cw_err err;
    struct cw_buf token;
    cw_buf_init(&token, SIZE_MAX);
    cw_continuation_encode(in, &token);
    for (size_t i = 0; i < token.len; i++)
        cr_assert(strchr("+/= &%", token.ptr[i]) == NULL, "it stands in a URL as it is");
    int rc = cw_continuation_decode(cw_buf_str(&token), arena, out, &err);
    cw_buf_fini(&token);
    return rc;
}

Test(continuation, comes_back_as_it_was)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_continuation in = of_logs(), out;
    cr_assert_eq(round_trip(&in, arena, &out), 0);
    cr_expect_eq(out.kind, in.kind);
    cr_expect_eq(out.query, in.query);
    cr_expect_eq(out.rest.start_ns, INT64_MIN);
    cr_expect_eq(out.rest.end_ns, INT64_MAX);
    cr_expect_eq(out.rest.edge_ns, -5);
    cr_expect_eq(out.rest.given, 1ull << 40);
    cr_expect(cw_labels_eq(out.rest.edge, in.rest.edge));
    in = (struct cw_continuation){
        .kind = CW_CONTINUE_STEPS, .rest = {.start_ns = 60, .end_ns = 120}, .step_ns = 60};
    cr_assert_eq(round_trip(&in, arena, &out), 0);
    cr_expect_eq(out.step_ns, 60);
    cr_expect_not(out.rest.has_edge);
    cw_arena_free(&arena);
}

Test(continuation, what_makes_no_sense_is_refused)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_continuation in = of_logs(), out;
    in.rest.edge_ns = 5;
    in.rest.end_ns = 4;
    cr_expect_eq(round_trip(&in, arena, &out), CW_E_INVALID, "the edge lies behind the range");
    in = of_logs();
    in.rest.start_ns = 1;
    in.rest.end_ns = 0;
    cr_expect_eq(round_trip(&in, arena, &out), CW_E_INVALID);
    in = (struct cw_continuation){.kind = CW_CONTINUE_STEPS};
    cr_expect_eq(round_trip(&in, arena, &out), CW_E_INVALID, "a step of 0");
    cw_arena_free(&arena);
}

Test(continuation, one_that_is_too_long_is_not_looked_at)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_continuation out;
    struct cw_err err;
    char *text = cw_arena_alloc(arena, CW_LIMIT_CONTINUATION_BYTES + 1);
    memset(text, 'A', CW_LIMIT_CONTINUATION_BYTES + 1);
    cr_expect_eq(
        cw_continuation_decode(cw_str_make(text, CW_LIMIT_CONTINUATION_BYTES), arena, &out, &err),
        CW_E_INVALID);
    cr_expect_not_null(strstr(err.text, "this is not a continuation token"), "%s", err.text);
    cr_expect_eq(cw_continuation_decode(cw_str_make(text, CW_LIMIT_CONTINUATION_BYTES + 1), arena,
                                        &out, &err),
                 CW_E_INVALID);
    cr_expect_str_eq(err.text, "the continuation token is longer than any is");
    cw_arena_free(&arena);
}

Test(continuation, every_cut_and_every_changed_character_is_found)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_continuation in = of_logs(), out;
    struct cw_err err;
    struct cw_buf token;
    cw_buf_init(&token, SIZE_MAX);
    cw_continuation_encode(&in, &token);
    for (size_t n = 0; n < token.len; n++)
        cr_expect_eq(cw_continuation_decode(cw_str_make(token.ptr, n), arena, &out, &err),
                     CW_E_INVALID);
    for (size_t i = 0; i + 1 < token.len; i++) { /* bits of the last one may mean nothing */
        char kept = token.ptr[i];
        token.ptr[i] = kept == 'A' ? 'B' : 'A';
        cr_expect_eq(cw_continuation_decode(cw_buf_str(&token), arena, &out, &err), CW_E_INVALID);
        token.ptr[i] = kept;
    }
    cr_expect_eq(cw_continuation_decode(CW_STR("no token!"), arena, &out, &err), CW_E_INVALID);
    cw_buf_fini(&token);
    cw_arena_free(&arena);
}
