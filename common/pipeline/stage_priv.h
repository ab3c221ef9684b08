/*
 * stage_priv.h - what a stage is made of. Each is defined in stage_<name>.c, and a row of the table in stages.c.
 *
 * Extracted values whose names the configuration says are numbered when the stages are compiled (slots); only names that lines
 * bring up (json and logfmt with `regex`) are looked up by text.
 */
#ifndef CW_PIPELINE_STAGE_PRIV_H
#define CW_PIPELINE_STAGE_PRIV_H
#include "common/pipeline/stage_config.h"
#include "common/pipeline/stages.h"

enum cw_extracted_kind {
    CW_EXTRACTED_UNSET, /* then a label that the entry was fed with counts */
    CW_EXTRACTED_GONE,  /* it was, and was taken away */
    CW_EXTRACTED_NULL,  /* there, but no text */
    CW_EXTRACTED_TEXT,
    CW_EXTRACTED_NUMBER, /* the text is as Go prints it */
    CW_EXTRACTED_BOOL,
};
struct cw_extracted {
    enum cw_extracted_kind kind;
    struct cw_str text;
};
struct cw_extracted_other { /* a name without a slot */
    struct cw_str name;
    struct cw_extracted value;
};

/* Instead of a slot: the line itself. */
enum { CW_SLOT_LINE = UINT32_MAX };

/* An entry on its way. */
struct cw_stage_item {
    struct cw_stage_entry entry;
    uint64_t part; /* tells entries of the same bytes apart; 0 unless a stage made several of one */
    const struct cw_label *fed; /* the labels at first */
    size_t nfed;
    struct cw_extracted *slots;
    struct cw_extracted_other *others;
    size_t nothers, others_cap;
    /* Room in entry.labels and .metadata, when they are in the arena and not shared; else 0. */
    size_t labels_cap, metadata_cap;
};

struct cw_stage_node;
enum cw_stage_end {
    CW_STAGE_ON,   /* to the next stage */
    CW_STAGE_PAST, /* behind the stages that this one nests */
    CW_STAGE_GONE, /* dropped, or held by the stage, or sent on by cw_stage_pass() */
};

/* While stages are compiled. */
struct cw_stages_build {
    struct cw_stages *stages;
    struct cw_arena *arena; /* lives as long as the stages */
    unsigned depth;
};

struct cw_stage_def {
    /* Make *state of `config` (the member of struct cw_stage_config). On an error, `free` is called for a *state that was set. 1: err says
     * why the stage does nothing. */
    int (*compile)(struct cw_stages_build *build, const void *config, struct cw_stage_node *node,
                   struct cw_err *err);
    enum cw_stage_end (*run)(const struct cw_stage_node *node, struct cw_stages_run *run,
                             struct cw_stage_item *item);
    /* The others may be NULL. */
    void (*free)(void *state); /* what is not in the arena */
    void (*flush)(const struct cw_stage_node *node, struct cw_stages_run *run);
    /* The same, but for what got a line less than node->wait_ns ago. */
    void (*flush_quiet)(const struct cw_stage_node *node, struct cw_stages_run *run);
    uint64_t (*unfinished)(const struct cw_stage_node *node, const struct cw_stages_run *run);
    size_t run_bytes; /* of its state within a run, which begins zeroed */
};

struct cw_stage_node {
    const struct cw_stage_def *def;
    const char *name; /* as it is configured */
    void *state;
    size_t run_off;
    int64_t wait_ns; /* for more lines of an entry */
    size_t idx, end; /* of itself, and of the first node behind those that it nests */
    unsigned depth;
};

struct cw_stages {
    struct cw_arena *arena;
    struct cw_stages_host *host;
    struct cw_stage_node *nodes; /* nested ones follow the one that nests them */
    size_t nnodes, nodes_cap;
    struct cw_str *slot_names;
    size_t nslots, slots_cap;
    size_t run_bytes;
    int64_t wait_ns;
    bool sets_tenant;
    bool keeps_time;
    bool keeps_others; /* some stage reads names that none says */
    struct cw_err
        idle; /* the first stage that does nothing, none that is nested; code 0: all do something */
};

struct cw_stages_run {
    struct cw_stages *stages;
    struct cw_stages_run_options options;
    char *state; /* of the stages */
    struct cw_stage_times times;
    size_t times_cap;
    struct cw_stage_time_change { /* how they came to be what they are from options.times */
        uint64_t from;            /* of the entry */
        struct cw_stage_time time;
    } * changes;
    size_t nchanges, changes_cap;
    int64_t blocked_ns;
    uint64_t blocked_from;
    bool counting; /* the entry that is fed is fed the first time */
    struct cw_stage_counts counts;
    struct cw_extracted *slots; /* of the entry that is fed */
};

/* ---- compiling ---- */

/* The slot of that name; an empty name is the line. */
uint32_t cw_stage_slot(struct cw_stages_build *build, struct cw_str name);
/* Compile a list of stages (struct cw_stage_config) behind those that there are. */
int cw_stages_compile(struct cw_stages_build *build, const struct cw_config_tables *configs,
                      struct cw_err *err) CW_MUST_USE;

/* The node ends what it holds when nothing follows for so long. */
static inline void cw_stage_waits(struct cw_stages_build *build, struct cw_stage_node *node,
                                  int64_t wait_ns)
{
    node->wait_ns = wait_ns;
    if (wait_ns > build->stages->wait_ns)
        build->stages->wait_ns = wait_ns;
}

/* The state of a limit stage that takes its tokens from the host's bucket. */
struct cw_shared_limit;
void *cw_stage_limit_shared(struct cw_stages_build *build, struct cw_shared_limit *limit);

/* ---- running ---- */

static inline void *cw_stage_run_state(const struct cw_stage_node *node,
                                       const struct cw_stages_run *run)
{
    return run->state + node->run_off;
}
/* The last time under that key; NULL: there is none, or it is forgotten. Valid until the next cw_stage_time_put(). */
const struct cw_stage_time *cw_stage_time_find(const struct cw_stages_run *run, uint64_t key);
void cw_stage_time_put(struct cw_stages_run *run, const struct cw_stage_item *item,
                       struct cw_stage_time time);
/* Always CW_STAGE_GONE. */
enum cw_stage_end cw_stage_drop(struct cw_stages_run *run, const struct cw_stage_item *item,
                                struct cw_str reason);
/* The reason that is configured; an empty one is the stage's own. */
static inline struct cw_str cw_stage_reason(struct cw_str configured, const char *own)
{
    return configured.len > 0 ? configured : cw_str_of(own);
}
/* Send an item on to the stages behind `node`. */
void cw_stage_pass(const struct cw_stage_node *node, struct cw_stages_run *run,
                   struct cw_stage_item *item);
/* A copy that lives as long as the run. */
struct cw_stage_item *cw_stage_keep(struct cw_stages_run *run, const struct cw_stage_item *item);

/* The value, one of the labels at first included. */
struct cw_extracted cw_stage_get(const struct cw_stages_run *run, const struct cw_stage_item *item,
                                 uint32_t slot);
/* The text of the value, or of the line; false: there is none, or it is null. */
bool cw_stage_text(const struct cw_stages_run *run, const struct cw_stage_item *item, uint32_t slot,
                   struct cw_str *out);
static inline void cw_stage_set(struct cw_stage_item *item, uint32_t slot,
                                enum cw_extracted_kind kind, struct cw_str text)
{
    item->slots[slot] = (struct cw_extracted){kind, text};
}
/* Make the text the value, or the line. */
static inline void cw_stage_set_text(struct cw_stage_item *item, uint32_t slot, struct cw_str text)
{
    if (slot == CW_SLOT_LINE)
        item->entry.line = text;
    else
        cw_stage_set(item, slot, CW_EXTRACTED_TEXT, text);
}
/* Of a name that a line brought up: to its slot, or among the others. */
void cw_stage_set_named(struct cw_stages_run *run, struct cw_stage_item *item, struct cw_str name,
                        enum cw_extracted_kind kind, struct cw_str text);

/* Whether there is an extracted value of that name, one of the labels at first included; of names that no stage reads it knows none. */
bool cw_stage_has_named(const struct cw_stages_run *run, const struct cw_stage_item *item,
                        struct cw_str name);

/* An empty value takes the name away; one that is not UTF-8 changes nothing. Texts are borrowed as long as the run. */
void cw_stage_set_label(struct cw_stages_run *run, struct cw_stage_item *item, struct cw_str name,
                        struct cw_str value);
void cw_stage_set_metadata(struct cw_stages_run *run, struct cw_stage_item *item,
                           struct cw_str name, struct cw_str value);
/* The value of a label; false: there is none. */
bool cw_stage_label(const struct cw_stage_item *item, struct cw_str name, struct cw_str *out);

#endif
