#ifndef STUB_H
#define STUB_H
#include "common/base/arena.h"
#include "common/labels/labels.h"
struct cw_stages;
struct cw_stages_run;
struct cw_stage_entry {
    int64_t ts_ns;
    struct cw_str line;
    const struct cw_label *labels;
    size_t nlabels;
    const struct cw_label *metadata;
    size_t nmetadata;
    struct cw_str tenant;
    uint64_t from, to;
    bool counting, labels_changed;
};
struct cw_stages_run_options {
    struct cw_arena *arena;
    uint64_t seed;
    uint64_t emitted_to;
    void (*emit)(void *, const struct cw_stage_entry *);
    void (*dropped)(void *, const struct cw_stage_entry *, struct cw_str);
    void *arg;
};
static inline int64_t cw_stages_wait_ns(const struct cw_stages *s)
{
    return 0;
}
static inline bool cw_stages_sets_tenant(const struct cw_stages *s)
{
    return false;
}
static inline struct cw_stages_run *cw_stages_begin(struct cw_stages *s,
                                                    const struct cw_stages_run_options *o)
{
    return NULL;
}
static inline void cw_stages_feed(struct cw_stages_run *r, const struct cw_stage_entry *e)
{
}
static inline uint64_t cw_stages_unfinished(const struct cw_stages_run *r)
{
    return UINT64_MAX;
}
static inline void cw_stages_flush(struct cw_stages_run *r)
{
}
#endif
