#include <criterion/criterion.h>
#include <stdio.h>
#include "common/base/arena.h"
#include "common/base/clock.h"
#include "shipper/push_turns.h"
#include "tests/support/sources_rig.h"

/* A client of which only the turns are used: its batches are settled as if a server had taken them. */
enum { BATCH_BYTES = 1000, WAIT_S = 1 };
static struct cw_sources_rig rig;
static struct cw_client_config config;
static struct cw_push_host host;
static struct cw_push_client client;
static int64_t now_ns;

static bool on_tenant(void *arg, struct cw_str tenant)
{
    return true;
}

static void on_changed(void *arg)
{
}

static void setup(void)
{
    const struct cw_batch_options options = {.bytes = BATCH_BYTES};
    cw_sources_rig_init(&rig, "*.log");
    host = (struct cw_push_host){
        .sources = rig.sources, .on_tenant = on_tenant, .on_changed = on_changed};
    client = (struct cw_push_client){.host = &host,
                                     .config = &config,
                                     .refusals = {.max_entries = CW_BATCH_ENTRIES_MAX},
                                     .batch = cw_batch_new(&options)};
    config = (struct cw_client_config){.batch_bytes = BATCH_BYTES,
                                       .batch_wait_ns = WAIT_S * CW_NS_PER_S};
    now_ns = CW_NS_PER_S;
}

static void teardown(void)
{
    cw_batch_free(&client.batch);
    cw_sources_rig_fini(&rig);
}

TestSuite(push_turns, .init = setup, .fini = teardown);

static void lines_add(const char *name, const char *line, size_t n)
{
    for (size_t i = 0; i < n; i++)
        cw_log_folder_append(&rig.folder, name, line);
}

static void look(void)
{
    cw_sources_scan(rig.sources, now_ns, now_ns);
    cw_sources_refresh(rig.sources, CW_SOURCES_ALL, now_ns, now_ns);
    cw_sources_saved(rig.sources);
}

/* "a:1 b:20", the sources of the next batch with their entries, which are settled; "": none is due. */
static const char *push(void)
{
    static char text[256];
    int64_t at_ns;
    size_t len = 0;
    text[0] = '\0';
    if (!cw_push_turns_due(&client, now_ns, &at_ns))
        return text;
    (void)cw_push_turns_cut(&client, now_ns);
    for (size_t i = 0; i < client.batch->nparts; i++) {
        const struct cw_batch_part *part = &client.batch->parts[i];
        const char *name = strrchr(part->source->path, '/') + 1;
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%.*s:%zu", i ? " " : "",
                                (int)strcspn(name, "."), name, part->nentries);
        cw_ledger_stored(&part->source->rows[0], part->to, part->last_ts_ns);
    }
    cw_batch_drop(client.batch);
    return text;
}

#define LINE "a line of fifty bytes, with the newline behind it\n"

Test(push_turns, one_that_fills_batches_alone_delays_nobody_whose_lines_are_due)
{
    lines_add("big.log", LINE, 1000); /* 20 lines fill a batch */
    look();
    cr_assert_str_eq(push(), "big:20", "a full batch waits for nothing");
    cr_assert_str_eq(push(), "big:20");
    lines_add("small.log", LINE, 1);
    look();
    for (int i = 0; i < 4; i++) { /* small's line waits a second for others to join it */
        const char *took = push();
        cr_assert(strstr(took, "big:") != NULL, "batch %d is of %s", i, took);
    }
    now_ns += CW_NS_PER_S;
    look();
    lines_add("small.log", LINE, 1);
    look();
    now_ns += CW_NS_PER_S;
    bool taken = false;
    for (int i = 0; i < 2 && !taken; i++)
        taken = strstr(push(), "small:1") != NULL;
    cr_assert(taken, "within two batches of being due");
}

Test(push_turns, a_backlog_goes_on_though_very_many_others_wait_for_their_time)
{
    char name[32];
    for (int i = 0; i < CW_BATCH_SOURCES_MAX + 10; i++) {
        snprintf(name, sizeof name, "%04d.log", i);
        cw_log_folder_append(&rig.folder, name, "x\n");
    }
    lines_add("big.log", LINE, 100);
    look();
    /* Nobody's second is over, and those that are asked next have not enough for a batch. */
    config.batch_bytes = 2 * CW_BATCH_SOURCES_MAX + 1;
    struct cw_output *output = &rig.sources->outputs[0];
    size_t at;
    for (size_t i = 0; i < rig.sources->active.n; i++)
        if (strstr(rig.sources->active.items[i]->path, "big.log") != NULL)
            output->greedy = rig.sources->active.items[i];
    cr_assert(cw_sources_active_find(rig.sources, output->greedy, &at));
    output->next = at + 1;
    cr_assert_str_eq(push(), "big:20");
    cr_assert_str_eq(push(), "big:20");
    cr_assert_eq(output->next, at + 1, "the others' turn has not passed");
    client.refusals.suspects = 1;
    cr_assert_str_eq(push(), "", "what may be refused is looked for where it is");
    client.refusals.suspects = 0;
}

Test(push_turns, turns_stay_when_those_that_are_read_leave_the_list)
{
    const char *names[] = {"a.log", "b.log", "c.log", "d.log", "e.log"};
    for (size_t i = 0; i < 5; i++) {
        lines_add(names[i], LINE, 12);
        look(); /* they become active in this order */
    }
    now_ns += CW_NS_PER_S;
    cr_assert_str_eq(push(), "a:12 b:8");
    cr_assert_str_eq(push(), "b:4 c:12 d:4");
    look(); /* a, b and c leave it */
    cr_assert_eq(rig.sources->active.n, 2);
    lines_add("a.log", LINE, 1);
    look();
    cr_assert_str_eq(push(), "d:8 e:12", "a is behind those that have waited for longer");
    now_ns += CW_NS_PER_S;
    cr_assert_str_eq(push(), "a:1");
    cr_assert_str_eq(push(), "");
}

Test(push_turns, what_comes_is_behind_all_that_wait)
{
    const char *names[] = {"a.log", "b.log"};
    for (size_t i = 0; i < 2; i++) {
        lines_add(names[i], LINE, 12);
        look();
    }
    now_ns += CW_NS_PER_S;
    cr_assert_str_eq(push(), "a:12 b:8");
    lines_add("a.log", LINE, 1); /* while the push is under way: it does not leave the list */
    look();
    lines_add("c.log", LINE, 12);
    look();
    now_ns += CW_NS_PER_S;
    cr_assert_str_eq(push(), "b:4 a:1 c:12");
}

Test(push_turns, a_refused_batch_is_searched_where_it_began)
{
    lines_add("a.log", LINE, 30);
    look();
    lines_add("b.log", LINE, 30);
    look();
    now_ns += CW_NS_PER_S;
    struct cw_source *a = rig.sources->active.items[0];
    cr_assert_str_eq(push(), "a:20");
    cr_assert_eq(rig.sources->outputs[0].greedy, a);
    cw_push_turns_back(&client, a);
    client.refusals.max_entries = client.refusals.suspects = 5;
    cr_assert_str_eq(push(), "a:5");
    cr_assert_str_eq(push(), "a:5", "and goes on there, until the refused entry is found");
    client.refusals.suspects = 0;
    client.refusals.max_entries = CW_BATCH_ENTRIES_MAX;
    cr_assert_str_eq(push(), "b:20");
}

Test(push_turns, a_source_that_is_forgotten_is_nobodys_turn)
{
    lines_add("a.log", LINE, 30);
    look();
    lines_add("b.log", LINE, 1);
    look();
    now_ns += CW_NS_PER_S;
    cr_assert_str_eq(push(), "a:20");
    cr_assert_str_eq(push(), "b:1 a:10");
    cr_assert_not_null(rig.sources->outputs[0].greedy);
    /* The store was told that it may forget the marks. */
    for (size_t i = 0; i < rig.sources->n; i++)
        rig.sources->items[i]->rows[0].confirmed = rig.sources->items[i]->rows[0].mark;
    cw_log_folder_remove(&rig.folder, "a.log");
    for (int i = 0; i < 5 && rig.sources->n > 1; i++, now_ns += CW_SOURCES_CLOSE_WAIT_NS)
        look();
    cr_assert_eq(rig.sources->n, 1);
    cr_assert_null(rig.sources->outputs[0].greedy);
    lines_add("b.log", LINE, 1);
    look();
    now_ns += CW_NS_PER_S;
    cr_assert_str_eq(push(), "b:1");
}
