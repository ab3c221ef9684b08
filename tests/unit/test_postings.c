#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/assert.h"
#include "common/base/hash.h"
#include "common/store/format.h"
#include "common/store/postings.h"

/* Enough pods that the builder puts its table away some times. */
enum { NSTREAMS = 60000 };

static struct cw_err err;
static struct cw_arena *arena;
static struct cw_labels streams[NSTREAMS];
static struct cw_buf region;
static struct cw_postings postings;

static struct cw_labels labels_of(uint32_t i)
{
    struct cw_labels labels;
    struct cw_str text = cw_arena_printf(
        arena, "{app=\"app%u\", pod=\"app%u-%08llx\"%s}", i / 20000, i / 20000,
        (unsigned long long)(cw_hash64(&i, sizeof(i)) >> 32), i % 3 == 0 ? ", zone=\"z\"" : "");
    cr_assert_eq(cw_labels_parse(text, arena, &labels, &err), 0);
    return labels;
}

static void setup(void)
{
    arena = cw_arena_new();
    cw_buf_init(&region, SIZE_MAX);
    struct cw_postings_builder *builder = cw_postings_builder_new();
    for (uint32_t i = 0; i < NSTREAMS; i++) {
        streams[i] = labels_of(i);
        cr_assert_eq(cw_postings_builder_add(builder, i, streams[i], &err), 0);
    }
    cr_assert_eq(cw_postings_builder_finish(builder, &region, &err), 0);
    cw_postings_builder_free(&builder);
    cr_assert_eq(
        cw_postings_open(cw_buf_str(&region), NSTREAMS, CW_POSTINGS_FENCED, &postings, &err), 0);
}

static void teardown(void)
{
    cw_buf_fini(&region);
    cw_arena_free(&arena);
}

TestSuite(postings, .init = setup, .fini = teardown);

static struct cw_str pod(uint32_t i)
{
    return cw_labels_get(streams[i], CW_STR("pod"));
}

static void check_selector(const struct cw_selector *selector)
{
    struct cw_stream_set set;
    cr_assert_eq(cw_postings_select(&postings, selector, &set, &err), 0, "%s", err.text);
    for (uint32_t i = 0; i < NSTREAMS; i++)
        cr_assert_eq(cw_stream_set_has(&set, i), cw_selector_match(selector, streams[i], &err) == 1,
                     "stream %u", i);
    cw_stream_set_fini(&set);
}

static void check(enum cw_match_op op, const char *name, struct cw_str value)
{
    struct cw_selector selector;
    cw_selector_init(&selector);
    cr_assert_eq(cw_selector_add(&selector, op, cw_str_of(name), value, &err), 0);
    check_selector(&selector);
    cw_selector_fini(&selector);
}

Test(postings, a_selector_finds_the_streams_that_match_it_one_by_one)
{
    struct cw_str two =
        cw_arena_printf(arena, "%.*s|%.*s|nosuch", CW_STR_ARG(pod(7)), CW_STR_ARG(pod(50000)));
    struct cw_str one_or_none = cw_arena_printf(arena, "%.*s|", CW_STR_ARG(pod(7)));
    const struct cw_str values[] = {pod(0),         pod(NSTREAMS - 1),  pod(31234),
                                    CW_STR("app1"), CW_STR(""),         CW_STR("app0-"),
                                    CW_STR("zzz"),  CW_STR("app1-7.*"), CW_STR(".*7f.*"),
                                    CW_STR("z"),    CW_STR("z?"),       two,
                                    one_or_none};
    const char *const names[] = {"app", "pod", "zone", "nosuch"};
    for (int op = CW_MATCH_EQ; op <= CW_MATCH_NRE; op++)
        for (size_t n = 0; n < CW_COUNT(names); n++)
            for (size_t v = 0; v < CW_COUNT(values); v++)
                check(op, names[n], values[v]);
    struct cw_selector both;
    cw_selector_init(&both);
    cr_assert_eq(cw_selector_add(&both, CW_MATCH_EQ, CW_STR("app"), CW_STR("app2"), &err), 0);
    cr_assert_eq(cw_selector_add(&both, CW_MATCH_NE, CW_STR("zone"), CW_STR("z"), &err), 0);
    check_selector(&both);
    cw_selector_fini(&both);
}

/* Chunk i of the region; its checksum made wrong, or right again. */
static void chunk_spoil(uint32_t i)
{
    region.ptr[postings.chunks - region.ptr + (size_t)i * CW_POSTINGS_CHUNK_BYTES + 20] ^= 1;
}

Test(postings, one_value_is_looked_for_in_one_chunk)
{
    const struct cw_str values[] = {pod(0), pod(30000), pod(NSTREAMS - 1), CW_STR("app1-5"),
                                    CW_STR("")};
    cr_assert_gt(postings.nchunks, 50);
    for (size_t v = 0; v + 1 < CW_COUNT(values); v++) {
        struct cw_selector selector;
        unsigned nread = 0;
        cw_selector_init(&selector);
        cr_assert_eq(cw_selector_add(&selector, CW_MATCH_EQ, CW_STR("pod"), values[v], &err), 0);
        for (uint32_t i = 0; i < postings.nchunks; i++) {
            struct cw_stream_set set = {0};
            chunk_spoil(i);
            nread += cw_postings_select(&postings, &selector, &set, &err) == CW_E_CORRUPT;
            cw_stream_set_fini(&set);
            chunk_spoil(i);
        }
        cr_expect_eq(nread, 1, "%.*s: %u chunks", CW_STR_ARG(values[v]), nread);
        cw_selector_fini(&selector);
    }
}

static int text_cmp(const void *a, const void *b)
{
    return cw_str_cmp(*(const struct cw_str *)a, *(const struct cw_str *)b);
}

static void check_values(const char *name, const struct cw_stream_set *set)
{
    struct cw_str *want = malloc(NSTREAMS * sizeof(*want)), got, last = CW_STR_NONE;
    size_t n = 0, at = 0;
    for (uint32_t i = 0; i < NSTREAMS; i++)
        if ((set == NULL || cw_stream_set_has(set, i)) &&
            cw_labels_has(streams[i], cw_str_of(name)))
            want[n++] = cw_labels_get(streams[i], cw_str_of(name));
    qsort(want, n, sizeof(*want), text_cmp);
    struct cw_postings_values *values;
    int rc;
    cr_assert_eq(cw_postings_values_open(&postings, cw_str_of(name), set, &values, &err), 0);
    while ((rc = cw_postings_values_next(values, &got, &err)) > 0) {
        while (at < n && cw_str_eq(want[at], last))
            at++;
        cr_assert(at < n && cw_str_eq(got, want[at]));
        last = want[at];
    }
    while (at < n && cw_str_eq(want[at], last))
        at++;
    cr_assert_eq(rc, 0);
    cr_assert_eq(at, n, "%s: values are missing", name);
    cw_postings_values_close(&values);
    free(want);
}

Test(postings, values_and_names_are_those_of_the_set)
{
    struct cw_stream_set some, none;
    cw_stream_set_init(&some, NSTREAMS);
    cw_stream_set_init(&none, NSTREAMS);
    for (uint32_t i = 1; i < 30000; i += 3)
        cw_stream_set_add_run(&some, i, 1 + i % 2);
    const struct cw_stream_set *sets[] = {NULL, &some, &none};
    const char *const names[] = {"app", "nosuch", "pod", "zone"};
    for (size_t s = 0; s < CW_COUNT(sets); s++)
        for (size_t n = 0; n < CW_COUNT(names); n++)
            check_values(names[n], sets[s]);
    /* No stream of the set has a zone. */
    cr_assert_eq(postings.nnames, 3);
    const char *const want[] = {"app", "pod", "zone"};
    for (uint32_t i = 0; i < 3; i++) {
        struct cw_str name;
        bool has;
        cr_assert_eq(cw_postings_name(&postings, i, &some, &name, &has, &err), 0);
        cr_expect(cw_str_eqz(name, want[i]));
        cr_expect_eq(has, i < 2);
    }
    cw_stream_set_fini(&some);
    cw_stream_set_fini(&none);
}

Test(postings, a_bad_chunk_costs_its_values)
{
    struct cw_postings_values *values;
    struct cw_str value;
    unsigned n = 0, nbad = 0;
    int rc;
    chunk_spoil(postings.nchunks / 2);
    cr_assert_eq(cw_postings_values_open(&postings, CW_STR("pod"), NULL, &values, &err), 0);
    while ((rc = cw_postings_values_next(values, &value, &err)) != 0) {
        nbad += rc < 0;
        n += rc > 0;
    }
    cr_expect_eq(nbad, 1);
    cr_expect(n < NSTREAMS && n >= NSTREAMS - CW_POSTINGS_CHUNK_VALUES);
    cw_postings_values_close(&values);
}
