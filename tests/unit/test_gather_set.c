#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/limits.h"
#include "querier/engine/gather_set.h"
#include "tests/support/part_model.h"

struct fixture {
    struct cw_query *query;
    struct cw_gather_rules rules;
    struct cw_log_origin *origin;
};

static void begin(struct fixture *f, const char *text, size_t max_entries)
{
    struct cw_err err;
    memset(f, 0, sizeof *f);
    cr_assert_eq(cw_logql_parse_dialect(cw_str_of(text), CW_LOGQL_EXTENSIONS, &f->query, &err), 0,
                 "%s: %s", text, err.text);
    const struct cw_stage *stages = f->query->root->stages;
    f->rules = (struct cw_gather_rules){.distinct = cw_stage_find(stages, CW_STAGE_DISTINCT),
                                        .sort = cw_stage_find(stages, CW_STAGE_SORT),
                                        .max_entries = max_entries};
    f->rules.sorted_first = f->rules.sort != NULL && stages == f->rules.sort;
    f->origin = cw_log_origin_new(CW_LABELS_NONE);
}

static void end(struct fixture *f)
{
    cw_log_origin_unref(&f->origin);
    cw_query_free(&f->query);
}

/* An entry at this time, of this combination, sorted by this number. */
static int add(struct fixture *f, struct cw_gather_set *set, int64_t ts_ns, uint64_t combination,
               double number, bool dropped, struct cw_err *err)
{
    struct cw_sort_value value = {.kind = CW_SORT_NUMBER, .number = number};
    struct cw_gathered item = {
        .entry = {.ts_ns = ts_ns, .origin = f->origin, .stream = f->origin->labels},
        .key = {.reached_distinct = f->rules.distinct != NULL,
                .combination = {combination, 1},
                .values = f->rules.sort != NULL ? &value : NULL},
        .dropped = dropped,
    };
    return cw_gather_set_add(set, &item, err);
}

/* The times in the order of the answer. */
static void expect_times(struct cw_gather_set *set, const char *want)
{
    struct cw_log_entry *entries;
    struct cw_buf out;
    cw_buf_init(&out, SIZE_MAX);
    struct cw_err err;
    size_t n;
    cr_assert_eq(cw_gather_set_take(set, &entries, &n, &err), 0);
    for (size_t i = 0; i < n; i++) {
        cw_buf_addf(&out, "%s%lld", i > 0 ? " " : "", (long long)entries[i].ts_ns);
        cw_log_entry_fini(&entries[i]);
    }
    cr_expect_str_eq(cw_buf_z(&out), want);
    cw_buf_fini(&out);
    free(entries);
    cw_gather_set_fini(set);
}

Test(gather_set, the_first_of_each_combination_stays)
{
    struct fixture f;
    struct cw_gather_set set;
    struct cw_err err;
    begin(&f, "{a=\"b\"} | distinct x", SIZE_MAX);
    cw_gather_set_init(&set, &f.rules, NULL);
    cr_assert_eq(add(&f, &set, 5, 1, 0, false, &err), 0);
    cr_assert_eq(add(&f, &set, 3, 1, 0, false, &err), 0);
    cr_assert_eq(add(&f, &set, 4, 1, 0, false, &err), 0);
    cr_assert_eq(add(&f, &set, 9, 2, 0, false, &err), 0);
    cr_assert_eq(add(&f, &set, 2, 3, 0, true, &err), 0); /* stands for its combination */
    cr_assert_eq(add(&f, &set, 6, 3, 0, false, &err), 0);
    expect_times(&set, "3 9");
    end(&f);
}

/* A filter between `distinct` and `sort by` leaves entries without values to sort by. */
Test(gather_set, what_was_dropped_is_in_no_ones_way)
{
    struct fixture f;
    struct cw_gather_set set;
    struct cw_err err;
    begin(&f, "{a=\"b\"} | distinct y | sort by (x)", SIZE_MAX);
    cw_gather_set_init(&set, &f.rules, NULL);
    for (int64_t i = 0; i < 40; i++) {
        struct cw_gathered item = {
            .entry = {.ts_ns = i, .origin = f.origin, .stream = f.origin->labels},
            .key = {.reached_distinct = true, .combination = {(uint64_t)i, 1}},
            .dropped = true,
        };
        if (i % 5 == 0)
            cr_assert_eq(add(&f, &set, i, (uint64_t)i, (double)(40 - i), false, &err), 0);
        else
            cr_assert_eq(cw_gather_set_add(&set, &item, &err), 0);
    }
    expect_times(&set, "35 30 25 20 15 10 5 0");
    end(&f);
}

Test(gather_set, of_a_sorted_query_the_best_stays)
{
    struct fixture f;
    struct cw_gather_set set;
    struct cw_err err;
    begin(&f, "{a=\"b\"} | sort by (x desc) | distinct y", SIZE_MAX);
    cw_gather_set_init(&set, &f.rules, NULL);
    cr_assert_eq(add(&f, &set, 1, 1, 10, false, &err), 0);
    cr_assert_eq(add(&f, &set, 2, 1, 30, false, &err), 0);
    cr_assert_eq(add(&f, &set, 3, 2, 20, false, &err), 0);
    cr_assert_eq(add(&f, &set, 4, 1, 20, false, &err), 0);
    expect_times(&set, "2 3");
    end(&f);
}

/* Every entry in the plainest way: sorted, the first of each combination, the first of those. */
struct plain {
    int64_t ts_ns;
    uint64_t combination;
    double number;
};

static int by_number_and_time(const void *a, const void *b)
{
    const struct plain *x = a, *y = b;
    if (x->number != y->number)
        return x->number > y->number ? -1 : 1;
    return (x->ts_ns > y->ts_ns) - (x->ts_ns < y->ts_ns);
}

static void expect_plain(struct cw_gather_set *set, struct plain *all, size_t n, size_t limit)
{
    struct cw_buf want;
    bool seen[64] = {false};
    size_t found = 0;
    cw_buf_init(&want, SIZE_MAX);
    qsort(all, n, sizeof *all, by_number_and_time);
    for (size_t i = 0; i < n && found < limit; i++) {
        if (seen[all[i].combination])
            continue;
        seen[all[i].combination] = true;
        cw_buf_addf(&want, "%s%lld", found++ > 0 ? " " : "", (long long)all[i].ts_ns);
    }
    expect_times(set, cw_buf_z(&want));
    cw_buf_fini(&want);
}

Test(gather_set, random_entries_in_joined_sets_leave_what_one_look_at_all_leaves)
{
    uint64_t state = 7;
    for (int round = 0; round < 300; round++) {
        struct fixture f;
        struct cw_gather_set sets[3];
        struct cw_allowance allowance;
        struct plain all[200];
        struct cw_err err;
        size_t n = 1 + part_model_random(&state) % 200,
               ncombinations = 1 + part_model_random(&state) % 64,
               limit = 1 + part_model_random(&state) % 70;
        cw_allowance_init(&allowance, 0);
        begin(&f, "{a=\"b\"} | sort by (x desc) | distinct y", round % 4 == 0 ? SIZE_MAX : limit);
        for (int i = 0; i < 3; i++)
            cw_gather_set_init(&sets[i], &f.rules, &allowance);
        for (size_t i = 0; i < n; i++) {
            all[i] = (struct plain){(int64_t)i, part_model_random(&state) % ncombinations,
                                    (double)(part_model_random(&state) % 30)};
            cr_assert_eq(add(&f, &sets[part_model_random(&state) % 3], all[i].ts_ns,
                             all[i].combination, all[i].number, false, &err),
                         0);
        }
        for (int i = 1; i < 3; i++) {
            cr_assert_eq(cw_gather_set_merge(&sets[0], &sets[i], &err), 0);
            cw_gather_set_fini(&sets[i]);
        }
        expect_plain(&sets[0], all, n, f.rules.max_entries);
        cr_expect_eq(atomic_load(&allowance.used), 0);
        end(&f);
    }
}

Test(gather_set, a_full_set_tells_the_worst)
{
    struct fixture f;
    struct cw_gather_set set;
    const struct cw_log_entry *worst;
    struct cw_err err;
    begin(&f, "{a=\"b\"} | distinct x", 2);
    cw_gather_set_init(&set, &f.rules, NULL);
    cr_assert_eq(add(&f, &set, 5, 1, 0, false, &err), 0);
    cr_expect_not(cw_gather_set_full(&set, &worst));
    cr_assert_eq(add(&f, &set, 7, 2, 0, false, &err), 0);
    cr_assert(cw_gather_set_full(&set, &worst));
    cr_expect_eq(worst->ts_ns, 7);
    cr_assert_eq(add(&f, &set, 6, 3, 0, false, &err), 0);
    cr_assert_eq(add(&f, &set, 6, 2, 0, false, &err), 0); /* pushed out, and not better now */
    expect_times(&set, "5 6");
    end(&f);
}

Test(gather_set, memory_and_combinations_are_bounded)
{
    struct fixture f;
    struct cw_gather_set set;
    struct cw_allowance allowance;
    struct cw_err err;
    int rc = 0;
    begin(&f, "{a=\"b\"} | distinct x", SIZE_MAX);
    cw_allowance_init(&allowance, 1 << 20);
    cw_gather_set_init(&set, &f.rules, &allowance);
    for (uint64_t i = 0; rc == 0 && i < 100000; i++)
        rc = add(&f, &set, 1, i, 0, false, &err);
    cr_expect_eq(rc, CW_E_LIMIT);
    cr_expect_not_null(strstr(err.text, "allowance of 1048576 bytes"), "%s", err.text);
    cw_gather_set_fini(&set);
    cr_expect_eq(atomic_load(&allowance.used), 0);
    cw_gather_set_init(&set, &f.rules, NULL);
    for (uint64_t i = 0; i < CW_LIMIT_QUERY_VALUES; i++)
        cr_assert_eq(add(&f, &set, 1, i, 0, true, &err), 0);
    cr_expect_eq(add(&f, &set, 1, CW_LIMIT_QUERY_VALUES, 0, true, &err), CW_E_LIMIT);
    cr_expect_str_eq(err.text, "distinct found more than 1000000 different combinations of values, "
                               "which is as many as a query may tell apart: ask for less time or "
                               "fewer labels");
    cr_expect_eq(add(&f, &set, 1, 5, 0, true, &err), 0); /* is there already */
    cw_gather_set_fini(&set);
    end(&f);
}
