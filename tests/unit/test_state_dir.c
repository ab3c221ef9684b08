#include <criterion/criterion.h>
#include <sys/stat.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/base/clock.h"
#include "common/base/file.h"
#include "shipper/shipper_metrics.h"
#include "shipper/state_dir.h"
#include "tests/support/log_folder.h"

static struct cw_log_folder folder;
static struct cw_metrics *metrics;
static struct cw_sources *sources;

static void setup(void)
{
    cw_log_folder_init(&folder);
    metrics = cw_metrics_new(cw_shipper_metric_defs, CW_M_SHIPPER_N);
    struct cw_sources_options options = {.metrics = metrics};
    sources = cw_sources_new(&options);
    (void)cw_sources_output_add(sources, CW_STR("main"), CW_STR(""), CW_STR(""));
}

/* As in another start. */
static void sources_anew(void)
{
    struct cw_sources_options options = {.metrics = metrics};
    cw_sources_free(&sources);
    sources = cw_sources_new(&options);
    (void)cw_sources_output_add(sources, CW_STR("main"), CW_STR(""), CW_STR(""));
}

static void teardown(void)
{
    cw_sources_free(&sources);
    cw_metrics_free(&metrics);
    cw_log_folder_fini(&folder);
}

TestSuite(state_dir, .init = setup, .fini = teardown);

static struct cw_state_dir opened(const char *name)
{
    struct cw_state_dir state;
    struct cw_err err = {0};
    cr_assert_eq(cw_state_dir_open(cw_log_folder_path(&folder, name), &state, &err), 0, "%s",
                 err.text);
    return state;
}

static void saved(struct cw_state_dir *state)
{
    struct cw_err err = {0};
    cr_assert_eq(cw_state_dir_save(state, sources, &err), 0, "%s", err.text);
}

Test(state_dir, each_start_draws_a_session_and_keeps_uuid_and_old_ones)
{
    struct cw_state_dir state = opened("new/folder/p");
    struct cw_id128 shipper = state.known.shipper, session = state.known.sessions[0];
    cr_assert(state.first_start && state.known.nsessions == 1);
    saved(&state);
    cw_state_dir_close(&state);
    state = opened("new/folder/p");
    cr_assert(!state.first_start && state.known.nsessions == 2);
    cr_assert_eq(memcmp(&shipper, &state.known.shipper, sizeof shipper), 0);
    cr_assert_eq(memcmp(&session, &state.known.sessions[0], sizeof session), 0);
    cr_assert_neq(memcmp(&session, &state.known.sessions[1], sizeof session), 0);
    cw_state_dir_draw_shipper(&state);
    cr_assert_neq(memcmp(&shipper, &state.known.shipper, sizeof shipper), 0);
    cw_state_dir_close(&state);
    state = opened("new/folder/p");
    cr_assert_eq(memcmp(&shipper, &state.known.shipper, sizeof shipper), 0, "it was not saved");
    cw_state_dir_close(&state);
}

Test(state_dir, clients_keep_their_ids)
{
    struct cw_client_config configs[] = {
        {.name = CW_STR("a")}, {.name = CW_STR("b"), .selector = CW_STR("{level=\"error\"}")}};
    struct cw_config_tables clients = {configs, 2};
    struct cw_state_dir state = opened("p");
    cw_state_dir_clients_set(&state, &clients);
    struct cw_id128 second = state.known.clients[1].id;
    cw_state_dir_restore(&state, sources);
    saved(&state);
    cw_state_dir_close(&state);
    state = opened("p");
    cw_state_dir_clients_set(&state, &clients);
    cr_assert_eq(memcmp(&state.known.clients[1].id, &second, sizeof second), 0);
    cr_assert_neq(memcmp(&state.known.clients[0].id, &second, sizeof second), 0);
    cw_state_dir_close(&state);
}

Test(state_dir, sources_and_what_was_counted_of_them_come_back)
{
    struct cw_state_dir state = opened("p");
    struct cw_position position = {
        .generation = 3,
        .offset = 4096,
        .identity = {.dev = 1, .ino = 2, .birth_ns = 3, .prefix_len = 4, .prefix_hash = 5},
        .path = CW_STR("/a b.log"),
        .path_now = CW_STR("/a b.log.1")};
    for (unsigned i = 0; i < 2000; i++) {
        memcpy(position.id.bytes, &i, sizeof i);
        cw_sources_restore(sources, &position);
        cw_source_tally(sources->items[i])->read = i + 1;
    }
    saved(&state);
    cr_assert_not(cw_sources_dirty(sources));
    cw_state_dir_close(&state);
    sources_anew();
    state = opened("p");
    cw_state_dir_restore(&state, sources);
    cr_assert_eq(sources->n, 2000);
    for (unsigned i = 0; i < 2000; i++) {
        struct cw_position back = cw_sources_position(sources, i);
        memcpy(position.id.bytes, &i, sizeof i);
        cr_assert_eq(memcmp(&back.id, &position.id, sizeof back.id), 0);
        cr_assert(back.generation == 3 && back.offset == 4096);
        const struct cw_file_identity *identity = &back.identity;
        cr_assert(identity->dev == 1 && identity->ino == 2 && identity->birth_ns == 3 &&
                  identity->prefix_len == 4 && identity->prefix_hash == 5);
        cr_assert(cw_str_eqz(back.path, "/a b.log") && cw_str_eqz(back.path_now, "/a b.log.1"));
        cr_assert_eq(cw_source_tally(sources->items[i])->read, i + 1);
    }
    cr_assert_not(cw_sources_dirty(sources));
    cw_state_dir_close(&state);
}

Test(state_dir, how_far_an_output_was_counted_that_is_ahead_of_the_position_comes_back)
{
    struct cw_state_dir state = opened("p");
    struct cw_position position = {
        .generation = 3, .offset = 10, .path = CW_STR("/a"), .path_now = CW_STR("/a")};
    (void)cw_sources_output_add(sources, CW_STR("other"), CW_STR(""), CW_STR(""));
    (void)cw_sources_output_add(sources, CW_STR("main"), CW_STR("t"), CW_STR(""));
    for (unsigned i = 0; i < 2; i++) {
        position.id.bytes[0] = (uint8_t)i;
        cw_sources_restore(sources, &position);
    }
    struct cw_source *source = sources->items[1];
    cr_assert_not(cw_sources_counted(sources));
    source->rows[0].done = 50;
    source->rows[0].sent_to = 60;
    source->rows[2].told_to = 40; /* of a run before: it has not read so far again */
    source->emitted_to = 55;
    cw_source_count_read(source, 70, 5);
    cr_assert(cw_sources_counted(sources) && !cw_sources_dirty(sources));
    cw_state_dir_save_ledger(&state, sources);
    cr_assert_not(cw_sources_counted(sources));
    saved(&state);
    cw_state_dir_close(&state);
    sources_anew();
    (void)cw_sources_output_add(sources, CW_STR("main"), CW_STR("t"), CW_STR(""));
    state = opened("p");
    cw_state_dir_restore(&state, sources);
    source = sources->items[1];
    cr_assert_eq(cw_source_position(source), 10);
    cr_assert(source->rows[0].told_to == 50 && source->rows[0].sent_to == 60);
    cr_assert(source->rows[1].told_to == 40 && source->rows[1].sent_to == 0);
    cr_assert(source->fed_to == 70 && source->emitted_to == 55 && source->tally->read == 1);
    cr_assert(sources->items[0]->rows[0].told_to == 0 && source->tally->nplaces == 0);
    cr_assert_not(cw_sources_counted(sources));
    cw_state_dir_close(&state);
}

Test(state_dir, a_kill_between_the_ledger_and_the_positions_makes_nothing_count_twice)
{
    struct cw_state_dir state = opened("p");
    struct cw_position position = {
        .generation = 1, .offset = 10, .path = CW_STR("/a"), .path_now = CW_STR("/a")};
    cw_sources_restore(sources, &position);
    saved(&state);
    struct cw_source *source = sources->items[0];
    cw_source_count_read(source, 50, 5);
    source->rows[0].done = source->rows[0].sent_to = source->emitted_to = 50;
    cr_assert_eq(cw_source_position(source), 50);
    cw_state_dir_save_ledger(&state, sources); /* the positions on disk say 10 */
    cw_state_dir_close(&state);
    sources_anew();
    state = opened("p");
    cw_state_dir_restore(&state, sources);
    source = sources->items[0];
    cr_assert_eq(cw_source_position(source), 10);
    cr_assert(source->fed_to == 50 && source->emitted_to == 50);
    cr_assert(source->rows[0].told_to == 50 && source->rows[0].sent_to == 50);
    cw_state_dir_close(&state);
}

static void tenants_add(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        char tenant[16];
        snprintf(tenant, sizeof tenant, "t%u", i);
        (void)cw_sources_output_add(sources, CW_STR("main"), cw_str_of(tenant), CW_STR(""));
    }
}

/* One output is slow, in all sources: each of the others is ahead in each. */
Test(state_dir, many_outputs_ahead_in_many_sources_leave_the_ledger_small)
{
    enum { TENANTS = 500, SOURCES = 300, SOURCE_BYTES = 300 };
    const uint64_t far = 1ull << 40;
    struct cw_state_dir state = opened("p");
    struct cw_position position = {.generation = 1, .path = CW_STR("/a"), .path_now = CW_STR("/a")};
    struct stat st;
    tenants_add(TENANTS);
    for (unsigned i = 0; i < SOURCES; i++) {
        memcpy(position.id.bytes, &i, sizeof i);
        cw_sources_restore(sources, &position);
        cw_source_count_read(sources->items[i], 2 * far, 5);
        for (unsigned o = 1; o <= TENANTS; o++)
            sources->items[i]->rows[o].done = sources->items[i]->rows[o].sent_to = far + o;
    }
    saved(&state);
    cw_state_dir_close(&state);
    cr_assert_eq(stat(cw_log_folder_path(&folder, "p.cordwood.ledger"), &st), 0);
    cr_assert_leq(st.st_size, SOURCES * SOURCE_BYTES + (off_t)CW_TALLY_PLACES_BYTES);
    sources_anew();
    tenants_add(TENANTS);
    state = opened("p");
    cw_state_dir_restore(&state, sources);
    for (unsigned i = 0; i < SOURCES; i++) {
        const struct cw_source *source = sources->items[i];
        cr_assert(source->fed_to == 2 * far && source->rows[TENANTS].told_to == far + TENANTS,
                  "those furthest ahead are kept in every source");
        cr_assert_eq(source->rows[1].told_to, 0);
    }
    cw_state_dir_close(&state);
}

Test(state_dir, the_oldest_sessions_go)
{
    struct cw_id128 *sessions = cw_mem_array(CW_DELIVERY_SESSIONS_MAX, sizeof *sessions);
    for (unsigned i = 0; i < CW_DELIVERY_SESSIONS_MAX; i++)
        memcpy(sessions[i].bytes, &i, sizeof i);
    struct cw_positions many = {.sessions = sessions, .nsessions = CW_DELIVERY_SESSIONS_MAX};
    struct cw_err err = {0};
    struct cw_buf text;
    cw_buf_init(&text, 1 << 20);
    cw_positions_encode(&many, &text);
    cr_assert_eq(
        cw_file_replace(cw_log_folder_path(&folder, "p.cordwood"), cw_buf_str(&text), &err), 0);
    cw_buf_fini(&text);
    struct cw_state_dir state = opened("p");
    cr_assert_eq(state.known.nsessions, CW_DELIVERY_SESSIONS_MAX);
    cr_assert_eq(memcmp(&state.known.sessions[0], &sessions[1], sizeof sessions[1]), 0);
    cw_state_dir_close(&state);
    free(sessions);
}

Test(state_dir, a_second_shipper_is_told_who_has_it)
{
    struct cw_state_dir state = opened("p"), second;
    struct cw_err err = {0};
    char pid[32];
    snprintf(pid, sizeof pid, "pid %ld ", (long)getpid());
    cr_assert_eq(cw_state_dir_open(cw_log_folder_path(&folder, "p"), &second, &err),
                 CW_E_FORBIDDEN);
    cr_assert(strstr(err.text, pid) != NULL, "%s", err.text);
    cw_state_dir_close(&state);
    second = opened("p");
    cw_state_dir_close(&second);
}

Test(state_dir, a_place_that_cannot_be_written_is_told_with_what_to_do)
{
    struct cw_state_dir state;
    struct cw_err err = {0};
    cw_log_folder_append(&folder, "file", "x");
    cr_assert_eq(cw_state_dir_open(cw_log_folder_path(&folder, "file/below/p"), &state, &err),
                 CW_E_IO);
    cr_assert(strstr(err.text, "/file: ") && strstr(err.text, "positions.filename") &&
                  strstr(err.text, "--state-dir DIR"),
              "%s", err.text);
    cr_assert_lt(cw_state_dir_open(cw_log_folder_path(&folder, "file/p"), &state, &err), 0);
    cr_assert(strstr(err.text, "--state-dir DIR"), "%s", err.text);
}

Test(state_dir, promtails_positions_count_only_at_the_very_first_start)
{
    cw_log_folder_append(&folder, "p", "positions:\n  /a: \"7\"\n");
    struct cw_state_dir state = opened("p");
    cr_assert(state.nimported == 1 && state.imported[0].offset == 7);
    saved(&state);
    cw_state_dir_close(&state);
    state = opened("p");
    cr_assert_eq(state.nimported, 0);
    cw_state_dir_close(&state);
    struct cw_buf text;
    struct cw_err err;
    cw_buf_init(&text, 4096);
    cr_assert_eq(cw_file_read(cw_log_folder_path(&folder, "p"), 4096, &text, &err), 0);
    cr_assert_str_eq(cw_buf_z(&text), "positions:\n  /a: \"7\"\n",
                     "promtail's file stays as it is");
    cw_buf_fini(&text);
}

Test(state_dir, a_damaged_file_is_an_error)
{
    struct cw_state_dir state;
    struct cw_err err = {0};
    cw_log_folder_append(&folder, "p.cordwood", "cordwood-positions 1\n");
    cr_assert_eq(cw_state_dir_open(cw_log_folder_path(&folder, "p"), &state, &err), CW_E_CORRUPT);
    cw_log_folder_append(&folder, "q", "positions: 7\n");
    cr_assert_eq(cw_state_dir_open(cw_log_folder_path(&folder, "q"), &state, &err), CW_E_INVALID);
}

/* What a file does not say is taken from the time at which it was written. */
Test(state_dir, up_to_when_compressed_files_were_looked_at_is_kept)
{
    struct cw_state_dir state;
    struct cw_err err = {0};
    struct stat st;
    const char *path = cw_log_folder_path(&folder, "p");
    cr_assert_eq(cw_state_dir_open(path, &state, &err), 0, "%s", err.text);
    cr_assert_eq(state.looked_ns, 0);
    cr_assert_eq(cw_state_dir_save(&state, sources, &err), 0, "%s", err.text);
    cw_state_dir_close(&state);
    cr_assert_eq(cw_state_dir_open(path, &state, &err), 0, "%s", err.text);
    cr_assert_eq(stat(cw_log_folder_path(&folder, "p.cordwood"), &st), 0);
    cr_assert_eq(state.looked_ns / CW_NS_PER_S, st.st_mtim.tv_sec);
    sources->looked_ns = 1767225600123456789;
    cr_assert_eq(cw_state_dir_save(&state, sources, &err), 0, "%s", err.text);
    cw_state_dir_close(&state);
    cr_assert_eq(cw_state_dir_open(path, &state, &err), 0, "%s", err.text);
    cr_assert_eq(state.looked_ns, 1767225600123456789);
    cw_state_dir_close(&state);
}
