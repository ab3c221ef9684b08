#include <math.h>
#include <stdlib.h>

#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/id_map.h"
#include "common/pipeline/stage_priv.h"
#include "common/pipeline/stages_host.h"

/* What was looked at last is remembered, at least `max` ids and at most twice as many: two maps, of which the older one goes when the
 * newer one is full. */
struct memory {
    struct generation {
        struct cw_id_map ids;
        struct cw_token_bucket *buckets; /* by number of the id; NULL: an id is all there is */
        size_t cap;
    } now, before;
    size_t max;
    bool has_buckets;
};

struct limit_stage {
    double rate, burst;
    bool drop;
    struct cw_str by_label, reason;
    struct cw_token_bucket own,
        *bucket; /* which is its own, or the host's; or one for each value of a label: */
    struct memory by_value;
    struct memory dropped; /* so that a line that is fed again is dropped again */
    struct memory held;    /* that were held back: whether they have had their token since */
};

/* Drops, and lines that were held back: each source with this limit holds back one at a time, or what a flush puts out. */
enum { REMEMBERED = 1 << 16 };

/* ---- memory ---- */

static void memory_init(struct memory *memory, size_t max, bool has_buckets)
{
    *memory = (struct memory){.max = max, .has_buckets = has_buckets};
    cw_id_map_init(&memory->now.ids);
    cw_id_map_init(&memory->before.ids);
}

static void generation_fini(struct generation *generation)
{
    cw_id_map_fini(&generation->ids);
    free(generation->buckets);
}

static void memory_fini(struct memory *memory)
{
    generation_fini(&memory->now);
    generation_fini(&memory->before);
}

static size_t generation_put(struct memory *memory, struct cw_hash128 id)
{
    struct generation *now = &memory->now;
    bool added;
    if (now->ids.n >= memory->max) {
        generation_fini(&memory->before);
        memory->before = *now;
        *now = (struct generation){.buckets = NULL};
        cw_id_map_init(&now->ids);
    }
    size_t i = cw_id_map_put(&now->ids, id, &added);
    if (memory->has_buckets && i >= now->cap) {
        now->cap = now->cap < 16 ? 16 : now->cap * 2;
        now->buckets = cw_mem_resize(now->buckets, now->cap * sizeof *now->buckets);
    }
    return i;
}

static bool memory_has(const struct memory *memory, struct cw_hash128 id)
{
    size_t i;
    return cw_id_map_find(&memory->now.ids, id, &i) || cw_id_map_find(&memory->before.ids, id, &i);
}

/* NULL: it is not remembered. */
static struct cw_token_bucket *memory_find(const struct memory *memory, struct cw_hash128 id)
{
    size_t i;
    if (cw_id_map_find(&memory->now.ids, id, &i))
        return &memory->now.buckets[i];
    return cw_id_map_find(&memory->before.ids, id, &i) ? &memory->before.buckets[i] : NULL;
}

/* Its bucket, which is `fresh` when it is not remembered. */
static struct cw_token_bucket *memory_bucket(struct memory *memory, struct cw_hash128 id,
                                             struct cw_token_bucket fresh)
{
    size_t i;
    if (cw_id_map_find(&memory->now.ids, id, &i))
        return &memory->now.buckets[i];
    if (cw_id_map_find(&memory->before.ids, id, &i))
        fresh = memory->before.buckets[i];
    i = generation_put(memory, id);
    memory->now.buckets[i] = fresh;
    return &memory->now.buckets[i];
}

/* ---- the stage ---- */

static void memories_init(struct limit_stage *stage, size_t max_values)
{
    memory_init(&stage->by_value, max_values, true);
    memory_init(&stage->dropped, REMEMBERED, false);
    memory_init(&stage->held, REMEMBERED, true);
}

void *cw_stage_limit_shared(struct cw_stages_build *build, struct cw_shared_limit *limit)
{
    struct limit_stage *stage = CW_ARENA_NEW(build->arena, struct limit_stage);
    *stage = (struct limit_stage){.rate = limit->rate,
                                  .burst = limit->burst,
                                  .drop = limit->drop,
                                  .reason = CW_STR("readline_rate"),
                                  .bucket = &limit->bucket};
    memories_init(stage, 1);
    return stage;
}

static int compile(struct cw_stages_build *build, const void *config, struct cw_stage_node *node,
                   struct cw_err *err)
{
    const struct cw_stage_limit_config *c = config;
    struct limit_stage *stage = CW_ARENA_NEW(build->arena, struct limit_stage);
    node->state = stage;
    stage->rate = c->rate;
    stage->burst = (double)c->burst;
    stage->drop = c->drop;
    stage->by_label = c->by_label_name;
    stage->own = (struct cw_token_bucket){stage->burst, INT64_MIN};
    stage->bucket = &stage->own;
    stage->reason = CW_STR("ratelimit_drop_stage");
    memories_init(stage, (size_t)c->max_distinct_labels);
    if (!(c->rate > 0) || isinf(c->rate) || c->burst <= 0)
        return cw_err_set(err, CW_E_INVALID, "rate and burst must be more than 0");
    if (c->by_label_name.len > 0 && !c->drop)
        return cw_err_set(err, CW_E_INVALID, "by_label_name wants drop: true");
    return 0;
}

static void free_stage(void *state)
{
    struct limit_stage *stage = state;
    memory_fini(&stage->by_value);
    memory_fini(&stage->dropped);
    memory_fini(&stage->held);
}

static bool take_token(const struct limit_stage *stage, struct cw_token_bucket *bucket,
                       int64_t now_ns)
{
    if (bucket->filled_ns != INT64_MIN && now_ns > bucket->filled_ns)
        bucket->tokens += (double)(now_ns - bucket->filled_ns) / 1e9 * stage->rate;
    if (bucket->tokens > stage->burst)
        bucket->tokens = stage->burst;
    bucket->filled_ns = now_ns;
    if (bucket->tokens < 1)
        return false;
    bucket->tokens -= 1;
    return true;
}

static enum cw_stage_end refuse(struct limit_stage *stage, struct cw_stages_run *run,
                                struct cw_stage_item *item, struct cw_hash128 id,
                                const struct cw_token_bucket *bucket)
{
    if (stage->drop) {
        if (!memory_has(&stage->dropped, id))
            generation_put(&stage->dropped, id);
        return cw_stage_drop(run, item, stage->reason);
    }
    double wait_ns = ceil((1 - bucket->tokens) / stage->rate * 1e9);
    run->blocked_ns =
        wait_ns < (double)(CW_NS_PER_S * 3600) ? (int64_t)wait_ns + 1 : CW_NS_PER_S * 3600;
    run->blocked_from = CW_MIN(run->blocked_from, item->entry.from); /* a flush goes on */
    (void)memory_bucket(&stage->held, id, (struct cw_token_bucket){0});
    return CW_STAGE_GONE;
}

/* A line that is fed again. If it was held back, it waits for its token still, and counts behind this stage when it has it. */
static enum cw_stage_end run_again(struct limit_stage *stage, struct cw_stages_run *run,
                                   struct cw_stage_item *item, struct cw_hash128 id)
{
    if (memory_has(&stage->dropped, id))
        return refuse(stage, run, item, id, stage->bucket);
    struct cw_token_bucket *held = memory_find(&stage->held, id);
    if (held == NULL || held->tokens > 0)
        return CW_STAGE_ON;
    if (!take_token(stage, stage->bucket, run->options.now_ns))
        return refuse(stage, run, item, id, stage->bucket);
    held->tokens = 1;
    item->entry.counting = true;
    return CW_STAGE_ON;
}

static enum cw_stage_end run_stage(const struct cw_stage_node *node, struct cw_stages_run *run,
                                   struct cw_stage_item *item)
{
    struct limit_stage *stage = node->state;
    struct cw_token_bucket *bucket = stage->bucket;
    struct cw_str value;
    uint64_t key[] = {run->options.seed, item->entry.from, item->part};
    struct cw_hash128 id = cw_hash128(key, sizeof key);
    if (!item->entry.counting)
        return run_again(stage, run, item, id);
    if (stage->by_label.len > 0) {
        if (!cw_stage_label(item, stage->by_label, &value))
            return CW_STAGE_ON;
        struct cw_token_bucket fresh = {stage->burst, INT64_MIN};
        bucket = memory_bucket(&stage->by_value, cw_hash128(value.ptr, value.len), fresh);
    }
    if (take_token(stage, bucket, run->options.now_ns))
        return CW_STAGE_ON;
    return refuse(stage, run, item, id, bucket);
}

const struct cw_stage_def cw_stage_limit_def = {
    .compile = compile, .run = run_stage, .free = free_stage};
