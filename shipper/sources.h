/*
 * sources.h - the table of all sources, and the scans that keep it in step with the file system.
 *
 * A target is what a configuration asks for: a path pattern with labels. A scan walks the patterns:
 * a file that is known by its identity (whatever its name now) goes on where it was; another begins
 * a source of its own. A source that no pattern matches any more (renamed by a rotation, deleted)
 * is read to its end; one that was renamed while the shipper was down is looked for in its folder.
 * Several names of one file (links) are one source; of several targets that match it the first has
 * it. A file whose target is taken away is read to its end, or, if the target says so, to where that
 * was then; what is left in it is read when a target has it again.
 *
 * Ownership  The table owns sources and targets; both are told apart by pointer.
 * Threads    The loop's. A scan reads folders, and so may take as long as the disk does.
 */
#ifndef CW_SHIPPER_SOURCES_H
#define CW_SHIPPER_SOURCES_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/file_writer.h"
#include "common/labels/labels.h"
#include "common/metrics/metrics.h"
#include "shipper/glob.h"
#include "shipper/positions.h"
#include "shipper/source.h"
#include "shipper/tally_file.h"
#include "shipper/watch.h"

/* How long a file that was rotated away or deleted must be quiet before its last line, if it has no
 * newline, is taken as it is; and before it is closed (a program may go on to write to a renamed
 * file for a while). */
#define CW_SOURCES_FINAL_WAIT_NS (5 * CW_NS_PER_S)
#define CW_SOURCES_CLOSE_WAIT_NS (60 * CW_NS_PER_S)

struct cw_target {
    char *name;         /* the scrape config's job, or the container: for log lines */
    char *path;         /* what the user wrote, or the one file's; may be NULL */
    bool is_pattern;    /* of files that may not be there yet */
    char *exclude_path; /* may be NULL, as its pattern */
    struct cw_glob *glob, *exclude;
    /* Of each stream's lines; one heap block each (cw_labels_dup_heap). */
    struct cw_labels labels[CW_SOURCE_STREAMS];
    bool off[CW_SOURCE_STREAMS];             /* lines of this stream are left out */
    char *tenant;                            /* of its entries; NULL: each client's own */
    struct cw_stages *stages;                /* what its lines go through; borrowed, NULL: none */
    const struct cw_text_encoding *encoding; /* of its lines; borrowed, NULL: not configured */
    enum cw_source_format format;
    bool unpack; /* compressed files that match are read, when they were not written for so long */
    int64_t unpack_delay_ns;
    enum cw_codec unpack_format; /* cw_unpack_codec_of() */
    bool named;                  /* one file, which is missed if it is not there */
    bool ends_removed;           /* when it is removed, its files end where they are then */
    bool add_filename;           /* Docker's own files are nobody's business */
};

/* A client, for one tenant: each has a row in every source's ledger. */
struct cw_output {
    char *client;     /* its name */
    char *tenant;     /* "": what names no tenant, or the client's own; NULL: all (a dry run) */
    char *own_tenant; /* the client's; "": none */
    bool vacant;      /* it left: its rows are off, the next one to come has them */
    bool gave_up;     /* a run with --once ends without it */
    size_t next;      /* of the active sources, where its next batch begins */
    /* It filled a batch alone and has more: it goes on while no other is due. Borrowed, may be NULL. */
    struct cw_source *greedy;
};

struct cw_sources_options {
    struct cw_metrics *metrics; /* borrowed */
    struct cw_watch *watch;     /* borrowed; NULL: polling only */
    bool from_end;              /* what is there at the first scan is not read */
    bool only_public;           /* nor are files that not every user of the machine may read */
    bool once;                  /* every file that is quiet ends where it is */
    const char *unpack_folder;  /* takes what is unpacked; borrowed, NULL: nothing is */
    /* What the positions say of compressed generations (positions.h); 0: this is the first start. */
    int64_t looked_ns;
    size_t max_open;       /* descriptors that files may take; 0: any number */
    int64_t final_wait_ns; /* CW_SOURCES_FINAL_WAIT_NS but in tests and with `once` */
    const struct cw_promtail_position *imported; /* where unknown files begin, by path; copied */
    size_t nimported;
    /* Paths that begin so are our positions and spools: only a target of format CW_SOURCE_SPOOL has
     * them. Borrowed, may be NULL. */
    const char *own_files;
    /* A source's entries are for this tenant: see to its outputs. May be NULL: all outputs take it. */
    bool (*on_tenant)(void *arg, struct cw_str tenant);
    void *arg;
};

struct cw_sources {
    struct cw_sources_options options;
    struct cw_source **items;
    struct cw_tally *forgotten; /* the tallies of sources that are gone, added up */
    size_t n, cap;
    struct cw_target **targets;
    size_t ntargets, targets_cap;
    struct cw_output *outputs;
    size_t noutputs;
    size_t last_output; /* that cut a batch */
    /* A source or generation is not on disk yet: save the positions before the next push. */
    bool unsaved;
    bool dirty; /* names or the list changed since the positions were saved */
    /* All that may have something to read, and some that have no more; borrowed. */
    struct cw_source_list active;
    size_t nsettled; /* so many may have no more */
    /* Open files of which the kernel does not tell; borrowed. */
    struct cw_source_list polled;
    bool polled_grew;
    bool any_changed; /* a source is, and waits for its pushes to end */
    bool deferred;    /* a file was not opened, there are no more descriptors: scan again soon */
    bool blind;       /* the kernel does not tell of some folder: it must be looked through */
    bool
        next_due; /* a compressed file waits for its turn alone: scan again when `unpacking` is NULL */
    unsigned nunsure;      /* scans in a row that were not sure of some file */
    int64_t looked_ns;     /* as positions.h says; saved with the sources */
    int64_t scan_began_ns; /* the last one, by the wall clock; 0: none */
    int64_t began_mono_ns; /* the first one */
    int64_t
        waits_since_ns;  /* when the oldest compressed file was born that waits; INT64_MAX: none */
    uint64_t nsaves;     /* of positions; what may be confirmed changes with each */
    int64_t wait_max_ns; /* of stages, for more lines of an entry; INT64_MAX: as long as they say */
    bool scanned;
    /* the rest is the scan's and sources_active.c's */
    struct cw_source_list touched;
    struct cw_source **watches; /* open addressing over the watch's number */
    size_t watches_size;
    bool watches_stale;
    /* Of looks at all: each file has its turn after CW_SOURCES_ROUNDS, and lets it pass if it was looked at since the last one. */
    unsigned round;
    size_t nopen, sleep_hand;
    bool short_of_room;          /* told */
    struct cw_source *unpacking; /* one at a time: a decoder takes memory */
    bool turn_wanted;            /* another waits for its turn */
    size_t nresting;             /* that gave theirs to others (cw_unpack_rest()) */
    int64_t rest_looked_ns;
    uint64_t scan_number;
    struct cw_source **index, **by_path; /* open addressing over inode, paths; may be NULL */
    size_t index_size, nindexed, by_path_size, npaths;
    /* Logs that were rotated, or may have been (sources_generations.c); owned. */
    struct cw_rotated_log {
        char *path;
        bool ever;  /* their compressed generations of any age are wanted */
        bool unmet; /* no source is theirs */
    } * rotated_logs;
    size_t nrotated_logs, rotated_logs_cap;
    /* Folders in which targets' files may be, by path (sources_unmet.c); owned. */
    struct cw_looked_folder {
        char *path;
        int64_t changed_ns; /* its time of the last change when all in it was met; 0: not known */
    } * looked_folders;
    size_t nlooked_folders;
    uint64_t *strangers; /* inodes of what was there before the very first scan, but seems new */
    size_t nstrangers;
    int64_t strangers_ns; /* when that scan began */
    struct cw_held_file { /* deleted, and waits for its target (sources_held.c) */
        int fd;
        struct cw_file_identity identity;
    } * held;
    size_t nheld;
    struct cw_rename {
        char *from, *to;
    } * renames;
    size_t nrenames;
    uint64_t own_dev[2], own_ino[2]; /* where our own stdout and stderr go */
    char **unreadable;               /* paths told once */
    size_t nunreadable;
    size_t nleft_out; /* by the last scan: what could not be read */
    size_t nmissing;  /* targets' named files at the first scan */
    size_t ndamaged;  /* compressed files, some of whose text is lost */
};

struct cw_sources *cw_sources_new(const struct cw_sources_options *options);
void cw_sources_free(struct cw_sources **sources);
/* What promtail's positions say of a journal's job or of a container, at the very first start; empty: nothing. Borrowed. */
struct cw_str cw_sources_promtail_cursor(const struct cw_sources *sources, struct cw_str name);
/* The same of a file's offset; 0: nothing. */
uint64_t cw_sources_promtail_offset(const struct cw_sources *sources, const char *path);
/* Before the first scan: a source that the positions file knows. */
void cw_sources_restore(struct cw_sources *sources, const struct cw_position *position);
/* At a reload: deleted files of which something is unsettled stay open for the program that is started in our process. */
void cw_sources_held_leave(struct cw_sources *sources);
/* Behind _restore: those that the program before us left. */
void cw_sources_held_find(struct cw_sources *sources);
/* One more output, with a row in every source; its number, the smallest that is free. A tenant without text (ptr NULL): all. */
size_t cw_sources_output_add(struct cw_sources *sources, struct cw_str client, struct cw_str tenant,
                             struct cw_str own_tenant);
/* No entry that was met so far waits for it, stores were told that they may forget its marks, and all sources that it has to
 * itself are gone. If it reads no further, others meet what comes for it. */
bool cw_sources_output_idle(const struct cw_sources *sources, size_t output);
/* All outputs have settled what it has: without it positions are no smaller. */
bool cw_sources_output_passed(const struct cw_sources *sources, size_t output);
/* It leaves. All others have passed it, and no batch is its. */
void cw_sources_output_vacate(struct cw_sources *sources, size_t output);
/* There is room for outputs again: what waits for that is looked at. */
void cw_sources_outputs_retry(struct cw_sources *sources);
/* Whether entries that name `tenant` (empty: none) are for that output. */
bool cw_output_takes(const struct cw_output *output, struct cw_str tenant);
/* Takes the target; open files whose target is gone are its, if it matches them. */
void cw_sources_target_add(struct cw_sources *sources, struct cw_target *target);
/* Its files are the next target's that matches them, with its labels, or are read to their ends (ends_removed: as they are now). */
void cw_sources_target_remove(struct cw_sources *sources, struct cw_target *target);
/* `target` becomes what `*fresh` is, with the same files: they go on with other labels. Frees *fresh. */
void cw_sources_target_update(struct cw_sources *sources, struct cw_target *target,
                              struct cw_target **fresh);
void cw_target_free(struct cw_target **target);
/* A rename was seen: if `from` is matched by a target, `to` belongs to it although its name does
 * not. */
void cw_sources_renamed(struct cw_sources *sources, const char *from, const char *to);
/* Walk all patterns, find what moved, close what is done. */
void cw_sources_scan(struct cw_sources *sources, int64_t now_ns, int64_t now_mono_ns);
/* Whether a target may match this path, or one below it. */
bool cw_sources_may_match(const struct cw_sources *sources, const char *path);
/* The kernel told of the file with this number of cw_watch_file(). */
void cw_sources_touched(struct cw_sources *sources, int number, enum cw_touch how);
#define CW_SOURCES_ROUNDS 5
enum cw_sources_which {
    CW_SOURCES_TOUCHED,     /* of which the kernel told; these always */
    CW_SOURCES_POLLED = 1,  /* of which it does not tell, as of the last WAITING */
    CW_SOURCES_WAITING = 2, /* with something to wait for, and of the rest some each time */
    CW_SOURCES_ALL = 3
};
/* Look at the sizes of open files, raise generations, finish what is quiet. `which` is a set. */
void cw_sources_refresh(struct cw_sources *sources, unsigned which, int64_t now_ns,
                        int64_t now_mono_ns);
/* As the positions file has them: the tenants, each once (borrowed, in an array of the arena), and the i-th source; borrows paths. */
void cw_sources_tenants(const struct cw_sources *sources, struct cw_arena *arena,
                        struct cw_positions *out);
struct cw_position cw_sources_position(const struct cw_sources *sources, size_t i);
/* All that these say now is on disk. */
void cw_sources_saved(struct cw_sources *sources);
/* The ledger (tally_file.h): written whole, restored after the positions were. What it cannot read is left out. */
void cw_sources_tallies_write(struct cw_sources *sources, struct cw_file_writer *out);
/* It is on disk, as it is now. */
void cw_sources_tallies_saved(struct cw_sources *sources);
/* Whether it would say something new: with a client that is slower than others counts go on where positions stay. */
bool cw_sources_counted(const struct cw_sources *sources);
int cw_sources_tallies_restore(struct cw_sources *sources, struct cw_str bytes,
                               struct cw_err *err) CW_MUST_USE;
/* Bytes of a source that nobody will read, though some were: they were not delivered. NULL: of a file that was never met. */
void cw_sources_count_gap(struct cw_sources *sources, struct cw_source *source, uint64_t from,
                          uint64_t to, struct cw_str why);
/* Whether the positions would say something new. */
bool cw_sources_dirty(const struct cw_sources *sources);
/* What a target was to have and was not read, of which was told: files that may not be read, are not there, or are damaged. */
size_t cw_sources_left_out(const struct cw_sources *sources);
/* With `once`: all that was there when it was found is settled, for the outputs that have not given up. */
bool cw_sources_goal_reached(const struct cw_sources *sources);
bool cw_sources_all_gave_up(const struct cw_sources *sources);
/* The shipper is to stop: what is in open files now is the goal. What stages join in a file is waited for until that is quiet for
 * `wait_max_ns`, however long the stages would wait. */
void cw_sources_drain(struct cw_sources *sources, int64_t wait_max_ns);
/* All of that is settled, but for last lines without a newline. */
bool cw_sources_drained(const struct cw_sources *sources);
/* Where in the list of active sources that one is; false: it is not. */
bool cw_sources_active_find(const struct cw_sources *sources, const struct cw_source *source,
                            size_t *at);
/* Unpack a little more of compressed files. Whether to come again at once. */
bool cw_sources_unpack(struct cw_sources *sources, int64_t now_ns);
/* Bytes that are not settled. */
uint64_t cw_sources_lag(const struct cw_sources *sources);

#endif
