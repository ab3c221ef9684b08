/*
 * sources_siblings.c - sources_scan.c, the part that finds files which were rotated behind a log's back: they came and were renamed
 * between two scans, or while we were down.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/base/arena.h"
#include "common/base/clock.h"
#include "shipper/rotated_name.h"
#include "shipper/sources_scan.h"

const struct cw_source *cw_sources_oldest_rotated(struct cw_sources *sources, const char *path)
{
    const struct cw_source *source, *oldest = NULL;
    for (size_t at = SIZE_MAX; (source = cw_sources_path_next(sources, path, &at)) != NULL;) {
        const struct cw_file_identity *known = &source->tail.identity;
        if (strcmp(source->path, path) == 0 && source->durable && known->birth_ns != 0 &&
            (oldest == NULL || known->birth_ns < oldest->tail.identity.birth_ns) &&
            !cw_file_identity_is_at(path, known))
            oldest = source;
    }
    return oldest;
}

static bool begins(const char *path, const char *log)
{
    return strncmp(path, log, strlen(log)) == 0;
}

bool cw_sources_is_named_alike(const struct cw_source *rotated, const char *path)
{
    const char *log = rotated->path;
    bool unknown = strcmp(rotated->path_now, log) == 0; /* it is not found yet */
    return unknown || !begins(rotated->path_now, log) || begins(path, log);
}

bool cw_sources_is_named_first(const char *log, const char *path)
{
    enum { DATE_MIN = 7 }; /* "-202601": with fewer digits it counts programs */
    if (!begins(path, log))
        return false;
    const char *number = path + strlen(log);
    return number[0] == '.' || strlen(number) >= DATE_MIN;
}

bool cw_sources_is_backup(const char *log, const char *path)
{
    return access(log, F_OK) < 0 && cw_sources_file_is_dated_back(path);
}

/* 0: that is not known. */
static int64_t birth_of(const char *path)
{
    struct statx st;
    if (statx(AT_FDCWD, path, 0, STATX_BTIME, &st) < 0 || !(st.stx_mask & STATX_BTIME))
        return 0;
    return st.stx_btime.tv_sec * CW_NS_PER_S + st.stx_btime.tv_nsec;
}

bool cw_sources_is_younger(const struct cw_sources_scan *scan, const char *path,
                           const struct cw_source *than)
{
    const struct cw_file_identity *known = &than->tail.identity;
    int64_t birth_ns = birth_of(path), looked_ns = scan->sources->looked_ns;
    return birth_ns > known->birth_ns ||
           (birth_ns == known->birth_ns && looked_ns > 0 && !cw_file_identity_is_at(path, known) &&
            cw_sources_is_named_first(than->path, path) &&
            cw_sources_file_is_new(path, looked_ns, scan->now_ns));
}

/* Files in a log's folder with a rotation's name that are younger than its oldest source and were rotated away in the meantime:
 * they are that log's too. Of one that was begun in this scan, what is new and no target asks for, if its name begins with the log's:
 * app-1.log may be a log of its own, which is begun together with app.log. */
struct asked_log {
    const struct cw_source *source; /* the oldest, or the begun one; its path is the log's */
    bool begun;
};

struct asked_logs {
    struct asked_log *items;
    size_t n, cap;
};

static void asked_add(struct asked_logs *logs, const struct cw_source *source, bool begun)
{
    if (logs->n == logs->cap) {
        logs->cap = logs->cap ? 2 * logs->cap : 16;
        logs->items = cw_mem_resize(logs->items, logs->cap * sizeof *logs->items);
    }
    logs->items[logs->n++] = (struct asked_log){source, begun};
}

static int by_folder(const void *a, const void *b)
{
    const char *x = ((const struct asked_log *)a)->source->path;
    const char *y = ((const struct asked_log *)b)->source->path;
    size_t nx = cw_sources_folder_len(x), ny = cw_sources_folder_len(y);
    return nx != ny ? (nx < ny ? -1 : 1) : memcmp(x, y, nx);
}

/* In a folder by path, a begun one last. */
static int by_log(const void *a, const void *b)
{
    const struct asked_log *x = a, *y = b;
    int cmp = by_folder(a, b);
    if (cmp == 0)
        cmp = strcmp(x->source->path, y->source->path);
    return cmp != 0 ? cmp : (int)x->begun - (int)y->begun;
}

static int path_cmp(const void *path, const void *log)
{
    return strcmp(path, ((const struct asked_log *)log)->source->path);
}

struct sibling {
    struct cw_sources_scan *scan;
    const char *path;
    const struct asked_log *logs; /* of its folder, each once */
    size_t nlogs;
};

static bool is_sibling_of(const struct sibling *sibling, const struct asked_log *log)
{
    const struct cw_sources_scan *scan = sibling->scan;
    const struct cw_sources *sources = scan->sources;
    if (!log->begun)
        return cw_sources_is_named_alike(log->source, sibling->path) &&
               cw_sources_is_younger(scan, sibling->path, log->source) &&
               !cw_sources_is_backup(log->source->path, sibling->path);
    return cw_sources_is_named_first(log->source->path, sibling->path) &&
           cw_sources_target_of(sources, sibling->path) == NULL &&
           cw_sources_file_is_new(sibling->path, sources->looked_ns, scan->now_ns);
}

static bool on_log_of_sibling(void *arg, const char *path)
{
    const struct sibling *sibling = arg;
    struct cw_sources_scan *scan = sibling->scan;
    const struct asked_log *log =
        bsearch(path, sibling->logs, sibling->nlogs, sizeof *sibling->logs, path_cmp);
    if (log == NULL || !is_sibling_of(sibling, log))
        return false;
    scan->target = cw_sources_target_of(scan->sources, path);
    if (scan->target != NULL)
        cw_sources_file_found(scan, sibling->path, path);
    return true;
}

/* All of these logs are in one folder, which is listed once. */
static void folder_siblings_find(struct cw_sources_scan *scan, const struct asked_log *logs,
                                 size_t nlogs)
{
    char path[PATH_MAX];
    size_t len = cw_sources_folder_len(logs[0].source->path);
    snprintf(path, sizeof path, "%.*s", (int)len, logs[0].source->path);
    struct sibling sibling = {scan, path, logs, nlogs};
    DIR *dir = len > 0 ? opendir(path) : NULL;
    for (const struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;)
        if ((size_t)snprintf(path + len, sizeof path - len, "%s", entry->d_name) <
            sizeof path - len)
            (void)cw_rotated_logs(path, on_log_of_sibling, &sibling);
    if (dir != NULL)
        closedir(dir);
}

/* At the first scan for what the positions file knows, later for what was rotated; and for what was begun. */
void cw_sources_siblings_find(struct cw_sources_scan *scan)
{
    struct cw_sources *sources = scan->sources;
    struct asked_logs logs = {0};
    for (size_t i = 0; i < sources->n; i++) {
        struct cw_source *source = sources->items[i];
        if (sources->scanned && !source->rotated)
            continue;
        source->rotated = false;
        const struct cw_source *oldest = cw_sources_oldest_rotated(sources, source->path);
        if (oldest != NULL)
            asked_add(&logs, oldest, false);
    }
    for (size_t i = 0; i < scan->begun.n; i++)
        asked_add(&logs, scan->begun.items[i], true);
    if (logs.n > 0)
        qsort(logs.items, logs.n, sizeof *logs.items, by_log);
    size_t n = 0;
    for (size_t i = 0; i < logs.n; i++)
        if (n == 0 || strcmp(logs.items[n - 1].source->path, logs.items[i].source->path) != 0)
            logs.items[n++] = logs.items[i];
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && by_folder(&logs.items[i], &logs.items[end]) == 0;)
            end++;
        folder_siblings_find(scan, logs.items + i, end - i);
    }
    free(logs.items);
}
