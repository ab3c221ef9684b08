#include <criterion/criterion.h>
#include <stdlib.h>
#include "shipper/spool_record.h"

static struct cw_arena *arena;
static struct cw_buf bytes;

static void setup(void)
{
    arena = cw_arena_new();
    cw_buf_init(&bytes, 4u << 20);
}

static void teardown(void)
{
    cw_arena_free(&arena);
    cw_buf_fini(&bytes);
}

TestSuite(spool_record, .init = setup, .fini = teardown);

static const struct cw_label labels[] = {{CW_STR("app"), CW_STR("shop")},
                                         {CW_STR("job"), CW_STR("")}};
static const struct cw_label metadata[] = {{CW_STR("trace"), CW_STR("77")}};

static struct cw_spool_record record_of(const char *line)
{
    return (struct cw_spool_record){.ts_ns = -5,
                                    .labels = {labels, 2},
                                    .metadata = {metadata, 1},
                                    .tenant = CW_STR("team"),
                                    .cursor = CW_STR("s=1;i=2"),
                                    .line = cw_str_of(line)};
}

static void add(const char *line)
{
    struct cw_spool_record record = record_of(line);
    cr_assert_eq(cw_spool_record_encode(&record, &bytes, NULL), 1);
}

static int next(size_t len, size_t *at, struct cw_spool_record *out)
{
    return cw_spool_record_next(cw_str_make(bytes.ptr, len), at, arena, out, NULL);
}

Test(spool_record, what_is_written_is_read)
{
    add("first");
    add("");
    add("two\nlines");
    struct cw_spool_record record;
    size_t at = 0;
    cr_assert_eq(next(bytes.len, &at, &record), 1);
    cr_assert_eq(record.ts_ns, -5);
    cr_assert(cw_labels_eq(record.labels, (struct cw_labels){labels, 2}));
    cr_assert(cw_labels_eq(record.metadata, (struct cw_labels){metadata, 1}));
    cr_assert(cw_str_eqz(record.tenant, "team") && cw_str_eqz(record.cursor, "s=1;i=2"));
    cr_assert(cw_str_eqz(record.line, "first"));
    cr_assert_eq(next(bytes.len, &at, &record), 1);
    cr_assert_eq(record.line.len, 0);
    cr_assert_eq(next(bytes.len, &at, &record), 1);
    cr_assert(cw_str_eqz(record.line, "two\nlines"));
    cr_assert_eq(at, bytes.len);
    cr_assert_eq(next(bytes.len, &at, &record), 0);
}

Test(spool_record, a_torn_tail_is_told_from_corruption_at_every_length)
{
    add("kept");
    size_t whole = bytes.len;
    add("torn");
    for (size_t len = whole; len < bytes.len; len++) {
        struct cw_spool_record record;
        size_t at = 0;
        cr_assert_eq(next(len, &at, &record), 1);
        cr_assert_eq(next(len, &at, &record), 0, "%zu bytes", len);
        cr_assert_eq(at, whole);
        cr_assert_eq(cw_spool_record_resync(cw_str_make(bytes.ptr, len), at), len);
    }
}

Test(spool_record, any_changed_byte_costs_that_record_alone)
{
    add("first");
    size_t from = bytes.len;
    add("second CWSp with a magic in it");
    size_t to = bytes.len;
    add("third");
    for (size_t i = from; i < to; i++) {
        struct cw_spool_record record;
        size_t at = 0;
        bytes.ptr[i] ^= 0x41;
        cr_assert_eq(next(bytes.len, &at, &record), 1);
        int rc = next(bytes.len, &at, &record);
        if (rc == 0) /* a length that says more than there is: nothing more will come */
            at = cw_spool_record_resync(cw_buf_str(&bytes), at);
        else
            cr_assert_eq(rc, CW_E_CORRUPT, "byte %zu", i);
        while (at < bytes.len && (rc = next(bytes.len, &at, &record)) != 1)
            at = rc == 0 ? cw_spool_record_resync(cw_buf_str(&bytes), at) : at;
        cr_assert_eq(rc, 1, "byte %zu", i);
        cr_assert(cw_str_eqz(record.line, "third"), "byte %zu", i);
        bytes.ptr[i] ^= 0x41;
    }
}

Test(spool_record, a_long_line_becomes_several_records)
{
    size_t len = 3 * CW_LIMIT_LINE_BYTES + 1;
    char *line = malloc(len);
    memset(line, 'x', len);
    struct cw_spool_record record = record_of(""), got;
    record.line = cw_str_make(line, len);
    int n = cw_spool_record_encode(&record, &bytes, NULL);
    cr_assert_eq(n, 4);
    size_t at = 0, sum = 0;
    for (int i = 0; i < n; i++) {
        size_t from = at;
        cr_assert_eq(next(bytes.len, &at, &got), 1);
        cr_assert_leq(at - from, CW_SPOOL_RECORD_BYTES);
        cr_assert_eq(got.cursor.len > 0, i == n - 1);
        sum += got.line.len;
    }
    cr_assert_eq(sum, len);
    free(line);
}

Test(spool_record, the_longest_line_of_a_store_is_one_record_whatever_its_labels)
{
    struct cw_spool_record record = record_of("");
    size_t rest = 28 + record.tenant.len; /* of what is in no pair and no cursor */
    for (size_t i = 0; i < record.labels.n; i++)
        rest += 8 + record.labels.items[i].name.len + record.labels.items[i].value.len;
    for (size_t i = 0; i < record.metadata.n; i++)
        rest += 8 + record.metadata.items[i].name.len + record.metadata.items[i].value.len;
    char *text = calloc(1, CW_LIMIT_LINE_BYTES + CW_SPOOL_RECORD_HEAD_BYTES);
    record.line = cw_str_make(text, CW_LIMIT_LINE_BYTES);
    record.cursor = cw_str_make(text, CW_SPOOL_RECORD_HEAD_BYTES - rest);
    cr_assert_eq(cw_spool_record_encode(&record, &bytes, NULL), 1);
    cr_assert_eq(bytes.len, CW_SPOOL_RECORD_BYTES);
    free(text);
}

Test(spool_record, labels_without_end_are_refused)
{
    struct cw_spool_record record = record_of("x");
    record.cursor = cw_str_make(calloc(1, CW_SPOOL_RECORD_HEAD_BYTES), CW_SPOOL_RECORD_HEAD_BYTES);
    cr_assert_eq(cw_spool_record_encode(&record, &bytes, NULL), CW_E_TOO_LARGE);
    cr_assert_eq(bytes.len, 0);
    free((void *)record.cursor.ptr);
}
