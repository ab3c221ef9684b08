#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>
#include "common/base/file.h"
#include "shipper/push_letters.h"
#include "tests/support/io_trace.h"
#include "tests/support/sources_rig.h"

/* Batches of three sources with two lines each. */
static struct cw_sources_rig rig;
static char *path;
static struct cw_dead_letters *letters;
static const struct cw_dead_letter like = {
    .client = CW_STR("c"), .status = 400, .error = CW_STR("no")};

static bool on_tenant(void *arg, struct cw_str tenant)
{
    return true;
}

static void setup(void)
{
    const struct cw_batch_report report = {.on_tenant = on_tenant};
    cw_sources_rig_init(&rig, "*.log");
    path = cw_str_dupz(cw_str_of(cw_log_folder_path(&rig.folder, "refused")));
    letters = cw_dead_letters_new(path, NULL);
    cw_log_folder_append(&rig.folder, "a.log", "a1\na2\n");
    cw_log_folder_append(&rig.folder, "b.log", "b1\nb2\n");
    cw_log_folder_append(&rig.folder, "c.log", "c1\nc2\n");
    cw_sources_rig_look(&rig);
    (void)cw_batch_cut(rig.batch, &rig.sources->active, 100, 1, &report);
    cr_assert_eq(rig.batch->nparts, 3);
    io_trace_clear();
}

static void teardown(void)
{
    cw_dead_letters_free(&letters);
    free(path);
    cw_batch_drop(rig.batch);
    cw_sources_rig_fini(&rig);
}

TestSuite(push_letters, .init = setup, .fini = teardown);

static int letters_write(void)
{
    struct cw_err err = {0};
    return cw_push_letters_write(letters, rig.batch, &like, &err);
}

/* The first and the last letter of so many batches, and nothing else. */
static void expect_batches(size_t nbatches)
{
    struct cw_buf text;
    struct cw_err err = {0};
    size_t nlines = 0, nfirst = 0, nlast = 0;
    cw_buf_init(&text, 1 << 20);
    cr_assert_eq(cw_file_read(path, 1 << 20, &text, &err), 0, "%s", err.text);
    for (const char *at = cw_buf_z(&text), *end; (end = strchr(at, '\n')) != NULL; at = end + 1) {
        struct cw_str line = cw_str_sub(cw_str_of(at), 0, (size_t)(end - at));
        nlines++;
        nfirst += cw_str_find(line, CW_STR("\"line\":\"a1\"")) >= 0;
        nlast += cw_str_find(line, CW_STR("\"line\":\"c2\"")) >= 0;
    }
    cr_expect(nlines == 6 * nbatches && nfirst == nbatches && nlast == nbatches, "%s",
              cw_buf_z(&text));
    cw_buf_fini(&text);
}

static void expect_unlocked(void)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert_geq(fd, 0);
    cr_expect_eq(flock(fd, LOCK_EX | LOCK_NB), 0, "`resend` waits for it");
    close(fd);
}

Test(push_letters, a_batch_of_many_sources_takes_one_sync)
{
    cr_assert_eq(letters_write(), 0);
    cr_expect_eq(io_trace_nsynced("/refused"), 1u);
    expect_batches(1);
    expect_unlocked();
}

Test(push_letters, a_disk_without_room_keeps_nothing_of_the_batch)
{
    cr_assert_eq(letters_write(), 0);
    for (size_t room = 0; room < 700; room += 100) {
        io_trace_room("/refused", room);
        cr_assert_lt(letters_write(), 0);
        cr_assert_gt(io_trace_nrefused(), 0u);
        expect_batches(1);
        expect_unlocked();
    }
    io_trace_room(NULL, 0);
    cr_assert_eq(letters_write(), 0);
    expect_batches(2);
}
