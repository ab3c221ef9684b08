/*
 * Random sequences of what happens to logs while the shipper looks, ships and is killed: writes, rotations by rename and by rename
 * and compression, links, truncations of what was read. Each line that was written is in the store once.
 *
 * CORDWOOD_SOURCES_ROUNDS=n makes it n sequences; CORDWOOD_SOURCES_SEED=s begins with that one.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/base/clock.h"
#include "shipper/file_identity.h"
#include "tests/support/sources_rig.h"

enum { ROUNDS = 20, STEPS = 120, LOGS = 3, LINES_MAX = 4000, GENERATIONS = 40 };

static struct cw_sources_rig rig;
static unsigned seed, nwritten;
static char banner[CW_FILE_PREFIX_BYTES +
                   100]; /* the third log's files begin with it, and are alike at first */
static unsigned nbanners;
static bool begun[LOGS], linked[LOGS];

static unsigned draw(unsigned below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

/* One of eight buffers that take turns. */
static const char *name_of(unsigned log, const char *suffix)
{
    static char names[8][64];
    static unsigned next;
    char *name = names[next++ % 8];
    snprintf(name, sizeof names[0], "%c.log%s", 'a' + (int)log, suffix);
    return name;
}

static bool is_there(const char *name)
{
    return access(cw_log_folder_path(&rig.folder, name), F_OK) == 0;
}

static void write_lines(unsigned log)
{
    char text[64];
    if (log == LOGS - 1 && !begun[log]) {
        cw_log_folder_append(&rig.folder, name_of(log, ""), banner);
        nbanners++;
    }
    begun[log] = true;
    for (unsigned n = 1 + draw(4); n > 0; n--) {
        int len = snprintf(text, sizeof text, "line %05u\n", nwritten++);
        if (draw(5) > 0) {
            cw_log_folder_append(&rig.folder, name_of(log, ""), text);
            continue;
        }
        /* in two pieces, with a look in between */
        cw_log_folder_append_bytes(&rig.folder, name_of(log, ""), text, 3);
        cw_sources_rig_look(&rig);
        cw_log_folder_append_bytes(&rig.folder, name_of(log, ""), text + 3, (size_t)len - 3);
    }
}

/* .1 becomes .2 and so on, packed or not; then the log becomes .1, and there is a new, empty one or none yet. */
static void rotate(unsigned log, bool packed)
{
    char from[16], to[16];
    if (!begun[log])
        return;
    for (int i = GENERATIONS; i > 0; i--) {
        for (int gz = 0; gz < 2; gz++) {
            snprintf(from, sizeof from, ".%d%s", i, gz ? ".gz" : "");
            snprintf(to, sizeof to, ".%d%s", i + 1, gz ? ".gz" : "");
            if (is_there(name_of(log, from)))
                cw_log_folder_rename(&rig.folder, name_of(log, from), name_of(log, to));
        }
    }
    cw_log_folder_rename(&rig.folder, name_of(log, ""), name_of(log, ".1"));
    if (packed) {
        cw_log_folder_gzip(&rig.folder, name_of(log, ".1"), name_of(log, ".1.gz"), SIZE_MAX);
        cw_log_folder_remove(&rig.folder, name_of(log, ".1"));
    }
    if (draw(2) == 0)
        cw_log_folder_append(&rig.folder, name_of(log, ""), "");
    begun[log] = false;
    if (linked[log])
        cw_log_folder_remove(&rig.folder, name_of(log, "-link.log"));
    linked[log] = false;
}

/* The log is known by its own name: rotations are of that. */
static void link_or_unlink(unsigned log)
{
    if (!begun[log])
        return;
    cw_sources_rig_look(&rig);
    if (linked[log])
        cw_log_folder_remove(&rig.folder, name_of(log, "-link.log"));
    else
        cr_assert_eq(link(cw_log_folder_path(&rig.folder, name_of(log, "")),
                          cw_log_folder_path(&rig.folder, name_of(log, "-link.log"))),
                     0);
    linked[log] = !linked[log];
}

/* Nothing is lost of what was read; a look meets the file while it is empty. */
static void ship_and_truncate(unsigned log)
{
    if (!begun[log])
        return;
    cw_sources_rig_look(&rig);
    cw_sources_rig_ship(&rig);
    cw_log_folder_truncate(&rig.folder, name_of(log, ""), 0);
    cw_sources_rig_look(&rig);
    begun[log] = linked[log]; /* a link stays until it is taken away or the log is rotated */
}

static void step(void)
{
    unsigned log = draw(LOGS);
    switch (draw(17)) {
    case 0: rotate(log, false); break;
    case 1:
    case 2: rotate(log, true); break;
    case 3: link_or_unlink(log); break;
    case 4: ship_and_truncate(log); break;
    case 5: cw_sources_rig_kill(&rig); break;
    case 6: cw_sources_rig_scan(&rig); break;
    case 7: cw_sources_rig_refresh(&rig); break;
    case 8: (void)cw_sources_rig_push(&rig, 1 + draw(4)); break;
    case 9: cw_sources_rig_ship(&rig); break;
    case 10: rig.quiet_ns += 2 * CW_SOURCES_CLOSE_WAIT_NS * draw(2); break;
    case 11: cw_sources_rig_look(&rig); break;
    case 12: cw_sources_rig_glance(&rig); break;
    default: write_lines(log);
    }
}

/* Until no file is younger than the last look. */
static void settle(void)
{
    rig.quiet_ns += 2 * CW_SOURCES_CLOSE_WAIT_NS;
    rig.wall_ns += 2 * CW_NS_PER_S;
    for (int i = 0; i < 6; i++) {
        cw_sources_rig_look(&rig);
        cw_sources_rig_ship(&rig);
    }
}

static void check(unsigned first)
{
    unsigned *times = calloc(LINES_MAX, sizeof *times), n = 0, banners = 0;
    for (size_t i = 0; i < rig.nlines; i++) {
        if (strncmp(rig.lines[i], "line ", 5) != 0) {
            banners++;
            continue;
        }
        n = (unsigned)strtoul(rig.lines[i] + 5, NULL, 10);
        cr_assert_lt(n, nwritten, "seed %u: %s", first, rig.lines[i]);
        times[n]++;
    }
    for (n = 0; n < nwritten; n++)
        cr_assert_eq(times[n], 1, "seed %u: line %u came %u times", first, n, times[n]);
    cr_assert_eq(banners, nbanners, "seed %u", first);
    free(times);
}

static unsigned setting(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

Test(sources_random, each_line_comes_once_whatever_happens_to_its_file)
{
    unsigned first = setting("CORDWOOD_SOURCES_SEED", 1);
    unsigned last = first + setting("CORDWOOD_SOURCES_ROUNDS", ROUNDS);
    memset(banner, 'x', sizeof banner - 2);
    memcpy(banner + sizeof banner - 2, "\n", 2);
    for (; first < last; first++) {
        seed = first;
        nwritten = nbanners = 0;
        memset(begun, 0, sizeof begun);
        memset(linked, 0, sizeof linked);
        cw_sources_rig_init(&rig,
                            first % 3 == 0 ? "*.log*" : "*.log"); /* which has rotated files too */
        for (unsigned log = 0; log < LOGS; log++)
            write_lines(log);
        cw_sources_rig_look(&rig); /* what was rotated before the first look is nobody's */
        for (int i = 0; i < STEPS; i++)
            step();
        settle();
        check(first);
        cw_sources_rig_fini(&rig);
    }
}
