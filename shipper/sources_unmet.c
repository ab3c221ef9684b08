/*
 * sources_unmet.c - sources_scan.c, the part that finds what was rotated while nobody could see it: nothing that is known has another
 * name, or other contents. That is so when
 *   - nothing is in a log's place: it was written and rotated between two scans, and no file was left behind (logrotate's nocreate);
 *   - what is there was empty at the last look: it was written, copied and truncated since.
 *
 * Whoever has such a log may never have met it. So each folder in which targets' files may be is looked through, when its time of the
 * last change is another: for files that are new, have the name of a rotated log (rotated_name.h), and whose log a target has. What
 * a target reads by its own name is not asked about, nor what it leaves out, nor backups.
 *
 * What was there before the very first scan is nobody's. What was born in the tick ahead of it seems new (CW_SOURCES_LOOK_MARGIN_NS):
 * these are the strangers, by their inodes, until they do not.
 */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "shipper/rotated_name.h"
#include "shipper/sources_scan.h"

static void folders_free(struct cw_looked_folder *folders, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(folders[i].path);
    free(folders);
}

void cw_sources_unmet_forget(struct cw_sources *sources)
{
    folders_free(sources->looked_folders, sources->nlooked_folders);
    sources->looked_folders = NULL;
    sources->nlooked_folders = 0;
}

void cw_sources_unmet_folder(struct cw_sources_scan *scan, const char *path)
{
    /* Targets that name one file each are often of one folder. */
    if (scan->nfolders > 0 && strcmp(scan->folders[scan->nfolders - 1].path, path) == 0)
        return;
    if (scan->nfolders == scan->folders_cap) {
        scan->folders_cap = scan->folders_cap ? 2 * scan->folders_cap : 16;
        scan->folders = cw_mem_resize(scan->folders, scan->folders_cap * sizeof *scan->folders);
    }
    scan->folders[scan->nfolders++] =
        (struct cw_looked_folder){.path = cw_str_dupz(cw_str_of(path))};
}

static int by_path(const void *a, const void *b)
{
    const struct cw_looked_folder *x = a, *y = b;
    return strcmp(x->path, y->path);
}

/* Each once. */
static void folders_sort(struct cw_sources_scan *scan)
{
    struct cw_looked_folder *folders = scan->folders;
    size_t n = 0;
    if (scan->nfolders > 0)
        qsort(folders, scan->nfolders, sizeof *folders, by_path);
    for (size_t i = 0; i < scan->nfolders; i++) {
        if (n == 0 || strcmp(folders[n - 1].path, folders[i].path) != 0)
            folders[n++] = folders[i];
        else
            free(folders[i].path);
    }
    scan->nfolders = n;
}

/* ---- the logs that a file may be of ---- */

struct arrival {
    struct cw_sources_scan *scan;
    const char *path;
    bool packed;
    bool waits; /* it is no source yet, but may be one */
};

/* Whether files of the log may have come and gone without a trace in what is known of it. */
static bool may_be_unmet(struct cw_sources *sources, const char *log, bool *has_sources_out)
{
    const struct cw_source *source;
    *has_sources_out = false;
    for (size_t at = SIZE_MAX; (source = cw_sources_path_next(sources, log, &at)) != NULL;) {
        *has_sources_out |= strcmp(source->path, log) == 0;
        if (strcmp(source->path_now, log) == 0 && source->scan_number == sources->scan_number &&
            !source->emptied)
            return false;
    }
    return true;
}

static bool may_be_of(const struct arrival *arrival, const char *log)
{
    const struct cw_source *oldest = cw_sources_oldest_rotated(arrival->scan->sources, log);
    if (cw_sources_is_backup(log, arrival->path))
        return false;
    if (oldest == NULL)
        return cw_sources_is_named_first(log, arrival->path);
    return cw_sources_is_named_alike(oldest, arrival->path) &&
           cw_sources_is_younger(arrival->scan, arrival->path, oldest);
}

static bool is_source(const struct cw_sources *sources, const char *path, uint64_t ino)
{
    const struct cw_source *source;
    for (size_t at = SIZE_MAX; (source = cw_sources_index_next(sources, ino, &at)) != NULL;)
        if (cw_file_identity_is_at(path, &source->tail.identity))
            return true;
    return false;
}

static bool on_log(void *arg, const char *log)
{
    struct arrival *arrival = arg;
    struct cw_sources_scan *scan = arrival->scan;
    bool has_sources;
    scan->target = cw_sources_target_of(scan->sources, log);
    if (scan->target == NULL || !may_be_unmet(scan->sources, log, &has_sources) ||
        (!has_sources && cw_sources_is_excluded(scan->target, arrival->path)))
        return false;
    if (arrival->packed) {
        cw_sources_rotated_log(scan->sources, log,
                               has_sources ? CW_SOURCES_SINCE_LOOK : CW_SOURCES_UNMET);
        return false; /* another one may be known */
    }
    if (!may_be_of(arrival, log))
        return false;
    cw_sources_file_found(scan, arrival->path, log);
    arrival->waits = true;
    return true;
}

static bool on_any_log(void *arg, const char *log)
{
    return true;
}

/* ---- the files of a folder ---- */

static bool is_open_source(const struct cw_sources *sources, uint64_t dev, uint64_t ino)
{
    const struct cw_source *source;
    for (size_t at = SIZE_MAX; (source = cw_sources_index_next(sources, ino, &at)) != NULL;)
        if (source->tail.fd >= 0 && source->tail.unpack == NULL && !source->joined &&
            source->tail.identity.dev == dev)
            return true;
    return false;
}

/* Whether the name is one that a rotation gives; those of open files tell by their inodes that there is nothing to ask. */
static bool may_be_asked(const struct cw_sources *sources, const char *path, size_t folder_len,
                         uint64_t dev, uint64_t ino)
{
    return (cw_unpack_stem(cw_str_of(path + folder_len)).len > 0 ||
            cw_rotated_logs(path, on_any_log, NULL)) &&
           !is_open_source(sources, dev, ino);
}

/* In one tick a program makes so many files only if it unpacks an archive, and these have older times. */
enum { STRANGERS_MAX = 256 };

static void stranger_note(struct cw_sources_scan *scan, const char *path, uint64_t ino)
{
    struct cw_sources *sources = scan->sources;
    if (!cw_sources_file_is_new(path, scan->now_ns - CW_SOURCES_LOOK_MARGIN_NS, scan->now_ns) ||
        sources->nstrangers == STRANGERS_MAX)
        return;
    if (sources->strangers == NULL)
        sources->strangers = cw_mem_array(STRANGERS_MAX, sizeof *sources->strangers);
    sources->strangers[sources->nstrangers++] = ino;
    sources->strangers_ns = scan->now_ns;
}

static bool is_stranger(const struct cw_sources *sources, uint64_t ino)
{
    for (size_t i = 0; i < sources->nstrangers; i++)
        if (sources->strangers[i] == ino)
            return true;
    return false;
}

/* Whether a target has the file by its own name. A compressed one only if it unpacks what it matches: else that has no text. */
static bool is_read_by_name(const struct cw_sources *sources, const char *path, bool packed)
{
    const struct cw_target *target = cw_sources_target_of(sources, path);
    return target != NULL && (!packed || target->unpack);
}

/* Returns whether it is to be asked about again. */
static bool file_look(struct cw_sources_scan *scan, const char *path, size_t folder_len,
                      uint64_t ino)
{
    struct cw_sources *sources = scan->sources;
    char stem[PATH_MAX];
    struct cw_str name = cw_unpack_stem(cw_str_of(path + folder_len));
    struct arrival arrival = {.scan = scan, .path = path, .packed = name.len > 0};
    if (!cw_sources_file_is_new(path, sources->looked_ns, scan->now_ns) ||
        is_stranger(sources, ino) || is_source(sources, path, ino) ||
        is_read_by_name(sources, path, arrival.packed))
        return false;
    if (!arrival.packed) {
        (void)cw_rotated_logs(path, on_log, &arrival);
        return arrival.waits && !is_source(sources, path, ino);
    }
    snprintf(stem, sizeof stem, "%.*s%.*s", (int)folder_len, path, CW_STR_ARG(name));
    (void)on_log(&arrival, stem);
    (void)cw_rotated_logs(stem, on_log, &arrival);
    return false; /* its log is looked at until it is decided (sources_generations.c) */
}

/* Returns whether all of its files are decided. */
static bool folder_look(struct cw_sources_scan *scan, const char *folder, uint64_t dev)
{
    char path[PATH_MAX];
    size_t len = (size_t)snprintf(path, sizeof path, "%s/", strcmp(folder, "/") == 0 ? "" : folder);
    DIR *dir = len < sizeof path ? opendir(folder) : NULL;
    bool decided = dir != NULL;
    for (const struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        if ((entry->d_type != DT_REG && entry->d_type != DT_UNKNOWN) ||
            (size_t)snprintf(path + len, sizeof path - len, "%s", entry->d_name) >=
                sizeof path - len ||
            !may_be_asked(scan->sources, path, len, dev, entry->d_ino))
            continue;
        if (scan->sources->looked_ns == 0)
            stranger_note(scan, path, entry->d_ino);
        else
            decided &= !file_look(scan, path, len, entry->d_ino);
    }
    if (dir != NULL)
        closedir(dir);
    return decided;
}

/* A change that comes in the tick of the last one leaves the time as it is. */
static bool is_settled(const struct cw_sources_scan *scan, int64_t changed_ns)
{
    return changed_ns + cw_sources_tick_of(changed_ns) < scan->now_ns;
}

static void folder_pass(struct cw_sources_scan *scan, struct cw_looked_folder *folder)
{
    const struct cw_sources *sources = scan->sources;
    const struct cw_looked_folder *last = NULL;
    struct stat st;
    if (stat(folder->path, &st) < 0)
        return;
    int64_t changed_ns = st.st_mtim.tv_sec * CW_NS_PER_S + st.st_mtim.tv_nsec;
    if (sources->nlooked_folders > 0)
        last = bsearch(folder, sources->looked_folders, sources->nlooked_folders, sizeof *last,
                       by_path);
    bool known = sources->looked_ns > 0; /* else all of it is to be looked at yet */
    bool same = last != NULL && last->changed_ns == changed_ns;
    if (same ||
        (folder_look(scan, folder->path, st.st_dev) && known && is_settled(scan, changed_ns)))
        folder->changed_ns = changed_ns;
}

void cw_sources_unmet_find(struct cw_sources_scan *scan)
{
    struct cw_sources *sources = scan->sources;
    folders_sort(scan);
    if (sources->looked_ns > sources->strangers_ns)
        sources->nstrangers = 0;
    for (size_t i = 0; i < scan->nfolders; i++)
        folder_pass(scan, &scan->folders[i]);
    cw_sources_unmet_forget(sources);
    sources->looked_folders = scan->folders;
    sources->nlooked_folders = scan->nfolders;
    scan->folders = NULL;
    scan->nfolders = 0;
}
