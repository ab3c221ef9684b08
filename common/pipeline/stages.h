/*
 * stages.h - promtail's pipeline_stages: what happens to an entry between its source and the batch.
 *
 * Stages are compiled once from the configuration (stage_config.h). A run takes the entries of one source, in order, and emits
 * what became of them. A stage may keep entries back until more of them were fed (multiline, partial lines of CRI); a run tells
 * from which offset on it is unfinished, and ends it on demand.
 *
 * Names      An entry's *extracted* values are what stages parsed out of it, by name; at first they are the labels that it was fed
 *            with.
 * Ownership  What is fed is borrowed until the run's last call, what an entry holds when it is emitted lives there or in the run's
 *            arena. Labels are never changed in place: a stage that changes them copies them into the arena first.
 * Again      An entry may be fed several times (a batch is cut again): what is counted, or is a token of a limit, is so only where
 *            `counting` is set. Nothing is drawn by chance: sampling hashes the seed of the source and the entry's offset.
 * Threads    Compiled stages keep what outlives a run (buckets of limits, counters, the memory of templates): one run of them
 *            at a time.
 * Errors     Of the compile: CW_E_INVALID. At run time there are none: an entry that a stage cannot make sense of goes on as it is.
 */
#ifndef CW_PIPELINE_STAGES_H
#define CW_PIPELINE_STAGES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/base/str.h"
#include "common/config/schema.h"
#include "common/labels/labels.h"

struct cw_stages;
struct cw_stages_run;
struct cw_stages_host; /* what of the program some stages count in; NULL: nothing */

struct cw_stage_entry {
    int64_t ts_ns;
    struct cw_str line;
    const struct cw_label *labels; /* sorted by name, unique, no empty values */
    size_t nlabels;
    const struct cw_label *metadata; /* structured metadata: likewise */
    size_t nmetadata;
    struct cw_str tenant; /* empty: the output's own */
    uint64_t from, to;    /* offsets of its bytes in the source */
    bool counting;        /* the first passage */
    bool labels_changed;  /* they are not the ones that were fed */
    bool redacted;        /* something in it was hidden */
};

/* What a timestamp stage's fudge goes on from: the last time of each set of labels that the stage met, the latest first. */
struct cw_stage_times {
    struct cw_stage_time {
        uint64_t key;              /* of stage and labels */
        int64_t read_ns, given_ns; /* as the line said it; and as its entry has it */
    } * items;
    size_t n;
};
/* So many are remembered: a file's lines have few sets of labels, those of a receiver's senders may have many. They are looked for
 * one by one, and each source keeps its own. */
enum { CW_STAGE_TIMES_MAX = 256 };

struct cw_stages_run_options {
    struct cw_arena *arena;
    uint64_t seed;               /* of the source */
    int64_t now_ns;              /* wall time */
    struct cw_stage_times times; /* cw_stages_times() behind what is ahead in the source; copied */
    uint64_t emitted_to; /* entries that begin ahead of it were emitted before, and counted */
    /* `entry` is copied by whoever keeps it; what it points to lives as long as the run's arena. */
    void (*emit)(void *arg, const struct cw_stage_entry *entry);
    /* A stage dropped the entry; may be NULL. `reason` lives as long as the stages. */
    void (*dropped)(void *arg, const struct cw_stage_entry *entry, struct cw_str reason);
    /* What each stage did; may be NULL. `depth` counts the match stages around it. `before` NULL: the stage made the entry out of what
     * it held; `after` NULL: it was dropped, or is held. */
    void (*trace)(void *arg, size_t depth, struct cw_str stage, const struct cw_stage_entry *before,
                  const struct cw_stage_entry *after);
    /* When the bytes ahead of an offset of the source were there first (wall time). For cw_stages_flush_quiet() only. */
    int64_t (*seen_ns)(void *arg, uint64_t to);
    void *arg;
};

/* `configs` are struct cw_stage_config, borrowed until the stages are freed. `host` is borrowed likewise. */
int cw_stages_new(const struct cw_config_tables *configs, struct cw_stages_host *host,
                  struct cw_stages **out, struct cw_err *err) CW_MUST_USE;
void cw_stages_free(struct cw_stages **stages);
/* Why a stage does nothing, whatever comes: the first such one that no other nests. NULL: all may do something. */
const char *cw_stages_idle(const struct cw_stages *stages);
/* After how long without a new line what is unfinished is to be ended (the longest max_wait_time); 0: nothing ever waits. */
int64_t cw_stages_wait_ns(const struct cw_stages *stages);
/* Whether an entry's tenant may be another than the one that it was fed with. */
bool cw_stages_sets_tenant(const struct cw_stages *stages);

/* Whether the time that it gives an entry may depend on those of entries ahead of it. */
bool cw_stages_keep_time(const struct cw_stages *stages);

/* What rules of redact stages found in entries that counted; `left`: in a stage with dry_run, which leaves it there. */
void cw_stages_findings(const struct cw_stages *stages,
                        void (*fn)(void *arg, struct cw_str rule, uint64_t n, bool left),
                        void *arg);

/* In the options' arena; it ends with it, or with a next one of the same stages. The options are copied. */
struct cw_stages_run *cw_stages_begin(struct cw_stages *stages,
                                      const struct cw_stages_run_options *options);
void cw_stages_feed(struct cw_stages_run *run, const struct cw_stage_entry *entry);
/* The times behind the entries that begin ahead of `to`. In the run's arena. */
struct cw_stage_times cw_stages_times(const struct cw_stages_run *run, uint64_t to);
/* The smallest `from` of what was fed and neither emitted nor dropped; UINT64_MAX: there is none. */
uint64_t cw_stages_unfinished(const struct cw_stages_run *run);
/* End what is unfinished, as the file was quiet for so long, or is complete. */
void cw_stages_flush(struct cw_stages_run *run);
/* End what is unfinished and got no line for as long as its stage waits, though others of the file go on. Wants seen_ns. */
void cw_stages_flush_quiet(struct cw_stages_run *run);
/* Of what was fed and counts: lines that went into the entry of one ahead of them (multiline, CRI's parts), and entries beyond the
 * one that a line is (split_json). */
struct cw_stage_counts {
    uint64_t joined, made;
};
struct cw_stage_counts cw_stages_counts(const struct cw_stages_run *run);
/* A limit without `drop` lets no more through: the first entry that it held back is unfinished, and what is fed
 * from now on is not looked at. It is to be fed again, in a new run, after so many nanoseconds. 0: no limit holds back. */
int64_t cw_stages_blocked_ns(const struct cw_stages_run *run);

/* The i-th extracted value of an entry that `emit` or `dropped` is given, or `trace` as `after`, during that call; false behind the last.
 * The text of a null has no pointer. */
bool cw_stages_extracted(const struct cw_stages_run *run, const struct cw_stage_entry *entry,
                         size_t i, struct cw_str *name, struct cw_str *value);

#endif
