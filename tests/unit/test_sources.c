#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include "common/base/clock.h"
#include "common/base/codec.h"
#include "common/base/file.h"
#include "shipper/batch.h"
#include "shipper/shipper_metrics.h"
#include "shipper/sources.h"
#include "tests/support/log_folder.h"

static struct cw_log_folder folder;
static struct cw_metrics *metrics;
static struct cw_sources *sources;
static struct cw_batch *batch;
static int64_t now_ns; /* the test's clock: wall and monotonic */

static struct cw_target *target_of(const char *pattern, const char *exclude)
{
    static const struct cw_label job = {CW_STR("job"), CW_STR("t")};
    struct cw_target *target = cw_mem_new(sizeof *target);
    struct cw_err err = {0};
    cr_assert_eq(
        cw_glob_compile(cw_str_of(cw_log_folder_path(&folder, pattern)), &target->glob, &err), 0);
    if (exclude != NULL)
        cr_assert_eq(cw_glob_compile(cw_str_of(cw_log_folder_path(&folder, exclude)),
                                     &target->exclude, &err),
                     0);
    target->name = cw_str_dupz(CW_STR("t"));
    target->labels[0] = cw_labels_dup_heap((struct cw_labels){&job, 1});
    target->add_filename = true;
    return target;
}

static void target_add(const char *pattern, const char *exclude)
{
    cw_sources_target_add(sources, target_of(pattern, exclude));
}

static void tenant_target_add(const char *name, struct cw_str tenant)
{
    struct cw_target *target = target_of(name, NULL);
    target->tenant = cw_str_dupz(tenant);
    cw_sources_target_add(sources, target);
}

static void target_tenant_set(struct cw_target *target, const char *name, struct cw_str tenant)
{
    struct cw_target *fresh = target_of(name, NULL);
    fresh->tenant = cw_str_dupz(tenant);
    cw_sources_target_update(sources, target, &fresh);
}

/* Valid until the next call. */
static const char *labels_of(const struct cw_source *source)
{
    static char text[512];
    struct cw_buf buf;
    cw_buf_init(&buf, sizeof text);
    cw_labels_format(source->labels[0], &buf);
    snprintf(text, sizeof text, "%s", cw_buf_z(&buf));
    cw_buf_fini(&buf);
    return text;
}

static bool on_tenant(void *arg, struct cw_str tenant)
{
    return true;
}

static void sources_make(const struct cw_sources_options *more)
{
    struct cw_sources_options options = more ? *more : (struct cw_sources_options){0};
    options.metrics = metrics;
    options.final_wait_ns = CW_SOURCES_FINAL_WAIT_NS;
    sources = cw_sources_new(&options);
    (void)cw_sources_output_add(sources, CW_STR("main"), CW_STR(""), CW_STR(""));
}

static void setup(void)
{
    cw_log_folder_init(&folder);
    metrics = cw_metrics_new(cw_shipper_metric_defs, CW_M_SHIPPER_N);
    struct cw_batch_options options = {.bytes = 1 << 20};
    batch = cw_batch_new(&options);
    now_ns = 1000 * CW_NS_PER_S;
    sources_make(NULL);
}

static void teardown(void)
{
    cw_batch_free(&batch);
    cw_sources_free(&sources);
    cw_metrics_free(&metrics);
    cw_log_folder_fini(&folder);
}

/* The birth time of a file that is made now. */
static struct timespec birth_now(void)
{
    struct stat st;
    FILE *file = tmpfile();
    cr_assert_not_null(file);
    cr_assert_eq(fstat(fileno(file), &st), 0);
    fclose(file);
    return st.st_ctim;
}

/* Until files get another birth time than those made before. (CLOCK_REALTIME_COARSE may tell of a tick before files get it.) */
static void tick_wait(void)
{
    struct timespec before = birth_now(), now;
    do
        now = birth_now();
    while (now.tv_sec == before.tv_sec && now.tv_nsec == before.tv_nsec);
}

/* A file of its own with what `log` holds now. */
static void copy_make(const char *log, const char *copy)
{
    tick_wait();
    struct cw_buf bytes;
    struct cw_err err;
    cw_buf_init(&bytes, 1 << 20);
    cr_assert_eq(cw_file_read(cw_log_folder_path(&folder, log), 1 << 20, &bytes, &err), 0);
    cw_log_folder_append_bytes(&folder, copy, bytes.ptr, bytes.len);
    cw_buf_fini(&bytes);
}

TestSuite(sources, .init = setup, .fini = teardown);

static void on_error(void *arg, struct cw_source *source, const struct cw_err *err)
{
    cr_assert_fail("%s", err->text);
}

static void on_changed(void *arg, struct cw_source *source)
{
}

static void on_dropped(void *arg, struct cw_source *source, const struct cw_batch_counts *counts)
{
}

static struct cw_arena *saved_arena;
static struct cw_positions saved;

/* As the shipper does: positions to disk (kept in memory here). */
static void save(void)
{
    cw_arena_free(&saved_arena);
    saved_arena = cw_arena_new();
    saved = (struct cw_positions){0};
    saved.sources = CW_ARENA_ARRAY(saved_arena, struct cw_position, sources->n);
    saved.nsources = sources->n;
    for (size_t i = 0; i < saved.nsources; i++) {
        saved.sources[i] = cw_sources_position(sources, i);
        saved.sources[i].path = cw_arena_dup(saved_arena, saved.sources[i].path);
        saved.sources[i].path_now = cw_arena_dup(saved_arena, saved.sources[i].path_now);
    }
    cw_sources_saved(sources);
}

static void look(void)
{
    cw_sources_scan(sources, now_ns, now_ns);
    cw_sources_refresh(sources, CW_SOURCES_ALL, now_ns, now_ns);
    save();
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static const struct cw_batch_report report = {on_error, on_changed, on_tenant, on_dropped, NULL};

static size_t cut(size_t max_entries)
{
    struct cw_source_list all = {sources->items, sources->n, sources->n};
    return cw_batch_cut(batch, &all, max_entries, now_ns, &report);
}

/* All lines that are there now, settled; sorted (sources take turns) and joined with blanks. */
static const char *ship(void)
{
    static char text[8192];
    char *lines[256];
    size_t nlines = 0;
    text[0] = '\0';
    for (int round = 0; round < 20; round++) {
        cw_sources_refresh(sources, CW_SOURCES_ALL, now_ns, now_ns);
        save();
        if (cut(1000) == 0)
            continue;
        for (size_t i = 0; i < batch->nentries; i++)
            lines[nlines++] = cw_str_dupz(batch->entries[i].push.line);
        for (size_t i = 0; i < batch->nparts; i++)
            cw_ledger_stored(&batch->parts[i].source->rows[0], batch->parts[i].to,
                             batch->parts[i].last_ts_ns);
        cw_batch_drop(batch);
    }
    qsort(lines, nlines, sizeof lines[0], by_text);
    for (size_t i = 0; i < nlines; i++) {
        strcat(text, i ? " " : "");
        strcat(text, lines[i]);
        free(lines[i]);
    }
    return text;
}

static void restart(const struct cw_sources_options *more)
{
    cw_sources_free(&sources);
    sources_make(more);
    for (size_t i = 0; i < saved.nsources; i++)
        cw_sources_restore(sources, &saved.sources[i]);
}

static void pass(int64_t seconds)
{
    now_ns += seconds * CW_NS_PER_S;
}

Test(sources, a_new_file_is_read_from_its_beginning_with_its_labels)
{
    target_add("*.log", "b*");
    cw_log_folder_append(&folder, "a.log", "1\n2\n");
    cw_log_folder_append(&folder, "b.log", "no\n");
    look();
    cr_assert_eq(sources->n, 1);
    cr_assert_str_eq(ship(), "1 2");
    char want[256];
    snprintf(want, sizeof want, "{filename=\"%s\", job=\"t\"}",
             cw_log_folder_path(&folder, "a.log"));
    cr_assert_str_eq(labels_of(sources->items[0]), want);
    cw_log_folder_append(&folder, "c.log", "3\n");
    look();
    cr_assert_str_eq(ship(), "3");
    cr_assert_str_eq(ship(), "");
}

/* As pods of several services are found: each has a target for their files. */
Test(sources, a_file_whose_target_goes_is_the_next_ones)
{
    const struct cw_label job = {CW_STR("job"), CW_STR("u")};
    char t[256], u[256];
    snprintf(t, sizeof t, "{filename=\"%s\", job=\"t\"}", cw_log_folder_path(&folder, "a.log"));
    snprintf(u, sizeof u, "{filename=\"%s\", job=\"u\"}", cw_log_folder_path(&folder, "a.log"));
    target_add("*.log", NULL);
    target_add("a.*", NULL);
    free((void *)sources->targets[1]->labels[0].items);
    sources->targets[1]->labels[0] = cw_labels_dup_heap((struct cw_labels){&job, 1});
    cw_log_folder_append(&folder, "a.log", "1\n");
    look();
    cr_assert_str_eq(labels_of(sources->items[0]), t);
    cw_sources_target_remove(sources, sources->targets[0]);
    cr_assert_str_eq(labels_of(sources->items[0]), u);
    cw_sources_target_remove(sources, sources->targets[0]);
    cr_assert_str_eq(labels_of(sources->items[0]), u);
    target_add("b.log", NULL);
    cr_assert_str_eq(labels_of(sources->items[0]), u);
    target_add("a.log", NULL);
    cr_assert_str_eq(labels_of(sources->items[0]), t);
    look();
    cr_assert_str_eq(ship(), "1");
}

Test(sources, nothing_is_pushed_before_its_id_and_prefix_are_saved)
{
    target_add("*.log", NULL);
    cw_log_folder_append(&folder, "a.log", "");
    cw_sources_scan(sources, now_ns, now_ns);
    cr_assert(sources->unsaved);
    cr_assert(!cw_source_pending(sources->items[0], 0));
    save();
    cw_log_folder_append(&folder, "a.log", "1\n");
    cw_sources_refresh(sources, CW_SOURCES_ALL, now_ns, now_ns);
    cr_assert(sources->unsaved, "it has a first byte now");
    cr_assert(!cw_source_pending(sources->items[0], 0));
    save();
    cr_assert(cw_source_pending(sources->items[0], 0));
    cr_assert_eq(saved.sources[0].identity.prefix_len, 2);
}

Test(sources, a_file_renamed_out_of_the_pattern_is_read_to_its_end)
{
    target_add("*.log", NULL);
    cw_log_folder_append(&folder, "a.log", "1\n");
    look();
    cr_assert_str_eq(ship(), "1");
    cw_log_folder_append(&folder, "a.log", "2\n");
    cw_log_folder_rename(&folder, "a.log", "a.log.1");
    cw_log_folder_append(&folder, "a.log.1", "3\nhalf");
    cw_log_folder_append(&folder, "a.log", "4\n");
    look();
    cr_assert_eq(sources->n, 2);
    cr_assert_str_eq(ship(), "2 3 4");
    pass(6);
    cr_assert_str_eq(ship(), "half", "it is quiet: nobody will end that line");
    pass(61);
    look();
    cr_assert_eq(sources->items[0]->tail.fd, -1, "closed, but remembered while it is there");
    cw_log_folder_append(&folder, "a.log.1", "late\n");
    look();
    cr_assert_str_eq(ship(), "late");
    cw_log_folder_remove(&folder, "a.log.1");
    pass(6);
    for (size_t i = 0; i < sources->n; i++)
        sources->items[i]->rows[0].confirmed = sources->items[i]->rows[0].mark;
    look();
    cr_assert_eq(sources->n, 1);
}

Test(sources, two_rotations_between_two_scans_lose_nothing_when_the_renames_were_seen)
{
    target_add("*.log", NULL);
    cw_log_folder_append(&folder, "a.log", "1\n");
    look();
    cr_assert_str_eq(ship(), "1");
    for (int i = 2; i < 5; i++) { /* 2 is the first file that no scan has seen */
        if (i > 3) {
            cw_log_folder_rename(&folder, "a.log.2", "a.log.3");
            cw_sources_renamed(sources, cw_log_folder_path(&folder, "a.log.2"),
                               cw_log_folder_path(&folder, "a.log.3"));
        }
        if (i > 2) {
            cw_log_folder_rename(&folder, "a.log.1", "a.log.2");
            cw_sources_renamed(sources, cw_log_folder_path(&folder, "a.log.1"),
                               cw_log_folder_path(&folder, "a.log.2"));
        }
        cw_log_folder_rename(&folder, "a.log", "a.log.1");
        cw_sources_renamed(sources, cw_log_folder_path(&folder, "a.log"),
                           cw_log_folder_path(&folder, "a.log.1"));
        char line[16];
        snprintf(line, sizeof line, "%d\n", i);
        cw_log_folder_append(&folder, "a.log", line);
    }
    look();
    cr_assert_str_eq(ship(), "2 3 4");
}

Test(sources, a_file_renamed_while_the_shipper_was_down_is_found_in_its_folder)
{
    target_add("*.log", NULL);
    cw_log_folder_append(&folder, "a.log", "1\n2\n");
    look();
    cr_assert_str_eq(ship(), "1 2");
    save();
    cw_log_folder_append(&folder, "a.log", "3\n");
    cw_log_folder_rename(&folder, "a.log", "a-old");
    cw_log_folder_append(&folder, "a.log", "4\n");
    restart(NULL);
    target_add("*.log", NULL);
    look();
    cr_assert_str_eq(ship(), "3 4");
    cr_assert(strstr(labels_of(sources->items[0]), "a.log\"") != NULL, "it keeps its label");
}

Test(sources, files_that_came_and_were_rotated_away_while_the_shipper_was_down_are_read)
{
    target_add("*.log", NULL);
    cw_log_folder_append(&folder, "a.log.2", "older than all we know\n");
    cw_log_folder_append(&folder, "a.log", "1\n");
    look();
    cr_assert_str_eq(ship(), "1");
    save();
    cw_log_folder_rename(&folder, "a.log", "a.log.1");
    cw_log_folder_append(&folder, "a.log", "unseen\n");
    cw_log_folder_append(&folder, "a.log.old", "another log\n");
    cw_log_folder_rename(&folder, "a.log.1", "a.log.3");
    cw_log_folder_rename(&folder, "a.log", "a.log.1");
    cw_log_folder_append(&folder, "a.log", "now\n");
    restart(NULL);
    target_add("*.log", NULL);
    look();
    cr_assert_str_eq(ship(), "now unseen");
    look();
    cr_assert_str_eq(ship(), "");
}

/* A scan in the middle of two rotations meets the last file, and not the one between; a kill follows. */
Test(sources, a_file_that_came_and_went_between_two_that_are_known_is_read_after_a_kill)
{
    target_add("*.log", NULL);
    cw_log_folder_append(&folder, "a.log", "1\n");
    look();
    tick_wait();
    cw_log_folder_rename(&folder, "a.log", "a.log.2");
    cw_log_folder_append(&folder, "a.log", "between\n");
    cw_log_folder_rename(&folder, "a.log", "not seen yet");
    tick_wait();
    cw_log_folder_append(&folder, "a.log", "3\n");
    look();
    cr_assert_eq(sources->n, 2);
    cw_log_folder_rename(&folder, "not seen yet", "a.log.1");
    restart(NULL);
    target_add("*.log", NULL);
    look();
    cr_assert_str_eq(ship(), "1 3 between");
}

Test(sources, a_file_that_came_and_went_between_two_scans_is_read_though_nobody_told_of_it)
{
    target_add("*.log", NULL);
    cw_log_folder_append(&folder, "a.log.1", "older than all we know\n");
    tick_wait();
    cw_log_folder_append(&folder, "a.log", "1\n");
    look();
    tick_wait();
    cw_log_folder_rename(&folder, "a.log", "a.log.3");
    cw_log_folder_append(&folder, "a.log", "2\n");
    cw_log_folder_rename(&folder, "a.log", "a.log.2");
    cw_log_folder_append(&folder, "a.log", "3\n");
    look();
    cr_assert_str_eq(ship(), "1 2 3");
    look();
    cr_assert_str_eq(ship(), "");
}

static void unpack_all(void)
{
    for (int i = 0; i < 4; i++) {
        look();
        while (cw_sources_unpack(sources, now_ns))
            ;
    }
}

Test(sources, what_copytruncate_has_compressed_is_read_on)
{
    const struct cw_sources_options options = {.unpack_folder = folder.dir};
    struct cw_buf packed;
    struct cw_err err;
    cw_buf_init(&packed, 1 << 20);
    cr_assert_eq(cw_codec_compress(CW_CODEC_GZIP, CW_STR("1\n2\n3\n"), &packed, &err), 0);
    restart(&options);
    target_add("*.log", NULL);
    for (int down = 0; down < 2; down++) {
        const char *log = down ? "b.log" : "a.log";
        cw_log_folder_append(&folder, log, "1\n2\n");
        look();
        cr_assert_str_eq(ship(), "1 2");
        cw_log_folder_append(&folder, log, "3\n");
        tick_wait();
        cr_assert_eq(
            cw_file_replace(cw_log_folder_path(&folder, down ? "b.log.1.gz" : "a.log.1.gz"),
                            cw_buf_str(&packed), &err),
            0);
        cw_log_folder_truncate(&folder, log, 0);
        cw_log_folder_append(&folder, log, "4\n");
        if (down) {
            restart(&options);
            target_add("*.log", NULL);
        }
        unpack_all();
        cr_assert_str_eq(ship(), "3 4");
    }
    unpack_all();
    cr_assert_str_eq(ship(), "");
    cw_buf_fini(&packed);
}

Test(sources, a_restart_goes_on_where_it_was)
{
    target_add("*.log", NULL);
    cw_log_folder_append(&folder, "a.log", "1\n2\n");
    look();
    cr_assert_str_eq(ship(), "1 2");
    save();
    struct cw_id128 id = sources->items[0]->id;
    cw_log_folder_append(&folder, "a.log", "3\n");
    restart(NULL);
    target_add("*.log", NULL);
    look();
    cr_assert_eq(sources->n, 1);
    cr_assert_eq(memcmp(&id, &sources->items[0]->id, sizeof id), 0);
    cr_assert_str_eq(ship(), "3");
}

Test(sources, truncation_raises_the_generation_and_counts_what_is_lost)
{
    target_add("*.log", NULL);
    cw_log_folder_append(&folder, "a.log", "1\n2\n");
    look();
    cr_assert_str_eq(ship(), "1 2");
    cw_log_folder_append(&folder, "a.log", "lost\n");
    cw_sources_refresh(sources, CW_SOURCES_ALL, now_ns, now_ns);
    cw_log_folder_truncate(&folder, "a.log", 0);
    cw_log_folder_append(&folder, "a.log", "new\n");
    cr_assert_str_eq(ship(), "new");
    cr_assert_eq(sources->items[0]->generation, 2);
    save();
    cw_log_folder_truncate(&folder, "a.log",
                           0); /* and while the shipper is down, written past where it was */
    cw_log_folder_append(&folder, "a.log", "newer and longer\n");
    restart(NULL);
    target_add("*.log", NULL);
    look();
    cr_assert_str_eq(ship(), "newer and longer");
    cr_assert_eq(sources->items[0]->generation, 3);
    struct cw_buf text;
    cw_buf_init(&text, 1 << 20);
    cw_metrics_render(metrics, &text);
    cr_assert(strstr(cw_buf_z(&text), "cordwood_shipper_lost_bytes_total 5\n") != NULL);
    cr_assert(strstr(cw_buf_z(&text), "cordwood_shipper_truncations_total 2\n") != NULL);
    cw_buf_fini(&text);
}

/* What logrotate's copytruncate does. */
static void copytruncate(const char *log, const char *copy)
{
    copy_make(log, copy);
    cw_log_folder_truncate(&folder, log, 0);
}

static void lost_expect(int64_t want)
{
    struct cw_buf text;
    char line[64];
    snprintf(line, sizeof line, "cordwood_shipper_lost_bytes_total %" PRId64 "\n", want);
    cw_buf_init(&text, 1 << 20);
    cw_metrics_render(metrics, &text);
    cr_assert(strstr(cw_buf_z(&text), line) != NULL, "%s", cw_buf_z(&text));
    cw_buf_fini(&text);
}

Test(sources, a_truncated_log_is_read_to_its_end_in_its_copy)
{
    target_add("*.log", NULL);
    cw_log_folder_append(&folder, "a.log", "1\n2\n");
    look();
    cr_assert_str_eq(ship(), "1 2");
    struct cw_id128 id = sources->items[0]->id;
    cw_log_folder_append(&folder, "a.log", "3\n");
    cw_sources_refresh(sources, CW_SOURCES_ALL, now_ns, now_ns);
    cw_log_folder_append(&folder, "a.log", "4\n"); /* nobody saw this one */
    copytruncate("a.log", "a.log.1");
    cw_log_folder_append(&folder, "a.log", "5\n");
    cr_assert_str_eq(ship(), "3 4 5");
    cr_assert_eq(sources->n, 2);
    const struct cw_source *old = sources->items[0], *new = sources->items[1];
    cr_assert(memcmp(&old->id, &id, sizeof id) == 0 && old->generation == 1 &&
              old->rows[0].done == 8);
    cr_assert(memcmp(&new->id, &id, sizeof id) != 0 && new->generation == 1 &&
              new->rows[0].done == 2);
    cr_assert(cw_labels_eq(old->labels[0], new->labels[0]));
    lost_expect(0);
    look();
    cr_assert_eq(sources->n, 2);
}

Test(sources, the_end_of_a_copy_needs_no_newline)
{
    target_add("*.log", NULL);
    cw_log_folder_append(&folder, "a.log", "1\nhal");
    look();
    cr_assert_str_eq(ship(), "1");
    copytruncate("a.log", "a.log.1");
    cw_log_folder_append(&folder, "a.log", "f\n");
    cr_assert_str_eq(ship(), "f");
    pass(6);
    cr_assert_str_eq(ship(), "hal");
    lost_expect(0);
}

Test(sources, a_copy_that_the_pattern_matches_is_not_read_twice)
{
    target_add("a.log*", NULL);
    cw_log_folder_append(&folder, "a.log", "1\n2\n");
    look();
    cr_assert_str_eq(ship(), "1 2");
    tick_wait();
    cw_log_folder_append(&folder, "a.log.1", ""); /* begun */
    look();
    cr_assert_eq(sources->n, 1);
    cw_log_folder_append(&folder, "a.log.1", "1\n"); /* half done */
    look();
    cr_assert_eq(sources->n, 1);
    cw_log_folder_append(&folder, "a.log", "3\n");
    cw_log_folder_append(&folder, "a.log.1", "2\n3\n");
    look();
    cr_assert_eq(sources->n, 1);
    cw_log_folder_truncate(&folder, "a.log", 0);
    cw_log_folder_append(&folder, "a.log", "4\n");
    look();
    cr_assert_str_eq(ship(), "3 4");
    cr_assert_eq(sources->n, 2);
    restart(NULL);
    target_add("a.log*", NULL);
    look();
    cr_assert_str_eq(ship(), "");
    cr_assert_eq(sources->n, 2);
    cw_log_folder_append(&folder, "a.log.9", "4 is not all of it\n"); /* no copy, though alike */
    look();
    cr_assert_str_eq(ship(), "4 is not all of it");
}

Test(sources, copies_made_while_the_shipper_was_down_are_told_apart)
{
    for (int all = 0; all < 2; all++) {
        const char *pattern = all ? "b.log*" : "a.log", *log = all ? "b.log" : "a.log";
        char names[3][24];
        for (int i = 0; i < 3; i++)
            snprintf(names[i], sizeof names[i], "%s.%d", log, i + 1);
        restart(NULL);
        target_add(pattern, NULL);
        cw_log_folder_append(&folder, log, "same\n1\n");
        look();
        cr_assert_str_eq(ship(), "1 same");
        save();
        cw_log_folder_append(&folder, log, "2\n");
        copytruncate(log, names[1]);
        cw_log_folder_append(&folder, log, "same\n1\n3 was never seen\n");
        copytruncate(log, names[0]);
        cw_log_folder_append(&folder, log, "same\n4\n");
        restart(NULL);
        target_add(pattern, NULL);
        look();
        look();
        cr_assert_str_eq(ship(), "1 2 3 was never seen 4 same same");
        cr_assert_eq(sources->n, all ? 6 : 3); /* the first round's are closed */
        lost_expect(0);
        restart(NULL); /* killed after the save */
        target_add(pattern, NULL);
        look();
        cr_assert_str_eq(ship(), "");
    }
}

Test(sources, two_truncations_between_two_looks_lose_nothing)
{
    target_add("a.log", NULL);
    cw_log_folder_append(&folder, "a.log", "same\n1\n");
    look();
    copytruncate("a.log", "a.log.2");
    cw_log_folder_append(&folder, "a.log", "same\n2\n");
    copytruncate("a.log", "a.log.1");
    cw_log_folder_append(&folder, "a.log", "same\n3\n");
    look();
    look(); /* the copy that nobody saw is the next scan's */
    cr_assert_str_eq(ship(), "1 2 3 same same same");
    cr_assert_eq(sources->n, 3);
    for (size_t i = 0; i < 3; i++)
        cr_assert_str_eq(sources->items[i]->path, cw_log_folder_path(&folder, "a.log"));
}

Test(sources, a_kill_before_the_move_to_the_copy_is_saved_repeats_the_move)
{
    target_add("a.log", NULL);
    cw_log_folder_append(&folder, "a.log", "1\n");
    look();
    cr_assert_str_eq(ship(), "1");
    save();
    cw_log_folder_append(&folder, "a.log", "2\n");
    struct cw_id128 id = sources->items[0]->id;
    copytruncate("a.log", "a.log-20260105");
    cw_log_folder_append(&folder, "a.log", "3\n");
    cw_sources_refresh(sources, CW_SOURCES_ALL, now_ns, now_ns);
    cr_assert(sources->unsaved && sources->n == 2);
    cr_assert(cw_source_pending(sources->items[0], 0) && !cw_source_pending(sources->items[1], 0));
    restart(NULL);
    target_add("a.log", NULL);
    look();
    cr_assert_eq(sources->n, 2);
    cr_assert(memcmp(&sources->items[0]->id, &id, sizeof id) == 0 &&
              sources->items[0]->generation == 1);
    cr_assert_str_eq(ship(), "2 3");
}

Test(sources, a_push_under_way_does_not_keep_a_source_from_its_copy)
{
    target_add("a.log", NULL);
    cw_log_folder_append(&folder, "a.log", "1\n2\n");
    look();
    cr_assert_eq(cut(1), 1);
    copytruncate("a.log", "a.log.1");
    cw_sources_refresh(sources, CW_SOURCES_ALL, now_ns, now_ns);
    cr_assert(sources->n == 2 && !sources->items[0]->changed);
    cw_batch_drop(batch); /* it was not stored: all is cut again, from the copy */
    cr_assert_str_eq(ship(), "1 2");
}

Test(sources, what_was_read_behind_the_end_of_the_copy_is_not_read_again)
{
    target_add("a.log*", NULL);
    cw_log_folder_append(&folder, "a.log", "1\n");
    look();
    copy_make("a.log", "a.log.1");
    cw_log_folder_append(&folder, "a.log", "2 is in no copy\n");
    look();
    cr_assert_str_eq(ship(), "1 2 is in no copy");
    cw_log_folder_append(&folder, "a.log", "lost\n");
    cw_sources_refresh(sources, CW_SOURCES_ALL, now_ns, now_ns);
    cw_log_folder_truncate(&folder, "a.log", 0);
    look();
    lost_expect(5);
    for (int i = 0; i < 2; i++) {
        pass(70);
        cr_assert_str_eq(ship(), "");
        cr_assert_eq(sources->n, 2);
        restart(NULL);
        target_add("a.log*", NULL);
        look();
    }
    cr_assert_eq(sources->items[0]->generation, 1);
}

Test(sources, only_a_file_with_the_same_beginning_is_the_copy)
{
    target_add("a.log", NULL);
    cw_log_folder_append(&folder, "a.log.3", "1\n2\n3\n"); /* older than our source */
    now_ns = cw_clock_now_ns() + 100 * CW_NS_PER_MS;
    cw_log_folder_append(&folder, "a.log", "1\n2\n");
    look();
    cr_assert_str_eq(ship(), "1 2");
    cw_log_folder_append(&folder, "a.log.1", "another\n");
    cw_log_folder_append(&folder, "a.log.copy", "1\n2\n3\n"); /* no rotation's name */
    cw_log_folder_truncate(&folder, "a.log", 0);
    cw_log_folder_append(&folder, "a.log", "4\n");
    cr_assert_str_eq(ship(), "4");
    cr_assert_eq(sources->n, 1);
    cr_assert_eq(sources->items[0]->generation, 2);
}

Test(sources, a_generation_is_not_raised_while_a_push_names_the_source)
{
    target_add("*.log", NULL);
    cw_log_folder_append(&folder, "a.log", "1\n2\n");
    look();
    cr_assert_eq(cut(1000), 2);
    cw_log_folder_truncate(&folder, "a.log", 0);
    cw_sources_refresh(sources, CW_SOURCES_ALL, now_ns, now_ns);
    cr_assert(sources->items[0]->changed && sources->items[0]->generation == 1);
    cw_batch_drop(batch);
    cw_sources_refresh(sources, CW_SOURCES_ALL, now_ns, now_ns);
    cr_assert(!sources->items[0]->changed && sources->items[0]->generation == 2);
}

Test(sources, links_to_one_file_are_one_source)
{
    target_add("*.log", NULL);
    target_add("**", NULL);
    cw_log_folder_append(&folder, "a.log", "1\n");
    cw_log_folder_symlink(&folder, "a.log", "b.log");
    cr_assert_eq(link(cw_log_folder_path(&folder, "a.log"), cw_log_folder_path(&folder, "c.log")),
                 0);
    for (int i = 0; i < 3; i++)
        look();
    cr_assert_eq(sources->n, 1);
    cr_assert_str_eq(ship(), "1");
    cr_assert_str_eq(sources->items[0]->path, sources->items[0]->path_now);
}

Test(sources, a_deleted_file_is_read_to_its_end_and_forgotten)
{
    target_add("*.log", NULL);
    cw_log_folder_append(&folder, "a.log", "1\n2");
    look();
    cw_log_folder_remove(&folder, "a.log");
    look();
    cr_assert_str_eq(ship(), "1");
    pass(6);
    cr_assert_str_eq(ship(), "2");
    look();
    cr_assert_eq(sources->n, 1, "the store was not told yet that its mark may be forgotten");
    sources->items[0]->rows[0].confirmed = sources->items[0]->rows[0].mark;
    look();
    cr_assert_eq(sources->n, 0);
}

Test(sources, from_the_end_leaves_out_only_what_was_there_first)
{
    restart(&(struct cw_sources_options){.from_end = true});
    target_add("*.log", NULL);
    cw_log_folder_append(&folder, "a.log", "old\n");
    look();
    cw_log_folder_append(&folder, "a.log", "new\n");
    cw_log_folder_append(&folder, "b.log", "b\n");
    look();
    cr_assert_str_eq(ship(), "b new");
}

Test(sources, promtails_positions_say_where_files_begin)
{
    struct cw_promtail_position imported[] = {
        /* in promtail's order, which is none */
        {CW_STR("cursor-journal"), 0, CW_STR("s=abc")},
        {cw_str_of(cw_log_folder_path(&folder, "c.log")), 1},
        {cw_str_of(cw_log_folder_path(&folder, "b.log")), 999},
        {CW_STR("cursor-"), 0, CW_STR("s=none")},
        {cw_str_of(cw_log_folder_path(&folder, "a.log")), 2}};
    restart(&(struct cw_sources_options){.imported = imported,
                                         .nimported = sizeof imported / sizeof imported[0]});
    cr_assert(cw_str_eqz(cw_sources_promtail_cursor(sources, CW_STR("journal")), "s=abc"));
    cr_assert(cw_str_eqz(cw_sources_promtail_cursor(sources, CW_STR_NONE), "s=none"));
    cr_assert_eq(cw_sources_promtail_cursor(sources, CW_STR("journa")).len, 0);
    target_add("*.log", NULL);
    cw_log_folder_append(&folder, "a.log", "1\n2\n");
    cw_log_folder_append(&folder, "b.log", "was truncated\n");
    look();
    cr_assert_str_eq(ship(), "2 was truncated");
}

Test(sources, entries_have_the_time_when_they_were_seen)
{
    target_add("*.log", NULL);
    cw_log_folder_append(&folder, "a.log", "1\n");
    look();
    int64_t first_ns = now_ns;
    pass(5);
    cw_log_folder_append(&folder, "a.log", "2\n");
    look();
    pass(60); /* the server was away meanwhile */
    cr_assert_eq(cut(1000), 2);
    cr_assert_eq(batch->entries[0].push.ts_ns, first_ns);
    cr_assert_eq(batch->entries[1].push.ts_ns, first_ns + 5 * CW_NS_PER_S);
    cw_batch_drop(batch);
}

Test(sources, an_output_that_leaves_gives_its_place_to_the_next)
{
    cw_log_folder_append(&folder, "a.log", "one\ntwo\n");
    target_add("*.log", NULL);
    cr_assert_eq(cw_sources_output_add(sources, CW_STR("main"), CW_STR("x"), CW_STR("")), 1u);
    cw_sources_scan(sources, now_ns, now_ns);
    cr_assert_eq(sources->n, 1);
    struct cw_source *source = sources->items[0];
    cr_assert(source->rows[1].off, "no entry of it names a tenant");
    source->format = CW_SOURCE_SPOOL; /* as if entries might */
    source->rows[1] = (struct cw_ledger_row){.mark = 4, .done = 4};
    cw_ledger_stored(&source->rows[0], 8, 1);
    cr_assert_not(cw_sources_output_idle(sources, 1), "others are ahead of it");
    cw_ledger_stored(&source->rows[1], 8, 1);
    cr_assert_not(cw_sources_output_idle(sources, 1), "its mark is to be confirmed");
    source->rows[1].confirmed = 8;
    cr_assert(cw_sources_output_idle(sources, 1));
    source->met_to = 9;
    cr_assert_not(cw_sources_output_idle(sources, 1), "more was met");
    source->rows[0].done = source->rows[0].mark = 4;
    cr_assert_not(cw_sources_output_passed(sources, 1), "another is behind it");
    source->rows[0].done = source->rows[0].mark = 9;
    cr_assert(cw_sources_output_passed(sources, 1));
    cw_sources_output_vacate(sources, 1);
    cr_assert(source->rows[1].off && source->rows[1].mark == 0);
    cr_assert_eq(cw_source_position(source), 9);
    struct cw_arena *arena = cw_arena_new();
    struct cw_positions positions;
    cw_sources_tenants(sources, arena, &positions);
    cr_assert_eq(positions.ntenants, 0);
    cr_assert_eq(cw_sources_output_add(sources, CW_STR("main"), CW_STR("y"), CW_STR("")), 1u);
    cr_assert(!source->rows[1].off && source->rows[1].done == 9);
    cw_sources_tenants(sources, arena, &positions);
    cr_assert(positions.ntenants == 1 && cw_str_eqz(positions.tenants[0], "y"));
    cw_arena_free(&arena);
}

static bool output_of_tenant(void *arg, struct cw_str tenant)
{
    for (size_t i = 0; i < sources->noutputs; i++)
        if (cw_str_eqz(tenant, sources->outputs[i].tenant))
            return true;
    (void)cw_sources_output_add(sources, CW_STR("main"), tenant, CW_STR(""));
    return true;
}

/* Makes the sources anew, with two files that begin as those of two tenants: outputs 1 and 2. */
static void two_tenants(void)
{
    cw_sources_free(&sources);
    sources_make(&(struct cw_sources_options){.on_tenant = output_of_tenant});
    cw_log_folder_append(&folder, "a.log", "one\ntwo\n");
    cw_log_folder_append(&folder, "b.log", "three\n");
    tenant_target_add("a.log", CW_STR("x"));
    tenant_target_add("b.log", CW_STR("y"));
    look();
    cr_assert(sources->n == 2 && sources->noutputs == 3, "%zu, %zu", sources->n, sources->noutputs);
}

Test(sources, a_file_of_a_tenant_that_nobody_met_gets_the_row_of_its_output_too)
{
    two_tenants();
    for (size_t i = 0; i < 2; i++) {
        const struct cw_source *source = sources->items[i];
        bool first = strcmp(source->tenant, "x") == 0;
        cr_assert_eq(source->nrows, 3u);
        cr_assert(source->rows[0].off && source->rows[1].off == !first &&
                      source->rows[2].off == first,
                  "%s", source->path);
    }
}

Test(sources, rows_of_other_tenants_keep_nothing_from_being_drained)
{
    two_tenants();
    cw_sources_drain(sources, INT64_MAX);
    cr_assert_not(cw_sources_drained(sources));
    for (size_t i = 0; i < 2; i++) {
        struct cw_source *source = sources->items[i];
        cw_ledger_stored(&source->rows[source->rows[1].off ? 2 : 1], source->tail.size, 1);
    }
    save();
    cr_assert(cw_sources_drained(sources));
}

Test(sources, what_one_tenant_has_is_not_for_the_next_that_the_file_becomes)
{
    two_tenants();
    for (size_t i = 0; i < 2; i++) {
        struct cw_source *source = sources->items[i];
        cw_ledger_stored(&source->rows[source->rows[1].off ? 2 : 1], source->tail.size, 1);
    }
    target_tenant_set(sources->targets[0], "a.log", CW_STR("y"));
    target_tenant_set(sources->targets[1], "b.log", CW_STR("x"));
    for (size_t i = 0; i < 2; i++) { /* from the first to the second, and the other way round */
        const struct cw_source *source = sources->items[i];
        size_t is = strcmp(source->tenant, "x") == 0 ? 1 : 2;
        cr_expect(source->rows[3 - is].off && !source->rows[is].off);
        cr_expect_eq(source->rows[is].done, source->tail.size, "%s", source->path);
        cr_expect_eq(cw_source_position(source), source->tail.size, "%s", source->path);
    }
}

/* A reload with a deleted file, of whose two lines the first is settled. */
static void reload_with_a_deleted_file(void)
{
    cw_log_folder_append(&folder, "a.log", "1\n2\n");
    target_add("*.log", NULL);
    look();
    cr_assert_eq(cut(1), 1);
    cw_ledger_stored(&sources->items[0]->rows[0], 2, 1);
    cw_batch_drop(batch);
    cw_log_folder_remove(&folder, "a.log");
    save();
    cw_sources_held_leave(sources);
    restart(NULL);
    cw_sources_held_find(sources);
    cw_sources_scan(sources, now_ns, now_ns); /* no target yet */
    cr_assert(sources->n == 1 && sources->nheld == 1 && sources->items[0]->tail.fd < 0);
}

Test(sources, a_deleted_file_is_read_on_after_a_reload_when_its_target_comes)
{
    reload_with_a_deleted_file();
    target_add("*.log", NULL);
    look();
    cr_assert_eq(sources->nheld, 0);
    cr_assert_str_eq(ship(), "2");
}

Test(sources, a_deleted_file_whose_target_does_not_come_is_lost_and_counted)
{
    reload_with_a_deleted_file();
    pass(601);
    cw_sources_scan(sources, now_ns, now_ns);
    cr_assert_eq(sources->nheld, 0);
    lost_expect(2);
}
