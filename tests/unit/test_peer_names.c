#include <criterion/criterion.h>
#include <stdio.h>
#include "common/base/assert.h"
#include "shipper/peer_names.h"

static uv_loop_t loop;
static struct cw_peer_names *names;
static int ntold;
static char told[300];

static void setup(void)
{
    uv_loop_init(&loop);
    names = cw_peer_names_new(&loop);
}

static void teardown(void)
{
    cw_peer_names_close(&names);
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_assert_eq(uv_loop_close(&loop), 0);
}

TestSuite(peer_names, .init = setup, .fini = teardown);

static void on_told(void *arg, const char *name)
{
    cr_assert_eq(arg, &ntold);
    ntold++;
    snprintf(told, sizeof told, "%s", name);
}

Test(peer_names, one_question_answers_all_who_wait)
{
    cr_assert_null(cw_peer_names_ask(names, "127.0.0.1", on_told, &ntold));
    cr_assert_null(cw_peer_names_ask(names, "127.0.0.1", on_told, &ntold));
    cr_assert_null(cw_peer_names_ask(names, "127.0.0.1", NULL, NULL));
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_assert_eq(ntold, 2);
    cr_assert(strncmp(told, "localhost", 9) == 0, "%s", told); /* by /etc/hosts */
    cr_assert_str_eq(cw_peer_names_ask(names, "127.0.0.1", on_told, &ntold), told);
    cr_assert_eq(ntold, 2);
}

Test(peer_names, who_is_forgotten_is_told_nothing)
{
    int other = 0;
    cr_assert_null(cw_peer_names_ask(names, "127.0.0.1", on_told, &other));
    cr_assert_null(cw_peer_names_ask(names, "127.0.0.1", on_told, &ntold));
    cw_peer_names_forget(names, &other);
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_assert_eq(ntold, 1);
}

Test(peer_names, what_is_no_address_has_no_name)
{
    cr_assert_str_eq(cw_peer_names_ask(names, "no address", on_told, &ntold), "");
    cr_assert_str_eq(cw_peer_names_ask(names, "", on_told, &ntold), "");
}

Test(peer_names, more_than_are_remembered)
{
    char address[64];
    for (int i = 0; i < 3 * CW_PEER_NAMES_MAX; i++) { /* none of them is asked for */
        snprintf(address, sizeof address, "no address %d", i);
        cr_assert_str_eq(cw_peer_names_ask(names, address, on_told, &ntold), "");
    }
    cr_assert_str_eq(cw_peer_names_ask(names, address, on_told, &ntold), "");
}

/* Closed while a question is open: it ends, and who waits hears so or nothing, but nothing is touched later. */
Test(peer_names, a_question_may_be_open_at_the_close)
{
    cr_assert_null(cw_peer_names_ask(names, "127.0.0.1", NULL, NULL));
    cr_assert_null(cw_peer_names_ask(names, "::1", NULL, NULL));
}
