/* test_rewrite_run.c - parts with bad blocks are written anew: all that can be read and is not hidden is there afterwards. */
#include <criterion/criterion.h>

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "common/base/assert.h"
#include "common/base/log.h"
#include "common/store/part_source.h"
#include "ingester/rewrite_run.h"
#include "tests/support/part_model.h"
#include "tests/support/parts_rig.h"

enum { DAY = 20000, ROUNDS = 24 };

static struct parts_rig rig;
static struct cw_err err;
static const int64_t day_ns = INT64_C(86400) * 1000000000;
static const int64_t start_ns = DAY * INT64_C(86400) * 1000000000;

static void setup(void)
{
    cw_log_init(CW_LOG_ERROR + 1, CW_LOG_LOGFMT);
    parts_rig_open(&rig);
}

static void teardown(void)
{
    parts_rig_close(&rig);
}

TestSuite(rewrite_run, .init = setup, .fini = teardown);

/* ---- what hides rows ---- */

static void owner_keep(struct cw_hidden_owner *owner)
{
}

static int odd_entry(const struct cw_entry_filter *filter, void *run, int64_t ts_ns,
                     struct cw_labels stream, struct cw_labels metadata, struct cw_str line,
                     struct cw_err *e)
{
    return (int)(line.len % 2);
}

static void *odd_begin(const struct cw_entry_filter *filter)
{
    return NULL;
}

static void odd_end(void *run)
{
}

static const struct cw_entry_filter_ops odd_ops = {odd_begin, odd_end, odd_entry};
static const struct cw_entry_filter odd = {&odd_ops};

/* ---- parts ---- */

/* Many small streams, and one that fills blocks: those are copied. */
static void add_part(uint64_t seed)
{
    struct part_model m;
    uint64_t state = seed;
    char line[200];
    part_model_init(&m);
    part_model_fill(&m, seed, 10, 20000, start_ns);
    size_t large = part_model_stream(&m, "{app=\"large\"}");
    for (int i = 0; i < (seed % 4 == 0 ? 40000 : 0); i++) {
        snprintf(line, sizeof(line), "%0100" PRIx64 " line %d", part_model_random(&state), i);
        part_model_add(&m, large, start_ns + i * INT64_C(1000000), cw_str_of(line), NULL);
    }
    parts_rig_add(&rig, &m, "t", DAY);
    part_model_fini(&m);
}

static struct cw_snapshot snapshot(void)
{
    struct cw_snapshot s = {0};
    cw_parts_all(rig.parts, &s);
    return s;
}

/* Flip a few bytes of the blocks of the only part. */
static void blocks_damage(uint64_t *state)
{
    struct cw_snapshot s = snapshot();
    cr_assert_eq(s.n, 1);
    struct cw_part_reader *reader = cw_part_source_reader(s.sources[0]);
    int fd = open(cw_part_reader_path(reader), O_RDWR);
    for (uint64_t n = 1 + part_model_random(state) % 3; n > 0; n--) {
        uint32_t i = (uint32_t)(part_model_random(state) % cw_part_reader_footer(reader)->nblocks);
        struct cw_part_block b = cw_part_reader_block(reader, i);
        /* The first kilobyte has the header, the directory and what is needed to read anything. */
        uint64_t within = part_model_random(state) % 2 ? b.bytes : CW_MIN(b.bytes, 1024u);
        off_t at = (off_t)(b.offset + part_model_random(state) % within);
        uint8_t byte;
        cr_assert_eq(pread(fd, &byte, 1, at), 1);
        byte ^= (uint8_t)(1 + part_model_random(state) % 255);
        cr_assert_eq(pwrite(fd, &byte, 1, at), 1);
    }
    close(fd);
    cw_snapshot_fini(&s);
}

/* What can be read of the parts and the rule (NULL: none) does not hide. */
static void visible_rows(const struct cw_hidden_rule *rule, struct model_rows *out)
{
    struct cw_scan scan = {.start_ns = INT64_MIN,
                           .end_ns = INT64_MAX,
                           .need = CW_NEED_TIMES | CW_NEED_LINES | CW_NEED_METADATA};
    struct cw_hidden_owner owner = {1, owner_keep};
    struct cw_snapshot s = snapshot();
    for (size_t i = 0; i < s.n; i++) {
        if (rule != NULL)
            s.sources[i] = cw_hidden_source_new(s.sources[i], rule, 1, &owner);
        cr_assert_eq(model_rows_of_source(s.sources[i], &scan, out, &err), 0, "%s", err.text);
    }
    cw_snapshot_fini(&s);
}

/* Returns how many rows could not be read. */
static uint64_t rewrite(const struct cw_hidden_rule *rule)
{
    struct cw_hidden_owner owner = {1, owner_keep};
    struct cw_snapshot s = snapshot();
    struct cw_rewrite_run *run;
    uint64_t nunread = 0;
    int rc;
    for (size_t i = 0; i < s.n; i++) {
        cr_assert_eq(
            cw_rewrite_run_new(rig.parts, s.sources[i], rule, 1, &owner, CW_CODEC_LZ4, &run, &err),
            0, "%s", err.text);
        while ((rc = cw_rewrite_run_step(run, 1, &err)) == 1)
            continue;
        cr_assert_eq(rc, 0, "%s", err.text);
        nunread += cw_rewrite_run_unread(run);
        if (cw_rewrite_run_removed(run) + cw_rewrite_run_unread(run) > 0)
            cr_assert_eq(cw_rewrite_run_commit(run, &err), 0, "%s", err.text);
        cw_rewrite_run_free(&run);
    }
    cw_snapshot_fini(&s);
    return nunread;
}

Test(rewrite_run, all_that_can_be_read_beside_bad_blocks_is_there_afterwards, .timeout = 300)
{
    const struct cw_hidden_rule everything = {.first_ns = INT64_MIN, .last_ns = INT64_MAX};
    uint64_t state = 951, nunread = 0, nfilled = 0;
    struct cw_parts_counts counts;
    for (uint64_t round = 0; round < ROUNDS; round++) {
        struct model_rows before = {0}, after = {0};
        struct cw_selector selector;
        add_part(1000 + round);
        blocks_damage(&state);
        /* Bad blocks that the rule touches, and others. */
        cw_selector_init(&selector);
        cr_assert_eq(cw_selector_add(&selector, CW_MATCH_RE, CW_STR("app"),
                                     cw_str_of(round % 3 == 0 ? ".*" : "app[12]|large"), &err),
                     0);
        struct cw_hidden_rule rule = {
            .selector = &selector,
            .first_ns = start_ns + (int64_t)(part_model_random(&state) % (uint64_t)day_ns),
            .last_ns = INT64_MAX,
            .filter = round % 2 ? &odd : NULL};
        visible_rows(&rule, &before);
        nunread += rewrite(&rule);
        visible_rows(NULL, &after);
        nfilled += after.n > 0;
        cr_assert(model_rows_equal(&before, &after), "round %d", (int)round);
        model_rows_fini(&before);
        model_rows_fini(&after);
        cw_selector_fini(&selector);
        rewrite(&everything);
        cw_parts_count(rig.parts, &counts);
        cr_assert_eq(counts.parts, 0);
    }
    cr_assert_gt(nunread, 0);
    cr_assert_gt(nfilled, ROUNDS / 2);
    parts_rig_shell(&rig, "test -e $(ls quarantine/*-block-*.bin | head -n 1)");
}
