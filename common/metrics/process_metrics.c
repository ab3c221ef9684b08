#include "common/metrics/process_metrics_priv.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/metrics/prom_text.h"

static void add(struct cw_buf *out, const char *name, const char *help, const char *type,
                double value)
{
    cw_prom_head(out, cw_str_of(name), cw_str_of(help), type);
    cw_prom_sample(out, cw_str_of(name), "", NULL, 0, value);
}

/* Fields of /proc/self/stat (proc(5)); the name in field 2 may hold anything, so count from its last ')'. */
enum { STAT_STARTTIME = 22, STAT_VSIZE = 23, STAT_RSS = 24 };

static bool stat_fields(double *starttime, double *vsize, double *rss)
{
    struct cw_buf text;
    struct cw_err err;
    cw_buf_init(&text, 4096);
    bool ok = cw_file_read("/proc/self/stat", 4095, &text, &err) == 0;
    const char *at = ok ? strrchr(cw_buf_z(&text), ')') : NULL;
    struct cw_str rest = cw_str_of(at), field;
    int found = 0;
    cw_str_split(&rest, ' ', &field); /* the name's end */
    for (int i = 3; at != NULL && cw_str_split(&rest, ' ', &field); i++) {
        double value;
        if (i < STAT_STARTTIME || i > STAT_RSS || !cw_str_to_f64(field, &value))
            continue;
        *(i == STAT_STARTTIME ? starttime : i == STAT_VSIZE ? vsize : rss) = value;
        found++;
    }
    cw_buf_fini(&text);
    return found == 3;
}

static double open_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    if (dir == NULL)
        return -1;
    double n = -3; /* ".", ".." and the folder's own descriptor */
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}

void cw_process_metrics_render(struct cw_buf *out)
{
    struct timespec cpu, boot;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) == 0)
        add(out, "process_cpu_seconds_total", "User and system CPU time spent, in seconds.",
            "counter", (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9);
    double starttime, vsize, rss;
    if (stat_fields(&starttime, &vsize, &rss) && clock_gettime(CLOCK_BOOTTIME, &boot) == 0) {
        double age = (double)boot.tv_sec + (double)boot.tv_nsec / 1e9 -
                     starttime / (double)sysconf(_SC_CLK_TCK);
        add(out, "process_resident_memory_bytes", "Resident memory, in bytes.", "gauge",
            rss * (double)sysconf(_SC_PAGESIZE));
        add(out, "process_virtual_memory_bytes", "Virtual memory, in bytes.", "gauge", vsize);
        /* To the tenth: it must not move from scrape to scrape. */
        int64_t start = (int64_t)(((double)cw_clock_now_ns() / 1e9 - age) * 10 + .5);
        add(out, "process_start_time_seconds", "Start of the process, in seconds since the epoch.",
            "gauge", (double)start / 10);
    }
    double fds = open_fds();
    struct rlimit limit;
    if (fds >= 0)
        add(out, "process_open_fds", "Open file descriptors.", "gauge", fds);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        add(out, "process_max_fds", "Most file descriptors that may be open.", "gauge",
            (double)limit.rlim_cur);
}
