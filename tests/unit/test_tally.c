#include <criterion/criterion.h>
#include <stdio.h>
#include "shipper/tally_file.h"

Test(tally, reasons_add_up_and_are_bounded)
{
    struct cw_tally *tally = cw_tally_new();
    cw_tally_count(&tally->dropped, CW_STR("stage drop"), 2);
    cw_tally_count(&tally->dropped, CW_STR("stage drop"), 3);
    cw_tally_count(&tally->dropped, CW_STR("never"), 0);
    cr_assert(cw_tally_nreasons(&tally->dropped) == 1 && tally->dropped.items[0].n == 5);
    for (int i = 0; i < 1000; i++) {
        char why[24];
        snprintf(why, sizeof why, "reason %d", i);
        cw_tally_count(&tally->dropped, cw_str_of(why), 1);
    }
    cr_assert_eq(cw_tally_nreasons(&tally->dropped), (size_t)CW_TALLY_REASONS);
    cr_assert_str_eq(tally->dropped.items[CW_TALLY_REASONS - 1].why, "other");
    cr_assert_eq(cw_tally_total(&tally->dropped), 1005u);
    cw_tally_free(&tally);
}

Test(tally, the_newest_gaps_are_listed_and_all_are_counted)
{
    struct cw_tally *tally = cw_tally_new();
    cw_tally_gap_add(tally, 1, 5, 5, CW_STR("none"));
    for (uint64_t i = 0; i < 20; i++)
        cw_tally_gap_add(tally, i, 10, 13, CW_STR("truncated"));
    cr_assert(tally->gap_bytes == 60 && tally->ngaps == CW_TALLY_GAPS);
    cr_assert(tally->gaps[0].generation == 12 && tally->gaps[7].generation == 19);
    cw_tally_free(&tally);
}

static struct cw_tally *sample(void)
{
    struct cw_tally *tally = cw_tally_new();
    tally->generation = 3;
    tally->counted_to = 4096;
    tally->read = 40;
    tally->read_bytes = 4000;
    tally->text_size = 7000;
    tally->text_whole = true;
    tally->joined = 5;
    tally->made = 6;
    tally->redacted = 1;
    tally->spooled = 2;
    cw_tally_count(&tally->dropped, CW_STR("stage \"drop\" \xff"), 1);
    cw_tally_gap_add(tally, 2, 7, 9, CW_STR("truncated"));
    tally->gap_bytes += 100; /* gaps that are no longer listed */
    struct cw_tally_output *a = cw_tally_output(tally, CW_STR("a"));
    a->sent = 50;
    a->retried = 9;
    a->acknowledged = 38;
    a->adopted = 12;
    cw_tally_count(&cw_tally_output(tally, CW_STR("b"))->refused, CW_STR("HTTP status 400"), 39);
    cw_tally_count(&cw_tally_output(tally, CW_STR("b"))->left_out, CW_STR("line too long"), 2);
    tally->emitted_to = 4000;
    cw_tally_place_add(tally, CW_STR("a"), CW_STR(""), 4096, 3000);
    cw_tally_place_add(tally, CW_STR("a"), CW_STR("t"), 0, 4096);
    return tally;
}

static void keep(void *arg, const struct cw_id128 *source, struct cw_tally *tally)
{
    struct cw_tally **out = arg;
    cr_assert_eq(source->bytes[0], 0xab);
    cw_tally_free(out);
    *out = tally;
}

Test(tally, a_ledger_is_read_as_it_was_written)
{
    struct cw_tally *tally = sample(), *back = NULL;
    struct cw_id128 id = {{0xab}};
    struct cw_buf text;
    struct cw_err err;
    cw_buf_init(&text, CW_TALLY_FILE_BYTES);
    cw_tally_file_begin(&text);
    cw_tally_file_add(&id, tally, &text);
    cr_assert_eq(cw_tally_file_decode(cw_buf_str(&text), keep, &back, &err), 0, "%s", err.text);
    cr_assert(back->generation == 3 && back->counted_to == 4096 && back->read == 40 &&
              back->read_bytes == 4000 && back->redacted == 1 && back->spooled == 2 &&
              back->joined == 5 && back->made == 6);
    cr_assert(back->gap_bytes == 102 && back->ngaps == 1 && back->gaps[0].to == 9);
    cr_assert_eq(cw_tally_total(&back->dropped), 1u);
    const struct cw_tally_output *a = cw_tally_output(back, CW_STR("a"));
    cr_assert(a->sent == 50 && a->retried == 9 && a->acknowledged == 38 && a->adopted == 12);
    const struct cw_tally_output *b = cw_tally_output(back, CW_STR("b"));
    cr_assert(cw_tally_total(&b->refused) == 39 && cw_tally_total(&b->left_out) == 2);
    cr_assert_eq(back->noutputs, 2u);
    cr_assert(back->text_size == 7000 && back->text_whole);
    cr_assert(back->emitted_to == 4000 && back->nplaces == 2);
    cr_assert(back->places[0].sent_to == 4096 && back->places[0].told_to == 3000);
    cr_assert_str_eq(back->places[0].tenant, "");
    cr_assert(back->places[1].sent_to == 0 && back->places[1].told_to == 4096);
    cr_assert_str_eq(back->places[1].tenant, "t");
    cw_tally_join(back, tally);
    cr_assert(back->read == 80 && back->joined == 10 && back->made == 12 && back->ngaps == 2 &&
              back->gap_bytes == 204);
    cr_assert_eq(cw_tally_output(back, CW_STR("a"))->sent, 100u);
    cw_tally_generation_set(back, 4);
    cr_assert(back->generation == 4 && back->counted_to == 0 && back->emitted_to == 0 &&
                  back->nplaces == 0 && back->read == 80,
              "offsets begin anew, counts do not");
    cw_tally_free(&back);
    cw_tally_free(&tally);
    cw_buf_fini(&text);
}

Test(tally, what_is_no_ledger_is_told)
{
    static const char *const cases[] = {"",
                                        "x\n",
                                        "{}\n",
                                        "{\"ledger\":2}\n",
                                        "{\"ledger\":1}\n[]\n",
                                        "{\"ledger\":1}\n{\"read\":1}\n"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cw_tally *back = NULL;
        struct cw_err err;
        cr_expect_eq(cw_tally_file_decode(cw_str_of(cases[i]), keep, &back, &err), CW_E_CORRUPT,
                     "%s", cases[i]);
        cw_tally_free(&back);
    }
}
