/*
 * sources_priv.h - what sources.c (the table), sources_scan.c (the folders; its parts have
 * sources_scan.h), sources_copy.c (what copytruncate copies) and sources_generations.c (what was compressed) have in common.
 */
#ifndef CW_SHIPPER_SOURCES_PRIV_H
#define CW_SHIPPER_SOURCES_PRIV_H
#include "shipper/sources.h"

/* Renames between two scans; more than this many at once come from no rotation. */
#define CW_SOURCES_RENAMES_MAX 256
/* What was born or written that long before a look began may have come behind it: the times of files lag behind the clock, by the
 * kernel's tick (10 ms at most) and by what a file server's clock differs. */
#define CW_SOURCES_LOOK_MARGIN_NS (50 * CW_NS_PER_MS)
/* A compressed file that did not change for so long beside a file with the same text is no rotation under way, but a copy. */
#define CW_SOURCES_COPY_NS (60 * CW_NS_PER_S)
/* How long after a start the target of a log may be awaited in which something was rotated (containers are discovered). */
#define CW_SOURCES_TARGET_WAIT_NS (600 * CW_NS_PER_S)
/* Paths that cannot be read are told once each, up to this many. */
#define CW_SOURCES_UNREADABLE_MAX 1000

/* Whether the target may have this path at all: our own files are for the spools' targets alone. */
bool cw_sources_may_have(const struct cw_sources *sources, const struct cw_target *target,
                         const char *path);
/* The first target that matches, or NULL. */
const struct cw_target *cw_sources_target_of(const struct cw_sources *sources, const char *path);
/* Whether the target leaves the path out. What one leaves out may be another's (of two jobs with one log). */
bool cw_sources_is_excluded(const struct cw_target *target, const char *path);
/* All folders are looked through again (sources_unmet.c). */
void cw_sources_unmet_forget(struct cw_sources *sources);
/* The texts of the source's streams, for each output. */
void cw_sources_labels_set(struct cw_sources *sources, struct cw_source *source,
                           const struct cw_target *target);
/* Which outputs it is for. */
void cw_sources_rows_set(const struct cw_sources *sources, struct cw_source *source);
/* Its entries' tenant is met: there is an output for it, if there is room. */
void cw_sources_tenant_meet(struct cw_sources *sources, struct cw_source *source);
/* How many bytes of the path are its folder, the slash included. */
size_t cw_sources_folder_len(const char *path);
void cw_sources_index_build(struct cw_sources *sources);
void cw_sources_index_put(struct cw_sources *sources, struct cw_source *source);
/* Its inode is another now. */
void cw_sources_index_reidentified(struct cw_sources *sources, struct cw_source *source);
/* Its path is another now. */
void cw_sources_index_moved(struct cw_sources *sources, struct cw_source *source);
/* The next source with this inode, of any device; start with *at = SIZE_MAX. */
struct cw_source *cw_sources_index_next(const struct cw_sources *sources, uint64_t ino, size_t *at);
/* The next source that was first or last seen there, or first seen as a numbered generation of that log (app.log.1), perhaps more than
 * once; start with *at = SIZE_MAX, and add no source on the way. */
struct cw_source *cw_sources_path_next(struct cw_sources *sources, const char *path, size_t *at);
/* Before the first scan and in each: deleted files that the program before a reload left open (sources_held.c) are opened as soon
 * as their targets are there. */
void cw_sources_held_take(struct cw_sources *sources, int64_t now_ns, int64_t now_mono_ns);
/* Whether its file waits there. */
bool cw_sources_is_held(const struct cw_sources *sources, const struct cw_source *source);
void cw_sources_held_close(struct cw_sources *sources);
/* Takes the source. */
void cw_sources_add(struct cw_sources *sources, struct cw_source *source);
/* Free it; what it counted stays. */
void cw_sources_forget(struct cw_sources *sources, struct cw_source **source);
void cw_source_list_add(struct cw_source_list *list, struct cw_source *source);
/* It is about to be freed. */
void cw_sources_active_forget(struct cw_sources *sources, struct cw_source *source);
/* It is to be looked at in the next refresh. */
void cw_sources_touch(struct cw_sources *sources, struct cw_source *source);
/* Find those of which the kernel does not tell. */
void cw_sources_polled_list(struct cw_sources *sources);
/* Its size or what is settled of it may have changed. */
void cw_sources_activate(struct cw_sources *sources, struct cw_source *source);
void cw_sources_active_sweep(struct cw_sources *sources);
/* Open a file to read it, unpacked if it is compressed and no other is unpacked now. */
int cw_sources_tail_open(struct cw_sources *sources, const struct cw_target *target,
                         struct cw_tail *tail, const char *path, struct cw_err *err) CW_MUST_USE;
/* Whether the file is compressed: as its target says, else by its name and its first bytes. `target` may be NULL. */
bool cw_sources_is_packed(const struct cw_target *target, const char *path);
/* Find the compressed copy of what a truncated log held, born later than that; *identity is its, with the prefix of its text. */
bool cw_sources_packed_copy(struct cw_sources *sources, const struct cw_source *source,
                            int64_t born_after_ns, char *path, size_t size,
                            struct cw_file_identity *identity);
/* At the end of this scan compressed generations of that log are looked for (sources_generations.c). */
enum cw_sources_since {
    CW_SOURCES_SINCE_LOOK, /* those that are younger than looked_ns */
    CW_SOURCES_SINCE_EVER, /* all: nobody has read the log before, and what was before is wanted */
    CW_SOURCES_UNMET       /* as _LOOK, though no source is the log's */
};
void cw_sources_rotated_log(struct cw_sources *sources, const char *log,
                            enum cw_sources_since since);
/* Look for them: sources that vanished go on in theirs, others become new sources. All sources that a scan can know are known,
 * and none is freed on the way; those that stay `vanished` have no compressed file. */
void cw_sources_generations_look(struct cw_sources *sources, int64_t now_ns, int64_t now_mono_ns);
/* All that was made until a look that began at now_ns is in sources, unless some is undecided. */
void cw_sources_generations_looked(struct cw_sources *sources, int64_t now_ns);
/* Whether the file was born and written since then (looked_ns), as far as the file system tells. */
bool cw_sources_file_is_new(const char *path, int64_t since_ns, int64_t now_ns);
/* Whether the file was written before it was born: a copy with its original's time (cp -p, tar, rsync), as no log is. */
bool cw_sources_file_is_dated_back(const char *path);
/* A time of a file without a fraction is taken for one of a file system that counts whole seconds (ext3), or pairs (vfat): what
 * happened may be that much later than the time, else the margin. */
int64_t cw_sources_tick_of(int64_t file_time_ns);
/* Whether a source whose file is compressed and read must be remembered: without it the file might be taken for one that nobody
 * has met, or for what another source's file became; or nothing would be known of its log. */
bool cw_sources_generation_needed(struct cw_sources *sources, const struct cw_source *source);
/* Of a compressed file: what follows is lost. */
void cw_sources_damage_tell(struct cw_sources *sources, const struct cw_tail *tail,
                            const char *path, const struct cw_err *err);
/* Whether the text of the tail begins as the source's file did. */
bool cw_sources_text_is_of(const struct cw_tail *tail, const struct cw_source *source);
/* Whether the file is a source's. */
bool cw_sources_has_file(const struct cw_sources *sources, const struct cw_file_identity *identity);
/* Whether every user may read it: the file itself, and each folder on the way entered. */
bool cw_sources_is_public(const char *path);
/* A file that is no source's is one from now on; takes the tail. `path` is where it is, `named` what people call it. */
struct cw_source *cw_sources_begin(struct cw_sources *sources, const struct cw_target *target,
                                   struct cw_tail *tail, const char *path, const char *named,
                                   int64_t now_ns, int64_t now_mono_ns);
/* A source whose file is not open goes on in this one, as it was or in another place; takes the tail. Without a target (NULL, and
 * none matches its path) the tail is closed. */
void cw_sources_reopen(struct cw_sources *sources, const struct cw_target *target,
                       struct cw_source *source, struct cw_tail *tail, const char *path,
                       int64_t now_ns, int64_t now_mono_ns);
/* Its file is at another path now. */
void cw_sources_moved(struct cw_sources *sources, struct cw_source *source, const char *path);
/* Whether one more file may be opened; some that rest are closed for it. */
bool cw_sources_room(struct cw_sources *sources);
/* A source that rests without a descriptor was touched. */
void cw_sources_wake(struct cw_sources *sources, struct cw_source *source, int64_t now_ns,
                     int64_t now_mono_ns);
/* It was opened: hear of its growth. */
void cw_sources_watch(struct cw_sources *sources, struct cw_source *source);
/* Look at an open file: its size, and, when it changed in a way that reading alone would not show,
 * its first bytes. Sets source->changed. */
void cw_sources_look(struct cw_sources *sources, struct cw_source *source);
/* Look at an open file by its first bytes whatever it seems: whether it was truncated. Sets source->changed. */
bool cw_sources_replaced(struct cw_sources *sources, struct cw_source *source);
/* A source whose file was truncated. If a copy of what it held is in its folder, the source goes on
 * there as one that was renamed would, under its id and marks, and a new source begins in the file;
 * both become durable with one save. Otherwise its generation is raised, once no push that names it
 * is under way, and what is lost is counted. The table may grow; its index is made anew. */
void cw_sources_truncated(struct cw_sources *sources, struct cw_source *source, int64_t now_ns,
                          int64_t now_mono_ns);
/* Contents of a log that come to notice now were not there at the last look: no copy of them is older. At the very first look none
 * is older than that but for the kernel's tick: what was copied before is not asked about. */
int64_t cw_sources_contents_since(const struct cw_sources *sources, int64_t now_ns);
/* Whether an open file that is no source (just opened as `tail` at `path`) is a copy, perhaps not
 * complete, of a log that is one: it is not read by itself. */
bool cw_sources_is_copy(struct cw_sources *sources, const struct cw_tail *tail, const char *path,
                        int64_t now_ns, int64_t now_mono_ns);
void cw_sources_renames_clear(struct cw_sources *sources);

#endif
