/*
 * sources_scan.h - what one scan (sources_scan.c) knows, for its parts: sources_siblings.c, sources_unmet.c.
 */
#ifndef CW_SHIPPER_SOURCES_SCAN_H
#define CW_SHIPPER_SOURCES_SCAN_H
#include "shipper/sources_priv.h"

struct cw_sources_scan {
    struct cw_sources *sources;
    const struct cw_target *target;
    int64_t now_ns, now_mono_ns;
    size_t nunreadable, nmatched;
    size_t nclosed;              /* sources whose files are not open: new files may be theirs */
    unsigned nvain;              /* of cw_folder_search() */
    struct cw_source_list begun; /* by this scan, none by the very first */
    struct cw_looked_folder *folders; /* in which targets' files may be; owned */
    size_t nfolders, folders_cap;
    bool unsure; /* whether a source has a file is not known: the next scan looks again */
};

/* A file at `path` that belongs to scan->target, known to people as `named`. */
void cw_sources_file_found(struct cw_sources_scan *scan, const char *path, const char *named);
/* At the first scan for what the positions file knows, later for what was rotated; and for what was begun. */
void cw_sources_siblings_find(struct cw_sources_scan *scan);
/* Of the sources that were first seen at that path and are there no longer, the oldest; NULL: there is none. What was born behind it
 * came when the log was followed, and has a source if it was ever met. (What is in its place tells nothing: copies that were made
 * before we knew it are younger.) */
const struct cw_source *cw_sources_oldest_rotated(struct cw_sources *sources, const char *path);
/* Whether the path may be another generation of that source's log. One that is rotated as app.log.1 is not as app-1.log too: that is
 * a log of its own. */
bool cw_sources_is_named_alike(const struct cw_source *rotated, const char *path);
/* Of a log of which no rotation is known: app.log.1 and app.log-20260105, but not app-1.log, nor worker-2 for a log "worker". */
bool cw_sources_is_named_first(const char *log, const char *path);
/* Whether a file with the name of a generation is a copy that somebody made of one, with its time: no log that was renamed is older than
 * its birth. What is copied to be truncated may be; then the log is in its place. */
bool cw_sources_is_backup(const char *log, const char *path);
/* Whether the file at `path` was born behind the source's. Births are told to a tick of the kernel, of some ms: of two in one it is
 * the younger if it came since the last look and has a name that is a rotation's without doubt. */
bool cw_sources_is_younger(const struct cw_sources_scan *scan, const char *path,
                           const struct cw_source *than);
/* A folder was met in which targets' files may be. */
void cw_sources_unmet_folder(struct cw_sources_scan *scan, const char *path);
/* What is in these folders is looked through: new files of logs that have none in their place. Ends with the list of them. */
void cw_sources_unmet_find(struct cw_sources_scan *scan);

#endif
