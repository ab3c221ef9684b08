/*
 * watch.h - hear from the kernel that files grew or that names in folders changed: one inotify
 * descriptor on the loop.
 *
 * What it says are hints: the sources are looked at again, and polling (tick) finds whatever
 * inotify does not tell (network file systems, watches over the user's limit). Busy files do not
 * wake the program more often than each CW_WATCH_PAUSE_MS.
 *
 * Ownership  Names given to callbacks are borrowed until they return.
 * Errors     CW_E_IO: no inotify here; the program goes on by polling.
 */
#ifndef CW_SHIPPER_WATCH_H
#define CW_SHIPPER_WATCH_H
#include <stdbool.h>
#include <uv.h>
#include "common/base/err.h"

#define CW_WATCH_PAUSE_MS 20

struct cw_watch;

struct cw_watch_events {
    /* Whole paths, in the order of events. */
    void (*on_renamed)(void *arg, const char *from, const char *to);
    /* A name came or went; says whether that matters. */
    bool (*on_name)(void *arg, const char *path);
    /* A file (the number of cw_watch_file()) was written and no more, or (not `written`) its names changed. */
    void (*on_file)(void *arg, int number, bool written);
    /* After all events that mattered: whether names changed (or events were lost). */
    void (*on_change)(void *arg, bool names);
    void *arg;
};

int cw_watch_open(uv_loop_t *loop, const struct cw_watch_events *events, struct cw_watch **out,
                  struct cw_err *err) CW_MUST_USE;
/* Folders are looked through: those that are not watched (again) until cw_watch_dirs_end() are watched no longer. */
void cw_watch_dirs_begin(struct cw_watch *watch);
void cw_watch_dirs_end(struct cw_watch *watch);
/* Watch the names in a folder; again is fine. False when the kernel does not tell of all changes: it
 * gives no more watches, or others write there too (a network's file system, an overlay). */
bool cw_watch_dir(struct cw_watch *watch, const char *path);
/* The same for a folder in which a link ends: all names in it matter, whatever on_name would say. */
bool cw_watch_dir_of_link(struct cw_watch *watch, const char *path);
/* Watch the contents of an open file, also after it was closed. Returns its number, or -1: it must
 * be polled. */
int cw_watch_file(struct cw_watch *watch, int fd);
void cw_watch_forget(struct cw_watch *watch, int number);
/* No callback comes any more; it frees itself when the loop has run. NULL is fine. */
void cw_watch_close(struct cw_watch **watch);

#endif
