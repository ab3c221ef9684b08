/* test_retention_shares.c - what rules' streams take of parts, and which must leave. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/base/assert.h"
#include "common/base/log.h"
#include "common/store/part_source.h"
#include "ingester/retention_shares.h"
#include "tests/support/part_model.h"

static char dir[64];
static struct cw_err err;
static struct cw_retention_shares *shares;

static void setup(void)
{
    strcpy(dir, "/tmp/cw-test-shares-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
    cw_log_init(CW_LOG_ERROR + 1, CW_LOG_LOGFMT);
    shares = cw_retention_shares_new();
}

static void teardown(void)
{
    char command[100];
    cw_retention_shares_free(&shares);
    snprintf(command, sizeof(command), "rm -r %s", dir);
    cr_assert_eq(system(command), 0);
}

TestSuite(retention_shares, .init = setup, .fini = teardown);

static void path_of(uint64_t id, char path[static 100])
{
    snprintf(path, 100, "%s/%d.part", dir, (int)id);
}

/* A part with nlines[i] lines of 99 bytes of the stream labels[i]. */
static struct cw_source *part(uint64_t id, const char *const *labels, const size_t *nlines,
                              size_t n)
{
    struct part_model m;
    struct cw_source *source;
    char path[100], line[99];
    uint64_t state = id;
    struct cw_part_info info = part_model_info(id);
    part_model_init(&m);
    for (size_t i = 0; i < n; i++) {
        size_t stream = part_model_stream(&m, labels[i]);
        for (size_t k = 0; k < nlines[i]; k++) {
            for (size_t b = 0; b < sizeof(line); b++)
                line[b] = (char)('a' + part_model_random(&state) % 26);
            part_model_add(&m, stream, (int64_t)(id * 1000000 + k),
                           (struct cw_str){line, sizeof(line)}, NULL);
        }
    }
    path_of(id, path);
    part_model_write(&m, path, &info);
    part_model_fini(&m);
    cr_assert_eq(cw_part_source_open(path, NULL, &source, &err), 0, "%s", err.text);
    return source;
}

static uint64_t size_of(struct cw_source *source)
{
    return cw_part_reader_footer(cw_part_source_reader(source))->file_bytes;
}

static struct cw_retention_policy *policy_of(struct cw_retention_stream *rules, size_t n)
{
    struct cw_ingester_limits limits = {.retention_stream = {rules, n}};
    struct cw_retention_policy *policy;
    cr_assert_eq(cw_retention_policy_new(&limits, &policy, &err), 0, "%s", err.text);
    return policy;
}

static struct cw_retention_stream rule(const char *selector, int64_t priority, int64_t bytes)
{
    return (struct cw_retention_stream){
        .selector = cw_str_of(selector), .priority = priority, .bytes = bytes};
}

static const char *const labels[] = {"{app=\"db\"}", "{app=\"debug\"}",
                                     "{app=\"debug\", hold=\"yes\"}", "{app=\"web\"}"};

Test(retention_shares, a_share_is_of_the_lines_and_a_stream_is_its_first_rules_alone)
{
    struct cw_source *source = part(1, labels, (size_t[]){10, 40, 20, 30}, 4);
    uint64_t size = size_of(source);
    struct cw_retention_stream rules[] = {rule("{app=~\".+\"}", 1, 1000),
                                          rule("{app=\"debug\"}", 5, 1000),
                                          rule("{hold=\"yes\"}", 9, 0)};
    struct cw_retention_policy *policy = policy_of(rules, 3);
    struct cw_retention_tally tally;
    cw_retention_tally_init(&tally, shares, policy);
    cw_retention_tally_add(&tally, source);
    /* in the order in which they are asked: hold, debug, all */
    cr_assert_eq(tally.share[0], 0, "it has no bytes");
    cr_assert_leq(llabs((long long)(tally.share[1] - size * 40 / 100)), 1);
    cr_assert_leq(llabs((long long)(tally.share[2] - size * 40 / 100)), 1);
    cr_assert_not(tally.over[1]);
    cw_retention_tally_fini(&tally);
    cw_retention_policy_unref(&policy);
    cw_source_unref(&source);
}

/* Parts 1 (the oldest) to 5 with 100 lines of "debug" and as many of "web" each; what of them leaves, as a mask. */
static unsigned over_of(struct cw_source **parts, struct cw_retention_policy *policy)
{
    struct cw_retention_tally tally;
    unsigned mask = 0;
    cw_retention_tally_init(&tally, shares, policy);
    for (unsigned i = 5; i-- > 0;) {
        cw_retention_tally_add(&tally, parts[i]);
        mask |= (unsigned)tally.over[0] << i;
    }
    cw_retention_tally_fini(&tally);
    return mask;
}

Test(retention_shares, the_oldest_leave_until_the_rest_fits_and_the_newest_stays)
{
    struct cw_source *parts[5];
    uint64_t size = 0;
    for (uint64_t i = 0; i < 5; i++) {
        parts[i] = part(i + 1, &labels[1], (size_t[]){100, 0, 100}, 3);
        size = CW_MAX(size, size_of(parts[i]));
    }
    const struct {
        uint64_t bytes;
        unsigned leave;
    } table[] = {
        {size * 5 / 2 + 5, 0}, {size * 2, 1}, {size * 7 / 5, 7}, {size / 2 + 9, 15}, {1, 15}};
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct cw_retention_stream rules[] = {rule("{app=\"debug\"}", 0, (int64_t)table[i].bytes)};
        struct cw_retention_policy *policy = policy_of(rules, 1);
        for (int again = 0; again < 2; again++)
            cr_assert_eq(over_of(parts, policy), table[i].leave, "%zu: %x", i,
                         over_of(parts, policy));
        cw_retention_policy_unref(&policy);
    }
    struct cw_retention_stream rules[] = {rule("{app=\"absent\"}", 0, 1)};
    struct cw_retention_policy *policy = policy_of(rules, 1);
    cr_assert_eq(over_of(parts, policy), 0);
    cw_retention_policy_unref(&policy);
    for (size_t i = 0; i < 5; i++)
        cw_source_unref(&parts[i]);
}

Test(retention_shares, what_is_remembered_of_a_part_ends_with_the_policy_and_can_be_forgotten)
{
    struct cw_source *source = part(7, labels, (size_t[]){50, 50}, 2);
    for (int i = 0; i < 3; i++) {
        struct cw_retention_stream rules[] = {
            rule(i == 1 ? "{app=\"absent\"}" : "{app=\"db\"}", 0, 1000)};
        struct cw_retention_policy *policy = policy_of(rules, 1);
        struct cw_retention_tally tally;
        cw_retention_tally_init(&tally, shares, policy);
        cw_retention_tally_add(&tally, source);
        cr_assert_eq(tally.share[0] > 0, i != 1);
        cw_retention_shares_trim(shares, 1);
        cw_retention_tally_fini(&tally);
        cw_retention_policy_unref(&policy);
    }
    cw_source_unref(&source);
}

Test(retention_shares, a_part_with_a_damaged_table_of_streams_counts_as_empty)
{
    char path[100];
    struct cw_source *source = part(3, labels, (size_t[]){50, 50}, 2);
    struct cw_part_reader *reader = cw_part_source_reader(source);
    /* the last byte of the region is in a group */
    long at = (long)(cw_part_reader_region_offset(reader, CW_REGION_STREAMS) +
                     cw_part_reader_region(reader, CW_REGION_STREAMS).len - 1);
    cw_source_unref(&source);
    path_of(3, path);
    FILE *file = fopen(path, "r+");
    cr_assert_not_null(file);
    cr_assert_eq(fseek(file, at, SEEK_SET), 0);
    int byte = fgetc(file);
    cr_assert_eq(fseek(file, at, SEEK_SET), 0);
    cr_assert_eq(fputc(byte ^ 1, file), byte ^ 1);
    cr_assert_eq(fclose(file), 0);
    cr_assert_eq(cw_part_source_open(path, NULL, &source, &err), 0, "%s", err.text);
    struct cw_retention_stream rules[] = {rule("{app=\"db\"}", 0, 1)};
    struct cw_retention_policy *policy = policy_of(rules, 1);
    struct cw_retention_tally tally;
    cw_retention_tally_init(&tally, shares, policy);
    cw_retention_tally_add(&tally, source);
    cr_assert_eq(tally.share[0], 0);
    cr_assert_not(tally.over[0]);
    cw_retention_tally_fini(&tally);
    cw_retention_policy_unref(&policy);
    cw_source_unref(&source);
}
