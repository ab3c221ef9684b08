/* test_delete_list.c - the file `deletes`: written and read, damaged, newer. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/store/delete_list.h"

static struct cw_err err;

static void two_rows(struct cw_delete_list *list)
{
    cw_delete_list_add(list,
                       &(struct cw_delete_row){.id = 0x1234abcd,
                                               .state = CW_DELETE_PROCESSING,
                                               .wal_seq = 77,
                                               .first_ns = INT64_MIN,
                                               .last_ns = INT64_MAX,
                                               .created_ns = 5,
                                               .due_ns = 6,
                                               .purge_id = UINT64_MAX,
                                               .nremoved = 8,
                                               .nunread = 4,
                                               .finished_ns = -9,
                                               .tenant = CW_STR("team a'(1)"),
                                               .query = CW_STR("{a=\"b\\n\"}\n|= `\xff \t`")});
    cw_delete_list_add(list, &(struct cw_delete_row){.id = 1,
                                                     .state = CW_DELETE_PROCESSED,
                                                     .tenant = CW_STR("t"),
                                                     .query = CW_STR("{c=\"d\"}")});
}

static bool row_equal(const struct cw_delete_row *a, const struct cw_delete_row *b)
{
    return a->id == b->id && a->state == b->state && a->wal_seq == b->wal_seq &&
           a->first_ns == b->first_ns && a->last_ns == b->last_ns &&
           a->created_ns == b->created_ns && a->due_ns == b->due_ns && a->purge_id == b->purge_id &&
           a->nremoved == b->nremoved && a->nunread == b->nunread &&
           a->finished_ns == b->finished_ns && cw_str_eq(a->tenant, b->tenant) &&
           cw_str_eq(a->query, b->query);
}

Test(delete_list, what_is_written_is_read)
{
    char dir[] = "/tmp/cw-test-delete-list-XXXXXX", command[100];
    struct cw_delete_list list = {0}, back;
    size_t nbad;
    cr_assert_not_null(mkdtemp(dir));
    cr_assert_eq(cw_delete_list_read(dir, &back, &nbad, &err), CW_E_NOT_FOUND);
    two_rows(&list);
    for (int round = 0; round < 2; round++) {
        cr_assert_eq(cw_delete_list_write(dir, &list, &err), 0, "%s", err.text);
        cr_assert_eq(cw_delete_list_read(dir, &back, &nbad, &err), 0, "%s", err.text);
        cr_assert_eq(nbad, 0);
        cr_assert_eq(back.n, list.n);
        for (size_t i = 0; i < list.n; i++)
            cr_assert(row_equal(&back.rows[i], &list.rows[i]), "row %zu", i);
        cw_delete_list_fini(&back);
        cw_delete_list_fini(&list); /* and an empty one */
    }
    snprintf(command, sizeof(command), "rm -r %s", dir);
    cr_assert_eq(system(command), 0);
}

Test(delete_list, damage_costs_its_line_and_is_counted)
{
    struct cw_delete_list list = {0}, back;
    struct cw_buf text;
    size_t nbad;
    two_rows(&list);
    cw_buf_init(&text, SIZE_MAX);
    cw_delete_list_format(&list, &text);
    for (size_t i = 0; i < text.len; i++) {
        text.ptr[i] ^= 1;
        int rc = cw_delete_list_parse(cw_buf_str(&text), &back, &nbad, &err);
        text.ptr[i] ^= 1;
        if (rc < 0) { /* the version's digit */
            cr_assert_eq(rc, CW_E_INVALID);
            continue;
        }
        cr_assert(nbad > 0 || back.n == 2, "byte %zu", i);
        cr_assert_geq(back.n + nbad, 2, "byte %zu", i);
        for (size_t k = 0; k < back.n; k++)
            cr_assert(row_equal(&back.rows[k], &list.rows[0]) ||
                          row_equal(&back.rows[k], &list.rows[1]),
                      "byte %zu", i);
        cw_delete_list_fini(&back);
    }
    for (size_t i = 0; i + 1 < text.len; i++) {
        cr_assert_eq(cw_delete_list_parse(cw_str_make(text.ptr, i), &back, &nbad, &err), 0);
        cr_assert_gt(nbad, 0, "cut at %zu", i);
        cw_delete_list_fini(&back);
    }
    cw_buf_fini(&text);
    cw_delete_list_fini(&list);
}

Test(delete_list, a_newer_version_is_refused_by_name)
{
    struct cw_delete_list back;
    size_t nbad;
    cr_assert_eq(cw_delete_list_parse(CW_STR("cordwood deletes 3\nend 0\n"), &back, &nbad, &err),
                 CW_E_INVALID);
    cr_assert_str_eq(err.text, "deletes: version 3 is newer than 2, which this program reads");
}

Test(delete_list, a_file_of_version_1_is_read)
{
    struct cw_delete_list list;
    size_t nbad;
    char dir[512];
    cr_assert_not_null(getenv("CW_TEST_DATA"), "CW_TEST_DATA names tests/data");
    snprintf(dir, sizeof(dir), "%s/data_v4", getenv("CW_TEST_DATA"));
    cr_assert_eq(cw_delete_list_read(dir, &list, &nbad, &err), 0, "%s", err.text);
    cr_assert_eq(nbad, 0);
    cr_assert_eq(list.n, 2);
    cr_assert_eq(list.rows[0].state, CW_DELETE_PROCESSED);
    cr_assert_eq(list.rows[0].nremoved, 1067);
    cr_assert_eq(list.rows[0].purge_id, 10);
    cr_assert_gt(list.rows[0].finished_ns, list.rows[0].created_ns);
    cr_assert_eq(list.rows[1].state, CW_DELETE_RECEIVED);
    cr_assert_eq(list.rows[1].nremoved, 0);
    for (size_t i = 0; i < list.n; i++) {
        cr_assert_eq(list.rows[i].nunread, 0);
        cr_assert(cw_str_eqz(list.rows[i].tenant, "one"));
        cr_assert_eq(list.rows[i].wal_seq, 9);
    }
    cw_delete_list_fini(&list);
}
